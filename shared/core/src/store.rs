//! Typed JSON objects in S3, written only under a condition: no lock, no database, no lost update.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::aws::{AwsFailure, ErrorClass};

/// Version of the shape that this build writes. It reads that of the version before as well (`tests/fixtures/ledger-v1`).
pub const SCHEMA: u32 = 2;

/// Largest object that is read, in bytes: 1000 hosts of a request take about a third of it.
pub const MAX_OBJECT_BYTES: i64 = 4 * 1024 * 1024;

/// Tries after S3 answered 409, which asks for the same write again
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
const CONFLICT_TRIES: u32 = 5;

/// Why an object could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Another writer was faster; the caller's picture is out of date.
    #[error("{key} was changed by another writer")]
    Conflict {
        /// The object's key.
        key: String,
    },
    /// The object is not what it should be.
    #[error("{key} is not readable: {reason}")]
    Malformed {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// S3 did not do it.
    #[error("{key}: {failure}")]
    Aws {
        /// The object's key.
        key: String,
        /// The failed call.
        failure: AwsFailure,
    },
}

/// What stands in the bucket: the value, and who wrote it as which revision.
#[derive(Serialize, Deserialize)]
struct Object<T> {
    schema: u32,
    revision: u64,
    writer: String,
    value: T,
}

/// A value as it was read or written last.
#[derive(Debug, Clone)]
pub struct Stored<T> {
    /// The value; change it, then [`Store::update`] it.
    pub value: T,
    key: String,
    revision: u64,
    etag: String,
}

/// Outcome of [`Store::create`].
#[derive(Debug)]
pub enum Created<T> {
    /// This call made it.
    New(Stored<T>),
    /// It was there before.
    Existing(Stored<T>),
}

/// One bucket, written under one writer's name.
#[derive(Debug, Clone)]
pub struct Store {
    s3: Client,
    bucket: String,
    writer: String,
}

enum Put {
    Written(String),
    ConditionFailed,
}

enum Condition<'a> {
    Absent,
    Unchanged(&'a str),
}

impl Store {
    /// A store whose writes carry `writer`, which must be new for each run of a program.
    pub fn new(s3: Client, bucket: impl Into<String>, writer: impl Into<String>) -> Self {
        Self { s3, bucket: bucket.into(), writer: writer.into() }
    }

    /// Reads an object; `None` where there is none.
    pub async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Stored<T>>, StoreError> {
        Ok(self.read_object(key).await?.map(|(object, etag)| stored(key, object, etag)))
    }

    /// Writes an object that must not be there yet.
    pub async fn create<T>(&self, key: &str, value: T) -> Result<Created<T>, StoreError>
    where
        T: Serialize + DeserializeOwned,
    {
        let object = Object { schema: SCHEMA, revision: 1, writer: self.writer.clone(), value };
        if let Put::Written(etag) = self.put(key, &object, &Condition::Absent).await? {
            return Ok(Created::New(stored(key, object, etag)));
        }
        match self.read_object(key).await? {
            // The SDK's own retry met the write of its first try.
            Some((found, etag)) if found.writer == self.writer && found.revision == 1 => {
                Ok(Created::New(stored(key, found, etag)))
            }
            Some((found, etag)) => Ok(Created::Existing(stored(key, found, etag))),
            None => Err(StoreError::Conflict { key: key.to_owned() }),
        }
    }

    /// Writes a changed value over the revision it was read as.
    pub async fn update<T>(&self, stored: &mut Stored<T>) -> Result<(), StoreError>
    where
        T: Serialize + DeserializeOwned,
    {
        let object = Object {
            schema: SCHEMA,
            revision: stored.revision + 1,
            writer: self.writer.clone(),
            value: &stored.value,
        };
        let etag = match self.put(&stored.key, &object, &Condition::Unchanged(&stored.etag)).await? {
            Put::Written(etag) => etag,
            // ETags of equal bodies recur, so revision and writer say whose write it was.
            Put::ConditionFailed => match self.read_object::<T>(&stored.key).await? {
                Some((found, etag)) if found.writer == self.writer && found.revision == object.revision => {
                    etag
                }
                _ => return Err(StoreError::Conflict { key: stored.key.clone() }),
            },
        };
        stored.revision = object.revision;
        stored.etag = etag;
        Ok(())
    }

