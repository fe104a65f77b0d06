//! Which instances are leftovers: launched by a call of ours whose request has ended, and known to no object of the ledger.
//!
//! Such an instance comes about when a launch that AWS seemed to refuse, or whose answer never came, takes effect after
//! its request was given up. Everything that is not proven to be one is left alone.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::HostId;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{ObservedHost, Reading};
use crate::creation::{Pool, client_token};
use crate::watch::{Leftover, MAX_LEFTOVERS};

/// Attempts of one pool that a client token is compared with. An attempt that does not launch all it was asked for closes
/// its pool for 3 minutes, and a request lives at most a day: 480 attempts, and a few to spare.
pub const MAX_ATTEMPTS: u32 = 512;

/// Youngest instance that may be collected: beyond the function's longest run, the queue's visibility timeout and the
/// lag of EC2's reads together.
const MIN_AGE: SignedDuration = SignedDuration::from_mins(15);

/// Shortest time between the two complete readings that must show it.
const BETWEEN_READINGS: SignedDuration = SignedDuration::from_mins(5);

/// What the ledger holds of the request that an instance's tags name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestTrace {
    /// Whether its final reply is decided.
    pub finished: bool,
    /// The hosts it lists, or that a launch of its answered with.
    pub hosts: BTreeSet<HostId>,
    /// The client tokens of its launches.
    pub tokens: BTreeSet<String>,
}

/// What the ledger holds of the instances that were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Instances whose own object was looked for and is not there.
    pub without_record: BTreeSet<HostId>,
    /// Requests that are on the line.
    pub open: BTreeSet<Uuid>,
    /// Requests that were looked for; none where there is no object, absent where it could not be read.
    pub requests: BTreeMap<Uuid, Option<RequestTrace>>,
}

/// Why an instance is not a leftover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// It ends or has ended.
    Ended,
    /// It has an object of its own in the ledger, or it is not known that it has none.
    Recorded,
    /// Its request is open.
    Open,
    /// The object of its request could not be read.
    Unread,
    /// Its request lists it.
    Listed,
    /// Its client token is none of its request's.
    Foreign,
    /// It was launched less than 15 minutes ago.
    Young,
}

/// What to do about leftovers after a look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collection {
    /// All that are known now, with the time of the look that first showed each.
    pub leftovers: BTreeMap<HostId, Leftover>,
    /// Those that may be terminated.
    pub due: BTreeSet<HostId>,
    /// Those that were condemned and have ended since.
    pub ended: BTreeMap<HostId, Leftover>,
    /// Instances without an object of their own that are left alone, and why.
    pub kept: BTreeMap<HostId, Kept>,
}

/// Whether an instance is a leftover.
///
/// # Errors
/// Why it is left alone.
pub fn is_leftover(id: &HostId, host: &ObservedHost, known: &Known, now: Timestamp) -> Result<(), Kept> {
    if !host.state.is_live() {
        return Err(Kept::Ended);
    }
    if !known.without_record.contains(id) {
        return Err(Kept::Recorded);
    }
    if known.open.contains(&host.request_id) {
        return Err(Kept::Open);
    }
    let trace = known.requests.get(&host.request_id).ok_or(Kept::Unread)?.as_ref();
    if trace.is_some_and(|trace| !trace.finished) {
        return Err(Kept::Open);
    }
    if trace.is_some_and(|trace| trace.hosts.contains(id)) {
        return Err(Kept::Listed);
    }
    if !trace.is_some_and(|trace| trace.tokens.contains(&host.client_token)) && !is_our_token(host) {
        return Err(Kept::Foreign);
    }
    if now.duration_since(host.launched_at) < MIN_AGE {
        return Err(Kept::Young);
    }
    Ok(())
}

/// Whether the token is what a launch of ours would carry that made just this instance.
fn is_our_token(host: &ObservedHost) -> bool {
    let pool =
        Pool { instance_type: host.instance_type.clone(), availability_zone: host.availability_zone.clone() };
    (0..MAX_ATTEMPTS).any(|attempt| client_token(host.request_id, attempt, &pool) == host.client_token)
}

/// What a look says of leftovers, given those that looks before it showed. A look without a complete reading says
/// nothing: all stays as it was.
pub fn collect(
    seen: &BTreeMap<HostId, Leftover>,
    hosts: &Reading<BTreeMap<HostId, ObservedHost>>,
    known: &Known,
    gone: &BTreeSet<HostId>,
    now: Timestamp,
) -> Collection {
    let Reading::Known(hosts) = hosts else {
        return Collection { leftovers: seen.clone(), ..Collection::default() };
    };
    let mut collection = Collection::default();
    for (id, leftover) in seen.iter().filter(|(_, leftover)| leftover.condemned_at.is_some()) {
        match hosts.get(id).map(|host| host.state.is_live()) {
            Some(false) => drop(collection.ended.insert(id.clone(), leftover.clone())),
            None if gone.contains(id) => drop(collection.ended.insert(id.clone(), leftover.clone())),
            // Condemned and not seen, or seen alive: what is missing is waited for, what lives is judged below.
            None => drop(collection.leftovers.insert(id.clone(), leftover.clone())),
            Some(true) => {}
        }
    }
    for (id, host) in hosts {
        match is_leftover(id, host, known, now) {
            Err(Kept::Ended | Kept::Recorded) => {}
            Err(why) => drop(collection.kept.insert(id.clone(), why)),
            Ok(()) => {
                let leftover = seen.get(id).cloned().unwrap_or_else(|| Leftover {
                    first_seen: now,
                    launched_at: host.launched_at,
                    application: host.owner.application.clone(),
                    cluster: host.owner.cluster.clone(),
                    condemned_at: None,
                });
                if now.duration_since(leftover.first_seen) >= BETWEEN_READINGS {
                    collection.due.insert(id.clone());
                }
                if seen.contains_key(id) || collection.leftovers.len() < MAX_LEFTOVERS {
                    collection.leftovers.insert(id.clone(), leftover);
                }
            }
        }
    }
    collection
}
