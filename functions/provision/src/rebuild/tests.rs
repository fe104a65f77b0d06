//! Roll-outs over accounts that do as they like, and each turn by example.

use std::collections::{BTreeMap, BTreeSet};

use enclave_core::aws::ErrorClass;
use enclave_core::creation::Creation;
use enclave_core::reconcile::{
    InstanceState, Limits, Observed, Reading, RootVolumeTask, RootVolumeTaskState as State, Step, plan,
};
use enclave_protocol::reply::Status;
use enclave_protocol::request::Order;
use proptest::prelude::*;

use super::*;
use crate::desired::desired;
use crate::fixtures::{
    CLAIMED, at as second, host, image, observed_host, rebuild, rebuild_call, record, refused, request, seen,
    with_hosts,
};
use enclave_core::ledger::HostStage::{
    Detached, Gone, NotRebuilt, Ready, Rebuilding, RebuiltUnfit, Replaced, ToRebuild,
};

fn order(hosts: &[u32], at_a_time: u32) -> RebuildHosts {
    match rebuild(hosts, at_a_time) {
        Order::RebuildHosts(order) => order,
        other => panic!("{other:?}"),
    }
}

fn task(id: &str, state: &str) -> RootVolumeTask {
    RootVolumeTask {
        task_id: id.to_owned(),
        state: State::from(state),
        request_id: Some(crate::fixtures::id(1)),
        client_token: None,
    }
}

/// Host 1 is being rebuilt by `replacevol-1`; what a look at these tasks makes of it.
fn turned(tasks: Vec<RootVolumeTask>, answer: Option<Answer>) -> Option<Turn> {
    let mut record = with_hosts(&[Rebuilding]);
    record.calls = vec![rebuild_call(1, answer)];
    let turns = turns(&record, &[(host(1), tasks)].into());
    turns.into_iter().next().map(|(_, turn)| turn)
}

#[expect(clippy::unnecessary_wraps)]
fn replacing(number: u32) -> Option<Answer> {
    Some(Answer::Replacing { task: format!("replacevol-{number}") })
}

#[test]
fn only_the_end_of_its_own_task_moves_a_host_on() {
    for state in ["pending", "in-progress", "failing", "failing-detached", "unheard-of"] {
        assert_eq!(turned(vec![task("replacevol-1", state)], replacing(1)), None, "{state}");
    }
    for state in ["succeeded", "failed", "failed-detached"] {
        assert_eq!(turned(vec![task("replacevol-2", state)], replacing(1)), None, "another's {state}");
        assert_eq!(turned(vec![task("replacevol-1", state)], None), None, "{state}, without an answer");
    }
    assert_eq!(turned(vec![], replacing(1)), None, "not seen yet");
    assert_eq!(turned(vec![task("replacevol-1", "succeeded")], replacing(1)), Some(Turn::Replaced));
}

#[test]
fn each_failure_says_what_became_of_the_root_volume() {
    let reason = |turn: Option<Turn>| match turn {
        Some(Turn::NotRebuilt(fault) | Turn::Detached(fault)) => (fault.code, fault.reason),
        other => panic!("{other:?}"),
    };
    let id = host(1);
    let (code, failed) = reason(turned(vec![task("replacevol-1", "failed")], replacing(1)));
    assert_eq!(code, Code::RebuildFailed);
    let expected = "was not replaced: replacevol-1 failed; its original volume is still attached";
    assert_eq!(failed, format!("the root volume of {id} {expected}"));
    let detached = turned(vec![task("replacevol-1", "failed-detached")], replacing(1));
    assert!(matches!(detached, Some(Turn::Detached(_))));
    let (code, detached) = reason(detached);
    assert_eq!(code, Code::RebuildFailed);
    assert!(detached.starts_with(&format!("{id} has no root volume")) && detached.contains("vol-old"));
    let (code, refusal) = reason(turned(vec![], refused(ErrorClass::Refused, CLAIMED)));
    assert_eq!(code, Code::AwsRefused);
    assert_eq!(refusal, format!("AWS will not replace the root volume of {id}: Call: Code: no"));
}

#[test]
fn a_rebuilt_host_is_judged_once_the_look_shows_it_or_ought_to() {
    let Creation::CreateReplaceRootVolumeTask(rebuild) = rebuild_call(1, None).creation else { panic!() };
    let shows = |volume: Option<&str>, new_image: bool, seconds| {
        let mut host = observed_host(InstanceState::Running, 9);
        host.root_volume_id = volume.map(str::to_owned);
        if !new_image {
            host.image = "ami-00000001".parse().unwrap();
        }
        shows_rebuild(&host, &rebuild, second(CLAIMED), second(CLAIMED + seconds))
    };
    assert!(shows(Some("vol-new"), true, 0));
    for (volume, new_image) in [(Some("vol-old"), true), (None, true), (Some("vol-new"), false)] {
        assert!(!shows(volume, new_image, 120), "{volume:?}: reads may lag");
        assert!(shows(volume, new_image, 121), "{volume:?}: not for ever");
    }
}

