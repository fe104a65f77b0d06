//! What should be there, by what was ordered and answered; and what is ordered next.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::code::Code;
use enclave_protocol::names::{HostId, ImageId, InstanceType};
use enclave_protocol::reply::{HostResult, HostState, RebuildState, Reply, Status};
use enclave_protocol::request::{Mode, Order};

use super::draw::Draw;
use crate::orders;
use crate::outside::{Owner, Wanted, WantedBalancer};

/// Clusters of one schedule.
const CLUSTERS: [&str; 2] = ["content", "search"];

/// Listener and target ports to draw endpoints from: two listeners share a target group.
const ENDPOINTS: [(u16, u16); 3] = [(443, 4443), (80, 4480), (8443, 4443)];

/// Makes one kind of order for a cluster, if there is something to order.
pub(super) struct Generator {
    /// Its name in a failing schedule's story.
    pub(super) name: &'static str,
    /// How often it is drawn, beside the others.
    pub(super) weight: u32,
    /// The order.
    pub(super) make: fn(&mut Draw, &Model, &str) -> Option<Order>,
}

/// Every kind of order. A further action is a further row here, and in [`Model::take`] what it changes, if it does.
pub(super) const GENERATORS: &[Generator] = &[
    Generator {
        name: "provision",
        weight: 4,
        make: |draw, model, cluster| Some(model.provision(draw, cluster)),
    },
    Generator {
        name: "deprovision",
        weight: 3,
        make: |draw, model, cluster| model.deprovision(draw, cluster),
    },
    Generator { name: "rebuild", weight: 2, make: |draw, model, cluster| model.rebuild(draw, cluster) },
    Generator { name: "configure", weight: 4, make: |draw, model, cluster| model.configure(draw, cluster) },
    Generator { name: "remove", weight: 2, make: |_, model, cluster| model.remove(cluster) },
    Generator { name: "describe", weight: 1, make: |_, _, _| Some(orders::describe()) },
];

/// One cluster as it should be.
#[derive(Debug, Clone, Default)]
struct Cluster {
    hosts: BTreeSet<HostId>,
    balancer: Option<WantedBalancer>,
}

/// Everything as it should be.
#[derive(Debug, Clone)]
pub(super) struct Model {
    images: Vec<ImageId>,
    instance_types: Vec<InstanceType>,
    /// Whether launches may get less than they ask for.
    scarce: bool,
    clusters: BTreeMap<String, Cluster>,
}

impl Model {
    /// Nothing yet; `scarce` where pools may be short of room.
    pub(super) fn new(images: Vec<ImageId>, instance_types: Vec<InstanceType>, scarce: bool) -> Self {
        let clusters = CLUSTERS.iter().map(|name| ((*name).to_owned(), Cluster::default())).collect();
        Self { images, instance_types, scarce, clusters }
    }

    /// Orders to be sent together: at most one that changes each cluster, and plans and questions beside them.
    pub(super) fn round(&self, draw: &mut Draw) -> Vec<(&'static str, Mode, Order)> {
        let mut orders = Vec::new();
        for cluster in self.clusters.keys() {
            if draw.chance(70) {
                orders.extend(self.drawn(draw, cluster).map(|(name, order)| (name, Mode::Apply, order)));
            }
            if draw.chance(15) {
                orders.extend(self.drawn(draw, cluster).map(|(name, order)| (name, Mode::Plan, order)));
            }
        }
        orders
    }

    /// Orders that remove what is there: first what stands before hosts, then hosts.
    pub(super) fn ends(&self) -> [Vec<(&'static str, Mode, Order)>; 2] {
        let removals = self.clusters.keys().filter_map(|cluster| self.remove(cluster));
        let hosts =
            self.clusters.iter().filter(|(_, cluster)| !cluster.hosts.is_empty()).map(|(name, cluster)| {
                let hosts: Vec<HostId> = cluster.hosts.iter().cloned().collect();
                orders::for_cluster(orders::deprovision_hosts(&hosts), name)
            });
        [
            removals.map(|order| ("remove", Mode::Apply, order)).collect(),
            hosts.map(|order| ("deprovision", Mode::Apply, order)).collect(),
        ]
    }

    /// What should exist.
    pub(super) fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for (name, cluster) in &self.clusters {
            let owner: Owner = (orders::application().to_string(), name.clone());
            wanted.hosts.extend(cluster.hosts.iter().map(|host| (host.to_string(), owner.clone())));
            wanted.balancers.extend(cluster.balancer.clone().map(|balancer| (owner, balancer)));
        }
        wanted
    }

