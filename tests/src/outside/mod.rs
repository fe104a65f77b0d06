//! The account and the ledger as anybody sees them who does not ask the enclave, and what is wrong with them.

mod look;
mod violations;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Application and cluster, as tags and orders name them.
pub type Owner = (String, String);

/// What should exist, by what was asked for and answered; nothing else should.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Hosts by id.
    pub hosts: BTreeMap<String, Owner>,
    /// Load balancers by whom they serve.
    pub balancers: BTreeMap<Owner, WantedBalancer>,
}

/// What a load balancer should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedBalancer {
    /// Pairs of listener port and target port.
    pub endpoints: BTreeSet<(i32, i32)>,
    /// Ids of the hosts behind it.
    pub targets: BTreeSet<String>,
}

/// All there is.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Instances by id, ended ones too.
    pub instances: BTreeMap<String, Instance>,
    /// Volumes by id, with the instance each is attached to.
    pub volumes: BTreeMap<String, Option<String>>,
    /// Network interfaces by id, with the instance each is attached to.
    pub interfaces: BTreeMap<String, Option<String>>,
    /// Load balancers by ARN.
    pub balancers: BTreeMap<String, Tagged>,
    /// Listeners by ARN.
    pub listeners: BTreeMap<String, Listener>,
    /// Target groups by ARN.
    pub groups: BTreeMap<String, Group>,
    /// Ids of endpoint services.
    pub endpoint_services: BTreeSet<String>,
    /// The ledger's requests by id.
    pub requests: BTreeMap<String, Value>,
    /// The ledger's hosts by id.
    pub hosts: BTreeMap<String, Value>,
    /// The ledger's load balancers by name.
    pub load_balancers: BTreeMap<String, Value>,
    /// The ledger's line; null where there is none.
    pub line: Value,
    /// Ledger objects by key with their `ETag`, so that a later look reads only what has changed.
    read: BTreeMap<String, (String, Value)>,
}

/// An instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its state as EC2 names it.
    pub state: String,
    /// Token of the launch that made it.
    pub client_token: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A load balancer, by its name and tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tagged {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listener {
    /// ARN of its load balancer.
    pub balancer: String,
    /// Its port.
    pub port: i32,
    /// ARNs of the target groups it forwards to.
    pub groups: BTreeSet<String>,
}

/// A target group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its port.
    pub port: i32,
    /// Ids of its targets, without those that drain.
    pub targets: BTreeSet<String>,
}

impl Instance {
    /// Whether it is neither ending nor ended.
    pub fn is_live(&self) -> bool {
        !matches!(self.state.as_str(), "shutting-down" | "terminated")
    }
}

/// Whom a resource serves, by its tags.
pub(crate) fn owner(tags: &BTreeMap<String, String>) -> Option<Owner> {
    use enclave_core::tags::{APPLICATION, CLUSTER};
    Some((tags.get(APPLICATION)?.clone(), tags.get(CLUSTER)?.clone()))
}
