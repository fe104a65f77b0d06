//! Over generated accounts: plans end, stay ended, and touch nothing that is not the owner's.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::generate::{NOW, at, desired, hosts, known};
use super::generate_balancing::{OWN_ACCOUNT, balancing};
use crate::reconcile::{
    BalancerState, Desired, DesiredLoadBalancer, EndpointServiceState, Finding, Limits, Observed,
    ObservedBalancing, Plan, Reading, Step, UnwantedLoadBalancers, effect, plan, service_of,
    target_group_name,
};
use crate::tags::Owner;

/// Most waves with steps: a removal rejects connections, then deletes endpoint service, listeners, balancer and groups.
const MOST_WAVES: usize = 5;

/// The same where a name is taken by something that this very plan removes first.
const MOST_WAVES_AFTER_A_CONFLICT: usize = 8;

fn small() -> Limits {
    Limits { targets_per_call: 2, hosts_per_termination: 3, destruction: None }
}

fn wave(desired: &Desired, observed: &Observed) -> Plan {
    plan(desired, observed, &small(), at(NOW))
}

fn after(observed: &Observed, plan: &Plan) -> Observed {
    plan.steps.iter().fold(observed.clone(), effect)
}

fn balancing_of(observed: &Observed) -> &ObservedBalancing {
    match &observed.balancing {
        Reading::Known(balancing) => balancing,
        Reading::Unknown(why) => panic!("{why}"),
    }
}

/// All waves until nothing is left to do: what was seen before each, and its plan.
fn waves(desired: &Desired, mut observed: Observed) -> Vec<(Observed, Plan)> {
    let mut waves = Vec::new();
    for _ in 0..10 {
        let next = wave(desired, &observed);
        let ended = next.steps.is_empty();
        let then = after(&observed, &next);
        waves.push((observed, next));
        if ended {
            return waves;
        }
        observed = then;
    }
    panic!("after ten waves there are still steps: {:#?}", waves.last().map(|(_, plan)| plan));
}

/// What a step changes.
#[derive(Debug, PartialEq, Eq)]
enum Touched<'a> {
    Balancer(&'a str),
    Group(&'a str),
    Service(&'a str),
}

impl Touched<'_> {
    fn is_seen(&self, observed: &ObservedBalancing) -> bool {
        match self {
            Self::Balancer(name) => observed.load_balancers.contains_key(*name),
            Self::Group(name) => observed.target_groups.contains_key(*name),
            Self::Service(id) => observed.endpoint_services.contains_key(*id),
        }
    }

    /// Whose it is, and which balancer it is or belongs to; none where it was not seen.
    fn owner_and_balancer<'a>(
        &'a self,
        observed: &'a ObservedBalancing,
    ) -> Option<(Option<&'a Owner>, Option<&'a str>)> {
        Some(match self {
            Self::Balancer(name) => (observed.load_balancers.get(*name)?.owner.as_ref(), Some(*name)),
            Self::Group(name) => {
                let group = observed.target_groups.get(*name)?;
                (group.owner.as_ref(), group.balancer.as_deref())
            }
            Self::Service(id) => {
                let service = observed.endpoint_services.get(*id)?;
                (service.owner.as_ref(), service.balancer.as_deref())
            }
        })
    }
}

fn touched(step: &Step) -> Option<Touched<'_>> {
    Some(match step {
        Step::CreateTargetGroup { name, .. }
        | Step::ConfigureTargetGroup { name, .. }
        | Step::DeleteTargetGroup { name } => Touched::Group(name),
        Step::RegisterTargets { target_group, .. }
        | Step::DeregisterTargets { target_group, .. }
        | Step::ConfigureHealthCheck { target_group, .. } => Touched::Group(target_group),
        Step::CreateBalancer { name, .. }
        | Step::ConfigureBalancer { name, .. }
        | Step::SecureBalancer { name, .. }
        | Step::DeleteBalancer { name } => Touched::Balancer(name),
        Step::CreateListener { balancer, .. }
        | Step::PointListener { balancer, .. }
        | Step::ConfigureListener { balancer, .. }
        | Step::DeleteListener { balancer, .. }
        | Step::CreateEndpointService { balancer, .. } => Touched::Balancer(balancer),
        Step::ConfigureEndpointService { service, .. }
        | Step::ChangePrincipals { service, .. }
        | Step::RejectConnections { service, .. }
        | Step::DeleteEndpointService { service } => Touched::Service(service),
        _ => return None,
    })
}

