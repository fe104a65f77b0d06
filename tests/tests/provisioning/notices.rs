//! What the enclave tells of its hosts without being asked.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use aws_sdk_ec2::types::Tag;
use enclave_client::Client;
use enclave_protocol::names::HostId;
use enclave_protocol::notice::{FromEnclave, MaintenanceStatus, Notice, NoticeEvent, SpotAction};

use enclave_protocol::reply::{HostState, Status};
use enclave_tests::host_events::{spot_interruption, state_changed};
use enclave_tests::orders::{application, cluster, deprovision_hosts, describe};
use enclave_tests::recording_proxy::{Fault, Rule};

use crate::support::{
    Zone, change_ledger_object, count_calls, give, ledger_object, live_instances, notice_bodies, notices,
    tell_state, tick, without_ticks,
};

const WATCH: &str = "state/v1/watch.json";

fn changes(notices: &[Notice]) -> Vec<(HostState, HostState)> {
    let change = |notice: &Notice| match notice.event {
        NoticeEvent::HostStateChanged { state, previous, .. } => (previous, state),
        ref other => panic!("{other:?}"),
    };
    notices.iter().map(change).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_ends_outside_our_doing_is_told_of_once_and_never_replaced() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(2).await?;
    zone.enclave.clients().ec2.terminate_instances().instance_ids(hosts[0].as_str()).send().await?;
    // Twice each: EventBridge delivers at least once, and each brings about a look.
    for state in ["shutting-down", "shutting-down", "terminated", "terminated"] {
        tell_state(&zone, &hosts[0], state).await?;
    }

    let client = Client::new(zone.enclave.clients().sqs.clone(), zone.server.enclave().clone());
    let mut read = Vec::new();
    let seen = client.notices(Duration::from_secs(3), |notice| {
        read.push(notice.clone());
        ControlFlow::Continue(())
    });
    assert_eq!(seen.await?, 1, "{}", zone.enclave.function().log_tail(20));
    let notice = &read[0];
    assert_eq!(notice.host_id, hosts[0]);
    assert_eq!((&notice.application, &notice.cluster), (&application(), &cluster()));
    assert_eq!(notice.zone, zone.server.enclave().zone);
    assert_eq!(changes(&read), [(HostState::Running, HostState::Terminating)]);
    assert!(notice.message.contains("not replaced"), "{notice:#?}");
    assert_eq!(notice_bodies(&zone).len(), 1, "sent once, not only delivered once");

    assert_eq!(live_instances(&zone).await?.len(), 1);
    assert_eq!(count_calls(&zone, "RunInstances"), 2, "one for each of the two pools, none after");
    let ended = zone.server.order(deprovision_hosts(&hosts)).await?;
    assert_eq!(ended.status, Status::Done, "{ended:#?}");
    tell_state(&zone, &hosts[1], "terminated").await?;
    assert_eq!(notice_bodies(&zone).len(), 1, "an end that was asked for is told by its reply");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_finds_out_by_itself_what_no_event_told() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    zone.enclave.clients().ec2.terminate_instances().instance_ids(hosts[0].as_str()).send().await?;
    tick(&zone).await?;
    // Five minutes pass.
    change_ledger_object(&zone, WATCH, |watch| watch["looked_at"] = "2026-01-01T00:00:00Z".into()).await?;
    tick(&zone).await?;
    assert_eq!(changes(&notices(&zone)), [(HostState::Running, HostState::Terminating)]);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_and_runs_again_is_told_of_twice() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    let ec2 = &zone.enclave.clients().ec2;
    ec2.stop_instances().instance_ids(hosts[0].as_str()).send().await?;
    for state in ["stopping", "stopped"] {
        tell_state(&zone, &hosts[0], state).await?;
    }
    assert_eq!(changes(&notices(&zone)), [(HostState::Running, HostState::Stopped)]);
    ec2.start_instances().instance_ids(hosts[0].as_str()).send().await?;
    // It may take a few looks to run.
    for _ in 0..4 {
        tell_state(&zone, &hosts[0], "running").await?;
    }
    assert_eq!(
        changes(&notices(&zone)),
        [(HostState::Running, HostState::Stopped), (HostState::Stopped, HostState::Running)]
    );
    zone.enclave.shutdown().await;
    Ok(())
}

