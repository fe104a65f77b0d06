//! Buckets and queues.

use std::collections::HashMap;

use anyhow::{Context, Result};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, VersioningConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

use super::{Keys, Names, Wanted};

/// Receives of one request before it is set aside.
const MAX_RECEIVES: u32 = 5;

/// The same for a result, the most there can be: those who read for something else read past it again and again.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
const MAX_RESULT_RECEIVES: u32 = 1000;

/// How much longer than the function may run a message stays invisible, so that it is never worked on twice at once.
const VISIBILITY_MARGIN_SECONDS: u64 = 30;

/// Names of the buckets.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// The tenant's rules and the foundation.
    pub tenant: String,
    /// The ledger.
    pub state: String,
    /// The audit chain.
    pub audit: String,
    /// The hosts' logs.
    pub archive: String,
}

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Its URL.
    pub url: String,
    /// Its ARN.
    pub arn: String,
}

/// The FIFO queues.
#[derive(Debug, Clone)]
pub struct Queues {
    /// The one door.
    pub requests: Queue,
    /// What the function could not work off.
    pub requests_dead_letters: Queue,
    /// Replies to the operator.
    pub results: Queue,
    /// Replies nobody took.
    pub results_dead_letters: Queue,
}

pub(super) async fn make_buckets(
    s3: &aws_sdk_s3::Client,
    wanted: &Wanted,
    names: &Names,
    keys: &Keys,
) -> Result<Buckets> {
    let bucket = async |what: &str, key: &str, object_lock: bool| {
        let name = names.unique(what);
        make_bucket(s3, &name, &wanted.region, key, object_lock)
            .await
            .with_context(|| format!("cannot make the bucket {name}"))?;
        anyhow::Ok(name)
    };
    Ok(Buckets {
        tenant: bucket("tenant", &keys.state, false).await?,
        state: bucket("state", &keys.state, false).await?,
        audit: bucket("audit", &keys.state, true).await?,
        archive: bucket("archive", &keys.archive, false).await?,
    })
}

async fn make_bucket(
    s3: &aws_sdk_s3::Client,
    name: &str,
    region: &str,
    key: &str,
    object_lock: bool,
) -> Result<()> {
    // us-east-1 is S3's default location and may not be named.
    let location = (region != "us-east-1").then(|| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(region))
            .build()
    });
    s3.create_bucket()
        .bucket(name)
        .set_create_bucket_configuration(location)
        .object_lock_enabled_for_bucket(object_lock)
        .send()
        .await?;
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket(name).versioning_configuration(versioning).send().await?;
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id(key)
        .build()?;
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default)
        .bucket_key_enabled(true)
        .build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build()?;
    s3.put_bucket_encryption().bucket(name).server_side_encryption_configuration(encryption).send().await?;
    let closed = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build();
    s3.put_public_access_block().bucket(name).public_access_block_configuration(closed).send().await?;
    Ok(())
}

pub(super) async fn make_queues(
    sqs: &aws_sdk_sqs::Client,
    wanted: &Wanted,
    names: &Names,
    keys: &Keys,
) -> Result<Queues> {
    let queue = async |what: &str, attributes: &[(QueueAttributeName, String)]| {
        let name = format!("{}-{what}.fifo", names.zone);
        make_queue(sqs, &name, &keys.queues, attributes)
            .await
            .with_context(|| format!("cannot make the queue {name}"))
    };
    let visibility = wanted.function_timeout.as_secs() + VISIBILITY_MARGIN_SECONDS;
    let requests_dead_letters = queue("requests-dead-letters", &[]).await?;
    let requests = queue(
        "requests",
        &[
            // A request sent twice within five minutes is one message; its body is all that identifies it.
            (QueueAttributeName::ContentBasedDeduplication, true.to_string()),
            (QueueAttributeName::VisibilityTimeout, visibility.to_string()),
            (QueueAttributeName::RedrivePolicy, redrive_to(&requests_dead_letters, MAX_RECEIVES)),
        ],
    )
    .await?;
    let results_dead_letters = queue("results-dead-letters", &[]).await?;
    let results = queue(
        "results",
        &[(QueueAttributeName::RedrivePolicy, redrive_to(&results_dead_letters, MAX_RESULT_RECEIVES))],
    )
    .await?;
    Ok(Queues { requests, requests_dead_letters, results, results_dead_letters })
}

fn redrive_to(dead_letters: &Queue, receives: u32) -> String {
    json!({ "deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": receives }).to_string()
}

async fn make_queue(
    sqs: &aws_sdk_sqs::Client,
    name: &str,
    key: &str,
    attributes: &[(QueueAttributeName, String)],
) -> Result<Queue> {
    let mut all = HashMap::from([
        (QueueAttributeName::FifoQueue, true.to_string()),
        (QueueAttributeName::KmsMasterKeyId, key.to_owned()),
    ]);
    all.extend(attributes.iter().cloned());
    let made = sqs.create_queue().queue_name(name).set_attributes(Some(all)).send().await?;
    let url = made.queue_url.context("CreateQueue answered without a URL")?;
    let known = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await?;
    let arn = known.attributes.and_then(|mut all| all.remove(&QueueAttributeName::QueueArn));
    Ok(Queue { url, arn: arn.context("a queue without an ARN")? })
}
