//! Steps for endpoint services: made when their balancer is active, opened to principals when they are available; on
//! removal connections are rejected first.

use std::collections::BTreeSet;

use enclave_protocol::names::PrincipalArn;

use super::load_balancers::wait;
use super::{
    BalancerState, DesiredLoadBalancer, DesiredPrivateLink, EndpointServiceState, ObservedBalancing,
    ObservedEndpointService, ObservedLoadBalancer, Plan, Step, UnwantedLoadBalancers,
};
use crate::tags::Owner;

/// The IP address types a service is reached by: those of its dual-stack balancer.
const IP_ADDRESS_TYPES: [&str; 2] = ["ipv4", "ipv6"];

/// Most principals of one change and connections of one rejection; keeps a call small.
const PER_CALL: usize = 50;

/// The endpoint service of an owner's balancer, where it has one: of several, that with the first id that works.
pub fn service_of<'a>(
    owner: &Owner,
    balancer: &str,
    observed: &'a ObservedBalancing,
) -> Option<(&'a String, &'a ObservedEndpointService)> {
    let services = || {
        observed.endpoint_services.iter().filter(|(_, service)| {
            service.owner.as_ref() == Some(owner) && service.balancer.as_deref() == Some(balancer)
        })
    };
    let works = |(_, service): &(&String, &ObservedEndpointService)| {
        matches!(service.state, EndpointServiceState::Pending | EndpointServiceState::Available)
    };
    services().find(works).or_else(|| services().next())
}

/// Whether an endpoint service of ours stands before the balancer.
pub(super) fn is_served(balancer: &str, observed: &ObservedBalancing) -> bool {
    observed.endpoint_services.values().any(|service| service.balancer.as_deref() == Some(balancer))
}

pub(super) fn plan_present(
    desired: &DesiredLoadBalancer,
    balancer: Option<&ObservedLoadBalancer>,
    observed: &ObservedBalancing,
    plan: &mut Plan,
) {
    let kept =
        desired.private_link.as_ref().and_then(|_| service_of(&desired.owner, &desired.name, observed));
    for (id, service) in &observed.endpoint_services {
        let ours = service.owner.as_ref() == Some(&desired.owner)
            && service.balancer.as_deref() == Some(desired.name.as_str());
        if ours && kept.is_none_or(|(kept, _)| kept != id) {
            plan_removal(id, service, plan);
        }
    }
    let Some(link) = &desired.private_link else { return };
    match kept {
        // It goes, or never came: a new one cannot stand beside it.
        Some((id, service)) if service.state == EndpointServiceState::Deleting => {
            plan_removal(id, service, plan);
        }
        Some((id, service)) => plan_service(id, service, link, plan),
        None if balancer.is_some_and(|balancer| balancer.state == BalancerState::Active) => {
            plan.steps.push(Step::CreateEndpointService {
                balancer: desired.name.clone(),
                owner: desired.owner.clone(),
                acceptance_required: link.acceptance_required,
            });
        }
        // The balancer is being made, which is waited for anyway.
        None => {}
    }
}

fn plan_service(id: &str, service: &ObservedEndpointService, link: &DesiredPrivateLink, plan: &mut Plan) {
    match service.state {
        EndpointServiceState::Available => {}
        EndpointServiceState::Failed => {
            return wait(plan, format!("{id}, which AWS reports as failed"));
        }
        EndpointServiceState::Pending | EndpointServiceState::Deleting => {
            return wait(plan, format!("{id} to be available"));
        }
    }
    let missing_types = IP_ADDRESS_TYPES.iter().filter(|kind| !service.ip_address_types.contains(**kind));
    let missing_types: Vec<String> = missing_types.map(|kind| (*kind).to_owned()).collect();
    if service.acceptance_required != link.acceptance_required || !missing_types.is_empty() {
        plan.steps.push(Step::ConfigureEndpointService {
            service: id.to_owned(),
            acceptance_required: link.acceptance_required,
            add_ip_address_types: missing_types,
        });
    }
    let wanted: BTreeSet<&str> = link.allowed_principals.iter().map(PrincipalArn::as_str).collect();
    let add = link.allowed_principals.iter().filter(|it| !service.allowed_principals.contains(it.as_str()));
    let add: Vec<PrincipalArn> = add.cloned().collect();
    let remove = service.allowed_principals.iter().filter(|it| !wanted.contains(it.as_str()));
    let remove: Vec<String> = remove.cloned().collect();
    for add in add.chunks(PER_CALL) {
        let (service, add) = (id.to_owned(), add.to_vec());
        plan.steps.push(Step::ChangePrincipals { service, add, remove: Vec::new() });
    }
    for remove in remove.chunks(PER_CALL) {
        let (service, remove) = (id.to_owned(), remove.to_vec());
        plan.steps.push(Step::ChangePrincipals { service, add: Vec::new(), remove });
    }
    // AWS leaves the connections of those who lost their permission open.
    let accounts: BTreeSet<&str> = link
        .allowed_principals
        .iter()
        .map(PrincipalArn::account)
        .chain([link.own_account.as_str()])
        .collect();
    plan_rejections(id, service, |account| !accounts.contains(account), plan);
}

/// Rejects the open connections of these accounts; says whether there were any.
fn plan_rejections(
    id: &str,
    service: &ObservedEndpointService,
    is_unwanted: impl Fn(&str) -> bool,
    plan: &mut Plan,
) -> bool {
    let open = service.connections.iter().filter(|(_, it)| it.is_open && is_unwanted(&it.account));
    let open: Vec<String> = open.map(|(endpoint, _)| endpoint.clone()).collect();
    plan.steps.extend(
        open.chunks(PER_CALL).map(|endpoints| Step::RejectConnections {
            service: id.to_owned(),
            endpoints: endpoints.to_vec(),
        }),
    );
    !open.is_empty()
}

fn plan_removal(id: &str, service: &ObservedEndpointService, plan: &mut Plan) {
    if service.state == EndpointServiceState::Deleting {
        return wait(plan, format!("{id} to be deleted"));
    }
    if !plan_rejections(id, service, |_| true, plan) {
        plan.steps.push(Step::DeleteEndpointService { service: id.to_owned() });
    }
}

pub(super) fn plan_absent(unwanted: &UnwantedLoadBalancers, observed: &ObservedBalancing, plan: &mut Plan) {
    for (id, service) in &observed.endpoint_services {
        let is_meant = match (&unwanted.name, &service.balancer) {
            (None, _) => true,
            (Some(only), Some(balancer)) => only == balancer,
            (Some(_), None) => false,
        };
        if service.owner.as_ref() == Some(&unwanted.owner) && is_meant {
            plan_removal(id, service, plan);
        }
    }
}
