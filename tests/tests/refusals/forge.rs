//! Messages that no honest client would make.

use anyhow::Result;
use enclave_client::Signer;
use enclave_protocol::envelope::Envelope;
use enclave_protocol::request::Request;
use enclave_tests::operator_ca::Identity;
use serde_json::Value;

use crate::zone::Zone;

/// A signer of an identity.
pub(crate) fn signer(identity: &Identity) -> Result<Signer> {
    Ok(Signer::from_pem(identity.chain_pem().as_bytes(), identity.key_pem().as_bytes())?)
}

/// Signs a request that was changed before, whatever that makes of it.
pub(crate) fn signed_by(
    signer: &Signer,
    mut request: Request,
    change: impl FnOnce(&mut Value),
) -> Result<Envelope> {
    signer.certificate_sha256().clone_into(&mut request.certificate_sha256);
    let mut payload = serde_json::to_value(request)?;
    change(&mut payload);
    Ok(signer.sign_payload(serde_json::to_vec(&payload)?)?)
}

/// The body of an envelope that was changed after it was signed.
pub(crate) fn altered(envelope: &Envelope, change: impl FnOnce(&mut Value)) -> Result<String> {
    let mut body = serde_json::to_value(envelope)?;
    change(&mut body);
    Ok(body.to_string())
}

/// Arrays, one in the other.
pub(crate) fn nested(levels: usize) -> Value {
    (1..levels).fold(Value::Array(Vec::new()), |inner, _| Value::Array(vec![inner]))
}

impl Zone {
    /// The body of a request of the registered signer, changed before it was signed.
    pub(crate) fn forged(&self, request: Request, change: impl FnOnce(&mut Value)) -> Result<String> {
        Ok(signed_by(self.server.signer(), request, change)?.to_json())
    }

    /// The body of a request as a client would send it, but signed without asking whether it makes sense.
    pub(crate) fn signed(&self, request: Request) -> Result<String> {
        self.forged(request, |_| ())
    }
}
