//! Generated balancers, target groups and endpoint services under names of ours that are or are not ours.

use std::collections::BTreeMap;

use enclave_protocol::names::PrincipalArn;
use enclave_protocol::request::{
    ConfigureLoadBalancer, Endpoint, EndpointProtocol, HealthCheck, HealthCheckProtocol, Scheme,
};
use proptest::collection::{btree_map, btree_set};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::generate::{owner, some_hosts};
use crate::reconcile::{
    BalancerNames, BalancerState, DesiredLoadBalancer, DesiredPrivateLink, DesiredSettings,
    EndpointConnection, EndpointServiceState, ObservedBalancing, ObservedEndpointService, ObservedListener,
    ObservedLoadBalancer, ObservedTargetGroup, target_group_name,
};
use crate::tags::Owner;

const TARGET_PORTS: [u16; 3] = [8080, 8081, 9000];
const PORTS: [u16; 4] = [80, 443, 444, 9443];
const ACCOUNTS: [&str; 3] = ["111111111111", "222222222222", "333333333333"];

/// The account of the enclave.
pub(super) const OWN_ACCOUNT: &str = "999999999999";

pub(super) fn endpoint(port: u16, target_port: u16) -> Endpoint {
    Endpoint { port, protocol: EndpointProtocol::Tcp, target_port }
}

pub(super) fn principal(account: &str) -> PrincipalArn {
    format!("arn:aws:iam::{account}:root").parse().unwrap()
}

/// The balancer's name of an owner now, or as it was under the security group before.
pub(super) fn balancer_name(owner: &Owner, old: bool) -> String {
    let group = if old { "sg-old" } else { "sg-now" };
    BalancerNames::new("e-1").load_balancer(owner, Scheme::Public, group)
}

/// What an order that says nothing of settings makes of them.
pub(super) fn default_settings() -> DesiredSettings {
    settings_of(None, None, None, None)
}

fn settings_of(
    health_check: Option<HealthCheck>,
    deregistration_delay_seconds: Option<u32>,
    idle_timeout_seconds: Option<u32>,
    cross_zone: Option<bool>,
) -> DesiredSettings {
    let Owner { application, cluster } = owner(0);
    let order = ConfigureLoadBalancer {
        health_check,
        deregistration_delay_seconds,
        idle_timeout_seconds,
        cross_zone,
        ..ConfigureLoadBalancer::new(application, cluster, Scheme::Public, Vec::new(), Vec::new())
    };
    DesiredSettings::of(&order, "sg-now")
}

fn settings() -> impl Strategy<Value = DesiredSettings> {
    let checks = vec![HealthCheckProtocol::Tcp, HealthCheckProtocol::Http];
    let check = select(checks).prop_map(|protocol| HealthCheck { protocol, ..HealthCheck::default() });
    let (delay, idle) = (of(select(vec![0, 60])), of(select(vec![60, 6000])));
    (of(check), delay, idle, of(any::<bool>()))
        .prop_map(|(check, delay, idle, cross_zone)| settings_of(check, delay, idle, cross_zone))
}

fn private_link() -> impl Strategy<Value = DesiredPrivateLink> {
    (btree_set(select(ACCOUNTS.to_vec()), 1..=3), any::<bool>()).prop_map(
        |(accounts, acceptance_required)| DesiredPrivateLink {
            allowed_principals: accounts.into_iter().map(principal).collect(),
            acceptance_required,
            own_account: OWN_ACCOUNT.to_owned(),
        },
    )
}

pub(super) fn desired_balancer(number: usize) -> impl Strategy<Value = DesiredLoadBalancer> {
    let leads = (select(EndpointProtocol::ALL.to_vec()), select(TARGET_PORTS.to_vec()));
    let endpoints = btree_map(select(PORTS.to_vec()), leads, 1..=PORTS.len());
    (endpoints, some_hosts(), settings(), of(private_link())).prop_map(
        move |(endpoints, targets, settings, private_link)| DesiredLoadBalancer {
            name: balancer_name(&owner(number), false),
            owner: owner(number),
            scheme: Scheme::Public,
            endpoints: endpoints
                .into_iter()
                .map(|(port, (protocol, target_port))| Endpoint { port, protocol, target_port })
                .collect(),
            targets,
            settings,
            private_link,
        },
    )
}

/// Whose a thing under a name of ours is: nearly always the owner's, else another's, or nobody's we know.
fn owner_of(number: usize) -> impl Strategy<Value = Option<Owner>> {
    prop_oneof![
        12 => Just(Some(owner(number))),
        1 => Just(Some(owner((number + 1) % 3))),
        1 => Just(None),
    ]
}

