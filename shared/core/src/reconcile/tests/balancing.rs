//! Steps for load balancers, by example.

use std::collections::BTreeMap;

use enclave_protocol::request::{EndpointProtocol, Scheme};

use super::generate::{NOW, at, host, known, owner};
use super::generate_balancing::{balancer_name, default_settings, endpoint};
use crate::reconcile::{
    BalancerState, Desired, DesiredLoadBalancer, Finding, Limits, Observed, ObservedBalancing,
    ObservedListener, ObservedLoadBalancer, ObservedTargetGroup, Plan, Reading, Step, UnwantedLoadBalancers,
    effect, plan, target_group_name,
};

pub(super) fn name() -> String {
    balancer_name(&owner(0), false)
}

fn group(port: u16) -> String {
    target_group_name(&name(), EndpointProtocol::Tcp, port)
}

pub(super) fn wanting(endpoints: &[(u16, u16)], targets: &[u32]) -> Desired {
    let balancer = DesiredLoadBalancer {
        name: name(),
        owner: owner(0),
        scheme: Scheme::Public,
        endpoints: endpoints.iter().map(|(port, target_port)| endpoint(*port, *target_port)).collect(),
        targets: targets.iter().copied().map(host).collect(),
        settings: default_settings(),
        private_link: None,
    };
    Desired { load_balancers: vec![balancer], ..Desired::default() }
}

pub(super) fn removing() -> Desired {
    removing_only(None)
}

pub(super) fn removing_only(name: Option<String>) -> Desired {
    let unwanted = UnwantedLoadBalancers { owner: owner(0), name };
    Desired { without_load_balancer: [unwanted].into(), ..Desired::default() }
}

/// The owner's balancer with these ports, each to the group of its target port, and the hosts behind all groups.
pub(super) fn there(endpoints: &[(u16, u16)], targets: &[u32]) -> ObservedBalancing {
    let settings = default_settings();
    let listeners = endpoints.iter().map(|(port, target_port)| {
        let target_group = Some(group(*target_port));
        (*port, ObservedListener { arn: "arn".to_owned(), target_group, settings: Some(settings.listener) })
    });
    let balancer = ObservedLoadBalancer {
        arn: "arn".to_owned(),
        dns_name: "dns".to_owned(),
        state: BalancerState::Active,
        scheme: Some(Scheme::Public),
        owner: Some(owner(0)),
        listeners: listeners.collect(),
        settings: Some(settings.balancer),
        security: Some(settings.security.clone()),
    };
    let groups = endpoints.iter().map(|(_, port)| {
        let found = ObservedTargetGroup {
            arn: "arn".to_owned(),
            owner: Some(owner(0)),
            balancer: Some(name()),
            port: *port,
            targets: targets.iter().copied().map(host).collect(),
            settings: Some(settings.target_group),
            health_check: Some(settings.health_check.clone()),
        };
        (group(*port), found)
    });
    ObservedBalancing {
        target_groups: groups.collect(),
        load_balancers: [(name(), balancer)].into(),
        endpoint_services: BTreeMap::new(),
    }
}

pub(super) fn planned(desired: &Desired, balancing: ObservedBalancing) -> Plan {
    plan(desired, &known(BTreeMap::new(), balancing), &Limits::default(), at(NOW))
}

/// The kinds of steps of each wave until none is left.
pub(super) fn kinds(desired: &Desired, balancing: ObservedBalancing) -> Vec<Vec<&'static str>> {
    let mut observed = known(BTreeMap::new(), balancing);
    let mut waves = Vec::new();
    loop {
        let wave = plan(desired, &observed, &Limits::default(), at(NOW));
        if wave.steps.is_empty() || waves.len() > 9 {
            return waves;
        }
        waves.push(wave.steps.iter().map(Step::kind).collect());
        observed = wave.steps.iter().fold(observed, effect);
    }
}

#[test]
fn creating_goes_from_target_group_to_balancer_to_listener_and_targets() {
    assert_eq!(
        kinds(&wanting(&[(443, 8080)], &[1]), ObservedBalancing::default()),
        [
            vec!["create_target_group", "create_load_balancer"],
            vec![
                "configure_target_group",
                "configure_health_check",
                "register_targets",
                "create_listener",
                "configure_load_balancer",
                "secure_load_balancer",
            ],
            vec!["configure_listener"],
        ],
    );
}

