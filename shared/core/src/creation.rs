//! Calls that create something, as plain data: written to the ledger before they are made, replayed from it
//! to the letter after a crash.

use std::collections::BTreeMap;

use enclave_protocol::names::{AvailabilityZone, HostId, ImageId, InstanceType};
use enclave_protocol::request::Scheme;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::aws::AwsFailure;

/// One place hosts can be launched from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// The instance type.
    pub instance_type: InstanceType,
    /// The availability zone.
    pub availability_zone: AvailabilityZone,
}

impl std::fmt::Display for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.instance_type, self.availability_zone)
    }
}

/// The exact parameters of a creating call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "PascalCase")]
pub enum Creation {
    /// EC2 `RunInstances`.
    RunInstances(RunInstances),
    /// EC2 `CreateReplaceRootVolumeTask`.
    CreateReplaceRootVolumeTask(ReplaceRootVolume),
    /// ELBv2 `CreateTargetGroup`.
    CreateTargetGroup(CreateTargetGroup),
    /// ELBv2 `CreateLoadBalancer`.
    CreateLoadBalancer(CreateLoadBalancer),
    /// ELBv2 `CreateListener`.
    CreateListener(CreateListener),
    /// EC2 `CreateVpcEndpointServiceConfiguration`.
    CreateVpcEndpointServiceConfiguration(CreateEndpointService),
}

/// Parameters of `RunInstances`; all else comes from the launch template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInstances {
    /// Makes a replay return the same instances.
    pub client_token: String,
    /// The pool launched from.
    pub pool: Pool,
    /// The tenant's launch template of the pool's zone.
    pub launch_template_id: String,
    /// Its pinned version.
    pub launch_template_version: u64,
    /// The image.
    pub image: ImageId,
    /// Most instances to launch; at least one.
    pub max_count: u32,
    /// Tags of instances and volumes.
    pub tags: BTreeMap<String, String>,
}

/// Parameters of `CreateReplaceRootVolumeTask`, which deletes the replaced volume, and what the host was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceRootVolume {
    /// Makes a replay return the same task.
    pub client_token: String,
    /// The host.
    pub host: HostId,
    /// The image.
    pub image: ImageId,
    /// Tags of the task.
    pub tags: BTreeMap<String, String>,
    /// What attestation compares the host with afterwards.
    pub before: HostBefore,
}

/// What a host was when its rebuild began, as far as AWS says that a replacement keeps it
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replace-root.html>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostBefore {
    /// Its root volume, which is replaced.
    pub root_volume_id: String,
    /// The type of that volume, e.g. `gp3`.
    pub root_volume_type: String,
    /// Whether that volume goes with the host.
    pub root_volume_goes_with_host: bool,
    /// The launch template and version it came from.
    pub launch_template: Option<(String, u64)>,
    /// SHA-256 of its user data (decoded), in hexadecimal.
    pub user_data_sha256: String,
}

