//! What the ledger holds of each host.

use enclave_protocol::names::{ApplicationId, AvailabilityZone, ClusterId, ImageId, InstanceType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RebuildMark;

/// One host that this enclave launched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRecord {
    /// The application it serves.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// The request that launched it.
    pub request_id: Uuid,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// Its availability zone.
    pub availability_zone: AvailabilityZone,
    /// The image it booted.
    pub image: ImageId,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// What it should be.
    pub desired: DesiredHost,
    /// When it was attested and handed over; none while its root volume is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested_at: Option<Timestamp>,
    /// Its last rebuild, unless that ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<RebuildMark>,
}

/// What a host should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DesiredHost {
    /// Running, for its cluster.
    Running,
    /// Terminated.
    Terminated,
}
