//! Steps for load balancers: target group → balancer → listener → targets → endpoint service, and back in reverse.

use std::collections::BTreeMap;

use enclave_protocol::names::HostId;

use super::private_link;
use super::{
    BalancerState, Desired, DesiredLoadBalancer, Finding, Limits, ObservedBalancing, ObservedLoadBalancer,
    ObservedTargetGroup, Plan, Step, UnwantedLoadBalancers, target_group_name,
};
use crate::tags::Owner;

pub(super) fn plan(desired: &Desired, observed: &ObservedBalancing, limits: &Limits, plan: &mut Plan) {
    for balancer in &desired.load_balancers {
        plan_present(balancer, observed, limits, plan);
    }
    for unwanted in &desired.without_load_balancer {
        plan_absent(unwanted, observed, plan);
    }
}

fn plan_present(
    desired: &DesiredLoadBalancer,
    observed: &ObservedBalancing,
    limits: &Limits,
    plan: &mut Plan,
) {
    let groups = wanted_target_groups(desired);
    let balancer = observed.load_balancers.get(&desired.name);
    let foreign =
        balancer.filter(|found| found.owner.as_ref() != Some(&desired.owner)).map(|_| &desired.name);
    let foreign_group = groups.keys().find(|name| {
        observed.target_groups.get(*name).is_some_and(|group| group.owner.as_ref() != Some(&desired.owner))
    });
    if let Some(name) = foreign.or(foreign_group) {
        plan.findings.push(Finding::NameConflict { name: name.clone() });
        return;
    }

    for (name, port) in &groups {
        match observed.target_groups.get(name) {
            None => plan.steps.push(Step::CreateTargetGroup {
                name: name.clone(),
                owner: desired.owner.clone(),
                balancer: desired.name.clone(),
                port: *port,
            }),
            Some(group) => plan_target_group(name, group, desired, limits, plan),
        }
    }
    match balancer {
        None => plan.steps.push(Step::CreateBalancer {
            name: desired.name.clone(),
            owner: desired.owner.clone(),
            scheme: desired.scheme,
        }),
        Some(balancer) => {
            plan_listeners(desired, balancer, observed, plan);
            plan_settings(desired, balancer, plan);
            match balancer.state {
                BalancerState::Provisioning => wait(plan, format!("{} to be active", desired.name)),
                BalancerState::Failed => wait(plan, format!("{}, which AWS reports as failed", desired.name)),
                BalancerState::Active => {}
            }
        }
    }
    private_link::plan_present(desired, balancer, observed, plan);
    plan_unused_target_groups(&desired.name, &desired.owner, &groups, observed, plan);
}

fn plan_settings(desired: &DesiredLoadBalancer, balancer: &ObservedLoadBalancer, plan: &mut Plan) {
    let name = || desired.name.clone();
    if balancer.settings != Some(desired.settings.balancer) {
        plan.steps.push(Step::ConfigureBalancer { name: name(), settings: desired.settings.balancer });
    }
    let security = &desired.settings.security;
    if balancer.security.as_ref() != Some(security) {
        plan.steps.push(Step::SecureBalancer { name: name(), security: security.clone() });
    }
}

/// The target groups a balancer needs, with their port: endpoints of one target port share one.
fn wanted_target_groups(desired: &DesiredLoadBalancer) -> BTreeMap<String, u16> {
    desired
        .endpoints
        .iter()
        .map(|endpoint| {
            let name = target_group_name(&desired.name, endpoint.protocol, endpoint.target_port);
            (name, endpoint.target_port)
        })
        .collect()
}

fn plan_target_group(
    name: &str,
    group: &ObservedTargetGroup,
    desired: &DesiredLoadBalancer,
    limits: &Limits,
    plan: &mut Plan,
) {
    let settings = desired.settings.target_group;
    if group.settings != Some(settings) {
        plan.steps.push(Step::ConfigureTargetGroup { name: name.to_owned(), settings });
    }
    let check = &desired.settings.health_check;
    if group.health_check.as_ref() != Some(check) {
        plan.steps.push(Step::ConfigureHealthCheck { target_group: name.to_owned(), check: check.clone() });
    }
    let missing: Vec<HostId> = desired.targets.difference(&group.targets).cloned().collect();
    let surplus: Vec<HostId> = group.targets.difference(&desired.targets).cloned().collect();
    plan.steps.extend(
        missing
            .chunks(limits.targets_per_call)
            .map(|hosts| Step::RegisterTargets { target_group: name.to_owned(), hosts: hosts.to_vec() }),
    );
    plan.steps.extend(
        surplus
            .chunks(limits.targets_per_call)
            .map(|hosts| Step::DeregisterTargets { target_group: name.to_owned(), hosts: hosts.to_vec() }),
    );
}

