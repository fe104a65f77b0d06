//! AWS throttles, runs out of room, answers late, or not at all.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use enclave_protocol::code::Code;
use enclave_protocol::reply::{HostState, Status};
use enclave_tests::enclave::Options;
use enclave_tests::orders::{
    configure_linked_load_balancer, configure_load_balancer, deprovision_hosts, remove_load_balancer,
};
use enclave_tests::recording_proxy::{Fault, Random, Rule};
use enclave_tests::wait::until;

use crate::support::{Zone, host_ids};

#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_storm_delays_a_launch_and_is_no_lack_of_room() -> Result<()> {
    let zone = Zone::start().await?;
    let storm = Rule { times: 12, ..Rule::once("RunInstances", Fault::Refuse("RequestLimitExceeded")) };
    zone.enclave.proxy().script(vec![storm]);
    let reply = zone.done(zone.provision_hosts(3)).await?;
    ensure!(zone.live_hosts().await? == host_ids(&reply).iter().map(ToString::to_string).collect());
    let launches = zone.enclave.calls().into_iter().filter(|call| call.action == "RunInstances");
    let tokens: BTreeSet<String> = launches.map(|call| call.parameter("ClientToken").to_owned()).collect();
    assert_eq!(tokens.len(), 2, "each pool's launch is replayed with its own token");
    zone.settled(&reply).await?;
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_makes_nothing_twice() -> Result<()> {
    let zone = Zone::start().await?;
    let changing = [
        "RunInstances",
        "CreateTargetGroup",
        "CreateLoadBalancer",
        "CreateListener",
        "RegisterTargets",
        "ModifyTargetGroupAttributes",
        "ModifyLoadBalancerAttributes",
        "ModifyTargetGroup",
        "SetSecurityGroups",
        "CreateVpcEndpointServiceConfiguration",
        "ModifyVpcEndpointServicePermissions",
        "DeleteVpcEndpointServiceConfigurations",
        "DeleteListener",
        "DeleteLoadBalancer",
        "DeleteTargetGroup",
        "TerminateInstances",
        "PutObject",
    ];
    let lost = |action| Rule { times: 2, ..Rule::once(action, Fault::LoseAnswer) };
    zone.enclave.proxy().script(changing.map(lost).into());
    let reply = zone.done(zone.provision_hosts(2)).await?;
    let hosts = host_ids(&reply);
    assert_eq!(zone.live_hosts().await?.len(), 2);
    zone.done(configure_linked_load_balancer(&[(443, 4443)], &hosts)).await?;
    assert_eq!(zone.leftovers().await?, [2, 1, 1, 1]);
    assert_eq!(zone.endpoint_services().await?, 1);
    zone.done(remove_load_balancer()).await?;
    zone.done(deprovision_hosts(&hosts)).await?;
    assert_eq!(zone.leftovers().await?, [0, 0, 0, 0]);
    assert_eq!(zone.endpoint_services().await?, 0);
    zone.settled(&reply).await?;
    zone.enclave.shutdown().await;
    Ok(())
}

/// Every call that reads hosts or load balancers.
const READS: [&str; 12] = [
    "DescribeInstances",
    "DescribeInstanceAttribute",
    "DescribeVolumes",
    "DescribeLoadBalancers",
    "DescribeLoadBalancerAttributes",
    "DescribeListeners",
    "DescribeListenerAttributes",
    "DescribeTargetGroups",
    "DescribeTargetGroupAttributes",
    "DescribeTargetHealth",
    "DescribeTags",
    "DescribeInstanceStatus",
];