#[test]
fn removing_goes_back_listener_balancer_target_group() {
    assert_eq!(
        kinds(&removing(), there(&[(80, 8080), (443, 9000)], &[1])),
        [
            vec!["delete_listener", "delete_listener"],
            vec!["delete_load_balancer"],
            vec!["delete_target_group", "delete_target_group"],
        ],
    );
}

#[test]
fn what_is_as_wanted_needs_nothing_and_says_nothing() {
    let same = planned(&wanting(&[(443, 8080)], &[1, 2]), there(&[(443, 8080)], &[1, 2]));
    assert_eq!(same, Plan::default());
    assert!(same.is_converged());
    assert!(planned(&removing(), ObservedBalancing::default()).is_converged());
}

#[test]
fn endpoints_of_one_target_port_share_one_target_group() {
    let created: Vec<Step> =
        planned(&wanting(&[(80, 8080), (443, 8080)], &[]), ObservedBalancing::default()).steps;
    assert_eq!(created.iter().filter(|step| step.kind() == "create_target_group").count(), 1);
}

#[test]
fn another_target_port_moves_the_listener_before_the_old_group_goes() {
    assert_eq!(
        kinds(&wanting(&[(443, 9000)], &[1]), there(&[(443, 8080)], &[1])),
        [
            vec!["create_target_group"],
            vec!["configure_target_group", "configure_health_check", "register_targets", "point_listener"],
            vec!["delete_target_group"],
        ],
    );
}

#[test]
fn two_ports_that_change_places_lose_no_listener_and_no_group() {
    let swapped =
        planned(&wanting(&[(80, 9000), (443, 8080)], &[1]), there(&[(80, 8080), (443, 9000)], &[1]));
    let point = |port, to| Step::PointListener { balancer: name(), port, target_group: group(to) };
    assert_eq!(swapped.steps, [point(80, 9000), point(443, 8080)]);
}

#[test]
fn a_listener_nobody_wants_goes_and_so_does_the_host_nobody_wants() {
    let planned = planned(&wanting(&[(443, 8080)], &[2]), there(&[(80, 8080), (443, 8080)], &[1, 2]));
    assert_eq!(
        planned.steps,
        [
            Step::DeregisterTargets { target_group: group(8080), hosts: vec![host(1)] },
            Step::DeleteListener { balancer: name(), port: 80 },
        ],
    );
}

#[test]
fn targets_come_and_go_at_most_two_hundred_a_call() {
    let all: Vec<u32> = (0..401).collect();
    let sizes = |plan: Plan| -> Vec<(&'static str, usize)> {
        let size = |step: &Step| match step {
            Step::RegisterTargets { hosts, .. } | Step::DeregisterTargets { hosts, .. } => hosts.len(),
            other => panic!("{other:?}"),
        };
        plan.steps.iter().map(|step| (step.kind(), size(step))).collect()
    };
    assert_eq!(
        sizes(planned(&wanting(&[(443, 8080)], &all), there(&[(443, 8080)], &[]))),
        [("register_targets", 200), ("register_targets", 200), ("register_targets", 1)],
    );
    assert_eq!(
        sizes(planned(&wanting(&[(443, 8080)], &[]), there(&[(443, 8080)], &all))),
        [("deregister_targets", 200), ("deregister_targets", 200), ("deregister_targets", 1)],
    );
}

#[test]
fn a_balancer_or_group_of_that_name_that_is_not_the_owners_stops_all_and_is_named() {
    for foreign in [None, Some(owner(1))] {
        let mut balancing = there(&[(443, 8080)], &[1]);
        balancing.load_balancers.get_mut(&name()).unwrap().owner = foreign.clone();
        let conflict = Finding::NameConflict { name: name() };
        assert_eq!(
            planned(&wanting(&[(80, 9000)], &[2]), balancing),
            Plan { steps: vec![], findings: vec![conflict] },
        );

        let mut balancing = there(&[(443, 8080)], &[1]);
        balancing.target_groups.get_mut(&group(8080)).unwrap().owner = foreign;
        let conflict = Finding::NameConflict { name: group(8080) };
        assert_eq!(
            planned(&wanting(&[(443, 8080)], &[2]), balancing),
            Plan { steps: vec![], findings: vec![conflict] },
        );
    }
}

