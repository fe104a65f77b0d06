//! The tenant's destruction budget, and who stands under it.

use std::time::Duration;

use anyhow::Result;
use enclave_core::foundation::ZONE_KEY;
use enclave_gate::GATE_KEY;
use enclave_gate::rules::Destruction;
use enclave_protocol::code::Code;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{HostState, Reply, Status};
use enclave_protocol::request::Request;
use enclave_tests::orders::deprovision_hosts;
use enclave_tests::recording_proxy::{Fault, Rule};
use enclave_tests::wait::until;
use jiff::Timestamp;

use crate::support::{
    Zone, change_ledger_object, count_calls, ledger_object, live_instances, send_and_handle, tick,
    without_ticks, write_tenant_object,
};

const DESTRUCTIONS: &str = "state/v1/destructions.json";

/// The tenant allows so many destructions an hour, or what is allowed where the gate says nothing.
pub(crate) async fn allow(zone: &Zone, hosts_per_hour: Option<u32>) -> Result<()> {
    let mut gate = zone.enclave.made().gate.clone();
    gate.limits.destruction =
        hosts_per_hour.map(|hosts_per_hour| Destruction { hosts_per_hour, share_per_hour_percent: 100 });
    write_tenant_object(zone, GATE_KEY, &gate).await
}

fn states(reply: &Reply, state: HostState) -> usize {
    reply.hosts.iter().filter(|host| host.state == state).count()
}

/// The instances that were asked to be terminated, each counted as often as it was named.
fn terminations(zone: &Zone) -> usize {
    let calls = zone.enclave.calls().into_iter().filter(|call| call.action == "TerminateInstances");
    calls.map(|call| call.parameters.keys().filter(|key| key.starts_with("InstanceId.")).count()).sum()
}

/// What was said of a request before its final reply.
fn progress(zone: &Zone, request: &Request) -> Vec<String> {
    let sent = zone.enclave.calls().into_iter().filter(|call| call.action == "SendMessage");
    let replies = sent.filter_map(|call| serde_json::from_str::<Reply>(call.parameter("MessageBody")).ok());
    let ours =
        replies.filter(|reply| reply.request_id == Some(request.request_id) && !reply.status.is_final());
    ours.map(|reply| reply.message).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_budget_holds_back_waits_and_goes_when_an_hour_has_passed() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(5).await?;
    allow(&zone, Some(2)).await?;
    let planned = zone.server.plan(deprovision_hosts(&hosts)).await?;
    assert!(planned.message.contains("holds 3 hosts back"), "{planned:#?}");
    assert_eq!(terminations(&zone), 0);

    let request = zone.server.request(deprovision_hosts(&hosts));
    let sent = zone.server.send(request.clone()).await?;
    until("two hosts to be terminated", Duration::from_secs(30), async || {
        Ok((live_instances(&zone).await?.len() == 3).then_some(()))
    })
    .await?;
    for _ in 0..4 {
        tick(&zone).await?;
    }
    assert_eq!((live_instances(&zone).await?.len(), terminations(&zone)), (3, 2));
    assert_eq!(progress(&zone, &request).len(), 1);
    assert!(progress(&zone, &request)[0].contains("destruction budget holds 3 hosts back"));

    for left in [1, 0] {
        change_ledger_object(&zone, DESTRUCTIONS, |counted| {
            for at in counted["hosts"].as_object_mut().unwrap().values_mut() {
                *at = "2026-01-01T00:00:00Z".into();
            }
        })
        .await?;
        until("more hosts to be terminated", Duration::from_secs(30), async || {
            Ok((live_instances(&zone).await?.len() == left).then_some(()))
        })
        .await?;
    }
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!((reply.status, states(&reply, HostState::Terminated)), (Status::Done, 5), "{reply:#?}");
    assert_eq!(terminations(&zone), 5, "none was terminated twice");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_budget_still_holds_back_at_the_deadline_is_named_host_by_host() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(3).await?;
    allow(&zone, Some(1)).await?;
    let request = Request { deadline_seconds: Some(6), ..zone.server.request(deprovision_hosts(&hosts)) };
    let reply = zone.server.final_reply(&zone.server.send(request).await?).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::DestructionBudgetExceeded), "{reply:#?}");
    assert_eq!(states(&reply, HostState::Terminated), 1, "{reply:#?}");
    assert_eq!(states(&reply, HostState::Running), 2, "{reply:#?}");
    assert_eq!((live_instances(&zone).await?.len(), terminations(&zone)), (2, 1));

    // The budget is the zone's, not the request's.
    let rest: Vec<HostId> = reply
        .hosts
        .iter()
        .filter(|host| host.state == HostState::Running)
        .map(|host| host.host_id.clone())
        .collect();
    let request = Request { deadline_seconds: Some(1), ..zone.server.request(deprovision_hosts(&rest)) };
    let reply = zone.server.final_reply(&zone.server.send(request).await?).await?;
    assert_eq!(reply.code, Code::DestructionBudgetExceeded, "{reply:#?}");
    assert_eq!(terminations(&zone), 1);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_without_a_budget_lets_a_small_cluster_go_at_once() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(4).await?;
    allow(&zone, None).await?;
    let reply = zone.server.order(deprovision_hosts(&hosts)).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}");
    assert_eq!(ledger_object(&zone, DESTRUCTIONS).await?["hosts"].as_object().unwrap().len(), 4);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_never_handed_over_goes_whatever_the_budget_says() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    allow(&zone, Some(0)).await?;
    let sent = send_and_handle(&zone, zone.server.request(zone.provision_hosts(1))).await?;
    let mut foundation = zone.enclave.made().foundation.clone();
    for zone in foundation.availability_zones.values_mut() {
        zone.user_data_sha256 = "0".repeat(64);
    }
    write_tenant_object(&zone, ZONE_KEY, &foundation).await?;
    for _ in 0..6 {
        tick(&zone).await?;
    }
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!(reply.code, Code::AttestationFailed, "{reply:#?}");
    assert_eq!((live_instances(&zone).await?.len(), count_calls(&zone, "TerminateInstances")), (0, 1));
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destruction_is_counted_before_it_is_done() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    zone.enclave.proxy().script(vec![Rule::once("TerminateInstances", Fault::KillBefore)]);
    let before = Timestamp::now();
    let reply = zone.server.order(deprovision_hosts(&hosts)).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}");
    let killed = zone.enclave.calls().into_iter().find(|call| call.action == "TerminateInstances").unwrap();
    let counted = ledger_object(&zone, DESTRUCTIONS).await?["hosts"][hosts[0].as_str()].clone();
    let counted: Timestamp = serde_json::from_value(counted)?;
    assert!(before <= counted && counted <= killed.time, "{counted} is not before {}", killed.time);
    assert_eq!(terminations(&zone), 2, "tried again, and not counted again");
    zone.enclave.shutdown().await;
    Ok(())
}
