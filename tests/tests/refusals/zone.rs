//! A zone that is given one message at a time, and all that can be seen of what it does with it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use enclave_protocol::reply::{Reply, Status};
use enclave_protocol::request::{Mode, Order, Request};
use enclave_tests::configuration_server::ConfigurationServer;
use enclave_tests::enclave::{LocalEnclave, Options};
use enclave_tests::event_source::Handled;
use enclave_tests::foundation::Queue;
use enclave_tests::recording_proxy::Call;
use enclave_tests::wait;
use serde_json::{Value, json};

use crate::case::Case;

/// Longest wait for one thing, on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// Where claimed requests are.
const REQUESTS: &str = "state/v1/requests/";

/// A local enclave that ticks only when told to, and its configuration server.
pub(crate) struct Zone {
    pub(crate) enclave: LocalEnclave,
    pub(crate) server: ConfigurationServer,
}

/// What was seen of one message.
pub(crate) struct Seen {
    /// Whether the function worked it off at its first delivery, so that the queue forgot it.
    pub(crate) consumed: bool,
    /// What lay on the results queue afterwards.
    pub(crate) replies: Vec<String>,
    /// Every AWS call.
    pub(crate) calls: Vec<Call>,
    /// The lines of the function's log that name the message.
    pub(crate) log: Vec<String>,
    /// The invocation's line of metrics.
    pub(crate) metrics: Value,
    /// Keys of the requests that were claimed.
    pub(crate) claimed: Vec<String>,
    results_queue_url: String,
}

impl Seen {
    /// Every reply that was sent, those included that the queue drops as already sent.
    pub(crate) fn sent(&self) -> Vec<&Call> {
        let is_send = |call: &&Call| call.service == "sqs" && call.action == "SendMessage";
        self.calls.iter().filter(is_send).collect()
    }

    /// The bytes of every reply that was sent.
    pub(crate) fn bodies(&self) -> Vec<&str> {
        self.sent().into_iter().map(|call| call.parameter("MessageBody")).collect()
    }

    /// Whether all replies went to the results queue and nowhere else.
    pub(crate) fn sent_to_results(&self) -> bool {
        self.sent().iter().all(|call| call.parameter("QueueUrl") == self.results_queue_url)
    }

    /// Calls that change, or may change, something in the account beside the enclave's own buckets and queues.
    pub(crate) fn changes(&self) -> Vec<String> {
        let own = |call: &Call| matches!(call.service.as_str(), "s3" | "sqs");
        let reads = |call: &Call| call.action.starts_with("Describe") && call.service != "unsigned";
        let changing = self.calls.iter().filter(|call| !own(call) && !reads(call));
        changing.map(|call| format!("{}:{}", call.service, call.action)).collect()
    }

    /// Keys of what was written to S3; a conditional write that was refused wrote nothing.
    pub(crate) fn writes(&self) -> Vec<&str> {
        let s3 = self.calls.iter().filter(|call| call.service == "s3" && call.status != 412);
        let reads = ["GetObject", "HeadObject", "ListObjectsV2"];
        s3.filter(|call| !reads.contains(&call.action.as_str())).map(|call| call.parameter("key")).collect()
    }

    /// A metric of the invocation; zero when it is not there.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.metrics[name].as_f64().unwrap_or_default()
    }

    /// The only reply.
    pub(crate) fn reply(&self) -> Result<Reply> {
        let bodies = self.bodies();
        let [body] = bodies.as_slice() else { anyhow::bail!("not one reply: {bodies:#?}\n{:#?}", self.log) };
        Ok(serde_json::from_str(body)?)
    }
}

impl Zone {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Result<Self> {
        // Ticks would mix their calls with those of the case.
        let enclave = LocalEnclave::start(Options { tick_every: None, ..options }).await?;
        let server = ConfigurationServer::of(&enclave)?;
        Ok(Self { enclave, server })
    }

    /// Puts a message on the line and waits until the function has had it.
    pub(crate) async fn give(&self, body: &str) -> Result<Seen> {
        let enclave = &self.enclave;
        let queues = &enclave.made().queues;
        let claimed_before = self.claimed().await?;
        let calls_before = enclave.calls().last().map_or(0, |call| call.sequence);
        let mut handled = enclave.event_source().handled();
        let send = enclave.clients().sqs.send_message().queue_url(&queues.requests.url).message_body(body);
        let message_id = send.message_group_id("line").send().await?.message_id.context("no message id")?;
        let ours = async {
            loop {
                let message: Handled = handled.recv().await?;
                if message.message_id == message_id {
                    return anyhow::Ok(message);
                }
            }
        };
        // A message that the queue took for one it had already would never come.
        let ours = tokio::time::timeout(LIMIT, ours).await.context("the message was never handled")??;
        let log = std::fs::read_to_string(enclave.function().log())?;
        let invocation = &ours.invocation.request_id;
        let is_metrics = |line: &&str| line.contains("\"_aws\"") && line.contains(invocation.as_str());
        let metrics: Vec<Value> =
            log.lines().filter(is_metrics).map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(metrics.len() <= 1, "more than one line of metrics: {metrics:#?}");
        Ok(Seen {
            consumed: ours.succeeded,
            replies: self.drain(&queues.results).await?,
            calls: enclave.calls().into_iter().filter(|call| call.sequence > calls_before).collect(),
            log: log.lines().filter(|line| line.contains(&message_id)).map(str::to_owned).collect(),
            metrics: metrics.into_iter().next().unwrap_or_default(),
            claimed: self.claimed().await?.difference(&claimed_before).cloned().collect(),
            results_queue_url: queues.results.url.clone(),
        })
    }

