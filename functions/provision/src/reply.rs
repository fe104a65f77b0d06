//! `reply`: an answer's bytes, and the way they take to the results queue.

use aws_sdk_sqs::Client;
use enclave_core::aws::AwsFailure;
use enclave_core::foundation::Foundation;
use enclave_protocol::code::Code;
use enclave_protocol::reply::{Reply, Status};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Longest sentence of a reply, in characters: it may quote what was sent.
const MAX_MESSAGE_CHARACTERS: usize = 1000;

/// A reply of this enclave that says only where a message stands; the rest is filled in by its maker.
pub(crate) fn bare(
    foundation: &Foundation,
    status: Status,
    code: Code,
    message: impl Into<String>,
    decided_at: Timestamp,
) -> Reply {
    Reply {
        request_id: None,
        body_sha256: None,
        envelope_sha256: None,
        zone: foundation.audience.zone.clone(),
        enclave_id: foundation.audience.enclave_id.clone(),
        action: None,
        mode: None,
        status,
        code,
        message: message.into().chars().take(MAX_MESSAGE_CHARACTERS).collect(),
        decided_at,
        hosts: Vec::new(),
        missing: Vec::new(),
        load_balancer: None,
        plan: None,
        inventory: None,
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Sends a reply's bytes. Sent again, SQS drops them for five minutes by their hash and delivers the same bytes after.
pub(crate) async fn send(sqs: &Client, queue_url: &str, group: &str, body: &str) -> Result<(), AwsFailure> {
    sqs.send_message()
        .queue_url(queue_url)
        .message_group_id(group)
        .message_deduplication_id(sha256(body))
        .message_body(body)
        .send()
        .await
        .map(drop)
        .map_err(|error| AwsFailure::new("SendMessage", &error))
}
