//! Requests: what an operator can order, as one strict JSON object.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

pub use crate::balancing::{
    ConfigureLoadBalancer, Endpoint, EndpointProtocol, HealthCheck, HealthCheckProtocol, MAX_ENDPOINTS,
    PrivateLink, RemoveLoadBalancer, Scheme,
};
use crate::code::Code;
use crate::names::{ApplicationId, AvailabilityZone, ClusterId, HostId, ImageId, InstanceType, TenantName};

/// The DSSE payload type of a request, version 1.
pub const REQUEST_PAYLOAD_TYPE: &str = "application/vnd.enclave.request.v1+json";

/// Longest time between `issued_at` and `expires_at`, in seconds.
pub const MAX_VALIDITY_SECONDS: i64 = 15 * 60;

/// Time a request has to finish when it does not say, in seconds from its claim.
pub const DEFAULT_DEADLINE_SECONDS: u32 = 30 * 60;

/// Longest deadline a request may ask for, in seconds.
pub const MAX_DEADLINE_SECONDS: u32 = 24 * 60 * 60;

/// Most hosts one request may name or ask for: the instance ids that one `TerminateInstances` call takes
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>).
pub const MAX_HOSTS: usize = 1000;

/// Most instance types in one order of preference.
pub const MAX_INSTANCE_TYPES: usize = 16;

/// Most hosts that one request rebuilds at a time.
pub const MAX_REBUILDS_AT_A_TIME: u32 = 100;

/// Deepest nesting of a request; its own schema needs 5.
pub const MAX_DEPTH: usize = 16;

/// One signed order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The one enclave that this request is meant for.
    pub audience: Audience,
    /// The tenant that the account is registered to.
    pub tenant: TenantName,
    /// A `UUIDv7`, new for every order; sending it again asks for the same order's outcome.
    pub request_id: Uuid,
    /// When the operator signed it.
    pub issued_at: Timestamp,
    /// After this it is refused; at most 15 minutes after `issued_at`.
    pub expires_at: Timestamp,
    /// SHA-256 of the signer's leaf certificate (DER), in lower-case hexadecimal.
    #[schemars(extend("pattern" = "^[0-9a-f]{64}$"))]
    pub certificate_sha256: String,
    /// Whether to act or only to say what would be done.
    pub mode: Mode,
    /// Seconds from the claim until an unfinished request fails; 1 to 86400, by default 1800.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub deadline_seconds: Option<u32>,
    /// What is to be done.
    pub order: Order,
}

/// The one enclave a request is meant for: all four must be its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// AWS account id.
    pub account: String,
    /// AWS region.
    pub region: String,
    /// Zone, e.g. `prod.aws-us-east-1c`.
    pub zone: String,
    /// Made anew at each installation, so that old orders never reach a new enclave.
    pub enclave_id: String,
}

/// Whether a request acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Do it.
    Apply,
    /// Reply with the steps and change nothing.
    Plan,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Order {
    /// Launch hosts for a cluster.
    ProvisionHosts(ProvisionHosts),
    /// Terminate hosts of a cluster.
    DeprovisionHosts(DeprovisionHosts),
    /// Replace the root volumes of a cluster's hosts.
    RebuildHosts(RebuildHosts),
    /// Create or converge a cluster's load balancer.
    ConfigureLoadBalancer(ConfigureLoadBalancer),
    /// Remove a cluster's load balancer with all that belongs to it.
    RemoveLoadBalancer(RemoveLoadBalancer),
    /// Say what there is.
    Describe(Describe),
}

/// Launches hosts; each is done when it runs and was attested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvisionHosts {
    /// The application the hosts serve.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// How many hosts, 1 to 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub count: u32,
    /// Instance types in order of preference, 1 to 16; absent where `resources` says what is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    pub instance_types: Vec<InstanceType>,
    /// What each host needs; the enclave chooses the instance types. Absent where `instance_types` names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The image to boot, one of the tenant's list.
    pub image: ImageId,
    /// Availability zones to use; all of the zone's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub availability_zones: Option<Vec<AvailabilityZone>>,
}

