//! The steps of a plan.

use enclave_protocol::names::{HostId, ImageId, PrincipalArn};
use enclave_protocol::request::Scheme;
use uuid::Uuid;

use super::{BalancerSecurity, BalancerSettings, HealthCheckSettings, ListenerSettings, TargetGroupSettings};
use crate::creation::Pool;
use crate::tags::Owner;

/// One change, named logically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Launch up to `count` hosts from a pool.
    Launch {
        /// The request they are for.
        request_id: Uuid,
        /// Whom they serve.
        owner: Owner,
        /// Where from.
        pool: Pool,
        /// Grows with every definite answer of this pool.
        attempt: u32,
        /// At most so many, at least one.
        count: u32,
        /// What they boot.
        image: ImageId,
    },
    /// Terminate hosts.
    Terminate {
        /// Which.
        hosts: Vec<HostId>,
    },
    /// Replace the root volume of a host.
    ReplaceRootVolume {
        /// The request it is for.
        request_id: Uuid,
        /// Whom the host serves.
        owner: Owner,
        /// The host.
        host: HostId,
        /// Grows with every definite answer for this host.
        attempt: u32,
        /// What it boots.
        image: ImageId,
    },
    /// Create a target group.
    CreateTargetGroup {
        /// Its name.
        name: String,
        /// Whom it serves.
        owner: Owner,
        /// The balancer it is for.
        balancer: String,
        /// The hosts' port.
        port: u16,
    },
    /// Create a load balancer.
    CreateBalancer {
        /// Its name.
        name: String,
        /// Whom it serves.
        owner: Owner,
        /// Who can reach it.
        scheme: Scheme,
    },
    /// Make a target group's attributes what they should be.
    ConfigureTargetGroup {
        /// Its name.
        name: String,
        /// What they should be.
        settings: TargetGroupSettings,
    },
    /// Make a target group's health check what it should be.
    ConfigureHealthCheck {
        /// The target group.
        target_group: String,
        /// What it should be.
        check: HealthCheckSettings,
    },
    /// Make a balancer's attributes what they should be.
    ConfigureBalancer {
        /// Its name.
        name: String,
        /// What they should be.
        settings: BalancerSettings,
    },
    /// Make a balancer's security groups what they should be, and when they hold.
    SecureBalancer {
        /// Its name.
        name: String,
        /// What they should be.
        security: BalancerSecurity,
    },
    /// Create a listener.
    CreateListener {
        /// The balancer.
        balancer: String,
        /// Whom it serves.
        owner: Owner,
        /// The port.
        port: u16,
        /// Where it forwards to.
        target_group: String,
    },
    /// Point a listener at another target group.
    PointListener {
        /// The balancer.
        balancer: String,
        /// The port.
        port: u16,
        /// Where it should forward to.
        target_group: String,
    },
    /// Make a listener's attributes what they should be.
    ConfigureListener {
        /// The balancer.
        balancer: String,
        /// The port.
        port: u16,
        /// What they should be.
        settings: ListenerSettings,
    },
    /// Put hosts behind a target group.
    RegisterTargets {
        /// The target group.
        target_group: String,
        /// Which hosts.
        hosts: Vec<HostId>,
    },
    /// Take hosts from a target group.
    DeregisterTargets {
        /// The target group.
        target_group: String,
        /// Which hosts.
        hosts: Vec<HostId>,
    },
    /// Delete a listener.
    DeleteListener {
        /// The balancer.
        balancer: String,
        /// The port.
        port: u16,
    },
    /// Delete a load balancer.
    DeleteBalancer {
        /// Its name.
        name: String,
    },
    /// Delete a target group.
    DeleteTargetGroup {
        /// Its name.
        name: String,
    },
    /// Create an endpoint service, reached by IPv4 and IPv6.
    CreateEndpointService {
        /// The balancer behind it.
        balancer: String,
        /// Whom it serves.
        owner: Owner,
        /// Whether the tenant accepts each connection.
        acceptance_required: bool,
    },
    /// Make an endpoint service's settings what they should be.
    ConfigureEndpointService {
        /// Its id.
        service: String,
        /// Whether the tenant accepts each connection.
        acceptance_required: bool,
        /// IP address types to reach it by from now on.
        add_ip_address_types: Vec<String>,
    },
    /// Change who may connect to an endpoint service.
    ChangePrincipals {
        /// Its id.
        service: String,
        /// Who may from now on.
        add: Vec<PrincipalArn>,
        /// Who may no longer, as AWS says it.
        remove: Vec<String>,
    },
    /// Reject connections to an endpoint service, open ones and those that wait to be accepted.
    RejectConnections {
        /// Its id.
        service: String,
        /// The endpoints.
        endpoints: Vec<String>,
    },
    /// Delete an endpoint service.
    DeleteEndpointService {
        /// Its id.
        service: String,
    },
}

