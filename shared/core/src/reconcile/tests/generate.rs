//! Generated accounts: owners, balancers under names of ours that are or are not ours, hosts in every state.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::HostId;
use enclave_protocol::request::{Endpoint, EndpointProtocol, Scheme};
use jiff::Timestamp;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use uuid::Uuid;

use crate::creation::Pool;
use crate::reconcile::{
    BalancerNames, BalancerState, Desired, DesiredLaunch, DesiredLoadBalancer, InstanceState, Observed,
    ObservedBalancing, ObservedHost, ObservedListener, ObservedLoadBalancer, ObservedTargetGroup, Reading,
    target_group_name,
};
use crate::tags::Owner;

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const TARGET_PORTS: [u16; 3] = [8080, 8081, 9000];
const PORTS: [u16; 4] = [80, 443, 444, 9443];
const HOSTS: u32 = 9;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn host(number: u32) -> HostId {
    format!("i-{number:017x}").parse().unwrap()
}

pub(super) fn owner(number: usize) -> Owner {
    let owners =
        [("acme.shop.default", "content"), ("acme.shop.default", "feed"), ("acme.mail.blue", "content")];
    let (application, cluster) = owners[number];
    Owner { application: application.parse().unwrap(), cluster: cluster.parse().unwrap() }
}

pub(super) fn pool(instance_type: &str, zone: &str) -> Pool {
    Pool { instance_type: instance_type.parse().unwrap(), availability_zone: zone.parse().unwrap() }
}

pub(super) fn endpoint(port: u16, target_port: u16) -> Endpoint {
    Endpoint { port, protocol: EndpointProtocol::Tcp, target_port }
}

/// The balancer's name of an owner now, or as it was under the security group before.
pub(super) fn balancer_name(owner: &Owner, old: bool) -> String {
    let group = if old { "sg-old" } else { "sg-now" };
    BalancerNames::new("e-1").load_balancer(owner, Scheme::Public, group)
}

pub(super) fn group_name(balancer: &str, target_port: u16) -> String {
    target_group_name(balancer, EndpointProtocol::Tcp, target_port)
}

/// A host of a request, as a launch of ours makes it.
pub(super) fn observed_host(state: InstanceState, request_id: Uuid, owner: &Owner) -> ObservedHost {
    ObservedHost {
        state,
        owner: owner.clone(),
        request_id,
        client_token: "token".to_owned(),
        instance_type: "m7g.large".parse().unwrap(),
        availability_zone: "us-east-1a".parse().unwrap(),
        image: "ami-0123456789abcdef0".parse().unwrap(),
        launched_at: at(NOW - 60),
        subnet_id: "subnet-a".to_owned(),
        security_group_ids: BTreeSet::from(["sg-hosts".to_owned()]),
        instance_profile_arn: Some("arn:profile".to_owned()),
        public_ipv4: None,
        primary_ipv6: Some("2001:db8::1".parse().unwrap()),
        interfaces: 1,
        imds_token_required: true,
        launch_template: Some(("lt-a".to_owned(), 7)),
        key_pair: None,
        volume_ids: vec!["vol-1".to_owned()],
    }
}

pub(super) fn known(hosts: BTreeMap<HostId, ObservedHost>, balancing: ObservedBalancing) -> Observed {
    Observed { hosts: Reading::Known(hosts), balancing: Reading::Known(balancing) }
}

pub(super) fn states() -> impl Strategy<Value = InstanceState> {
    select(vec![
        InstanceState::Pending,
        InstanceState::Running,
        InstanceState::Stopping,
        InstanceState::Stopped,
        InstanceState::ShuttingDown,
        InstanceState::Terminated,
    ])
}

fn some_hosts() -> impl Strategy<Value = BTreeSet<HostId>> {
    btree_set((0..HOSTS).prop_map(host), 0..=HOSTS as usize)
}

pub(super) fn desired_balancer(number: usize) -> impl Strategy<Value = DesiredLoadBalancer> {
    let endpoints = btree_map(select(PORTS.to_vec()), select(TARGET_PORTS.to_vec()), 1..=PORTS.len());
    (endpoints, some_hosts()).prop_map(move |(endpoints, targets)| DesiredLoadBalancer {
        name: balancer_name(&owner(number), false),
        owner: owner(number),
        scheme: Scheme::Public,
        endpoints: endpoints.into_iter().map(|(port, target_port)| endpoint(port, target_port)).collect(),
        targets,
    })
}

/// Whose a thing under a name of ours is: nearly always the owner's, else another's, or nobody's we know.
fn owner_of(number: usize) -> impl Strategy<Value = Option<Owner>> {
    prop_oneof![
        12 => Just(Some(owner(number))),
        1 => Just(Some(owner((number + 1) % 3))),
        1 => Just(None),
    ]
}

