//! What happened, for programs: `target/demo/summary.json`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use enclave_protocol::code::Code;
use enclave_protocol::envelope::Envelope;
use enclave_protocol::reply::Reply;
use enclave_tests::recording_proxy::Call;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::check::Check;

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Whether the demonstration came to its end and every check held.
    ok: bool,
    /// Why not.
    failure: Option<String>,
    started_at: Timestamp,
    duration_seconds: f64,
    /// Account, region, zone, installation and tenant.
    enclave: BTreeMap<&'static str, String>,
    /// Every message sent and what was answered, in order.
    actions: Vec<Action>,
    /// Every message that was refused, and why.
    refusals: Vec<Refusal>,
    /// Everything that was checked, in order.
    checks: Vec<Checked>,
    #[serde(skip)]
    begin: Instant,
}

/// One message and its answer.
#[derive(Debug, Serialize)]
pub(crate) struct Action {
    /// What it was, for people.
    what: String,
    /// The request as it was sent.
    request: Value,
    /// The final reply.
    reply: Reply,
    /// From sending to the final reply.
    duration_seconds: f64,
    /// What the function called while it was worked on, the ticks of that time included.
    aws_calls: Calls,
}

/// Calls by number.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Calls {
    /// All.
    total: usize,
    /// Those that change EC2 or load balancing.
    changing: usize,
    /// By `service:Action`.
    by_action: BTreeMap<String, usize>,
}

/// One message that was refused.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    /// What was wrong with it.
    pub(crate) what: String,
    /// The code it should be refused with.
    pub(crate) expected: Code,
    /// The code it was refused with.
    pub(crate) code: Code,
    /// The sentence for people.
    pub(crate) message: String,
}

#[derive(Debug, Serialize)]
struct Checked {
    promise: String,
    holds: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

impl Action {
    /// What was sent as `envelope`, and how it ended.
    pub(crate) fn new(
        what: &str,
        envelope: &Envelope,
        reply: Reply,
        duration: Duration,
        aws_calls: Calls,
    ) -> Self {
        // An altered payload need not be JSON.
        let request = serde_json::from_slice(&envelope.payload).unwrap_or_default();
        Self { what: what.to_owned(), request, reply, duration_seconds: seconds(duration), aws_calls }
    }
}

impl Calls {
    /// In a few words.
    pub(crate) fn in_short(&self) -> String {
        match self.changing {
            0 => format!("{} AWS calls, no change", self.total),
            1 => format!("{} AWS calls, 1 change", self.total),
            some => format!("{} AWS calls, {some} changes", self.total),
        }
    }

    /// Counts.
    pub(crate) fn of(calls: &[Call]) -> Self {
        let mut counted = Self { total: calls.len(), changing: changing(calls).len(), ..Self::default() };
        for call in calls {
            *counted.by_action.entry(format!("{}:{}", call.service, call.action)).or_default() += 1;
        }
        counted
    }
}

/// The calls that change hosts or balancers.
pub(crate) fn changing(calls: &[Call]) -> Vec<String> {
    let changes = |call: &&Call| {
        matches!(call.service.as_str(), "ec2" | "elasticloadbalancing")
            && !["Describe", "Get", "List"].iter().any(|reading| call.action.starts_with(reading))
    };
    calls.iter().filter(changes).map(|call| call.action.clone()).collect()
}

impl Summary {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self {
            ok: false,
            failure: None,
            started_at: Timestamp::now(),
            duration_seconds: 0.0,
            enclave: BTreeMap::new(),
            actions: Vec::new(),
            refusals: Vec::new(),
            checks: Vec::new(),
            begin: Instant::now(),
        }
    }

    /// Says which enclave it is about.
    pub(crate) fn about(&mut self, enclave: impl IntoIterator<Item = (&'static str, String)>) {
        self.enclave.extend(enclave);
    }

    /// Adds a message and its answer.
    pub(crate) fn action(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Adds a refusal.
    pub(crate) fn refusal(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// Adds a check.
    pub(crate) fn check(&mut self, check: &Check) {
        let Check { promise, fault } = check.clone();
        self.checks.push(Checked { promise, holds: fault.is_none(), fault });
    }

    /// Ends now.
    pub(crate) fn finish(&mut self, failure: Option<String>) {
        self.ok = failure.is_none() && self.checks.iter().all(|check| check.holds);
        self.failure = failure;
        self.duration_seconds = seconds(self.begin.elapsed());
    }

    /// One line.
    pub(crate) fn in_short(&self) -> String {
        let (held, all) = (self.checks.iter().filter(|check| check.holds).count(), self.checks.len());
        let calls: usize = self.actions.iter().map(|action| action.aws_calls.total).sum();
        format!(
            "{} messages, {} of them refused; {held} of {all} checks hold; {calls} AWS calls; {:.0} s.",
            self.actions.len(),
            self.refusals.len(),
            self.duration_seconds
        )
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot make {}", directory.display()))?;
        }
        let mut text = serde_json::to_string_pretty(self).context("cannot write the summary")?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// A duration in seconds, to the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(service: &str, action: &str) -> Call {
        serde_json::from_value(json!({
            "sequence": 1, "time": "2026-06-01T12:00:00Z", "duration_ms": 1, "service": service, "action": action,
            "parameters": {}, "status": 200,
        }))
        .unwrap()
    }

    #[test]
    fn only_calls_that_change_hosts_or_balancers_count_as_changes() {
        let calls = [
            call("ec2", "DescribeInstances"),
            call("ec2", "RunInstances"),
            call("elasticloadbalancing", "CreateListener"),
            call("elasticloadbalancing", "DescribeTags"),
            call("s3", "PutObject"),
            call("sqs", "SendMessage"),
        ];
        assert_eq!(changing(&calls), ["RunInstances", "CreateListener"]);
        let counted = Calls::of(&calls);
        assert_eq!((counted.total, counted.changing), (6, 2));
        assert_eq!(counted.by_action["s3:PutObject"], 1);
    }

    #[test]
    fn a_broken_promise_is_no_success() {
        let mut summary = Summary::new();
        summary.check(&Check::that("so", true, "not"));
        summary.finish(None);
        assert!(summary.ok);
        summary.check(&Check::that("so", false, "not"));
        summary.finish(None);
        assert!(!summary.ok);
    }
}
