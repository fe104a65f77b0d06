//! Facts that decisions stand on, read in the account, never from the message.

use std::collections::BTreeMap;

use enclave_core::ledger::OpenRequest;
use enclave_core::reconcile::ObservedHost;
use enclave_protocol::names::HostId;
use uuid::Uuid;

/// How many hosts the zone has besides those of `request_id`: live ones, and those that other open requests may
/// still launch. A host of an open request is counted by that request's reservation, seen or not.
pub(crate) fn other_hosts(
    hosts: &BTreeMap<HostId, ObservedHost>,
    open: &[OpenRequest],
    request_id: Uuid,
) -> u32 {
    let reserves = |id: Uuid| open.iter().any(|open| open.request_id == id && open.reserved_hosts > 0);
    let live = hosts
        .values()
        .filter(|host| host.state.is_live() && host.request_id != request_id && !reserves(host.request_id))
        .count();
    let reserved: u32 =
        open.iter().filter(|open| open.request_id != request_id).map(|open| open.reserved_hosts).sum();
    reserved.saturating_add(u32::try_from(live).unwrap_or(u32::MAX))
}
