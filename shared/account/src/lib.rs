//! The tenant's account as the functions see and change it: EC2 hosts and network load balancers.
//!
//! Observing never decides and changing never observes; what to do between them is `enclave_core::reconcile`.

mod balancing;
mod change;
mod create;
mod hosts;
mod instance_types;
mod looks;
mod pacer;
mod private_link;
mod rebuild;
mod settings;

use aws_config::SdkConfig;
use enclave_core::reconcile::BalancerNames;

pub use balancing::BalancingScope;
pub use create::Made;
pub use pacer::Pacer;

/// Clients of one enclave's account.
#[derive(Debug, Clone)]
pub struct Account {
    ec2: aws_sdk_ec2::Client,
    elb: aws_sdk_elasticloadbalancingv2::Client,
    enclave_id: String,
    names: BalancerNames,
    pacer: Pacer,
}

impl Account {
    /// The account as the enclave with this id sees it.
    pub fn new(config: &SdkConfig, enclave_id: &str, pacer: Pacer) -> Self {
        Self {
            ec2: aws_sdk_ec2::Client::new(config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
            enclave_id: enclave_id.to_owned(),
            names: BalancerNames::new(enclave_id),
            pacer,
        }
    }
}
