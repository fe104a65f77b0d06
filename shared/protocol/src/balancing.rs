//! Orders about load balancers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{ApplicationId, ClusterId, HealthCheckPath, HostId, LoadBalancerName, PrincipalArn};
use crate::request::{MAX_HOSTS, distinct, within};

/// Most endpoints of one load balancer: an NLB has 50 listeners
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-limits.html>).
pub const MAX_ENDPOINTS: usize = 50;

/// Most principals that may connect to one endpoint service. AWS states no bound of its own; this one keeps a request
/// and its reply small.
pub const MAX_PRINCIPALS: usize = 50;

/// Seconds a target is drained where an order does not say: AWS's default
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html>).
pub const DEFAULT_DEREGISTRATION_DELAY_SECONDS: u32 = 300;

/// Seconds an idle flow is kept where an order does not say: AWS's default
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html>).
pub const DEFAULT_IDLE_TIMEOUT_SECONDS: u32 = 350;

/// Creates or converges the load balancer of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureLoadBalancer {
    /// The application served.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// Ports to listen on, 1 to 50, each port once.
    #[schemars(length(min = 1, max = 50))]
    pub endpoints: Vec<Endpoint>,
    /// Who can reach it. Another scheme is another load balancer: it is made beside the old one.
    pub scheme: Scheme,
    /// The hosts behind it, at most 1000, each once.
    #[schemars(length(max = 1000))]
    pub targets: Vec<HostId>,
    /// Who can connect to it from other VPCs and accounts through AWS `PrivateLink`; nobody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_link: Option<PrivateLink>,
    /// How the load balancer finds out which hosts are healthy; by TCP on the target port when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Seconds a host that is taken out keeps its connections, 0 to 3600; by default 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 3600))]
    pub deregistration_delay_seconds: Option<u32>,
    /// Seconds an idle connection is kept, 60 to 6000; by default 350.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 60, max = 6000))]
    pub idle_timeout_seconds: Option<u32>,
    /// Whether hosts of every availability zone serve the clients of each; by default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_zone: Option<bool>,
}

/// One port of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// The port clients connect to, 1 to 65535.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// What is spoken on it.
    pub protocol: EndpointProtocol,
    /// The port of the hosts, 1 to 65535.
    #[schemars(range(min = 1))]
    pub target_port: u16,
}

/// What a load balancer's endpoint speaks. Both are passed through byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointProtocol {
    /// TCP.
    Tcp,
    /// TLS, which the hosts terminate: they hold the certificates, and the load balancer sees no plain text.
    Tls,
}

impl EndpointProtocol {
    /// Every protocol.
    pub const ALL: [Self; 2] = [Self::Tcp, Self::Tls];

    /// The protocol as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// Who can reach a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// The internet.
    Public,
    /// The zone's VPC, the networks it is connected to, and those who may connect through `PrivateLink`.
    Private,
}

/// An endpoint service: others reach the load balancer from their own VPCs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivateLink {
    /// Who may connect, 1 to 50, each once. Who is not named any more is disconnected.
    #[schemars(length(min = 1, max = 50))]
    pub allowed_principals: Vec<PrincipalArn>,
    /// Whether the tenant accepts each connection before it carries traffic; by default true.
    #[serde(default = "accepted_by_the_tenant")]
    pub acceptance_required: bool,
}

fn accepted_by_the_tenant() -> bool {
    true
}

/// How a load balancer finds out which hosts are healthy. The bounds are those of network load balancers
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html>).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// What is spoken.
    pub protocol: HealthCheckProtocol,
    /// The port asked, 1 to 65535; each endpoint's target port when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The path asked for, with `http` and `https` only; `/` when absent. A status of 200 to 399 is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<HealthCheckPath>,
    /// Seconds between two checks of a host, 5 to 300.
    #[schemars(range(min = 5, max = 300))]
    pub interval_seconds: u32,
    /// Seconds without an answer that fail a check, 2 to 120 and at most the interval; by default 6 with `http`, else
    /// 10, or the interval where that is shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 120))]
    pub timeout_seconds: Option<u32>,
    /// Good checks in a row that make a host healthy, 2 to 10.
    #[schemars(range(min = 2, max = 10))]
    pub healthy_threshold: u32,
    /// Failed checks in a row that make it unhealthy, 2 to 10.
    #[schemars(range(min = 2, max = 10))]
    pub unhealthy_threshold: u32,
}

