//! Notices: what the enclave says of its hosts without being asked, on the results queue beside the replies.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{ApplicationId, ClusterId, HostId};
use crate::reply::{HostState, Reply};

/// Longest sentence or description of a notice, in characters: it may quote AWS.
pub const MAX_NOTICE_TEXT: usize = 300;

/// Something that was seen of one host, in the account itself: no message is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The zone of the host.
    pub zone: String,
    /// The installation of the zone.
    pub enclave_id: String,
    /// The EC2 instance id.
    pub host_id: HostId,
    /// The application it serves.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// When it was seen.
    pub seen_at: Timestamp,
    /// What was seen, for programs.
    pub event: NoticeEvent,
    /// What was seen, for people: one sentence of at most 300 characters.
    #[schemars(length(max = 300))]
    pub message: String,
}

/// What was seen of a host. A kind never changes its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NoticeEvent {
    /// A host that was handed over ended, stopped or runs again, and no request asked for it. It is not replaced.
    HostStateChanged {
        /// `terminating`, `terminated`, `stopped` or `running`. A host that ends is told of once.
        state: HostState,
        /// What was told of it before; `running` at first.
        previous: HostState,
        /// Why, in AWS's words, where AWS says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 300))]
        reason: Option<String>,
    },
    /// AWS takes a spot instance back, as a rule two minutes after it marked it.
    HostSpotInterruption {
        /// What AWS will do with it.
        action: SpotAction,
    },
    /// AWS has scheduled work on a host, moved it, or is done with it.
    HostMaintenance {
        /// Where the work stands.
        status: MaintenanceStatus,
        /// AWS's id of it, or its code and time where AWS gives none.
        event_id: String,
        /// AWS's code, e.g. `system-reboot` or `instance-retirement`.
        code: String,
        /// AWS's own sentence, where it was still there to be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 300))]
        description: Option<String>,
        /// Not earlier than this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Timestamp>,
        /// Not later than this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<Timestamp>,
    },
    /// An instance that a launch of ours made after its request had ended was terminated: no reply ever named it.
    LeftoverCollected {
        /// When it was launched.
        launched_at: Timestamp,
    },
}

/// What AWS does with a spot instance that it takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpotAction {
    /// It ends.
    Terminate,
    /// It stops, and may run again.
    Stop,
}

/// Where scheduled work of AWS on a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaintenanceStatus {
    /// It will be done; the same event again with other times was moved.
    Scheduled,
    /// It was done.
    Completed,
    /// It will not be done.
    Withdrawn,
}

impl NoticeEvent {
    /// The kind as it stands on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::HostStateChanged { .. } => "host_state_changed",
            Self::HostSpotInterruption { .. } => "host_spot_interruption",
            Self::HostMaintenance { .. } => "host_maintenance",
            Self::LeftoverCollected { .. } => "leftover_collected",
        }
    }
}

/// A message of the results queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromEnclave {
    /// What became of a request.
    Reply(Box<Reply>),
    /// What was seen of a host.
    Notice(Box<Notice>),
}

impl FromEnclave {
    /// Tells a reply from a notice; no body is both, since each refuses the other's fields.
    ///
    /// # Errors
    /// Why the body is no reply, where it is neither.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        if let Ok(notice) = serde_json::from_str(body) {
            return Ok(Self::Notice(Box::new(notice)));
        }
        serde_json::from_str(body).map(|reply| Self::Reply(Box::new(reply)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn notice(event: &Value) -> Value {
        json!({
            "zone": "z", "enclave_id": "e", "host_id": "i-0123456789abcdef0", "application": "acme.shop.default",
            "cluster": "content", "seen_at": "2026-06-01T12:00:00Z", "event": event, "message": "It happened.",
        })
    }

    fn events() -> [Value; 4] {
        [
            json!({"kind": "host_state_changed", "state": "terminated", "previous": "running", "reason": "x"}),
            json!({"kind": "host_spot_interruption", "action": "terminate"}),
            json!({"kind": "host_maintenance", "status": "withdrawn", "event_id": "instance-event-1",
                   "code": "system-reboot", "not_before": "2026-06-02T12:00:00Z"}),
            json!({"kind": "leftover_collected", "launched_at": "2026-06-01T11:00:00Z"}),
        ]
    }

    #[test]
    fn each_kind_is_read_and_written_under_its_own_name() {
        for event in events() {
            let body = notice(&event).to_string();
            let FromEnclave::Notice(read) = FromEnclave::parse(&body).unwrap() else { panic!("{body}") };
            assert_eq!(read.event.kind(), event["kind"]);
            assert_eq!(serde_json::to_value(&read).unwrap(), notice(&event));
        }
    }

    #[test]
    fn a_reply_is_no_notice_and_what_is_neither_is_refused() {
        let reply = json!({
            "zone": "z", "enclave_id": "e", "status": "done", "code": "done", "message": "Done.",
            "decided_at": "2026-06-01T12:00:00Z",
        });
        assert!(matches!(FromEnclave::parse(&reply.to_string()), Ok(FromEnclave::Reply(_))));
        let mut more = notice(&events()[1]);
        more["status"] = json!("done");
        let mut unknown = notice(&events()[1]);
        unknown["event"]["extra"] = json!(1);
        let other = notice(&json!({"kind": "host_bored"}));
        for body in [more, unknown, other, json!({}), json!(null)] {
            assert!(FromEnclave::parse(&body.to_string()).is_err(), "{body}");
        }
    }
}
