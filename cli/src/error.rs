//! What can go wrong, and the exit codes.

use enclave_client::ClientError;
use enclave_protocol::reply::Status;
use thiserror::Error;

/// Exit code of anything that is neither an answer nor its absence.
const OTHER: u8 = 1;

/// Exit code when no final reply came in time.
const NO_ANSWER: u8 = 4;

/// Why a command ended without an answer.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// The request could not be made, sent or followed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An argument that only shows to be wrong beside another.
    #[error("{0}")]
    Usage(String),
    /// The tenant's bucket did not take a call.
    #[error("{call} on s3://{bucket}/{key}: {reason}")]
    Storage {
        /// The API call.
        call: &'static str,
        /// The bucket.
        bucket: String,
        /// The object.
        key: &'static str,
        /// AWS's code and sentence.
        reason: String,
    },
    /// What is stored is not what it should be.
    #[error("s3://{bucket}/{key} is no freeze, changes are frozen all the same: {source}")]
    MalformedFreeze {
        /// The bucket.
        bucket: String,
        /// The object.
        key: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// The answer could not be written.
    #[error("the answer cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl CliError {
    /// The exit code, as `--help` lists it.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Client(ClientError::NoAnswer { .. }) => NO_ANSWER,
            _ => OTHER,
        }
    }
}

/// The exit code of a final reply.
pub(crate) fn exit_code(status: Status) -> u8 {
    match status {
        Status::Done => 0,
        Status::Rejected => 2,
        Status::Failed => 3,
        Status::InProgress => NO_ANSWER,
    }
}
