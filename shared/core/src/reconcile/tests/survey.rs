//! What looks tell: each change once, and nothing that was not seen.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::HostId;
use enclave_protocol::notice::{MaintenanceStatus, NoticeEvent, SpotAction};
use enclave_protocol::reply::HostState;
use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::generate::{NOW, at, host, observed_host, owner, states};
use crate::ledger::{DesiredHost, HostRecord};
use crate::reconcile::{
    Answers, InstanceState, Look, ObservedHost, Reading, ScheduledEvent, Surveyed, questions, survey,
};
use crate::watch::{MAX_OUTBOX, Maintenance, Outgoing, Watch};

fn seen(state: InstanceState) -> ObservedHost {
    observed_host(state, Uuid::from_u128(1), &owner(0))
}

fn record(handed_over: bool, desired: DesiredHost) -> HostRecord {
    HostRecord {
        application: owner(0).application,
        cluster: owner(0).cluster,
        request_id: Uuid::from_u128(1),
        instance_type: "m7g.large".parse().unwrap(),
        availability_zone: "us-east-1a".parse().unwrap(),
        image: "ami-0123456789abcdef0".parse().unwrap(),
        launched_at: at(NOW - 600),
        desired,
        rebuild: None,
        attested_at: handed_over.then(|| at(NOW - 500)),
    }
}

/// An account, its ledger, and the looks at them.
#[derive(Clone)]
struct Zone {
    hosts: BTreeMap<HostId, ObservedHost>,
    ledger: BTreeMap<HostId, HostRecord>,
    maintenance: BTreeMap<HostId, Vec<ScheduledEvent>>,
    spot: BTreeMap<HostId, SpotAction>,
    gone: BTreeSet<HostId>,
    watch: Watch,
    now: i64,
}

impl Zone {
    /// One host that was handed over and is watched.
    fn watched() -> Self {
        let mut zone = Self::with(record(true, DesiredHost::Running));
        assert_eq!(zone.look(), []);
        zone
    }

    fn with(record: HostRecord) -> Self {
        Self {
            hosts: [(host(1), seen(InstanceState::Running))].into(),
            ledger: [(host(1), record)].into(),
            maintenance: [(host(1), vec![])].into(),
            spot: BTreeMap::new(),
            gone: BTreeSet::new(),
            watch: Watch::default(),
            now: NOW,
        }
    }

    fn shows(&self) -> Look {
        Look {
            began_at: at(self.now),
            hosts: self.hosts.clone(),
            maintenance: Reading::Known(self.maintenance.clone()),
            spot: Reading::Known(self.spot.clone()),
        }
    }

    /// A look that answers exactly what is asked, and what it tells.
    fn look_at(&mut self, look: &Look) -> Surveyed {
        let asked = questions(&self.watch, look);
        let of = |id: &HostId| self.ledger.get(id).map(|record| (id.clone(), record.clone()));
        let answers = Answers {
            records: asked.records.iter().filter_map(of).collect(),
            unread: BTreeSet::new(),
            gone: asked.missing.iter().filter(|id| self.gone.contains(*id)).cloned().collect(),
        };
        let surveyed = survey(&self.watch, look, &answers);
        self.watch = surveyed.watch.clone();
        surveyed
    }

    fn look(&mut self) -> Vec<NoticeEvent> {
        self.now += 300;
        self.look_at(&self.shows()).reports.into_iter().map(|report| report.event).collect()
    }

    fn is(&mut self, state: InstanceState) -> Vec<NoticeEvent> {
        self.hosts.insert(host(1), seen(state));
        self.look()
    }
}

fn changed(previous: HostState, state: HostState) -> NoticeEvent {
    NoticeEvent::HostStateChanged { state, previous, reason: None }
}

use HostState::{Running, Stopped, Terminated, Terminating};

#[test]
fn a_host_that_ends_is_told_of_once_however_its_end_is_first_seen() {
    for (states, expected) in [
        (vec![InstanceState::ShuttingDown, InstanceState::Terminated], Terminating),
        (vec![InstanceState::Terminated, InstanceState::Terminated], Terminated),
    ] {
        let mut zone = Zone::watched();
        assert_eq!(zone.is(states[0]), [changed(Running, expected)]);
        assert_eq!(zone.is(states[1]), []);
        zone.hosts.clear();
        assert_eq!(zone.look(), []);
        assert!(zone.watch.hosts.is_empty(), "what AWS no longer shows is forgotten");
    }
}

#[test]
fn a_host_that_ended_before_the_first_look_is_told_of_too() {
    let mut zone = Zone::with(record(true, DesiredHost::Running));
    assert_eq!(zone.is(InstanceState::Terminated), [changed(Running, Terminated)]);
}

#[test]
fn stopping_is_told_once_and_running_again_too() {
    let mut zone = Zone::watched();
    assert_eq!(zone.is(InstanceState::Stopping), [changed(Running, Stopped)]);
    assert_eq!(zone.is(InstanceState::Stopped), []);
    assert_eq!(zone.is(InstanceState::Pending), []);
    assert_eq!(zone.is(InstanceState::Running), [changed(Stopped, Running)]);
    assert_eq!(zone.is(InstanceState::Running), []);
}

