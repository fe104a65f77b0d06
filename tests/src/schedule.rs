//! The schedule that ticks: what `EventBridge` Scheduler does to the requests queue every minute in a real account.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sqs::Client;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::event_source::EventSource;
use crate::foundation::Queue;

/// A tick may also have been purged; it is not waited for longer than this.
const UNHANDLED_LIMIT: Duration = Duration::from_mins(1);

/// Puts ticks on a queue.
#[derive(Debug, Clone)]
pub struct Ticker {
    sqs: Client,
    queue: Queue,
    zone: String,
}

impl Ticker {
    /// A ticker for the requests queue of `zone`.
    pub fn new(sqs: Client, queue: Queue, zone: impl Into<String>) -> Self {
        Self { sqs, queue, zone: zone.into() }
    }

    /// Puts one tick on the queue; the id of its message.
    pub async fn tick(&self) -> Result<String> {
        let execution = uuid::Uuid::now_v7();
        let sent = self
            .sqs
            .send_message()
            .queue_url(&self.queue.url)
            .message_body(json!({ "tick": execution }).to_string())
            .message_group_id(&self.zone)
            .send()
            .await
            .context("cannot put a tick on the requests queue")?;
        sent.message_id.context("a message without an id")
    }
}

/// A running schedule; dropped, it stops.
#[derive(Debug)]
pub struct Schedule {
    task: JoinHandle<()>,
}

impl Schedule {
    /// Ticks every so often, but never before the function has had the previous tick: locally ticks come so
    /// fast that they would pile up behind slow work.
    pub fn start(ticker: Ticker, every: Duration, source: Arc<EventSource>) -> Self {
        let task = tokio::spawn(async move {
            // An interval of nothing would be an endless loop.
            let mut times = tokio::time::interval(every.max(Duration::from_millis(1)));
            times.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                times.tick().await;
                if let Err(error) = tick_and_wait(&ticker, &source).await {
                    tracing::error!("schedule: {error:#}");
                }
            }
        });
        Self { task }
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tick_and_wait(ticker: &Ticker, source: &EventSource) -> Result<()> {
    let mut handled = source.handled();
    let message_id = ticker.tick().await?;
    let ours = async {
        loop {
            match handled.recv().await {
                Ok(message) if message.message_id == message_id => break,
                Ok(_) => {}
                // So much was handled that this one may have been missed, too.
                Err(RecvError::Lagged(_) | RecvError::Closed) => break,
            }
        }
    };
    // Whether it came or not, the next tick is due.
    let _ = tokio::time::timeout(UNHANDLED_LIMIT, ours).await;
    Ok(())
}