#[test]
fn a_look_asks_about_the_hosts_begun_and_those_next_in_turn() {
    let hosts: Vec<u32> = (1..=300).collect();
    let mut stages = vec![Ready, Replaced, Rebuilding];
    stages.resize(300, ToRebuild);
    let asked = asked_about(&order(&hosts, 2), &with_hosts(&stages), Mode::Apply);
    assert_eq!(asked, (2..=105).map(host).collect::<Vec<_>>(), "2 begun, and 102 of those that wait");
    assert_eq!(asked_about(&order(&hosts, 2), &with_hosts(&stages), Mode::Plan).len(), 300);
    let mut claimed = record();
    claimed.accepted = false;
    assert_eq!(asked_about(&order(&hosts, 2), &claimed, Mode::Apply).len(), 102);
}

fn ended(stages: &[HostStage], faults: &[(u32, Code)]) -> Option<(Status, Code, String)> {
    let hosts: Vec<u32> = (1..).zip(stages).map(|(number, _)| number).collect();
    let mut record = with_hosts(stages);
    for (number, code) in faults {
        record.hosts.get_mut(&host(*number)).unwrap().fault = Some(fault(*code, &format!("host {number}")));
    }
    rebuilt(&order(&hosts, 1), &record).map(|it| (it.status, it.code, it.message))
}

#[test]
fn a_roll_out_is_done_when_every_host_is_attested_again_and_not_before() {
    assert_eq!(ended(&[Ready, Ready], &[]).unwrap().0, Status::Done);
    for unfinished in [ToRebuild, Rebuilding, Replaced] {
        assert_eq!(ended(&[Ready, unfinished], &[]), None, "{unfinished:?}");
    }
}

#[test]
fn a_roll_out_fails_by_its_gravest_fault_once_nothing_is_in_progress() {
    for (stage, code) in [
        (NotRebuilt, Code::RebuildFailed),
        (NotRebuilt, Code::AwsRefused),
        (Detached, Code::RebuildFailed),
        (RebuiltUnfit, Code::AttestationFailed),
        (Gone, Code::HostLost),
    ] {
        for busy in [Rebuilding, Replaced] {
            assert_eq!(ended(&[Ready, stage, busy, ToRebuild], &[(2, code)]), None, "{stage:?}: {busy:?}");
        }
        let message = "1 of 4 hosts are rebuilt, 2 were not begun; host 2".to_owned();
        let end = ended(&[Ready, stage, ToRebuild, ToRebuild], &[(2, code)]);
        assert_eq!(end, Some((Status::Failed, code, message)), "{stage:?}");
    }
    let two = [(1, Code::AttestationFailed), (2, Code::RebuildFailed)];
    let message = "0 of 2 hosts are rebuilt, 0 were not begun; host 2".to_owned();
    assert_eq!(ended(&[RebuiltUnfit, Detached], &two), Some((Status::Failed, Code::RebuildFailed, message)));
}

/// An account that answers, forgets and ends tasks as the choices say.
struct Account {
    tasks: BTreeMap<HostId, Vec<RootVolumeTask>>,
    tokens: BTreeMap<String, String>,
}

impl Account {
    /// `CreateReplaceRootVolumeTask`, idempotent by its token.
    fn create(&mut self, rebuild: &ReplaceRootVolume) -> String {
        if let Some(task) = self.tokens.get(&rebuild.client_token) {
            return task.clone();
        }
        let id = format!("replacevol-{}", self.tokens.len());
        self.tokens.insert(rebuild.client_token.clone(), id.clone());
        self.tasks.get_mut(&rebuild.host).unwrap().push(task(&id, "pending"));
        id
    }

    fn go_on(&mut self, mut choice: impl FnMut() -> u8) {
        for task in self.tasks.values_mut().flatten() {
            let next = match (task.state.as_str(), choice() % 12) {
                ("pending", 0..=7) | ("unheard-of", 0..=5) => "in-progress",
                ("pending" | "in-progress", 8) => "failing",
                ("in-progress", 0..=5) => "succeeded",
                ("in-progress", 6) => "failing-detached",
                ("in-progress", 7) => "unheard-of",
                ("failing", 0..=5) => "failed",
                ("failing-detached", 0..=5) => "failed-detached",
                (state, _) => state,
            };
            task.state = State::from(next);
        }
    }

    fn busy(&self) -> usize {
        self.tasks.values().filter(|tasks| tasks.iter().any(|task| task.state.is_active())).count()
    }
}