#[test]
fn another_owners_balancer_and_group_survive_the_removal_of_ours() {
    let mut balancing = there(&[(443, 8080)], &[1]);
    balancing.load_balancers.get_mut(&name()).unwrap().owner = Some(owner(1));
    balancing.target_groups.get_mut(&group(8080)).unwrap().owner = Some(owner(1));
    assert_eq!(planned(&removing(), balancing), Plan::default());
}

#[test]
fn a_balancer_under_the_old_security_group_stays_when_the_new_is_made_and_goes_with_a_removal() {
    let old = balancer_name(&owner(0), true);
    let mut balancing = there(&[(443, 8080)], &[1]);
    let balancer = balancing.load_balancers.remove(&name()).unwrap();
    balancing.load_balancers.insert(old.clone(), balancer);
    let wave = planned(&wanting(&[(443, 9000)], &[1]), balancing.clone());
    let made: Vec<&str> = wave.steps.iter().map(Step::kind).collect();
    assert_eq!(made, ["create_target_group", "create_load_balancer"]);
    assert_eq!(kinds(&removing(), balancing)[0][0], "delete_listener");
}

#[test]
fn a_removal_by_name_takes_that_balancer_and_what_belongs_to_it_and_nothing_else() {
    let old = balancer_name(&owner(0), true);
    let old_group = target_group_name(&old, EndpointProtocol::Tcp, 8080);
    let mut balancing = there(&[(443, 8080)], &[1]);
    let mut balancer = balancing.load_balancers[&name()].clone();
    balancer.listeners.get_mut(&443).unwrap().target_group = Some(old_group.clone());
    balancing.load_balancers.insert(old.clone(), balancer);
    let of_old =
        ObservedTargetGroup { balancer: Some(old.clone()), ..balancing.target_groups[&group(8080)].clone() };
    let lost = ObservedTargetGroup { balancer: None, ..of_old.clone() };
    balancing.target_groups.insert(old_group.clone(), of_old);
    balancing.target_groups.insert("without-a-balancer".to_owned(), lost);
    let mut observed = known(BTreeMap::new(), balancing);
    let mut steps = Vec::new();
    for _ in 0..5 {
        let wave = plan(&removing_only(Some(old.clone())), &observed, &Limits::default(), at(NOW));
        observed = wave.steps.iter().fold(observed, effect);
        steps.extend(wave.steps);
    }
    assert_eq!(
        steps,
        [
            Step::DeleteListener { balancer: old.clone(), port: 443 },
            Step::DeleteBalancer { name: old },
            Step::DeleteTargetGroup { name: old_group },
        ],
    );
}

#[test]
fn tcp_and_tls_on_one_target_port_have_a_group_each() {
    let mut desired = wanting(&[(80, 8080), (443, 8080)], &[]);
    desired.load_balancers[0].endpoints[1].protocol = EndpointProtocol::Tls;
    let created = planned(&desired, ObservedBalancing::default()).steps;
    assert_eq!(created.iter().filter(|step| step.kind() == "create_target_group").count(), 2);
}

#[test]
fn exactly_the_setting_that_differs_is_set() {
    let there = || there(&[(443, 8080)], &[1]);
    let changed = |change: &dyn Fn(&mut DesiredLoadBalancer)| {
        let mut desired = wanting(&[(443, 8080)], &[1]);
        change(&mut desired.load_balancers[0]);
        planned(&desired, there()).steps.iter().map(Step::kind).collect::<Vec<_>>()
    };
    assert_eq!(changed(&|_| ()), [""; 0]);
    assert_eq!(changed(&|it| it.settings.balancer.cross_zone = false), ["configure_load_balancer"]);
    assert_eq!(changed(&|it| it.settings.balancer.deny_all_igw_traffic = true), ["configure_load_balancer"]);
    assert_eq!(
        changed(&|it| it.settings.security.enforced_on_private_link = false),
        ["secure_load_balancer"]
    );
    assert_eq!(changed(&|it| it.settings.listener.idle_timeout_seconds = 60), ["configure_listener"]);
    assert_eq!(
        changed(&|it| it.settings.target_group.deregistration_delay_seconds = 0),
        ["configure_target_group"]
    );
    assert_eq!(changed(&|it| it.settings.health_check.interval_seconds = 5), ["configure_health_check"]);
}

