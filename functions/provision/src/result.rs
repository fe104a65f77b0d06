//! What a reply says of hosts and load balancer: the ledger and the last look, side by side.

use std::collections::BTreeMap;

use enclave_core::aws::ErrorClass;
use enclave_core::creation::{Answer, Pool};
use enclave_core::foundation::Foundation;
use enclave_core::ledger::{HostProgress, HostStage, RequestRecord};
use enclave_core::reconcile::{InstanceState, Observed, ObservedHost, Reading};
use enclave_protocol::code::Code;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{HostResult, HostState, MissingHosts, Reply, Status};
use enclave_protocol::request::{Mode, Order, Request};
use jiff::Timestamp;

use crate::balancers::ordered;
use crate::desired::desired_load_balancer;
use crate::outcome::Outcome;
use crate::rebuild::rebuild_state;
use crate::reply::bare;

/// The reply to a claimed request.
pub(crate) fn result(
    request: &Request,
    record: &RequestRecord,
    observed: &Observed,
    foundation: &Foundation,
    outcome: &Outcome,
    now: Timestamp,
) -> Reply {
    let mut reply = bare(foundation, outcome.status, outcome.code, outcome.message.clone(), now);
    reply.request_id = Some(request.request_id);
    reply.envelope_sha256 = Some(record.envelope_sha256.clone());
    reply.action = Some(request.order.action());
    reply.mode = Some(request.mode);
    let nothing = BTreeMap::new();
    let hosts = match &observed.hosts {
        Reading::Known(hosts) => hosts,
        Reading::Unknown(_) => &nothing,
    };
    reply.hosts =
        record.hosts.iter().map(|(id, progress)| host_result(id, progress, hosts.get(id))).collect();
    if let Order::RebuildHosts(_) = &request.order {
        for host in &mut reply.hosts {
            host.rebuild = rebuild_state(record, &host.host_id);
        }
    }
    if request.mode == Mode::Apply && outcome.status == Status::Failed {
        reply.missing = missing_hosts(request, record, outcome);
    }
    if let (Order::ConfigureLoadBalancer(order), true) = (&request.order, record.accepted) {
        let desired = desired_load_balancer(order, foundation);
        let balancing = match &observed.balancing {
            Reading::Known(balancing) => Some(balancing),
            Reading::Unknown(_) => None,
        };
        reply.load_balancer = Some(ordered(&desired.name, order, &desired.owner, balancing));
    }
    reply
}

fn host_result(id: &HostId, progress: &HostProgress, observed: Option<&ObservedHost>) -> HostResult {
    let state = match (progress.stage, observed.map(|host| host.state)) {
        (HostStage::Gone, _) => HostState::Terminated,
        (HostStage::Ready, Some(InstanceState::Running) | None) => HostState::Ready,
        (HostStage::Launched, None) => HostState::Starting,
        (_, Some(state)) => host_state(state),
        (_, None) => HostState::Running,
    };
    HostResult {
        host_id: id.clone(),
        state,
        instance_type: observed.map(|host| host.instance_type.clone()),
        availability_zone: observed.map(|host| host.availability_zone.clone()),
        ipv6_address: observed.and_then(|host| host.primary_ipv6),
        reason: progress.fault.as_ref().map(|fault| fault.reason.clone()),
        rebuild: None,
    }
}

/// An instance's state as replies name it.
pub(crate) fn host_state(state: InstanceState) -> HostState {
    match state {
        InstanceState::Pending => HostState::Starting,
        InstanceState::Running => HostState::Running,
        InstanceState::Stopping | InstanceState::Stopped => HostState::Stopped,
        InstanceState::ShuttingDown => HostState::Terminating,
        InstanceState::Terminated => HostState::Terminated,
    }
}

