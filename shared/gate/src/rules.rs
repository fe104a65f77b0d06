//! `v1/gate.json`: the tenant's rules, one atomic object.

use enclave_protocol::names::ImageId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Key of the gate in the tenant bucket.
pub const GATE_KEY: &str = "v1/gate.json";

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