    /// Takes the final reply to an order; says what is wrong with it.
    pub(super) fn take(&mut self, mode: Mode, order: &Order, reply: &Reply) -> Result<(), String> {
        let short = self.scarce
            && matches!(order, Order::ProvisionHosts(_))
            && (reply.status, reply.code) == (Status::Failed, Code::InsufficientCapacity);
        // What another order of the same round takes away cannot be planned with.
        let planned = mode == Mode::Plan;
        if reply.status != Status::Done && !short && !(planned && reply.status == Status::Rejected) {
            return Err(format!("ended as {:?} {}: {}", reply.status, reply.code, reply.message));
        }
        if planned {
            return Ok(());
        }
        let Some((_, cluster)) = order.application_and_cluster() else { return Ok(()) };
        let cluster = self.clusters.entry(cluster.to_string()).or_default();
        #[allow(
            clippy::match_wildcard_for_single_variants,
            reason = "a further action changes nothing here unless it says so"
        )]
        match order {
            Order::ProvisionHosts(order) => {
                let missing: u32 = reply.missing.iter().map(|missing| missing.count).sum();
                if reply.hosts.len() + missing as usize != order.count as usize {
                    let got = reply.hosts.len();
                    return Err(format!("{} asked for, {got} got and {missing} missing", order.count));
                }
                if let Some(host) = reply.hosts.iter().find(|host| host.state != HostState::Ready) {
                    return Err(format!("{} was handed over as {:?}", host.host_id, host.state));
                }
                cluster.hosts.extend(reply.hosts.iter().map(|host| host.host_id.clone()));
            }
            Order::DeprovisionHosts(order) => cluster.hosts.retain(|host| !order.host_ids.contains(host)),
            Order::ConfigureLoadBalancer(order) => {
                let ports = order.endpoints.iter().map(|it| (i32::from(it.port), i32::from(it.target_port)));
                cluster.balancer = Some(WantedBalancer {
                    endpoints: ports.collect(),
                    targets: order.targets.iter().map(ToString::to_string).collect(),
                });
            }
            Order::RemoveLoadBalancer(_) => cluster.balancer = None,
            Order::RebuildHosts(order) => {
                let rebuilt = |host: &&HostResult| host.rebuild == Some(RebuildState::Rebuilt);
                if reply.hosts.iter().filter(rebuilt).count() != order.host_ids.len() {
                    return Err(format!("not all were rebuilt: {:?}", reply.hosts));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn drawn(&self, draw: &mut Draw, cluster: &str) -> Option<(&'static str, Order)> {
        let mut rest = draw.below(GENERATORS.iter().map(|generator| generator.weight).sum());
        let generator = GENERATORS.iter().find(|generator| {
            let here = rest < generator.weight;
            rest = rest.saturating_sub(generator.weight);
            here
        })?;
        // Where there is nothing to take away or to stand before, something is made.
        match (generator.make)(draw, self, cluster) {
            Some(order) => Some((generator.name, order)),
            None => Some(("provision", self.provision(draw, cluster))),
        }
    }

    fn provision(&self, draw: &mut Draw, cluster: &str) -> Order {
        let mut order =
            orders::for_cluster(orders::provision_hosts(1 + draw.below(3), draw.one(&self.images)), cluster);
        if let Order::ProvisionHosts(order) = &mut order {
            order.instance_types.clone_from(&self.instance_types);
        }
        order
    }

    /// Some hosts that no balancer has as targets.
    fn deprovision(&self, draw: &mut Draw, cluster: &str) -> Option<Order> {
        let cluster_now = self.clusters.get(cluster)?;
        let is_target = |host: &HostId| {
            cluster_now.balancer.as_ref().is_some_and(|balancer| balancer.targets.contains(host.as_str()))
        };
        let free: Vec<HostId> = cluster_now.hosts.iter().filter(|host| !is_target(host)).cloned().collect();
        let count = 1 + draw.below(u32::try_from(free.len()).ok().filter(|count| *count > 0)?);
        Some(orders::for_cluster(orders::deprovision_hosts(&free[..count as usize]), cluster))
    }

    /// Some hosts, two at a time, so that the schedule stays short.
    fn rebuild(&self, draw: &mut Draw, cluster: &str) -> Option<Order> {
        let hosts: Vec<HostId> = self.clusters.get(cluster)?.hosts.iter().cloned().collect();
        let count = 1 + draw.below(u32::try_from(hosts.len()).ok().filter(|count| *count > 0)?);
        let order = orders::rebuild_hosts(&hosts[..count as usize], draw.one(&self.images), Some(2));
        Some(orders::for_cluster(order, cluster))
    }

    fn configure(&self, draw: &mut Draw, cluster: &str) -> Option<Order> {
        let hosts: Vec<HostId> = self.clusters.get(cluster)?.hosts.iter().cloned().collect();
        if hosts.is_empty() {
            return None;
        }
        let first = draw.below(2) as usize;
        let endpoints = &ENDPOINTS[first..=first + draw.below(2) as usize];
        let targets: Vec<HostId> = hosts.into_iter().filter(|_| draw.chance(75)).collect();
        Some(orders::for_cluster(orders::configure_load_balancer(endpoints, &targets), cluster))
    }

    fn remove(&self, cluster: &str) -> Option<Order> {
        self.clusters.get(cluster)?.balancer.as_ref()?;
        Some(orders::for_cluster(orders::remove_load_balancer(), cluster))
    }
}