/// Hosts that were never launched: with AWS's own words where there are any.
fn missing_hosts(request: &Request, record: &RequestRecord, outcome: &Outcome) -> Vec<MissingHosts> {
    let Order::ProvisionHosts(order) = &request.order else { return Vec::new() };
    let launched = u32::try_from(record.hosts.len()).unwrap_or(u32::MAX);
    let count = order.count.saturating_sub(launched);
    if count == 0 {
        return Vec::new();
    }
    let refusals: Vec<String> = record
        .launches()
        .filter_map(|(launch, answer)| match answer {
            Some(Answer::Refused { failure, .. }) => Some((launch, failure)),
            _ => None,
        })
        .map(|(launch, failure)| format!("{}: {failure}", launch.pool))
        .chain(untried_pools(record))
        .collect();
    let capacity_only = record.launches().all(|(_, answer)| match answer {
        Some(Answer::Refused { failure, .. }) => failure.class == ErrorClass::Capacity,
        _ => true,
    });
    let code = match (refusals.is_empty(), capacity_only) {
        // Another host's fault is not why these were never launched.
        (true, _) if matches!(outcome.code, Code::AttestationFailed | Code::HostLost) => {
            Code::InsufficientCapacity
        }
        (true, _) => outcome.code,
        (false, true) => Code::InsufficientCapacity,
        (false, false) => Code::AwsRefused,
    };
    let reason = match (refusals.is_empty(), code) {
        (true, Code::InsufficientCapacity) => "no pool has room for more".to_owned(),
        (true, _) => outcome.message.clone(),
        (false, _) => refusals.join("; "),
    };
    vec![MissingHosts { count, code, reason }]
}

/// Pools that another request had found without room: why nothing was launched from them.
fn untried_pools(record: &RequestRecord) -> impl Iterator<Item = String> {
    let tried = |pool: &Pool| record.launches().any(|(launch, _)| launch.pool == *pool);
    let untried = record.closed_pools.iter().filter(move |closed| !tried(&closed.pool));
    untried.map(|closed| format!("{}: left alone until {:.0}: {}", closed.pool, closed.until, closed.why))
}

#[cfg(test)]
mod tests {
    use enclave_core::aws::ErrorClass as Class;
    use enclave_core::capacity::ClosedPool;
    use enclave_core::creation::StoredCall;
    use enclave_core::ledger::HostFault;
    use enclave_protocol::reply::{LoadBalancerState, RebuildState};

    use super::*;
    use crate::fixtures::{
        CLAIMED, at, configure, foundation, host, in_states, launch, launched, pool, provision,
        rebuild as rebuild_order, record, refused, request, seen, with_hosts,
    };

    fn failed(code: Code) -> Outcome {
        Outcome::failed(code, "short")
    }

    fn reply(order: Order, record: &RequestRecord, observed: &Observed, outcome: &Outcome) -> Reply {
        result(&request(order), record, observed, &foundation(), outcome, at(CLAIMED))
    }

    #[test]
    fn a_host_stands_where_the_ledger_and_the_look_say_together() {
        use HostStage::{Gone, Launched, Ready, Unfit, Unwanted};
        use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
        for (stage, seen_as, state) in [
            (Launched, None, HostState::Starting),
            (Launched, Some(Pending), HostState::Starting),
            (Launched, Some(Running), HostState::Running),
            (Ready, Some(Running), HostState::Ready),
            (Ready, Some(Stopping), HostState::Stopped),
            (Ready, Some(Stopped), HostState::Stopped),
            (Unfit, Some(Running), HostState::Running),
            (Unfit, Some(ShuttingDown), HostState::Terminating),
            (Unwanted, Some(ShuttingDown), HostState::Terminating),
            (Unwanted, Some(Terminated), HostState::Terminated),
            (Gone, None, HostState::Terminated),
            (Gone, Some(Terminated), HostState::Terminated),
        ] {
            let reply = reply(
                provision(1),
                &with_hosts(&[stage]),
                &seen(in_states(&[seen_as])),
                &Outcome::done("ok"),
            );
            assert_eq!(reply.hosts[0].state, state, "{stage:?} {seen_as:?}");
        }
    }

