//! The function dies, or a message comes again: nothing is made twice and nothing is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use enclave_protocol::reply::Status;
use enclave_tests::wait::until;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Zone, configure_load_balancer, count_calls, host_ids, ledger_object, live_instances};

/// Kills the function as soon as it has made a call, and waits until that death is known.
async fn kill_after(zone: &Zone, action: &str) -> Result<()> {
    let mut handled = zone.enclave.event_source().handled();
    until("the call to be made", Duration::from_secs(20), async || {
        Ok((count_calls(zone, action) > 0).then_some(()))
    })
    .await?;
    if let Some(process) = zone.enclave.function().process_id().await {
        let process = Pid::from_raw(i32::try_from(process)?).context("a process id")?;
        // It may have answered in the meantime; then this test is one of a duplicate only.
        let _ = kill_process(process, Signal::KILL);
    }
    handled.recv().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_killed_after_its_launch_finds_the_same_hosts_again() -> Result<()> {
    let zone = Zone::start().await?;
    let sent = zone.server.send(zone.server.request(zone.provision_hosts(4))).await?;
    kill_after(&zone, "RunInstances").await?;
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}\n{}", zone.enclave.function().log_tail(30));
    let live = live_instances(&zone).await?;
    let live: BTreeSet<String> = live.iter().filter_map(|it| it.instance_id().map(str::to_owned)).collect();
    assert_eq!(live, host_ids(&reply).iter().map(ToString::to_string).collect());
    assert_eq!(live.len(), 4);
    let tokens: BTreeSet<String> = zone
        .enclave
        .calls()
        .iter()
        .filter(|call| call.action == "RunInstances")
        .map(|call| call.parameter("ClientToken").to_owned())
        .collect();
    assert_eq!(tokens.len(), 2, "a replay is the same call: one token for each of the two pools");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_killed_while_it_makes_a_balancer_makes_just_one() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    let order = configure_load_balancer(&[(443, 4443)], &hosts);
    let sent = zone.server.send(zone.server.request(order)).await?;
    kill_after(&zone, "CreateTargetGroup").await?;
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}\n{}", zone.enclave.function().log_tail(30));
    let elb = &zone.enclave.clients().elbv2;
    assert_eq!(elb.describe_load_balancers().send().await?.load_balancers().len(), 1);
    assert_eq!(elb.describe_target_groups().send().await?.target_groups().len(), 1);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_tells_a_requests_whole_story() -> Result<()> {
    let zone = Zone::start().await?;
    let request = zone.server.request(zone.provision_hosts(1));
    let key = format!("state/v1/requests/{}.json", request.request_id);
    let reply = zone.server.final_reply(&zone.server.send(request).await?).await?;
    let record = ledger_object(&zone, &key).await?;
    assert_eq!(record["finished"], true);
    let call = &record["calls"][0];
    assert_eq!(call["creation"]["call"], "RunInstances");
    assert_eq!(call["creation"]["client_token"].as_str().map(str::len), Some(64));
    let host = reply.hosts[0].host_id.as_str();
    assert_eq!(call["answer"]["launched"]["hosts"][0], host);
    let story: Vec<&str> =
        record["events"].as_array().unwrap().iter().filter_map(|event| event["what"].as_str()).collect();
    for chapter in ["claimed", "accepted", "launched", "ready", "done"] {
        assert!(story.iter().any(|event| event.contains(chapter)), "{chapter} is missing: {story:#?}");
    }
    let replies = record["replies"].as_array().unwrap();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(replies.last().unwrap().as_str().unwrap())?["status"],
        "done"
    );
    let host = ledger_object(&zone, &format!("state/v1/hosts/{host}.json")).await?;
    assert_eq!(host["desired"], "running");
    zone.enclave.shutdown().await;
    Ok(())
}
