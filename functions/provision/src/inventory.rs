//! `describe`: what there is in the zone, as seen in the account.

use std::collections::BTreeSet;

use enclave_core::reconcile::{Observed, ObservedBalancing, ObservedLoadBalancer, Reading};
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{
    Inventory, InventoryHost, InventoryLoadBalancer, LoadBalancerResult, MAX_INVENTORY_HOSTS,
};
use enclave_protocol::request::{ActionName, Describe, Endpoint, EndpointProtocol, REQUEST_PAYLOAD_TYPE};

use crate::result::{host_state, load_balancer_state};
use crate::tenant::Rules;

/// The inventory after `order.after`. Hosts that have ended are not part of it.
pub(crate) fn inventory(order: &Describe, observed: &Observed, rules: &Rules) -> Inventory {
    let mut hosts: Vec<InventoryHost> = match &observed.hosts {
        Reading::Unknown(_) => Vec::new(),
        Reading::Known(hosts) => hosts
            .iter()
            .filter(|(id, host)| host.state.is_live() && order.after.as_ref().is_none_or(|after| *id > after))
            .take(MAX_INVENTORY_HOSTS + 1)
            .map(|(id, host)| InventoryHost {
                application: host.owner.application.clone(),
                cluster: host.owner.cluster.clone(),
                host_id: id.clone(),
                state: host_state(host.state),
                instance_type: host.instance_type.clone(),
                availability_zone: host.availability_zone.clone(),
                image: host.image.clone(),
                ipv6_address: host.primary_ipv6,
            })
            .collect(),
    };
    let truncated = hosts.len() > MAX_INVENTORY_HOSTS;
    hosts.truncate(MAX_INVENTORY_HOSTS);
    Inventory {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        payload_types: vec![REQUEST_PAYLOAD_TYPE.to_owned()],
        actions: ActionName::ALL.to_vec(),
        images: rules.images(),
        hosts,
        load_balancers: match &observed.balancing {
            Reading::Unknown(_) => Vec::new(),
            Reading::Known(balancing) => {
                let balancers = balancing.load_balancers.iter();
                balancers.filter_map(|(name, balancer)| listed(name, balancer, balancing)).collect()
            }
        },
        truncated,
    }
}

fn listed(
    name: &str,
    balancer: &ObservedLoadBalancer,
    balancing: &ObservedBalancing,
) -> Option<InventoryLoadBalancer> {
    let owner = balancer.owner.clone()?;
    let mut targets: BTreeSet<HostId> = BTreeSet::new();
    let mut endpoints = Vec::new();
    for (port, listener) in &balancer.listeners {
        let group = listener.target_group.as_ref().and_then(|name| balancing.target_groups.get(name));
        if let Some(group) = group {
            targets.extend(group.targets.iter().cloned());
            endpoints.push(Endpoint {
                port: *port,
                protocol: EndpointProtocol::Tcp,
                target_port: group.port,
            });
        }
    }
    Some(InventoryLoadBalancer {
        application: owner.application,
        cluster: owner.cluster,
        load_balancer: LoadBalancerResult {
            name: name.to_owned(),
            arn: Some(balancer.arn.clone()),
            dns_name: Some(balancer.dns_name.clone()),
            state: load_balancer_state(balancer.state),
            scheme: balancer.scheme?,
            endpoints,
            targets: targets.into_iter().collect(),
        },
    })
}
