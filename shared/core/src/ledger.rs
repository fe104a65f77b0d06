//! The ledger: what is desired and how far each request has come, as objects in the state bucket.

mod host;
mod load_balancer;
mod rebuild;

use std::collections::BTreeMap;

use enclave_protocol::code::Code;
use enclave_protocol::names::{HostId, InstanceType};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use host::{DesiredHost, HostRecord};
pub use load_balancer::LoadBalancerRecord;
pub use rebuild::{RebuildEnd, RebuildMark};

use crate::capacity::ClosedPool;
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
    /// The instance types chosen for it, where it asked for resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_types: Vec<InstanceType>,
    /// Pools that other requests had found without room when it looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_pools: Vec<ClosedPool>,
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
    /// To be rebuilt; nothing was done to it yet.
    ToRebuild,
    /// The call that replaces its root volume stands in the ledger.
    Rebuilding,
    /// Its root volume was replaced; not yet attested.
    Replaced,
    /// Its root volume was not replaced.
    NotRebuilt,
    /// It was left without a root volume. It is kept.
    Detached,
    /// Its root volume was replaced and it did not pass attestation. It is kept: its volumes may hold the only copy.
    RebuiltUnfit,
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
            Self::ToRebuild => "to be rebuilt",
            Self::Rebuilding => "being rebuilt",
            Self::Replaced => "rebuilt, to be attested",
            Self::NotRebuilt => "not rebuilt",
            Self::Detached => "without a root volume",
            Self::RebuiltUnfit => "rebuilt and unfit",
        }
    }
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
    /// When it fails; absent where an earlier version listed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
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
        let lease = Lease { holder: "a".to_owned(), message_id: "m1".to_owned(), receive_count: 1, until };
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

    fn host(number: u32) -> HostId {
        format!("i-{number:017x}").parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn record() -> RequestRecord {
        RequestRecord {
            envelope: r#"{"payload":"e30="}"#.to_owned(),
            envelope_sha256: "aa".to_owned(),
            sent_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            claimed_at: at(10),
            deadline_at: at(1810),
            accepted: true,
            calls: Vec::new(),
            instance_types: Vec::new(),
            closed_pools: Vec::new(),
            hosts: BTreeMap::new(),
            events: Vec::new(),
            replies: vec!["{\"quotes\": \"\\\"\"}".to_owned()],
            finished: false,
        }
    }

    fn calls() -> Vec<StoredCall> {
        use crate::creation::{
            CreateEndpointService, CreateListener, CreateLoadBalancer, CreateTargetGroup, Pool,
        };
        let tags = BTreeMap::from([("call".to_owned(), "a tag named like ours".to_owned())]);
        let (group, arn) = ("sg".to_owned(), "arn".to_owned());
        let launch = Creation::RunInstances(RunInstances {
            client_token: "t".repeat(64),
            pool: Pool {
                instance_type: "m7g.large".parse().unwrap(),
                availability_zone: "us-east-1a".parse().unwrap(),
            },
            launch_template_id: "lt-a".to_owned(),
            launch_template_version: u64::MAX,
            image: "ami-0123456789abcdef0".parse().unwrap(),
            max_count: 1000,
            tags: tags.clone(),
        });
        let failure = crate::aws::AwsFailure {
            call: "RunInstances".to_owned(),
            class: crate::aws::ErrorClass::Capacity,
            code: "InsufficientInstanceCapacity".to_owned(),
            message: "none".to_owned(),
        };
        let creations = [
            (launch.clone(), Some(Answer::Launched { hosts: vec![host(1)], at: at(11) })),
            (launch, Some(Answer::Refused { failure, at: at(12) })),
            (
                Creation::CreateTargetGroup(CreateTargetGroup {
                    name: "a".to_owned(),
                    port: 65535,
                    vpc_id: "vpc".to_owned(),
                    tags: tags.clone(),
                }),
                Some(Answer::Created { arn: arn.clone() }),
            ),
            (
                Creation::CreateLoadBalancer(CreateLoadBalancer {
                    name: "b".to_owned(),
                    scheme: enclave_protocol::request::Scheme::Public,
                    subnet_ids: vec!["subnet".to_owned()],
                    security_group_id: group,
                    tags: tags.clone(),
                }),
                None,
            ),
            (
                Creation::CreateReplaceRootVolumeTask(crate::creation::ReplaceRootVolume {
                    client_token: "r".repeat(64),
                    host: host(1),
                    image: "ami-0123456789abcdef0".parse().unwrap(),
                    tags: tags.clone(),
                    before: crate::creation::HostBefore {
                        root_volume_id: "vol-1".to_owned(),
                        root_volume_type: "gp3".to_owned(),
                        root_volume_goes_with_host: true,
                        launch_template: Some(("lt-a".to_owned(), 7)),
                        user_data_sha256: "bb".to_owned(),
                    },
                }),
                Some(Answer::Replacing { task: "replacevol-1".to_owned() }),
            ),
            (
                Creation::CreateListener(CreateListener {
                    load_balancer_arn: arn.clone(),
                    port: 443,
                    target_group_arn: arn.clone(),
                    tags: tags.clone(),
                }),
                None,
            ),
            (
                Creation::CreateVpcEndpointServiceConfiguration(CreateEndpointService {
                    client_token: "t".repeat(64),
                    load_balancer_arn: arn,
                    acceptance_required: true,
                    tags,
                }),
                Some(Answer::Created { arn: "vpce-svc-1".to_owned() }),
            ),
        ];
        let stored = |(creation, answer)| StoredCall { creation, decided_at: at(9), tries: 2, answer };
        creations.into_iter().map(stored).collect()
    }

    #[test]
    fn a_request_with_calls_hosts_and_faults_survives_its_json() {
        let mut record = record();
        record.calls = calls();
        let lost = HostFault { code: Code::HostLost, reason: "ended".to_owned() };
        record.set_stage(&host(1), HostStage::Gone, Some(lost), at(13));
        record.set_stage(&host(2), HostStage::Ready, None, at(14));
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<RequestRecord>(&json).unwrap(), record);
        assert!(record.has_unanswered_call());
        assert_eq!(record.launches().count(), 2);
    }

    #[test]
    fn a_later_stage_keeps_the_first_fault_unless_it_brings_its_own() {
        let mut record = record();
        let unfit = HostFault { code: Code::AttestationFailed, reason: "no IPv6".to_owned() };
        assert!(record.set_stage(&host(1), HostStage::Launched, None, at(1)));
        assert!(record.set_stage(&host(1), HostStage::Unfit, Some(unfit.clone()), at(2)));
        assert!(record.set_stage(&host(1), HostStage::Gone, None, at(3)));
        let gone = HostProgress { stage: HostStage::Gone, since: at(3), fault: Some(unfit) };
        assert_eq!(record.hosts[&host(1)], gone);
        assert!(!record.set_stage(&host(1), HostStage::Gone, None, at(4)), "nothing changed");
        assert_eq!(record.hosts[&host(1)], gone, "nor does the time");
        let story: Vec<&str> = record.events.iter().map(|event| event.what.as_str()).collect();
        assert_eq!(
            story,
            [
                "i-00000000000000001 is launched",
                "i-00000000000000001 is unfit: no IPv6",
                "i-00000000000000001 is gone: no IPv6",
            ],
        );
    }

    #[test]
    fn an_object_with_a_field_nobody_knows_is_not_read() {
        assert!(serde_json::from_str::<Line>(r#"{"open":[]}"#).is_ok());
        let before = r#"{"open":[{"request_id":"00000000-0000-0000-0000-000000000001","reserved_hosts":2}]}"#;
        assert!(serde_json::from_str::<Line>(before).is_ok(), "as an earlier version wrote it");
        assert!(serde_json::from_str::<Line>(r#"{"open":[],"extra":1}"#).is_err());
    }
}
