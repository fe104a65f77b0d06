//! `state/v1/watch.json` and `state/v1/destructions.json`: what the line knows of hosts beyond requests. Both are
//! touched only while the line is held, so each has one writer at a time.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::{ApplicationId, ClusterId, HostId};
use enclave_protocol::notice::SpotAction;
use enclave_protocol::reply::HostState;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Key of the watch.
pub const WATCH_KEY: &str = "state/v1/watch.json";

/// Key of the destructions.
pub const DESTRUCTIONS_KEY: &str = "state/v1/destructions.json";

/// Most hosts that are watched. With all other bounds at their most, in the longest form each can have, the object takes
/// 3.2 MiB of the 4 MiB that are read ([`crate::store::MAX_OBJECT_BYTES`]); a test computes it.
pub const MAX_WATCHED_HOSTS: usize = 10_000;

/// Most pieces of scheduled work kept, of all hosts together; what is beyond is told once there is room.
pub const MAX_MAINTENANCE: usize = 4_000;

/// Most notices that wait to be sent; what does not fit is seen again by the next look.
pub const MAX_OUTBOX: usize = 100;

/// Most leftovers that are kept in mind.
pub const MAX_LEFTOVERS: usize = 500;

/// Longest id or code of scheduled work that is kept, in characters: AWS's are at most 33 characters today.
pub const MAX_EVENT_NAME: usize = 64;

/// Longest time between two complete looks, while ticks come.
const BETWEEN_LOOKS: SignedDuration = SignedDuration::from_mins(5);

/// How much earlier than a look an event must have been sent to be covered by it: reads lag behind changes
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>).
const READ_LAG: SignedDuration = SignedDuration::from_secs(5);

/// How long a destruction counts.
pub const DESTRUCTION_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What was last told of the hosts, and what is still to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// When the last complete look began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// Hosts of the ledger that are, or were a moment ago, in the account.
    #[serde(default)]
    pub hosts: BTreeMap<HostId, WatchedHost>,
    /// Instances that may be leftovers.
    #[serde(default)]
    pub leftovers: BTreeMap<HostId, Leftover>,
    /// Notices byte for byte, in order; stored before they are sent.
    #[serde(default)]
    pub outbox: Vec<Outgoing>,
}

impl Watch {
    /// Whether there is anything to do: to look, or to send.
    pub fn is_due(&self, now: Timestamp, event_sent_at: Option<Timestamp>) -> bool {
        !self.outbox.is_empty() || self.is_look_due(now, event_sent_at)
    }

    /// Whether to look: five minutes after the last complete look, and for a host event unless a look began well after
    /// it was sent. So a thousand events at once bring about a few looks, and none is missed.
    pub fn is_look_due(&self, now: Timestamp, event_sent_at: Option<Timestamp>) -> bool {
        self.looked_at.is_none_or(|looked_at| {
            now.duration_since(looked_at) >= BETWEEN_LOOKS
                || event_sent_at.is_some_and(|sent_at| looked_at.duration_since(sent_at) < READ_LAG)
        })
    }
}

/// One host as the operator was last told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchedHost {
    /// `running`, `stopped` or `terminated`.
    pub state: HostState,
    /// Since when it is known so.
    pub since: Timestamp,
    /// Whether it was handed over: only then is anything told of it.
    pub handed_over: bool,
    /// When a complete look first missed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    /// Scheduled work that was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<Maintenance>,
    /// The interruption that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<SpotAction>,
}

/// Work that AWS has scheduled on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// AWS's id of it.
    pub id: String,
    /// AWS's code.
    pub code: String,
    /// Not earlier than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Not later than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
}

/// An instance of ours that no object of the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leftover {
    /// When a complete look first showed it as one.
    pub first_seen: Timestamp,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// The application it was launched for.
    pub application: ApplicationId,
    /// The cluster in it.
    pub cluster: ClusterId,
    /// When its end was decided; written before it is terminated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condemned_at: Option<Timestamp>,
}

/// A notice that is not known to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// The host, which is the message group.
    pub host_id: HostId,
    /// The notice's bytes.
    pub body: String,
}

/// Hosts that were, or were about to be, terminated within the last hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destructions {
    /// When each was first counted.
    pub hosts: BTreeMap<HostId, Timestamp>,
}

impl Destructions {
    /// Forgets what no longer counts.
    pub fn prune(&mut self, now: Timestamp) {
        self.hosts.retain(|_, at| now.duration_since(*at) < DESTRUCTION_WINDOW);
    }

