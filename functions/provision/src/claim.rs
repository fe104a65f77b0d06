//! `claim`: the first write for a request, which only one delivery can make.

use enclave_core::ledger::{RequestRecord, request_key};
use enclave_core::store::{Created, Store, StoreError, Stored};
use enclave_protocol::envelope::Envelope;
use enclave_protocol::request::Request;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What the ledger says of a request id.
pub(crate) enum Claim {
    /// It is this order's, new or resumed.
    Ours(Box<Stored<RequestRecord>>),
    /// It was used for another order; whether that one is finished.
    Reused {
        /// Whether the other order is finished.
        finished: bool,
    },
}

/// When a request that is claimed now fails.
pub(crate) fn deadline(request: &Request, now: Timestamp) -> Timestamp {
    now + SignedDuration::from_secs(i64::from(request.deadline_seconds()))
}

/// Claims the request, or finds that it was claimed before: with the same signed content it resumes.
pub(crate) async fn claim(
    store: &Store,
    request: &Request,
    envelope: &Envelope,
    sent_at: Timestamp,
    now: Timestamp,
) -> Result<Claim, StoreError> {
    let envelope_sha256 = envelope.sha256();
    let mut record = RequestRecord {
        envelope: envelope.to_json(),
        envelope_sha256: envelope_sha256.clone(),
        sent_at,
        claimed_at: now,
        deadline_at: deadline(request, now),
        accepted: false,
        calls: Vec::new(),
        instance_types: Vec::new(),
        closed_pools: Vec::new(),
        hosts: BTreeMap::new(),
        events: Vec::new(),
        replies: Vec::new(),
        finished: false,
    };
    record.note(now, "claimed");
    let stored = match store.create(&request_key(request.request_id), record).await? {
        Created::New(stored) | Created::Existing(stored) => stored,
    };
    Ok(if stored.value.envelope_sha256 == envelope_sha256 {
        Claim::Ours(Box::new(stored))
    } else {
        Claim::Reused { finished: stored.value.finished }
    })
}
