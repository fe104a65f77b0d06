//! Orders in short.

use enclave_protocol::names::HostId;
use enclave_protocol::request::{
    ConfigureLoadBalancer, DeprovisionHosts, Describe, Endpoint, EndpointProtocol, Order, ProvisionHosts,
    RemoveLoadBalancer, Scheme,
};

use crate::zone::Zone;

/// The application that all orders are about.
pub(crate) const APPLICATION: &str = "acme.shop.default";

/// Its cluster.
pub(crate) const CLUSTER: &str = "content";

pub(crate) fn describe() -> Order {
    Order::Describe(Describe::default())
}

pub(crate) fn provision(zone: &Zone, count: u32) -> Order {
    Order::ProvisionHosts(ProvisionHosts {
        application: APPLICATION.parse().unwrap(),
        cluster: CLUSTER.parse().unwrap(),
        count,
        instance_types: vec!["m7g.large".parse().unwrap()],
        resources: None,
        image: zone.enclave.made().hosts.images[0].clone(),
        availability_zones: None,
    })
}

pub(crate) fn deprovision(hosts: &[HostId]) -> Order {
    Order::DeprovisionHosts(DeprovisionHosts {
        application: APPLICATION.parse().unwrap(),
        cluster: CLUSTER.parse().unwrap(),
        host_ids: hosts.to_vec(),
    })
}

pub(crate) fn balance(targets: &[HostId]) -> Order {
    let endpoint = Endpoint { port: 443, protocol: EndpointProtocol::Tcp, target_port: 4443 };
    Order::ConfigureLoadBalancer(ConfigureLoadBalancer::new(
        APPLICATION.parse().unwrap(),
        CLUSTER.parse().unwrap(),
        Scheme::Public,
        vec![endpoint],
        targets.to_vec(),
    ))
}

pub(crate) fn remove_load_balancer() -> Order {
    Order::RemoveLoadBalancer(RemoveLoadBalancer {
        application: APPLICATION.parse().unwrap(),
        cluster: CLUSTER.parse().unwrap(),
        name: None,
    })
}

pub(crate) fn remove_load_balancer_named(name: &str) -> Order {
    Order::RemoveLoadBalancer(RemoveLoadBalancer {
        application: APPLICATION.parse().unwrap(),
        cluster: CLUSTER.parse().unwrap(),
        name: Some(name.parse().unwrap()),
    })
}

/// A host that nobody has.
pub(crate) fn stranger() -> HostId {
    "i-0123456789abcdef0".parse().unwrap()
}
