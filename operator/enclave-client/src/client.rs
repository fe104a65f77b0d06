//! The two queues: requests out, replies in.

use std::ops::ControlFlow;
use std::time::Duration;

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use enclave_protocol::envelope::Envelope;
use enclave_protocol::notice::{FromEnclave, Notice};
use enclave_protocol::reply::Reply;
use tokio::time::{Instant, sleep_until, timeout};

use crate::connect::sdk_config;
use crate::description::EnclaveDescription;
use crate::error::ClientError;
use crate::inbox::{Pace, Sent, Whose, notice, whose};

/// Longest long poll, in seconds
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>).
const LONGEST_POLL_SECONDS: u64 = 20;

/// Most messages of one receive (same page).
const MOST_MESSAGES: i32 = 10;

/// Time for others to take a message that has just become visible again.
const GRACE: Duration = Duration::from_millis(250);

/// How long a message that [`Client::read`] hands out stays hidden from all readers, in seconds: time to work on it.
const HANDED_OUT_SECONDS: u32 = 30;

/// A message of the results queue, which stays there until it is taken.
#[derive(Debug)]
pub struct Received {
    /// What it says; the reason where it is neither reply nor notice.
    pub content: Result<FromEnclave, serde_json::Error>,
    message: Message,
}

/// Sends to one enclave and reads its replies and notices.
///
/// It needs no more than the operator is granted: `SendMessage` on requests, `ReceiveMessage` and `DeleteMessage` on
/// results. Several clients may share the results queue: each takes off only what answers its own request. What is
/// not its own stays hidden for 2 seconds, and for those it does not read, so that whoever waits gets it. Replies
/// that nobody comes for are hidden for longer, so that what lies behind them is seen. A server with many requests
/// under way is better served by one reader of the queue that hands the replies on by `request_id`.
#[derive(Debug, Clone)]
pub struct Client {
    sqs: aws_sdk_sqs::Client,
    enclave: EnclaveDescription,
}

impl Client {
    /// A client of this enclave over an SDK client that is already configured.
    pub fn new(sqs: aws_sdk_sqs::Client, enclave: EnclaveDescription) -> Self {
        Self { sqs, enclave }
    }

    /// A client of this enclave, configured by [`sdk_config`].
    pub async fn connect(enclave: &EnclaveDescription) -> Self {
        Self::new(aws_sdk_sqs::Client::new(&sdk_config(enclave).await), enclave.clone())
    }

    /// Sends a signed request.
    ///
    /// # Errors
    /// `queue_failed`, or the code by which an enclave would refuse to read the message.
    pub async fn send(&self, envelope: &Envelope) -> Result<Sent, ClientError> {
        let body = envelope.to_json();
        Envelope::parse(&body)?;
        self.send_body(&body).await
    }

    /// Sends any text, unchecked.
    pub async fn send_body(&self, body: &str) -> Result<Sent, ClientError> {
        let queue_url = &self.enclave.requests_queue_url;
        // One group is the line; the queue deduplicates by content.
        let call = self.sqs.send_message().queue_url(queue_url).message_group_id(&self.enclave.zone);
        call.message_body(body).send().await.map_err(|error| failed("SendMessage", queue_url, &error))?;
        Ok(Sent::of(body))
    }