    #[test]
    fn without_a_look_a_ready_host_is_ready_and_an_unwanted_one_not_starting() {
        let unread = Observed::unread();
        let record = with_hosts(&[HostStage::Ready, HostStage::Unwanted, HostStage::Unfit]);
        let reply = reply(provision(3), &record, &unread, &failed(Code::Revoked));
        assert_eq!(reply.hosts[0].state, HostState::Ready);
        assert_ne!(reply.hosts[1].state, HostState::Starting);
        assert_ne!(reply.hosts[2].state, HostState::Starting);
    }

    #[test]
    fn a_host_is_told_with_what_was_seen_of_it_and_what_is_wrong_with_it() {
        let mut record = with_hosts(&[HostStage::Unfit, HostStage::Launched]);
        let fault = HostFault { code: Code::AttestationFailed, reason: "no IPv6".to_owned() };
        record.hosts.get_mut(&host(1)).unwrap().fault = Some(fault);
        let observed = seen(in_states(&[Some(InstanceState::Running), None]));
        let reply = reply(provision(2), &record, &observed, &Outcome::done("ok"));
        let first = HostResult {
            host_id: host(1),
            state: HostState::Running,
            instance_type: Some("m7g.large".parse().unwrap()),
            availability_zone: Some("us-east-1a".parse().unwrap()),
            ipv6_address: Some("2001:db8::1".parse().unwrap()),
            reason: Some("no IPv6".to_owned()),
            rebuild: None,
        };
        let second = HostResult {
            host_id: host(2),
            state: HostState::Starting,
            instance_type: None,
            availability_zone: None,
            ipv6_address: None,
            reason: None,
            rebuild: None,
        };
        assert_eq!(reply.hosts, [first, second]);
    }

    #[test]
    fn a_rebuild_is_told_host_by_host_and_of_no_other_order() {
        use HostStage::{Detached, Gone, NotRebuilt, Ready, Rebuilding, RebuiltUnfit, Replaced, ToRebuild};
        for (stage, seen_as, state, rebuild) in [
            (ToRebuild, Some(InstanceState::Running), HostState::Running, RebuildState::NotBegun),
            (ToRebuild, None, HostState::Running, RebuildState::NotBegun),
            (Rebuilding, Some(InstanceState::Running), HostState::Running, RebuildState::InProgress),
            (Replaced, Some(InstanceState::Running), HostState::Running, RebuildState::InProgress),
            (Ready, Some(InstanceState::Running), HostState::Ready, RebuildState::Rebuilt),
            (NotRebuilt, Some(InstanceState::Running), HostState::Running, RebuildState::Failed),
            (Detached, Some(InstanceState::Stopped), HostState::Stopped, RebuildState::Detached),
            (RebuiltUnfit, Some(InstanceState::Running), HostState::Running, RebuildState::Unfit),
            (Gone, Some(InstanceState::Terminated), HostState::Terminated, RebuildState::NotBegun),
        ] {
            let (record, look) = (with_hosts(&[stage]), seen(in_states(&[seen_as])));
            let told = &reply(rebuild_order(&[1], 1), &record, &look, &failed(Code::RebuildFailed)).hosts[0];
            assert_eq!((told.state, told.rebuild), (state, Some(rebuild)), "{stage:?} {seen_as:?}");
            let other = reply(provision(1), &record, &look, &failed(Code::HostLost));
            assert_eq!(other.hosts[0].rebuild, None);
        }
    }

    fn missing(calls: Vec<StoredCall>, outcome: &Outcome) -> Vec<MissingHosts> {
        let mut record = with_hosts(&[HostStage::Ready, HostStage::Gone]);
        record.calls = calls;
        reply(provision(5), &record, &seen(in_states(&[])), outcome).missing
    }

