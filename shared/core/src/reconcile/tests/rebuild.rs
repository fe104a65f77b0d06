//! Rebuilds: how many at a time, in which order, and when nothing more begins.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::{HostId, ImageId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::generate::{NOW, at, host, known, observed_host, owner, states};
use crate::creation::rebuild_token;
use crate::reconcile::{
    Desired, DesiredRebuild, Finding, InstanceState, Limits, Observed, ObservedBalancing, ObservedHost, Plan,
    Reading, RootVolumeTask, RootVolumeTaskState as State, RootVolumeTasks, Step, effect, plan, preview,
};

const REQUEST: Uuid = Uuid::from_u128(1);

fn image() -> ImageId {
    "ami-0123456789abcdef1".parse().unwrap()
}

fn wanting(hosts: u32, at_a_time: u32) -> DesiredRebuild {
    DesiredRebuild {
        request_id: REQUEST,
        owner: owner(0),
        image: image(),
        at_a_time,
        waiting: (1..=hosts).map(host).collect(),
        begun: BTreeSet::new(),
        attempts: BTreeMap::new(),
        halted: false,
    }
}

fn running(hosts: u32) -> BTreeMap<HostId, ObservedHost> {
    let one = || observed_host(InstanceState::Running, Uuid::from_u128(9), &owner(0));
    (1..=hosts).map(|number| (host(number), one())).collect()
}

fn task(state: State, request_id: Option<Uuid>) -> RootVolumeTask {
    RootVolumeTask { task_id: "replacevol-1".to_owned(), state, request_id, client_token: None }
}

fn no_tasks(hosts: u32) -> RootVolumeTasks {
    (1..=hosts).map(|number| (host(number), Vec::new())).collect()
}

fn seen(hosts: BTreeMap<HostId, ObservedHost>, tasks: RootVolumeTasks) -> Observed {
    Observed { root_volume_tasks: Reading::Known(tasks), ..known(hosts, ObservedBalancing::default()) }
}

fn of(rebuild: &DesiredRebuild) -> Desired {
    Desired { rebuilds: vec![rebuild.clone()], ..Desired::default() }
}

fn planned(rebuild: &DesiredRebuild, observed: &Observed) -> Plan {
    plan(&of(rebuild), observed, &Limits::default(), at(NOW))
}

fn begun(plan: &Plan) -> Vec<HostId> {
    let step = |step: &Step| match step {
        Step::ReplaceRootVolume { host, .. } => host.clone(),
        other => panic!("{other:?}"),
    };
    plan.steps.iter().map(step).collect()
}

fn all_states() -> Vec<State> {
    let names = [
        "pending",
        "in-progress",
        "succeeded",
        "failing",
        "failed",
        "failing-detached",
        "failed-detached",
        "unheard-of",
    ];
    names.map(State::from).into()
}

#[test]
fn hosts_begin_in_the_orders_order_and_no_more_than_allowed_at_a_time() {
    let mut rebuild = wanting(4, 2);
    rebuild.waiting.reverse();
    let first = planned(&rebuild, &seen(running(4), no_tasks(4)));
    assert_eq!(begun(&first), [host(4), host(3)]);
    rebuild.begun = [rebuild.waiting.remove(0)].into();
    let next = planned(&rebuild, &seen(running(4), no_tasks(4)));
    assert_eq!(begun(&next), [host(3)], "the one in progress takes a place, whether its task is seen or not");
}

#[test]
fn a_step_carries_its_request_image_and_attempt() {
    let mut rebuild = wanting(1, 1);
    rebuild.attempts = [(host(1), 3)].into();
    let expected = Step::ReplaceRootVolume {
        request_id: REQUEST,
        owner: owner(0),
        host: host(1),
        attempt: 3,
        image: image(),
    };
    assert_eq!(planned(&rebuild, &seen(running(1), no_tasks(1))).steps, [expected]);
}