    /// Follows a request to its final reply, for at most `wait`; `on_progress` sees each reply before it.
    /// Only what answers this request is taken off the queue.
    ///
    /// # Errors
    /// `no_answer` when the time is over, or `queue_failed`.
    pub async fn await_final(
        &self,
        sent: &Sent,
        wait: Duration,
        mut on_progress: impl FnMut(&Reply),
    ) -> Result<Reply, ClientError> {
        let end = Instant::now() + wait;
        let mut pace = Pace::FIRST;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ClientError::NoAnswer { request: sent.name(), waited: wait });
            }
            let mut others = Vec::new();
            for message in self.receive(left, pace).await? {
                let body = message.body.as_deref().unwrap_or_default();
                match whose(body, times_received(&message), sent, &self.enclave) {
                    Whose::Ours(reply) => {
                        self.delete(&message).await?;
                        if reply.status.is_final() {
                            return Ok(*reply);
                        }
                        on_progress(&reply);
                    }
                    other => others.push(other),
                }
            }
            pace = pace.after(&others);
            if pace.yields {
                sleep_until(end.min(Instant::now() + Duration::from_secs(u64::from(pace.hidden)) + GRACE))
                    .await;
            }
        }
    }

    /// Hands the enclave's notices to `on_notice`, and takes each off the queue after that, for at most `wait`; says how
    /// many. One that breaks off ends the watch and stays on the queue. Replies are left to those who wait for them.
    ///
    /// # Errors
    /// `queue_failed`. A notice that was handed over and not taken off comes again with the same bytes.
    pub async fn notices(
        &self,
        wait: Duration,
        mut on_notice: impl FnMut(&Notice) -> ControlFlow<()>,
    ) -> Result<usize, ClientError> {
        let end = Instant::now() + wait;
        let (mut pace, mut seen) = (Pace::FIRST, 0);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(seen);
            }
            let mut others = Vec::new();
            for message in self.receive(left, pace).await? {
                let body = message.body.as_deref().unwrap_or_default();
                match notice(body, times_received(&message), &self.enclave) {
                    Ok(notice) => {
                        if on_notice(&notice).is_break() {
                            return Ok(seen);
                        }
                        self.delete(&message).await?;
                        seen += 1;
                    }
                    Err(other) => others.push(other),
                }
            }
            pace = pace.after(&others);
            if pace.yields {
                sleep_until(end.min(Instant::now() + Duration::from_secs(u64::from(pace.hidden)) + GRACE))
                    .await;
            }
        }
    }

    /// For the one reader of a queue: up to ten messages of whatever kind, as soon as there are any, within `wait`. Each
    /// comes again after 30 seconds unless it is taken.
    ///
    /// # Errors
    /// `queue_failed`.
    pub async fn read(&self, wait: Duration) -> Result<Vec<Received>, ClientError> {
        let pace = Pace { hidden: HANDED_OUT_SECONDS, yields: false };
        let received = |message: Message| Received {
            content: FromEnclave::parse(message.body.as_deref().unwrap_or_default()),
            message,
        };
        Ok(self.receive(wait, pace).await?.into_iter().map(received).collect())
    }

    /// Takes a message off the queue for good, once what it says is safe elsewhere.
    ///
    /// # Errors
    /// `queue_failed`.
    pub async fn take(&self, received: &Received) -> Result<(), ClientError> {
        self.delete(&received.message).await
    }

    async fn receive(&self, left: Duration, pace: Pace) -> Result<Vec<Message>, ClientError> {
        let queue_url = &self.enclave.results_queue_url;
        let poll = left.as_secs().clamp(1, LONGEST_POLL_SECONDS);
        let call = self.sqs.receive_message().queue_url(queue_url);
        let call = call
            .max_number_of_messages(MOST_MESSAGES)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .visibility_timeout(i32::try_from(pace.hidden).unwrap_or(i32::MAX))
            .wait_time_seconds(i32::try_from(poll).unwrap_or(1));
        // A connection that hangs must not hold the caller for ever.
        match timeout(Duration::from_secs(poll + 10), call.send()).await {
            Ok(answer) => {
                let answer = answer.map_err(|error| failed("ReceiveMessage", queue_url, &error))?;
                Ok(answer.messages.unwrap_or_default())
            }
            Err(_) => Ok(Vec::new()),
        }
    }

    async fn delete(&self, message: &Message) -> Result<(), ClientError> {
        let queue_url = &self.enclave.results_queue_url;
        let call =
            self.sqs.delete_message().queue_url(queue_url).set_receipt_handle(message.receipt_handle.clone());
        call.send().await.map_err(|error| failed("DeleteMessage", queue_url, &error))?;
        Ok(())
    }
}

fn times_received(message: &Message) -> u32 {
    let attributes = message.attributes.as_ref();
    let count = attributes.and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}

fn failed<E>(call: &'static str, queue_url: &str, error: &SdkError<E>) -> ClientError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let reason = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    };
    ClientError::Queue { call, queue_url: queue_url.to_owned(), reason }
}