fn observed_balancer(number: usize, name: String) -> impl Strategy<Value = ObservedLoadBalancer> {
    let target_groups: Vec<Option<String>> =
        TARGET_PORTS.iter().map(|port| Some(group_name(&name, *port))).chain([None]).collect();
    let listener = (select(target_groups), any::<bool>()).prop_map(|(target_group, configured)| {
        ObservedListener { arn: "arn:listener".to_owned(), target_group, configured }
    });
    let state = select(vec![BalancerState::Provisioning, BalancerState::Active, BalancerState::Failed]);
    let listeners = btree_map(select(PORTS.to_vec()), listener, 0..=PORTS.len());
    (owner_of(number), state, listeners, any::<bool>()).prop_map(
        move |(owner, state, listeners, configured)| ObservedLoadBalancer {
            arn: format!("arn:{name}"),
            dns_name: String::new(),
            state,
            scheme: Some(Scheme::Public),
            owner,
            listeners,
            configured,
        },
    )
}

fn observed_group(number: usize, balancer: String, port: u16) -> impl Strategy<Value = ObservedTargetGroup> {
    (owner_of(number), some_hosts(), any::<bool>()).prop_map(move |(owner, targets, configured)| {
        ObservedTargetGroup {
            arn: "arn:group".to_owned(),
            owner,
            balancer: Some(balancer.clone()),
            port,
            targets,
            configured,
        }
    })
}

/// Everything of three owners, now and under the old security group, each thing there or not: a group without its
/// balancer, a balancer without its groups, listeners nobody asked for.
pub(super) fn balancing() -> impl Strategy<Value = ObservedBalancing> {
    let of_name = |number: usize, old: bool| {
        let name = balancer_name(&owner(number), old);
        let groups: Vec<_> = TARGET_PORTS
            .iter()
            .map(|port| {
                let group = proptest::option::of(observed_group(number, name.clone(), *port));
                (Just(group_name(&name, *port)), group)
            })
            .collect();
        let balancer = proptest::option::of(observed_balancer(number, name.clone()));
        (Just(name), balancer, groups)
    };
    let all: Vec<_> = (0..3).flat_map(|number| [of_name(number, false), of_name(number, true)]).collect();
    all.prop_map(|names| {
        let mut balancing = ObservedBalancing::default();
        for (name, balancer, groups) in names {
            balancing.load_balancers.extend(balancer.map(|balancer| (name, balancer)));
            balancing
                .target_groups
                .extend(groups.into_iter().filter_map(|(name, group)| Some((name, group?))));
        }
        balancing
    })
}

pub(super) fn hosts() -> impl Strategy<Value = BTreeMap<HostId, ObservedHost>> {
    let one = (states(), 1..=3_u128, 0..3_usize)
        .prop_map(|(state, request, number)| observed_host(state, Uuid::from_u128(request), &owner(number)));
    btree_map((0..HOSTS).prop_map(host), one, 0..=HOSTS as usize)
}

/// One or two tiers of one to three zones.
fn pools() -> impl Strategy<Value = Vec<Vec<Pool>>> {
    let zones = subsequence(vec!["us-east-1a", "us-east-1b", "us-east-1c"], 1..=3);
    (zones, 1..=2_usize).prop_map(|(zones, tiers)| {
        let tier = |kind: &&str| zones.iter().map(|zone| pool(kind, zone)).collect();
        ["m7g.large", "m6g.large"].iter().take(tiers).map(tier).collect()
    })
}

pub(super) fn launch(request: u128) -> impl Strategy<Value = DesiredLaunch> {
    (1..=1000_u32, some_hosts(), pools()).prop_flat_map(move |(count, launched, pools)| {
        let all: Vec<Pool> = pools.iter().flatten().cloned().collect();
        let exhausted = vec(proptest::option::of(-200..200_i64), all.len());
        let attempts = vec(proptest::option::of(0..9_u32), all.len());
        (exhausted, attempts).prop_map(move |(exhausted, attempts)| DesiredLaunch {
            request_id: Uuid::from_u128(request),
            owner: owner(0),
            count,
            launched: launched.clone(),
            pools: pools.clone(),
            exhausted: all
                .iter()
                .zip(exhausted)
                .filter_map(|(pool, seconds)| Some((pool.clone(), at(NOW + seconds?))))
                .collect(),
            attempts: all
                .iter()
                .zip(attempts)
                .filter_map(|(pool, attempt)| Some((pool.clone(), attempt?)))
                .collect(),
            image: "ami-0123456789abcdef0".parse().unwrap(),
        })
    })
}

/// What may be wanted at once: launches, terminations, balancers of some owners, none for others.
pub(super) fn desired() -> impl Strategy<Value = Desired> {
    let balancers = (0..3).map(|number| {
        prop_oneof![
            3 => desired_balancer(number).prop_map(Some),
            2 => Just(None),
        ]
    });
    let balancers: Vec<_> = balancers.collect();
    let launches = prop_oneof![Just(Vec::new()).boxed(), vec(launch(1), 1).boxed()];
    (launches, some_hosts(), balancers, vec(any::<bool>(), 3)).prop_map(
        |(launches, terminated, balancers, removed)| {
            let without = |number: &usize| balancers[*number].is_none() && removed[*number];
            Desired {
                launches,
                terminated,
                without_load_balancer: (0..3).filter(without).map(owner).collect(),
                load_balancers: balancers.into_iter().flatten().collect(),
            }
        },
    )
}
