//! What a look at load balancers showed, as plain data.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::HostId;
use enclave_protocol::request::Scheme;

use super::{BalancerSecurity, BalancerSettings, HealthCheckSettings, ListenerSettings, TargetGroupSettings};
use crate::tags::Owner;

/// Load balancers and target groups whose name, and endpoint services whose tags say they are this enclave's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedBalancing {
    /// By name.
    pub load_balancers: BTreeMap<String, ObservedLoadBalancer>,
    /// By name.
    pub target_groups: BTreeMap<String, ObservedTargetGroup>,
    /// By id.
    pub endpoint_services: BTreeMap<String, ObservedEndpointService>,
}

/// States of a load balancer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalancerState {
    /// Being made.
    Provisioning,
    /// Serving.
    Active,
    /// AWS could not make it.
    Failed,
}

/// One load balancer. What was not read is none, which is never what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedLoadBalancer {
    /// Its ARN.
    pub arn: String,
    /// The name clients resolve.
    pub dns_name: String,
    /// Its state.
    pub state: BalancerState,
    /// Who can reach it; none where AWS says something else.
    pub scheme: Option<Scheme>,
    /// Whom it serves; none where its tags do not say it is ours.
    pub owner: Option<Owner>,
    /// Its listeners, by port.
    pub listeners: BTreeMap<u16, ObservedListener>,
    /// Its attributes.
    pub settings: Option<BalancerSettings>,
    /// What guards it.
    pub security: Option<BalancerSecurity>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedListener {
    /// Its ARN.
    pub arn: String,
    /// The name of the target group it forwards to; none where that is not one of ours.
    pub target_group: Option<String>,
    /// Its attributes.
    pub settings: Option<ListenerSettings>,
}

/// One target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedTargetGroup {
    /// Its ARN.
    pub arn: String,
    /// Whom it serves; none where its tags do not say it is ours.
    pub owner: Option<Owner>,
    /// The balancer it was made for, from its tags.
    pub balancer: Option<String>,
    /// The hosts' port.
    pub port: u16,
    /// The hosts behind it; those being drained are not.
    pub targets: BTreeSet<HostId>,
    /// Its attributes.
    pub settings: Option<TargetGroupSettings>,
    /// Its health check.
    pub health_check: Option<HealthCheckSettings>,
}

/// States of an endpoint service; one that is deleted is not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointServiceState {
    /// Being made.
    Pending,
    /// Others can connect.
    Available,
    /// Being deleted.
    Deleting,
    /// AWS could not make it.
    Failed,
}

/// One endpoint service with this enclave's tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedEndpointService {
    /// The name by which others make an endpoint to it.
    pub service_name: String,
    /// Its state.
    pub state: EndpointServiceState,
    /// Whom it serves; none where its tags do not say.
    pub owner: Option<Owner>,
    /// The balancer it was made for, from its tags.
    pub balancer: Option<String>,
    /// Whether the tenant accepts each connection.
    pub acceptance_required: bool,
    /// The IP address types it is reached by, `ipv4` and `ipv6`.
    pub ip_address_types: BTreeSet<String>,
    /// Who may connect, as AWS says it; empty where that was not read.
    pub allowed_principals: BTreeSet<String>,
    /// Connections to it, by the id of the endpoint; empty where they were not read.
    pub connections: BTreeMap<String, EndpointConnection>,
}

/// One connection to an endpoint service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointConnection {
    /// The account of the endpoint.
    pub account: String,
    /// Whether it is open or asks to be, and so keeps the service from being deleted.
    pub is_open: bool,
}
