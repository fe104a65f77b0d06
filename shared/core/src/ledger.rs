//! The ledger: what is desired and how far each request has come, as objects in the state bucket.

use std::collections::BTreeMap;

use enclave_protocol::code::Code;
use enclave_protocol::names::{ApplicationId, AvailabilityZone, ClusterId, HostId, ImageId, InstanceType};
use enclave_protocol::request::Endpoint;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::creation::{Answer, Creation, RunInstances, StoredCall};

/// Key of the line.
pub const LINE_KEY: &str = "state/v1/line.json";

/// Key of a request.
pub fn request_key(request_id: Uuid) -> String {
    format!("state/v1/requests/{request_id}.json")
}

/// Key of a host.
pub fn host_key(host: &HostId) -> String {
    format!("state/v1/hosts/{host}.json")
}

/// Key of a load balancer.
pub fn load_balancer_key(name: &str) -> String {
    format!("state/v1/load-balancers/{name}.json")
}

/// One request, from its claim to its last reply. Its whole story can be read from this object alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestRecord {
    /// The envelope as it arrived, re-verified at every resume.
    pub envelope: String,
    /// SHA-256 of what was signed.
    pub envelope_sha256: String,
    /// When the queue took the message: expiry is judged at this time.
    pub sent_at: Timestamp,
    /// When the line took the request.
    pub claimed_at: Timestamp,
    /// After this it fails.
    pub deadline_at: Timestamp,
    /// Whether the tenant's rules ever allowed it: from then on it can only fail, not be rejected.
    pub accepted: bool,
    /// Every creating call, in order.
    pub calls: Vec<StoredCall>,
    /// The hosts it made or named.
    pub hosts: BTreeMap<HostId, HostProgress>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The replies, byte for byte, in order; stored before they are sent.
    pub replies: Vec<String>,
    /// Whether the last reply is the final one.
    pub finished: bool,
}

/// How far one host of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostStage {
    /// Launched; not yet attested.
    Launched,
    /// Attested; handed over.
    Ready,
    /// It did not pass attestation: to be terminated.
    Unfit,
    /// To be terminated because the request says so.
    Unwanted,
    /// Ended before it was handed over, or as asked.
    Gone,
}

/// How far one host of a request is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostProgress {
    /// The stage.
    pub stage: HostStage,
    /// When this stage began.
    pub since: Timestamp,
    /// What went wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<HostFault>,
}

/// What went wrong with a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFault {
    /// For programs.
    pub code: Code,
    /// For people.
    pub reason: String,
}

/// Something that happened to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// One sentence.
    pub what: String,
}

impl RequestRecord {
    /// Adds to the story.
    pub fn note(&mut self, at: Timestamp, what: impl Into<String>) {
        self.events.push(Event { at, what: what.into() });
    }

    /// Whether a creating call stands whose effect is not known.
    pub fn has_unanswered_call(&self) -> bool {
        self.calls.iter().any(|call| call.answer.is_none())
    }

    /// The launches so far with their answers.
    pub fn launches(&self) -> impl Iterator<Item = (&RunInstances, Option<&Answer>)> {
        self.calls.iter().filter_map(|call| match &call.creation {
            Creation::RunInstances(launch) => Some((launch, call.answer.as_ref())),
            _ => None,
        })
    }

    /// Moves a host to a stage; says whether that changed anything.
    pub fn set_stage(
        &mut self,
        host: &HostId,
        stage: HostStage,
        fault: Option<HostFault>,
        at: Timestamp,
    ) -> bool {
        if self.hosts.get(host).is_some_and(|progress| progress.stage == stage) {
            return false;
        }
        let fault = fault.or_else(|| self.hosts.get(host).and_then(|progress| progress.fault.clone()));
        let why = fault.as_ref().map(|fault| format!(": {}", fault.reason)).unwrap_or_default();
        self.note(at, format!("{host} is {}{why}", stage.as_str()));
        self.hosts.insert(host.clone(), HostProgress { stage, since: at, fault });
        true
    }
}

impl HostStage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Launched => "launched",
            Self::Ready => "ready",
            Self::Unfit => "unfit",
            Self::Unwanted => "to be terminated",
            Self::Gone => "gone",
        }
    }
}

/// One host that this enclave launched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRecord {
    /// The application it serves.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// The request that launched it.
    pub request_id: Uuid,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// Its availability zone.
    pub availability_zone: AvailabilityZone,
    /// The image it booted.
    pub image: ImageId,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// What it should be.
    pub desired: DesiredHost,
}

/// What a host should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DesiredHost {
    /// Running, for its cluster.
    Running,
    /// Terminated.
    Terminated,
}

/// One load balancer that this enclave keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancerRecord {
    /// The application served.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// The request that last configured it.
    pub request_id: Uuid,
    /// Its ports.
    pub endpoints: Vec<Endpoint>,
    /// The hosts behind it.
    pub targets: Vec<HostId>,
    /// Whether it should exist.
    pub present: bool,
}

/// The line: who works now, and on what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Who works now; none between invocations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Requests that are not finished, oldest first.
    pub open: Vec<OpenRequest>,
}

/// The right to work on the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The invocation that works.
    pub holder: String,
    /// The message it works on.
    pub message_id: String,
    /// Which delivery of that message it is.
    pub receive_count: u32,
    /// The invocation's own deadline: after it nobody works under this lease.
    pub until: Timestamp,
}

/// A request that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenRequest {
    /// Its id.
    pub request_id: Uuid,
    /// Hosts it may come to own: counted against the tenant's limit until it ends.
    pub reserved_hosts: u32,
}

impl Line {
    /// Whether `delivery` of `message_id` may take the line at `now`.
    ///
    /// A lease ends with its holder's deadline, or when the very message it was taken for is delivered again: SQS does
    /// that only after the visibility timeout, which outlasts the invocation.
    pub fn is_free_for(&self, message_id: &str, delivery: u32, now: Timestamp) -> bool {
        self.lease.as_ref().is_none_or(|lease| {
            lease.until <= now || (lease.message_id == message_id && lease.receive_count < delivery)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(until: i64) -> Line {
        let until = Timestamp::from_second(until).unwrap();
        let lease =
            Lease { holder: "a".to_owned(), message_id: "m1".to_owned(), receive_count: 1, until };
        Line { lease: Some(lease), open: Vec::new() }
    }

    #[test]
    fn a_held_line_is_taken_only_after_the_holders_end() {
        let now = Timestamp::from_second(100).unwrap();
        assert!(Line::default().is_free_for("m1", 1, now));
        assert!(!line(101).is_free_for("m2", 1, now), "another message while the holder works");
        assert!(!line(101).is_free_for("m1", 1, now), "the same delivery twice");
        assert!(line(101).is_free_for("m1", 2, now), "the same message, delivered again");
        assert!(line(100).is_free_for("m2", 1, now), "after the holder's deadline");
    }
}