#[test]
fn an_end_that_a_request_asked_for_or_of_a_host_never_handed_over_is_not_told() {
    for record in [
        record(true, DesiredHost::Terminated),
        record(false, DesiredHost::Running),
        record(false, DesiredHost::Terminated),
    ] {
        let mut zone = Zone::with(record);
        for state in [InstanceState::Stopped, InstanceState::ShuttingDown, InstanceState::Terminated] {
            assert_eq!(zone.is(state), [], "{state:?}");
        }
    }
    let mut asked_later = Zone::watched();
    asked_later.ledger.insert(host(1), record(true, DesiredHost::Terminated));
    assert_eq!(asked_later.is(InstanceState::ShuttingDown), []);
}

#[test]
fn a_host_is_told_of_from_its_handing_over_on_as_if_it_ran_then() {
    let mut zone = Zone::with(record(false, DesiredHost::Running));
    zone.maintenance.insert(host(1), vec![work("e1", 1000, MaintenanceStatus::Scheduled)]);
    assert_eq!(zone.is(InstanceState::Stopped), [], "not handed over");
    zone.ledger.insert(host(1), record(true, DesiredHost::Running));
    let told = zone.is(InstanceState::Running);
    assert_eq!(told, [scheduled("e1", 1000)], "its work is told, its past is not");
}

#[test]
fn an_instance_that_the_ledger_does_not_know_is_never_told_of() {
    let mut zone = Zone::with(record(true, DesiredHost::Running));
    zone.ledger.clear();
    zone.spot.insert(host(1), SpotAction::Terminate);
    zone.maintenance.insert(host(1), vec![work("e1", 1000, MaintenanceStatus::Scheduled)]);
    for state in [InstanceState::Running, InstanceState::Stopped, InstanceState::Terminated] {
        assert_eq!(zone.is(state), [], "{state:?}");
    }
    assert!(zone.watch.hosts.is_empty());
}

#[test]
fn absence_is_believed_after_fifteen_minutes_and_only_when_aws_asked_by_id_knows_nothing() {
    let mut zone = Zone::watched();
    zone.hosts.clear();
    for _ in 0..9 {
        assert_eq!(zone.look(), [], "out of sight, but still known by its id: its tags were changed");
    }
    zone.gone.insert(host(1));
    assert_eq!(zone.look(), [changed(Running, Terminated)]);
    assert_eq!(zone.look(), []);

    let mut zone = Zone::watched();
    zone.hosts.clear();
    zone.gone.insert(host(1));
    for look in 0..4 {
        assert_eq!(zone.look(), [], "look {look}");
    }
    assert_eq!(
        zone.look(),
        [changed(Running, Terminated)],
        "missing since the first of five looks, 20 minutes ago"
    );

    let mut zone = Zone::watched();
    zone.hosts.clear();
    zone.look();
    assert_eq!(zone.is(InstanceState::Running), [], "seen again");
    assert_eq!(zone.watch.hosts[&host(1)].missing_since, None);
}

fn work(id: &str, not_before: i64, status: MaintenanceStatus) -> ScheduledEvent {
    let event = Maintenance {
        id: id.to_owned(),
        code: "system-reboot".to_owned(),
        not_before: Some(at(NOW + not_before)),
        not_after: None,
    };
    ScheduledEvent { event, description: Some("words".to_owned()), status }
}

fn told_work(id: &str, not_before: i64, status: MaintenanceStatus, described: bool) -> NoticeEvent {
    NoticeEvent::HostMaintenance {
        status,
        event_id: id.to_owned(),
        code: "system-reboot".to_owned(),
        description: described.then(|| "words".to_owned()),
        not_before: Some(at(NOW + not_before)),
        not_after: None,
    }
}

fn scheduled(id: &str, not_before: i64) -> NoticeEvent {
    told_work(id, not_before, MaintenanceStatus::Scheduled, true)
}

#[test]
fn scheduled_work_is_told_when_it_comes_moves_and_goes() {
    use MaintenanceStatus::{Completed, Scheduled, Withdrawn};
    let mut zone = Zone::watched();
    let shows = |zone: &mut Zone, events: &[ScheduledEvent]| {
        zone.maintenance.insert(host(1), events.to_vec());
        zone.look()
    };
    assert_eq!(shows(&mut zone, &[work("e1", 1000, Scheduled)]), [scheduled("e1", 1000)]);
    assert_eq!(shows(&mut zone, &[work("e1", 1000, Scheduled)]), []);
    assert_eq!(shows(&mut zone, &[work("e1", 2000, Scheduled)]), [scheduled("e1", 2000)], "moved");
    assert_eq!(
        shows(&mut zone, &[work("e1", 2000, Completed), work("e2", 3000, Scheduled)]),
        [told_work("e1", 2000, Completed, true), scheduled("e2", 3000)]
    );
    assert_eq!(shows(&mut zone, &[work("e1", 2000, Completed), work("e2", 3000, Scheduled)]), []);
    assert_eq!(shows(&mut zone, &[]), [told_work("e2", 3000, Withdrawn, false)]);
    assert_eq!(shows(&mut zone, &[work("e3", 1, Completed)]), [], "done before anybody knew of it");
}

