//! The tenant's rules, changed while the line works.

use std::time::Duration;

use anyhow::Result;
use enclave_core::foundation::{FREEZE_KEY, Freeze, ZONE_KEY};
use enclave_gate::GATE_KEY;
use enclave_protocol::code::Code;
use enclave_protocol::reply::{HostState, Status};
use enclave_protocol::request::Request;
use enclave_tests::enclave::Options;
use enclave_tests::orders::describe;
use enclave_tests::wait::until;
use jiff::Timestamp;

use crate::support::{
    Zone, changing_calls, count_calls, delete_tenant_object, ledger_object, live_instances, send_and_handle,
    tick, without_ticks, write_tenant_object,
};

fn freeze() -> Freeze {
    Freeze { who: "alice".to_owned(), why: "an incident".to_owned(), until: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfit_host_is_terminated_and_never_handed_over_and_a_freeze_holds_even_that() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    let sent = send_and_handle(&zone, zone.server.request(zone.provision_hosts(1))).await?;
    // From now on the tenant expects other user data: what was launched no longer fits.
    let mut foundation = zone.enclave.made().foundation.clone();
    for zone in foundation.availability_zones.values_mut() {
        zone.user_data_sha256 = "0".repeat(64);
    }
    write_tenant_object(&zone, ZONE_KEY, &foundation).await?;
    write_tenant_object(&zone, FREEZE_KEY, &freeze()).await?;
    for _ in 0..4 {
        tick(&zone).await?;
    }
    assert_eq!(count_calls(&zone, "TerminateInstances"), 0, "frozen");
    assert_eq!(live_instances(&zone).await?.len(), 1);

    delete_tenant_object(&zone, FREEZE_KEY).await?;
    for _ in 0..5 {
        tick(&zone).await?;
    }
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::AttestationFailed), "{reply:#?}");
    assert_eq!(reply.hosts[0].state, HostState::Terminated);
    assert!(reply.hosts[0].reason.as_ref().unwrap().contains("user data"), "{reply:#?}");
    assert!(live_instances(&zone).await?.is_empty());
    assert_eq!(count_calls(&zone, "RunInstances"), 1, "it is reported, not replaced");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_zone_refuses_changes_shows_plans_and_answers_describe() -> Result<()> {
    let zone = Zone::start().await?;
    write_tenant_object(&zone, FREEZE_KEY, &freeze()).await?;
    let refused = zone.server.order(zone.provision_hosts(1)).await?;
    assert_eq!((refused.status, refused.code), (Status::Rejected, Code::Frozen), "{refused:#?}");
    assert!(refused.message.contains("alice") && refused.message.contains("an incident"), "{refused:#?}");
    let planned = zone.server.plan(zone.provision_hosts(1)).await?.plan.expect("a plan");
    assert_eq!((planned.decision.allowed, planned.decision.code), (false, Code::Frozen));
    assert_eq!(planned.steps.len(), 1);
    assert_eq!(zone.server.order(describe()).await?.status, Status::Done);

    delete_tenant_object(&zone, FREEZE_KEY).await?;
    zone.provisioned(1).await?;
    // What cannot be read as a freeze is one all the same.
    write_tenant_object(&zone, FREEZE_KEY, &serde_json::json!("?")).await?;
    let refused = zone.server.order(zone.provision_hosts(1)).await?;
    assert_eq!(refused.code, Code::Frozen, "{refused:#?}");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_revoked_in_the_middle_gets_no_further_and_is_told_what_exists() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    let sent = send_and_handle(&zone, zone.server.request(zone.provision_hosts(2))).await?;
    let mut gate = zone.enclave.made().gate.clone();
    gate.revocations.identities = vec![gate.identities[0].identity.clone()];
    write_tenant_object(&zone, GATE_KEY, &gate).await?;
    zone.enclave.forget_calls();
    tick(&zone).await?;
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::Revoked), "{reply:#?}");
    assert_eq!(reply.hosts.len(), 2, "{reply:#?}");
    assert_eq!(changing_calls(&zone), Vec::<String>::new());
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_open_requests_may_still_launch_count_against_the_cap() -> Result<()> {
    let zone = Zone::start_with(Options { max_hosts: 4, ..without_ticks() }).await?;
    let first = send_and_handle(&zone, zone.server.request(zone.provision_hosts(3))).await?;
    let second = zone.server.order(zone.provision_hosts(2)).await?;
    assert_eq!((second.status, second.code), (Status::Rejected, Code::CapExceeded), "{second:#?}");
    let third = send_and_handle(&zone, zone.server.request(zone.provision_hosts(1))).await?;
    for _ in 0..3 {
        tick(&zone).await?;
    }
    for sent in [first, third] {
        let reply = zone.server.final_reply(&sent).await?;
        assert_eq!(reply.status, Status::Done, "{reply:#?}");
    }
    assert_eq!(live_instances(&zone).await?.len(), 4);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_late_fails_and_reports_what_exists() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    let request = Request { deadline_seconds: Some(1), ..zone.server.request(zone.provision_hosts(2)) };
    let key = format!("state/v1/requests/{}.json", request.request_id);
    let sent = send_and_handle(&zone, request).await?;
    let deadline: Timestamp =
        serde_json::from_value(ledger_object(&zone, &key).await?["deadline_at"].clone())?;
    until("the deadline to pass", Duration::from_secs(20), async || {
        Ok((Timestamp::now() > deadline).then_some(()))
    })
    .await?;
    // The instances start only at their third look; this tick takes the second.
    tick(&zone).await?;
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::DeadlineExceeded), "{reply:#?}");
    let states: Vec<HostState> = reply.hosts.iter().map(|host| host.state).collect();
    assert_eq!(states, [HostState::Starting, HostState::Starting], "what exists is reported");
    zone.enclave.shutdown().await;
    Ok(())
}
