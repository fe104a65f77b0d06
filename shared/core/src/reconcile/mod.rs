//! The pure core of provisioning and drift: what is desired, what is observed, and the steps between them.
//!
//! No I/O, no clock, no randomness. One wave of steps is applied, then all is observed again, so a plan holds only
//! steps whose ground is there already; [`effect`] says what a step does, which previews and tests stand on.

mod attest;
mod desired;
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
mod step;
mod survey;

use std::collections::BTreeSet;

use enclave_protocol::names::HostId;
use jiff::Timestamp;
use uuid::Uuid;

pub use attest::{HostEvidence, VolumeEvidence, attest, attest_rebuilt};
pub use desired::{Desired, DesiredLaunch, DesiredLoadBalancer, DesiredPrivateLink, UnwantedLoadBalancers};
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
pub use step::Step;
pub use survey::{Answers, Look, Questions, Report, ScheduledEvent, Surveyed, questions, survey};

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

#[cfg(test)]
mod tests;