#[test]
fn work_is_not_withdrawn_because_a_stopped_host_has_no_status() {
    let mut zone = Zone::watched();
    zone.maintenance.insert(host(1), vec![work("e1", 1000, MaintenanceStatus::Scheduled)]);
    zone.look();
    zone.maintenance.clear();
    assert_eq!(zone.is(InstanceState::Stopped), [changed(Running, Stopped)]);
    assert_eq!(zone.look(), []);
    assert_eq!(zone.watch.hosts[&host(1)].maintenance.len(), 1);
}

#[test]
fn an_interruption_is_told_once_and_again_only_after_it_was_taken_back() {
    let mut zone = Zone::watched();
    let interrupted = || NoticeEvent::HostSpotInterruption { action: SpotAction::Terminate };
    zone.spot.insert(host(1), SpotAction::Terminate);
    assert_eq!(zone.look(), [interrupted()]);
    assert_eq!(zone.look(), []);
    zone.spot.clear();
    assert_eq!(zone.look(), []);
    zone.spot.insert(host(1), SpotAction::Terminate);
    assert_eq!(zone.look(), [interrupted()]);
    assert_eq!(zone.is(InstanceState::Terminated), [changed(Running, Terminated)]);
}

#[test]
fn a_part_that_could_not_be_read_decides_nothing_and_the_look_is_not_complete() {
    let mut zone = Zone::watched();
    zone.maintenance.insert(host(1), vec![work("e1", 1000, MaintenanceStatus::Scheduled)]);
    zone.spot.insert(host(1), SpotAction::Stop);
    zone.look();
    let looked_at = zone.watch.looked_at;
    let blind = Look {
        maintenance: Reading::Unknown("x".to_owned()),
        spot: Reading::Unknown("y".to_owned()),
        ..zone.shows()
    };
    zone.now += 60;
    assert_eq!(zone.look_at(&blind).reports, []);
    assert_eq!(zone.watch.looked_at, looked_at);
    assert_eq!(zone.look(), [], "nothing was forgotten");
    assert_eq!(zone.watch.looked_at, Some(at(zone.now)));
}

#[test]
fn a_host_whose_object_cannot_be_read_is_left_for_the_next_look() {
    let mut zone = Zone::watched();
    zone.hosts.insert(host(1), seen(InstanceState::Terminated));
    let answers = Answers { unread: [host(1)].into(), ..Answers::default() };
    let unread = survey(&zone.watch, &zone.shows(), &answers);
    assert_eq!((&unread.reports[..], unread.watch.looked_at), (&[][..], zone.watch.looked_at));
    assert_eq!(zone.look(), [changed(Running, Terminated)]);
}

#[test]
fn what_finds_no_room_in_the_outbox_is_told_by_a_later_look() {
    let mut zone = Zone::watched();
    let count = u32::try_from(MAX_OUTBOX).unwrap() + 50;
    zone.hosts = (0..count).map(|number| (host(number), seen(InstanceState::Running))).collect();
    zone.ledger = (0..count).map(|number| (host(number), record(true, DesiredHost::Running))).collect();
    assert_eq!(zone.look(), []);
    zone.hosts = (0..count).map(|number| (host(number), seen(InstanceState::Terminated))).collect();
    let before: Option<Timestamp> = zone.watch.looked_at;
    assert_eq!(zone.look().len(), MAX_OUTBOX);
    assert_eq!(zone.watch.looked_at, before, "not complete");
    assert_eq!(zone.look().len(), 50);
    assert_eq!(zone.look(), []);
    zone.watch.outbox = vec![Outgoing { host_id: host(1), body: String::new() }; MAX_OUTBOX];
    zone.hosts.insert(host(9999), seen(InstanceState::Terminated));
    zone.ledger.insert(host(9999), record(true, DesiredHost::Running));
    assert_eq!(zone.look(), []);
    zone.watch.outbox.clear();
    assert_eq!(zone.look(), [changed(Running, Terminated)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn over_any_life_the_end_is_told_at_most_once_and_the_same_look_twice_tells_nothing(
        lives in proptest::collection::vec(states(), 1..12),
    ) {
        let mut zone = Zone::watched();
        let mut ended = false;
        for state in lives {
            // What has ended stays ended.
            let state = if ended { InstanceState::Terminated } else { state };
            let told = zone.is(state);
            let ends = told.iter().filter(|event| matches!(
                event, NoticeEvent::HostStateChanged { state: Terminated | Terminating, .. }
            )).count();
            prop_assert_eq!(ends, usize::from(state.is_ending() && !ended), "{:?}", state);
            ended |= state.is_ending();
            prop_assert_eq!(zone.look(), []);
        }
    }
}
