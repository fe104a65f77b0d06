//! The line's own object: one executor at a time, and the requests that are not finished.

use enclave_core::ledger::{LINE_KEY, Lease, Line, OpenRequest};
use enclave_core::store::{Created, Store, StoreError, Stored};
use jiff::Timestamp;
use thiserror::Error;
use uuid::Uuid;

/// One delivery of one message to one invocation.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The invocation.
    pub(crate) invocation: String,
    /// The message.
    pub(crate) message_id: String,
    /// Which delivery of it this is, from 1.
    pub(crate) receive_count: u32,
    /// When the queue took the message.
    pub(crate) sent_at: Timestamp,
    /// When the invocation ends at the latest.
    pub(crate) deadline: Timestamp,
    /// When it should stop beginning anything: at 80 % of its time.
    pub(crate) stop_at: Timestamp,
}

/// Why the line could not be taken.
#[derive(Debug, Error)]
pub(crate) enum LineError {
    /// Another invocation works on it.
    #[error("the line is held by invocation {holder} until {until}")]
    Busy {
        /// By which.
        holder: String,
        /// Until when at most.
        until: Timestamp,
    },
    /// The ledger failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The line, held.
#[derive(Debug)]
pub(crate) struct HeldLine<'a> {
    store: &'a Store,
    line: Stored<Line>,
}

/// Whether any request is open, without taking the line.
pub(crate) async fn has_open_requests(store: &Store) -> Result<bool, StoreError> {
    Ok(store.read::<Line>(LINE_KEY).await?.is_some_and(|line| !line.value.open.is_empty()))
}

impl<'a> HeldLine<'a> {
    /// Takes the line for a delivery and, in the same write, lists the request it brings: a request is listed before
    /// it is claimed, so a crash between the two loses nothing.
    pub(crate) async fn take(
        store: &'a Store,
        delivery: &Delivery,
        brings: Option<OpenRequest>,
        now: Timestamp,
    ) -> Result<Self, LineError> {
        let mut line = match store.read::<Line>(LINE_KEY).await? {
            Some(line) => line,
            None => match store.create(LINE_KEY, Line::default()).await? {
                Created::New(line) | Created::Existing(line) => line,
            },
        };
        if !line.value.is_free_for(&delivery.message_id, delivery.receive_count, now)
            && let Some(lease) = line.value.lease
        {
            return Err(LineError::Busy { holder: lease.holder, until: lease.until });
        }
        line.value.lease = Some(Lease {
            holder: delivery.invocation.clone(),
            message_id: delivery.message_id.clone(),
            receive_count: delivery.receive_count,
            until: delivery.deadline,
        });
        if let Some(request) = brings
            && !line.value.open.iter().any(|open| open.request_id == request.request_id)
        {
            line.value.open.push(request);
        }
        store.update(&mut line).await?;
        Ok(Self { store, line })
    }

    /// The requests that are not finished, oldest first.
    pub(crate) fn open(&self) -> &[OpenRequest] {
        &self.line.value.open
    }

    /// Takes a request off the list.
    pub(crate) fn close(&mut self, request_id: Uuid) {
        self.line.value.open.retain(|open| open.request_id != request_id);
    }

    /// Gives the line back.
    pub(crate) async fn give_back(mut self) -> Result<(), StoreError> {
        self.line.value.lease = None;
        self.store.update(&mut self.line).await
    }
}
