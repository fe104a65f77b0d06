//! Names in the account: deterministic, so that a crash cannot lose what it made.

use enclave_protocol::request::{EndpointProtocol, Scheme};
use sha2::{Digest, Sha256};

use crate::tags::Owner;

/// Names of one enclave's load balancers and target groups.
///
/// A name has at most 32 characters, begins and ends with a letter or digit and does not begin with `internal-`
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalancerNames {
    prefix: String,
}

impl BalancerNames {
    /// The names of the enclave with this id.
    pub fn new(enclave_id: &str) -> Self {
        Self { prefix: format!("enc-{}-", &digest(&[enclave_id])[..6]) }
    }

    /// Whether a name may be one of this enclave's; its tags say whether it is.
    pub fn contains(&self, name: &str) -> bool {
        name.starts_with(&self.prefix)
    }

    /// The name of a load balancer: hashes everything that cannot be changed once it exists.
    pub fn load_balancer(&self, owner: &Owner, scheme: Scheme, security_group_id: &str) -> String {
        let scheme = match scheme {
            Scheme::Public => "public",
            Scheme::Private => "private",
        };
        let hash = digest(&[
            "network",
            "dualstack",
            owner.application.as_str(),
            owner.cluster.as_str(),
            scheme,
            security_group_id,
        ]);
        format!("{}{}", self.prefix, &hash[..20])
    }
}

/// The name of a target group: hashes its balancer and everything that cannot be changed once it exists.
pub fn target_group_name(balancer: &str, protocol: EndpointProtocol, port: u16) -> String {
    let hash = digest(&["ipv6", "instance", balancer, protocol.as_str(), &port.to_string()]);
    // A balancer's name begins with the enclave's prefix of eleven characters.
    let prefix: String = balancer.chars().take(11).collect();
    format!("{prefix}{}", &hash[..20])
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}
