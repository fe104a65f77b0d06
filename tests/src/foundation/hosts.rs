//! What hosts are made from: images, an instance profile, and one launch template per availability zone.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    ArchitectureValues, BlockDeviceMapping, EbsBlockDevice, LaunchTemplateBlockDeviceMappingRequest,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState,
    LaunchTemplateIamInstanceProfileSpecificationRequest, LaunchTemplateInstanceMetadataEndpointState,
    LaunchTemplateInstanceMetadataOptionsRequest, LaunchTemplateInstanceMetadataProtocolIpv6,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, RequestLaunchTemplateData, ResourceType,
    SnapshotState, VolumeType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enclave_protocol::names::{AvailabilityZone, ImageId};
use sha2::{Digest, Sha256};

use super::network::named;
use super::{Keys, Names, Network};
use crate::aws::Clients;
use crate::wait;

/// The user data of every host: the only local targets that a tunnel may reach.
const USER_DATA: &str = "\
#cloud-config
write_files:
  - path: /etc/enclave/tunnel-targets.json
    owner: root:root
    permissions: '0644'
    content: |
      {
        \"schema\": 1,
        \"targets\": {
          \"application\": \"127.0.0.1:8080\",
          \"metrics\": \"127.0.0.1:9100\"
        }
      }
";

/// Two, as a fleet has while its operating system is renewed.
const IMAGES: [&str; 2] = ["host-1", "host-2"];

/// Size of the image and of each host's root volume.
const ROOT_VOLUME_GIB: u16 = 8;

/// An empty volume's snapshot.
const SNAPSHOT_LIMIT: Duration = Duration::from_mins(5);

/// What hosts are made from.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// Images that hosts may boot.
    pub images: Vec<ImageId>,
    /// Profile of every host.
    pub instance_profile_arn: String,
    /// One template per availability zone: a request may not name a subnet beside a template's interface.
    pub launch_templates: BTreeMap<AvailabilityZone, LaunchTemplate>,
    /// SHA-256 of the templates' user data, in hexadecimal.
    pub user_data_sha256: String,
    /// Size of each host's root volume.
    pub root_volume_gib: u32,
}

/// A launch template at its pinned version.
#[derive(Debug, Clone)]
pub struct LaunchTemplate {
    /// Its id.
    pub id: String,
    /// Its numeric version.
    pub version: u64,
}

pub(super) async fn make(clients: &Clients, names: &Names, network: &Network, keys: &Keys) -> Result<Hosts> {
    let zone = network.subnets.keys().next().context("no availability zone")?;
    let images = make_images(&clients.ec2, names, zone).await.context("cannot make the images")?;
    let first = images.first().context("no image")?;
    let root_device = root_device(&clients.ec2, first).await?;
    let instance_profile_arn = make_profile(&clients.iam, names).await.context("cannot make the profile")?;
    let mut launch_templates = BTreeMap::new();
    for (zone, subnets) in &network.subnets {
        let data = RequestLaunchTemplateData::builder()
            .network_interfaces(interface(&subnets.host, &network.host_security_group_id))
            .metadata_options(metadata_options())
            .iam_instance_profile(
                LaunchTemplateIamInstanceProfileSpecificationRequest::builder()
                    .arn(&instance_profile_arn)
                    .build(),
            )
            .block_device_mappings(root_volume(&root_device, &keys.volumes))
            .user_data(STANDARD.encode(USER_DATA))
            .build();
        let made = clients
            .ec2
            .create_launch_template()
            .launch_template_name(format!("{}-{zone}", names.zone))
            .launch_template_data(data)
            .send()
            .await
            .with_context(|| format!("cannot make the launch template of {zone}"))?;
        let template = made.launch_template.context("CreateLaunchTemplate answered without a template")?;
        let version = template.latest_version_number.and_then(|version| u64::try_from(version).ok());
        let version = version.context("a launch template without a version")?;
        let id = template.launch_template_id.context("a launch template without an id")?;
        launch_templates.insert(zone.clone(), LaunchTemplate { id, version });
    }
    let user_data_sha256 = hex::encode(Sha256::digest(USER_DATA));
    Ok(Hosts {
        images,
        instance_profile_arn,
        launch_templates,
        user_data_sha256,
        root_volume_gib: ROOT_VOLUME_GIB.into(),
    })
}