/// Parameters of `CreateTargetGroup`: TCP, IPv6, instance targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTargetGroup {
    /// Its name, which hashes every immutable setting.
    pub name: String,
    /// The hosts' port.
    pub port: u16,
    /// The zone's VPC.
    pub vpc_id: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Parameters of `CreateLoadBalancer`: a dual-stack network load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateLoadBalancer {
    /// Its name, which hashes every immutable setting.
    pub name: String,
    /// Who can reach it.
    pub scheme: Scheme,
    /// One balancer subnet per availability zone.
    pub subnet_ids: Vec<String>,
    /// The balancers' security group: one can never be added later.
    pub security_group_id: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Parameters of `CreateListener`: TCP, forwarding to one target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateListener {
    /// The balancer.
    pub load_balancer_arn: String,
    /// The port clients connect to.
    pub port: u16,
    /// Where it forwards to.
    pub target_group_arn: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Parameters of `CreateVpcEndpointServiceConfiguration`: reached by IPv4 and IPv6, before one network load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateEndpointService {
    /// Makes a replay return the same service.
    pub client_token: String,
    /// The balancer behind it.
    pub load_balancer_arn: String,
    /// Whether the tenant accepts each connection.
    pub acceptance_required: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A creating call in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredCall {
    /// What is called.
    pub creation: Creation,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// How often it was tried without a definite answer.
    pub tries: u32,
    /// The definite answer; none while it is not known whether the call took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// A definite answer to a creating call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Instances were launched; maybe fewer than asked for.
    Launched {
        /// Their ids.
        hosts: Vec<HostId>,
        /// When the answer came.
        at: Timestamp,
    },
    /// A root volume is being replaced.
    Replacing {
        /// The task's id.
        task: String,
    },
    /// The object exists.
    Created {
        /// Its ARN; of an endpoint service, which has none, its id.
        arn: String,
    },
    /// AWS will not do it.
    Refused {
        /// Why.
        failure: AwsFailure,
        /// When the answer came.
        at: Timestamp,
    },
}

/// The client token of a launch: the same for a replay, another for another attempt or pool. `RunInstances` takes
/// at most 64 ASCII characters (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>),
/// which is exactly a SHA-256 in hexadecimal.
pub fn client_token(request_id: Uuid, attempt: u32, pool: &Pool) -> String {
    let mut hash = Sha256::new();
    hash.update(request_id.as_bytes());
    hash.update(attempt.to_be_bytes());
    hash.update(pool.instance_type.as_str());
    hash.update([0]);
    hash.update(pool.availability_zone.as_str());
    hex::encode(hash.finalize())
}

/// The client token of an endpoint service: one for each request and balancer, at most 64 ASCII characters as for
/// every EC2 call (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>).
pub fn endpoint_service_token(request_id: Uuid, load_balancer_arn: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"endpoint service");
    hash.update([0]);
    hash.update(request_id.as_bytes());
    hash.update(load_balancer_arn);
    hex::encode(hash.finalize())
}

/// The client token of a rebuild: the same for a replay, another for another attempt or host.
pub fn rebuild_token(request_id: Uuid, attempt: u32, host: &HostId) -> String {
    let mut hash = Sha256::new();
    hash.update(request_id.as_bytes());
    hash.update(attempt.to_be_bytes());
    hash.update(host.as_str());
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuilds_token_differs_for_another_request_attempt_or_host() {
        let host = |number: u32| -> HostId { format!("i-{number:017x}").parse().unwrap() };
        let base = rebuild_token(Uuid::from_u128(1), 0, &host(1));
        assert_eq!(base.len(), 64);
        assert_eq!(base, rebuild_token(Uuid::from_u128(1), 0, &host(1)));
        for other in [
            rebuild_token(Uuid::from_u128(2), 0, &host(1)),
            rebuild_token(Uuid::from_u128(1), 1, &host(1)),
            rebuild_token(Uuid::from_u128(1), 0, &host(2)),
        ] {
            assert_ne!(base, other);
        }
    }

    fn pool(instance_type: &str, zone: &str) -> Pool {
        Pool { instance_type: instance_type.parse().unwrap(), availability_zone: zone.parse().unwrap() }
    }

    #[test]
    fn a_token_differs_for_another_request_attempt_family_or_zone() {
        let request = Uuid::from_u128(1);
        let base = client_token(request, 0, &pool("m7g.large", "us-east-1a"));
        assert_eq!(base.len(), 64);
        assert_eq!(base, client_token(request, 0, &pool("m7g.large", "us-east-1a")));
        for other in [
            client_token(Uuid::from_u128(2), 0, &pool("m7g.large", "us-east-1a")),
            client_token(request, 1, &pool("m7g.large", "us-east-1a")),
            client_token(request, 0, &pool("m6g.large", "us-east-1a")),
            client_token(request, 0, &pool("m7g.large", "us-east-1b")),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_token_of_a_service_differs_for_another_request_or_balancer() {
        let base = endpoint_service_token(Uuid::from_u128(1), "arn:a");
        assert_eq!(base.len(), 64);
        assert_eq!(base, endpoint_service_token(Uuid::from_u128(1), "arn:a"));
        assert_ne!(base, endpoint_service_token(Uuid::from_u128(2), "arn:a"));
        assert_ne!(base, endpoint_service_token(Uuid::from_u128(1), "arn:b"));
    }
}