#[tokio::test(flavor = "multi_thread")]
async fn while_a_zone_is_down_nothing_is_launched_changed_or_said_gone() -> Result<()> {
    let zone = Zone::start_with(Options { tick_every: None, ..Options::default() }).await?;
    let follow = async |sent| {
        until("the final reply", Duration::from_mins(1), async || {
            zone.enclave.tick().await?;
            Ok(zone.server.any_reply(&sent, Duration::from_millis(500)).await)
        })
        .await
    };
    let reply = follow(zone.server.send(zone.server.request(zone.provision_hosts(2))).await?).await?;
    let hosts = host_ids(&reply);
    let order = configure_load_balancer(&[(443, 4443)], &hosts);
    follow(zone.server.send(zone.server.request(order)).await?).await?;

    let down = |action| Rule::always(action, Fault::ServerError);
    zone.enclave.proxy().script(READS.map(down).into());
    zone.enclave.forget_calls();
    let mut sent = Vec::new();
    for order in [
        zone.provision_hosts(1),
        deprovision_hosts(&hosts[..1]),
        configure_load_balancer(&[(80, 4480)], &hosts[1..]),
    ] {
        sent.push(zone.server.send(zone.server.request(order)).await?);
    }
    let mut handled = zone.enclave.event_source().handled();
    for _ in 0..2 {
        let tick = zone.enclave.tick().await?;
        while handled.recv().await?.message_id != tick {}
    }
    let calls = zone.enclave.calls();
    let changing =
        calls.iter().filter(|call| matches!(call.service.as_str(), "ec2" | "elasticloadbalancing"));
    let changing: Vec<&str> =
        changing.map(|call| call.action.as_str()).filter(|it| !READS.contains(it)).collect();
    ensure!(changing.is_empty(), "while nothing could be read: {changing:?}");
    ensure!(zone.final_replies().is_empty(), "{:#?}", zone.final_replies());

    zone.enclave.proxy().script(Vec::new());
    for sent in sent {
        let reply = follow(sent).await?;
        assert_eq!(reply.status, Status::Done, "{reply:#?}");
    }
    assert_eq!(zone.live_hosts().await?.len(), 2);
    assert_eq!(zone.leftovers().await?, [2, 1, 1, 1]);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn throttles_of_whatever_call_delay_a_clusters_life_and_change_nothing_in_it() -> Result<()> {
    let zone = Zone::start().await?;
    let storm = Random { seed: 1, per_mille: 300, faults: vec![Fault::Throttle], at_most: 30 };
    zone.enclave.proxy().draw(Some(storm));
    let reply = zone.done(zone.provision_hosts(2)).await?;
    let hosts = host_ids(&reply);
    ensure!(zone.live_hosts().await? == hosts.iter().map(ToString::to_string).collect());
    zone.done(configure_load_balancer(&[(443, 4443)], &hosts)).await?;
    assert_eq!(zone.leftovers().await?, [2, 1, 1, 1]);
    zone.done(remove_load_balancer()).await?;
    zone.done(deprovision_hosts(&hosts)).await?;
    assert_eq!(zone.leftovers().await?, [0; 4]);
    ensure!(zone.enclave.proxy().take_struck().len() == 30, "the storm was not all there");
    zone.settled(&reply).await?;
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_hosts_cannot_be_read_nothing_is_taken_for_gone() -> Result<()> {
    let zone = Zone::start().await?;
    let down = Rule { times: 12, ..Rule::once("DescribeInstances", Fault::Refuse("InternalError")) };
    zone.enclave.proxy().script(vec![Rule { after: 2, ..down }]);
    let reply = zone.done(zone.provision_hosts(2)).await?;
    ensure!(zone.live_hosts().await? == host_ids(&reply).iter().map(ToString::to_string).collect());
    assert_eq!(zone.count_calls("TerminateInstances"), 0);
    zone.settled(&reply).await?;
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_lag_thirty_seconds_behind_lead_to_no_duplicate() -> Result<()> {
    let zone = Zone::start().await?;
    // By a clock that each call moves on by half a second, so that the test need not wait.
    zone.enclave.proxy().advance(Duration::ZERO);
    zone.enclave.proxy().stale_for(Some(Duration::from_secs(30)));
    let reply = zone.done(zone.provision_hosts(2)).await?;
    let hosts = host_ids(&reply);
    ensure!(zone.live_hosts().await? == hosts.iter().map(ToString::to_string).collect());
    zone.done(configure_linked_load_balancer(&[(443, 4443)], &hosts)).await?;
    assert_eq!(zone.leftovers().await?, [2, 1, 1, 1]);
    assert_eq!(zone.endpoint_services().await?, 1);
    zone.settled(&reply).await?;
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_while_it_starts_is_reported_and_not_replaced() -> Result<()> {
    let zone = Zone::start_with(Options { tick_every: None, ..Options::default() }).await?;
    let mut handled = zone.enclave.event_source().handled();
    let sent = zone.server.send(zone.server.request(zone.provision_hosts(2))).await?;
    handled.recv().await?;
    let launched = zone.live_hosts().await?;
    let lost = launched.first().expect("two hosts").clone();
    zone.enclave.clients().ec2.terminate_instances().instance_ids(&lost).send().await?;
    let reply = until("the final reply", Duration::from_secs(30), async || {
        zone.enclave.tick().await?;
        Ok(zone.server.any_reply(&sent, Duration::from_secs(2)).await)
    })
    .await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::HostLost), "{reply:#?}");
    for host in &reply.hosts {
        let expected = if host.host_id.as_str() == lost { HostState::Terminated } else { HostState::Ready };
        assert_eq!(host.state, expected, "{reply:#?}");
    }
    assert_eq!(zone.live_hosts().await?.len(), 1);
    assert_eq!(zone.count_calls("RunInstances"), 2, "one for each of the two pools, none after");
    zone.enclave.shutdown().await;
    Ok(())
}
