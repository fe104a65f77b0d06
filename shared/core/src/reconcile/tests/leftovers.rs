//! What is collected: only what every single condition says is a leftover.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::HostId;
use proptest::prelude::*;
use uuid::Uuid;

use super::generate::{NOW, at, host, observed_host, owner, pool};
use crate::creation::client_token;
use crate::reconcile::{
    Collection, InstanceState, Kept, Known, MAX_ATTEMPTS, ObservedHost, Reading, RequestTrace, collect,
    is_leftover,
};
use crate::watch::Leftover;

fn request() -> Uuid {
    Uuid::from_u128(1)
}

/// An instance that is a leftover in every respect: launched sixteen minutes ago.
fn instance(attempt: u32) -> ObservedHost {
    ObservedHost {
        client_token: client_token(request(), attempt, &pool("m7g.large", "us-east-1a")),
        launched_at: at(NOW - 960),
        ..observed_host(InstanceState::Running, request(), &owner(0))
    }
}

fn finished() -> RequestTrace {
    RequestTrace { finished: true, ..RequestTrace::default() }
}

/// The ledger that knows of host 1 nothing but that its request has ended.
fn ledger(trace: Option<RequestTrace>) -> Known {
    Known { without_record: [host(1)].into(), open: BTreeSet::new(), requests: [(request(), trace)].into() }
}

fn seen(first: i64) -> BTreeMap<HostId, Leftover> {
    let leftover = Leftover {
        first_seen: at(first),
        launched_at: at(NOW - 960),
        application: owner(0).application,
        cluster: owner(0).cluster,
        condemned_at: None,
    };
    [(host(1), leftover)].into()
}

fn look(seen: &BTreeMap<HostId, Leftover>, instance: ObservedHost, known: &Known) -> Collection {
    collect(seen, &Reading::Known([(host(1), instance)].into()), known, &BTreeSet::new(), at(NOW))
}

#[test]
fn a_leftover_is_remembered_at_first_and_due_when_a_second_reading_shows_it_five_minutes_later() {
    let first = look(&BTreeMap::new(), instance(0), &ledger(Some(finished())));
    assert_eq!((first.leftovers, first.due), (seen(NOW), BTreeSet::new()));
    for (first_seen, due) in [(NOW - 299, false), (NOW - 300, true)] {
        let second = look(&seen(first_seen), instance(0), &ledger(Some(finished())));
        assert_eq!(second.due.contains(&host(1)), due, "{first_seen}");
        assert_eq!(second.leftovers, seen(first_seen));
    }
}

#[test]
fn a_request_without_an_object_may_have_left_something_as_well() {
    assert_eq!(is_leftover(&host(1), &instance(3), &ledger(None), at(NOW)), Ok(()));
}

