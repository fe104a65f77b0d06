//! Steps for load balancers: target group → balancer → listener → targets, and back in reverse.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::HostId;

use super::{
    BalancerState, Desired, DesiredLoadBalancer, Finding, Limits, ObservedBalancing, ObservedLoadBalancer,
    ObservedTargetGroup, Plan, Step, target_group_name,
};
use crate::tags::Owner;

pub(super) fn plan(desired: &Desired, observed: &ObservedBalancing, limits: &Limits, plan: &mut Plan) {
    for balancer in &desired.load_balancers {
        plan_present(balancer, observed, limits, plan);
    }
    for owner in &desired.without_load_balancer {
        plan_absent(owner, observed, plan);
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
            Some(group) => plan_target_group(name, group, &desired.targets, limits, plan),
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
            if !balancer.configured {
                plan.steps.push(Step::ConfigureBalancer { name: desired.name.clone() });
            }
            match balancer.state {
                BalancerState::Provisioning => wait(plan, format!("{} to be active", desired.name)),
                BalancerState::Failed => wait(plan, format!("{}, which AWS reports as failed", desired.name)),
                BalancerState::Active => {}
            }
        }
    }
    plan_unused_target_groups(&desired.name, &desired.owner, &groups, observed, plan);
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
    targets: &BTreeSet<HostId>,
    limits: &Limits,
    plan: &mut Plan,
) {
    if !group.configured {
        plan.steps.push(Step::ConfigureTargetGroup { name: name.to_owned() });
    }
    let missing: Vec<HostId> = targets.difference(&group.targets).cloned().collect();
    let surplus: Vec<HostId> = group.targets.difference(targets).cloned().collect();
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
                if !listener.configured {
                    plan.steps.push(Step::ConfigureListener {
                        balancer: desired.name.clone(),
                        port: endpoint.port,
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

fn plan_absent(owner: &Owner, observed: &ObservedBalancing, plan: &mut Plan) {
    for (name, balancer) in &observed.load_balancers {
        if balancer.owner.as_ref() != Some(owner) {
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
        let served = group.balancer.as_ref().is_some_and(|name| observed.load_balancers.contains_key(name));
        if group.owner.as_ref() != Some(owner) || served {
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

fn wait(plan: &mut Plan, on: String) {
    plan.findings.push(Finding::Waiting { on });
}