/// What a host needs at least. An instance type has at most twice the processors and memory asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Virtual processors, 1 to 1024.
    #[schemars(range(min = 1, max = 1024))]
    pub vcpu: u32,
    /// Memory in GiB, 1 to 32768.
    #[schemars(range(min = 1, max = 32768))]
    pub memory_gib: u32,
    /// Disk in GB (10⁹ bytes), 1 to 1000000: of the root volume, or of the instance type's own disks.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub disk_gb: u32,
    /// What the image is built for.
    pub architecture: Architecture,
}

/// A processor architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// 64-bit Arm.
    Arm64,
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
}

/// Terminates hosts; done when all are `terminated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeprovisionHosts {
    /// The application the hosts serve.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// The hosts, 1 to 1000, each once.
    #[schemars(length(min = 1, max = 1000))]
    pub host_ids: Vec<HostId>,
}

/// Replaces the root volume of each host in place; done when every host runs from the image and was attested again.
/// One that fails ends the roll-out: hosts not begun stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RebuildHosts {
    /// The application the hosts serve.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// The hosts in the order in which they are rebuilt, 1 to 1000, each once.
    #[schemars(length(min = 1, max = 1000))]
    pub host_ids: Vec<HostId>,
    /// The image to boot, one of the tenant's list.
    pub image: ImageId,
    /// How many hosts are rebuilt at a time; 1 to 100, by default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub at_a_time: Option<u32>,
}

impl RebuildHosts {
    /// How many hosts are rebuilt at a time.
    pub fn at_a_time(&self) -> u32 {
        self.at_a_time.unwrap_or(1)
    }
}

/// Asks for the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Describe {
    /// Continue after this host: a reply lists at most 1000 hosts, in order of their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<HostId>,
}

/// The name of an action as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionName {
    /// [`Order::ProvisionHosts`]
    ProvisionHosts,
    /// [`Order::DeprovisionHosts`]
    DeprovisionHosts,
    /// [`Order::RebuildHosts`]
    RebuildHosts,
    /// [`Order::ConfigureLoadBalancer`]
    ConfigureLoadBalancer,
    /// [`Order::RemoveLoadBalancer`]
    RemoveLoadBalancer,
    /// [`Order::Describe`]
    Describe,
}

impl ActionName {
    /// Every action this version speaks.
    pub const ALL: [Self; 6] = [
        Self::ProvisionHosts,
        Self::DeprovisionHosts,
        Self::RebuildHosts,
        Self::ConfigureLoadBalancer,
        Self::RemoveLoadBalancer,
        Self::Describe,
    ];

    /// The name as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProvisionHosts => "provision_hosts",
            Self::DeprovisionHosts => "deprovision_hosts",
            Self::RebuildHosts => "rebuild_hosts",
            Self::ConfigureLoadBalancer => "configure_load_balancer",
            Self::RemoveLoadBalancer => "remove_load_balancer",
            Self::Describe => "describe",
        }
    }
}

impl Order {
    /// Which action this is.
    pub fn action(&self) -> ActionName {
        match self {
            Self::ProvisionHosts(_) => ActionName::ProvisionHosts,
            Self::DeprovisionHosts(_) => ActionName::DeprovisionHosts,
            Self::RebuildHosts(_) => ActionName::RebuildHosts,
            Self::ConfigureLoadBalancer(_) => ActionName::ConfigureLoadBalancer,
            Self::RemoveLoadBalancer(_) => ActionName::RemoveLoadBalancer,
            Self::Describe(_) => ActionName::Describe,
        }
    }

    /// The application and cluster the order is about; none for `describe`.
    pub fn application_and_cluster(&self) -> Option<(&ApplicationId, &ClusterId)> {
        match self {
            Self::ProvisionHosts(order) => Some((&order.application, &order.cluster)),
            Self::DeprovisionHosts(order) => Some((&order.application, &order.cluster)),
            Self::RebuildHosts(order) => Some((&order.application, &order.cluster)),
            Self::ConfigureLoadBalancer(order) => Some((&order.application, &order.cluster)),
            Self::RemoveLoadBalancer(order) => Some((&order.application, &order.cluster)),
            Self::Describe(_) => None,
        }
    }
}

/// A payload that is no request: its stable code and a sentence that names what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct RequestError {
    /// What kind of fault it is.
    pub code: Code,
    /// One sentence for people.
    pub message: String,
}

