//! Many requests: the cap holds, and drawn faults leave no trace.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use enclave_protocol::code::Code;
use enclave_protocol::reply::Status;
use enclave_tests::enclave::Options;
use enclave_tests::soak::soak;
use enclave_tests::wait::until;

use crate::support::Zone;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_for_a_host_each_against_a_cap_of_forty_give_forty_hosts() -> Result<()> {
    let options =
        Options { tick_every: Some(Duration::from_millis(500)), max_hosts: 40, ..Options::default() };
    let zone = Zone::start_with(options).await?;
    for _ in 0..50 {
        zone.server.send(zone.server.request(zone.provision_hosts(1))).await?;
    }
    // All replies lie on one queue; what was sent to it says the same at a glance.
    let replies = until("fifty final replies", Duration::from_mins(4), async || {
        let replies = zone.final_replies();
        Ok((replies.len() >= 50).then_some(replies))
    })
    .await
    .with_context(|| zone.enclave.function().log_tail(20))?;
    let (mut done, mut refused) = (0, 0);
    for reply in &replies {
        match (reply.status, reply.code) {
            (Status::Done, Code::Done) => done += 1,
            (Status::Rejected, Code::CapExceeded) => refused += 1,
            other => panic!("{other:?}: {reply:#?}"),
        }
    }
    assert_eq!((done, refused), (40, 10));
    assert_eq!(zone.live_hosts().await?.len(), 40);
    // A replay has the token of its launch and makes nothing more; no host is ever ended here.
    let mut launched = BTreeMap::new();
    for call in zone.enclave.calls().iter().filter(|call| call.action == "RunInstances") {
        launched.insert(call.parameter("ClientToken").to_owned(), call.parameter("MaxCount").parse::<u32>()?);
        let hosts: u32 = launched.values().sum();
        assert!(hosts <= 40, "{hosts} hosts at call {}", call.sequence);
    }
    assert_eq!(launched.values().sum::<u32>(), 40);
    zone.enclave.shutdown().await;
    Ok(())
}

/// Enclaves at a time: most of a schedule is waiting, for the SDK's pauses before a retry above all.
const LANES: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_strikes_in_two_hundred_schedules_exactly_what_was_asked_for_exists() -> Result<()> {
    let violations = Box::pin(soak(1..=200, LANES, |_| ())).await?;
    let told: Vec<String> = violations.iter().map(ToString::to_string).collect();
    ensure!(told.is_empty(), "{}", told.join("\n\n"));
    Ok(())
}
