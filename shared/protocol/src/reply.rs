//! Replies: what the enclave says of a request, on the results queue.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::code::Code;
use crate::names::{ApplicationId, AvailabilityZone, ClusterId, HostId, ImageId, InstanceType};
use crate::request::{ActionName, Endpoint, HealthCheck, Mode, Scheme};

/// Most hosts an inventory lists in one reply; `describe` continues with `after`.
pub const MAX_INVENTORY_HOSTS: usize = 1000;

/// What became of one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    /// The request answered; absent when the message could not be opened or read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// SHA-256 of the message body, in hexadecimal, where there is no request id to answer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_sha256: Option<String>,
    /// SHA-256 of what was signed (the envelope's DSSE pre-authentication encoding), in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope_sha256: Option<String>,
    /// The zone that answers.
    pub zone: String,
    /// The installation that answers.
    pub enclave_id: String,
    /// The action answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
    /// The mode answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Where the request stands.
    pub status: Status,
    /// Why, for programs.
    pub code: Code,
    /// Why, for people: one sentence.
    pub message: String,
    /// When this was decided.
    pub decided_at: Timestamp,
    /// What became of each host the request made or named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostResult>,
    /// Hosts asked for that do not exist, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingHosts>,
    /// The load balancer as it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<LoadBalancerResult>,
    /// In mode `plan`: what would be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanPreview>,
    /// For `describe`: what there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Inventory>,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Carried out.
    Done,
    /// Being worked on; a final reply follows.
    InProgress,
    /// Refused; nothing was changed.
    Rejected,
    /// Tried, and ended short of the order.
    Failed,
}

impl Status {
    /// Whether no further reply follows.
    pub fn is_final(self) -> bool {
        self != Self::InProgress
    }
}

/// What became of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostResult {
    /// The EC2 instance id.
    pub host_id: HostId,
    /// Where it stands.
    pub state: HostState,
    /// Its instance type, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<InstanceType>,
    /// Its availability zone, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<AvailabilityZone>,
    /// Its primary IPv6 address, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<std::net::Ipv6Addr>,
    /// What is wrong with it, one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For `rebuild_hosts`: how far its rebuild came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<RebuildState>,
}

/// How far the rebuild of a host came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RebuildState {
    /// Nothing was done to it.
    NotBegun,
    /// Its root volume is being replaced, or was and is not attested yet.
    InProgress,
    /// It runs from the image and was attested again.
    Rebuilt,
    /// Its root volume was not replaced; the original one is there.
    Failed,
    /// It was left without a root volume. It is not terminated.
    Detached,
    /// Its root volume was replaced, but it did not pass attestation. It is not terminated, and not handed over.
    Unfit,
}

/// Where a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// Launched, not yet running.
    Starting,
    /// Running and attested.
    Ready,
    /// Running, but not (or not yet) attested.
    Running,
    /// Being terminated.
    Terminating,
    /// Gone for good.
    Terminated,
    /// Stopped, which nothing here does.
    Stopped,
}

/// Hosts that were asked for and do not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MissingHosts {
    /// How many.
    pub count: u32,
    /// Why, for programs.
    pub code: Code,
    /// Why, for people.
    pub reason: String,
}

/// A load balancer as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancerResult {
    /// Its name in the account.
    pub name: String,
    /// Its ARN, where it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The name clients resolve, where it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// Where it stands.
    pub state: LoadBalancerState,
    /// Who can reach it.
    pub scheme: Scheme,
    /// Its ports.
    pub endpoints: Vec<Endpoint>,
    /// The hosts behind it.
    pub targets: Vec<HostId>,
    /// How it finds out which hosts are healthy; absent where it is not seen, or its ports differ in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Seconds a host that is taken out keeps its connections; absent where not seen, or where its ports differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistration_delay_seconds: Option<u32>,
    /// Seconds an idle connection is kept; absent where not seen, or where its ports differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<u32>,
    /// Whether hosts of every availability zone serve the clients of each; absent where not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_zone: Option<bool>,
    /// Its endpoint service, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_link: Option<PrivateLinkResult>,
    /// Other load balancers of the same application and cluster, which an order that could not be carried out in
    /// place has left; `remove_load_balancer` with the name removes one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<String>,
}

/// An endpoint service as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivateLinkResult {
    /// Its id, `vpce-svc-…`.
    pub service_id: String,
    /// The name by which others make an endpoint to it.
    pub service_name: String,
    /// Where it stands.
    pub state: PrivateLinkState,
    /// Who may connect, as AWS says it.
    pub allowed_principals: Vec<String>,
    /// Whether the tenant accepts each connection.
    pub acceptance_required: bool,
}

/// Where an endpoint service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrivateLinkState {
    /// Being made.
    Pending,
    /// Others can connect.
    Available,
    /// Being deleted.
    Deleting,
    /// AWS could not make it.
    Failed,
}

/// Where a load balancer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadBalancerState {
    /// Being made.
    Provisioning,
    /// Serving.
    Active,
    /// AWS could not make it.
    Failed,
    /// Not there.
    Absent,
}

/// What an order would do now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanPreview {
    /// Whether the tenant's rules would let it be done.
    pub decision: Decision,
    /// The steps, in order, each one sentence; empty where there is nothing to do.
    pub steps: Vec<PlannedStep>,
}

/// Whether an order would be allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Allowed or not.
    pub allowed: bool,
    /// `done` where allowed, else why not.
    pub code: Code,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedStep {
    /// What kind of step, e.g. `launch`.
    pub kind: String,
    /// What it does, for people.
    pub summary: String,
}

/// What there is in the zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Version of the software that answers.
    pub version: String,
    /// The payload types it speaks.
    pub payload_types: Vec<String>,
    /// The actions it knows.
    pub actions: Vec<ActionName>,
    /// Images that hosts may boot.
    pub images: Vec<ImageId>,
    /// Hosts in the order of their ids, at most 1000.
    pub hosts: Vec<InventoryHost>,
    /// All load balancers.
    pub load_balancers: Vec<InventoryLoadBalancer>,
    /// Whether hosts follow after the last one listed.
    pub truncated: bool,
}

/// One host of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryHost {
    /// The application it serves.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// The EC2 instance id.
    pub host_id: HostId,
    /// Where it stands.
    pub state: HostState,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// Its availability zone.
    pub availability_zone: AvailabilityZone,
    /// The image it booted.
    pub image: ImageId,
    /// Its primary IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<std::net::Ipv6Addr>,
}

/// One load balancer of the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryLoadBalancer {
    /// The application served.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// The balancer itself.
    pub load_balancer: LoadBalancerResult,
}
