//! SQS as a function's event source, with the rules of AWS's event source mapping.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>. One poller, one batch at a time: so no
//! second batch of a message group is ever under way. What a function did not work off is not deleted; AWS lets it
//! return when its visibility timeout has run out, here [`EventSourceOptions::visibility_on_failure`] shortens that.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::foundation::Queue;
use crate::function::{Function, Invocation, Outcome};

/// SQS hands out at most ten messages per receive.
const RECEIVE_LIMIT: usize = 10;

/// How long a receive waits for a first message; also the longest that [`EventSource::pause`] takes when idle.
const POLL: Duration = Duration::from_secs(1);

/// How a queue feeds a function.
#[derive(Debug, Clone)]
pub struct EventSourceOptions {
    /// Most messages in one event; at most 10 from a FIFO queue.
    pub batch_size: usize,
    /// How long a batch may gather; always zero for a FIFO queue.
    pub window: Duration,
    /// When a message that failed returns, in whole seconds. None is as AWS does it: when the visibility timeout of its
    /// queue has run out.
    pub visibility_on_failure: Option<Duration>,
    /// Region that events name.
    pub region: String,
}

/// A running event source; dropped, it stops.
#[derive(Debug)]
pub struct EventSource {
    paused: watch::Sender<bool>,
    /// Held from a receive to the end of what it led to.
    round: Arc<Mutex<()>>,
    handled: broadcast::Sender<Handled>,
    poller: JoinHandle<()>,
}

/// A message that a function was given.
#[derive(Debug, Clone)]
pub struct Handled {
    /// Its id.
    pub message_id: String,
    /// Whether it was worked off, and so deleted.
    pub succeeded: bool,
    /// The invocation it was part of.
    pub invocation: Invocation,
}

impl EventSource {
    /// Starts feeding `function` from `queue`.
    pub fn start(sqs: Client, queue: Queue, function: Arc<Function>, options: EventSourceOptions) -> Self {
        let (paused, mut resumed) = watch::channel(false);
        let (handled, _) = broadcast::channel(1024);
        let round = Arc::new(Mutex::new(()));
        let source = Source { sqs, queue, function, options, handled: handled.clone() };
        let lock = Arc::clone(&round);
        let poller = tokio::spawn(async move {
            while resumed.wait_for(|paused| !paused).await.is_ok() {
                let _round = lock.lock().await;
                // Paused while this waited for the lock?
                if *resumed.borrow() {
                    continue;
                }
                if let Err(error) = source.round().await {
                    tracing::error!(queue = source.queue.url, "event source: {error:#}");
                    // An endpoint that refuses is not asked in a tight loop.
                    tokio::time::sleep(POLL).await;
                }
            }
        });
        Self { paused, round, handled, poller }
    }

    /// Stops feeding; returns when nothing is under way any more.
    pub async fn pause(&self) {
        self.paused.send_replace(true);
        drop(self.round.lock().await);
    }

    /// Feeds on.
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// Stops for good; what is under way is broken off.
    pub fn stop(&self) {
        self.poller.abort();
    }

    /// Tells of each message from now on, when the function has had it.
    pub fn handled(&self) -> broadcast::Receiver<Handled> {
        self.handled.subscribe()
    }
}

impl Drop for EventSource {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Source {
    sqs: Client,
    queue: Queue,
    function: Arc<Function>,
    options: EventSourceOptions,
    handled: broadcast::Sender<Handled>,
}

impl Source {
    async fn round(&self) -> Result<()> {
        let batch = self.gather().await.context("cannot receive")?;
        if batch.is_empty() {
            return Ok(());
        }
        let records: Vec<Value> = batch.iter().map(|message| self.record(message)).collect();
        let invocation = self.function.invoke(json!({ "Records": records })).await?;
        let failed = failures(&batch, &invocation.outcome);
        if !failed.is_empty() {
            let name = self.function.name();
            tracing::warn!(function = name, failed = failed.len(), outcome = ?invocation.outcome, "messages failed");
        }
        for message in &batch {
            let message_id = message.message_id().unwrap_or_default().to_owned();
            let succeeded = !failed.contains(message_id.as_str());
            self.settle(message, succeeded).await?;
            // Nobody may be listening.
            let _ = self.handled.send(Handled { message_id, succeeded, invocation: invocation.clone() });
        }
        Ok(())
    }

