//! The signed envelope: DSSE v1 in JSON, with the certificates that vouch for the signer's key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::code::Code;
use crate::request::{REQUEST_PAYLOAD_TYPE, nesting};

/// Largest message that is read at all, in bytes. The largest request (1000 host ids of 22 bytes) with four
/// certificates of 4 KiB needs about 56 KiB.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Most certificates in a chain, the leaf included.
pub const MAX_CERTIFICATES: usize = 4;

/// Largest certificate, in bytes of its DER.
pub const MAX_CERTIFICATE_BYTES: usize = 4 * 1024;

/// Deepest nesting of an envelope; its own schema needs 3.
pub const MAX_ENVELOPE_DEPTH: usize = 8;

/// A signed message, read but not yet trusted: [`crate::chain::open`] says who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Wire", into = "Wire")]
#[schemars(description = "A signed message: a DSSE v1 envelope with the signer's certificates.")]
pub struct Envelope {
    /// What the payload is; always [`REQUEST_PAYLOAD_TYPE`].
    pub payload_type: String,
    /// The bytes that were signed.
    pub payload: Vec<u8>,
    /// The signature over [`Envelope::pae`].
    pub signature: Vec<u8>,
    /// DER certificates, the signer's first, each issued by the next; 1 to 4.
    pub certificate_chain: Vec<Vec<u8>>,
}

/// A message that is not an acceptable envelope.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct EnvelopeError {
    /// What kind of fault it is.
    pub code: Code,
    /// One sentence for people.
    pub message: String,
    answerable: bool,
}

impl EnvelopeError {
    /// Whether the message has the outline of an envelope, so that its sender is owed an answer.
    /// Anything else is only counted.
    pub fn answerable(&self) -> bool {
        self.answerable
    }

    fn new(code: Code, answerable: bool, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), answerable }
    }
}

impl Envelope {
    /// Reads a message body.
    ///
    /// # Errors
    /// `message_too_large` (unparsed), `nested_too_deep` (unparsed), `malformed_envelope`, `wrong_payload_type`,
    /// `wrong_signature_count`, `wrong_certificate_count` or `certificate_too_large`.
    pub fn parse(body: &str) -> Result<Self, EnvelopeError> {
        if body.len() > MAX_MESSAGE_BYTES {
            let message = format!("a message is at most {MAX_MESSAGE_BYTES} bytes, got {}", body.len());
            return Err(EnvelopeError::new(Code::MessageTooLarge, false, message));
        }
        if nesting(body.as_bytes()) > MAX_ENVELOPE_DEPTH {
            let message = format!("the message is nested deeper than {MAX_ENVELOPE_DEPTH} levels");
            return Err(EnvelopeError::new(Code::NestedTooDeep, false, message));
        }
        let wire: Wire = serde_json::from_str(body).map_err(|error| {
            let message = format!("not an envelope: {error}");
            EnvelopeError::new(Code::MalformedEnvelope, has_outline(body), message)
        })?;
        wire.try_into()
    }

    /// The envelope as it goes over the wire.
    pub fn to_json(&self) -> String {
        // Strings and arrays of strings always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What the signature is over: DSSE v1's pre-authentication encoding
    /// (<https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md>).
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// SHA-256 of [`Envelope::pae`] in lower-case hexadecimal: the name of what was signed.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.pae()))
    }
}

/// DSSE v1's pre-authentication encoding of a payload; the lengths are in bytes.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The envelope's JSON.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wire {
    /// What the payload is.
    #[serde(rename = "payloadType")]
    #[schemars(extend("const" = REQUEST_PAYLOAD_TYPE))]
    payload_type: String,
    /// The request's JSON, in standard base64.
    #[schemars(extend("contentEncoding" = "base64"))]
    payload: String,
    /// Exactly one signature.
    #[schemars(length(min = 1, max = 1))]
    signatures: Vec<WireSignature>,
    /// DER certificates in standard base64, the signer's first, each issued by the next; each at most 4096 bytes.
    #[schemars(length(min = 1, max = 4), extend("items" = {"type": "string", "contentEncoding": "base64"}))]
    certificate_chain: Vec<String>,
}

/// One signature.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Signature")]
struct WireSignature {
    /// Ignored: the certificate says which key it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    /// Signature over the DSSE v1 pre-authentication encoding, in standard base64. The key's type fixes the
    /// algorithm: ECDSA P-256 with SHA-256 or P-384 with SHA-384 (both ASN.1 DER), RSASSA-PSS with SHA-256 and
    /// a salt of 32 bytes, or Ed25519.
    #[schemars(extend("contentEncoding" = "base64"))]
    sig: String,
}

impl TryFrom<Wire> for Envelope {
    type Error = EnvelopeError;

    fn try_from(wire: Wire) -> Result<Self, EnvelopeError> {
        let refuse = |code, message: String| Err(EnvelopeError::new(code, true, message));
        if wire.payload_type != REQUEST_PAYLOAD_TYPE {
            let got: String = wire.payload_type.chars().take(80).collect();
            let message = format!("payloadType must be {REQUEST_PAYLOAD_TYPE:?}, got {got:?}");
            return refuse(Code::WrongPayloadType, message);
        }
        let [signature] = wire.signatures.as_slice() else {
            let message = format!("an envelope has exactly one signature, got {}", wire.signatures.len());
            return refuse(Code::WrongSignatureCount, message);
        };
        let count = wire.certificate_chain.len();
        if !(1..=MAX_CERTIFICATES).contains(&count) {
            let message =
                format!("certificate_chain holds 1 to {MAX_CERTIFICATES} certificates, got {count}");
            return refuse(Code::WrongCertificateCount, message);
        }
        let mut certificate_chain = Vec::with_capacity(count);
        for (index, certificate) in wire.certificate_chain.iter().enumerate() {
            let certificate = decode(&format!("certificate_chain[{index}]"), certificate)?;
            if certificate.len() > MAX_CERTIFICATE_BYTES {
                let message = format!(
                    "a certificate is at most {MAX_CERTIFICATE_BYTES} bytes, certificate_chain[{index}] has {}",
                    certificate.len()
                );
                return refuse(Code::CertificateTooLarge, message);
            }
            certificate_chain.push(certificate);
        }
        Ok(Self {
            payload: decode("payload", &wire.payload)?,
            signature: decode("sig", &signature.sig)?,
            payload_type: wire.payload_type,
            certificate_chain,
        })
    }
}

impl From<Envelope> for Wire {
    fn from(envelope: Envelope) -> Self {
        Self {
            payload_type: envelope.payload_type,
            payload: STANDARD.encode(envelope.payload),
            signatures: vec![WireSignature { keyid: None, sig: STANDARD.encode(envelope.signature) }],
            certificate_chain: envelope.certificate_chain.iter().map(|der| STANDARD.encode(der)).collect(),
        }
    }
}

fn decode(field: &str, text: &str) -> Result<Vec<u8>, EnvelopeError> {
    STANDARD.decode(text).map_err(|error| {
        let message = format!("{field} is not standard base64: {error}");
        EnvelopeError::new(Code::MalformedEnvelope, true, message)
    })
}

fn has_outline(body: &str) -> bool {
    #[derive(Deserialize)]
    struct Outline {
        #[serde(rename = "payloadType")]
        _payload_type: IgnoredAny,
        #[serde(rename = "payload")]
        _payload: IgnoredAny,
        #[serde(rename = "signatures")]
        _signatures: IgnoredAny,
    }
    serde_json::from_str::<Outline>(body).is_ok()
}
