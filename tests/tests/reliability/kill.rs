//! The function is killed before and after each of its calls, for every action.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use enclave_protocol::names::ImageId;
use enclave_protocol::reply::Reply;
use enclave_protocol::request::Order;
use enclave_tests::orders::{
    configure_linked_load_balancer, deprovision_hosts, rebuild_hosts, remove_load_balancer,
};
use enclave_tests::recording_proxy::{Fault, Rule};

use crate::support::{Zone, host_ids};

/// Carries out an order with the function killed at its `call`-th call; says how many calls it took in all.
async fn killed_at(zone: &Zone, order: Order, call: u32, fault: Fault) -> Result<(Reply, u32)> {
    zone.enclave.forget_calls();
    zone.enclave.proxy().script(vec![Rule::nth_call(call, fault.clone())]);
    let reply = zone.done(order).await.with_context(|| format!("{fault:?} at call {call}"))?;
    let calls = u32::try_from(zone.enclave.calls().len())?;
    zone.settled(&reply).await.with_context(|| format!("{fault:?} at call {call}"))?;
    zone.enclave.proxy().script(Vec::new());
    Ok((reply, calls))
}

/// Every place to strike: twice each call of an undisturbed run.
fn places(calls: u32) -> impl Iterator<Item = (u32, Fault)> {
    (1..=calls).flat_map(|call| [(call, Fault::KillBefore), (call, Fault::KillAfter)])
}

/// The same places by their boundaries, for long ways: what is done after a call and before the next is done without
/// any effect, so a kill after the one is a kill before the other.
fn boundaries(calls: u32) -> impl Iterator<Item = (u32, Fault)> {
    std::iter::once((1, Fault::KillBefore)).chain((1..=calls).map(|call| (call, Fault::KillAfter)))
}