    #[test]
    fn hosts_never_launched_are_counted_with_awss_own_words() {
        let calls = |class| {
            vec![
                launch(pool("m7g.large", "us-east-1a"), 5, launched(&[1, 2], CLAIMED)),
                launch(pool("m7g.large", "us-east-1b"), 3, refused(class, CLAIMED)),
            ]
        };
        let reason = "m7g.large in us-east-1b: Call: Code: no".to_owned();
        for (class, code) in
            [(Class::Capacity, Code::InsufficientCapacity), (Class::Refused, Code::AwsRefused)]
        {
            let expected = MissingHosts { count: 3, code, reason: reason.clone() };
            assert_eq!(missing(calls(class), &failed(Code::DeadlineExceeded)), [expected]);
        }
    }

    #[test]
    fn hosts_never_tried_are_missing_for_the_reason_the_request_ended() {
        let reason = "short".to_owned();
        let expected = MissingHosts { count: 3, code: Code::DeadlineExceeded, reason };
        assert_eq!(missing(vec![], &failed(Code::DeadlineExceeded)), [expected]);
    }

    #[test]
    fn a_pool_that_another_request_found_without_room_is_named_where_this_one_did_not_try_it() {
        let mut record = record();
        let until = at(CLAIMED + 180);
        let closed =
            |zone| ClosedPool { pool: pool("m7g.large", zone), until, why: "it was full".to_owned() };
        record.closed_pools = vec![closed("us-east-1a"), closed("us-east-1b")];
        record.calls =
            vec![launch(pool("m7g.large", "us-east-1b"), 5, refused(ErrorClass::Capacity, CLAIMED))];
        let short = failed(Code::InsufficientCapacity);
        let missing = reply(provision(5), &record, &seen(in_states(&[])), &short).missing;
        let [missing] = missing.as_slice() else { panic!("{missing:?}") };
        assert_eq!((missing.count, missing.code), (5, Code::InsufficientCapacity));
        let left_alone = format!("m7g.large in us-east-1a: left alone until {until:.0}: it was full");
        assert!(missing.reason.ends_with(&left_alone), "{}", missing.reason);
        assert_eq!(missing.reason.matches("it was full").count(), 1, "{}", missing.reason);
    }

    #[test]
    fn nothing_is_missing_of_what_is_done_rejected_or_wholly_launched() {
        assert_eq!(missing(vec![], &Outcome::done("ok")), []);
        assert_eq!(missing(vec![], &Outcome::rejected(Code::Frozen, "no")), []);
        let all = with_hosts(&[HostStage::Gone]);
        let reply = reply(provision(1), &all, &seen(in_states(&[])), &failed(Code::HostLost));
        assert_eq!(reply.missing, []);
    }

    #[test]
    fn a_host_that_found_no_room_is_not_missing_because_another_failed_attestation() {
        let part = vec![launch(pool("m7g.large", "us-east-1a"), 5, launched(&[1, 2], CLAIMED))];
        let code = missing(part, &failed(Code::AttestationFailed))[0].code;
        assert_eq!(code, Code::InsufficientCapacity);
    }

    #[test]
    fn a_balancer_is_told_of_only_once_its_order_was_accepted() {
        let nothing = seen(in_states(&[]));
        let mut record = record();
        let absent = reply(configure(), &record, &nothing, &failed(Code::DeadlineExceeded)).load_balancer;
        let absent = absent.unwrap();
        assert_eq!((absent.state, absent.arn), (LoadBalancerState::Absent, None));
        assert_eq!(absent.targets, [host(1)]);
        record.accepted = false;
        let reply = reply(configure(), &record, &nothing, &Outcome::rejected(Code::UnknownHost, "no"));
        assert_eq!(reply.load_balancer, None);
    }

    /// SQS carries 1 MiB; the largest reply of a good request stays far below.
    #[test]
    fn a_reply_of_a_thousand_ready_hosts_fits_a_message() {
        let record = with_hosts(&[HostStage::Ready; 1000]);
        let observed = seen(in_states(&[Some(InstanceState::Running); 1000]));
        let reply = reply(provision(1000), &record, &observed, &Outcome::done("ok"));
        let bytes = serde_json::to_string(&reply).unwrap().len();
        assert!(bytes < 262_144, "{bytes}");
    }
}
