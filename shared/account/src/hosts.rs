//! Looking at hosts.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Filter, HttpTokensState, Instance, InstanceStateName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enclave_core::aws::AwsFailure;
use enclave_core::reconcile::{HostEvidence, InstanceState, ObservedHost, Reading, VolumeEvidence};
use enclave_core::tags::{self, Owner};
use enclave_protocol::names::HostId;
use enclave_protocol::notice::MAX_NOTICE_TEXT;
use futures::stream::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::Account;
use crate::looks::bounded;

/// Largest page of `DescribeInstances`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>).
const INSTANCES_PER_PAGE: i32 = 1000;

/// Largest page of `DescribeVolumes`
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html>).
const VOLUMES_PER_PAGE: i32 = 500;

/// Most values of one filter (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html>).
pub(crate) const VALUES_PER_FILTER: usize = 200;

/// Hosts whose user data is read at a time.
const CONCURRENT_READS: usize = 8;

/// Tags that EC2 itself puts on an instance launched from a template
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-launch-templates.html>).
const TEMPLATE_ID_TAG: &str = "aws:ec2launchtemplate:id";
const TEMPLATE_VERSION_TAG: &str = "aws:ec2launchtemplate:version";

impl Account {
    /// All hosts with the enclave's tag, terminated ones included while AWS shows them: one call per 1000.
    pub async fn observe_hosts(&self) -> Reading<BTreeMap<HostId, ObservedHost>> {
        let mut pages = self
            .ec2
            .describe_instances()
            .filters(filter(&format!("tag:{}", tags::ENCLAVE_ID), [self.enclave_id.clone()]))
            .max_results(INSTANCES_PER_PAGE)
            .into_paginator()
            .send();
        let mut hosts = BTreeMap::new();
        loop {
            let page = match self.pacer.call("DescribeInstances", pages.try_next()).await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(failure) => return Reading::Unknown(failure.to_string()),
            };
            for instance in page.reservations().iter().flat_map(|reservation| reservation.instances()) {
                if let Some((id, host)) = observed_host(&self.enclave_id, instance) {
                    hosts.insert(id, host);
                } else {
                    tracing::warn!(
                        instance = instance.instance_id(),
                        "an instance with the enclave's tag lacks what its hosts have; it is left alone"
                    );
                }
            }
        }
        Reading::Known(hosts)
    }

    /// Which of these instances AWS knows no more, or knows as terminated, asked by their ids: an instance whose tags
    /// were changed is missed by [`Account::observe_hosts`], but is not gone.
    pub async fn confirmed_gone(&self, hosts: &[HostId]) -> Result<BTreeSet<HostId>, AwsFailure> {
        let mut gone: BTreeSet<HostId> = hosts.iter().cloned().collect();
        for chunk in hosts.chunks(VALUES_PER_FILTER) {
            let mut pages = self
                .ec2
                .describe_instances()
                .filters(filter("instance-id", chunk.iter().map(HostId::to_string)))
                .into_paginator()
                .send();
            while let Some(page) = self.pacer.call("DescribeInstances", pages.try_next()).await? {
                for instance in page.reservations().iter().flat_map(|it| it.instances()) {
                    let state = instance.state().and_then(|state| state.name());
                    let id = instance.instance_id().and_then(|id| id.parse::<HostId>().ok());
                    if let Some(id) = id
                        && state != Some(&InstanceStateName::Terminated)
                    {
                        gone.remove(&id);
                    }
                }
            }
        }
        Ok(gone)
    }

    /// What only a closer look shows of running hosts: volumes together, user data one by one.
    pub async fn host_evidence(
        &self,
        hosts: &[HostId],
    ) -> Result<BTreeMap<HostId, HostEvidence>, AwsFailure> {
        let mut volumes = self.volumes_of(hosts).await?;
        let user_data: Vec<(HostId, String)> = futures::stream::iter(hosts.iter().cloned())
            .map(|host| async move {
                let sha256 = self.user_data_sha256(&host).await?;
                Ok::<_, AwsFailure>((host, sha256))
            })
            .buffer_unordered(CONCURRENT_READS)
            .try_collect()
            .await?;
        Ok(user_data
            .into_iter()
            .map(|(host, user_data_sha256)| {
                let volumes = volumes.remove(&host).unwrap_or_default();
                (host, HostEvidence { volumes, user_data_sha256 })
            })
            .collect())
    }

    async fn volumes_of(
        &self,
        hosts: &[HostId],
    ) -> Result<BTreeMap<HostId, Vec<VolumeEvidence>>, AwsFailure> {
        let mut volumes: BTreeMap<HostId, Vec<VolumeEvidence>> = BTreeMap::new();
        for chunk in hosts.chunks(VALUES_PER_FILTER) {
            let mut pages = self
                .ec2
                .describe_volumes()
                .filters(filter("attachment.instance-id", chunk.iter().map(HostId::to_string)))
                .max_results(VOLUMES_PER_PAGE)
                .into_paginator()
                .send();
            while let Some(page) = self.pacer.call("DescribeVolumes", pages.try_next()).await? {
                for volume in page.volumes() {
                    for attachment in volume.attachments() {
                        let Some(host) = attachment.instance_id().and_then(|id| id.parse().ok()) else {
                            continue;
                        };
                        let evidence = VolumeEvidence {
                            volume_id: volume.volume_id().unwrap_or_default().to_owned(),
                            encrypted: volume.encrypted() == Some(true),
                            kms_key_arn: volume.kms_key_id().map(str::to_owned),
                            volume_type: volume
                                .volume_type()
                                .map(|it| it.as_str().to_owned())
                                .unwrap_or_default(),
                            goes_with_host: attachment.delete_on_termination() == Some(true),
                        };
                        volumes.entry(host).or_default().push(evidence);
                    }
                }
            }
        }
        Ok(volumes)
    }

    async fn user_data_sha256(&self, host: &HostId) -> Result<String, AwsFailure> {
        let call = "DescribeInstanceAttribute";
        let read = self
            .ec2
            .describe_instance_attribute()
            .instance_id(host.as_str())
            .attribute(aws_sdk_ec2::types::InstanceAttributeName::UserData);
        let output = self.pacer.call(call, read.send()).await?;
        let encoded = output.user_data().and_then(|data| data.value()).unwrap_or_default();
        let decoded =
            STANDARD.decode(encoded).map_err(|_| AwsFailure::incomplete(call, "user data in base64"))?;
        Ok(hex::encode(Sha256::digest(decoded)))
    }
}

pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

fn observed_host(enclave_id: &str, instance: &Instance) -> Option<(HostId, ObservedHost)> {
    let tags: BTreeMap<String, String> = instance
        .tags()
        .iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())))
        .collect();
    let interfaces = instance.network_interfaces();
    let primary_ipv6 = interfaces
        .iter()
        .flat_map(|interface| interface.ipv6_addresses())
        .find(|address| address.is_primary_ipv6() == Some(true))
        .and_then(|address| address.ipv6_address()?.parse().ok());
    let public_ipv4 = instance.public_ip_address().map(str::to_owned).or_else(|| {
        interfaces.iter().find_map(|interface| Some(interface.association()?.public_ip()?.to_owned()))
    });
    let security_group_ids: BTreeSet<String> = interfaces
        .iter()
        .flat_map(|interface| interface.groups())
        .chain(instance.security_groups())
        .filter_map(|group| Some(group.group_id()?.to_owned()))
        .collect();
    let launch_template = tags
        .get(TEMPLATE_ID_TAG)
        .cloned()
        .zip(tags.get(TEMPLATE_VERSION_TAG).and_then(|version| version.parse().ok()));
    let host = ObservedHost {
        state: instance_state(instance.state()?.name()?)?,
        owner: Owner::from_tags(enclave_id, &tags)?,
        request_id: tags.get(tags::REQUEST_ID)?.parse().ok()?,
        client_token: instance.client_token().unwrap_or_default().to_owned(),
        instance_type: instance.instance_type()?.as_str().parse().ok()?,
        availability_zone: instance.placement()?.availability_zone()?.parse().ok()?,
        image: instance.image_id()?.parse().ok()?,
        launched_at: timestamp(instance.launch_time()?)?,
        subnet_id: instance.subnet_id().unwrap_or_default().to_owned(),
        security_group_ids,
        instance_profile_arn: instance.iam_instance_profile().and_then(|p| p.arn()).map(str::to_owned),
        public_ipv4,
        primary_ipv6,
        interfaces: interfaces.len(),
        imds_token_required: instance.metadata_options().and_then(|options| options.http_tokens())
            == Some(&HttpTokensState::Required),
        launch_template,
        key_pair: instance.key_name().map(str::to_owned),
        volume_ids: instance
            .block_device_mappings()
            .iter()
            .filter_map(|mapping| Some(mapping.ebs()?.volume_id()?.to_owned()))
            .collect(),
        root_volume_id: instance
            .block_device_mappings()
            .iter()
            .find(|mapping| {
                mapping.device_name().is_some_and(|name| Some(name) == instance.root_device_name())
            })
            .and_then(|mapping| Some(mapping.ebs()?.volume_id()?.to_owned())),
        spot_request: instance.spot_instance_request_id().filter(|id| !id.is_empty()).map(str::to_owned),
        state_reason: instance
            .state_reason()
            .and_then(|reason| reason.message())
            .filter(|text| !text.is_empty())
            .map(|text| bounded(text, MAX_NOTICE_TEXT)),
    };
    Some((instance.instance_id()?.parse().ok()?, host))
}

fn instance_state(name: &InstanceStateName) -> Option<InstanceState> {
    Some(match name {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        InstanceStateName::Terminated => InstanceState::Terminated,
        _ => return None,
    })
}

pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.to_millis().ok()?).ok()
}
