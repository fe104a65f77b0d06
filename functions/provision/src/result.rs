//! What a reply says of hosts and load balancer: the ledger and the last look, side by side.

use std::collections::BTreeMap;

use enclave_core::aws::ErrorClass;
use enclave_core::creation::Answer;
use enclave_core::foundation::Foundation;
use enclave_core::ledger::{HostProgress, HostStage, RequestRecord};
use enclave_core::reconcile::{
    BalancerState, InstanceState, Observed, ObservedHost, ObservedLoadBalancer, Reading,
};
use enclave_protocol::code::Code;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{
    HostResult, HostState, LoadBalancerResult, LoadBalancerState, MissingHosts, Reply, Status,
};
use enclave_protocol::request::{ConfigureLoadBalancer, Mode, Order, Request};
use jiff::Timestamp;

use crate::desired::desired_load_balancer;
use crate::outcome::Outcome;
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
    if request.mode == Mode::Apply && outcome.status == Status::Failed {
        reply.missing = missing_hosts(request, record, outcome);
    }
    if let (Order::ConfigureLoadBalancer(order), true) = (&request.order, record.accepted) {
        let name = desired_load_balancer(order, foundation).name;
        let found = match &observed.balancing {
            Reading::Known(balancing) => balancing.load_balancers.get(&name),
            Reading::Unknown(_) => None,
        };
        reply.load_balancer = Some(load_balancer_result(&name, order, found));
    }
    reply
}

fn host_result(id: &HostId, progress: &HostProgress, observed: Option<&ObservedHost>) -> HostResult {
    let state = match (progress.stage, observed.map(|host| host.state)) {
        (HostStage::Gone, _) => HostState::Terminated,
        (HostStage::Ready, Some(InstanceState::Running)) => HostState::Ready,
        (_, None) => HostState::Starting,
        (_, Some(state)) => host_state(state),
    };
    HostResult {
        host_id: id.clone(),
        state,
        instance_type: observed.map(|host| host.instance_type.clone()),
        availability_zone: observed.map(|host| host.availability_zone.clone()),
        ipv6_address: observed.and_then(|host| host.primary_ipv6),
        reason: progress.fault.as_ref().map(|fault| fault.reason.clone()),
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
        .collect();
    let capacity_only = record.launches().all(|(_, answer)| match answer {
        Some(Answer::Refused { failure, .. }) => failure.class == ErrorClass::Capacity,
        _ => true,
    });
    let code = match (refusals.is_empty(), capacity_only) {
        (true, _) => outcome.code,
        (false, true) => Code::InsufficientCapacity,
        (false, false) => Code::AwsRefused,
    };
    let reason = if refusals.is_empty() { outcome.message.clone() } else { refusals.join("; ") };
    vec![MissingHosts { count, code, reason }]
}

fn load_balancer_result(
    name: &str,
    order: &ConfigureLoadBalancer,
    found: Option<&ObservedLoadBalancer>,
) -> LoadBalancerResult {
    LoadBalancerResult {
        name: name.to_owned(),
        arn: found.map(|balancer| balancer.arn.clone()),
        dns_name: found.map(|balancer| balancer.dns_name.clone()),
        state: found.map_or(LoadBalancerState::Absent, |balancer| load_balancer_state(balancer.state)),
        scheme: order.scheme,
        endpoints: order.endpoints.clone(),
        targets: order.targets.clone(),
    }
}

/// A load balancer's state as replies name it.
pub(crate) fn load_balancer_state(state: BalancerState) -> LoadBalancerState {
    match state {
        BalancerState::Provisioning => LoadBalancerState::Provisioning,
        BalancerState::Active => LoadBalancerState::Active,
        BalancerState::Failed => LoadBalancerState::Failed,
    }
}
