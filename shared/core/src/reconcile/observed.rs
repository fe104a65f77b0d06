//! What a look at the account showed, as plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

use enclave_protocol::names::{AvailabilityZone, HostId, ImageId, InstanceType};
use jiff::Timestamp;
use uuid::Uuid;

use super::ObservedBalancing;
use crate::tags::Owner;

/// A reading that succeeded, or did not. Unknown never means gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// All of it was read.
    Known(T),
    /// It could not be read, and why.
    Unknown(String),
}

/// What was seen in one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The hosts of this enclave, terminated ones included while AWS shows them.
    pub hosts: Reading<BTreeMap<HostId, ObservedHost>>,
    /// Everything whose name says it is this enclave's.
    pub balancing: Reading<ObservedBalancing>,
    /// Root volume replacement tasks of the hosts that were asked about, whoever began them.
    pub root_volume_tasks: Reading<RootVolumeTasks>,
}

/// Tasks by host. A host without an entry was not asked about; one without tasks has an empty one.
pub type RootVolumeTasks = BTreeMap<HostId, Vec<RootVolumeTask>>;

/// One root volume replacement task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootVolumeTask {
    /// Its id.
    pub task_id: String,
    /// Its state.
    pub state: RootVolumeTaskState,
    /// The request of this enclave that began it, from its tags; none where somebody else did.
    pub request_id: Option<Uuid>,
    /// The client token of the call that began it, from its tags.
    pub client_token: Option<String>,
}

/// States of a root volume replacement task
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRootVolumeTask.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootVolumeTaskState {
    /// The new volume is being made.
    Pending,
    /// The volumes are being exchanged.
    InProgress,
    /// The new volume is attached and the instance is available.
    Succeeded,
    /// It is failing.
    Failing,
    /// It failed; the original volume is still attached.
    Failed,
    /// It is failing; the instance may have no root volume.
    FailingDetached,
    /// It failed; the instance has no root volume.
    FailedDetached,
    /// One that this version does not know: neither an end nor a success.
    Other(String),
}

impl From<&str> for RootVolumeTaskState {
    fn from(state: &str) -> Self {
        match state {
            "pending" => Self::Pending,
            "in-progress" => Self::InProgress,
            "succeeded" => Self::Succeeded,
            "failing" => Self::Failing,
            "failed" => Self::Failed,
            "failing-detached" => Self::FailingDetached,
            "failed-detached" => Self::FailedDetached,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl RootVolumeTaskState {
    /// Whether the task has not ended.
    pub fn is_active(&self) -> bool {
        !matches!(self, Self::Succeeded | Self::Failed | Self::FailedDetached)
    }

    /// Whether the task failed or is about to.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failing | Self::Failed | Self::FailingDetached | Self::FailedDetached)
    }

    /// The state as AWS names it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in-progress",
            Self::Succeeded => "succeeded",
            Self::Failing => "failing",
            Self::Failed => "failed",
            Self::FailingDetached => "failing-detached",
            Self::FailedDetached => "failed-detached",
            Self::Other(state) => state,
        }
    }
}

impl Observed {
    /// Nothing of it was looked at.
    pub fn unread() -> Self {
        fn unread<T>() -> Reading<T> {
            Reading::Unknown("not looked at".to_owned())
        }
        Self { hosts: unread(), balancing: unread(), root_volume_tasks: unread() }
    }
}

/// States of an EC2 instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// Being started.
    Pending,
    /// Running.
    Running,
    /// Being stopped.
    Stopping,
    /// Stopped.
    Stopped,
    /// Being terminated.
    ShuttingDown,
    /// Terminated for good.
    Terminated,
}

impl InstanceState {
    /// Whether the instance exists: it costs, counts and can still do something.
    pub fn is_live(self) -> bool {
        !self.is_ending()
    }

    /// Whether the instance is ending or has ended.
    pub fn is_ending(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// One instance with this enclave's tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedHost {
    /// Its state.
    pub state: InstanceState,
    /// Whom it serves, from its tags.
    pub owner: Owner,
    /// The request that launched it, from its tags.
    pub request_id: Uuid,
    /// The client token of its launch.
    pub client_token: String,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// Its availability zone.
    pub availability_zone: AvailabilityZone,
    /// Its image.
    pub image: ImageId,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// Its subnet.
    pub subnet_id: String,
    /// Its security groups, of all interfaces.
    pub security_group_ids: BTreeSet<String>,
    /// Its instance profile.
    pub instance_profile_arn: Option<String>,
    /// Its public IPv4 address, which it must not have.
    pub public_ipv4: Option<String>,
    /// Its primary IPv6 address.
    pub primary_ipv6: Option<Ipv6Addr>,
    /// Network interfaces; one is right.
    pub interfaces: usize,
    /// Whether IMDS demands a session token (IMDSv2).
    pub imds_token_required: bool,
    /// The launch template and version it came from, as EC2 tagged it.
    pub launch_template: Option<(String, u64)>,
    /// The SSH key pair, which it must not have.
    pub key_pair: Option<String>,
    /// Its volumes.
    pub volume_ids: Vec<String>,
    /// The one of them that it boots from, where there is one.
    pub root_volume_id: Option<String>,
    /// The spot request it fulfils, where it is a spot instance.
    pub spot_request: Option<String>,
    /// Why it last changed its state, in AWS's words.
    pub state_reason: Option<String>,
}