/// Lets the emulator do something to an instance; see its README.
async fn script(zone: &Zone, host: &HostId, key: &str, value: Option<&str>) -> Result<()> {
    let ec2 = &zone.enclave.clients().ec2;
    let tag = Tag::builder().key(key).set_value(value.map(str::to_owned)).build();
    match value {
        Some(_) => drop(ec2.create_tags().resources(host.as_str()).tags(tag).send().await?),
        None => drop(ec2.delete_tags().resources(host.as_str()).tags(tag).send().await?),
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_work_is_told_when_it_comes_and_when_it_is_withdrawn() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(2).await?;
    let events =
        "system-reboot@2030-01-02T03:04:05Z/2030-01-02T05:04:05Z,instance-retirement@2030-02-01T00:00:00Z";
    script(&zone, &hosts[1], "emulator:events", Some(events)).await?;
    // AWS Health tells of it; whatever the event is called, the look finds what there is.
    for _ in 0..2 {
        tell_state(&zone, &hosts[1], "running").await?;
    }
    let told = notices(&zone);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.iter().all(|notice| notice.host_id == hosts[1]), "{told:#?}");
    let NoticeEvent::HostMaintenance { status, code, description, not_before, not_after, .. } =
        &told[0].event
    else {
        panic!("{told:#?}")
    };
    assert_eq!((*status, code.as_str()), (MaintenanceStatus::Scheduled, "system-reboot"));
    assert_eq!(description.as_deref(), Some("The system is scheduled for a reboot"));
    assert_eq!(*not_before, Some("2030-01-02T03:04:05Z".parse()?));
    assert_eq!(*not_after, Some("2030-01-02T05:04:05Z".parse()?));

    script(&zone, &hosts[1], "emulator:events", None).await?;
    for _ in 0..2 {
        tell_state(&zone, &hosts[1], "running").await?;
    }
    let told = notices(&zone);
    let withdrawn = |notice: &Notice| match &notice.event {
        NoticeEvent::HostMaintenance { status: MaintenanceStatus::Withdrawn, code, .. } => Some(code.clone()),
        _ => None,
    };
    let gone: Vec<String> = told.iter().filter_map(withdrawn).collect();
    assert_eq!((told.len(), gone), (4, vec!["system-reboot".to_owned(), "instance-retirement".to_owned()]));
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spot_host_that_aws_takes_back_is_told_of_when_aws_says_so_and_not_when_an_event_does() -> Result<()>
{
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(2).await?;
    let audience = &zone.enclave.made().foundation.audience;
    script(&zone, &hosts[0], "emulator:spot", Some("fulfilled")).await?;
    assert!(give(&zone, &spot_interruption(audience, &hosts[0], "terminate")).await?);
    assert!(give(&zone, &spot_interruption(audience, &hosts[1], "terminate")).await?);
    assert_eq!(notice_bodies(&zone), Vec::<String>::new(), "forged");

    script(&zone, &hosts[0], "emulator:spot", Some("marked-for-termination")).await?;
    for _ in 0..2 {
        assert!(give(&zone, &spot_interruption(audience, &hosts[0], "stop")).await?);
    }
    let told = notices(&zone);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].host_id, hosts[0]);
    assert_eq!(told[0].event, NoticeEvent::HostSpotInterruption { action: SpotAction::Terminate });
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_only_lost_its_tags_is_not_told_to_be_gone() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    tell_state(&zone, &hosts[0], "running").await?;
    script(&zone, &hosts[0], "enclave:id", None).await?;
    tell_state(&zone, &hosts[0], "terminated").await?;
    // Missing for longer than reads can lag behind.
    change_ledger_object(&zone, WATCH, |watch| {
        let host = &mut watch["hosts"][hosts[0].as_str()];
        assert!(host["missing_since"].is_string(), "{host}");
        host["missing_since"] = "2026-01-01T00:00:00Z".into();
    })
    .await?;
    tell_state(&zone, &hosts[0], "terminated").await?;
    assert_eq!(notice_bodies(&zone), Vec::<String>::new());
    zone.enclave.clients().ec2.terminate_instances().instance_ids(hosts[0].as_str()).send().await?;
    // Until the emulator has it terminated for good.
    for _ in 0..4 {
        tell_state(&zone, &hosts[0], "terminated").await?;
    }
    assert_eq!(changes(&notices(&zone)), [(HostState::Running, HostState::Terminated)]);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_survives_a_crash_before_and_after_it_is_sent_with_the_same_bytes() -> Result<()> {
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        let zone = Zone::start().await?;
        let hosts = zone.provisioned(1).await?;
        let host = hosts[0].to_string();
        let group = Some(("MessageGroupId", host.clone()));
        let kill = Rule { parameter: group, ..Rule::once("SendMessage", fault.clone()) };
        zone.enclave.proxy().script(vec![kill]);
        zone.enclave.clients().ec2.terminate_instances().instance_ids(&host).send().await?;
        let event = state_changed(&zone.enclave.made().foundation.audience, &hosts[0], "terminated");
        assert!(!give(&zone, &event).await?, "{fault:?}: the function was killed");
        tick(&zone).await?;
        tick(&zone).await?;
        let bodies = notice_bodies(&zone);
        assert!(bodies.len() > 1, "{fault:?}: sent again after the crash: {bodies:?}");
        assert_eq!(bodies.iter().collect::<BTreeSet<_>>().len(), 1, "{fault:?}: {bodies:#?}");
        assert_eq!(ledger_object(&zone, WATCH).await?["outbox"], serde_json::json!([]));
        zone.enclave.shutdown().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_reader_of_a_queue_gets_replies_and_notices_and_loses_neither() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    zone.enclave.clients().ec2.terminate_instances().instance_ids(hosts[0].as_str()).send().await?;
    let sent = zone.server.send(zone.server.request(describe())).await?;
    tell_state(&zone, &hosts[0], "terminated").await?;

    let client = Client::new(zone.enclave.clients().sqs.clone(), zone.server.enclave().clone());
    let (mut replies, mut told) = (Vec::new(), Vec::new());
    while replies.len() + told.len() < 2 {
        let messages = client.read(Duration::from_secs(20)).await?;
        anyhow::ensure!(!messages.is_empty(), "{replies:?} {told:?}");
        for message in messages {
            match message.content.as_ref().expect("a reply or a notice") {
                FromEnclave::Reply(reply) => replies.push(reply.request_id),
                FromEnclave::Notice(notice) => told.push(notice.host_id.clone()),
            }
            client.take(&message).await?;
        }
    }
    assert_eq!((replies, told), (vec![sent.request_id], vec![hosts[0].clone()]));
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_with_nothing_to_do_costs_two_reads_of_the_ledger_and_nothing_else() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    // The first tick ever looks.
    tick(&zone).await?;
    assert_eq!(count_calls(&zone, "DescribeInstances"), 1);
    zone.enclave.forget_calls();
    tick(&zone).await?;
    let calls: Vec<(String, String)> = zone
        .enclave
        .calls()
        .iter()
        .map(|call| (call.action.clone(), call.parameter("key").to_owned()))
        .collect();
    let read = |key: &str| ("GetObject".to_owned(), key.to_owned());
    assert_eq!(calls, [read("state/v1/line.json"), read(WATCH)]);
    zone.enclave.shutdown().await;
    Ok(())
}
