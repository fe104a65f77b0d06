//! Generated accounts: owners, hosts in every state, and what may be wanted of them.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::HostId;
use jiff::Timestamp;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use uuid::Uuid;

use super::generate_balancing::{balancer_name, desired_balancer};
use crate::creation::Pool;
use crate::reconcile::{
    Desired, DesiredLaunch, InstanceState, Observed, ObservedBalancing, ObservedHost, Reading,
    UnwantedLoadBalancers,
};
use crate::tags::Owner;

pub(super) const NOW: i64 = 1_800_000_000;
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
        root_volume_id: Some("vol-1".to_owned()),
        spot_request: None,
        state_reason: None,
    }
}

pub(super) fn known(hosts: BTreeMap<HostId, ObservedHost>, balancing: ObservedBalancing) -> Observed {
    Observed {
        hosts: Reading::Known(hosts),
        balancing: Reading::Known(balancing),
        root_volume_tasks: Reading::Known(BTreeMap::new()),
    }
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

pub(super) fn some_hosts() -> impl Strategy<Value = BTreeSet<HostId>> {
    btree_set((0..HOSTS).prop_map(host), 0..=HOSTS as usize)
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
    let removed = (any::<bool>(), proptest::option::of(any::<bool>()));
    let launches = prop_oneof![Just(Vec::new()).boxed(), vec(launch(1), 1).boxed()];
    (launches, some_hosts(), balancers, vec(removed, 3)).prop_map(
        |(launches, terminated, balancers, removed)| {
            let without = |number: usize| {
                let (is_removed, old) = removed[number];
                let name = old.map(|old| balancer_name(&owner(number), old));
                (balancers[number].is_none() && is_removed)
                    .then(|| UnwantedLoadBalancers { owner: owner(number), name })
            };
            Desired {
                launches,
                terminated,
                rebuilds: Vec::new(),
                without_load_balancer: (0..3).filter_map(without).collect(),
                load_balancers: balancers.into_iter().flatten().collect(),
            }
        },
    )
}