fn interface(subnet: &str, group: &str) -> LaunchTemplateInstanceNetworkInterfaceSpecificationRequest {
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
        .device_index(0)
        .subnet_id(subnet)
        .groups(group)
        .ipv6_address_count(1)
        // A primary address stays with the host for life; an NLB's IPv6 target needs one.
        .primary_ipv6(true)
        .associate_public_ip_address(false)
        .delete_on_termination(true)
        .build()
}

fn metadata_options() -> LaunchTemplateInstanceMetadataOptionsRequest {
    LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_endpoint(LaunchTemplateInstanceMetadataEndpointState::Enabled)
        .http_tokens(LaunchTemplateHttpTokensState::Required)
        .http_put_response_hop_limit(1)
        .http_protocol_ipv6(LaunchTemplateInstanceMetadataProtocolIpv6::Enabled)
        .build()
}

fn root_volume(device: &str, key: &str) -> LaunchTemplateBlockDeviceMappingRequest {
    let volume = LaunchTemplateEbsBlockDeviceRequest::builder()
        .encrypted(true)
        .kms_key_id(key)
        .volume_type(VolumeType::Gp3)
        .volume_size(ROOT_VOLUME_GIB.into())
        .delete_on_termination(true)
        .build();
    LaunchTemplateBlockDeviceMappingRequest::builder().device_name(device).ebs(volume).build()
}

/// Images without an operating system: nothing boots here, but each has a snapshot and a root device as AWS wants.
async fn make_images(ec2: &Client, names: &Names, zone: &AvailabilityZone) -> Result<Vec<ImageId>> {
    let volume =
        ec2.create_volume().availability_zone(zone.as_str()).size(ROOT_VOLUME_GIB.into()).send().await?;
    let volume = volume.volume_id.context("CreateVolume answered without a volume")?;
    let snapshot = ec2
        .create_snapshot()
        .volume_id(&volume)
        .tag_specifications(named(ResourceType::Snapshot, format!("{}-image", names.zone)))
        .send()
        .await?;
    let snapshot = snapshot.snapshot_id.context("CreateSnapshot answered without a snapshot")?;
    wait::until("the image's snapshot is complete", SNAPSHOT_LIMIT, async || {
        let answer = ec2.describe_snapshots().snapshot_ids(&snapshot).send().await?;
        let state = answer.snapshots().first().and_then(|found| found.state());
        Ok((state == Some(&SnapshotState::Completed)).then_some(()))
    })
    .await?;
    // It would be the one volume in the account that belongs to no host.
    ec2.delete_volume().volume_id(&volume).send().await?;

    let mut images = Vec::new();
    for image in IMAGES {
        let disk = EbsBlockDevice::builder().snapshot_id(&snapshot).volume_type(VolumeType::Gp3).build();
        let made = ec2
            .register_image()
            .name(names.unique(image))
            .architecture(ArchitectureValues::Arm64)
            .virtualization_type("hvm")
            .ena_support(true)
            .root_device_name("/dev/xvda")
            .block_device_mappings(BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(disk).build())
            .send()
            .await?;
        let id = made.image_id.context("RegisterImage answered without an image")?;
        images.push(id.parse().context("an image id of an unknown form")?);
    }
    Ok(images)
}

/// As the account says it, since a mapping for another device would add a second volume.
async fn root_device(ec2: &Client, image: &ImageId) -> Result<String> {
    let answer = ec2.describe_images().image_ids(image.as_str()).send().await?;
    let device = answer.images().first().and_then(|image| image.root_device_name());
    Ok(device.context("an image without a root device")?.to_owned())
}

async fn make_profile(iam: &aws_sdk_iam::Client, names: &Names) -> Result<String> {
    let name = names.unique("host");
    let trust = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "ec2.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }],
    });
    iam.create_role().role_name(&name).assume_role_policy_document(trust.to_string()).send().await?;
    let made = iam.create_instance_profile().instance_profile_name(&name).send().await?;
    iam.add_role_to_instance_profile().instance_profile_name(&name).role_name(&name).send().await?;
    Ok(made.instance_profile.context("CreateInstanceProfile answered without a profile")?.arn)
}
