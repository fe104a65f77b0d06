//! What a running enclave tells the world: one JSON object in a file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use enclave_protocol::names::{AvailabilityZone, ImageId, TenantName};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// Where everything is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// The AWS endpoint that plays the account; calls made here are not recorded.
    pub endpoint_url: String,
    /// AWS region.
    pub region: String,
    /// AWS account id.
    pub account: String,
    /// The zone.
    pub zone: String,
    /// This installation.
    pub enclave_id: String,
    /// The tenant the account is registered to.
    pub tenant: TenantName,
    /// Where requests go.
    pub requests_queue_url: String,
    /// Where requests end that could not be worked off.
    pub requests_dead_letter_queue_url: String,
    /// Where replies come from.
    pub results_queue_url: String,
    /// The tenant's rules.
    pub tenant_bucket: String,
    /// The ledger.
    pub state_bucket: String,
    /// The audit chain.
    pub audit_bucket: String,
    /// The hosts' logs.
    pub archive_bucket: String,
    /// The zone's only VPC.
    pub vpc_id: String,
    /// Subnets of hosts.
    pub host_subnet_ids: BTreeMap<AvailabilityZone, String>,
    /// Subnets of balancers.
    pub balancer_subnet_ids: BTreeMap<AvailabilityZone, String>,
    /// Launch templates of hosts.
    pub launch_templates: BTreeMap<AvailabilityZone, ReadyTemplate>,
    /// Security group of every host.
    pub host_security_group_id: String,
    /// Security group of every balancer.
    pub balancer_security_group_id: String,
    /// The key of every volume.
    pub volume_kms_key_arn: String,
    /// An allowed image.
    pub image: ImageId,
    /// Every allowed image.
    pub images: Vec<ImageId>,
    /// The operator's certificate chain (PEM), leaf first, without the root.
    pub operator_certificate: PathBuf,
    /// The operator's key (PEM).
    pub operator_key: PathBuf,
    /// The operator's root certificate (PEM).
    pub operator_ca_certificate: PathBuf,
    /// Every AWS call of the functions, one JSON object a line.
    pub calls_log: PathBuf,
    /// What the function wrote.
    pub function_log: PathBuf,
}

/// A launch template as the ready file names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyTemplate {
    /// Its id.
    pub id: String,
    /// Its pinned version.
    pub version: u64,
}

impl Ready {
    /// Writes the file so that nobody ever sees a part of it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let directory =
            path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(directory)
            .with_context(|| format!("cannot write into {}", directory.display()))?;
        serde_json::to_writer_pretty(&mut file, self).context("cannot write the ready file")?;
        file.write_all(b"\n").context("cannot write the ready file")?;
        file.persist(path).with_context(|| format!("cannot put {} in its place", path.display()))?;
        Ok(())
    }

    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no ready file", path.display()))
    }
}
