//! One schedule: messages one step after another, each step's faults drawn anew, nothing waited for but the function.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use enclave_protocol::names::InstanceType;
use enclave_protocol::reply::Reply;
use enclave_protocol::request::{Mode, Order, Request};
use serde_json::json;
use tokio::sync::Mutex;

use super::draw::Draw;
use super::model::Model;
use super::weather::Weather;
use crate::configuration_server::ConfigurationServer;
use crate::enclave::{LocalEnclave, Options};
use crate::outside::Outside;

/// Looks until every request must have its final reply; a tick is a minute, so this is longer than any deadline.
const TICKS: usize = 40;

/// Deliveries of one message until the queue sets it aside; a tick finishes what it claimed.
const RECEIVES: usize = 5;

/// Longest wait for one step, on a busy machine.
const STEP_LIMIT: Duration = Duration::from_mins(3);

/// Types to draw a preference from.
const INSTANCE_TYPES: [&str; 4] = ["m7g.large", "m6g.large", "c7g.large", "r7g.large"];

/// An enclave that plays schedules, one after the other.
pub(super) struct Stage {
    enclave: LocalEnclave,
    server: ConfigurationServer,
    /// What was seen last.
    seen: Mutex<Outside>,
}

/// A request that was sent.
struct Sent {
    name: &'static str,
    mode: Mode,
    order: Order,
    body: String,
    id: String,
}

/// One schedule under way.
struct Play<'a> {
    stage: &'a Stage,
    draw: Draw,
    weather: Weather,
    model: Model,
    /// Everything that was sent so far, to be sent again.
    sent: Vec<Sent>,
    /// Different final replies by request, as they came out of the queue.
    finals: BTreeMap<String, BTreeSet<String>>,
    /// What was done, for the story of a failure.
    story: Vec<String>,
}

impl Stage {
    pub(super) async fn start() -> Result<Self> {
        let enclave = LocalEnclave::start(Options { tick_every: None, ..Options::default() }).await?;
        let server = ConfigurationServer::of(&enclave)?;
        Ok(Self { enclave, server, seen: Mutex::default() })
    }

    /// What an earlier schedule found of pools is believed for three minutes of real time, which nobody waits for here.
    async fn forget_pools(&self) -> Result<()> {
        let (s3, bucket) = (&self.enclave.clients().s3, &self.enclave.made().buckets.state);
        let known = s3.list_objects_v2().bucket(bucket).prefix("state/v1/capacity/").send().await?;
        for key in known.contents().iter().filter_map(|object| object.key()) {
            s3.delete_object().bucket(bucket).key(key).send().await?;
        }
        Ok(())
    }

    pub(super) async fn end(self) {
        self.enclave.shutdown().await;
    }

    /// Plays a seed's schedule. An error tells what was violated, and the story until then.
    pub(super) async fn play(&self, seed: u64) -> Result<()> {
        let mut draw = Draw::new(seed, "orders");
        let weather = Weather::new(seed);
        self.forget_pools().await?;
        let images = self.enclave.made().hosts.images.clone();
        let first = draw.below(3) as usize;
        let types = INSTANCE_TYPES[first..=first + draw.below(2) as usize].iter().map(|name| name.parse());
        let types: Vec<InstanceType> = types.collect::<Result<_, _>>()?;
        let model = Model::new(images, types, weather.scarcity.is_some());
        weather.over(self.enclave.proxy());
        let mut play = Play {
            stage: self,
            draw,
            weather,
            model,
            sent: Vec::new(),
            finals: BTreeMap::new(),
            story: Vec::new(),
        };
        let played = play.whole().await;
        Weather::clear(self.enclave.proxy());
        self.enclave.forget_calls();
        let story = || format!("{}\n{}", play.story.join("\n"), self.enclave.function().log_tail(15));
        match played {
            Ok(()) => Ok(()),
            Err(error) => bail!("{error:#}\n{}", story()),
        }
    }
}

