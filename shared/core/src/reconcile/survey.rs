//! What a look at all hosts tells the operator: each change once, only of hosts that were handed over, and only what was
//! seen in the account.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::HostId;
use enclave_protocol::notice::{MaintenanceStatus, NoticeEvent, SpotAction};
use enclave_protocol::reply::HostState;
use jiff::Timestamp;

use super::{InstanceState, ObservedHost, Reading, is_gone};
use crate::ledger::{DesiredHost, HostRecord};
use crate::tags::Owner;
use crate::watch::{MAX_MAINTENANCE, MAX_OUTBOX, MAX_WATCHED_HOSTS, Maintenance, Watch, WatchedHost};

/// One look at all hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// When it began.
    pub began_at: Timestamp,
    /// Every host with the enclave's tag.
    pub hosts: BTreeMap<HostId, ObservedHost>,
    /// Scheduled work of each instance whose status was read; one without work has an empty list.
    pub maintenance: Reading<BTreeMap<HostId, Vec<ScheduledEvent>>>,
    /// Spot instances that AWS takes back; of a host that is not named, it does not.
    pub spot: Reading<BTreeMap<HostId, SpotAction>>,
}

/// Work that AWS has scheduled on a host, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledEvent {
    /// What is kept of it.
    pub event: Maintenance,
    /// AWS's sentence.
    pub description: Option<String>,
    /// Where it stands, by AWS's sentence.
    pub status: MaintenanceStatus,
}

/// What must be looked up before a look can be understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Hosts whose objects in the ledger are needed.
    pub records: BTreeSet<HostId>,
    /// Hosts that have been out of sight for so long that they may be gone; to be asked for by their ids.
    pub missing: Vec<HostId>,
}

/// What was looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// The objects of hosts that have one.
    pub records: BTreeMap<HostId, HostRecord>,
    /// Hosts whose object could not be read: nothing is decided about them.
    pub unread: BTreeSet<HostId>,
    /// Hosts that AWS, asked by id, knows no more.
    pub gone: BTreeSet<HostId>,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Of which host.
    pub host_id: HostId,
    /// Whom it serves.
    pub owner: Owner,
    /// What.
    pub event: NoticeEvent,
}

/// What follows from a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// The watch after it; the reports are not in its outbox yet.
    pub watch: Watch,
    /// What to tell, in order.
    pub reports: Vec<Report>,
    /// Hosts that the ledger knows and that found no place in the watch.
    pub unwatched: usize,
}

/// What has to be known besides the look.
pub fn questions(watch: &Watch, look: &Look) -> Questions {
    let mut questions = Questions::default();
    for (id, host) in &look.hosts {
        let due = match watch.hosts.get(id) {
            None => true,
            Some(known) if !known.handed_over => known.state != HostState::Terminated,
            Some(known) => !told(known, host, look, id).is_empty(),
        };
        if due {
            questions.records.insert(id.clone());
        }
    }
    for (id, known) in &watch.hosts {
        let expected = known.handed_over && known.state != HostState::Terminated;
        let long_missing = known.missing_since.is_some_and(|since| is_gone(None, since, look.began_at));
        if expected && long_missing && !look.hosts.contains_key(id) {
            questions.records.insert(id.clone());
            questions.missing.push(id.clone());
        }
    }
    questions
}

