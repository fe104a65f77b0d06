//! Requests that an earlier version of the ledger left in the middle of their way are finished by this one.
//!
//! The objects in each `tests/fixtures/ledger-*` were written by the function of that version, and the account was in
//! the state that its calls had brought about. `make ledger-fixtures NAME=ledger-v2` keeps those of the version that is
//! checked out; nothing else needs to be written for a further version.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail a test by panicking, as tests do"
)]

mod account;
mod fixture;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use enclave_protocol::reply::{Reply, Status};
use enclave_tests::enclave::{LocalEnclave, Options};
use enclave_tests::outside::{Outside, Owner, Wanted, WantedBalancer};
use enclave_tests::wait::until;

use crate::fixture::{Fixture, Standing, fixtures, owner};

/// Long enough for every request on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_an_earlier_ledger_version_left_half_way_are_finished() -> Result<()> {
    let mut versions = 0;
    for entry in std::fs::read_dir(fixtures())? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("ledger-") {
            Box::pin(finishes(&Fixture::read(&folder)?)).await.context(name)?;
            versions += 1;
        }
    }
    ensure!(versions > 0, "no version is kept in {}", fixtures().display());
    Ok(())
}

async fn finishes(fixture: &Fixture) -> Result<()> {
    let options = Options { tick_every: None, max_hosts: 1000, ..Options::default() };
    let enclave = LocalEnclave::start(options).await?;
    let names = account::restore(&enclave, fixture).await.context("cannot restore the account")?;
    fixture.put(&enclave, &names).await.context("cannot restore the ledger")?;
    let before = Outside::look(enclave.clients(), &enclave.made().buckets.state).await?;

    let open: BTreeSet<String> = fixture.open().map(|request| request.request_id.clone()).collect();
    let log = || enclave.function().log_tail(30);
    let finals = until("a final reply to each", LIMIT, async || {
        enclave.tick().await?;
        let finals = final_replies(&enclave);
        Ok(open.iter().all(|id| finals.contains_key(id)).then_some(finals))
    });
    let finals = finals.await.with_context(log)?;
    for (id, replies) in &finals {
        ensure!(open.contains(id), "request {id} was finished before, and is answered again: {replies:?}");
        ensure!(
            replies.len() == 1,
            "request {id} has {} different final replies: {replies:#?}",
            replies.len()
        );
    }
    let replies: BTreeMap<&String, Reply> = finals
        .iter()
        .map(|(id, replies)| Ok((id, serde_json::from_str(replies.first().expect("one reply"))?)))
        .collect::<Result<_>>()?;
    for (id, reply) in &replies {
        ensure!(reply.status == Status::Done, "request {id}: {reply:#?}\n{}", log());
    }

    // The line is given back just after the last reply.
    enclave.event_source().pause().await;
    let after = Outside::look(enclave.clients(), &enclave.made().buckets.state).await?;
    let violations = after.violations(&wanted(fixture, &before, &replies));
    ensure!(violations.is_empty(), "{violations:#?}\n{}", log());
    for request in fixture.requests().filter(|request| request.standing == Standing::Finished) {
        let id = &request.request_id;
        ensure!(before.requests[id] == after.requests[id], "the finished request {id} was written again");
    }
    enclave.shutdown().await;
    Ok(())
}

/// What all the requests of a fixture together ask for: the hosts that were handed over before and are by these
/// replies, but for those that are given up; the balancers as they were, changed as they are now.
fn wanted(fixture: &Fixture, before: &Outside, replies: &BTreeMap<&String, Reply>) -> Wanted {
    let mut wanted = Wanted::default();
    let mut ready = |owner: &Owner, reply: &Reply| {
        wanted.hosts.extend(reply.hosts.iter().map(|host| (host.host_id.to_string(), owner.clone())));
    };
    let stored = |id: &String| -> Reply {
        let last = before.requests[id]["replies"].as_array().and_then(|replies| replies.last().cloned());
        serde_json::from_str(last.expect("a reply").as_str().expect("a text")).expect("a reply")
    };
    for request in fixture.requests().filter(|it| it.order["action"] == "provision_hosts") {
        match replies.get(&request.request_id) {
            Some(reply) => {
                assert_eq!(Some(reply.hosts.len() as u64), request.order["count"].as_u64(), "{reply:#?}");
                ready(&owner(&request.order), reply);
            }
            None => ready(&owner(&request.order), &stored(&request.request_id)),
        }
    }
    let texts = |list: &serde_json::Value| -> BTreeSet<String> {
        list.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
    };
    let port = |number: &serde_json::Value| i32::try_from(number.as_u64().expect("a port")).expect("a port");
    for request in fixture.requests() {
        let order = &request.order;
        match order["action"].as_str().expect("an action") {
            "deprovision_hosts" => {
                let given_up = texts(&order["host_ids"]);
                wanted.hosts.retain(|id, _| !given_up.contains(id));
            }
            "configure_load_balancer" => {
                let endpoints = order["endpoints"].as_array().expect("endpoints").iter();
                let endpoints = endpoints.map(|it| (port(&it["port"]), port(&it["target_port"]))).collect();
                let targets = texts(&order["targets"]);
                wanted.balancers.insert(owner(order), WantedBalancer { endpoints, targets });
            }
            "remove_load_balancer" => _ = wanted.balancers.remove(&owner(order)),
            _ => {}
        }
    }
    wanted
}

/// The different final replies to each request, as they were sent.
fn final_replies(enclave: &LocalEnclave) -> BTreeMap<String, BTreeSet<String>> {
    let mut finals: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for call in enclave.calls().iter().filter(|call| call.action == "SendMessage") {
        let body = call.parameter("MessageBody");
        if let Ok(reply) = serde_json::from_str::<Reply>(body)
            && let (true, Some(id)) = (reply.status.is_final(), reply.request_id)
        {
            finals.entry(id.to_string()).or_default().insert(body.to_owned());
        }
    }
    finals
}
