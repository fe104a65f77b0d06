//! What the tenant says: foundation, gate and freeze, read from the tenant bucket.

use aws_sdk_s3::Client;
use enclave_core::foundation::{FREEZE_KEY, Foundation, Freeze, ZONE_KEY};
use enclave_core::store::{StoreError, read_bytes};
use enclave_gate::{GATE_KEY, Gate, images_in_force};
use enclave_protocol::chain::{TrustRoot, check_roots};
use enclave_protocol::names::ImageId;

/// The tenant bucket.
#[derive(Debug, Clone)]
pub(crate) struct TenantBucket {
    s3: Client,
    bucket: String,
}

/// The tenant's rules as read for one message.
#[derive(Debug)]
pub(crate) struct Rules {
    /// The foundation.
    pub(crate) foundation: Foundation,
    /// The gate.
    pub(crate) gate: Gate,
    /// The gate's roots, ready to verify with.
    pub(crate) roots: Vec<TrustRoot>,
}

impl Rules {
    /// What holds while the gate cannot be read: nobody may change anything.
    pub(crate) fn closed(foundation: Foundation) -> Self {
        Self { foundation, gate: Gate::closed(), roots: Vec::new() }
    }

    /// The images hosts may boot.
    pub(crate) fn images(&self) -> Vec<ImageId> {
        images_in_force(&self.gate, &self.foundation.images)
    }
}

/// Whether the rules can be had.
#[derive(Debug)]
pub(crate) enum ReadRules {
    /// Here they are.
    Rules(Box<Rules>),
    /// The foundation is there, the gate is not: everything is denied, and the sentence says why.
    GateInvalid(Box<Foundation>, String),
}

/// The tenant's answer to "may anything change now?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FreezeState {
    /// Changes are allowed.
    Thawed,
    /// They are not, and why.
    Frozen(String),
}

impl TenantBucket {
    pub(crate) fn new(s3: Client, bucket: impl Into<String>) -> Self {
        Self { s3, bucket: bucket.into() }
    }

    /// Reads foundation and gate. An S3 that does not answer is an error, to be tried again; an object that says
    /// nothing usable is an answer.
    pub(crate) async fn rules(&self) -> Result<ReadRules, StoreError> {
        let foundation: Foundation = match read_bytes(&self.s3, &self.bucket, ZONE_KEY).await? {
            None => return Err(malformed(ZONE_KEY, "it is missing: apply the tenant's Terraform")),
            Some((bytes, _)) => {
                serde_json::from_slice(&bytes).map_err(|error| malformed(ZONE_KEY, &error.to_string()))?
            }
        };
        let gate = match read_bytes(&self.s3, &self.bucket, GATE_KEY).await? {
            None => Err(format!("{GATE_KEY} is missing")),
            Some((bytes, _)) => usable(&bytes),
        };
        Ok(match gate {
            Ok((roots, gate)) => ReadRules::Rules(Box::new(Rules { foundation, gate, roots })),
            Err(why) => ReadRules::GateInvalid(Box::new(foundation), why),
        })
    }

    /// Reads the freeze marker, uncached. Unreadable means frozen.
    pub(crate) async fn freeze(&self) -> FreezeState {
        match read_bytes(&self.s3, &self.bucket, FREEZE_KEY).await {
            Ok(None) => FreezeState::Thawed,
            Ok(Some((bytes, _))) => FreezeState::Frozen(match serde_json::from_slice::<Freeze>(&bytes) {
                Ok(freeze) => format!("frozen by {}: {}", freeze.who, freeze.why),
                Err(_) => format!("frozen: {FREEZE_KEY} is there, but cannot be read"),
            }),
            Err(error) => FreezeState::Frozen(format!("taken for frozen: {error}")),
        }
    }
}

/// The gate with its roots, each of which can be verified with.
fn usable(json: &[u8]) -> Result<(Vec<TrustRoot>, Gate), String> {
    let gate = Gate::parse(json).map_err(|error| error.to_string())?;
    let roots = gate.trust_roots().map_err(|error| error.to_string())?;
    check_roots(&roots).map_err(|error| error.message)?;
    Ok((roots, gate))
}

fn malformed(key: &str, reason: &str) -> StoreError {
    StoreError::Malformed { key: key.to_owned(), reason: reason.to_owned() }
}
