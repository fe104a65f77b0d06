//! How a look at the account moves the hosts of a request on.

use std::collections::{BTreeMap, BTreeSet};

use enclave_core::creation::Answer;
use enclave_core::ledger::{HostFault, HostStage, RequestRecord};
use enclave_core::reconcile::{InstanceState, ObservedHost, is_gone};
use enclave_protocol::code::Code;
use enclave_protocol::names::HostId;
use jiff::Timestamp;

/// Hosts that a launch answered for and that the request does not list yet.
pub(crate) fn unlisted_hosts(record: &RequestRecord) -> Vec<HostId> {
    record
        .launches()
        .filter_map(|(_, answer)| match answer {
            Some(Answer::Launched { hosts, .. }) => Some(hosts),
            _ => None,
        })
        .flatten()
        .filter(|host| !record.hosts.contains_key(*host))
        .cloned()
        .collect()
}

/// Hosts that run and wait to be attested.
pub(crate) fn hosts_to_attest(record: &RequestRecord, hosts: &BTreeMap<HostId, ObservedHost>) -> Vec<HostId> {
    let runs = |id: &HostId| hosts.get(id).is_some_and(|host| host.state == InstanceState::Running);
    let waiting = record.hosts.iter().filter(|(_, progress)| progress.stage == HostStage::Launched);
    waiting.filter(|(id, _)| runs(id)).map(|(id, _)| id.clone()).collect()
}

/// Hosts that have been out of sight for so long that they may be gone; to be asked for by their ids.
pub(crate) fn missing_hosts(
    record: &RequestRecord,
    hosts: &BTreeMap<HostId, ObservedHost>,
    now: Timestamp,
) -> Vec<HostId> {
    record
        .hosts
        .iter()
        .filter(|(id, progress)| {
            // The host was launched, or last seen, when its stage began, or before.
            progress.stage != HostStage::Gone
                && !hosts.contains_key(*id)
                && is_gone(None, progress.since, now)
        })
        .map(|(id, _)| id.clone())
        .collect()
}

/// Marks hosts that have ended, as asked or not; says whether anything changed.
pub(crate) fn mark_ended(
    record: &mut RequestRecord,
    hosts: &BTreeMap<HostId, ObservedHost>,
    confirmed_gone: &BTreeSet<HostId>,
    now: Timestamp,
) -> bool {
    let mut changed = false;
    for (id, progress) in record.hosts.clone() {
        let observed = hosts.get(&id);
        let (ended, fault) = match progress.stage {
            HostStage::Gone | HostStage::NotRebuilt | HostStage::Detached | HostStage::RebuiltUnfit => {
                continue;
            }
            HostStage::Unfit | HostStage::Unwanted => {
                let terminated = observed.is_some_and(|host| host.state == InstanceState::Terminated);
                (terminated || confirmed_gone.contains(&id), None)
            }
            HostStage::Launched
            | HostStage::Ready
            | HostStage::ToRebuild
            | HostStage::Rebuilding
            | HostStage::Replaced => {
                let ending = observed.is_some_and(|host| host.state.is_ending());
                (ending || confirmed_gone.contains(&id), Some(lost(&id)))
            }
        };
        if ended {
            changed |= record.set_stage(&id, HostStage::Gone, fault, now);
        }
    }
    changed
}