/// What a health check speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheckProtocol {
    /// A connection can be opened.
    Tcp,
    /// A request is answered.
    Http,
    /// A request is answered over TLS; the certificate is not checked.
    Https,
}

impl Default for HealthCheck {
    /// AWS's own for a target group of a network load balancer
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/target-group-health-checks.html>).
    fn default() -> Self {
        Self {
            protocol: HealthCheckProtocol::Tcp,
            port: None,
            path: None,
            interval_seconds: 30,
            timeout_seconds: None,
            healthy_threshold: 5,
            unhealthy_threshold: 2,
        }
    }
}

/// Removes load balancers of a cluster with all that belongs to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveLoadBalancer {
    /// The application served.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// Only this one, such as one that a newer one superseded; all of the cluster's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<LoadBalancerName>,
}

impl ConfigureLoadBalancer {
    /// An order with every setting at its default and no endpoint service.
    pub fn new(
        application: ApplicationId,
        cluster: ClusterId,
        scheme: Scheme,
        endpoints: Vec<Endpoint>,
        targets: Vec<HostId>,
    ) -> Self {
        Self {
            application,
            cluster,
            endpoints,
            scheme,
            targets,
            private_link: None,
            health_check: None,
            deregistration_delay_seconds: None,
            idle_timeout_seconds: None,
            cross_zone: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        within("endpoints", self.endpoints.len(), 1, MAX_ENDPOINTS)?;
        let ports: Vec<u16> = self.endpoints.iter().map(|endpoint| endpoint.port).collect();
        distinct("endpoints", &ports)?;
        if self.endpoints.iter().any(|endpoint| endpoint.port == 0 || endpoint.target_port == 0) {
            return Err("endpoints: a port is 1 to 65535, got 0".to_owned());
        }
        within("targets", self.targets.len(), 0, MAX_HOSTS)?;
        distinct("targets", &self.targets)?;
        if let Some(link) = &self.private_link {
            within("private_link.allowed_principals", link.allowed_principals.len(), 1, MAX_PRINCIPALS)?;
            distinct("private_link.allowed_principals", &link.allowed_principals)?;
        }
        if let Some(check) = &self.health_check {
            check.check()?;
        }
        if let Some(seconds) = self.deregistration_delay_seconds {
            within("deregistration_delay_seconds", seconds as usize, 0, 3600)?;
        }
        if let Some(seconds) = self.idle_timeout_seconds {
            within("idle_timeout_seconds", seconds as usize, 60, 6000)?;
        }
        Ok(())
    }
}

impl HealthCheck {
    /// Seconds without an answer that fail a check: what the order says, else AWS's default for the protocol, which
    /// must not be longer than the interval.
    pub fn timeout_seconds(&self) -> u32 {
        let default = if self.protocol == HealthCheckProtocol::Http { 6 } else { 10 };
        self.timeout_seconds.unwrap_or_else(|| default.min(self.interval_seconds))
    }

    fn check(&self) -> Result<(), String> {
        within("health_check.interval_seconds", self.interval_seconds as usize, 5, 300)?;
        within("health_check.healthy_threshold", self.healthy_threshold as usize, 2, 10)?;
        within("health_check.unhealthy_threshold", self.unhealthy_threshold as usize, 2, 10)?;
        if let Some(seconds) = self.timeout_seconds {
            within("health_check.timeout_seconds", seconds as usize, 2, 120)?;
            if seconds > self.interval_seconds {
                let interval = self.interval_seconds;
                return Err(format!(
                    "health_check.timeout_seconds must be at most the interval of {interval}, got {seconds}"
                ));
            }
        }
        if self.port == Some(0) {
            return Err("health_check.port must be 1 to 65535, got 0".to_owned());
        }
        match &self.path {
            Some(path) if self.protocol == HealthCheckProtocol::Tcp => {
                Err(format!("health_check.path is for http and https, got {path} with tcp"))
            }
            _ => Ok(()),
        }
    }
}