/// The target groups that a balancer should have.
fn groups_of(wanted: &DesiredLoadBalancer) -> BTreeSet<String> {
    let name =
        |e: &enclave_protocol::request::Endpoint| target_group_name(&wanted.name, e.protocol, e.target_port);
    wanted.endpoints.iter().map(name).collect()
}

fn is_meant(unwanted: &UnwantedLoadBalancers, balancer: &str) -> bool {
    unwanted.name.as_ref().is_none_or(|only| only == balancer)
}

fn forwards_to(observed: &ObservedBalancing, group: &str) -> bool {
    observed
        .load_balancers
        .values()
        .flat_map(|balancer| balancer.listeners.values())
        .any(|listener| listener.target_group.as_deref() == Some(group))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_account_converges_within_a_few_waves_and_stays_so(
        desired in desired(), hosts in hosts(), balancing in balancing(),
    ) {
        let waves = waves(&desired, known(hosts, balancing));
        let conflict = |finding: &Finding| matches!(finding, Finding::NameConflict { .. });
        let conflicts = waves.iter().any(|(_, wave)| wave.findings.iter().any(conflict));
        let most = if conflicts { MOST_WAVES_AFTER_A_CONFLICT } else { MOST_WAVES };
        let with_steps = waves.len() - 1;
        prop_assert!(with_steps <= most, "{with_steps} waves");
        let (observed, last) = waves.last().unwrap();
        prop_assert!(last.steps.is_empty());
        prop_assert_eq!(&wave(&desired, observed), last, "the same look gives the same plan");
    }

    #[test]
    fn what_converged_without_a_conflict_is_exactly_what_was_wanted(
        desired in desired(), hosts in hosts(), balancing in balancing(),
    ) {
        let waves = waves(&desired, known(hosts, balancing));
        let (observed, last) = waves.last().unwrap();
        let found = balancing_of(observed);
        let conflicts: BTreeSet<&str> = last.findings.iter().filter_map(|finding| match finding {
            Finding::NameConflict { name } => Some(name.as_str()),
            _ => None,
        }).collect();
        for wanted in &desired.load_balancers {
            let groups = groups_of(wanted);
            if conflicts.contains(wanted.name.as_str())
                || groups.iter().any(|group| conflicts.contains(group.as_str()))
            {
                continue;
            }
            let balancer = &found.load_balancers[&wanted.name];
            prop_assert_eq!(balancer.owner.as_ref(), Some(&wanted.owner));
            prop_assert_eq!(balancer.settings, Some(wanted.settings.balancer));
            prop_assert_eq!(balancer.security.as_ref(), Some(&wanted.settings.security));
            prop_assert_eq!(balancer.listeners.len(), wanted.endpoints.len());
            for endpoint in &wanted.endpoints {
                let listener = &balancer.listeners[&endpoint.port];
                let name = target_group_name(&wanted.name, endpoint.protocol, endpoint.target_port);
                prop_assert_eq!(listener.target_group.as_ref(), Some(&name));
                prop_assert_eq!(listener.settings, Some(wanted.settings.listener));
                let group = &found.target_groups[&name];
                prop_assert_eq!(&group.targets, &wanted.targets);
                prop_assert_eq!(group.settings, Some(wanted.settings.target_group));
                prop_assert_eq!(group.health_check.as_ref(), Some(&wanted.settings.health_check));
            }
            for (name, group) in &found.target_groups {
                let of_it = group.owner.as_ref() == Some(&wanted.owner)
                    && group.balancer.as_deref() == Some(wanted.name.as_str());
                prop_assert!(!of_it || groups.contains(name), "{} is left over", name);
            }
            let services = found.endpoint_services.values().filter(|service| {
                service.owner.as_ref() == Some(&wanted.owner)
                    && service.balancer.as_deref() == Some(wanted.name.as_str())
                    && service.state != EndpointServiceState::Deleting
            });
            let service = service_of(&wanted.owner, &wanted.name, found);
            match &wanted.private_link {
                None => prop_assert_eq!(services.count(), 0, "a service is left over"),
                Some(link) => {
                    prop_assert!(services.count() <= 1, "a service too many");
                    let expected = balancer.state == BalancerState::Active;
                    prop_assert!(service.is_some() || !expected, "no service");
                    if let Some((_, service)) = service && service.state == EndpointServiceState::Available {
                        let allowed: BTreeSet<String> =
                            link.allowed_principals.iter().map(ToString::to_string).collect();
                        prop_assert_eq!(&service.allowed_principals, &allowed);
                        prop_assert_eq!(service.acceptance_required, link.acceptance_required);
                        prop_assert_eq!(service.ip_address_types.len(), 2);
                        for connection in service.connections.values().filter(|it| it.is_open) {
                            let account = &connection.account;
                            let may = link.allowed_principals.iter().any(|it| it.account() == account);
                            prop_assert!(may || account == OWN_ACCOUNT, "{} is still connected", account);
                        }
                    }
                }
            }
        }
        for unwanted in &desired.without_load_balancer {
            for (name, balancer) in &found.load_balancers {
                let is_left = balancer.owner.as_ref() == Some(&unwanted.owner) && is_meant(unwanted, name);
                let is_held = found.endpoint_services.values()
                    .any(|service| service.balancer.as_ref() == Some(name));
                prop_assert!(!is_left || is_held, "{} is left over", name);
                prop_assert!(!is_left || !last.is_converged(), "{} is left and not waited for", name);
            }
        }
    }

    #[test]
    fn no_step_touches_what_is_not_the_owners(
        desired in desired(), hosts in hosts(), balancing in balancing(),
    ) {
        let acting: BTreeSet<&Owner> = desired.load_balancers.iter().map(|balancer| &balancer.owner)
            .chain(desired.without_load_balancer.iter().map(|unwanted| &unwanted.owner)).collect();
        for (observed, wave) in waves(&desired, known(hosts, balancing)) {
            let before = balancing_of(&observed);
            for step in &wave.steps {
                let touched = touched(step);
                let found = touched.as_ref().and_then(|touched| touched.owner_and_balancer(before));
                if let Some((owner, balancer)) = found {
                    prop_assert!(owner.is_some_and(|owner| acting.contains(owner)), "{step:?}");
                    // What a removal by name does not name stays as it is.
                    let removal = desired.without_load_balancer.iter().find(|it| Some(&it.owner) == owner);
                    if let Some(removal) = removal {
                        prop_assert!(balancer.is_some_and(|name| is_meant(removal, name)), "{step:?}");
                    }
                }
                if let Step::Terminate { hosts } = step {
                    prop_assert!(hosts.iter().all(|host| desired.terminated.contains(host)));
                }
            }
        }
    }

    #[test]
    fn every_step_stands_on_what_was_seen_before_its_wave(
        desired in desired(), hosts in hosts(), balancing in balancing(),
    ) {
        for (observed, wave) in waves(&desired, known(hosts, balancing)) {
            let before = balancing_of(&observed);
            for step in &wave.steps {
                let Some(touched) = touched(step) else { continue };
                let makes = matches!(step, Step::CreateTargetGroup { .. } | Step::CreateBalancer { .. });
                prop_assert_eq!(touched.is_seen(before), !makes, "{:?}", step);
                let serves = |name: &String| {
                    before.endpoint_services.values().any(|it| it.balancer.as_ref() == Some(name))
                };
                let is_wanted = |name: &String| desired.load_balancers.iter().any(|it| it.name == *name);
                match step {
                    Step::CreateListener { target_group, balancer, port, .. } => {
                        prop_assert!(before.target_groups.contains_key(target_group));
                        prop_assert!(!before.load_balancers[balancer].listeners.contains_key(port));
                    }
                    Step::PointListener { target_group, balancer, port } => {
                        prop_assert!(before.target_groups.contains_key(target_group));
                        prop_assert!(before.load_balancers[balancer].listeners.contains_key(port));
                    }
                    Step::DeleteBalancer { name } => {
                        prop_assert!(before.load_balancers[name].listeners.is_empty() && !serves(name));
                    }
                    Step::DeleteListener { balancer, .. } => {
                        prop_assert!(is_wanted(balancer) || !serves(balancer), "the service goes first");
                    }
                    Step::CreateEndpointService { balancer, owner, .. } => {
                        prop_assert_eq!(before.load_balancers[balancer].state, BalancerState::Active);
                        prop_assert_eq!(service_of(owner, balancer, before), None);
                    }
                    Step::ChangePrincipals { service, .. } => {
                        let state = before.endpoint_services[service].state;
                        prop_assert_eq!(state, EndpointServiceState::Available);
                    }
                    Step::DeleteEndpointService { service } => {
                        let open = before.endpoint_services[service].connections.values().any(|it| it.is_open);
                        prop_assert!(!open, "connections are rejected first");
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn a_target_group_is_deleted_only_when_no_listener_forwards_to_it(
        desired in desired(), hosts in hosts(), balancing in balancing(),
    ) {
        for (observed, wave) in waves(&desired, known(hosts, balancing)) {
            for step in &wave.steps {
                if let Step::DeleteTargetGroup { name } = step {
                    prop_assert!(!forwards_to(balancing_of(&observed), name), "{name}");
                }
            }
        }
    }

    #[test]
    fn no_batch_is_larger_than_its_limit_or_empty(
        desired in desired(), hosts in hosts(), balancing in balancing(),
    ) {
        for (_, wave) in waves(&desired, known(hosts, balancing)) {
            for step in &wave.steps {
                match step {
                    Step::RegisterTargets { hosts, .. } | Step::DeregisterTargets { hosts, .. } => {
                        prop_assert!((1..=2).contains(&hosts.len()));
                    }
                    Step::Terminate { hosts } => prop_assert!((1..=3).contains(&hosts.len())),
                    Step::Launch { count, .. } => prop_assert!(*count >= 1),
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn what_could_not_be_read_is_reported_and_never_acted_on(
        desired in desired(), hosts in hosts(), balancing in balancing(),
    ) {
        let blind = Observed {
            hosts: Reading::Unknown("throttled".to_owned()),
            balancing: Reading::Unknown("timeout".to_owned()),
            root_volume_tasks: Reading::Unknown("not looked at".to_owned()),
        };
        let about_hosts = !desired.launches.is_empty() || !desired.terminated.is_empty();
        let about_balancing =
            !desired.load_balancers.is_empty() || !desired.without_load_balancer.is_empty();
        let unknown = |what: &str| Finding::Unknown { what: what.to_owned() };
        let mut expected = Vec::new();
        expected.extend(about_hosts.then(|| unknown("hosts: throttled")));
        expected.extend(about_balancing.then(|| unknown("load balancers: timeout")));
        prop_assert_eq!(wave(&desired, &blind), Plan { steps: Vec::new(), findings: expected });

        let no_hosts = Observed { hosts: blind.hosts, ..known(hosts, balancing) };
        for step in wave(&desired, &no_hosts).steps {
            let about_hosts = matches!(step, Step::Launch { .. } | Step::Terminate { .. });
            prop_assert!(!about_hosts, "{:?}", step);
        }
    }

    #[test]
    fn an_unread_account_stays_unread_whatever_is_done(desired in desired(), hosts in hosts(), balancing in balancing()) {
        let unknown = Observed {
            hosts: Reading::Unknown("a".to_owned()),
            balancing: Reading::Unknown("b".to_owned()),
            root_volume_tasks: Reading::Unknown("c".to_owned()),
        };
        let steps = wave(&desired, &known(hosts, balancing)).steps;
        prop_assert_eq!(steps.iter().fold(unknown.clone(), effect), unknown);
    }
}
