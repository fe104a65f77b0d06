//! Over generated accounts: plans end, stay ended, and touch nothing that is not the owner's.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::generate::{NOW, at, balancing, desired, hosts, known};
use crate::reconcile::{
    Desired, Finding, Limits, Observed, ObservedBalancing, Plan, Reading, Step, effect, plan,
};
use crate::tags::Owner;

/// Most waves with steps: groups and balancer, listeners and targets, the listener's settings or what is left over.
const MOST_WAVES: usize = 3;

/// The same where a name is taken by something that this very plan removes first, which takes three waves itself.
const MOST_WAVES_AFTER_A_CONFLICT: usize = 6;

fn small() -> Limits {
    Limits { targets_per_call: 2, hosts_per_termination: 3 }
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

/// The name of the balancer or target group a step changes, and whether it is a target group.
fn touched(step: &Step) -> Option<(&str, bool)> {
    Some(match step {
        Step::Launch { .. } | Step::Terminate { .. } => return None,
        Step::CreateTargetGroup { name, .. }
        | Step::ConfigureTargetGroup { name }
        | Step::DeleteTargetGroup { name } => (name, true),
        Step::RegisterTargets { target_group, .. } | Step::DeregisterTargets { target_group, .. } => {
            (target_group, true)
        }
        Step::CreateBalancer { name, .. }
        | Step::ConfigureBalancer { name }
        | Step::DeleteBalancer { name } => (name, false),
        Step::CreateListener { balancer, .. }
        | Step::PointListener { balancer, .. }
        | Step::ConfigureListener { balancer, .. }
        | Step::DeleteListener { balancer, .. } => (balancer, false),
    })
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
            let group_of = |target_port| super::generate::group_name(&wanted.name, target_port);
            if conflicts.contains(wanted.name.as_str())
                || wanted.endpoints.iter().any(|e| conflicts.contains(group_of(e.target_port).as_str()))
            {
                continue;
            }
            let balancer = &found.load_balancers[&wanted.name];
            prop_assert_eq!(balancer.owner.as_ref(), Some(&wanted.owner));
            prop_assert!(balancer.configured);
            prop_assert_eq!(balancer.listeners.len(), wanted.endpoints.len());
            for endpoint in &wanted.endpoints {
                let listener = &balancer.listeners[&endpoint.port];
                let name = group_of(endpoint.target_port);
                prop_assert_eq!(listener.target_group.as_ref(), Some(&name));
                prop_assert!(listener.configured);
                let group = &found.target_groups[&name];
                prop_assert_eq!(&group.targets, &wanted.targets);
                prop_assert!(group.configured);
            }
            for (name, group) in &found.target_groups {
                let of_it = group.owner.as_ref() == Some(&wanted.owner)
                    && group.balancer.as_deref() == Some(wanted.name.as_str());
                let used = wanted.endpoints.iter().any(|e| group_of(e.target_port) == *name);
                prop_assert!(!of_it || used, "{} is left over", name);
            }
        }
        for owner in &desired.without_load_balancer {
            prop_assert!(found.load_balancers.values().all(|b| b.owner.as_ref() != Some(owner)));
        }
    }

    #[test]
    fn no_step_touches_what_is_not_the_owners(
        desired in desired(), hosts in hosts(), balancing in balancing(),
    ) {
        let acting: BTreeSet<&Owner> = desired.load_balancers.iter().map(|balancer| &balancer.owner)
            .chain(&desired.without_load_balancer).collect();
        for (observed, wave) in waves(&desired, known(hosts, balancing)) {
            let before = balancing_of(&observed);
            for step in &wave.steps {
                let found = touched(step).and_then(|(name, is_group)| if is_group {
                    before.target_groups.get(name).map(|group| &group.owner)
                } else {
                    before.load_balancers.get(name).map(|balancer| &balancer.owner)
                });
                if let Some(owner) = found {
                    prop_assert!(owner.as_ref().is_some_and(|owner| acting.contains(owner)), "{step:?}");
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
                let Some((name, is_group)) = touched(step) else { continue };
                let seen = if is_group {
                    before.target_groups.contains_key(name)
                } else {
                    before.load_balancers.contains_key(name)
                };
                let makes = matches!(step, Step::CreateTargetGroup { .. } | Step::CreateBalancer { .. });
                prop_assert_eq!(seen, !makes, "{:?}", step);
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
                        prop_assert!(before.load_balancers[name].listeners.is_empty());
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
        };
        let steps = wave(&desired, &known(hosts, balancing)).steps;
        prop_assert_eq!(steps.iter().fold(unknown.clone(), effect), unknown);
    }
}
