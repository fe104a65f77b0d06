//! Whether a request is finished, and how.

use enclave_core::aws::AwsFailure;
use enclave_core::ledger::{HostStage, RequestRecord};
use enclave_core::reconcile::{BalancerState, Finding, Observed, Plan, Reading};
use enclave_protocol::code::Code;
use enclave_protocol::reply::Status;
use enclave_protocol::request::{Order, ProvisionHosts, Request};
use jiff::Timestamp;

use crate::desired::{desired_load_balancer, refusal};
use crate::tenant::Rules;

/// How a request ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Outcome {
    pub(crate) fn done(message: impl Into<String>) -> Self {
        Self { status: Status::Done, code: Code::Done, message: message.into() }
    }

    pub(crate) fn failed(code: Code, message: impl Into<String>) -> Self {
        Self { status: Status::Failed, code, message: message.into() }
    }

    pub(crate) fn rejected(code: Code, message: impl Into<String>) -> Self {
        Self { status: Status::Rejected, code, message: message.into() }
    }

    pub(crate) fn refused_by_aws(failure: &AwsFailure) -> Self {
        Self::failed(Code::AwsRefused, format!("AWS refused a call for good: {failure}"))
    }
}

/// The outcome after a look and the plan that follows from it; none while there is something to do or wait for.
pub(crate) fn outcome(
    request: &Request,
    record: &RequestRecord,
    rules: &Rules,
    observed: &Observed,
    plan: &Plan,
    now: Timestamp,
) -> Option<Outcome> {
    let settled = match &request.order {
        Order::ProvisionHosts(order) => provisioned(order, record, plan),
        Order::DeprovisionHosts(order) => deprovisioned(order.host_ids.len(), record),
        Order::ConfigureLoadBalancer(order) => {
            let name = desired_load_balancer(order, &rules.foundation).name;
            balanced(&name, record, observed, plan)
        }
        Order::RemoveLoadBalancer(order) => plan
            .is_converged()
            .then(|| Outcome::done(format!("{} {} has no load balancer", order.application, order.cluster))),
        Order::Describe(_) => None,
    };
    let late = || {
        let message = format!("not all was done by {}", record.deadline_at);
        (now >= record.deadline_at).then(|| Outcome::failed(Code::DeadlineExceeded, message))
    };
    settled.or_else(late)
}

fn provisioned(order: &ProvisionHosts, record: &RequestRecord, plan: &Plan) -> Option<Outcome> {
    let count = |stage: HostStage| record.hosts.values().filter(|host| host.stage == stage).count();
    let (ready, gone) = (count(HostStage::Ready), count(HostStage::Gone));
    if ready == order.count as usize {
        return Some(Outcome::done(format!("{ready} hosts are ready")));
    }
    let settled = ready + gone == record.hosts.len() && plan.steps.is_empty();
    let short_of_room = plan.findings.iter().any(|finding| matches!(finding, Finding::NoCapacity { .. }));
    let all_launched = record.hosts.len() >= order.count as usize;
    let refused = refusal(record);
    if !settled || !(all_launched || short_of_room || refused.is_some()) {
        return None;
    }
    let so_many = format!("{ready} of {} hosts are ready", order.count);
    let fault = |code: Code| {
        let mut faults = record.hosts.values().filter_map(|host| host.fault.as_ref());
        faults.find(|fault| fault.code == code).map(|fault| fault.reason.clone())
    };
    Some(if let Some(failure) = refused {
        Outcome::failed(Code::AwsRefused, format!("{so_many}; AWS refused a call for good: {failure}"))
    } else if let Some(reason) = fault(Code::AttestationFailed) {
        Outcome::failed(Code::AttestationFailed, format!("{so_many}; {reason}"))
    } else if let Some(reason) = fault(Code::HostLost) {
        Outcome::failed(Code::HostLost, format!("{so_many}; {reason}"))
    } else {
        Outcome::failed(Code::InsufficientCapacity, format!("{so_many}; no pool has room for more"))
    })
}

fn deprovisioned(asked: usize, record: &RequestRecord) -> Option<Outcome> {
    let gone = record.hosts.values().filter(|host| host.stage == HostStage::Gone).count();
    (gone == asked).then(|| Outcome::done(format!("{gone} hosts are terminated")))
}

fn balanced(name: &str, record: &RequestRecord, observed: &Observed, plan: &Plan) -> Option<Outcome> {
    if let Some(failure) = refusal(record) {
        return Some(Outcome::refused_by_aws(failure));
    }
    let conflict = plan.findings.iter().find_map(|finding| match finding {
        Finding::NameConflict { name } => Some(name),
        _ => None,
    });
    if let Some(name) = conflict {
        return Some(Outcome::failed(Code::NameConflict, format!("{name} exists and is not this enclave's")));
    }
    let balancer = match &observed.balancing {
        Reading::Known(balancing) => balancing.load_balancers.get(name)?,
        Reading::Unknown(_) => return None,
    };
    if balancer.state == BalancerState::Failed {
        return Some(Outcome::failed(
            Code::AwsRefused,
            format!("AWS reports load balancer {name} as failed"),
        ));
    }
    plan.is_converged().then(|| Outcome::done(format!("load balancer {name} is active")))
}