impl Step {
    /// Whether it makes something that AWS would make again: its call stands in the ledger before it is made.
    pub fn creates(&self) -> bool {
        matches!(
            self,
            Self::Launch { .. }
                | Self::ReplaceRootVolume { .. }
                | Self::CreateTargetGroup { .. }
                | Self::CreateBalancer { .. }
                | Self::CreateListener { .. }
                | Self::CreateEndpointService { .. }
        )
    }

    /// What kind of step, as it stands in previews, logs and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Launch { .. } => "launch",
            Self::Terminate { .. } => "terminate",
            Self::ReplaceRootVolume { .. } => "replace_root_volume",
            Self::CreateTargetGroup { .. } => "create_target_group",
            Self::CreateBalancer { .. } => "create_load_balancer",
            Self::ConfigureTargetGroup { .. } => "configure_target_group",
            Self::ConfigureBalancer { .. } => "configure_load_balancer",
            Self::CreateListener { .. } => "create_listener",
            Self::PointListener { .. } => "point_listener",
            Self::ConfigureListener { .. } => "configure_listener",
            Self::RegisterTargets { .. } => "register_targets",
            Self::DeregisterTargets { .. } => "deregister_targets",
            Self::DeleteListener { .. } => "delete_listener",
            Self::DeleteBalancer { .. } => "delete_load_balancer",
            Self::DeleteTargetGroup { .. } => "delete_target_group",
            Self::ConfigureHealthCheck { .. } => "configure_health_check",
            Self::SecureBalancer { .. } => "secure_load_balancer",
            Self::CreateEndpointService { .. } => "create_endpoint_service",
            Self::ConfigureEndpointService { .. } => "configure_endpoint_service",
            Self::ChangePrincipals { .. } => "change_principals",
            Self::RejectConnections { .. } => "reject_connections",
            Self::DeleteEndpointService { .. } => "delete_endpoint_service",
        }
    }

    /// One sentence for people.
    pub fn summary(&self) -> String {
        match self {
            Self::Launch { pool, count, image, .. } => format!("launch {count} × {pool} from {image}"),
            Self::Terminate { hosts } => format!("terminate {}", list(hosts)),
            Self::ReplaceRootVolume { host, image, .. } => {
                format!("replace the root volume of {host} from {image}")
            }
            Self::CreateTargetGroup { name, port, .. } => {
                format!("create target group {name} for port {port}")
            }
            Self::CreateBalancer { name, .. } => format!("create network load balancer {name}"),
            Self::ConfigureTargetGroup { name, .. } => format!("set the attributes of target group {name}"),
            Self::ConfigureBalancer { name, .. } => format!("set the attributes of load balancer {name}"),
            Self::CreateListener { balancer, port, target_group, .. } => {
                format!("listen on port {port} of {balancer}, forwarding to {target_group}")
            }
            Self::PointListener { balancer, port, target_group } => {
                format!("forward port {port} of {balancer} to {target_group}")
            }
            Self::ConfigureListener { balancer, port, .. } => {
                format!("set the attributes of port {port} of {balancer}")
            }
            Self::RegisterTargets { target_group, hosts } => {
                format!("put {} behind {target_group}", list(hosts))
            }
            Self::DeregisterTargets { target_group, hosts } => {
                format!("take {} from {target_group}", list(hosts))
            }
            Self::DeleteListener { balancer, port } => format!("stop listening on port {port} of {balancer}"),
            Self::DeleteBalancer { name } => format!("delete load balancer {name}"),
            Self::DeleteTargetGroup { name } => format!("delete target group {name}"),
            Self::ConfigureHealthCheck { target_group, .. } => {
                format!("set the health check of {target_group}")
            }
            Self::SecureBalancer { name, .. } => {
                format!("set the security groups of load balancer {name}, PrivateLink included")
            }
            Self::CreateEndpointService { balancer, acceptance_required, .. } => {
                let accepted = if *acceptance_required {
                    "each connection accepted by hand"
                } else {
                    "connections accepted at once"
                };
                format!("create an endpoint service before {balancer}, {accepted}")
            }
            Self::ConfigureEndpointService { service, .. } => format!("set the settings of {service}"),
            Self::ChangePrincipals { service, add, remove } => {
                format!(
                    "let {} more principals connect to {service} and {} no longer",
                    add.len(),
                    remove.len()
                )
            }
            Self::RejectConnections { service, endpoints } => {
                format!("reject {} connections to {service}", endpoints.len())
            }
            Self::DeleteEndpointService { service } => format!("delete endpoint service {service}"),
        }
    }
}

fn list(hosts: &[HostId]) -> String {
    match hosts {
        [one] => one.to_string(),
        [first, .., last] => format!("{} hosts ({first} … {last})", hosts.len()),
        [] => "no host".to_owned(),
    }
}
