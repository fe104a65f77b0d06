//! The foundation of a zone, made by calls to AWS: what Terraform makes in a real account.

mod hosts;
mod keys;
mod network;
mod storage;
mod tenant;

use std::time::Duration;

use anyhow::{Context, Result};
use enclave_core::foundation::Foundation;
use enclave_gate::rules::Gate;
use enclave_protocol::names::{AvailabilityZone, TenantName};
use enclave_protocol::request::Audience;

use crate::aws::Clients;

pub use hosts::{Hosts, LaunchTemplate};
pub use keys::Keys;
pub use network::{Network, Subnets};
pub use storage::{Buckets, Queue, Queues};

/// What the foundation is made for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The AWS region.
    pub region: String,
    /// The zone, e.g. `dev.aws-us-east-1`.
    pub zone: String,
    /// The tenant the account is registered to.
    pub tenant: TenantName,
    /// Where hosts and balancers may be.
    pub availability_zones: Vec<AvailabilityZone>,
    /// Most hosts in the zone.
    pub max_hosts: u32,
    /// Timeout of the function behind the requests queue.
    pub function_timeout: Duration,
    /// The operator's root certificate (DER).
    pub operator_root: Vec<u8>,
    /// The operator's SPIFFE trust domain.
    pub trust_domain: String,
    /// The one registered operator identity.
    pub operator_identity: String,
}

/// A foundation that exists.
#[derive(Debug, Clone)]
pub struct Made {
    /// The VPC and what is in it.
    pub network: Network,
    /// The tenant's keys.
    pub keys: Keys,
    /// The buckets.
    pub buckets: Buckets,
    /// The queues.
    pub queues: Queues,
    /// What hosts are made from.
    pub hosts: Hosts,
    /// `v1/zone.json` as it was written.
    pub foundation: Foundation,
    /// `v1/gate.json` as it was written.
    pub gate: Gate,
}

/// Names of everything in one zone.
#[derive(Debug, Clone)]
struct Names {
    /// The zone as it may stand in names: `dev-aws-us-east-1`.
    zone: String,
    /// New at each start, like the installation's own id.
    enclave_id: String,
}

impl Names {
    fn new(zone: &str) -> Self {
        // The end of a UUIDv7 is random.
        let random = uuid::Uuid::now_v7().simple().to_string();
        Self { zone: zone.replace('.', "-"), enclave_id: format!("enclave-{}", &random[20..]) }
    }

    /// A name that is unique wherever AWS wants one beyond the zone, such as a bucket's.
    fn unique(&self, what: &str) -> String {
        format!("{}-{what}-{}", self.zone, self.enclave_id.trim_start_matches("enclave-"))
    }
}

/// Makes the foundation.
pub async fn make(clients: &Clients, wanted: &Wanted) -> Result<Made> {
    let names = Names::new(&wanted.zone);
    let (keys, account) = keys::make(&clients.kms, &names).await.context("cannot make the keys")?;
    let storage = async {
        let buckets = storage::make_buckets(&clients.s3, wanted, &names, &keys).await?;
        let queues = storage::make_queues(&clients.sqs, wanted, &names, &keys).await?;
        anyhow::Ok((buckets, queues))
    };
    let network =
        async { network::make(&clients.ec2, wanted, &names).await.context("cannot make the network") };
    let ((buckets, queues), network) = tokio::try_join!(storage, network)?;
    let hosts = hosts::make(clients, &names, &network, &keys).await.context("cannot make what hosts need")?;
    let audience = Audience {
        account,
        region: wanted.region.clone(),
        zone: wanted.zone.clone(),
        enclave_id: names.enclave_id.clone(),
    };
    let foundation = tenant::foundation(wanted, audience, &network, &keys, &hosts)?;
    let gate = tenant::gate(wanted);
    tenant::write(&clients.s3, &buckets.tenant, &foundation, &gate).await?;
    Ok(Made { network, keys, buckets, queues, hosts, foundation, gate })
}
