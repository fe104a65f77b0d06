//! Steps for hosts.

use std::collections::BTreeMap;

use enclave_protocol::names::HostId;
use proptest::prelude::*;
use uuid::Uuid;

use super::generate::{NOW, at, host, hosts, known, launch, observed_host, owner, pool};
use crate::creation::{Pool, client_token};
use crate::reconcile::{
    Desired, DesiredLaunch, Finding, InstanceState, Limits, Observed, ObservedBalancing, ObservedHost, Plan,
    Reading, Step, effect, is_gone, plan,
};

fn seen(hosts: BTreeMap<HostId, ObservedHost>) -> Observed {
    known(hosts, ObservedBalancing::default())
}

fn plan_of(launch: &DesiredLaunch, hosts: BTreeMap<HostId, ObservedHost>) -> Plan {
    let desired = Desired { launches: vec![launch.clone()], ..Desired::default() };
    plan(&desired, &seen(hosts), &Limits::default(), at(NOW))
}

fn launched(plan: &Plan) -> Vec<(String, u32, u32)> {
    let launch = |step: &Step| match step {
        Step::Launch { pool, attempt, count, .. } => Some((pool.to_string(), *attempt, *count)),
        _ => None,
    };
    plan.steps.iter().filter_map(launch).collect()
}

fn wanting(count: u32) -> DesiredLaunch {
    DesiredLaunch {
        request_id: Uuid::from_u128(1),
        owner: owner(0),
        count,
        launched: [].into(),
        pools: vec![
            vec![
                pool("m7g.large", "us-east-1a"),
                pool("m7g.large", "us-east-1b"),
                pool("m7g.large", "us-east-1c"),
            ],
            vec![pool("m6g.large", "us-east-1a"), pool("m6g.large", "us-east-1b")],
        ],
        exhausted: BTreeMap::new(),
        attempts: BTreeMap::new(),
        image: "ami-0123456789abcdef0".parse().unwrap(),
    }
}

fn rows(expected: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
    expected.iter().map(|(pool, attempt, count)| ((*pool).to_owned(), *attempt, *count)).collect()
}

#[test]
fn hosts_are_shared_evenly_among_the_zones_of_the_best_type_the_first_taking_the_rest() {
    assert_eq!(
        launched(&plan_of(&wanting(8), BTreeMap::new())),
        rows(&[
            ("m7g.large in us-east-1a", 0, 3),
            ("m7g.large in us-east-1b", 0, 3),
            ("m7g.large in us-east-1c", 0, 2)
        ]),
    );
}

#[test]
fn a_zone_that_gets_no_host_gets_no_launch() {
    assert_eq!(
        launched(&plan_of(&wanting(2), BTreeMap::new())),
        rows(&[("m7g.large in us-east-1a", 0, 1), ("m7g.large in us-east-1b", 0, 1)]),
    );
}

#[test]
fn an_exhausted_pool_is_skipped_to_the_very_second_it_is_believed_to_be_so() {
    for (until, expected) in [
        (NOW + 1, rows(&[("m7g.large in us-east-1b", 0, 2), ("m7g.large in us-east-1c", 0, 2)])),
        (
            NOW,
            rows(&[
                ("m7g.large in us-east-1a", 0, 2),
                ("m7g.large in us-east-1b", 0, 1),
                ("m7g.large in us-east-1c", 0, 1),
            ]),
        ),
    ] {
        let mut launch = wanting(4);
        launch.exhausted.insert(pool("m7g.large", "us-east-1a"), at(until));
        assert_eq!(launched(&plan_of(&launch, BTreeMap::new())), expected, "until {until}");
    }
}

#[test]
fn the_next_type_is_used_only_when_no_zone_has_the_first() {
    let mut launch = wanting(3);
    for zone in ["us-east-1a", "us-east-1b", "us-east-1c"] {
        launch.exhausted.insert(pool("m7g.large", zone), at(NOW + 60));
    }
    assert_eq!(
        launched(&plan_of(&launch, BTreeMap::new())),
        rows(&[("m6g.large in us-east-1a", 0, 2), ("m6g.large in us-east-1b", 0, 1)]),
    );
}

