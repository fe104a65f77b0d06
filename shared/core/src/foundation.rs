//! `v1/zone.json`: what the tenant's foundation provides, written by Terraform, read by the functions.

use std::collections::BTreeMap;

use enclave_protocol::names::{AvailabilityZone, ImageId, TenantName};
use enclave_protocol::request::Audience;
use serde::{Deserialize, Serialize};

/// Key of the foundation in the tenant bucket.
pub const ZONE_KEY: &str = "v1/zone.json";

/// Key of the freeze marker in the tenant bucket: present means frozen.
pub const FREEZE_KEY: &str = "v1/freeze.json";

/// The foundation of one zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foundation {
    /// Version of this object's shape; 1.
    pub schema: u32,
    /// The tenant the account is registered to.
    pub tenant: TenantName,
    /// The one audience that requests must name.
    pub audience: Audience,
    /// The zone's only VPC.
    pub vpc_id: String,
    /// Security group of every host.
    pub host_security_group_id: String,
    /// Security group of every load balancer.
    pub balancer_security_group_id: String,
    /// Instance profile of every host.
    pub instance_profile_arn: String,
    /// The tenant's key that encrypts every volume.
    pub volume_kms_key_arn: String,
    /// What each availability zone provides.
    pub availability_zones: BTreeMap<AvailabilityZone, ZoneFoundation>,
    /// Images that hosts may boot.
    pub images: Vec<ImageId>,
}

/// The foundation in one availability zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneFoundation {
    /// Subnet of the hosts.
    pub host_subnet_id: String,
    /// Subnet of the load balancers.
    pub balancer_subnet_id: String,
    /// Launch template of the hosts.
    pub launch_template_id: String,
    /// The template's pinned, numeric version.
    pub launch_template_version: u64,
    /// SHA-256 of the template's user data (decoded), in hexadecimal.
    pub user_data_sha256: String,
    /// Size of the template's root volume, in GiB.
    pub root_volume_gib: u32,
}

/// `v1/freeze.json`: who froze changes, why, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Who froze.
    pub who: String,
    /// Why.
    pub why: String,
    /// When the tenant means to lift it; nothing thaws by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<jiff::Timestamp>,
}
