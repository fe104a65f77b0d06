//! Reading all of it: EC2, Elastic Load Balancing and the state bucket, at the endpoint itself, so that nothing is
//! recorded and no fault strikes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_elasticloadbalancingv2::types::TargetHealthStateEnum;
use serde_json::Value;

use super::{Group, Instance, Listener, Outside, Tagged};
use crate::aws::Clients;

/// `DescribeTags` takes at most so many ARNs
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>).
const TAGGED_AT_ONCE: usize = 20;

const LINE: &str = "state/v1/line.json";
const REQUESTS: &str = "state/v1/requests/";
const HOSTS: &str = "state/v1/hosts/";
const LOAD_BALANCERS: &str = "state/v1/load-balancers/";

impl Outside {
    /// Looks at everything in the account, and at the ledger in `state_bucket`.
    pub async fn look(clients: &Clients, state_bucket: &str) -> Result<Self> {
        Self::default().look_again(clients, state_bucket).await
    }

    /// Looks anew; of the ledger only what was written since is read.
    pub async fn look_again(self, clients: &Clients, state_bucket: &str) -> Result<Self> {
        let mut seen = Self { read: self.read, ..Self::default() };
        seen.look_at_hosts(&clients.ec2).await.context("cannot look at hosts")?;
        seen.look_at_balancing(&clients.elbv2).await.context("cannot look at load balancers")?;
        let services = clients.ec2.describe_vpc_endpoint_service_configurations().send().await?;
        let ids =
            services.service_configurations().iter().filter_map(|it| it.service_id().map(str::to_owned));
        seen.endpoint_services = ids.collect();
        seen.look_at_ledger(&clients.s3, state_bucket).await.context("cannot look at the ledger")?;
        Ok(seen)
    }

    async fn look_at_hosts(&mut self, ec2: &aws_sdk_ec2::Client) -> Result<()> {
        let mut pages = ec2.describe_instances().into_paginator().send();
        while let Some(page) = pages.next().await {
            for found in page?.reservations().iter().flat_map(|reservation| reservation.instances()) {
                let tags = found.tags().iter();
                let tags = tags.filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
                let state = found.state().and_then(|state| state.name()).map_or("", |name| name.as_str());
                let instance = Instance {
                    state: state.to_owned(),
                    client_token: found.client_token().unwrap_or_default().to_owned(),
                    tags: tags.collect(),
                };
                self.instances.insert(id(found.instance_id())?, instance);
            }
        }
        let mut pages = ec2.describe_volumes().into_paginator().send();
        while let Some(page) = pages.next().await {
            for volume in page?.volumes() {
                let attached = volume.attachments().first().and_then(|it| it.instance_id());
                self.volumes.insert(id(volume.volume_id())?, attached.map(str::to_owned));
            }
        }
        let mut pages = ec2.describe_network_interfaces().into_paginator().send();
        while let Some(page) = pages.next().await {
            for interface in page?.network_interfaces() {
                let attached = interface.attachment().and_then(|it| it.instance_id());
                self.interfaces.insert(id(interface.network_interface_id())?, attached.map(str::to_owned));
            }
        }
        Ok(())
    }

    async fn look_at_balancing(&mut self, elb: &aws_sdk_elasticloadbalancingv2::Client) -> Result<()> {
        let mut pages = elb.describe_load_balancers().into_paginator().send();
        while let Some(page) = pages.next().await {
            for balancer in page?.load_balancers() {
                let arn = id(balancer.load_balancer_arn())?;
                let listeners = elb.describe_listeners().load_balancer_arn(&arn).send().await?;
                for listener in listeners.listeners() {
                    let groups = listener.default_actions().iter();
                    let groups = groups.filter_map(|action| action.target_group_arn().map(str::to_owned));
                    let found = Listener {
                        balancer: arn.clone(),
                        port: listener.port().unwrap_or_default(),
                        groups: groups.collect(),
                    };
                    self.listeners.insert(id(listener.listener_arn())?, found);
                }
                let name = balancer.load_balancer_name().unwrap_or_default().to_owned();
                self.balancers.insert(arn, Tagged { name, tags: BTreeMap::new() });
            }
        }
        let mut pages = elb.describe_target_groups().into_paginator().send();
        while let Some(page) = pages.next().await {
            for group in page?.target_groups() {
                let arn = id(group.target_group_arn())?;
                let found = Group {
                    name: group.target_group_name().unwrap_or_default().to_owned(),
                    tags: BTreeMap::new(),
                    port: group.port().unwrap_or_default(),
                    targets: targets(elb, &arn).await?,
                };
                self.groups.insert(arn, found);
            }
        }
        let arns: Vec<String> = self.balancers.keys().chain(self.groups.keys()).cloned().collect();
        for some in arns.chunks(TAGGED_AT_ONCE) {
            let answer = elb.describe_tags().set_resource_arns(Some(some.to_vec())).send().await?;
            for description in answer.tag_descriptions() {
                let tags = description.tags().iter();
                let tags: BTreeMap<String, String> = tags
                    .filter_map(|tag| {
                        Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
                    })
                    .collect();
                let arn = description.resource_arn().unwrap_or_default();
                if let Some(balancer) = self.balancers.get_mut(arn) {
                    balancer.tags = tags;
                } else if let Some(group) = self.groups.get_mut(arn) {
                    group.tags = tags;
                }
            }
        }
        Ok(())
    }

    async fn look_at_ledger(&mut self, s3: &aws_sdk_s3::Client, bucket: &str) -> Result<()> {
        let mut pages = s3.list_objects_v2().bucket(bucket).prefix("state/v1/").into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page?.contents() {
                let (key, etag) = (id(object.key())?, id(object.e_tag())?);
                if self.read.get(&key).is_none_or(|(read, _)| *read != etag) {
                    let value = value(s3, bucket, &key).await?;
                    self.read.insert(key, (etag, value));
                }
            }
        }
        for (key, (_, value)) in &self.read {
            let named = |prefix: &str| Some(key.strip_prefix(prefix)?.strip_suffix(".json")?.to_owned());
            if key == LINE {
                self.line = value.clone();
            } else if let Some(name) = named(REQUESTS) {
                self.requests.insert(name, value.clone());
            } else if let Some(name) = named(HOSTS) {
                self.hosts.insert(name, value.clone());
            } else if let Some(name) = named(LOAD_BALANCERS) {
                self.load_balancers.insert(name, value.clone());
            }
        }
        Ok(())
    }
}

async fn targets(elb: &aws_sdk_elasticloadbalancingv2::Client, arn: &str) -> Result<BTreeSet<String>> {
    let health = elb.describe_target_health().target_group_arn(arn).send().await?;
    let draining = |state: Option<&TargetHealthStateEnum>| state == Some(&TargetHealthStateEnum::Draining);
    let staying = health.target_health_descriptions().iter();
    let staying = staying.filter(|it| !draining(it.target_health().and_then(|health| health.state())));
    Ok(staying.filter_map(|it| it.target()?.id().map(str::to_owned)).collect())
}

async fn value(s3: &aws_sdk_s3::Client, bucket: &str, key: &str) -> Result<Value> {
    let object = s3.get_object().bucket(bucket).key(key).send().await.with_context(|| key.to_owned())?;
    let mut object: Value = serde_json::from_slice(&object.body.collect().await?.to_vec())?;
    Ok(object["value"].take())
}

fn id(id: Option<&str>) -> Result<String> {
    Ok(id.context("a resource without an id")?.to_owned())
}