#[test]
fn no_pool_left_is_a_finding_with_how_many_are_missing() {
    let mut launch = wanting(5);
    launch.launched = [host(1), host(2)].into();
    launch.exhausted = launch.pools.iter().flatten().map(|pool| (pool.clone(), at(NOW + 1))).collect();
    let running = observed_host(InstanceState::Running, launch.request_id, &owner(0));
    let hosts = BTreeMap::from([(host(1), running.clone()), (host(2), running)]);
    let short = Finding::NoCapacity { request_id: Uuid::from_u128(1), missing: 3 };
    assert_eq!(plan_of(&launch, hosts), Plan { steps: vec![], findings: vec![short] });
}

#[test]
fn an_order_without_any_pool_has_no_capacity_and_does_not_panic() {
    let mut launch = wanting(5);
    for pools in [vec![], vec![vec![]]] {
        launch.pools = pools;
        let short = Finding::NoCapacity { request_id: Uuid::from_u128(1), missing: 5 };
        assert_eq!(plan_of(&launch, BTreeMap::new()), Plan { steps: vec![], findings: vec![short] });
    }
}

#[test]
fn the_attempts_number_of_each_pool_is_passed_on() {
    let mut launch = wanting(3);
    launch.attempts = [(pool("m7g.large", "us-east-1b"), 4)].into();
    assert_eq!(
        launched(&plan_of(&launch, BTreeMap::new())),
        rows(&[
            ("m7g.large in us-east-1a", 0, 1),
            ("m7g.large in us-east-1b", 4, 1),
            ("m7g.large in us-east-1c", 0, 1)
        ]),
    );
}

#[test]
fn a_host_in_the_account_that_the_ledger_does_not_name_is_never_launched_again() {
    let launch = wanting(1);
    for state in [InstanceState::Pending, InstanceState::Running, InstanceState::Terminated] {
        let hosts = BTreeMap::from([(host(7), observed_host(state, launch.request_id, &owner(0)))]);
        assert_eq!(plan_of(&launch, hosts).steps, [], "{state:?}");
    }
    let another = observed_host(InstanceState::Running, Uuid::from_u128(2), &owner(0));
    let hosts = BTreeMap::from([(host(7), another)]);
    assert_eq!(launched(&plan_of(&launch, hosts)), rows(&[("m7g.large in us-east-1a", 0, 1)]));
}

#[test]
fn a_launched_host_that_ended_is_not_replaced() {
    let mut launch = wanting(1);
    launch.launched = [host(1)].into();
    let ended = observed_host(InstanceState::Terminated, launch.request_id, &owner(0));
    assert_eq!(plan_of(&launch, BTreeMap::from([(host(1), ended)])), Plan::default());
    assert_eq!(plan_of(&launch, BTreeMap::new()).steps, [], "not even when it is out of sight");
}

#[test]
fn a_host_that_starts_or_is_not_seen_yet_is_waited_for() {
    let mut launch = wanting(2);
    launch.launched = [host(1), host(2)].into();
    let starting = observed_host(InstanceState::Pending, launch.request_id, &owner(0));
    let waiting = |on: &str| Finding::Waiting { on: on.to_owned() };
    assert_eq!(
        plan_of(&launch, BTreeMap::from([(host(1), starting)])).findings,
        [waiting("i-00000000000000001 to start"), waiting("i-00000000000000002 to appear")],
    );
}

#[test]
fn only_what_lives_is_terminated_and_what_ends_is_waited_for() {
    let request = Uuid::from_u128(1);
    let states = [
        InstanceState::Pending,
        InstanceState::Running,
        InstanceState::Stopping,
        InstanceState::Stopped,
        InstanceState::ShuttingDown,
        InstanceState::Terminated,
    ];
    let hosts = (1..).zip(states).map(|(id, state)| (host(id), observed_host(state, request, &owner(0))));
    // Host 7 is not seen, host 8 is nobody's wish.
    let desired = Desired { terminated: (1..=7).map(host).collect(), ..Desired::default() };
    let mut hosts: BTreeMap<_, _> = hosts.collect();
    hosts.insert(host(8), observed_host(InstanceState::Running, request, &owner(0)));
    let planned = plan(&desired, &seen(hosts), &Limits::default(), at(NOW));
    assert_eq!(planned.steps, [Step::Terminate { hosts: vec![host(1), host(2), host(3), host(4)] }]);
    assert_eq!(planned.findings, [Finding::Waiting { on: "i-00000000000000005 to end".to_owned() }]);
}

