//! `v1/gate.json`: the tenant's rules, one atomic object.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enclave_protocol::chain::TrustRoot;
use enclave_protocol::identity::is_trust_domain;
use enclave_protocol::names::ImageId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Key of the gate in the tenant bucket.
pub const GATE_KEY: &str = "v1/gate.json";

/// Version of the shape that this build reads.
pub const SCHEMA: u32 = 1;

/// Why an object is no gate. Until the tenant restores a good one, every change is denied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GateError {
    /// Not JSON of the right shape.
    #[error("the gate cannot be read: {0}")]
    Malformed(String),
    /// Written for another version.
    #[error("the gate has schema {0}, this version reads {SCHEMA}")]
    Schema(u32),
    /// Nobody could sign anything.
    #[error("the gate has no trust root")]
    NoTrustRoot,
    /// A root that is no certificate in base64, or vouches for no trust domain.
    #[error("trust root {index} of the gate: {reason}")]
    TrustRoot {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// The tenant's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Version of this object's shape; 1.
    pub schema: u32,
    /// Roots that signers' certificates lead to; several at once while one replaces another.
    pub trust_roots: Vec<TrustRootEntry>,
    /// Who may give orders.
    pub identities: Vec<RegisteredIdentity>,
    /// Who may no longer.
    #[serde(default)]
    pub revocations: Revocations,
    /// Bounds on what may exist.
    pub limits: Limits,
}

/// One trusted root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRootEntry {
    /// The root certificate, base64 of its DER.
    pub certificate: String,
    /// The only SPIFFE trust domain this root may vouch for.
    pub trust_domain: String,
    /// Whether a leaf without a SPIFFE URI is named by its Athenz common name.
    #[serde(default)]
    pub accept_athenz_common_name: bool,
}

/// One identity that the tenant knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredIdentity {
    /// The full SPIFFE URI, or `athenz:<domain>.<service>`.
    pub identity: String,
    /// What it is to the tenant.
    pub role: Role,
}

/// What an identity is to the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A configuration server of the operator.
    Operator,
    /// The tenant itself.
    Tenant,
    /// A host, which never signs requests.
    Host,
}

/// Who may no longer give orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Revocations {
    /// Revoked identities.
    pub identities: Vec<String>,
    /// Revoked keys: SHA-256 of the leaf's subject public key info, in hexadecimal.
    pub key_sha256: Vec<String>,
    /// Requests issued before this are refused, whoever signed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<Timestamp>,
}

/// Bounds on what may exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most hosts in the zone, those being launched included.
    pub max_hosts: u32,
    /// Further narrows the foundation's image list, where present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Vec<ImageId>>,
}

impl Gate {
    /// Reads a gate and checks that it can be used.
    pub fn parse(json: &[u8]) -> Result<Self, GateError> {
        let gate: Self =
            serde_json::from_slice(json).map_err(|error| GateError::Malformed(error.to_string()))?;
        if gate.schema != SCHEMA {
            return Err(GateError::Schema(gate.schema));
        }
        gate.trust_roots()?;
        Ok(gate)
    }

    /// The roots that signers' certificates lead to.
    pub fn trust_roots(&self) -> Result<Vec<TrustRoot>, GateError> {
        if self.trust_roots.is_empty() {
            return Err(GateError::NoTrustRoot);
        }
        let root = |(index, entry): (usize, &TrustRootEntry)| {
            let certificate = STANDARD
                .decode(&entry.certificate)
                .map_err(|_| GateError::TrustRoot { index, reason: "its certificate is not base64" })?;
            if certificate.is_empty() {
                return Err(GateError::TrustRoot { index, reason: "its certificate is empty" });
            }
            if !is_trust_domain(&entry.trust_domain) {
                return Err(GateError::TrustRoot { index, reason: "its trust domain is not one" });
            }
            Ok(TrustRoot {
                certificate,
                trust_domain: entry.trust_domain.clone(),
                accept_athenz_common_name: entry.accept_athenz_common_name,
            })
        };
        self.trust_roots.iter().enumerate().map(root).collect()
    }
}
