//! The function's configuration.

use enclave_core::config::{ConfigError, number, required};

/// What the function is told by its environment; everything else stands in the tenant bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The zone, for logs and metrics.
    pub zone: String,
    /// Bucket of the foundation, the gate and the freeze marker; read only.
    pub tenant_bucket: String,
    /// Bucket of the ledger.
    pub state_bucket: String,
    /// FIFO queue that replies go to.
    pub results_queue_url: String,
    /// Our pace of calls to EC2 and ELBv2, in percent of the usual one; 1 to 10000. More where AWS raised the account's
    /// limits, less to leave the tenant's other tools more of them.
    pub pace_percent: u32,
}

impl Config {
    /// Reads the environment.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Ok(Self {
            zone: required("ENCLAVE_ZONE")?,
            tenant_bucket: required("ENCLAVE_TENANT_BUCKET")?,
            state_bucket: required("ENCLAVE_STATE_BUCKET")?,
            results_queue_url: required("ENCLAVE_RESULTS_QUEUE_URL")?,
            pace_percent: number("ENCLAVE_PACE_PERCENT", 100, 1, 10_000)?,
        })
    }
}
