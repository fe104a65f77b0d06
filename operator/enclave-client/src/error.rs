//! What can go wrong on the operator's side.

use std::path::PathBuf;
use std::time::Duration;

use enclave_protocol::key::UnsupportedKey;
use enclave_protocol::request::RequestError;
use thiserror::Error;

/// What went wrong before or beside the enclave's own answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The enclave's description is not one.
    #[error("{path} does not describe an enclave: {source}")]
    MalformedDescription {
        /// The file.
        path: PathBuf,
        /// Which field.
        source: serde_json::Error,
    },
    /// The description lacks what is needed now.
    #[error("the enclave's description lacks {0:?}")]
    MissingField(&'static str),
    /// No certificates in the PEM, or what is there is none.
    #[error("the certificate chain cannot be used: {0}")]
    MalformedCertificate(String),
    /// The key is no PKCS#8 PEM key of the certificate's type. What is in it is never shown.
    #[error("the key is not a PKCS#8 PEM key of the certificate's type ({0})")]
    MalformedKey(&'static str),
    /// The key and the certificate do not belong together.
    #[error("the key is not the one that certificate {0} is for")]
    KeyMismatch(String),
    /// The certificate's key is of a type that enclaves do not accept.
    #[error(transparent)]
    UnsupportedKey(#[from] UnsupportedKey),
    /// The request breaks its own bounds; nothing was signed.
    #[error("{0}")]
    InvalidRequest(RequestError),
    /// The signed message would not be read by an enclave.
    #[error("{0}")]
    InvalidEnvelope(#[from] enclave_protocol::envelope::EnvelopeError),
    /// Signing failed.
    #[error("the key could not sign")]
    SigningFailed,
    /// A queue did not take a call.
    #[error("{call} on {queue_url}: {reason}")]
    Queue {
        /// The API call.
        call: &'static str,
        /// The queue.
        queue_url: String,
        /// AWS's code and sentence.
        reason: String,
    },
    /// No final reply in time; the request may still be carried out.
    #[error("no final reply to request {request} within {} seconds", waited.as_secs())]
    NoAnswer {
        /// The request's id, or the message's hash where it has none.
        request: String,
        /// How long was waited.
        waited: Duration,
    },
}

impl ClientError {
    /// What a program may branch on; it never changes its meaning.
    pub fn code(&self) -> String {
        match self {
            Self::UnreadableFile { .. } => "unreadable_file".to_owned(),
            Self::MalformedDescription { .. } => "malformed_description".to_owned(),
            Self::MissingField(_) => "missing_field".to_owned(),
            Self::MalformedCertificate(_) => "malformed_certificate".to_owned(),
            Self::MalformedKey(_) => "malformed_key".to_owned(),
            Self::KeyMismatch(_) => "key_mismatch".to_owned(),
            Self::UnsupportedKey(_) => "unsupported_key".to_owned(),
            Self::InvalidRequest(error) => error.code.as_str(),
            Self::InvalidEnvelope(error) => error.code.as_str(),
            Self::SigningFailed => "signing_failed".to_owned(),
            Self::Queue { .. } => "queue_failed".to_owned(),
            Self::NoAnswer { .. } => "no_answer".to_owned(),
        }
    }
}
