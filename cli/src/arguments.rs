//! The arguments, and the orders they stand for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use enclave_protocol::names::{
    ApplicationId, AvailabilityZone, ClusterId, HostId, ImageId, InstanceType, LoadBalancerName,
};
use enclave_protocol::request::{
    Architecture, DEFAULT_DEADLINE_SECONDS, DeprovisionHosts, Describe, Mode, Order, ProvisionHosts,
    RebuildHosts, RemoveLoadBalancer, Resources,
};
use jiff::Timestamp;

use crate::balancing::BalancerArguments;

/// Seconds after a request's deadline in which its final reply should have come.
const SECONDS_AFTER_DEADLINE: u64 = 60;

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  error: wrong arguments, or a file, key, queue or bucket that cannot be used
  2  rejected: the enclave refused the request, nothing was changed
  3  failed: the request ended short of the order, the reply says what exists
  4  no final reply in time: the request may still be carried out";

/// Gives orders to an enclave, and lets its tenant freeze changes.
#[derive(Debug, Parser)]
#[command(name = "enclavectl", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// The file that describes the enclave (its queues, buckets and keys)
    #[arg(long, global = true, env = "ENCLAVE", value_name = "READY.json")]
    pub(crate) enclave: Option<PathBuf>,
    /// Print the answer as one JSON object
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Operator: sign a request, send it and follow it to its final reply
    #[command(after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
    Request(RequestArguments),
    /// Operator: show what the enclave tells of its hosts without being asked, and take it off the queue
    Watch(WatchArguments),
    /// Tenant: stop all changes from the next one on
    Freeze(FreezeArguments),
    /// Tenant: let changes go on
    Unfreeze,
}

#[derive(Debug, Args)]
pub(crate) struct RequestArguments {
    /// Whether to act, or only to be told what would be done
    #[arg(long, global = true, value_enum, default_value = "apply")]
    mode: ModeName,
    /// Seconds the enclave has to finish [default: 1800]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) deadline_seconds: Option<u32>,
    /// Seconds to wait for the final reply [default: the deadline and 60]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=172_800))]
    wait_seconds: Option<u64>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ModeName {
    /// Do it
    Apply,
    /// Reply with the steps and change nothing
    Plan,
}

/// What each host needs, instead of instance types
#[derive(Debug, Args)]
#[group(conflicts_with = "instance_types")]
struct ResourceArguments {
    /// Virtual processors of each host, instead of instance types
    #[arg(long, value_name = "N", requires_all = ["memory_gib", "disk_gb", "architecture"])]
    vcpu: u32,
    /// Memory of each host in GiB
    #[arg(long, value_name = "GIB", requires = "vcpu")]
    memory_gib: u32,
    /// Disk of each host in GB
    #[arg(long, value_name = "GB", requires = "vcpu")]
    disk_gb: u32,
    /// What the image is built for
    #[arg(long, value_name = "NAME", requires = "vcpu")]
    architecture: ArchitectureName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ArchitectureName {
    /// 64-bit Arm
    Arm64,
    /// 64-bit x86
    #[value(name = "x86_64")]
    X86_64,
}

impl ResourceArguments {
    fn resources(self) -> Resources {
        Resources {
            vcpu: self.vcpu,
            memory_gib: self.memory_gib,
            disk_gb: self.disk_gb,
            architecture: match self.architecture {
                ArchitectureName::Arm64 => Architecture::Arm64,
                ArchitectureName::X86_64 => Architecture::X86_64,
            },
        }
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Launch hosts for a cluster
    ProvisionHosts {
        #[command(flatten)]
        cluster: ClusterArguments,
        /// How many hosts
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// Instance type; several in order of preference
        #[arg(long = "instance-type", value_name = "TYPE", required_unless_present = "vcpu")]
        instance_types: Vec<InstanceType>,
        #[command(flatten)]
        resources: Option<ResourceArguments>,
        /// Image to boot, one of the tenant's list
        #[arg(long, value_name = "AMI")]
        image: ImageId,
        /// Availability zone to use; all of the zone's where none is named
        #[arg(long = "availability-zone", value_name = "AZ")]
        availability_zones: Vec<AvailabilityZone>,
    },
    /// Terminate hosts of a cluster
    DeprovisionHosts {
        #[command(flatten)]
        cluster: ClusterArguments,
        /// Host to terminate
        #[arg(long = "host-id", value_name = "i-...", required = true)]
        host_ids: Vec<HostId>,
    },
    /// Replace the root volumes of a cluster's hosts in place, a few at a time
    RebuildHosts {
        #[command(flatten)]
        cluster: ClusterArguments,
        /// Host to rebuild; several in the order in which they are rebuilt
        #[arg(long = "host-id", value_name = "i-...", required = true)]
        host_ids: Vec<HostId>,
        /// Image to boot, one of the tenant's list
        #[arg(long, value_name = "AMI")]
        image: ImageId,
        /// How many hosts at a time [default: 1]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
        at_a_time: Option<u32>,
    },
    /// Create or converge a cluster's load balancer
    ConfigureLoadBalancer {
        #[command(flatten)]
        cluster: ClusterArguments,
        #[command(flatten)]
        balancer: Box<BalancerArguments>,
    },
    /// Remove a cluster's load balancers with all that belongs to them
    RemoveLoadBalancer {
        #[command(flatten)]
        cluster: ClusterArguments,
        /// Only this one, such as one that a newer one superseded
        #[arg(long, value_name = "NAME")]
        name: Option<LoadBalancerName>,
    },
    /// Say what there is
    Describe {
        /// Continue after this host
        #[arg(long, value_name = "i-...")]
        after: Option<HostId>,
    },
}

#[derive(Debug, Args)]
struct ClusterArguments {
    /// The application: tenant.application.instance
    #[arg(long, value_name = "NAME")]
    application: ApplicationId,
    /// The cluster in it
    #[arg(long, value_name = "NAME")]
    cluster: ClusterId,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Seconds to watch; without end where none are named
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub(crate) wait_seconds: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct FreezeArguments {
    /// Why, for those who meet the freeze
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    /// Who freezes
    #[arg(long, env = "USER", value_name = "NAME")]
    pub(crate) who: String,
    /// When it is meant to be lifted, e.g. 2030-01-31T12:00:00Z; nothing thaws by itself
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Timestamp>,
}

impl RequestArguments {
    /// Whether to act.
    pub(crate) fn mode(&self) -> Mode {
        match self.mode {
            ModeName::Apply => Mode::Apply,
            ModeName::Plan => Mode::Plan,
        }
    }