#[test]
fn each_condition_missing_alone_keeps_the_instance() {
    type Case = (&'static str, fn(&mut ObservedHost, &mut Known), Kept);
    let cases: [Case; 13] = [
        ("ending", |host, _| host.state = InstanceState::ShuttingDown, Kept::Ended),
        ("ended", |host, _| host.state = InstanceState::Terminated, Kept::Ended),
        ("recorded, or not looked up", |_, known| known.without_record.clear(), Kept::Recorded),
        ("on the line", |_, known| known.open = [request()].into(), Kept::Open),
        (
            "not finished",
            |_, known| drop(known.requests.insert(request(), Some(RequestTrace::default()))),
            Kept::Open,
        ),
        ("request not read", |_, known| known.requests.clear(), Kept::Unread),
        (
            "listed",
            |_, known| {
                let hosts = [host(1)].into();
                known.requests.insert(request(), Some(RequestTrace { hosts, ..finished() }));
            },
            Kept::Listed,
        ),
        ("no token", |host, _| host.client_token = String::new(), Kept::Foreign),
        ("another's token", |host, _| host.client_token = "a".repeat(64), Kept::Foreign),
        (
            "a token of another type",
            |host, _| host.instance_type = "m6g.large".parse().unwrap(),
            Kept::Foreign,
        ),
        (
            "a token of another request",
            |host, known| {
                host.request_id = Uuid::from_u128(2);
                known.requests.insert(Uuid::from_u128(2), None);
            },
            Kept::Foreign,
        ),
        ("beyond the last attempt", |host, _| *host = instance(MAX_ATTEMPTS), Kept::Foreign),
        ("young", |host, _| host.launched_at = at(NOW - 899), Kept::Young),
    ];
    for (name, change, why) in cases {
        let (mut instance, mut known) = (instance(0), ledger(Some(finished())));
        assert_eq!(is_leftover(&host(1), &instance, &known, at(NOW)), Ok(()));
        change(&mut instance, &mut known);
        assert_eq!(is_leftover(&host(1), &instance, &known, at(NOW)), Err(why), "{name}");
        let collection = look(&seen(NOW - 9999), instance, &known);
        assert_eq!((collection.due, collection.leftovers), (BTreeSet::new(), BTreeMap::new()), "{name}");
    }
}

#[test]
fn a_token_that_the_requests_object_holds_is_ours_whatever_it_was_made_of() {
    let mut odd = instance(0);
    odd.client_token = "b".repeat(64);
    let tokens = [odd.client_token.clone()].into();
    let known = ledger(Some(RequestTrace { tokens, ..finished() }));
    assert_eq!(is_leftover(&host(1), &odd, &known, at(NOW)), Ok(()));
    assert_eq!(is_leftover(&host(1), &instance(MAX_ATTEMPTS - 1), &known, at(NOW)), Ok(()));
}

#[test]
fn from_an_unknown_reading_nothing_follows() {
    let unread = Reading::Unknown("x".to_owned());
    let nothing = collect(&seen(NOW - 9999), &unread, &ledger(Some(finished())), &[host(1)].into(), at(NOW));
    assert_eq!(nothing, Collection { leftovers: seen(NOW - 9999), ..Collection::default() });
}

#[test]
fn one_that_is_out_of_sight_begins_anew() {
    let gone = Reading::Known(BTreeMap::new());
    let forgotten = collect(&seen(NOW - 9999), &gone, &ledger(None), &BTreeSet::new(), at(NOW));
    assert_eq!(forgotten, Collection::default());
}

#[test]
fn a_condemned_one_is_told_of_once_it_has_ended_and_tried_again_while_it_lives() {
    let mut condemned = seen(NOW - 400);
    condemned.get_mut(&host(1)).unwrap().condemned_at = Some(at(NOW - 60));
    let known = ledger(Some(finished()));
    for state in [InstanceState::ShuttingDown, InstanceState::Terminated] {
        let ended = look(&condemned, ObservedHost { state, ..instance(0) }, &known);
        let expected = Collection { ended: condemned.clone(), ..Collection::default() };
        assert_eq!(ended, expected, "{state:?}");
    }
    let alive = look(&condemned, instance(0), &known);
    assert_eq!((alive.ended, alive.due), (BTreeMap::new(), [host(1)].into()));
    let out_of_sight = |gone: &BTreeSet<HostId>| {
        collect(&condemned, &Reading::Known(BTreeMap::new()), &known, gone, at(NOW))
    };
    assert_eq!(out_of_sight(&[].into()).leftovers, condemned, "not seeing it proves nothing");
    assert_eq!(out_of_sight(&[host(1)].into()).ended, condemned);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_due_fulfils_every_condition(
        live in any::<bool>(), unrecorded in any::<bool>(), open in any::<bool>(), finished in any::<bool>(),
        read in any::<bool>(), listed in any::<bool>(), ours in any::<bool>(), age in 0..2000_i64,
        first in proptest::option::of(0..900_i64),
    ) {
        let mut one = instance(7);
        one.state = if live { InstanceState::Stopped } else { InstanceState::Terminated };
        one.launched_at = at(NOW - age);
        if !ours {
            one.client_token = "mine".to_owned();
        }
        let hosts = if listed { [host(1)].into() } else { BTreeSet::new() };
        let trace = RequestTrace { finished, hosts, tokens: BTreeSet::new() };
        let known = Known {
            without_record: if unrecorded { [host(1)].into() } else { BTreeSet::new() },
            open: if open { [request()].into() } else { BTreeSet::new() },
            requests: if read { [(request(), Some(trace))].into() } else { BTreeMap::new() },
        };
        let before = first.map(|ago| seen(NOW - ago)).unwrap_or_default();
        let due = !look(&before, one, &known).due.is_empty();
        let all = live && unrecorded && !open && finished && read && !listed && ours && age >= 900;
        prop_assert_eq!(due, all && first.is_some_and(|ago| ago >= 300));
    }
}
