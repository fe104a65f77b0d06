//! Orders for one cluster of the local enclave's tenant, in short.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "the names are constants of this file, and right"
)]

use enclave_protocol::names::{ApplicationId, ClusterId, HostId, ImageId};
use enclave_protocol::request::{
    ConfigureLoadBalancer, DeprovisionHosts, Describe, Endpoint, EndpointProtocol, Order, PrivateLink,
    ProvisionHosts, RebuildHosts, RemoveLoadBalancer, Scheme,
};

/// The application that all orders are about.
pub fn application() -> ApplicationId {
    "acme.shop.default".parse().expect("an application")
}

/// The cluster that all orders are about.
pub fn cluster() -> ClusterId {
    "content".parse().expect("a cluster")
}

/// So many hosts of one type, in any availability zone.
pub fn provision_hosts(count: u32, image: &ImageId) -> Order {
    Order::ProvisionHosts(ProvisionHosts {
        application: application(),
        cluster: cluster(),
        count,
        instance_types: vec!["m7g.large".parse().expect("an instance type")],
        resources: None,
        image: image.clone(),
        availability_zones: None,
    })
}

/// An end to these hosts.
pub fn deprovision_hosts(hosts: &[HostId]) -> Order {
    Order::DeprovisionHosts(DeprovisionHosts {
        application: application(),
        cluster: cluster(),
        host_ids: hosts.to_vec(),
    })
}

/// These hosts from another image, so many at a time; one at a time where nothing is said.
pub fn rebuild_hosts(hosts: &[HostId], image: &ImageId, at_a_time: Option<u32>) -> Order {
    Order::RebuildHosts(RebuildHosts {
        application: application(),
        cluster: cluster(),
        host_ids: hosts.to_vec(),
        image: image.clone(),
        at_a_time,
    })
}

/// A public load balancer with these (port, target port) pairs in front of these hosts.
pub fn configure_load_balancer(endpoints: &[(u16, u16)], targets: &[HostId]) -> Order {
    let endpoints = endpoints.iter().map(|(port, target_port)| endpoint(*port, *target_port)).collect();
    balancer(endpoints, targets, |_| ())
}

/// A TCP port that leads to a port of the hosts.
pub fn endpoint(port: u16, target_port: u16) -> Endpoint {
    Endpoint { port, protocol: EndpointProtocol::Tcp, target_port }
}

/// A private load balancer like that, to which one other account may connect through `PrivateLink`.
pub fn configure_linked_load_balancer(endpoints: &[(u16, u16)], targets: &[HostId]) -> Order {
    let endpoints = endpoints.iter().map(|(port, target_port)| endpoint(*port, *target_port)).collect();
    balancer(endpoints, targets, |order| {
        order.scheme = Scheme::Private;
        order.private_link = Some(PrivateLink {
            allowed_principals: vec!["arn:aws:iam::111111111111:root".parse().expect("a principal")],
            acceptance_required: false,
        });
    })
}

/// A public load balancer with these endpoints in front of these hosts, with a change.
pub fn balancer(
    endpoints: Vec<Endpoint>,
    targets: &[HostId],
    change: impl FnOnce(&mut ConfigureLoadBalancer),
) -> Order {
    let mut order =
        ConfigureLoadBalancer::new(application(), cluster(), Scheme::Public, endpoints, targets.to_vec());
    change(&mut order);
    Order::ConfigureLoadBalancer(order)
}

/// No load balancer.
pub fn remove_load_balancer() -> Order {
    Order::RemoveLoadBalancer(RemoveLoadBalancer {
        application: application(),
        cluster: cluster(),
        name: None,
    })
}

/// Not this load balancer.
pub fn remove_load_balancer_named(name: &str) -> Order {
    Order::RemoveLoadBalancer(RemoveLoadBalancer {
        application: application(),
        cluster: cluster(),
        name: Some(name.parse().expect("a load balancer's name")),
    })
}

/// The first page of the inventory.
pub fn describe() -> Order {
    Order::Describe(Describe::default())
}

/// The same order about another cluster; one that is about none stays as it is.
#[must_use]
pub fn for_cluster(order: Order, cluster: &str) -> Order {
    let mut wire = serde_json::to_value(&order).expect("an order is JSON");
    if order.application_and_cluster().is_none() {
        return order;
    }
    wire["cluster"] = cluster.into();
    serde_json::from_value(wire).expect("a cluster's name")
}