    async fn read_object<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<(Object<T>, String)>, StoreError> {
        let Some((bytes, etag)) = read_bytes(&self.s3, &self.bucket, key).await? else { return Ok(None) };
        let object: Object<T> = serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::Malformed { key: key.to_owned(), reason: error.to_string() })?;
        if object.schema > SCHEMA {
            let reason = format!("schema {} is newer than {SCHEMA}: a newer version wrote it", object.schema);
            return Err(StoreError::Malformed { key: key.to_owned(), reason });
        }
        Ok(Some((object, etag)))
    }

    async fn put<T: Serialize>(
        &self,
        key: &str,
        object: &Object<T>,
        condition: &Condition<'_>,
    ) -> Result<Put, StoreError> {
        let body = serde_json::to_vec(object)
            .map_err(|error| StoreError::Malformed { key: key.to_owned(), reason: error.to_string() })?;
        let mut pause = Duration::from_millis(50);
        for attempt in 1.. {
            let request = self
                .s3
                .put_object()
                .bucket(&self.bucket)
                .key(key)
                .content_type("application/json")
                .body(ByteStream::from(body.clone()));
            let request = match condition {
                Condition::Absent => request.if_none_match("*"),
                Condition::Unchanged(etag) => request.if_match(*etag),
            };
            match request.send().await {
                Ok(output) => return Ok(Put::Written(output.e_tag.unwrap_or_default())),
                Err(error) => {
                    let failure = AwsFailure::new("PutObject", &error);
                    match failure.code.as_str() {
                        "PreconditionFailed" => return Ok(Put::ConditionFailed),
                        // Under If-Match: the object is gone, so it is not what was read.
                        "NoSuchKey" if matches!(condition, Condition::Unchanged(_)) => {
                            return Ok(Put::ConditionFailed);
                        }
                        "ConditionalRequestConflict" if attempt < CONFLICT_TRIES => {
                            tokio::time::sleep(pause).await;
                            pause *= 2;
                        }
                        _ => return Err(StoreError::Aws { key: key.to_owned(), failure }),
                    }
                }
            }
        }
        Err(StoreError::Conflict { key: key.to_owned() })
    }
}

fn stored<T>(key: &str, object: Object<T>, etag: String) -> Stored<T> {
    Stored { value: object.value, key: key.to_owned(), revision: object.revision, etag }
}

/// Reads an object's bytes, at most [`MAX_OBJECT_BYTES`], and its `ETag`; `None` where there is none.
pub async fn read_bytes(
    s3: &Client,
    bucket: &str,
    key: &str,
) -> Result<Option<(Vec<u8>, String)>, StoreError> {
    let output = match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(output) => output,
        Err(error) => {
            let failure = AwsFailure::new("GetObject", &error);
            if failure.code == "NoSuchKey" {
                return Ok(None);
            }
            return Err(StoreError::Aws { key: key.to_owned(), failure });
        }
    };
    if output.content_length.is_none_or(|length| length > MAX_OBJECT_BYTES) {
        let reason = format!("{:?} bytes, at most {MAX_OBJECT_BYTES} are read", output.content_length);
        return Err(StoreError::Malformed { key: key.to_owned(), reason });
    }
    let etag = output.e_tag.unwrap_or_default();
    let bytes = output.body.collect().await.map_err(|error| StoreError::Aws {
        key: key.to_owned(),
        failure: AwsFailure {
            call: "GetObject".to_owned(),
            class: ErrorClass::Transient,
            code: "ResponseError".to_owned(),
            message: error.to_string(),
        },
    })?;
    Ok(Some((bytes.to_vec(), etag)))
}