impl Play<'_> {
    async fn whole(&mut self) -> Result<()> {
        let rounds = 2 + self.draw.below(2);
        for _ in 0..rounds {
            let orders = self.model.round(&mut self.draw);
            self.round(orders).await?;
        }
        self.check("after the orders").await?;
        for end in 0..2 {
            let orders = std::mem::take(&mut self.model.ends()[end]);
            self.round(orders).await?;
        }
        self.check("after the end").await
    }

    /// Sends orders together and ticks until each has its final reply.
    async fn round(&mut self, orders: Vec<(&'static str, Mode, Order)>) -> Result<()> {
        Weather::pass(self.stage.enclave.proxy());
        let new = self.sent.len();
        let mut bodies = Vec::new();
        for (name, mode, order) in orders {
            let request = Request { mode, ..self.stage.server.request(order.clone()) };
            let id = request.request_id.to_string();
            let body = self.stage.server.sign(request)?.to_json();
            bodies.push(body.clone());
            self.sent.push(Sent { name, mode, order, body, id });
        }
        self.story.extend(self.sent[new..].iter().map(|it| format!("{} {} {:?}", it.id, it.name, it.mode)));
        let mut messages = Vec::new();
        for body in bodies {
            messages.push(body.clone());
            messages.extend(self.disturbance(Some(&body)));
        }
        self.step(messages).await?;
        for _ in 0..TICKS {
            if self.sent[new..].iter().all(|sent| self.finals.contains_key(&sent.id)) {
                return self.take(new);
            }
            let mut messages = vec![tick()];
            messages.extend(self.disturbance(None));
            self.step(messages).await?;
        }
        let open = self.sent[new..].iter().filter(|sent| !self.finals.contains_key(&sent.id));
        let open: Vec<&String> = open.map(|sent| &sent.id).collect();
        bail!("no final reply to {open:?} after {TICKS} ticks")
    }

    /// Now and then a message that orders nothing new.
    fn disturbance(&mut self, body: Option<&str>) -> Option<String> {
        match self.draw.below(10) {
            0 => Some(tick()),
            1 => Some(host_event()),
            // The queue drops it: the very same body within five minutes.
            2 => body.map(str::to_owned),
            // It comes through: the same envelope in other bytes.
            3 | 4 if !self.sent.is_empty() => {
                let again = &self.draw.one(&self.sent).body;
                Some(format!("{again}{}", " ".repeat(1 + self.story.len())))
            }
            _ => None,
        }
    }

    /// Puts messages on the line, waits until the function has had each, and takes what was answered.
    async fn step(&mut self, messages: Vec<String>) -> Result<()> {
        let enclave = &self.stage.enclave;
        self.weather.step(enclave.proxy());
        let mut handled = enclave.event_source().handled();
        let mut under_way: BTreeMap<String, usize> = BTreeMap::new();
        let mut bodies = BTreeSet::new();
        let requests = &enclave.made().queues.requests.url;
        for body in messages {
            // What the queue drops is never handled.
            let dropped = !bodies.insert(body.clone());
            let send = enclave.clients().sqs.send_message().queue_url(requests).message_body(body);
            let id = send.message_group_id("line").send().await?.message_id.context("no message id")?;
            if !dropped {
                under_way.insert(id, 0);
            }
        }
        self.story.push(format!("  a step of {} messages", under_way.len()));
        let all = async {
            while !under_way.is_empty() {
                let message = handled.recv().await?;
                let Some(failures) = under_way.get_mut(&message.message_id) else { continue };
                *failures += usize::from(!message.succeeded);
                if message.succeeded || *failures == RECEIVES {
                    under_way.remove(&message.message_id);
                }
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(STEP_LIMIT, all).await.context("the function does not come to an end")??;
        let struck = enclave.proxy().take_struck();
        self.story.extend(struck.iter().map(|it| format!("  {it}")));
        self.drain().await
    }

    /// Takes all replies off the results queue.
    async fn drain(&mut self) -> Result<()> {
        let sqs = &self.stage.enclave.clients().sqs;
        let queue = &self.stage.enclave.made().queues.results.url;
        loop {
            let receive = sqs.receive_message().queue_url(queue).max_number_of_messages(10);
            let messages = receive.wait_time_seconds(0).send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(());
            }
            for message in messages {
                let handle = message.receipt_handle().context("no receipt handle")?;
                sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await?;
                let body = message.body.context("a message without a body")?;
                let reply: Reply = serde_json::from_str(&body)?;
                let id = reply.request_id.map(|id| id.to_string());
                let id = id.with_context(|| format!("a reply to nothing that was sent: {body}"))?;
                self.story.push(format!("  {id}: {:?} {}", reply.status, reply.code));
                if reply.status.is_final() {
                    self.finals.entry(id).or_default().insert(body);
                }
            }
        }
    }

    /// Takes the final replies to what was sent from `new` on.
    fn take(&mut self, new: usize) -> Result<()> {
        for sent in &self.sent[new..] {
            let body =
                self.finals.get(&sent.id).and_then(|bodies| bodies.first()).context("a final reply")?;
            let reply: Reply = serde_json::from_str(body)?;
            let taken = self.model.take(sent.mode, &sent.order, &reply);
            taken.map_err(|wrong| anyhow::anyhow!("{} {}: {wrong}", sent.name, sent.id))?;
        }
        Ok(())
    }

    async fn check(&self, when: &str) -> Result<()> {
        let enclave = &self.stage.enclave;
        let mut last = self.stage.seen.lock().await;
        *last =
            std::mem::take(&mut *last).look_again(enclave.clients(), &enclave.made().buckets.state).await?;
        let mut violations = last.violations(&self.model.wanted());
        let several = self.finals.iter().filter(|(_, bodies)| bodies.len() > 1);
        violations.extend(several.map(|(id, bodies)| format!("{id} has several final replies: {bodies:#?}")));
        let known: BTreeSet<&String> = self.sent.iter().map(|sent| &sent.id).collect();
        let strange = self.finals.keys().filter(|id| !known.contains(id));
        violations.extend(strange.map(|id| format!("a final reply to {id}, which was not sent")));
        ensure!(violations.is_empty(), "{when}:\n{}", violations.join("\n"));
        Ok(())
    }
}

fn tick() -> String {
    json!({ "tick": uuid::Uuid::now_v7() }).to_string()
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html>
fn host_event() -> String {
    json!({
        "id": uuid::Uuid::now_v7(),
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "detail": { "instance-id": "i-00000000000000000", "state": "running" },
    })
    .to_string()
}
