//! Facts that decisions stand on, read in the account, never from the message.

use std::collections::BTreeMap;

use enclave_core::ledger::OpenRequest;
use enclave_core::reconcile::ObservedHost;
use enclave_protocol::names::HostId;
use uuid::Uuid;

/// How many hosts the zone has besides those of `request_id`: live ones, and those that requests before it in the line
/// may still launch. A host of such a request is counted by its reservation, seen or not. Requests behind it do not
/// count against it: it was there first.
pub(crate) fn other_hosts(
    hosts: &BTreeMap<HostId, ObservedHost>,
    open: &[OpenRequest],
    request_id: Uuid,
) -> u32 {
    let ahead = || open.iter().take_while(|open| open.request_id != request_id);
    let is_reserving = |id: Uuid| ahead().any(|open| open.request_id == id && open.reserved_hosts > 0);
    let live = hosts
        .values()
        .filter(|host| {
            host.state.is_live() && host.request_id != request_id && !is_reserving(host.request_id)
        })
        .count();
    let reserved: u32 = ahead().map(|open| open.reserved_hosts).sum();
    reserved.saturating_add(u32::try_from(live).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use enclave_core::reconcile::InstanceState;

    use super::*;
    use crate::fixtures::{host, id, observed_host};

    fn open(requests: &[(u128, u32)]) -> Vec<OpenRequest> {
        let open = |(number, reserved_hosts): &(u128, u32)| OpenRequest {
            request_id: id(*number),
            reserved_hosts: *reserved_hosts,
            deadline_at: None,
        };
        requests.iter().map(open).collect()
    }

    /// Hosts of these requests in these states.
    fn hosts(of: &[(u128, InstanceState)]) -> BTreeMap<HostId, ObservedHost> {
        (1..)
            .zip(of)
            .map(|(number, (request, state))| (host(number), observed_host(*state, *request)))
            .collect()
    }

    #[test]
    fn live_hosts_of_finished_requests_count_and_ended_ones_do_not() {
        use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
        for (state, expected) in
            [(Pending, 1), (Running, 1), (Stopping, 1), (Stopped, 1), (ShuttingDown, 0), (Terminated, 0)]
        {
            assert_eq!(other_hosts(&hosts(&[(9, state)]), &[], id(1)), expected, "{state:?}");
        }
    }

    #[test]
    fn a_requests_own_hosts_and_reservation_are_not_others() {
        let own = hosts(&[(1, InstanceState::Running), (1, InstanceState::Pending)]);
        assert_eq!(other_hosts(&own, &open(&[(1, 5)]), id(1)), 0);
    }

    #[test]
    fn an_earlier_open_requests_reservation_counts_once_whether_its_hosts_are_seen_or_not() {
        let line = open(&[(2, 3), (1, 5)]);
        assert_eq!(other_hosts(&hosts(&[]), &line, id(1)), 3);
        let some = [(2, InstanceState::Running), (2, InstanceState::Running)];
        assert_eq!(other_hosts(&hosts(&some), &line, id(1)), 3);
        let finished = [(2, InstanceState::Running), (9, InstanceState::Running)];
        assert_eq!(other_hosts(&hosts(&finished), &line, id(1)), 4);
    }

    #[test]
    fn a_request_that_reserves_nothing_hides_no_host() {
        let running = hosts(&[(2, InstanceState::Running)]);
        assert_eq!(other_hosts(&running, &open(&[(2, 0), (1, 5)]), id(1)), 1);
    }

    /// Cap 15. Request 1 (10 hosts) was accepted; request 2 (10 hosts) was opened after it and waits, not accepted.
    #[test]
    fn a_request_that_came_later_takes_no_room_from_an_earlier_one() {
        assert_eq!(other_hosts(&hosts(&[]), &open(&[(1, 10), (2, 10)]), id(1)), 0);
        assert_eq!(other_hosts(&hosts(&[]), &open(&[(1, 10), (2, 10)]), id(2)), 10);
    }
}
