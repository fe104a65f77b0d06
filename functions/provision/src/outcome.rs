//! Whether a request is finished, and how.

use enclave_core::aws::AwsFailure;
use enclave_core::ledger::{HostStage, RequestRecord};
use enclave_core::reconcile::{
    BalancerState, DesiredLoadBalancer, EndpointServiceState, Finding, Observed, Plan, Reading, Step,
    service_of,
};
use enclave_protocol::code::Code;
use enclave_protocol::reply::Status;
use enclave_protocol::request::{Order, ProvisionHosts, Request};
use jiff::Timestamp;

use crate::balancers::superseded;
use crate::desired::{desired_load_balancer, refusal};
use crate::rebuild::rebuilt;
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
        Order::RebuildHosts(order) => rebuilt(order, record),
        Order::ConfigureLoadBalancer(order) => {
            balanced(&desired_load_balancer(order, &rules.foundation), record, observed, plan)
        }
        Order::RemoveLoadBalancer(order) => plan.is_converged().then(|| {
            Outcome::done(match &order.name {
                Some(name) => format!("load balancer {name} is removed"),
                None => format!("{} {} has no load balancer", order.application, order.cluster),
            })
        }),
        Order::Describe(_) => None,
    };
    let late = || {
        // An unfit host is terminated first: the deadline must not hand it over.
        let terminates = matches!(request.order, Order::ProvisionHosts(_))
            && plan.steps.iter().any(|step| matches!(step, Step::Terminate { .. }));
        let message = format!("not all was done by {:.3}", record.deadline_at);
        let (code, message) = match held_back(&plan.findings) {
            Some(hosts) => {
                (Code::DestructionBudgetExceeded, format!("{message}: {}", budget_sentence(hosts)))
            }
            None => (Code::DeadlineExceeded, message),
        };
        (now >= record.deadline_at && !terminates).then(|| Outcome::failed(code, message))
    };
    settled.or_else(late)
}

/// How many hosts the tenant's destruction budget holds back.
pub(crate) fn held_back(findings: &[Finding]) -> Option<usize> {
    findings.iter().find_map(|finding| match finding {
        Finding::BudgetExceeded { held_back } => Some(*held_back),
        _ => None,
    })
}

