//! The orders of the story.

use enclave_protocol::names::{HostId, ImageId, InvalidName};
use enclave_protocol::request::{
    ConfigureLoadBalancer, DeprovisionHosts, Describe, Endpoint, EndpointProtocol, Order, ProvisionHosts,
    RemoveLoadBalancer, Scheme,
};

/// The application that is served.
pub(crate) const APPLICATION: &str = "acme.shop.default";

/// The cluster in it.
pub(crate) const CLUSTER: &str = "content";

/// The type of every host.
const INSTANCE_TYPE: &str = "m7g.large";

/// Launch `count` hosts of the application.
pub(crate) fn provision(count: u32, image: &ImageId) -> Result<Order, InvalidName> {
    provision_for(APPLICATION, count, image)
}

/// The same for another application.
pub(crate) fn provision_for(application: &str, count: u32, image: &ImageId) -> Result<Order, InvalidName> {
    Ok(Order::ProvisionHosts(ProvisionHosts {
        application: application.parse()?,
        cluster: CLUSTER.parse()?,
        count,
        instance_types: vec![INSTANCE_TYPE.parse()?],
        resources: None,
        image: image.clone(),
        availability_zones: None,
    }))
}

/// Terminate hosts.
pub(crate) fn deprovision(hosts: Vec<HostId>) -> Result<Order, InvalidName> {
    Ok(Order::DeprovisionHosts(DeprovisionHosts {
        application: APPLICATION.parse()?,
        cluster: CLUSTER.parse()?,
        host_ids: hosts,
    }))
}

/// One public TCP port in front of hosts.
pub(crate) fn balance(port: u16, target_port: u16, targets: Vec<HostId>) -> Result<Order, InvalidName> {
    Ok(Order::ConfigureLoadBalancer(ConfigureLoadBalancer::new(
        APPLICATION.parse()?,
        CLUSTER.parse()?,
        Scheme::Public,
        vec![Endpoint { port, protocol: EndpointProtocol::Tcp, target_port }],
        targets,
    )))
}

/// Remove the load balancer.
pub(crate) fn remove_balancer() -> Result<Order, InvalidName> {
    Ok(Order::RemoveLoadBalancer(RemoveLoadBalancer {
        application: APPLICATION.parse()?,
        cluster: CLUSTER.parse()?,
        name: None,
    }))
}

/// Say what there is.
pub(crate) fn describe() -> Order {
    Order::Describe(Describe::default())
}
