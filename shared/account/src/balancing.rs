//! Looking at load balancers and their target groups.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types::{
    EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnum as Enforce, Listener, LoadBalancer,
    LoadBalancerSchemeEnum, LoadBalancerStateEnum, TargetGroup, TargetHealthStateEnum,
};
use enclave_core::aws::AwsFailure;
use enclave_core::reconcile::{
    BalancerSecurity, BalancerSettings, BalancerState, ListenerSettings, ObservedBalancing, ObservedListener,
    ObservedLoadBalancer, ObservedTargetGroup, Reading, TargetGroupSettings,
};
use enclave_core::tags::{self, Owner};
use enclave_protocol::request::Scheme;

use crate::Account;
use crate::settings::{
    attributes, balancer_settings, health_check, listener_settings, target_group_settings,
};

/// Most resources of one `DescribeTags` call
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>).
const RESOURCES_PER_TAGS_CALL: usize = 20;

/// Largest page of `DescribeLoadBalancers` and `DescribeTargetGroups`
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html>).
const PER_PAGE: i32 = 400;

/// Whose load balancers are looked at closely; of others only what is listed is read.
#[derive(Debug, Clone, Copy)]
pub enum BalancingScope<'a> {
    /// All of the enclave's.
    Enclave,
    /// One owner's.
    Owner(&'a Owner),
    /// One owner's, without what a removal does not ask for: attributes, targets, and who may connect.
    RemovalOf(&'a Owner),
}

impl BalancingScope<'_> {
    pub(crate) fn contains(self, owner: Option<&Owner>) -> bool {
        match self {
            Self::Enclave => owner.is_some(),
            Self::Owner(wanted) | Self::RemovalOf(wanted) => owner == Some(wanted),
        }
    }

    /// Whether attributes, targets and permissions of what `owner` has are read.
    pub(crate) fn is_detailed(self, owner: Option<&Owner>) -> bool {
        !matches!(self, Self::RemovalOf(_)) && self.contains(owner)
    }
}

type Tags = BTreeMap<String, BTreeMap<String, String>>;

impl Account {
    /// Everything whose name may be this enclave's, with the details of what is in scope.
    pub async fn observe_balancing(&self, scope: BalancingScope<'_>) -> Reading<ObservedBalancing> {
        match self.read_balancing(scope).await {
            Ok(balancing) => Reading::Known(balancing),
            Err(failure) => Reading::Unknown(failure.to_string()),
        }
    }

    async fn read_balancing(&self, scope: BalancingScope<'_>) -> Result<ObservedBalancing, AwsFailure> {
        let balancers = self.list_load_balancers().await?;
        let groups = self.list_target_groups().await?;
        let arns = balancers.iter().filter_map(|balancer| balancer.load_balancer_arn());
        let tags =
            self.tags_of(arns.chain(groups.iter().filter_map(|group| group.target_group_arn()))).await?;
        let group_names: BTreeMap<&str, &str> = groups
            .iter()
            .filter_map(|group| Some((group.target_group_arn()?, group.target_group_name()?)))
            .collect();

        let mut observed = ObservedBalancing::default();
        for balancer in &balancers {
            let (Some(name), Some(arn)) = (balancer.load_balancer_name(), balancer.load_balancer_arn())
            else {
                return Err(AwsFailure::incomplete("DescribeLoadBalancers", "name or ARN"));
            };
            let owner = self.owner(&tags, arn);
            let in_scope = scope.contains(owner.as_ref());
            let is_detailed = scope.is_detailed(owner.as_ref());
            let found = ObservedLoadBalancer {
                arn: arn.to_owned(),
                dns_name: balancer.dns_name().unwrap_or_default().to_owned(),
                state: balancer_state(balancer),
                scheme: scheme(balancer),
                owner,
                listeners: if in_scope {
                    self.listeners_of(arn, &group_names, is_detailed).await?
                } else {
                    BTreeMap::new()
                },
                settings: if is_detailed { self.balancer_settings(arn).await? } else { None },
                security: security(balancer),
            };
            observed.load_balancers.insert(name.to_owned(), found);
        }
        for group in &groups {
            let (Some(name), Some(arn)) = (group.target_group_name(), group.target_group_arn()) else {
                return Err(AwsFailure::incomplete("DescribeTargetGroups", "name or ARN"));
            };
            let owner = self.owner(&tags, arn);
            let is_detailed = scope.is_detailed(owner.as_ref());
            let found = ObservedTargetGroup {
                arn: arn.to_owned(),
                owner,
                balancer: tags.get(arn).and_then(|tags| tags.get(tags::LOAD_BALANCER)).cloned(),
                port: group.port().and_then(|port| port.try_into().ok()).unwrap_or_default(),
                targets: if is_detailed { self.targets_of(arn).await? } else { BTreeSet::new() },
                settings: if is_detailed { self.target_group_settings(arn).await? } else { None },
                health_check: health_check(group),
            };
            observed.target_groups.insert(name.to_owned(), found);
        }
        observed.endpoint_services = self.endpoint_services(scope).await?;
        Ok(observed)
    }

    async fn list_load_balancers(&self) -> Result<Vec<LoadBalancer>, AwsFailure> {
        let mut found = Vec::new();
        let mut pages = self.elb.describe_load_balancers().page_size(PER_PAGE).into_paginator().send();
        while let Some(page) = self.pacer.call("DescribeLoadBalancers", pages.try_next()).await? {
            let ours = |balancer: &LoadBalancer| {
                balancer.load_balancer_name().is_some_and(|name| self.names.contains(name))
            };
            found.extend(page.load_balancers.unwrap_or_default().into_iter().filter(ours));
        }
        Ok(found)
    }

