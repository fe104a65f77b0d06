//! The AWS SDK as every function uses it, and what its errors mean.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::aws_errors::classify;

/// Tries of one call inside the SDK; what still fails waits for the next tick instead.
const SDK_ATTEMPTS: u32 = 3;

/// Longest time for one call with all its tries.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest time for one try.
const TRY_TIMEOUT: Duration = Duration::from_secs(8);

/// Configuration for every client of a function: bounded tries, bounded time.
pub async fn sdk_config() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .retry_config(aws_config::retry::RetryConfig::standard().with_max_attempts(SDK_ATTEMPTS))
        .timeout_config(
            TimeoutConfig::builder()
                .operation_timeout(CALL_TIMEOUT)
                .operation_attempt_timeout(TRY_TIMEOUT)
                .build(),
        )
        .load()
        .await
}

/// What an AWS error means for us. Total: an unlisted code is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// This pool has no room now; another may.
    Capacity,
    /// Too many calls; the same call may be made again later.
    Throttle,
    /// What the call names does not exist (or not yet).
    NotFound,
    /// Not permitted; trying again is pointless.
    Refused,
    /// The call itself is wrong.
    BadInput,
    /// What the call names is still used by something else, or passes to another state.
    InUse,
    /// A fault on the way or at AWS; whether the call took effect is not known.
    Transient,
    /// A code not in the table: tried again a bounded number of times, then reported as it is.
    Unknown,
}

impl ErrorClass {
    /// Whether the same call may succeed later.
    pub fn is_worth_retrying(self) -> bool {
        matches!(self, Self::Throttle | Self::Transient | Self::Unknown | Self::InUse)
    }
}

/// One failed AWS call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{call}: {code}: {message}")]
pub struct AwsFailure {
    /// The API's name, e.g. `RunInstances`.
    pub call: String,
    /// What it means for us.
    pub class: ErrorClass,
    /// AWS's own code, or the kind of fault where no answer came.
    pub code: String,
    /// AWS's own message.
    pub message: String,
}

impl AwsFailure {
    /// Classifies what the SDK returned for `call`.
    pub fn new<E: ProvideErrorMetadata, R>(call: &str, error: &SdkError<E, R>) -> Self {
        let (class, code, message) = match error {
            SdkError::ServiceError(service) => {
                let meta = service.err().meta();
                let code = meta.code().unwrap_or("NoCode");
                (classify(code), code, meta.message().unwrap_or("no message").to_owned())
            }
            SdkError::TimeoutError(_) => (ErrorClass::Transient, "Timeout", "no answer in time".to_owned()),
            SdkError::DispatchFailure(failure) => {
                (ErrorClass::Transient, "DispatchFailure", format!("{:?}", failure.as_connector_error()))
            }
            SdkError::ResponseError(_) => {
                (ErrorClass::Transient, "ResponseError", "the answer could not be read".to_owned())
            }
            SdkError::ConstructionFailure(failure) => {
                (ErrorClass::BadInput, "ConstructionFailure", format!("{failure:?}"))
            }
            _ => (ErrorClass::Unknown, "UnknownSdkError", "an error the SDK does not name".to_owned()),
        };
        Self { call: call.to_owned(), class, code: code.to_owned(), message }
    }

    /// Classifies an error that stands in an answer of 200, for one of the things `call` names.
    pub fn listed(call: &str, code: Option<&str>, message: Option<&str>) -> Self {
        let code = code.unwrap_or("NoCode");
        Self {
            call: call.to_owned(),
            class: classify(code),
            code: code.to_owned(),
            message: message.unwrap_or("no message").to_owned(),
        }
    }

    /// A complete answer that lacks what the API promises.
    pub fn incomplete(call: &str, what: &str) -> Self {
        Self {
            call: call.to_owned(),
            class: ErrorClass::Transient,
            code: "IncompleteAnswer".to_owned(),
            message: format!("the answer has no {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_inside_a_good_answer_has_the_class_of_its_code() {
        let failure = AwsFailure::listed("Delete", Some("ExistingVpcEndpointConnections"), Some("two"));
        assert_eq!((failure.class, failure.message.as_str()), (ErrorClass::InUse, "two"));
        let gone = AwsFailure::listed("Delete", Some("InvalidVpcEndpointService.NotFound"), None);
        assert_eq!(gone.class, ErrorClass::NotFound);
        assert_eq!(
            AwsFailure::listed("Delete", Some("RequestLimitExceeded"), None).class,
            ErrorClass::Throttle
        );
        assert_eq!(AwsFailure::listed("Delete", None, None).class, ErrorClass::Unknown);
    }

    #[test]
    fn a_code_nobody_listed_is_unknown_and_worth_a_bounded_retry() {
        assert_eq!(classify("SomethingNew"), ErrorClass::Unknown);
        assert!(ErrorClass::Unknown.is_worth_retrying());
        assert!(!ErrorClass::Refused.is_worth_retrying());
    }
}