/// Draws the conclusions of a look. What is reported is entered as told in the watch that comes back; what finds no
/// room in its outbox stays as it was, and the look does not count as complete.
pub fn survey(watch: &Watch, look: &Look, answers: &Answers) -> Surveyed {
    let mut room = MAX_OUTBOX.saturating_sub(watch.outbox.len());
    let kept = |hosts: &BTreeMap<HostId, WatchedHost>| hosts.values().map(|it| it.maintenance.len()).sum();
    let mut maintenance: usize = kept(&watch.hosts);
    let mut complete = matches!((&look.maintenance, &look.spot), (Reading::Known(_), Reading::Known(_)))
        && answers.unread.is_empty();
    let mut surveyed = Surveyed { watch: watch.clone(), reports: Vec::new(), unwatched: 0 };
    let ids: BTreeSet<&HostId> = look.hosts.keys().chain(watch.hosts.keys()).collect();
    for id in ids {
        if answers.unread.contains(id) {
            continue;
        }
        let known = watch.hosts.get(id);
        let Conclusion { next, events, owner } = conclude(known, look.hosts.get(id), look, answers, id);
        let before = known.map_or(0, |known| known.maintenance.len());
        let after = next.as_ref().map_or(0, |next| next.maintenance.len());
        if events.len() > room || maintenance - before + after > MAX_MAINTENANCE.max(maintenance) {
            complete = false;
            continue;
        }
        if known.is_none() && next.is_some() && surveyed.watch.hosts.len() >= MAX_WATCHED_HOSTS {
            surveyed.unwatched += 1;
            continue;
        }
        maintenance = maintenance - before + after;
        room -= events.len();
        if let Some(owner) = owner {
            let report = |event| Report { host_id: id.clone(), owner: owner.clone(), event };
            surveyed.reports.extend(events.into_iter().map(report));
        }
        match next {
            Some(next) => surveyed.watch.hosts.insert(id.clone(), next),
            None => surveyed.watch.hosts.remove(id),
        };
    }
    if complete {
        surveyed.watch.looked_at = Some(look.began_at);
    }
    surveyed
}

/// What becomes of one host's entry, and what to tell of it.
struct Conclusion {
    next: Option<WatchedHost>,
    events: Vec<NoticeEvent>,
    owner: Option<Owner>,
}

fn conclude(
    known: Option<&WatchedHost>,
    seen: Option<&ObservedHost>,
    look: &Look,
    answers: &Answers,
    id: &HostId,
) -> Conclusion {
    let silent = |next: Option<WatchedHost>| Conclusion { next, events: Vec::new(), owner: None };
    let record = answers.records.get(id);
    if known.is_none() && record.is_none() {
        // Not the ledger's: the collection's business, or drift's.
        return silent(None);
    }
    let new = |handed_over| WatchedHost {
        state: HostState::Running,
        since: look.began_at,
        handed_over,
        missing_since: None,
        maintenance: Vec::new(),
        spot: None,
    };
    let mut entry = known.cloned().unwrap_or_else(|| new(false));
    let Some(seen) = seen else { return out_of_sight(entry, record, look, answers, id) };
    if !entry.handed_over && record.is_some_and(|record| record.attested_at.is_some()) {
        // It was handed over running; whatever is otherwise now has happened since.
        entry = new(true);
    }
    entry.missing_since = None;
    let events = told(&entry, seen, look, id);
    let before = (entry.state, entry.since);
    entry.state = standing(seen.state).unwrap_or(entry.state);
    entry.since = if entry.state == before.0 { before.1 } else { look.began_at };
    if let Reading::Known(marked) = &look.spot
        && !marked.contains_key(id)
    {
        entry.spot = None;
    }
    let Some(record) = record.filter(|_| entry.handed_over) else {
        // Nothing to tell, or not handed over: the request that launched it answers for it.
        return silent(Some(entry));
    };
    match (&look.maintenance, entry.state) {
        (_, HostState::Terminated) => entry.maintenance.clear(),
        (Reading::Known(all), _) if all.contains_key(id) => {
            let open = |event: &&ScheduledEvent| event.status == MaintenanceStatus::Scheduled;
            entry.maintenance = all[id].iter().filter(open).map(|event| event.event.clone()).collect();
        }
        _ => {}
    }
    if let Reading::Known(marked) = &look.spot {
        entry.spot = marked.get(id).copied();
    }
    // An end that was asked for is told by the reply to who asked.
    if record.desired != DesiredHost::Running {
        return silent(Some(entry));
    }
    Conclusion { next: Some(entry), events, owner: Some(owner(record)) }
}

