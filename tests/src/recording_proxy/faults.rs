//! Faults between the functions and AWS: scripted call by call, or drawn from a seed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

use super::call::Request as Asked;

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It takes longer.
    Delay(Duration),
    /// AWS refuses it with this code, in the form of its service; it takes no effect.
    Refuse(&'static str),
    /// The connection breaks before it takes effect.
    LoseRequest,
    /// It takes effect, then the connection breaks.
    LoseAnswer,
    /// The function's process is killed before it takes effect.
    KillBefore,
    /// It takes effect, then the function's process is killed before it hears of it.
    KillAfter,
    /// A launch gets at most so many instances.
    AtMost(u32),
    /// AWS throttles it, in the words of its service; it takes no effect.
    Throttle,
    /// AWS fails inside (5xx), in the words of its service; it takes no effect.
    ServerError,
    /// The call succeeds, and its answer refuses each item with this code. Strikes only calls whose API answers so.
    RefuseItems(&'static str),
}

/// Which calls a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Only this action; any when absent.
    pub action: Option<&'static str>,
    /// Only with this parameter.
    pub parameter: Option<(&'static str, String)>,
    /// So many matching calls pass first.
    pub after: u32,
    /// Then so many are struck.
    pub times: u32,
    /// By this.
    pub fault: Fault,
}

impl Rule {
    /// Strikes the first call of an action.
    pub fn once(action: &'static str, fault: Fault) -> Self {
        Self { action: Some(action), parameter: None, after: 0, times: 1, fault }
    }

    /// Strikes every call of an action.
    pub fn always(action: &'static str, fault: Fault) -> Self {
        Self { times: u32::MAX, ..Self::once(action, fault) }
    }

    /// Strikes the call with this number, from 1, whatever it is.
    pub fn nth_call(number: u32, fault: Fault) -> Self {
        Self { action: None, parameter: None, after: number.saturating_sub(1), times: 1, fault }
    }

    fn matches(&self, asked: &Asked) -> bool {
        self.action.is_none_or(|action| action == asked.action())
            && self.parameter.as_ref().is_none_or(|(name, value)| asked.parameter(name) == value)
    }
}

/// Faults drawn from a seed: the same for the n-th call of an action, however calls interleave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random {
    /// The seed.
    pub seed: u64,
    /// How many of a thousand calls are struck.
    pub per_mille: u32,
    /// What they are struck by, in equal shares.
    pub faults: Vec<Fault>,
    /// No more are struck after so many, so that the work can end.
    pub at_most: u32,
}

/// What a call takes by a clock that a test drives: the order of what EC2 and Elastic Load Balancing take.
const CALL_TIME: Duration = Duration::from_millis(500);

/// All faults of one proxy.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<(Rule, u32)>,
    random: Option<(Random, u32)>,
    counts: BTreeMap<String, u32>,
    stale_for: Option<Duration>,
    stale: BTreeMap<Vec<u8>, (Duration, Answer)>,
    /// The time of a test that drives the clock itself; each call takes [`CALL_TIME`] of it.
    clock: Option<Duration>,
    begun: Option<Instant>,
    struck: Vec<String>,
}

/// A whole answer.
pub(super) type Answer = (StatusCode, HeaderMap, Bytes);

impl Faults {
    pub(super) fn script(&mut self, rules: Vec<Rule>) {
        self.rules = rules.into_iter().map(|rule| (rule, 0)).collect();
    }

    pub(super) fn draw(&mut self, random: Option<Random>) {
        self.random = random.map(|random| (random, 0));
        self.counts.clear();
    }

    pub(super) fn stale_for(&mut self, lag: Option<Duration>) {
        self.stale_for = lag;
        self.stale.clear();
    }

    pub(super) fn advance(&mut self, time: Duration) {
        *self.clock.get_or_insert_default() += time;
    }

    fn now(&mut self) -> Duration {
        let begun = self.begun.get_or_insert_with(Instant::now);
        self.clock.unwrap_or_else(|| begun.elapsed())
    }

    /// The fault that strikes this call, if one does.
    pub(super) fn strike(&mut self, asked: &Asked) -> Option<Fault> {
        if let Some(clock) = &mut self.clock {
            *clock += CALL_TIME;
        }
        let mut struck = None;
        // Not counted where it cannot strike.
        let fits = |fault: &Fault| {
            !matches!(fault, Fault::RefuseItems(_)) || with_refused_items(asked, "", &[]).is_some()
        };
        for (rule, seen) in &mut self.rules {
            if rule.matches(asked) && fits(&rule.fault) {
                let number = *seen;
                *seen += 1;
                let due = number >= rule.after && number - rule.after < rule.times;
                struck = struck.or_else(|| due.then(|| rule.fault.clone()));
            }
        }
        let struck = struck.or_else(|| self.drawn(asked));
        self.struck.extend(struck.iter().map(|fault| format!("{}: {fault:?}", asked.action())));
        struck
    }