    /// Receives until the batch is full or its window closed.
    async fn gather(&self) -> Result<Vec<Message>> {
        let mut batch = self.receive(self.options.batch_size, POLL).await?;
        let closes = Instant::now() + self.options.window;
        while !batch.is_empty() && batch.len() < self.options.batch_size {
            let left = closes.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            batch.extend(self.receive(self.options.batch_size - batch.len(), left.min(POLL)).await?);
        }
        Ok(batch)
    }

    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Message>> {
        let most = i32::try_from(most.clamp(1, RECEIVE_LIMIT))?;
        let answer = self
            .sqs
            .receive_message()
            .queue_url(&self.queue.url)
            .max_number_of_messages(most)
            // Whole seconds, rounded up: zero would be a look at a part of the queue only.
            .wait_time_seconds(i32::try_from(wait.as_millis().div_ceil(1000))?)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event>
    fn record(&self, message: &Message) -> Value {
        let system: Map<String, Value> = message
            .attributes()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str().to_owned(), Value::String(value.clone())))
            .collect();
        let own: Map<String, Value> = message
            .message_attributes()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), attribute(value)))
            .collect();
        json!({
            "messageId": message.message_id(),
            "receiptHandle": message.receipt_handle(),
            "body": message.body(),
            "attributes": system,
            "messageAttributes": own,
            "md5OfBody": message.md5_of_body(),
            "eventSource": "aws:sqs",
            "eventSourceARN": self.queue.arn,
            "awsRegion": self.options.region,
        })
    }

    async fn settle(&self, message: &Message, succeeded: bool) -> Result<()> {
        let handle = message.receipt_handle().context("a message without a receipt handle")?;
        if succeeded {
            let delete = self.sqs.delete_message().queue_url(&self.queue.url).receipt_handle(handle);
            delete.send().await.context("cannot delete a message")?;
            return Ok(());
        }
        let Some(visibility) = self.options.visibility_on_failure else { return Ok(()) };
        let seconds = i32::try_from(visibility.as_secs())?;
        let change = self.sqs.change_message_visibility().queue_url(&self.queue.url).receipt_handle(handle);
        change.visibility_timeout(seconds).send().await.context("cannot give a message back")?;
        Ok(())
    }
}

/// As events write them: <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>.
fn attribute(value: &MessageAttributeValue) -> Value {
    json!({
        "stringValue": value.string_value(),
        "binaryValue": value.binary_value().map(|binary| STANDARD.encode(binary.as_ref())),
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.data_type(),
    })
}

/// The ids of those that failed, by the rules of `ReportBatchItemFailures`: nothing listed is success, and whatever
/// is no answer in the right form fails the whole batch.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
fn failures<'a>(batch: &'a [Message], outcome: &Outcome) -> HashSet<&'a str> {
    let all = || batch.iter().filter_map(Message::message_id).collect();
    let Outcome::Response(answer) = outcome else {
        return all();
    };
    let listed = match &answer["batchItemFailures"] {
        Value::Null => return HashSet::new(),
        Value::Array(listed) => listed,
        _ => return all(),
    };
    let mut failed = HashSet::new();
    for item in listed {
        let id = item["itemIdentifier"].as_str().unwrap_or_default();
        match batch.iter().filter_map(Message::message_id).find(|known| *known == id) {
            Some(known) => failed.insert(known),
            None => return all(),
        };
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(outcome: &Outcome) -> Vec<String> {
        let batch = ["a", "b"].map(|id| Message::builder().message_id(id).build());
        let mut failed: Vec<String> = failures(&batch, outcome).into_iter().map(str::to_owned).collect();
        failed.sort();
        failed
    }

    #[test]
    fn only_a_well_formed_list_fails_a_part() {
        let answer = |value: Value| failed(&Outcome::Response(value));
        assert_eq!(answer(json!(null)), [""; 0]);
        assert_eq!(answer(json!({ "batchItemFailures": [] })), [""; 0]);
        assert_eq!(answer(json!({ "batchItemFailures": [{ "itemIdentifier": "b" }] })), ["b"]);
        assert_eq!(answer(json!({ "batchItemFailures": [{ "itemIdentifier": "" }] })), ["a", "b"]);
        assert_eq!(answer(json!({ "batchItemFailures": [{ "itemIdentifier": "c" }] })), ["a", "b"]);
        assert_eq!(answer(json!({ "batchItemFailures": "b" })), ["a", "b"]);
        assert_eq!(failed(&Outcome::TimedOut), ["a", "b"]);
        assert_eq!(failed(&Outcome::FunctionError(json!({}))), ["a", "b"]);
    }
}
