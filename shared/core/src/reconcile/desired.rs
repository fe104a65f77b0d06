//! What should be, as plain data.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::{HostId, ImageId, PrincipalArn};
use enclave_protocol::request::{Endpoint, Scheme};
use jiff::Timestamp;
use uuid::Uuid;

use super::{DesiredRebuild, DesiredSettings};
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
