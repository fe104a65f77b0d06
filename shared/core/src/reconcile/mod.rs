//! The pure core of provisioning and drift: what is desired, what is observed, and the steps between them.
//!
//! No I/O, no clock, no randomness. One wave of steps is applied, then all is observed again, so a plan holds only
//! steps whose ground is there already; [`effect`] says what a step does, which previews and tests stand on.

mod attest;
mod effect;
mod effect_on_balancing;
mod hosts;
mod leftovers;
mod load_balancers;
mod names;
mod observed;
mod observed_balancing;
mod private_link;
mod rebuild;
mod settings;
mod survey;

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::{HostId, ImageId, PrincipalArn};
use enclave_protocol::request::{Endpoint, Scheme};
use jiff::Timestamp;
use uuid::Uuid;

pub use attest::{HostEvidence, VolumeEvidence, attest, attest_rebuilt};
pub use effect::{effect, preview};
pub use hosts::is_gone;
pub use leftovers::{Collection, Kept, Known, MAX_ATTEMPTS, RequestTrace, collect, is_leftover};
pub use names::{BalancerNames, target_group_name};
pub use observed::{
    InstanceState, Observed, ObservedHost, Reading, RootVolumeTask, RootVolumeTaskState, RootVolumeTasks,
};
pub use observed_balancing::{
    BalancerState, EndpointConnection, EndpointServiceState, ObservedBalancing, ObservedEndpointService,
    ObservedListener, ObservedLoadBalancer, ObservedTargetGroup,
};
pub use private_link::service_of;
pub use rebuild::DesiredRebuild;
pub use settings::{
    BalancerSecurity, BalancerSettings, DesiredSettings, HealthCheckSettings, ListenerSettings,
    TargetGroupSettings,
};
pub use survey::{Answers, Look, Questions, Report, ScheduledEvent, Surveyed, questions, survey};

use crate::creation::Pool;
use crate::tags::Owner;

/// What should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// Hosts to be launched.
    pub launches: Vec<DesiredLaunch>,
    /// Hosts that should be terminated.
    pub terminated: BTreeSet<HostId>,
    /// Hosts that should be rebuilt.
    pub rebuilds: Vec<DesiredRebuild>,
    /// Load balancers that should be exactly so.
    pub load_balancers: Vec<DesiredLoadBalancer>,
    /// Load balancers that should not be.
    pub without_load_balancer: BTreeSet<UnwantedLoadBalancers>,
}

/// Hosts that one request wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredLaunch {
    /// The request.
    pub request_id: Uuid,
    /// Whom the hosts serve.
    pub owner: Owner,
    /// How many it wants in all.
    pub count: u32,
    /// Those it launched, whatever became of them: none is replaced silently.
    pub launched: BTreeSet<HostId>,
    /// Pools in order of preference; those of equal preference together, to be shared evenly.
    pub pools: Vec<Vec<Pool>>,
    /// Pools without room, and until when that is believed.
    pub exhausted: BTreeMap<Pool, Timestamp>,
    /// Definite answers so far, for each pool: the next attempt's number.
    pub attempts: BTreeMap<Pool, u32>,
    /// The image to boot.
    pub image: ImageId,
}

/// A load balancer that should be exactly so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredLoadBalancer {
    /// Its name, from [`BalancerNames`].
    pub name: String,
    /// Whom it serves.
    pub owner: Owner,
    /// Who can reach it.
    pub scheme: Scheme,
    /// Its ports.
    pub endpoints: Vec<Endpoint>,
    /// The hosts behind it.
    pub targets: BTreeSet<HostId>,
    /// What can be changed in place.
    pub settings: DesiredSettings,
    /// Its endpoint service; none where it should have none.
    pub private_link: Option<DesiredPrivateLink>,
}

/// An endpoint service that should be exactly so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredPrivateLink {
    /// Who may connect.
    pub allowed_principals: BTreeSet<PrincipalArn>,
    /// Whether the tenant accepts each connection.
    pub acceptance_required: bool,
    /// The account of the service: its own endpoints need no permission and are left alone.
    pub own_account: String,
}

/// Load balancers that should not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnwantedLoadBalancers {
    /// Whose.
    pub owner: Owner,
    /// Only the one of this name; all of the owner's where there is none.
    pub name: Option<String>,
}

/// Bounds on one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most targets in one register or deregister call.
    pub targets_per_call: usize,
    /// Most instances in one terminate call.
    pub hosts_per_termination: usize,
    /// How many hosts may be destroyed now; none bounds it.
    pub destruction: Option<DestructionBudget>,
}

/// What is left of the tenant's destruction budget.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DestructionBudget {
    /// So many hosts more.
    pub remaining: usize,
    /// Hosts that were counted already: to terminate them again costs nothing.
    pub counted: BTreeSet<HostId>,
}

impl Default for Limits {
    /// 200 targets a call keep a change of 1000 well under the paced rate; `TerminateInstances` takes 1000 ids
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>).
    fn default() -> Self {
        Self { targets_per_call: 200, hosts_per_termination: 1000, destruction: None }
    }
}

/// What to do now, and what stands in the way of more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// One wave of steps; they do not depend on each other but for their order.
    pub steps: Vec<Step>,
    /// What was noticed.
    pub findings: Vec<Finding>,
}

impl Plan {
    /// Whether what is observed is what is desired: nothing to do and nothing to wait for.
    pub fn is_converged(&self) -> bool {
        self.steps.is_empty() && self.findings.is_empty()
    }
}

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

/// Something noticed while planning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A reading failed: nothing is decided from it.
    Unknown {
        /// What could not be read, and why.
        what: String,
    },
    /// Nothing to do but wait.
    Waiting {
        /// For what.
        on: String,
    },
    /// No pool has room.
    NoCapacity {
        /// The request that goes short.
        request_id: Uuid,
        /// By how many hosts.
        missing: u32,
    },
    /// The tenant's destruction budget holds hosts back.
    BudgetExceeded {
        /// How many.
        held_back: usize,
    },
    /// A name that should be ours belongs to something that is not.
    NameConflict {
        /// The name.
        name: String,
    },
}

/// The steps that turn what is observed into what is desired, as far as they can be taken now.
pub fn plan(desired: &Desired, observed: &Observed, limits: &Limits, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if !desired.launches.is_empty() || !desired.terminated.is_empty() {
        match &observed.hosts {
            Reading::Known(hosts) => hosts::plan(desired, hosts, limits, now, &mut plan),
            Reading::Unknown(why) => plan.findings.push(Finding::Unknown { what: format!("hosts: {why}") }),
        }
    }
    for rebuild in &desired.rebuilds {
        match (&observed.hosts, &observed.root_volume_tasks) {
            (Reading::Known(hosts), Reading::Known(tasks)) => rebuild::plan(rebuild, hosts, tasks, &mut plan),
            (Reading::Unknown(why), _) => {
                plan.findings.push(Finding::Unknown { what: format!("hosts: {why}") });
            }
            (_, Reading::Unknown(why)) => {
                plan.findings.push(Finding::Unknown { what: format!("root volume tasks: {why}") });
            }
        }
    }
    if !desired.load_balancers.is_empty() || !desired.without_load_balancer.is_empty() {
        match &observed.balancing {
            Reading::Known(balancing) => load_balancers::plan(desired, balancing, limits, &mut plan),
            Reading::Unknown(why) => {
                plan.findings.push(Finding::Unknown { what: format!("load balancers: {why}") });
            }
        }
    }
    plan
}

impl Step {
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

#[cfg(test)]
mod tests;