#[test]
fn a_thousand_hosts_are_one_termination_and_one_more_is_two() {
    let request = Uuid::from_u128(1);
    let running = observed_host(InstanceState::Running, request, &owner(0));
    for (count, expected) in [(1000, vec![1000]), (1001, vec![1000, 1])] {
        let hosts = (0..count).map(|id| (host(id), running.clone())).collect();
        let desired = Desired { terminated: (0..count).map(host).collect(), ..Desired::default() };
        let planned = plan(&desired, &seen(hosts), &Limits::default(), at(NOW));
        let batches: Vec<usize> = planned
            .steps
            .iter()
            .map(|step| match step {
                Step::Terminate { hosts } => hosts.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(batches, expected);
    }
}

#[test]
fn what_a_launch_makes_carries_its_request_owner_and_token() {
    let planned = plan_of(&wanting(1), BTreeMap::new());
    let Reading::Known(hosts) = effect(seen(BTreeMap::new()), &planned.steps[0]).hosts else { panic!() };
    let made: Vec<&ObservedHost> = hosts.values().collect();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].request_id, Uuid::from_u128(1));
    assert_eq!(made[0].owner, owner(0));
    let token = client_token(Uuid::from_u128(1), 0, &pool("m7g.large", "us-east-1a"));
    assert_eq!(made[0].client_token, token);
}

#[test]
fn a_host_is_gone_when_terminated_or_out_of_sight_for_more_than_fifteen_minutes() {
    use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
    let request = Uuid::from_u128(1);
    for (state, expected) in [
        (Some(Pending), false),
        (Some(Running), false),
        (Some(Stopping), false),
        (Some(Stopped), false),
        (Some(ShuttingDown), false),
        (Some(Terminated), true),
    ] {
        let host = state.map(|state| observed_host(state, request, &owner(0)));
        assert_eq!(is_gone(host.as_ref(), at(0), at(NOW)), expected, "{state:?}, launched long ago");
        assert_eq!(is_gone(host.as_ref(), at(NOW), at(NOW)), expected, "{state:?}, launched just now");
    }
    assert!(!is_gone(None, at(NOW), at(NOW)));
    assert!(!is_gone(None, at(NOW - 900), at(NOW)), "exactly fifteen minutes");
    assert!(is_gone(None, at(NOW - 901), at(NOW)));
    assert!(!is_gone(None, at(NOW + 60), at(NOW)), "launched by a clock that is ahead");
}

fn open_tier(launch: &DesiredLaunch) -> Vec<&Pool> {
    let open = |pool: &&Pool| launch.exhausted.get(*pool).is_none_or(|until| *until <= at(NOW));
    launch
        .pools
        .iter()
        .map(|tier| tier.iter().filter(open).collect::<Vec<_>>())
        .find(|tier| !tier.is_empty())
        .unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn launches_add_up_to_what_is_missing_from_open_pools_of_the_best_tier(
        launch in launch(1), hosts in hosts(),
    ) {
        let unrecorded = hosts.iter()
            .filter(|(id, host)| host.request_id == launch.request_id && !launch.launched.contains(*id))
            .count();
        let there = u32::try_from(launch.launched.len() + unrecorded).unwrap();
        let missing = launch.count.saturating_sub(there);
        let planned = plan_of(&launch, hosts.clone());
        let tier = open_tier(&launch);
        let mut counts = Vec::new();
        for step in &planned.steps {
            let Step::Launch { request_id, owner, pool, attempt, count, image } = step else {
                return Err(TestCaseError::fail(format!("{step:?}")));
            };
            prop_assert!(tier.contains(&pool), "{} is closed or worse than another", pool);
            prop_assert_eq!(*attempt, launch.attempts.get(pool).copied().unwrap_or(0));
            prop_assert_eq!((request_id, owner, image), (&launch.request_id, &launch.owner, &launch.image));
            counts.push(*count);
        }
        let finding = Finding::NoCapacity { request_id: launch.request_id, missing };
        let short = planned.findings.contains(&finding);
        prop_assert_eq!(short, missing > 0 && tier.is_empty());
        if !tier.is_empty() {
            prop_assert_eq!(counts.iter().sum::<u32>(), missing);
        }
        if let (Some(most), Some(least)) = (counts.iter().max(), counts.iter().min()) {
            prop_assert!(most - least <= 1, "{counts:?}");
        }
        let desired = Desired { launches: vec![launch], ..Desired::default() };
        let then = planned.steps.iter().fold(seen(hosts), effect);
        let next = plan(&desired, &then, &Limits::default(), at(NOW));
        prop_assert!(next.steps.is_empty(), "launched twice: {:?}", next.steps);
    }
}