#[test]
fn somebody_elses_task_is_waited_for_and_takes_a_place() {
    for state in all_states() {
        let mut tasks = no_tasks(3);
        tasks.insert(host(1), vec![task(state.clone(), None)]);
        let one = planned(&wanting(3, 1), &seen(running(3), tasks.clone()));
        let two = planned(&wanting(3, 2), &seen(running(3), tasks));
        if state.is_active() {
            assert_eq!(begun(&one), [], "{state:?}");
            assert_eq!(begun(&two), [host(2)], "{state:?}: another host has its turn");
            let on = format!("the root volume of {}: replacevol-1 is {}", host(1), state.as_str());
            assert_eq!(one.findings, [Finding::Waiting { on }]);
        } else {
            assert_eq!(begun(&one), [host(1)], "{state:?}: ended, whatever it was");
        }
    }
}

#[test]
fn a_task_of_ours_that_the_ledger_does_not_know_is_not_begun_again() {
    for state in all_states() {
        let mut tasks = no_tasks(2);
        tasks.insert(host(1), vec![task(state.clone(), Some(REQUEST))]);
        let next = begun(&planned(&wanting(2, 2), &seen(running(2), tasks)));
        assert!(!next.contains(&host(1)), "{state:?}");
        assert_eq!(next.is_empty(), state.is_failure(), "{state:?}: a failure begins no more");
    }
}

#[test]
fn a_failure_begins_no_more() {
    let mut rebuild = wanting(3, 3);
    rebuild.halted = true;
    assert_eq!(planned(&rebuild, &seen(running(3), no_tasks(3))).steps, []);
    let mut rebuild = wanting(3, 3);
    rebuild.begun = [rebuild.waiting.remove(0)].into();
    let mut tasks = no_tasks(3);
    tasks.insert(host(1), vec![task(State::Failing, Some(REQUEST))]);
    assert_eq!(planned(&rebuild, &seen(running(3), tasks)).steps, [], "not even while it is failing");
}

#[test]
fn only_a_running_host_with_a_root_volume_begins() {
    use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
    for state in [Pending, Running, Stopping, Stopped, ShuttingDown, Terminated] {
        let mut hosts = running(1);
        hosts.get_mut(&host(1)).unwrap().state = state;
        let count = planned(&wanting(1, 1), &seen(hosts, no_tasks(1))).steps.len();
        assert_eq!(count, usize::from(state == Running), "{state:?}");
    }
    let mut hosts = running(1);
    hosts.get_mut(&host(1)).unwrap().root_volume_id = None;
    assert_eq!(planned(&wanting(1, 1), &seen(hosts, no_tasks(1))).steps, []);
    assert_eq!(planned(&wanting(1, 1), &seen(BTreeMap::new(), no_tasks(1))).steps, [], "out of sight");
}

#[test]
fn what_could_not_be_read_is_reported_and_never_acted_on() {
    let unread = Observed {
        root_volume_tasks: Reading::Unknown("throttled".to_owned()),
        ..seen(running(2), RootVolumeTasks::new())
    };
    let finding = Finding::Unknown { what: "root volume tasks: throttled".to_owned() };
    assert_eq!(planned(&wanting(2, 1), &unread), Plan { steps: vec![], findings: vec![finding] });
    let unasked = seen(running(2), [(host(2), Vec::new())].into());
    assert_eq!(begun(&planned(&wanting(2, 2), &unasked)), [host(2)], "host 1 was not asked about");
}

#[test]
fn a_preview_shows_every_wave_of_a_thousand_hosts() {
    let observed = seen(running(1000), no_tasks(1000));
    for at_a_time in [1, 7, 100] {
        let rebuild = wanting(1000, at_a_time);
        let all = preview(&of(&rebuild), &observed, &Limits::default(), at(NOW));
        assert_eq!(begun(&all), rebuild.waiting);
    }
}

#[test]
fn what_a_rebuild_makes_is_a_new_root_volume_and_the_new_image() {
    let planned = planned(&wanting(1, 1), &seen(running(1), no_tasks(1)));
    let after = effect(seen(running(1), no_tasks(1)), &planned.steps[0]);
    let (Reading::Known(hosts), Reading::Known(tasks)) = (after.hosts, after.root_volume_tasks) else {
        panic!()
    };
    let made = &hosts[&host(1)];
    assert_eq!(made.image, image());
    assert_ne!(made.root_volume_id, Some("vol-1".to_owned()));
    assert_eq!(made.volume_ids, [made.root_volume_id.clone().unwrap()]);
    assert_eq!(tasks[&host(1)][0].client_token, Some(rebuild_token(REQUEST, 0, &host(1))));
}