    /// What struck since this was asked last, as `Action: Fault`.
    pub(super) fn take_struck(&mut self) -> Vec<String> {
        std::mem::take(&mut self.struck)
    }

    fn drawn(&mut self, asked: &Asked) -> Option<Fault> {
        let (random, used) = self.random.as_mut()?;
        let count = self.counts.entry(asked.action().to_owned()).or_default();
        *count += 1;
        if *used >= random.at_most || random.faults.is_empty() {
            return None;
        }
        let hash = Sha256::digest(format!("{}/{}/{count}", random.seed, asked.action()));
        let number = |at: usize| u32::from_be_bytes([hash[at], hash[at + 1], hash[at + 2], hash[at + 3]]);
        if number(0) % 1000 >= random.per_mille {
            return None;
        }
        *used += 1;
        let choices = u32::try_from(random.faults.len()).unwrap_or(u32::MAX);
        random.faults.get((number(4) % choices) as usize).cloned()
    }

    /// An answer that was given to the very same question, while reads lag behind.
    pub(super) fn stale_answer(&mut self, asked: &Asked, body: &[u8]) -> Option<Answer> {
        let lag = self.stale_for.filter(|_| asked.action().starts_with("Describe"))?;
        let now = self.now();
        let (at, answer) = self.stale.get(body)?;
        (now.saturating_sub(*at) < lag).then(|| answer.clone())
    }

    /// Keeps an answer for as long as reads lag behind.
    pub(super) fn keep(&mut self, asked: &Asked, body: &[u8], answer: &Answer) {
        if self.stale_for.is_some() && asked.action().starts_with("Describe") && answer.0.is_success() {
            let now = self.now();
            self.stale.insert(body.to_vec(), (now, answer.clone()));
        }
    }
}

/// A throttle's code, as each service names it: EC2's and ELBv2's in their API references, S3's 503, SQS's as KMS's.
pub(super) fn throttle(service: &str) -> &'static str {
    match service {
        "ec2" => "RequestLimitExceeded",
        "elasticloadbalancing" => "Throttling",
        "s3" => "SlowDown",
        _ => "ThrottlingException",
    }
}

/// The code of a fault inside AWS, as each service names it.
pub(super) fn server_error(service: &str) -> &'static str {
    match service {
        "s3" | "ec2" => "InternalError",
        _ => "InternalFailure",
    }
}

/// The answer that refuses each item of a call inside a success; none where the API has no such answer. Of the calls
/// that the functions make or may come to make only the deletion of endpoint services has one: `TerminateInstances`,
/// `RunInstances`, `RegisterTargets` and `DeregisterTargets` succeed or fail whole. `CreateFleet` would be another.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcEndpointServiceConfigurations.html>
pub(super) fn with_refused_items(asked: &Asked, code: &str, body: &[u8]) -> Option<Answer> {
    if asked.action() != "DeleteVpcEndpointServiceConfigurations" {
        return None;
    }
    let ids = form_urlencoded::parse(body).filter(|(name, _)| name.starts_with("ServiceId."));
    let error = format!("<error><code>{code}</code><message>as the test asked</message></error>");
    let item = |id| format!("<item><resourceId>{id}</resourceId>{error}</item>");
    let items = ids.map(|(_, id)| item(id)).collect::<Vec<_>>().concat();
    let name = "DeleteVpcEndpointServiceConfigurationsResponse";
    let body = format!(
        "<{name} xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>local</requestId>\
         <unsuccessful>{items}</unsuccessful></{name}>"
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    Some((StatusCode::OK, headers, Bytes::from(body)))
}

/// AWS's refusal in the form of the service.
pub(super) fn refusal(service: &str, code: &str) -> Answer {
    let message = "as the test asked";
    let (status, content_type, body) = match service {
        "ec2" => (
            if code == "RequestLimitExceeded" || code == "InternalError" { 503 } else { 400 },
            "text/xml",
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                 <RequestID>local</RequestID></Response>"
            ),
        ),
        "elasticloadbalancing" => (
            if code == "InternalFailure" { 500 } else { 400 },
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>local</RequestId></ErrorResponse>"
            ),
        ),
        "s3" => (
            503,
            "application/xml",
            format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
        ),
        _ => (
            if code == "InternalFailure" { 500 } else { 400 },
            "application/x-amz-json-1.0",
            format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"{message}"}}"#),
        ),
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), headers, Bytes::from(body))
}

/// The body of a launch that asks for at most `most` instances.
pub(super) fn with_max_count(body: &[u8], most: u32) -> Bytes {
    let fields = form_urlencoded::parse(body).map(|(name, value)| {
        let wanted: Option<u32> = if name == "MaxCount" { value.parse().ok() } else { None };
        let value = wanted.map_or(value.into_owned(), |wanted| wanted.min(most).to_string());
        (name.into_owned(), value)
    });
    let fields: Vec<(String, String)> = fields.collect();
    Bytes::from(form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
}