    /// Ticks once.
    pub(crate) async fn tick(&self) -> Result<Seen> {
        self.give(&json!({ "tick": uuid::Uuid::now_v7() }).to_string()).await
    }

    /// Gives each message, sees it refused as it must be, and names every case in which it was not.
    pub(crate) async fn refuses(&self, cases: impl IntoIterator<Item = Case>) -> Result<()> {
        let mut faults = Vec::new();
        for case in cases {
            let seen = self.give(&case.body).await.with_context(|| case.name.clone())?;
            let found = case.faults(&seen, &self.server.enclave().audience());
            faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", case.name)));
        }
        ensure!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
        Ok(())
    }

    /// Gives a twin of a refused message, and sees it carried out at once.
    pub(crate) async fn accepts(&self, name: &str, body: &str) -> Result<Reply> {
        let seen = self.give(body).await.with_context(|| name.to_owned())?;
        let reply = seen.reply().with_context(|| name.to_owned())?;
        ensure!(seen.consumed && reply.status == Status::Done, "{name}: {reply:#?}");
        ensure!(seen.metric("Refused") == 0.0, "{name}: {:#?}", seen.metrics);
        let allowed = reply.plan.as_ref().is_none_or(|plan| plan.decision.allowed);
        ensure!(allowed, "{name}: {reply:#?}");
        Ok(reply)
    }

    /// Orders something and ticks until it is done.
    pub(crate) async fn carry_out(&self, order: Order) -> Result<Reply> {
        let request = self.server.request(order);
        let seen = self.give(&self.server.sign(request)?.to_json()).await?;
        self.follow(seen).await
    }

    /// Ticks until a request that was given is done.
    pub(crate) async fn follow(&self, seen: Seen) -> Result<Reply> {
        let mut last = Some(seen);
        let reply = wait::until("a final reply", LIMIT, async || {
            let seen = match last.take() {
                Some(seen) => seen,
                None => self.tick().await?,
            };
            let replies: Vec<Reply> =
                seen.bodies().into_iter().map(serde_json::from_str).collect::<Result<_, _>>()?;
            Ok(replies.into_iter().find(|reply| reply.status.is_final()))
        });
        let reply = reply.await.with_context(|| self.enclave.function().log_tail(20))?;
        ensure!(reply.status == Status::Done, "{reply:#?}");
        Ok(reply)
    }

    /// A request in mode `plan`, by which an order is tried without being carried out.
    pub(crate) fn plan(&self, order: Order) -> Request {
        Request { mode: Mode::Plan, ..self.server.request(order) }
    }

    /// Writes an object of the tenant's.
    pub(crate) async fn tenant_puts(&self, key: &str, body: impl Into<Vec<u8>>) -> Result<()> {
        let put = self.enclave.clients().s3.put_object().bucket(&self.enclave.made().buckets.tenant).key(key);
        put.body(body.into().into()).send().await.with_context(|| format!("cannot write {key}"))?;
        Ok(())
    }

    /// Deletes an object of the tenant's.
    pub(crate) async fn tenant_deletes(&self, key: &str) -> Result<()> {
        let bucket = &self.enclave.made().buckets.tenant;
        self.enclave.clients().s3.delete_object().bucket(bucket).key(key).send().await?;
        Ok(())
    }

    /// Ends the zone, after a look at its queues: everything was consumed, and nothing was set aside.
    pub(crate) async fn end(self) -> Result<()> {
        let queues = &self.enclave.made().queues;
        for queue in [&queues.requests, &queues.requests_dead_letters] {
            let left = self.messages(queue).await?;
            ensure!(left == 0, "{left} messages are left in {}", queue.url);
        }
        self.enclave.shutdown().await;
        Ok(())
    }

    /// How many messages lie in a queue, those included that somebody has received.
    async fn messages(&self, queue: &Queue) -> Result<u32> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let get = self.enclave.clients().sqs.get_queue_attributes().queue_url(&queue.url);
        let attributes = get.set_attribute_names(Some(names.to_vec())).send().await?.attributes;
        let attributes = attributes.context("a queue without attributes")?;
        let counts = names.iter().map(|name| Ok(attributes.get(name).context("no count")?.parse::<u32>()?));
        counts.sum()
    }

    async fn claimed(&self) -> Result<BTreeSet<String>> {
        let bucket = &self.enclave.made().buckets.state;
        let list = self.enclave.clients().s3.list_objects_v2().bucket(bucket).prefix(REQUESTS).send().await?;
        ensure!(list.is_truncated != Some(true), "more requests than one page lists");
        Ok(list.contents().iter().filter_map(|object| object.key.clone()).collect())
    }

    /// Takes everything off a queue.
    async fn drain(&self, queue: &Queue) -> Result<Vec<String>> {
        let sqs = &self.enclave.clients().sqs;
        let mut bodies = Vec::new();
        loop {
            let receive = sqs.receive_message().queue_url(&queue.url).max_number_of_messages(10);
            let messages = receive.wait_time_seconds(0).send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(bodies);
            }
            for message in messages {
                let delete = sqs.delete_message().queue_url(&queue.url);
                delete.receipt_handle(message.receipt_handle.context("no receipt handle")?).send().await?;
                bodies.push(message.body.context("a message without a body")?);
            }
        }
    }
}