/// That for people.
pub(crate) fn budget_sentence(held_back: usize) -> String {
    format!("the tenant's destruction budget holds {held_back} hosts back for now")
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

fn balanced(
    desired: &DesiredLoadBalancer,
    record: &RequestRecord,
    observed: &Observed,
    plan: &Plan,
) -> Option<Outcome> {
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
    let Reading::Known(balancing) = &observed.balancing else { return None };
    let name = &desired.name;
    let balancer = balancing.load_balancers.get(name)?;
    if balancer.state == BalancerState::Failed {
        return Some(Outcome::failed(
            Code::AwsRefused,
            format!("AWS reports load balancer {name} as failed"),
        ));
    }
    if desired.private_link.is_some()
        && let Some((id, service)) = service_of(&desired.owner, name, balancing)
        && service.state == EndpointServiceState::Failed
    {
        return Some(Outcome::failed(
            Code::AwsRefused,
            format!("AWS reports endpoint service {id} as failed"),
        ));
    }
    plan.is_converged().then(|| {
        let superseded = superseded(name, &desired.owner, balancing);
        Outcome::done(if superseded.is_empty() {
            format!("load balancer {name} is active")
        } else {
            let old = superseded.join(", ");
            format!("load balancer {name} is active; {old} stays until it is removed by its name")
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use enclave_core::aws::ErrorClass;
    use enclave_core::creation::StoredCall;
    use enclave_core::ledger::{
        HostFault,
        HostStage::{Gone, Launched, Ready, Unfit, Unwanted},
    };
    use enclave_core::reconcile::{ObservedBalancing, ObservedEndpointService, ObservedLoadBalancer, Step};
    use enclave_gate::Gate;
    use enclave_gate::rules::{Limits, Revocations};
    use enclave_protocol::request::PrivateLink;

    use super::*;
    use crate::fixtures::{
        CLAIMED, at, configure, deprovision, desired_of, foundation, host, id, launch, launched,
        observed_balancer, observed_service, pool, provision, rebuild, record, refused, remove, request,
        seen, target_group_call, with_hosts,
    };

    fn rules() -> Rules {
        let gate = Gate {
            schema: 1,
            trust_roots: Vec::new(),
            identities: Vec::new(),
            revocations: Revocations::default(),
            limits: Limits { max_hosts: 10, images: None, destruction: None },
        };
        Rules { foundation: foundation(), gate, roots: Vec::new() }
    }

    type End = Option<(Status, Code)>;

    fn ended(order: Order, record: &RequestRecord, observed: &Observed, plan: &Plan, second: i64) -> End {
        outcome(&request(order), record, &rules(), observed, plan, at(second))
            .map(|outcome| (outcome.status, outcome.code))
    }

    /// The end of an order for three hosts at these stages and faults, a minute after its claim.
    fn provisioned(stages: &[HostStage], faults: &[(u32, Code)], calls: Vec<StoredCall>, plan: &Plan) -> End {
        let mut record = with_hosts(stages);
        record.calls = calls;
        for (number, code) in faults {
            let fault = HostFault { code: *code, reason: format!("{code} it is") };
            record.hosts.get_mut(&host(*number)).unwrap().fault = Some(fault);
        }
        ended(provision(3), &record, &seen(BTreeMap::new()), plan, CLAIMED + 60)
    }

    fn waiting() -> Plan {
        Plan { steps: vec![], findings: vec![Finding::Waiting { on: "x".to_owned() }] }
    }

    fn no_capacity() -> Plan {
        let finding = Finding::NoCapacity { request_id: id(1), missing: 1 };
        Plan { steps: vec![], findings: vec![finding] }
    }

    /// Wrapped, to stand beside the ends it is compared with.
    #[expect(clippy::unnecessary_wraps)]
    fn failed(code: Code) -> End {
        Some((Status::Failed, code))
    }

    const DONE: End = Some((Status::Done, Code::Done));

    #[test]
    fn provisioning_is_done_when_every_host_is_ready_and_not_before() {
        assert_eq!(provisioned(&[Ready, Ready, Ready], &[], vec![], &Plan::default()), DONE);
        assert_eq!(provisioned(&[Ready, Ready, Launched], &[], vec![], &waiting()), None);
        assert_eq!(provisioned(&[Ready, Ready], &[], vec![], &Plan::default()), None);
        assert_eq!(provisioned(&[], &[], vec![], &Plan::default()), None);
    }

    #[test]
    fn provisioning_fails_by_its_gravest_fault_once_nothing_moves_any_more() {
        let (unfit, lost) = ((1, Code::AttestationFailed), (2, Code::HostLost));
        let none = &Plan::default();
        assert_eq!(
            provisioned(&[Gone, Ready, Ready], &[unfit], vec![], none),
            failed(Code::AttestationFailed)
        );
        assert_eq!(provisioned(&[Ready, Gone, Ready], &[lost], vec![], none), failed(Code::HostLost));
        assert_eq!(
            provisioned(&[Gone, Gone, Ready], &[lost, unfit], vec![], none),
            failed(Code::AttestationFailed)
        );
        assert_eq!(
            provisioned(&[Ready, Ready], &[], vec![], &no_capacity()),
            failed(Code::InsufficientCapacity)
        );
        assert_eq!(provisioned(&[], &[], vec![], &no_capacity()), failed(Code::InsufficientCapacity));
        let refusal =
            || vec![launch(pool("m7g.large", "us-east-1a"), 3, refused(ErrorClass::Refused, CLAIMED))];
        assert_eq!(provisioned(&[], &[], refusal(), none), failed(Code::AwsRefused));
        assert_eq!(provisioned(&[Gone, Ready, Ready], &[unfit], refusal(), none), failed(Code::AwsRefused));
    }

    #[test]
    fn provisioning_waits_for_what_it_launched_and_terminates_before_it_fails() {
        let unfit = (1, Code::AttestationFailed);
        assert_eq!(provisioned(&[Launched, Ready], &[], vec![], &no_capacity()), None);
        assert_eq!(provisioned(&[Unfit, Ready, Ready], &[unfit], vec![], &waiting()), None);
        let step = Step::Terminate { hosts: vec![host(1)] };
        let terminating = Plan { steps: vec![step], findings: vec![] };
        assert_eq!(provisioned(&[Unfit, Ready, Ready], &[unfit], vec![], &terminating), None);
        let refusal = vec![launch(pool("m7g.large", "us-east-1a"), 3, refused(ErrorClass::Refused, CLAIMED))];
        assert_eq!(provisioned(&[Launched], &[], refusal, &waiting()), None);
    }

    #[test]
    fn a_partial_answer_alone_ends_nothing_while_another_pool_has_room() {
        let part = vec![launch(pool("m7g.large", "us-east-1a"), 3, launched(&[1, 2], CLAIMED))];
        let step = Step::Launch {
            request_id: id(1),
            owner: crate::fixtures::owner(),
            pool: pool("m7g.large", "us-east-1b"),
            attempt: 0,
            count: 1,
            image: crate::fixtures::image(),
        };
        let more = Plan { steps: vec![step], findings: vec![] };
        assert_eq!(provisioned(&[Ready, Ready], &[], part.clone(), &more), None);
        assert_eq!(
            provisioned(&[Ready, Ready], &[], part, &no_capacity()),
            failed(Code::InsufficientCapacity)
        );
    }

    #[test]
    fn deprovisioning_is_done_when_the_last_host_is_gone() {
        let end = |stages: &[HostStage]| {
            ended(deprovision(&[1, 2]), &with_hosts(stages), &seen(BTreeMap::new()), &waiting(), CLAIMED)
        };
        assert_eq!(end(&[Gone, Gone]), DONE);
        assert_eq!(end(&[Gone, Unwanted]), None);
    }

    fn balancer(state: BalancerState) -> Observed {
        let found = ObservedLoadBalancer { state, ..observed_balancer() };
        let balancing = ObservedBalancing {
            load_balancers: [(desired_of(configure()).name, found)].into(),
            ..ObservedBalancing::default()
        };
        Observed { balancing: Reading::Known(balancing), ..seen(BTreeMap::new()) }
    }

    fn linked() -> Order {
        let Order::ConfigureLoadBalancer(mut order) = configure() else { panic!() };
        order.private_link = Some(PrivateLink {
            allowed_principals: vec!["arn:aws:iam::111122223333:root".parse().unwrap()],
            acceptance_required: true,
        });
        Order::ConfigureLoadBalancer(order)
    }

    #[test]
    fn an_endpoint_service_that_failed_fails_the_order_that_wants_it() {
        let mut observed = balancer(BalancerState::Active);
        let Reading::Known(balancing) = &mut observed.balancing else { panic!() };
        let service = ObservedEndpointService {
            state: EndpointServiceState::Failed,
            ..observed_service(&desired_of(configure()).name)
        };
        balancing.endpoint_services.insert("vpce-svc-1".to_owned(), service);
        assert_eq!(ended(linked(), &record(), &observed, &waiting(), CLAIMED), failed(Code::AwsRefused));
        assert_eq!(ended(configure(), &record(), &observed, &waiting(), CLAIMED), None, "it is removed");
    }

    #[test]
    fn what_was_superseded_is_named_until_it_is_removed() {
        let mut observed = balancer(BalancerState::Active);
        let Reading::Known(balancing) = &mut observed.balancing else { panic!() };
        balancing.load_balancers.insert("old".to_owned(), observed_balancer());
        let done =
            outcome(&request(configure()), &record(), &rules(), &observed, &Plan::default(), at(CLAIMED));
        assert!(done.unwrap().message.contains("old stays until it is removed"));
    }

    #[test]
    fn a_balancer_is_done_only_when_it_is_there_and_nothing_is_left() {
        let (active, none) = (balancer(BalancerState::Active), Plan::default());
        assert_eq!(ended(configure(), &record(), &active, &none, CLAIMED), DONE);
        assert_eq!(ended(configure(), &record(), &active, &waiting(), CLAIMED), None);
        assert_eq!(ended(configure(), &record(), &seen(BTreeMap::new()), &none, CLAIMED), None, "not seen");
        let unread = Observed { balancing: Reading::Unknown("x".to_owned()), ..active };
        assert_eq!(ended(configure(), &record(), &unread, &none, CLAIMED), None, "not read");
    }

    #[test]
    fn a_balancer_that_cannot_be_is_reported_at_once() {
        let failing = balancer(BalancerState::Failed);
        assert_eq!(ended(configure(), &record(), &failing, &waiting(), CLAIMED), failed(Code::AwsRefused));
        let conflict = Finding::NameConflict { name: "x".to_owned() };
        let plan = Plan { steps: vec![], findings: vec![conflict] };
        let nothing = seen(BTreeMap::new());
        assert_eq!(ended(configure(), &record(), &nothing, &plan, CLAIMED), failed(Code::NameConflict));
        let mut refusal = record();
        refusal.calls = vec![target_group_call(refused(ErrorClass::BadInput, CLAIMED))];
        assert_eq!(ended(configure(), &refusal, &nothing, &waiting(), CLAIMED), failed(Code::AwsRefused));
    }

    #[test]
    fn a_removal_is_done_when_nothing_is_left_to_do_or_wait_for() {
        let nothing = seen(BTreeMap::new());
        assert_eq!(ended(remove(), &record(), &nothing, &Plan::default(), CLAIMED), DONE);
        assert_eq!(ended(remove(), &record(), &nothing, &waiting(), CLAIMED), None);
    }

    #[test]
    fn at_its_deadline_and_not_before_what_is_unfinished_fails() {
        let nothing = seen(BTreeMap::new());
        for order in [provision(1), deprovision(&[1]), rebuild(&[1], 1), configure(), remove()] {
            let end = |second| ended(order.clone(), &record(), &nothing, &waiting(), CLAIMED + second);
            assert_eq!(end(1799), None);
            assert_eq!(end(1800), failed(Code::DeadlineExceeded));
        }
        let ready = with_hosts(&[Ready]);
        let end = ended(provision(1), &ready, &nothing, &Plan::default(), CLAIMED + 9999);
        assert_eq!(end, DONE, "what is done is done, however late");
    }

    #[test]
    fn hosts_that_the_budget_holds_back_are_waited_for_and_named_at_the_deadline() {
        let finding = Finding::BudgetExceeded { held_back: 2 };
        for steps in [vec![], vec![Step::Terminate { hosts: vec![host(1)] }]] {
            let plan = Plan { steps, findings: vec![finding.clone()] };
            let end = |second| {
                let record = with_hosts(&[Unwanted, Unwanted, Unwanted]);
                ended(deprovision(&[1, 2, 3]), &record, &seen(BTreeMap::new()), &plan, CLAIMED + second)
            };
            assert_eq!(end(1799), None);
            assert_eq!(end(1800), failed(Code::DestructionBudgetExceeded));
        }
    }

    #[test]
    fn a_host_that_failed_attestation_is_terminated_even_at_the_deadline() {
        let step = Step::Terminate { hosts: vec![host(1)] };
        let terminating = Plan { steps: vec![step], findings: vec![] };
        let unfit = with_hosts(&[Unfit]);
        let end = ended(provision(1), &unfit, &seen(BTreeMap::new()), &terminating, CLAIMED + 1800);
        assert_eq!(end, None, "first the termination");
    }
}
