//! What a step does to load balancers and what belongs to them.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{
    BalancerState, EndpointServiceState, ObservedBalancing, ObservedEndpointService, ObservedListener,
    ObservedLoadBalancer, ObservedTargetGroup, Step,
};

pub(super) fn effect_on_balancing(balancing: &mut ObservedBalancing, step: &Step) {
    match step {
        Step::CreateTargetGroup { .. }
        | Step::ConfigureTargetGroup { .. }
        | Step::ConfigureHealthCheck { .. }
        | Step::RegisterTargets { .. }
        | Step::DeregisterTargets { .. }
        | Step::DeleteTargetGroup { .. } => on_target_groups(balancing, step),
        Step::CreateBalancer { .. }
        | Step::ConfigureBalancer { .. }
        | Step::SecureBalancer { .. }
        | Step::DeleteBalancer { .. }
        | Step::CreateListener { .. }
        | Step::PointListener { .. }
        | Step::ConfigureListener { .. }
        | Step::DeleteListener { .. } => on_balancers(balancing, step),
        Step::CreateEndpointService { .. }
        | Step::ConfigureEndpointService { .. }
        | Step::ChangePrincipals { .. }
        | Step::RejectConnections { .. }
        | Step::DeleteEndpointService { .. } => on_endpoint_services(balancing, step),
        _ => {}
    }
}

fn on_target_groups(balancing: &mut ObservedBalancing, step: &Step) {
    let groups = &mut balancing.target_groups;
    match step {
        Step::CreateTargetGroup { name, owner, balancer, port } => {
            let group = ObservedTargetGroup {
                arn: name.clone(),
                owner: Some(owner.clone()),
                balancer: Some(balancer.clone()),
                port: *port,
                targets: BTreeSet::new(),
                settings: None,
                health_check: None,
            };
            groups.insert(name.clone(), group);
        }
        Step::ConfigureTargetGroup { name, settings } => {
            if let Some(group) = groups.get_mut(name) {
                group.settings = Some(*settings);
            }
        }
        Step::ConfigureHealthCheck { target_group, check } => {
            if let Some(group) = groups.get_mut(target_group) {
                group.health_check = Some(check.clone());
            }
        }
        Step::RegisterTargets { target_group, hosts } => {
            if let Some(group) = groups.get_mut(target_group) {
                group.targets.extend(hosts.iter().cloned());
            }
        }
        Step::DeregisterTargets { target_group, hosts } => {
            if let Some(group) = groups.get_mut(target_group) {
                group.targets.retain(|host| !hosts.contains(host));
            }
        }
        Step::DeleteTargetGroup { name } => {
            groups.remove(name);
        }
        _ => {}
    }
}

fn on_balancers(balancing: &mut ObservedBalancing, step: &Step) {
    let balancers = &mut balancing.load_balancers;
    match step {
        Step::CreateBalancer { name, owner, scheme } => {
            let balancer = ObservedLoadBalancer {
                arn: name.clone(),
                dns_name: String::new(),
                state: BalancerState::Active,
                scheme: Some(*scheme),
                owner: Some(owner.clone()),
                listeners: BTreeMap::new(),
                settings: None,
                security: None,
            };
            balancers.insert(name.clone(), balancer);
        }
        Step::ConfigureBalancer { name, settings } => {
            if let Some(balancer) = balancers.get_mut(name) {
                balancer.settings = Some(*settings);
            }
        }
        Step::SecureBalancer { name, security } => {
            if let Some(balancer) = balancers.get_mut(name) {
                balancer.security = Some(security.clone());
            }
        }
        Step::DeleteBalancer { name } => {
            balancers.remove(name);
        }
        Step::CreateListener { balancer, port, target_group, .. } => {
            let listener = ObservedListener {
                arn: format!("{balancer}:{port}"),
                target_group: Some(target_group.clone()),
                settings: None,
            };
            if let Some(balancer) = balancers.get_mut(balancer) {
                balancer.listeners.insert(*port, listener);
            }
        }
        Step::PointListener { balancer, port, target_group } => {
            if let Some(listener) = listener_mut(balancing, balancer, *port) {
                listener.target_group = Some(target_group.clone());
            }
        }
        Step::ConfigureListener { balancer, port, settings } => {
            if let Some(listener) = listener_mut(balancing, balancer, *port) {
                listener.settings = Some(*settings);
            }
        }
        Step::DeleteListener { balancer, port } => {
            if let Some(balancer) = balancers.get_mut(balancer) {
                balancer.listeners.remove(port);
            }
        }
        _ => {}
    }
}

fn on_endpoint_services(balancing: &mut ObservedBalancing, step: &Step) {
    let services = &mut balancing.endpoint_services;
    match step {
        Step::CreateEndpointService { balancer, owner, acceptance_required } => {
            // An id for a service that does not exist yet.
            let hash = hex::encode(Sha256::digest(balancer));
            let service = ObservedEndpointService {
                service_name: String::new(),
                state: EndpointServiceState::Available,
                owner: Some(owner.clone()),
                balancer: Some(balancer.clone()),
                acceptance_required: *acceptance_required,
                ip_address_types: ["ipv4", "ipv6"].map(str::to_owned).into(),
                allowed_principals: BTreeSet::new(),
                connections: BTreeMap::new(),
            };
            services.insert(format!("vpce-svc-{}", &hash[..17]), service);
        }
        Step::ConfigureEndpointService { service, acceptance_required, add_ip_address_types } => {
            if let Some(service) = services.get_mut(service) {
                service.acceptance_required = *acceptance_required;
                service.ip_address_types.extend(add_ip_address_types.iter().cloned());
            }
        }
        Step::ChangePrincipals { service, add, remove } => {
            if let Some(service) = services.get_mut(service) {
                service.allowed_principals.extend(add.iter().map(ToString::to_string));
                service.allowed_principals.retain(|principal| !remove.contains(principal));
            }
        }
        Step::RejectConnections { service, endpoints } => {
            if let Some(service) = services.get_mut(service) {
                for (_, connection) in
                    service.connections.iter_mut().filter(|(id, _)| endpoints.contains(*id))
                {
                    connection.is_open = false;
                }
            }
        }
        Step::DeleteEndpointService { service } => {
            services.remove(service);
        }
        _ => {}
    }
}

fn listener_mut<'a>(
    balancing: &'a mut ObservedBalancing,
    balancer: &str,
    port: u16,
) -> Option<&'a mut ObservedListener> {
    balancing.load_balancers.get_mut(balancer)?.listeners.get_mut(&port)
}
