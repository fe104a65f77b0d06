//! Many requests: the cap holds, and drawn faults leave no trace.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use enclave_protocol::code::Code;
use enclave_protocol::reply::Status;
use enclave_tests::enclave::Options;
use enclave_tests::orders::{
    configure_linked_load_balancer, configure_load_balancer, deprovision_hosts, remove_load_balancer,
};
use enclave_tests::recording_proxy::{Fault, Random};
use enclave_tests::wait::until;

use crate::support::{Zone, host_ids};

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
    assert_eq!(zone.count_calls("RunInstances"), 40, "never above the cap, not even for a moment");
    zone.enclave.shutdown().await;
    Ok(())
}

/// One life of a cluster under faults drawn from a seed.
async fn schedule(zone: &Zone, seed: u64) -> Result<()> {
    let faults = vec![
        Fault::KillBefore,
        Fault::KillAfter,
        Fault::LoseRequest,
        Fault::LoseAnswer,
        Fault::Delay(Duration::from_millis(30)),
    ];
    zone.enclave.proxy().draw(Some(Random { seed, per_mille: 120, faults, at_most: 8 }));
    let count = u32::try_from(seed % 3)? + 1;
    let reply = zone.done(zone.provision_hosts(count)).await?;
    let hosts = host_ids(&reply);
    let live = zone.live_hosts().await?;
    ensure!(live == hosts.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), "{live:?}, {reply:#?}");
    ensure!(live.len() == count as usize, "{live:?}");
    let is_linked = seed % 2 == 1;
    let order = if is_linked { configure_linked_load_balancer } else { configure_load_balancer };
    let balanced = zone.done(order(&[(443, 4443)], &hosts)).await?;
    ensure!(zone.leftovers().await? == [count as usize, 1, 1, 1], "after the balancer was made");
    ensure!(zone.endpoint_services().await? == usize::from(is_linked), "after the balancer was made");
    let removed = zone.done(remove_load_balancer()).await?;
    let ended = zone.done(deprovision_hosts(&hosts)).await?;
    ensure!(zone.leftovers().await? == [0; 4], "after all was removed");
    ensure!(zone.endpoint_services().await? == 0, "after all was removed");
    for reply in [reply, balanced, removed, ended] {
        zone.settled(&reply).await?;
    }
    zone.enclave.proxy().draw(None);
    zone.enclave.forget_calls();
    Ok(())
}

/// Schedules of one enclave, one after the other; a failing seed is named and strikes the same calls again.
async fn schedules(seeds: impl Iterator<Item = u64>) -> Result<()> {
    let zone = Zone::start().await?;
    for seed in seeds {
        let log = || format!("seed {seed}\n{}", zone.enclave.function().log_tail(30));
        schedule(&zone, seed).await.with_context(log)?;
    }
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_strikes_exactly_what_was_asked_for_exists_even_seeds() -> Result<()> {
    Box::pin(schedules((0..20).step_by(2))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_strikes_exactly_what_was_asked_for_exists_odd_seeds() -> Result<()> {
    Box::pin(schedules((1..20).step_by(2))).await
}
