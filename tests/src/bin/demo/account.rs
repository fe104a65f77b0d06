//! The account as anybody with access to it sees it: all of it, whatever made it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use anyhow::{Context, Result};
use aws_sdk_ec2::types::{
    HttpTokensState, Instance, InstanceNetworkInterface, InstanceStateName, Reservation, Volume,
};
use aws_sdk_elasticloadbalancingv2::Client as Elbv2;
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, TargetGroup};
use enclave_tests::aws::Clients;

/// What there is at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Instances that are not terminated, by id.
    pub(crate) hosts: BTreeMap<String, SeenHost>,
    /// Volumes by id.
    pub(crate) volumes: BTreeMap<String, SeenVolume>,
    /// Load balancers by ARN.
    pub(crate) balancers: BTreeMap<String, SeenBalancer>,
    /// Target groups by ARN, each with its targets.
    pub(crate) target_groups: BTreeMap<String, BTreeSet<String>>,
}

/// One instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SeenHost {
    /// As EC2 names it.
    pub(crate) state: String,
    /// The address that stays with it.
    pub(crate) primary_ipv6: Option<Ipv6Addr>,
    /// An address reachable from the internet over IPv4.
    pub(crate) public_ipv4: Option<String>,
    /// Whether its metadata answers only to who has a session token.
    pub(crate) imdsv2_required: bool,
}

/// One volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SeenVolume {
    /// Whether it is encrypted.
    pub(crate) encrypted: bool,
    /// ARN of the key.
    pub(crate) key: Option<String>,
    /// The instances it hangs on.
    pub(crate) hosts: BTreeSet<String>,
}

/// One load balancer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SeenBalancer {
    /// As the API names it.
    pub(crate) state: String,
    /// As the API names it.
    pub(crate) scheme: String,
    /// Ports it listens on, each with the target group it forwards to.
    pub(crate) listeners: BTreeMap<i32, String>,
}

impl Snapshot {
    /// Looks at everything.
    pub(crate) async fn take(clients: &Clients) -> Result<Self> {
        let reservations = clients.ec2.describe_instances().into_paginator().items().send();
        let reservations = reservations.try_collect().await.context("DescribeInstances")?;
        let instances = reservations.iter().flat_map(Reservation::instances);
        let volumes = clients.ec2.describe_volumes().into_paginator().items().send();
        let volumes = volumes.try_collect().await.context("DescribeVolumes")?;
        Ok(Self {
            hosts: instances.filter_map(host).collect(),
            volumes: volumes.iter().filter_map(volume).collect(),
            balancers: balancers(&clients.elbv2).await?,
            target_groups: target_groups(&clients.elbv2).await?,
        })
    }
}

fn host(instance: &Instance) -> Option<(String, SeenHost)> {
    let state = instance.state()?.name()?;
    if *state == InstanceStateName::Terminated {
        return None;
    }
    let interfaces = instance.network_interfaces();
    let primary = interfaces
        .iter()
        .flat_map(InstanceNetworkInterface::ipv6_addresses)
        .find(|address| address.is_primary_ipv6() == Some(true));
    let associated = interfaces.iter().find_map(|interface| interface.association()?.public_ip());
    let tokens = instance.metadata_options().and_then(|options| options.http_tokens());
    let seen = SeenHost {
        state: state.as_str().to_owned(),
        primary_ipv6: primary.and_then(|address| address.ipv6_address()?.parse().ok()),
        public_ipv4: instance.public_ip_address().or(associated).map(str::to_owned),
        imdsv2_required: tokens == Some(&HttpTokensState::Required),
    };
    Some((instance.instance_id()?.to_owned(), seen))
}

fn volume(volume: &Volume) -> Option<(String, SeenVolume)> {
    let hosts = volume.attachments().iter().filter_map(|one| one.instance_id());
    let seen = SeenVolume {
        encrypted: volume.encrypted() == Some(true),
        key: volume.kms_key_id().map(str::to_owned),
        hosts: hosts.map(str::to_owned).collect(),
    };
    Some((volume.volume_id()?.to_owned(), seen))
}

async fn balancers(elbv2: &Elbv2) -> Result<BTreeMap<String, SeenBalancer>> {
    let all = elbv2.describe_load_balancers().into_paginator().items().send();
    let all: Vec<LoadBalancer> = all.try_collect().await.context("DescribeLoadBalancers")?;
    let mut seen = BTreeMap::new();
    for balancer in all {
        let arn = balancer.load_balancer_arn().context("a load balancer without an ARN")?;
        let state = balancer.state().and_then(|state| state.code()).map(|code| code.as_str().to_owned());
        let scheme = balancer.scheme().map(|scheme| scheme.as_str().to_owned());
        let found = SeenBalancer {
            state: state.unwrap_or_default(),
            scheme: scheme.unwrap_or_default(),
            listeners: listeners(elbv2, arn).await?,
        };
        seen.insert(arn.to_owned(), found);
    }
    Ok(seen)
}

async fn listeners(elbv2: &Elbv2, balancer: &str) -> Result<BTreeMap<i32, String>> {
    let all = elbv2.describe_listeners().load_balancer_arn(balancer).into_paginator().items().send();
    let all = all.try_collect().await.context("DescribeListeners")?;
    let forwards = all.iter().filter_map(|listener| {
        let group = listener.default_actions().iter().find_map(|action| action.target_group_arn())?;
        Some((listener.port()?, group.to_owned()))
    });
    Ok(forwards.collect())
}

async fn target_groups(elbv2: &Elbv2) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let all = elbv2.describe_target_groups().into_paginator().items().send();
    let all: Vec<TargetGroup> = all.try_collect().await.context("DescribeTargetGroups")?;
    let mut seen = BTreeMap::new();
    for group in all {
        let arn = group.target_group_arn().context("a target group without an ARN")?;
        let health = elbv2.describe_target_health().target_group_arn(arn).send().await;
        let health = health.context("DescribeTargetHealth")?;
        let targets = health.target_health_descriptions().iter().filter_map(|one| one.target()?.id());
        seen.insert(arn.to_owned(), targets.map(str::to_owned).collect());
    }
    Ok(seen)
}