    /// Counts hosts that are about to be terminated, none of them twice; says whether that changed anything.
    pub fn count(&mut self, hosts: &[HostId], now: Timestamp) -> bool {
        let before = self.hosts.len();
        for host in hosts {
            self.hosts.entry(host.clone()).or_insert(now);
        }
        self.hosts.len() != before
    }

    /// How many hosts there were when the hour began: those that live, and those that were counted since.
    pub fn hosts_at_first<'a>(&'a self, live: impl Iterator<Item = &'a HostId>) -> u32 {
        let all: BTreeSet<&HostId> = live.chain(self.hosts.keys()).collect();
        u32::try_from(all.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MAX_OBJECT_BYTES;

    fn host(number: usize) -> HostId {
        format!("i-{number:017x}").parse().unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_fullest_watch_there_can_be_is_still_read() {
        let label = "x".repeat(63);
        let application: ApplicationId = format!("{label}.{label}.{label}").parse().unwrap();
        let cluster: ClusterId = label.parse().unwrap();
        let time: Timestamp = "2026-06-01T12:00:00.123456789Z".parse().unwrap();
        let maintenance = Maintenance {
            id: "i".repeat(MAX_EVENT_NAME),
            code: "c".repeat(MAX_EVENT_NAME),
            not_before: Some(time),
            not_after: Some(time),
        };
        let watched = WatchedHost {
            state: HostState::Terminated,
            since: time,
            handed_over: false,
            missing_since: Some(time),
            maintenance: Vec::new(),
            spot: Some(SpotAction::Terminate),
        };
        let leftover =
            Leftover { first_seen: time, launched_at: time, application, cluster, condemned_at: Some(time) };
        // A notice has 600 characters of free text without control characters: at most 4 bytes each, also where they
        // are escaped twice. All else of it is names within their bounds.
        let outgoing = |number| Outgoing { host_id: host(number), body: "\u{10ffff}".repeat(900) };
        let mut watch = Watch {
            looked_at: Some(time),
            hosts: (0..MAX_WATCHED_HOSTS).map(|number| (host(number), watched.clone())).collect(),
            leftovers: (0..MAX_LEFTOVERS).map(|number| (host(number), leftover.clone())).collect(),
            outbox: (0..MAX_OUTBOX).map(outgoing).collect(),
        };
        for host in watch.hosts.values_mut().take(MAX_MAINTENANCE) {
            host.maintenance.push(maintenance.clone());
        }
        let bytes = serde_json::to_vec(&watch).unwrap().len();
        assert!(i64::try_from(bytes).unwrap() + 200 < MAX_OBJECT_BYTES, "{bytes} bytes");
        assert_eq!(serde_json::from_slice::<Watch>(&serde_json::to_vec(&watch).unwrap()).unwrap(), watch);
    }

    #[test]
    fn a_look_is_due_after_five_minutes_and_for_every_event_that_it_does_not_cover() {
        assert!(Watch::default().is_look_due(at(0), None), "never looked");
        let watch = Watch { looked_at: Some(at(1000)), ..Watch::default() };
        for (now, event, expected) in [
            (1299, None, false),
            (1300, None, true),
            (1001, Some(994), false),
            (1001, Some(995), false),
            (1001, Some(996), true),
            (1001, Some(1001), true),
        ] {
            assert_eq!(watch.is_look_due(at(now), event.map(at)), expected, "{now} {event:?}");
            assert_eq!(watch.is_due(at(now), event.map(at)), expected, "{now} {event:?}");
        }
        let waiting = Outgoing { host_id: host(1), body: String::new() };
        let watch = Watch { outbox: vec![waiting], ..watch };
        assert!(watch.is_due(at(1001), None) && !watch.is_look_due(at(1001), None));
    }

    #[test]
    fn a_destruction_counts_for_an_hour_from_its_first_count_and_once() {
        let mut counted = Destructions::default();
        assert!(counted.count(&[host(1), host(2), host(1)], at(0)));
        assert!(!counted.count(&[host(1)], at(3000)), "again, which neither adds nor renews");
        counted.prune(at(3599));
        assert_eq!(counted.hosts.len(), 2);
        counted.prune(at(3600));
        assert!(counted.hosts.is_empty());
    }

    #[test]
    fn what_is_counted_and_still_seen_is_one_host() {
        let mut counted = Destructions::default();
        counted.count(&[host(1), host(2)], at(0));
        assert_eq!(counted.hosts_at_first([host(2), host(3)].iter()), 3);
        assert_eq!(Destructions::default().hosts_at_first([].iter()), 0);
    }
}