#[test]
fn an_orphaned_target_group_goes_with_a_removal() {
    let mut balancing = there(&[(443, 8080)], &[1]);
    balancing.load_balancers.clear();
    assert_eq!(planned(&removing(), balancing).steps, [Step::DeleteTargetGroup { name: group(8080) }],);
}

#[test]
fn a_balancer_that_is_being_made_or_failed_is_waited_for() {
    for (state, on) in [
        (BalancerState::Provisioning, format!("{} to be active", name())),
        (BalancerState::Failed, format!("{}, which AWS reports as failed", name())),
    ] {
        let mut balancing = there(&[(443, 8080)], &[1]);
        balancing.load_balancers.get_mut(&name()).unwrap().state = state;
        let waits = planned(&wanting(&[(443, 8080)], &[1]), balancing);
        assert_eq!(waits, Plan { steps: vec![], findings: vec![Finding::Waiting { on }] });
        assert!(!waits.is_converged());
    }
}

/// The owner's group, its `balancer` tag lost, still serves a listener of a balancer that is not the owner's.
#[test]
fn a_removal_leaves_a_group_that_somebody_elses_listener_forwards_to() {
    let mut balancing = there(&[(443, 8080)], &[1]);
    balancing.load_balancers.get_mut(&name()).unwrap().owner = Some(owner(1));
    balancing.target_groups.get_mut(&group(8080)).unwrap().balancer = None;
    assert_eq!(planned(&removing(), balancing).steps, []);
}

#[test]
fn a_step_on_something_that_is_not_there_has_no_effect() {
    let nothing = known(BTreeMap::new(), ObservedBalancing::default());
    let settings = default_settings();
    let a = || "a".to_owned();
    for step in [
        Step::ConfigureTargetGroup { name: a(), settings: settings.target_group },
        Step::ConfigureHealthCheck { target_group: a(), check: settings.health_check.clone() },
        Step::ConfigureBalancer { name: a(), settings: settings.balancer },
        Step::SecureBalancer { name: a(), security: settings.security.clone() },
        Step::ConfigureListener { balancer: a(), port: 1, settings: settings.listener },
        Step::ConfigureEndpointService {
            service: a(),
            acceptance_required: true,
            add_ip_address_types: Vec::new(),
        },
        Step::ChangePrincipals { service: a(), add: Vec::new(), remove: vec![a()] },
        Step::RejectConnections { service: a(), endpoints: vec![a()] },
        Step::DeleteEndpointService { service: a() },
        Step::PointListener { balancer: "a".to_owned(), port: 1, target_group: "b".to_owned() },
        Step::RegisterTargets { target_group: "a".to_owned(), hosts: vec![host(1)] },
        Step::DeregisterTargets { target_group: "a".to_owned(), hosts: vec![host(1)] },
        Step::DeleteListener { balancer: "a".to_owned(), port: 1 },
        Step::DeleteBalancer { name: "a".to_owned() },
        Step::DeleteTargetGroup { name: "a".to_owned() },
        Step::Terminate { hosts: vec![host(1)] },
    ] {
        assert_eq!(effect(nothing.clone(), &step), nothing, "{step:?}");
    }
}

#[test]
fn nothing_wanted_is_nothing_done_even_when_nothing_could_be_read() {
    let blind = Observed {
        hosts: Reading::Unknown("x".to_owned()),
        balancing: Reading::Unknown("y".to_owned()),
        root_volume_tasks: Reading::Unknown("z".to_owned()),
    };
    assert!(plan(&Desired::default(), &blind, &Limits::default(), at(NOW)).is_converged());
}