fn lost(id: &HostId) -> HostFault {
    HostFault { code: Code::HostLost, reason: format!("{id} ended before it was handed over") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{
        CLAIMED, at, host, in_states, launch, launched, pool, record, refused, with_hosts,
    };
    use enclave_core::aws::ErrorClass;

    use HostStage::{Gone, Launched, Ready, Unfit, Unwanted};
    use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};

    #[test]
    fn a_look_ends_a_host_exactly_where_its_stage_and_state_say_so() {
        let minute = CLAIMED + 60;
        let never = [None, Some(Pending), Some(Running), Some(Stopping), Some(Stopped)];
        for stage in [Launched, Ready, Unfit, Unwanted, Gone] {
            for state in never.into_iter().chain([Some(ShuttingDown), Some(Terminated)]) {
                let mut record = with_hosts(&[stage]);
                let changed = mark_ended(&mut record, &in_states(&[state]), &BTreeSet::new(), at(minute));
                let ends = match (stage, state) {
                    (Gone, _) => false,
                    (_, Some(Terminated)) | (Launched | Ready, Some(ShuttingDown)) => true,
                    _ => false,
                };
                assert_eq!(changed, ends, "{stage:?} {state:?}");
                let then = &record.hosts[&host(1)];
                assert_eq!(then.stage, if ends { Gone } else { stage }, "{stage:?} {state:?}");
                let unasked = ends && matches!(stage, Launched | Ready);
                assert_eq!(then.fault.as_ref().map(|f| f.code), unasked.then_some(Code::HostLost));
            }
        }
    }

    #[test]
    fn a_host_that_ends_before_it_was_rebuilt_is_lost_and_one_whose_rebuild_failed_keeps_its_own_end() {
        use HostStage::{Detached, NotRebuilt, Rebuilding, RebuiltUnfit, Replaced, ToRebuild};
        for (stage, ends) in [
            (ToRebuild, true),
            (Rebuilding, true),
            (Replaced, true),
            (NotRebuilt, false),
            (Detached, false),
            (RebuiltUnfit, false),
        ] {
            for state in [ShuttingDown, Terminated] {
                let mut record = with_hosts(&[stage]);
                let unseen = BTreeSet::new();
                assert_eq!(mark_ended(&mut record, &in_states(&[Some(state)]), &unseen, at(CLAIMED)), ends);
                let then = &record.hosts[&host(1)];
                assert_eq!(then.stage, if ends { Gone } else { stage }, "{stage:?} {state:?}");
                assert_eq!(then.fault.as_ref().map(|f| f.code), ends.then_some(Code::HostLost));
            }
        }
    }

    #[test]
    fn a_host_out_of_sight_is_asked_for_after_fifteen_minutes_and_gone_only_when_confirmed() {
        for stage in [Launched, Ready, Unfit, Unwanted] {
            for (seconds, asked) in [(0, 0), (900, 0), (901, 1)] {
                let mut record = with_hosts(&[stage]);
                let unseen = in_states(&[]);
                let missing = missing_hosts(&record, &unseen, at(CLAIMED + seconds));
                assert_eq!(missing.len(), asked, "{stage:?} after {seconds} s");
                assert!(!mark_ended(&mut record, &unseen, &BTreeSet::new(), at(CLAIMED + seconds)));
                let confirmed = BTreeSet::from([host(1)]);
                assert!(mark_ended(&mut record, &unseen, &confirmed, at(CLAIMED + seconds)));
                assert_eq!(record.hosts[&host(1)].stage, Gone);
            }
        }
    }

    #[test]
    fn a_lost_host_is_named_and_an_unfit_one_keeps_its_own_fault() {
        let mut record = with_hosts(&[Launched, Unfit]);
        let unfit = HostFault { code: Code::AttestationFailed, reason: "no IPv6".to_owned() };
        record.hosts.get_mut(&host(2)).unwrap().fault = Some(unfit.clone());
        let both = in_states(&[Some(Terminated), Some(Terminated)]);
        mark_ended(&mut record, &both, &BTreeSet::new(), at(CLAIMED));
        let reason = "i-00000000000000001 ended before it was handed over".to_owned();
        let lost = HostFault { code: Code::HostLost, reason };
        assert_eq!(record.hosts[&host(1)].fault, Some(lost));
        assert_eq!(record.hosts[&host(2)].fault, Some(unfit));
    }

    #[test]
    fn only_a_running_host_that_waits_for_it_is_attested() {
        for stage in [Launched, Ready, Unfit, Unwanted, Gone] {
            for state in [None, Some(Pending), Some(Running), Some(Stopped), Some(Terminated)] {
                let due = hosts_to_attest(&with_hosts(&[stage]), &in_states(&[state]));
                let expected =
                    if (stage, state) == (Launched, Some(Running)) { vec![host(1)] } else { vec![] };
                assert_eq!(due, expected, "{stage:?} {state:?}");
            }
        }
    }

    #[test]
    fn every_answered_host_is_listed_once() {
        let mut record = record();
        let a = || pool("m7g.large", "us-east-1a");
        record.calls = vec![
            launch(a(), 2, launched(&[1, 2], CLAIMED)),
            launch(a(), 1, refused(ErrorClass::Capacity, CLAIMED)),
            launch(a(), 1, None),
            launch(a(), 1, launched(&[3], CLAIMED)),
        ];
        assert_eq!(unlisted_hosts(&record), [host(1), host(2), host(3)]);
        record.set_stage(&host(2), Launched, None, at(CLAIMED));
        assert_eq!(unlisted_hosts(&record), [host(1), host(3)]);
    }
}