    async fn list_target_groups(&self) -> Result<Vec<TargetGroup>, AwsFailure> {
        let mut found = Vec::new();
        let mut pages = self.elb.describe_target_groups().page_size(PER_PAGE).into_paginator().send();
        while let Some(page) = self.pacer.call("DescribeTargetGroups", pages.try_next()).await? {
            let ours =
                |group: &TargetGroup| group.target_group_name().is_some_and(|name| self.names.contains(name));
            found.extend(page.target_groups.unwrap_or_default().into_iter().filter(ours));
        }
        Ok(found)
    }

    async fn tags_of(&self, arns: impl Iterator<Item = &str>) -> Result<Tags, AwsFailure> {
        let arns: Vec<String> = arns.map(str::to_owned).collect();
        let mut tags = Tags::new();
        for chunk in arns.chunks(RESOURCES_PER_TAGS_CALL) {
            let output = self
                .pacer
                .call("DescribeTags", self.elb.describe_tags().set_resource_arns(Some(chunk.to_vec())).send())
                .await?;
            for resource in output.tag_descriptions() {
                let of_resource = resource
                    .tags()
                    .iter()
                    .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
                    .collect();
                tags.insert(resource.resource_arn().unwrap_or_default().to_owned(), of_resource);
            }
        }
        Ok(tags)
    }

    fn owner(&self, tags: &Tags, arn: &str) -> Option<Owner> {
        Owner::from_tags(&self.enclave_id, tags.get(arn)?)
    }

    async fn listeners_of(
        &self,
        balancer_arn: &str,
        group_names: &BTreeMap<&str, &str>,
        is_detailed: bool,
    ) -> Result<BTreeMap<u16, ObservedListener>, AwsFailure> {
        let mut found = BTreeMap::new();
        let mut pages = self.elb.describe_listeners().load_balancer_arn(balancer_arn).into_paginator().send();
        while let Some(page) = self.pacer.call("DescribeListeners", pages.try_next()).await? {
            for listener in page.listeners() {
                let port = listener.port().and_then(|port| u16::try_from(port).ok());
                let (Some(port), Some(arn)) = (port, listener.listener_arn()) else {
                    return Err(AwsFailure::incomplete("DescribeListeners", "port or ARN"));
                };
                let observed = ObservedListener {
                    arn: arn.to_owned(),
                    target_group: forwards_to(listener)
                        .and_then(|arn| group_names.get(arn))
                        .map(|name| (*name).to_owned()),
                    settings: if is_detailed { self.listener_settings(arn).await? } else { None },
                };
                found.insert(port, observed);
            }
        }
        Ok(found)
    }

    async fn targets_of(
        &self,
        group_arn: &str,
    ) -> Result<BTreeSet<enclave_protocol::names::HostId>, AwsFailure> {
        let output = self
            .pacer
            .call(
                "DescribeTargetHealth",
                self.elb.describe_target_health().target_group_arn(group_arn).send(),
            )
            .await?;
        Ok(output
            .target_health_descriptions()
            .iter()
            .filter(|target| {
                let state = target.target_health().and_then(|health| health.state());
                state != Some(&TargetHealthStateEnum::Draining)
            })
            .filter_map(|target| target.target()?.id()?.parse().ok())
            .collect())
    }

    async fn balancer_settings(&self, arn: &str) -> Result<Option<BalancerSettings>, AwsFailure> {
        let output = self
            .pacer
            .call(
                "DescribeLoadBalancerAttributes",
                self.elb.describe_load_balancer_attributes().load_balancer_arn(arn).send(),
            )
            .await?;
        Ok(balancer_settings(&attributes(output.attributes().iter().map(|a| (a.key(), a.value())))))
    }

    async fn listener_settings(&self, arn: &str) -> Result<Option<ListenerSettings>, AwsFailure> {
        let output = self
            .pacer
            .call(
                "DescribeListenerAttributes",
                self.elb.describe_listener_attributes().listener_arn(arn).send(),
            )
            .await?;
        Ok(listener_settings(&attributes(output.attributes().iter().map(|a| (a.key(), a.value())))))
    }

    async fn target_group_settings(&self, arn: &str) -> Result<Option<TargetGroupSettings>, AwsFailure> {
        let output = self
            .pacer
            .call(
                "DescribeTargetGroupAttributes",
                self.elb.describe_target_group_attributes().target_group_arn(arn).send(),
            )
            .await?;
        Ok(target_group_settings(&attributes(output.attributes().iter().map(|a| (a.key(), a.value())))))
    }
}

fn balancer_state(balancer: &LoadBalancer) -> BalancerState {
    match balancer.state().and_then(|state| state.code()) {
        Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired) => BalancerState::Active,
        Some(LoadBalancerStateEnum::Failed) => BalancerState::Failed,
        _ => BalancerState::Provisioning,
    }
}

fn scheme(balancer: &LoadBalancer) -> Option<Scheme> {
    match balancer.scheme() {
        Some(LoadBalancerSchemeEnum::InternetFacing) => Some(Scheme::Public),
        Some(LoadBalancerSchemeEnum::Internal) => Some(Scheme::Private),
        _ => None,
    }
}

/// What guards a balancer; none where AWS does not say whether it holds for `PrivateLink`.
fn security(balancer: &LoadBalancer) -> Option<BalancerSecurity> {
    let enforced = balancer.enforce_security_group_inbound_rules_on_private_link_traffic()?;
    Some(BalancerSecurity {
        security_group_ids: balancer.security_groups().iter().cloned().collect(),
        enforced_on_private_link: enforced == Enforce::On.as_str(),
    })
}

/// The one target group a listener of ours forwards to.
fn forwards_to(listener: &Listener) -> Option<&str> {
    match listener.default_actions() {
        [action] => action.target_group_arn(),
        _ => None,
    }
}
