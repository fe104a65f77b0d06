//! How a look at the account moves the hosts of a request on.

use std::collections::BTreeMap;

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

/// Marks hosts that have ended, as asked or not; says whether anything changed.
pub(crate) fn mark_ended(
    record: &mut RequestRecord,
    hosts: &BTreeMap<HostId, ObservedHost>,
    now: Timestamp,
) -> bool {
    let mut changed = false;
    for (id, progress) in record.hosts.clone() {
        let observed = hosts.get(&id);
        // The host was launched, or last seen, when its stage began, or before.
        let launched_at = progress.since;
        let (ended, fault) = match progress.stage {
            HostStage::Gone => continue,
            HostStage::Unfit | HostStage::Unwanted => (is_gone(observed, launched_at, now), None),
            HostStage::Launched | HostStage::Ready => {
                let ending = observed.is_some_and(|host| host.state.is_ending());
                (ending || is_gone(observed, launched_at, now), Some(lost(&id)))
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