/// A host that the look does not show: missing at first, and gone only when AWS, asked by its id, knows no more of it.
fn out_of_sight(
    mut entry: WatchedHost,
    record: Option<&HostRecord>,
    look: &Look,
    answers: &Answers,
    id: &HostId,
) -> Conclusion {
    if !entry.handed_over || entry.state == HostState::Terminated {
        return Conclusion { next: None, events: Vec::new(), owner: None };
    }
    let since = *entry.missing_since.get_or_insert(look.began_at);
    if !is_gone(None, since, look.began_at) || !answers.gone.contains(id) {
        return Conclusion { next: Some(entry), events: Vec::new(), owner: None };
    }
    let wanted = record.filter(|record| record.desired == DesiredHost::Running);
    let state = HostState::Terminated;
    let event = NoticeEvent::HostStateChanged { state, previous: entry.state, reason: None };
    Conclusion { next: None, events: wanted.map(|_| event).into_iter().collect(), owner: wanted.map(owner) }
}

/// Everything that differs from what was told of a host that is seen.
fn told(known: &WatchedHost, seen: &ObservedHost, look: &Look, id: &HostId) -> Vec<NoticeEvent> {
    let mut events = Vec::new();
    let state = standing(seen.state).unwrap_or(known.state);
    if state == HostState::Terminated {
        if known.state != HostState::Terminated {
            events.push(changed(known, seen));
        }
        return events;
    }
    // A mark that was taken back is forgotten without a word.
    if let Reading::Known(marked) = &look.spot
        && let Some(action) = marked.get(id).filter(|action| known.spot != Some(**action))
    {
        events.push(NoticeEvent::HostSpotInterruption { action: *action });
    }
    if state != known.state {
        events.push(changed(known, seen));
    }
    // Of a host that is not in the reading nothing is known, so nothing was withdrawn.
    if let Reading::Known(all) = &look.maintenance
        && let Some(now) = all.get(id)
    {
        events.extend(maintenance(&known.maintenance, now));
    }
    events
}

fn changed(known: &WatchedHost, seen: &ObservedHost) -> NoticeEvent {
    let state = match seen.state {
        InstanceState::ShuttingDown => HostState::Terminating,
        other => standing(other).unwrap_or(known.state),
    };
    NoticeEvent::HostStateChanged { state, previous: known.state, reason: seen.state_reason.clone() }
}

/// What there is to tell of scheduled work, given what was told.
fn maintenance(told: &[Maintenance], now: &[ScheduledEvent]) -> Vec<NoticeEvent> {
    let notice = |event: &Maintenance, status, description: Option<&String>| NoticeEvent::HostMaintenance {
        status,
        event_id: event.id.clone(),
        code: event.code.clone(),
        description: description.cloned(),
        not_before: event.not_before,
        not_after: event.not_after,
    };
    let mut events = Vec::new();
    for known in told {
        match now.iter().find(|found| found.event.id == known.id) {
            None => events.push(notice(known, MaintenanceStatus::Withdrawn, None)),
            Some(found) if found.status != MaintenanceStatus::Scheduled => {
                events.push(notice(&found.event, found.status, found.description.as_ref()));
            }
            Some(_) => {}
        }
    }
    let new = |found: &&ScheduledEvent| {
        found.status == MaintenanceStatus::Scheduled && !told.contains(&found.event)
    };
    events.extend(
        now.iter().filter(new).map(|found| notice(&found.event, found.status, found.description.as_ref())),
    );
    events
}

/// Where an instance stands as notices tell it; none while it starts.
fn standing(state: InstanceState) -> Option<HostState> {
    match state {
        InstanceState::Pending => None,
        InstanceState::Running => Some(HostState::Running),
        InstanceState::Stopping | InstanceState::Stopped => Some(HostState::Stopped),
        InstanceState::ShuttingDown | InstanceState::Terminated => Some(HostState::Terminated),
    }
}

fn owner(record: &HostRecord) -> Owner {
    Owner { application: record.application.clone(), cluster: record.cluster.clone() }
}