    /// Seconds to wait for the final reply.
    pub(crate) fn wait_seconds(&self) -> u64 {
        let deadline = u64::from(self.deadline_seconds.unwrap_or(DEFAULT_DEADLINE_SECONDS));
        self.wait_seconds.unwrap_or(deadline + SECONDS_AFTER_DEADLINE)
    }

    /// The order that the arguments stand for.
    pub(crate) fn order(self) -> Order {
        match self.action {
            Action::ProvisionHosts {
                cluster,
                count,
                instance_types,
                resources,
                image,
                availability_zones,
            } => Order::ProvisionHosts(ProvisionHosts {
                application: cluster.application,
                cluster: cluster.cluster,
                count,
                instance_types,
                resources: resources.map(ResourceArguments::resources),
                image,
                availability_zones: (!availability_zones.is_empty()).then_some(availability_zones),
            }),
            Action::DeprovisionHosts { cluster, host_ids } => Order::DeprovisionHosts(DeprovisionHosts {
                application: cluster.application,
                cluster: cluster.cluster,
                host_ids,
            }),
            Action::RebuildHosts { cluster, host_ids, image, at_a_time } => {
                Order::RebuildHosts(RebuildHosts {
                    application: cluster.application,
                    cluster: cluster.cluster,
                    host_ids,
                    image,
                    at_a_time,
                })
            }
            Action::ConfigureLoadBalancer { cluster, balancer } => {
                Order::ConfigureLoadBalancer(balancer.order(cluster.application, cluster.cluster))
            }
            Action::RemoveLoadBalancer { cluster, name } => Order::RemoveLoadBalancer(RemoveLoadBalancer {
                application: cluster.application,
                cluster: cluster.cluster,
                name,
            }),
            Action::Describe { after } => Order::Describe(Describe { after }),
        }
    }
}

#[cfg(test)]
mod tests;