/// Every target group that a balancer can have, with its port.
fn groups_of(balancer: &str) -> Vec<(String, u16)> {
    let of_port = |port: &u16| {
        let port = *port;
        EndpointProtocol::ALL.map(|protocol| (target_group_name(balancer, protocol, port), port))
    };
    TARGET_PORTS.iter().flat_map(of_port).collect()
}

fn observed_balancer(number: usize, name: String) -> impl Strategy<Value = ObservedLoadBalancer> {
    let target_groups: Vec<Option<String>> =
        groups_of(&name).into_iter().map(|(group, _)| Some(group)).chain([None]).collect();
    let listener = (select(target_groups), of(settings())).prop_map(|(target_group, settings)| {
        let settings = settings.map(|settings| settings.listener);
        ObservedListener { arn: "arn:listener".to_owned(), target_group, settings }
    });
    let state = select(vec![BalancerState::Provisioning, BalancerState::Active, BalancerState::Failed]);
    let listeners = btree_map(select(PORTS.to_vec()), listener, 0..=PORTS.len());
    (owner_of(number), state, listeners, of(settings()), any::<bool>()).prop_map(
        move |(owner, state, listeners, settings, is_secure)| ObservedLoadBalancer {
            arn: format!("arn:{name}"),
            dns_name: String::new(),
            state,
            scheme: Some(Scheme::Public),
            owner,
            listeners,
            security: settings.as_ref().map(|settings| settings.security.clone()).filter(|_| is_secure),
            settings: settings.map(|settings| settings.balancer),
        },
    )
}

fn observed_group(number: usize, balancer: String, port: u16) -> impl Strategy<Value = ObservedTargetGroup> {
    (owner_of(number), some_hosts(), of(settings())).prop_map(move |(owner, targets, settings)| {
        ObservedTargetGroup {
            arn: "arn:group".to_owned(),
            owner,
            balancer: Some(balancer.clone()),
            port,
            targets,
            settings: settings.as_ref().map(|settings| settings.target_group),
            health_check: settings.map(|settings| settings.health_check),
        }
    })
}

fn observed_service(number: usize, balancer: String) -> impl Strategy<Value = ObservedEndpointService> {
    use EndpointServiceState::{Available, Deleting, Failed, Pending};
    let states =
        prop_oneof![6 => Just(Available), 1 => Just(Pending), 1 => Just(Deleting), 1 => Just(Failed)];
    let accounts: Vec<&str> = ACCOUNTS.into_iter().chain([OWN_ACCOUNT]).collect();
    let connection = (select(accounts), any::<bool>())
        .prop_map(|(account, is_open)| EndpointConnection { account: account.to_owned(), is_open });
    let connections = btree_map("vpce-[0-9]", connection, 0..=3);
    let principals = btree_set(select(ACCOUNTS.to_vec()), 0..=3);
    let types = btree_set(select(vec!["ipv4", "ipv6"]), 1..=2);
    (owner_of(number), states, any::<bool>(), types, principals, connections).prop_map(
        move |(owner, state, acceptance_required, types, principals, connections)| ObservedEndpointService {
            service_name: String::new(),
            state,
            owner,
            balancer: Some(balancer.clone()),
            acceptance_required,
            ip_address_types: types.into_iter().map(str::to_owned).collect(),
            allowed_principals: principals.into_iter().map(|it| principal(it).to_string()).collect(),
            connections,
        },
    )
}

/// Everything of three owners, now and under the old security group, each thing there or not: a group without its
/// balancer, a balancer without its groups, listeners nobody asked for, one service too many.
pub(super) fn balancing() -> impl Strategy<Value = ObservedBalancing> {
    let of_name = |number: usize, old: bool| {
        let name = balancer_name(&owner(number), old);
        let groups: Vec<_> = groups_of(&name)
            .into_iter()
            .map(|(group, port)| (Just(group), of(observed_group(number, name.clone(), port))))
            .collect();
        let balancer = of(observed_balancer(number, name.clone()));
        let services = btree_map("vpce-svc-[0-9]{9}", observed_service(number, name.clone()), 0..=2);
        (Just(name), balancer, groups, services)
    };
    let all: Vec<_> = (0..3).flat_map(|number| [of_name(number, false), of_name(number, true)]).collect();
    all.prop_map(|names| {
        let mut balancing = ObservedBalancing::default();
        for (name, balancer, groups, services) in names {
            balancing.load_balancers.extend(balancer.map(|balancer| (name, balancer)));
            let groups: BTreeMap<_, _> =
                groups.into_iter().filter_map(|(name, group)| Some((name, group?))).collect();
            balancing.target_groups.extend(groups);
            balancing.endpoint_services.extend(services);
        }
        balancing
    })
}