#[tokio::test(flavor = "multi_thread")]
async fn provisioning_killed_at_any_call_launches_exactly_the_asked_hosts() -> Result<()> {
    let zone = Zone::start().await?;
    let (reply, calls) = killed_at(&zone, zone.provision_hosts(2), u32::MAX, Fault::KillBefore).await?;
    zone.done(deprovision_hosts(&host_ids(&reply))).await?;
    for (call, fault) in places(calls) {
        let (reply, _) = killed_at(&zone, zone.provision_hosts(2), call, fault.clone()).await?;
        let hosts = host_ids(&reply);
        let live = zone.live_hosts().await?;
        ensure!(
            live == hosts.iter().map(ToString::to_string).collect(),
            "{fault:?} at {call}: {live:?}, {reply:#?}"
        );
        ensure!(live.len() == 2, "{fault:?} at {call}: {live:?}");
        ensure!(zone.leftovers().await? == [2, 0, 0, 0], "{fault:?} at {call}");
        zone.done(deprovision_hosts(&hosts)).await?;
    }
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deprovisioning_killed_at_any_call_terminates_exactly_the_asked_hosts() -> Result<()> {
    let zone = Zone::start().await?;
    let kept = zone.done(zone.provision_hosts(1)).await?;
    let hosts = host_ids(&zone.done(zone.provision_hosts(1)).await?);
    let (_, calls) = killed_at(&zone, deprovision_hosts(&hosts), u32::MAX, Fault::KillBefore).await?;
    for (call, fault) in places(calls) {
        let hosts = host_ids(&zone.done(zone.provision_hosts(1)).await?);
        killed_at(&zone, deprovision_hosts(&hosts), call, fault.clone()).await?;
        let live = zone.live_hosts().await?;
        ensure!(
            live == host_ids(&kept).iter().map(ToString::to_string).collect(),
            "{fault:?} at {call}: {live:?}"
        );
        ensure!(zone.leftovers().await? == [1, 0, 0, 0], "{fault:?} at {call}");
    }
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuilding_killed_at_any_call_replaces_each_root_volume_exactly_once() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = host_ids(&zone.done(zone.provision_hosts(2)).await?);
    let images = zone.enclave.made().hosts.images.clone();
    let order = |image: &ImageId| rebuild_hosts(&hosts, image, Some(2));
    // Looks from outside move the tasks on, so that few of the function's calls only wait.
    let rebuilt = async |image: &ImageId, call: u32, fault: Fault| {
        let looking = async {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            loop {
                zone.enclave.clients().ec2.describe_replace_root_volume_tasks().send().await?;
                pace.tick().await;
            }
        };
        tokio::select! {
            ended = killed_at(&zone, order(image), call, fault) => ended,
            failed = looking => failed,
        }
    };
    let (_, calls) = rebuilt(&images[1], u32::MAX, Fault::KillBefore).await?;
    for ((call, fault), image) in places(calls).zip(images.iter().cycle()) {
        let before = zone.root_volumes().await?;
        let (reply, _) = rebuilt(image, call, fault.clone()).await?;
        let request = reply.request_id.context("a reply without a request id")?;
        let mut tasks = zone.root_volume_tasks(request).await?;
        tasks.sort();
        let expected: Vec<_> = hosts.iter().map(|host| (host.to_string(), "succeeded".to_owned())).collect();
        ensure!(tasks == expected, "{fault:?} at {call}: {tasks:?}");
        let after = zone.root_volumes().await?;
        for (host, (volume, booted)) in &after {
            ensure!(*volume != before[host].0 && booted == image.as_str(), "{fault:?} at {call}: {host}");
        }
        ensure!(after.len() == 2, "{fault:?} at {call}: {after:?}");
        ensure!(zone.leftovers().await? == [2, 0, 0, 0], "{fault:?} at {call}");
    }
    zone.enclave.shutdown().await;
    Ok(())
}

/// With an endpoint service: the longest way there is to a balancer.
#[tokio::test(flavor = "multi_thread")]
async fn configuring_a_balancer_killed_at_any_call_makes_exactly_one_with_one_endpoint_service() -> Result<()>
{
    let zone = Zone::start().await?;
    let hosts = host_ids(&zone.done(zone.provision_hosts(1)).await?);
    let order = || configure_linked_load_balancer(&[(443, 4443)], &hosts);
    let (_, calls) = killed_at(&zone, order(), u32::MAX, Fault::KillBefore).await?;
    zone.done(remove_load_balancer()).await?;
    for (call, fault) in boundaries(calls) {
        let (reply, _) = killed_at(&zone, order(), call, fault.clone()).await?;
        ensure!(zone.leftovers().await? == [1, 1, 1, 1], "{fault:?} at {call}");
        ensure!(zone.endpoint_services().await? == 1, "{fault:?} at {call}");
        let link = reply.load_balancer.and_then(|balancer| balancer.private_link);
        let principals = link.map(|link| link.allowed_principals.len());
        ensure!(principals == Some(1), "{fault:?} at {call}: {principals:?}");
        zone.done(remove_load_balancer()).await?;
    }
    zone.enclave.shutdown().await;
    Ok(())
}

/// With an endpoint service, which goes first.
#[tokio::test(flavor = "multi_thread")]
async fn removing_a_balancer_killed_at_any_call_leaves_nothing_of_it() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = host_ids(&zone.done(zone.provision_hosts(1)).await?);
    let order = || configure_linked_load_balancer(&[(443, 4443)], &hosts);
    zone.done(order()).await?;
    let (_, calls) = killed_at(&zone, remove_load_balancer(), u32::MAX, Fault::KillBefore).await?;
    for (call, fault) in boundaries(calls) {
        zone.done(order()).await?;
        killed_at(&zone, remove_load_balancer(), call, fault.clone()).await?;
        ensure!(zone.leftovers().await? == [1, 0, 0, 0], "{fault:?} at {call}");
        ensure!(zone.endpoint_services().await? == 0, "{fault:?} at {call}");
    }
    zone.enclave.shutdown().await;
    Ok(())
}