impl RequestError {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Request {
    /// Reads a request and checks every bound that needs nothing but the request itself.
    ///
    /// # Errors
    /// `nested_too_deep`, `unknown_action`, `malformed_request` (which names an unknown field) or `invalid_request`.
    pub fn parse(payload: &[u8]) -> Result<Self, RequestError> {
        if nesting(payload) > MAX_DEPTH {
            return Err(RequestError::new(
                Code::NestedTooDeep,
                format!("the request is nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        check_action(payload)?;
        let request: Self = serde_json::from_slice(payload)
            .map_err(|error| RequestError::new(Code::MalformedRequest, format!("not a request: {error}")))?;
        request.check().map_err(|message| RequestError::new(Code::InvalidRequest, message))?;
        Ok(request)
    }

    /// Seconds from the claim until the request fails.
    pub fn deadline_seconds(&self) -> u32 {
        self.deadline_seconds.unwrap_or(DEFAULT_DEADLINE_SECONDS)
    }

    fn check(&self) -> Result<(), String> {
        if self.request_id.get_version_num() != 7 {
            return Err(format!("request_id {} is not a UUIDv7", self.request_id));
        }
        if let Some(seconds) = self.deadline_seconds {
            within("deadline_seconds", seconds as usize, 1, MAX_DEADLINE_SECONDS as usize)?;
        }
        match &self.order {
            Order::ProvisionHosts(order) => {
                within("count", order.count as usize, 1, MAX_HOSTS)?;
                match &order.resources {
                    None => within("instance_types", order.instance_types.len(), 1, MAX_INSTANCE_TYPES)?,
                    Some(_) if !order.instance_types.is_empty() => {
                        return Err("instance_types and resources: name one of them".to_owned());
                    }
                    Some(resources) => resources.check()?,
                }
                distinct("instance_types", &order.instance_types)?;
                if let Some(zones) = &order.availability_zones {
                    within("availability_zones", zones.len(), 1, 16)?;
                    distinct("availability_zones", zones)?;
                }
                Ok(())
            }
            Order::DeprovisionHosts(order) => {
                within("host_ids", order.host_ids.len(), 1, MAX_HOSTS)?;
                distinct("host_ids", &order.host_ids)
            }
            Order::RebuildHosts(order) => {
                within("host_ids", order.host_ids.len(), 1, MAX_HOSTS)?;
                distinct("host_ids", &order.host_ids)?;
                within("at_a_time", order.at_a_time() as usize, 1, MAX_REBUILDS_AT_A_TIME as usize)
            }
            Order::ConfigureLoadBalancer(order) => order.check(),
            Order::RemoveLoadBalancer(_) | Order::Describe(_) => Ok(()),
        }
    }
}

impl Resources {
    fn check(&self) -> Result<(), String> {
        within("vcpu", self.vcpu as usize, 1, 1024)?;
        within("memory_gib", self.memory_gib as usize, 1, 32_768)?;
        within("disk_gb", self.disk_gb as usize, 1, 1_000_000)
    }
}

pub(crate) fn within(field: &str, value: usize, min: usize, max: usize) -> Result<(), String> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(format!("{field} must be {min} to {max}, got {value}"))
}

pub(crate) fn distinct<T: Ord + std::fmt::Debug>(field: &str, values: &[T]) -> Result<(), String> {
    let mut sorted: Vec<&T> = values.iter().collect();
    sorted.sort();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("{field}: {:?} is named twice", pair[0])),
        None => Ok(()),
    }
}

/// An unknown action gets a code of its own, so it is looked at before the strict reading.
fn check_action(payload: &[u8]) -> Result<(), RequestError> {
    #[derive(Deserialize)]
    struct Outline {
        order: OrderOutline,
    }
    #[derive(Deserialize)]
    struct OrderOutline {
        action: String,
    }
    match serde_json::from_slice::<Outline>(payload) {
        Ok(outline) if !ActionName::ALL.iter().any(|name| name.as_str() == outline.order.action) => {
            let action: String = outline.order.action.chars().take(80).collect();
            Err(RequestError::new(Code::UnknownAction, format!("unknown action {action:?}")))
        }
        _ => Ok(()),
    }
}

/// Deepest nesting of arrays and objects in a JSON text, found without parsing it.
pub(crate) fn nesting(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