const HOSTS: u32 = 6;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The whole way of a request, wave by wave, with the ledger between the waves.
    #[test]
    fn a_roll_out_keeps_its_promises_in_any_account(
        at_a_time in 1..4_u32, choices in proptest::collection::vec(any::<u8>(), 400),
    ) {
        let hosts: Vec<u32> = (1..=HOSTS).collect();
        let order = order(&hosts, at_a_time);
        let request = request(rebuild(&hosts, at_a_time));
        let mut record = with_hosts(&[ToRebuild; HOSTS as usize]);
        let mut account = Account {
            tasks: hosts.iter().map(|number| (host(*number), Vec::new())).collect(),
            tokens: BTreeMap::new(),
        };
        let mut choices = choices.into_iter().cycle();
        let mut choice = move || choices.next().unwrap();
        let running = |_: &u32| {
            let mut host = observed_host(InstanceState::Running, 9);
            host.root_volume_id = Some("vol-1".to_owned());
            host
        };
        let mut failed = false;
        let mut outcome = None;
        for wave in 0..500 {
            // Calls without an answer are made, or made again, before anything else.
            for index in 0..record.calls.len() {
                let call = &mut record.calls[index];
                if call.answer.is_some() { continue; }
                let Creation::CreateReplaceRootVolumeTask(asked) = &call.creation else { panic!() };
                call.answer = match choice() % 8 {
                    0 => None,
                    1 => { account.create(asked); None }
                    2 if !account.tokens.contains_key(&asked.client_token) => refused(ErrorClass::Refused, CLAIMED),
                    _ => Some(Answer::Replacing { task: account.create(asked) }),
                };
            }
            prop_assert!(account.busy() <= at_a_time as usize, "{} at once", account.busy());
            account.go_on(&mut choice);
            if record.has_unanswered_call() { continue; }

            let now = second(CLAIMED + wave);
            for (id, turn) in turns(&record, &account.tasks) {
                let (stage, fault) = match turn {
                    Turn::Replaced => (Replaced, None),
                    Turn::NotRebuilt(fault) => (NotRebuilt, Some(fault)),
                    Turn::Detached(fault) => (Detached, Some(fault)),
                };
                record.set_stage(&id, stage, fault, now);
            }
            for number in &hosts {
                if record.hosts[&host(*number)].stage == Replaced && choice() % 3 > 0 {
                    let unfit = choice() % 16 == 0;
                    let fault = unfit.then(|| fault(Code::AttestationFailed, "unfit"));
                    record.set_stage(&host(*number), if unfit { RebuiltUnfit } else { Ready }, fault, now);
                }
            }
            failed |= record.hosts.values().any(|progress| has_failed(progress.stage))
                || account.tasks.values().flatten().any(|task| task.state.is_failure());
            outcome = rebuilt(&order, &record);
            if outcome.is_some() { break; }
            let asked: BTreeSet<HostId> = asked_about(&order, &record, Mode::Apply).into_iter().collect();
            let mut tasks = account.tasks.clone();
            tasks.retain(|id, _| asked.contains(id));
            let observed = Observed {
                root_volume_tasks: Reading::Known(tasks),
                ..seen(hosts.iter().map(|number| (host(*number), running(number))).collect())
            };
            let wanted = desired(&request, &record, &crate::fixtures::foundation());
            for step in plan(&wanted, &observed, &Limits::default(), now).steps {
                let Step::ReplaceRootVolume { host: id, attempt, .. } = step else { panic!("{step:?}") };
                prop_assert!(!failed, "{id} begins after a failure");
                prop_assert!(record.rebuild_of(&id).is_none(), "{id} begins twice, attempt {attempt}");
                let number = hosts.iter().copied().find(|number| host(*number) == id).unwrap();
                record.calls.push(rebuild_call(number, None));
                record.set_stage(&id, Rebuilding, None, now);
            }
        }
        let Some(outcome) = outcome else { return Err(TestCaseError::fail("it never ends")) };
        prop_assert!(account.tasks.values().all(|tasks| tasks.len() <= 1), "two tasks for one host");
        prop_assert_eq!(outcome.status == Status::Done, !failed, "{}", outcome.message);
        prop_assert_eq!(account.busy(), 0, "it ends only when nothing is in progress");
        for number in &hosts {
            let begun = !account.tasks[&host(*number)].is_empty();
            let told = rebuild_state(&record, &host(*number)).unwrap();
            prop_assert!(begun || matches!(told, RebuildState::NotBegun | RebuildState::Failed), "{told:?}");
            prop_assert!(!begun || told != RebuildState::NotBegun);
        }
    }
}

#[test]
fn what_is_begun_next_follows_from_the_ledger() {
    let mut record = with_hosts(&[Ready, Rebuilding, ToRebuild, ToRebuild]);
    record.calls = vec![rebuild_call(1, replacing(1)), rebuild_call(2, None)];
    let wanted = desired_rebuild(&request(rebuild(&[1, 2, 4, 3], 2)), &order(&[1, 2, 4, 3], 2), &record);
    assert_eq!(wanted.waiting, [host(4), host(3)], "in the order's order");
    assert_eq!(wanted.begun, BTreeSet::from([host(2)]));
    assert_eq!(
        wanted.attempts,
        BTreeMap::from([(host(1), 1), (host(2), 0)]),
        "an attempt ends with its answer"
    );
    assert_eq!((wanted.at_a_time, wanted.halted, wanted.image), (2, false, image()));
}
