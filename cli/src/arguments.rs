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
mod tests {
    use clap::CommandFactory;
    use serde_json::{Value, json};

    use super::*;

    fn parsed(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    fn order(line: &str) -> Value {
        let Command::Request(request) = parsed(line).unwrap().command else { panic!("{line}") };
        serde_json::to_value(request.order()).unwrap()
    }

    const CLUSTER: &str = "--application acme.shop.default --cluster content";

    #[test]
    fn the_commands_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn each_action_stands_for_its_order() {
        let provision = format!(
            "enclavectl --enclave r.json request provision-hosts {CLUSTER} --count 3 --instance-type m7g.large \
             --instance-type m6g.large --image ami-0123456789abcdef0 --mode plan --json"
        );
        assert_eq!(
            order(&provision),
            json!({
                "action": "provision_hosts", "application": "acme.shop.default", "cluster": "content", "count": 3,
                "instance_types": ["m7g.large", "m6g.large"], "image": "ami-0123456789abcdef0",
            })
        );
        let needs = "--vcpu 4 --memory-gib 16 --disk-gb 100 --architecture arm64";
        let sized = format!(
            "enclavectl request provision-hosts {CLUSTER} --count 3 {needs} --image ami-0123456789abcdef0"
        );
        assert_eq!(
            order(&sized),
            json!({
                "action": "provision_hosts", "application": "acme.shop.default", "cluster": "content", "count": 3,
                "resources": {"vcpu": 4, "memory_gib": 16, "disk_gb": 100, "architecture": "arm64"},
                "image": "ami-0123456789abcdef0",
            })
        );
        assert!(parsed(&format!("{sized} --instance-type m7g.large")).is_err(), "types and resources");
        assert!(parsed(&sized.replace("--disk-gb 100", "")).is_err(), "half of the resources");
        let zones = format!("{provision} --availability-zone us-east-1a --availability-zone us-east-1b");
        assert_eq!(order(&zones)["availability_zones"], json!(["us-east-1a", "us-east-1b"]));
        assert_eq!(
            order(&format!("enclavectl request deprovision-hosts {CLUSTER} --host-id i-01234567")),
            json!({
                "action": "deprovision_hosts", "application": "acme.shop.default", "cluster": "content",
                "host_ids": ["i-01234567"],
            })
        );
        assert_eq!(
            order(&format!(
                "enclavectl request configure-load-balancer {CLUSTER} --endpoint 443:8443 --endpoint 80:8080/tcp \
                 --target i-01234567"
            )),
            json!({
                "action": "configure_load_balancer", "application": "acme.shop.default", "cluster": "content",
                "endpoints": [
                    { "port": 443, "protocol": "tcp", "target_port": 8443 },
                    { "port": 80, "protocol": "tcp", "target_port": 8080 },
                ],
                "scheme": "public", "targets": ["i-01234567"],
            })
        );
        let remove = format!("enclavectl request remove-load-balancer {CLUSTER}");
        assert_eq!(order(&remove)["action"], "remove_load_balancer");
        assert_eq!(order(&remove).get("name"), None);
        assert_eq!(order(&format!("{remove} --name enc-0a1b2c-0123"))["name"], "enc-0a1b2c-0123");
        let rebuild = format!(
            "enclavectl request rebuild-hosts {CLUSTER} --host-id i-01234567 --host-id i-00000001 --image ami-01234567"
        );
        assert_eq!(
            order(&rebuild),
            json!({
                "action": "rebuild_hosts", "application": "acme.shop.default", "cluster": "content",
                "host_ids": ["i-01234567", "i-00000001"], "image": "ami-01234567",
            })
        );
        assert_eq!(order(&format!("{rebuild} --at-a-time 3"))["at_a_time"], 3);
        assert_eq!(order("enclavectl request describe"), json!({ "action": "describe" }));
        assert_eq!(order("enclavectl request describe --after i-01234567")["after"], "i-01234567");
    }

    #[test]
    fn options_are_read_before_and_after_the_action() {
        for line in [
            "enclavectl --enclave r.json --json request --mode plan --deadline-seconds 90 describe",
            "enclavectl request describe --mode plan --deadline-seconds 90 --enclave r.json --json",
        ] {
            let arguments = parsed(line).unwrap();
            assert!(arguments.json);
            assert_eq!(arguments.enclave, Some("r.json".into()));
            let Command::Request(request) = arguments.command else { panic!("{line}") };
            assert_eq!(request.mode(), Mode::Plan);
            assert_eq!(request.deadline_seconds, Some(90));
            assert_eq!(request.wait_seconds(), 150);
        }
        let Command::Request(request) = parsed("enclavectl request describe").unwrap().command else {
            panic!()
        };
        assert_eq!((request.mode(), request.wait_seconds()), (Mode::Apply, 1860));
        let Command::Request(request) =
            parsed("enclavectl request describe --wait-seconds 5").unwrap().command
        else {
            panic!()
        };
        assert_eq!(request.wait_seconds(), 5);
    }

    #[test]
    fn wrong_arguments_are_named() {
        let provision = format!(
            "enclavectl request provision-hosts {CLUSTER} --instance-type m7g.large --image ami-01234567 --count"
        );
        for (line, needle) in [
            (format!("{provision} 0"), "0 is not in 1..=1000"),
            (format!("{provision} 1001"), "1001 is not in 1..=1000"),
            (
                "enclavectl request deprovision-hosts --application acme --cluster c --host-id i-1"
                    .to_owned(),
                "\"acme\"",
            ),
            (format!("enclavectl request deprovision-hosts {CLUSTER}"), "--host-id"),
            (
                format!(
                    "enclavectl request rebuild-hosts {CLUSTER} --host-id i-01234567 --image ami-01234567 --at-a-time 101"
                ),
                "101 is not in 1..=100",
            ),
            (
                format!("enclavectl request configure-load-balancer {CLUSTER} --endpoint 443"),
                "PORT:TARGET_PORT",
            ),
            (
                format!(
                    "enclavectl request configure-load-balancer {CLUSTER} --endpoint 1:2 --private-link *"
                ),
                "\"*\"",
            ),
            (format!("enclavectl request remove-load-balancer {CLUSTER} --name a_b"), "\"a_b\""),
            ("enclavectl request describe --mode dry-run".to_owned(), "dry-run"),
            ("enclavectl request describe --deadline-seconds 0".to_owned(), "0 is not in"),
            ("enclavectl watch --wait-seconds 0".to_owned(), "0 is not in"),
            ("enclavectl freeze --who me".to_owned(), "--why"),
            ("enclavectl freeze --who me --why x --until tomorrow".to_owned(), "tomorrow"),
        ] {
            let refused = parsed(&line).unwrap_err();
            assert!(refused.use_stderr());
            assert!(refused.to_string().contains(needle), "{line}: {refused}");
        }
        assert!(!parsed("enclavectl --help").unwrap_err().use_stderr());
    }

    #[test]
    fn help_lists_the_exit_codes() {
        for line in ["enclavectl --help", "enclavectl request --help", "enclavectl -h"] {
            let help = parsed(line).unwrap_err().to_string();
            assert!(help.contains("4  no final reply in time"), "{help}");
        }
    }
}