fn plan_listeners(
    desired: &DesiredLoadBalancer,
    balancer: &ObservedLoadBalancer,
    observed: &ObservedBalancing,
    plan: &mut Plan,
) {
    for endpoint in &desired.endpoints {
        let target_group = target_group_name(&desired.name, endpoint.protocol, endpoint.target_port);
        if !observed.target_groups.contains_key(&target_group) {
            continue;
        }
        match balancer.listeners.get(&endpoint.port) {
            None => plan.steps.push(Step::CreateListener {
                balancer: desired.name.clone(),
                owner: desired.owner.clone(),
                port: endpoint.port,
                target_group,
            }),
            Some(listener) => {
                if listener.target_group.as_ref() != Some(&target_group) {
                    plan.steps.push(Step::PointListener {
                        balancer: desired.name.clone(),
                        port: endpoint.port,
                        target_group,
                    });
                }
                let settings = desired.settings.listener;
                if listener.settings != Some(settings) {
                    plan.steps.push(Step::ConfigureListener {
                        balancer: desired.name.clone(),
                        port: endpoint.port,
                        settings,
                    });
                }
            }
        }
    }
    for port in balancer.listeners.keys() {
        if !desired.endpoints.iter().any(|endpoint| endpoint.port == *port) {
            plan.steps.push(Step::DeleteListener { balancer: desired.name.clone(), port: *port });
        }
    }
}

/// A target group of the balancer that no endpoint wants is deleted once no listener forwards to it.
fn plan_unused_target_groups(
    balancer: &str,
    owner: &Owner,
    wanted: &BTreeMap<String, u16>,
    observed: &ObservedBalancing,
    plan: &mut Plan,
) {
    for (name, group) in &observed.target_groups {
        let ours = group.owner.as_ref() == Some(owner) && group.balancer.as_deref() == Some(balancer);
        if ours && !wanted.contains_key(name) && !is_forwarded_to(name, observed) {
            plan.steps.push(Step::DeleteTargetGroup { name: name.clone() });
        }
    }
}

fn plan_absent(unwanted: &UnwantedLoadBalancers, observed: &ObservedBalancing, plan: &mut Plan) {
    let owner = &unwanted.owner;
    let is_meant = |name: &String| unwanted.name.as_ref().is_none_or(|only| only == name);
    private_link::plan_absent(unwanted, observed, plan);
    for (name, balancer) in &observed.load_balancers {
        if balancer.owner.as_ref() != Some(owner) || !is_meant(name) {
            continue;
        }
        // An endpoint service keeps its balancer from being deleted, so it goes first.
        if private_link::is_served(name, observed) {
            wait(plan, format!("the endpoint service of {name} to be deleted"));
            continue;
        }
        if balancer.listeners.is_empty() {
            plan.steps.push(Step::DeleteBalancer { name: name.clone() });
        }
        for port in balancer.listeners.keys() {
            plan.steps.push(Step::DeleteListener { balancer: name.clone(), port: *port });
        }
    }
    for (name, group) in &observed.target_groups {
        let is_meant = group.balancer.as_ref().map_or(unwanted.name.is_none(), is_meant);
        let served = group.balancer.as_ref().is_some_and(|name| observed.load_balancers.contains_key(name));
        if group.owner.as_ref() != Some(owner) || !is_meant || served {
            continue;
        }
        if is_forwarded_to(name, observed) {
            wait(plan, format!("{name} to be let go by a listener that is not {}'s", owner.application));
        } else {
            plan.steps.push(Step::DeleteTargetGroup { name: name.clone() });
        }
    }
}

fn is_forwarded_to(target_group: &str, observed: &ObservedBalancing) -> bool {
    observed
        .load_balancers
        .values()
        .flat_map(|balancer| balancer.listeners.values())
        .any(|listener| listener.target_group.as_deref() == Some(target_group))
}

pub(super) fn wait(plan: &mut Plan, on: String) {
    plan.findings.push(Finding::Waiting { on });
}