const HOSTS: u32 = 8;

/// Tasks of every host; in half of the accounts none of them fails, so that there is something to begin.
fn tasks() -> impl Strategy<Value = RootVolumeTasks> {
    any::<bool>().prop_flat_map(|calm| {
        let mut possible = all_states();
        possible.retain(|state| !calm || !state.is_failure());
        let whose = select(vec![None, Some(REQUEST), Some(Uuid::from_u128(2))]);
        let one = (select(possible), whose).prop_map(|(state, whose)| task(state, whose));
        vec(vec(one, 0..2), HOSTS as usize).prop_map(|all| (1..).map(host).zip(all).collect())
    })
}

fn rebuilds() -> impl Strategy<Value = DesiredRebuild> {
    let place = select(vec!["waiting", "waiting", "begun", "settled"]);
    (vec(place, HOSTS as usize), 1..9_u32, proptest::bool::weighted(0.1)).prop_map(
        |(places, at_a_time, halted)| {
            let of = |wanted: &str| {
                let hosts = (1..).map(host).zip(places.clone());
                hosts.filter(|(_, place)| *place == wanted).map(|(id, _)| id).collect::<Vec<_>>()
            };
            DesiredRebuild {
                waiting: of("waiting"),
                begun: of("begun").into_iter().collect(),
                halted,
                ..wanting(0, at_a_time)
            }
        },
    )
}

fn hosts_in_states() -> impl Strategy<Value = BTreeMap<HostId, ObservedHost>> {
    vec(proptest::option::of(prop_oneof![3 => Just(InstanceState::Running), 1 => states()]), HOSTS as usize)
        .prop_map(|all| {
            let seen = |state| observed_host(state, Uuid::from_u128(9), &owner(0));
            (1..).map(host).zip(all).filter_map(|(id, state)| Some((id, seen(state?)))).collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_observed_no_more_than_allowed_are_in_progress(
        rebuild in rebuilds(), hosts in hosts_in_states(), tasks in tasks(),
    ) {
        let steps = begun(&planned(&rebuild, &seen(hosts, tasks.clone())));
        let is_active = |id: &&HostId| tasks[*id].iter().any(|task| task.state.is_active());
        let busy = rebuild.begun.len() + rebuild.waiting.iter().filter(is_active).count();
        prop_assert!(steps.is_empty() || steps.len() + busy <= rebuild.at_a_time as usize, "{steps:?}, {busy}");
    }

    #[test]
    fn whatever_is_observed_no_host_is_begun_twice_and_none_that_was_not_asked_for(
        rebuild in rebuilds(), hosts in hosts_in_states(), tasks in tasks(),
    ) {
        let steps = begun(&planned(&rebuild, &seen(hosts, tasks.clone())));
        let distinct: BTreeSet<&HostId> = steps.iter().collect();
        prop_assert_eq!(distinct.len(), steps.len());
        for id in &steps {
            prop_assert!(rebuild.waiting.contains(id));
            prop_assert!(tasks[id].iter().all(|task| task.request_id != Some(REQUEST)), "{id} has one of ours");
            prop_assert!(tasks[id].iter().all(|task| !task.state.is_active()), "{id} is busy");
        }
    }

    #[test]
    fn whatever_is_observed_a_failure_of_ours_begins_no_more(
        rebuild in rebuilds(), hosts in hosts_in_states(), tasks in tasks(),
    ) {
        let fails = rebuild.begun.iter().chain(&rebuild.waiting).flat_map(|id| &tasks[id]).any(|task| {
            task.request_id == Some(REQUEST)
                && matches!(task.state.as_str(), "failing" | "failed" | "failing-detached" | "failed-detached")
        });
        let steps = planned(&rebuild, &seen(hosts, tasks)).steps;
        prop_assert!(!(fails || rebuild.halted) || steps.is_empty());
    }
}
