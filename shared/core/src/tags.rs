//! The tags that mark what is ours, on everything that we create.

use std::collections::BTreeMap;

use enclave_protocol::names::{ApplicationId, ClusterId};
use uuid::Uuid;

/// The enclave that owns the resource; nothing without it is ever changed.
pub const ENCLAVE_ID: &str = "enclave:id";
/// The zone of the enclave, for people.
pub const ZONE: &str = "enclave:zone";
/// The application served.
pub const APPLICATION: &str = "enclave:application";
/// The cluster in it.
pub const CLUSTER: &str = "enclave:cluster";
/// The request that created the resource.
pub const REQUEST_ID: &str = "enclave:request-id";
/// On a root volume replacement task: the client token of the call that began it, which AWS does not show.
pub const CLIENT_TOKEN: &str = "enclave:client-token";
/// On a target group or endpoint service: the balancer it belongs to.
pub const LOAD_BALANCER: &str = "enclave:load-balancer";

/// What a resource serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The application.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
}

impl Owner {
    /// Who a resource of this enclave serves, read from its tags; none where it is not this enclave's.
    pub fn from_tags(enclave_id: &str, tags: &BTreeMap<String, String>) -> Option<Self> {
        if tags.get(ENCLAVE_ID).map(String::as_str) != Some(enclave_id) {
            return None;
        }
        Some(Self {
            application: tags.get(APPLICATION)?.parse().ok()?,
            cluster: tags.get(CLUSTER)?.parse().ok()?,
        })
    }

    /// The tags of a resource that `request_id` creates for this owner.
    pub fn to_tags(&self, enclave_id: &str, zone: &str, request_id: Uuid) -> BTreeMap<String, String> {
        [
            (ENCLAVE_ID, enclave_id.to_owned()),
            (ZONE, zone.to_owned()),
            (APPLICATION, self.application.to_string()),
            (CLUSTER, self.cluster.to_string()),
            (REQUEST_ID, request_id.to_string()),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }
}
