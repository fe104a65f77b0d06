//! Where an enclave is: the file that `enclave-local up`, or a deployment, writes.

use std::path::{Path, PathBuf};

use enclave_protocol::names::TenantName;
use enclave_protocol::request::Audience;
use serde::Deserialize;

use crate::error::ClientError;

/// What a client needs to know of an enclave. Further fields of the file are for others and ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EnclaveDescription {
    /// Another AWS endpoint than the region's own.
    #[serde(default)]
    pub endpoint_url: Option<String>,
    /// AWS region.
    pub region: String,
    /// AWS account id.
    pub account: String,
    /// The zone.
    pub zone: String,
    /// The installation.
    pub enclave_id: String,
    /// The tenant that the account is registered to.
    pub tenant: TenantName,
    /// Where requests go.
    pub requests_queue_url: String,
    /// Where replies come from.
    pub results_queue_url: String,
    /// The tenant's own bucket; only the tenant's commands need it.
    #[serde(default)]
    pub tenant_bucket: Option<String>,
    /// PEM file with the operator's certificate chain, leaf first; only requests need it.
    #[serde(default)]
    pub operator_certificate: Option<PathBuf>,
    /// PEM file (PKCS#8) with the operator's key; only requests need it.
    #[serde(default)]
    pub operator_key: Option<PathBuf>,
}

impl EnclaveDescription {
    /// Reads a description; relative paths in it are relative to the file's folder.
    pub fn read(path: &Path) -> Result<Self, ClientError> {
        let text = std::fs::read(path)
            .map_err(|source| ClientError::UnreadableFile { path: path.to_owned(), source })?;
        let mut description: Self = serde_json::from_slice(&text)
            .map_err(|source| ClientError::MalformedDescription { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        for file in
            [&mut description.operator_certificate, &mut description.operator_key].into_iter().flatten()
        {
            *file = folder.join(&file);
        }
        Ok(description)
    }

    /// Whom requests to this enclave are meant for.
    pub fn audience(&self) -> Audience {
        Audience {
            account: self.account.clone(),
            region: self.region.clone(),
            zone: self.zone.clone(),
            enclave_id: self.enclave_id.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (PathBuf, Result<EnclaveDescription, ClientError>) {
        let folder = std::env::temp_dir().join(format!("enclave-description-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("ready.json"), text).unwrap();
        let read = EnclaveDescription::read(&folder.join("ready.json"));
        std::fs::remove_dir_all(&folder).unwrap();
        (folder, read)
    }

    const READY: &str = r#"{
        "endpoint_url": "http://127.0.0.1:5000", "region": "us-east-1", "account": "123456789012", "zone": "z",
        "enclave_id": "e", "tenant": "acme", "requests_queue_url": "r", "results_queue_url": "s",
        "host_subnet_ids": {"us-east-1a": "subnet-1"}, "operator_certificate": "keys/chain.pem",
        "operator_key": "/elsewhere/key.pem"
    }"#;

    #[test]
    fn unknown_fields_are_ignored_and_relative_paths_start_at_the_file() {
        let (folder, read) = written(READY);
        let description = read.unwrap();
        assert_eq!(description.operator_certificate, Some(folder.join("keys/chain.pem")));
        assert_eq!(description.operator_key, Some(PathBuf::from("/elsewhere/key.pem")));
        assert_eq!(description.tenant_bucket, None);
        assert_eq!(description.audience().account, "123456789012");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (_, read) = written(&READY.replace("\"zone\"", "\"Zone\""));
        let error = read.unwrap_err();
        assert_eq!(error.code(), "malformed_description");
        assert!(error.to_string().contains("`zone`"), "{error}");
        let missing = EnclaveDescription::read(Path::new("/nowhere/ready.json")).unwrap_err();
        assert_eq!(missing.code(), "unreadable_file");
        assert!(missing.to_string().contains("/nowhere/ready.json"));
    }
}
