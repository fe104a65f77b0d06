//! The function dies, or a message comes again: nothing is made twice and nothing is lost.

use std::collections::BTreeSet;

use anyhow::Result;
use enclave_protocol::reply::Status;
use enclave_tests::orders::configure_load_balancer;
use enclave_tests::recording_proxy::{Fault, Rule};

use crate::support::{Zone, count_calls, host_ids, ledger_object, live_instances};

#[tokio::test(flavor = "multi_thread")]
async fn a_function_killed_after_its_launch_finds_the_same_hosts_again() -> Result<()> {
    let zone = Zone::start().await?;
    zone.enclave.proxy().script(vec![Rule::once("RunInstances", Fault::KillAfter)]);
    let sent = zone.server.send(zone.server.request(zone.provision_hosts(4))).await?;
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}\n{}", zone.enclave.function().log_tail(30));
    let live = live_instances(&zone).await?;
    let live: BTreeSet<String> = live.iter().filter_map(|it| it.instance_id().map(str::to_owned)).collect();
    assert_eq!(live, host_ids(&reply).iter().map(ToString::to_string).collect());
    assert_eq!(live.len(), 4);
    let launches = count_calls(&zone, "RunInstances");
    let tokens: BTreeSet<String> = zone
        .enclave
        .calls()
        .iter()
        .filter(|call| call.action == "RunInstances")
        .map(|call| call.parameter("ClientToken").to_owned())
        .collect();
    assert_eq!(tokens.len(), 2, "a replay is the same call: one token for each of the two pools");
    assert!(launches > 2, "the launch was replayed");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_killed_while_it_makes_a_balancer_makes_just_one() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    let order = configure_load_balancer(&[(443, 4443)], &hosts);
    zone.enclave.proxy().script(vec![
        Rule::once("CreateTargetGroup", Fault::KillAfter),
        Rule::once("CreateLoadBalancer", Fault::KillAfter),
        Rule::once("CreateListener", Fault::KillAfter),
    ]);
    let sent = zone.server.send(zone.server.request(order)).await?;
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
