//! The tenant's brake: one object in the tenant's bucket that stops the next change.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use enclave_client::{ClientError, EnclaveDescription, sdk_config};
use enclave_core::foundation::{FREEZE_KEY, Freeze};
use jiff::Timestamp;
use serde::Serialize;

use crate::arguments::FreezeArguments;
use crate::error::CliError;

/// How a freeze or its lifting went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Outcome {
    /// Whether changes are frozen now.
    pub(crate) frozen: bool,
    /// Whether that is new.
    pub(crate) changed: bool,
    /// The freeze that stands, or that was lifted, where it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) freeze: Option<Freeze>,
}

/// Writes and deletes the tenant's freeze.
pub(crate) struct Freezer {
    s3: Client,
    bucket: String,
}

impl Freezer {
    pub(crate) async fn connect(enclave: &EnclaveDescription) -> Result<Self, CliError> {
        let bucket = enclave.tenant_bucket.clone().ok_or(ClientError::MissingField("tenant_bucket"))?;
        let configuration = aws_sdk_s3::config::Builder::from(&sdk_config(enclave).await)
            // Another endpoint than AWS's rarely resolves bucket names.
            .force_path_style(enclave.endpoint_url.is_some())
            .build();
        Ok(Self { s3: Client::from_conf(configuration), bucket })
    }

    /// Freezes changes. A freeze that already stands is left as it is.
    pub(crate) async fn freeze(
        &self,
        arguments: FreezeArguments,
        now: Timestamp,
    ) -> Result<Outcome, CliError> {
        let freeze = wanted(arguments, now)?;
        // Strings and a time always serialise; an empty object would freeze all the same.
        let body = serde_json::to_vec(&freeze).unwrap_or_default();
        let put = self.s3.put_object().bucket(&self.bucket).key(FREEZE_KEY).content_type("application/json");
        match put.if_none_match("*").body(ByteStream::from(body)).send().await {
            Ok(_) => Ok(Outcome { frozen: true, changed: true, freeze: Some(freeze) }),
            Err(error) if error.code() == Some("PreconditionFailed") => {
                Ok(Outcome { frozen: true, changed: false, freeze: self.read().await? })
            }
            Err(error) => Err(self.failed("PutObject", &error)),
        }
    }

    /// Lifts the freeze.
    pub(crate) async fn unfreeze(&self) -> Result<Outcome, CliError> {
        // A freeze that cannot be understood must be liftable too.
        let lifted = match self.read().await {
            Ok(None) => return Ok(Outcome { frozen: false, changed: false, freeze: None }),
            Ok(lifted) => lifted,
            Err(CliError::MalformedFreeze { .. }) => None,
            Err(error) => return Err(error),
        };
        let delete = self.s3.delete_object().bucket(&self.bucket).key(FREEZE_KEY);
        delete.send().await.map_err(|error| self.failed("DeleteObject", &error))?;
        Ok(Outcome { frozen: false, changed: true, freeze: lifted })
    }

    async fn read(&self) -> Result<Option<Freeze>, CliError> {
        let object = match self.s3.get_object().bucket(&self.bucket).key(FREEZE_KEY).send().await {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(self.failed("GetObject", &error)),
        };
        let body = object.body.collect().await.map_err(|error| CliError::Storage {
            call: "GetObject",
            bucket: self.bucket.clone(),
            key: FREEZE_KEY,
            reason: error.to_string(),
        })?;
        serde_json::from_slice(&body.into_bytes()).map(Some).map_err(|source| CliError::MalformedFreeze {
            bucket: self.bucket.clone(),
            key: FREEZE_KEY,
            source,
        })
    }

    fn failed<E>(&self, call: &'static str, error: &SdkError<E>) -> CliError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let reason = match (error.code(), error.message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or_default()),
            (None, _) => DisplayErrorContext(error).to_string(),
        };
        CliError::Storage { call, bucket: self.bucket.clone(), key: FREEZE_KEY, reason }
    }
}

fn wanted(arguments: FreezeArguments, now: Timestamp) -> Result<Freeze, CliError> {
    let FreezeArguments { why, who, until } = arguments;
    for (name, value) in [("--why", &why), ("--who", &who)] {
        if value.trim().is_empty() {
            return Err(CliError::Usage(format!("{name} must say something, got {value:?}")));
        }
    }
    match until {
        Some(until) if until <= now => {
            Err(CliError::Usage(format!("--until must be in the future, got {until}")))
        }
        _ => Ok(Freeze { who, why, until }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_says_who_and_why_and_ends_later() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let arguments = |who: &str, why: &str, until| FreezeArguments {
            why: why.to_owned(),
            who: who.to_owned(),
            until: Some(until),
        };
        let later = "2026-06-01T12:00:01Z".parse().unwrap();
        let freeze = wanted(arguments("ann", "audit", later), now).unwrap();
        assert_eq!(freeze, Freeze { who: "ann".to_owned(), why: "audit".to_owned(), until: Some(later) });
        for (who, why, until) in [("ann", " ", later), ("", "audit", later), ("ann", "audit", now)] {
            assert!(matches!(wanted(arguments(who, why, until), now), Err(CliError::Usage(_))));
        }
    }
}
