//! One message that must be refused, and what must be seen of its refusal.

use enclave_client::Sent;
use enclave_protocol::code::Code;
use enclave_protocol::reply::{Reply, Status};
use enclave_protocol::request::Audience;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::zone::Seen;

/// Longest sentence of a reply, in characters.
const MAX_SENTENCE: usize = 1000;

/// Whom a refusal is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Nobody: the message is no envelope. It is only logged and counted.
    Nobody,
    /// Whoever sent a message with this body.
    ByBody,
    /// Whoever sent this request.
    ByRequest(Uuid),
}

/// One message that must be refused.
pub(crate) struct Case {
    /// What is wrong with it.
    pub(crate) name: String,
    /// The message.
    pub(crate) body: String,
    code: Code,
    /// What the sentence must name.
    naming: String,
    answer: Answer,
    /// Whether the ledger holds the request afterwards.
    claimed: bool,
    /// A metric that is counted beside `Refused`.
    also_counted: Option<&'static str>,
}

impl Case {
    /// No envelope: nobody is told.
    pub(crate) fn unanswered(
        name: &str,
        body: impl Into<String>,
        code: Code,
        naming: impl Into<String>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            body: body.into(),
            code,
            naming: naming.into(),
            answer: Answer::Nobody,
            claimed: false,
            also_counted: None,
        }
    }

    /// An envelope that cannot be opened, or holds no request: answered by the hash of its body.
    pub(crate) fn by_body(
        name: &str,
        body: impl Into<String>,
        code: Code,
        naming: impl Into<String>,
    ) -> Self {
        Self { answer: Answer::ByBody, ..Self::unanswered(name, body, code, naming) }
    }

    /// A request that is refused before it is claimed: answered by its id.
    pub(crate) fn by_request(
        name: &str,
        body: impl Into<String>,
        code: Code,
        naming: impl Into<String>,
    ) -> Self {
        let body = body.into();
        let request_id = Sent::of(&body).request_id.expect("a request has an id");
        Self { answer: Answer::ByRequest(request_id), ..Self::unanswered(name, body, code, naming) }
    }

    /// A request that the tenant's rules, or the account, refuse: it is claimed, and answered by its id.
    pub(crate) fn claimed(
        name: &str,
        body: impl Into<String>,
        code: Code,
        naming: impl Into<String>,
    ) -> Self {
        Self { claimed: true, ..Self::by_request(name, body, code, naming) }
    }

    /// The same, and a metric beside `Refused`.
    pub(crate) fn also_counted(self, metric: &'static str) -> Self {
        Self { also_counted: Some(metric), ..self }
    }

    /// What is wrong with the refusal that was seen.
    pub(crate) fn faults(&self, seen: &Seen, enclave: &Audience) -> Vec<String> {
        let mut faults = Faults(Vec::new());
        faults.unless(seen.consumed, || "it was not consumed".to_owned());
        let changes = seen.changes();
        faults.unless(changes.is_empty(), || format!("it made {changes:?}"));
        self.ledger(seen, &mut faults);
        self.metrics(seen, enclave, &mut faults);
        self.log(seen, enclave, &mut faults);
        self.answer(seen, enclave, &mut faults);
        faults.0
    }

    fn request_id(&self) -> Option<Uuid> {
        match self.answer {
            Answer::ByRequest(id) => Some(id),
            Answer::ByBody | Answer::Nobody => None,
        }
    }

    fn ledger(&self, seen: &Seen, faults: &mut Faults) {
        let own = self.request_id().filter(|_| self.claimed).map(|id| format!("state/v1/requests/{id}.json"));
        let wanted: Vec<String> = own.into_iter().collect();
        faults.unless(seen.claimed == wanted, || format!("claimed: {:?}", seen.claimed));
        // Whoever finds that an id was used before has taken the line for it.
        let line = "state/v1/line.json";
        let takes_line = self.claimed || self.code == Code::RequestIdReused;
        let may = |key: &&str| takes_line && (*key == line || wanted.iter().any(|own| own == key));
        let others: Vec<&str> = seen.writes().into_iter().filter(|key| !may(key)).collect();
        faults.unless(others.is_empty(), || format!("it wrote {others:?}"));
    }

    fn metrics(&self, seen: &Seen, enclave: &Audience, faults: &mut Faults) {
        for name in ["Refused"].into_iter().chain(self.also_counted) {
            let counted = (seen.metric(name) - 1.0).abs() < f64::EPSILON;
            faults.unless(counted, || format!("{name} is not counted once: {}", seen.metrics));
        }
        let zone = &seen.metrics["Zone"];
        faults.unless(zone == &json!(enclave.zone), || format!("counted for zone {zone}"));
        faults.unless(seen.metric("Retries") == 0.0, || "it is to be retried".to_owned());
    }

    fn log(&self, seen: &Seen, enclave: &Audience, faults: &mut Faults) {
        let lines: Vec<(&String, Value)> =
            seen.log.iter().map(|line| (line, serde_json::from_str(line).unwrap_or_default())).collect();
        let ours: Vec<&(&String, Value)> = lines
            .iter()
            .filter(|(_, line)| line["level"] == "WARN" && line["code"] == json!(self.code))
            .collect();
        let [(raw, line)] = ours.as_slice() else {
            let log = seen.log.join("\n");
            faults.0.push(format!("not one line of the log warns with code {}:\n{log}", self.code));
            return;
        };
        faults.unless(line["span"]["zone"] == json!(enclave.zone), || {
            format!("logged for another zone: {raw}")
        });
        let request_id = self.request_id().map_or(Value::Null, |id| json!(id));
        faults.unless(line["span"]["request_id"] == request_id, || {
            format!("logged for another request: {raw}")
        });
        // In the line as it is written, a quotation mark is escaped.
        let naming = json!(self.naming).to_string();
        let naming = naming.trim_matches('"');
        faults.unless(raw.contains(naming), || format!("the log does not name {naming}: {raw}"));
    }

    fn answer(&self, seen: &Seen, enclave: &Audience, faults: &mut Faults) {
        let sent = seen.sent();
        if self.answer == Answer::Nobody {
            faults.unless(sent.is_empty() && seen.replies.is_empty(), || {
                format!("answered: {:?}", seen.bodies())
            });
            return;
        }
        let [call] = sent.as_slice() else {
            faults.0.push(format!("not one reply: {:#?}", seen.bodies()));
            return;
        };
        let body = call.parameter("MessageBody");
        faults.unless(seen.sent_to_results(), || format!("the reply went to {}", call.parameter("QueueUrl")));
        faults.unless(seen.replies == [body], || format!("on the results queue: {:#?}", seen.replies));
        faults.unless(call.parameter("MessageDeduplicationId") == sha256(body), || {
            "the deduplication id is not the reply's hash".to_owned()
        });
        let body_sha256 = sha256(&self.body);
        let group = self.request_id().map_or_else(|| body_sha256.clone(), |id| id.to_string());
        faults.unless(call.parameter("MessageGroupId") == group, || {
            format!("the reply's group is {}", call.parameter("MessageGroupId"))
        });
        match serde_json::from_str::<Reply>(body) {
            Ok(reply) => self.reply(&reply, enclave, &body_sha256, faults),
            Err(error) => faults.0.push(format!("the answer is no reply: {error}: {body}")),
        }
    }

    fn reply(&self, reply: &Reply, enclave: &Audience, body_sha256: &str, faults: &mut Faults) {
        let shown = || format!("{reply:#?}");
        faults.unless((reply.status, reply.code) == (Status::Rejected, self.code), shown);
        faults.unless(reply.message.contains(&self.naming), || {
            format!("the reply does not name {}: {}", self.naming, reply.message)
        });
        let sentence = !reply.message.is_empty() && !reply.message.contains('\n');
        faults.unless(sentence && reply.message.chars().count() <= MAX_SENTENCE, shown);
        faults.unless((&reply.zone, &reply.enclave_id) == (&enclave.zone, &enclave.enclave_id), shown);
        faults.unless(reply.request_id == self.request_id(), || {
            format!("the reply is for {:?}", reply.request_id)
        });
        let by_request = reply.request_id.is_some();
        let by_body = (!by_request).then_some(body_sha256);
        faults.unless(reply.body_sha256.as_deref() == by_body, || format!("{:?}", reply.body_sha256));
        let envelope = Sent::of(&self.body).envelope_sha256;
        faults.unless(reply.envelope_sha256 == envelope, || {
            format!("the reply names another envelope: {reply:#?}")
        });
        faults.unless(reply.action.is_some() == by_request && reply.mode.is_some() == by_request, shown);
        let empty = reply.hosts.is_empty() && reply.missing.is_empty() && reply.load_balancer.is_none();
        faults.unless(empty && reply.plan.is_none() && reply.inventory.is_none(), shown);
    }
}

/// What is wrong, so far.
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, right: bool, fault: impl FnOnce() -> String) {
        if !right {
            self.0.push(fault());
        }
    }
}

fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}
