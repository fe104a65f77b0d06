//! Rebuilding hosts, seen from outside: tasks, volumes and images of the account, the replies, the ledger.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_ec2::types::{Instance, ReplaceRootVolumeTask, Tag};
use enclave_core::foundation::{FREEZE_KEY, Freeze};
use enclave_protocol::code::Code;
use enclave_protocol::names::{HostId, ImageId};
use enclave_protocol::reply::{HostState, RebuildState, Reply, Status};
use enclave_protocol::request::Request;
use enclave_tests::orders::{configure_load_balancer, deprovision_hosts, describe, rebuild_hosts};
use enclave_tests::recording_proxy::{Fault, Rule};

use crate::support::{
    Zone, changing_calls, count_calls, delete_tenant_object, ledger_object, live_instances, send_and_handle,
    tick, without_ticks, write_tenant_object,
};

/// The image that hosts are rebuilt from.
fn new_image(zone: &Zone) -> ImageId {
    zone.enclave.made().hosts.images[1].clone()
}

/// Has the emulator end the next replacements of a host's root volume so.
async fn script(zone: &Zone, host: &HostId, ends: &str) -> Result<()> {
    let tag = Tag::builder().key("emulator:replace-root-volume").value(ends).build();
    let ec2 = &zone.enclave.clients().ec2;
    ec2.create_tags().resources(host.as_str()).tags(tag).send().await?;
    Ok(())
}

async fn tasks(zone: &Zone) -> Result<Vec<ReplaceRootVolumeTask>> {
    let ec2 = &zone.enclave.clients().ec2;
    let answer = ec2.describe_replace_root_volume_tasks().send().await?;
    Ok(answer.replace_root_volume_tasks.unwrap_or_default())
}

async fn instances(zone: &Zone) -> Result<BTreeMap<String, Instance>> {
    let live = live_instances(zone).await?;
    live.into_iter().map(|it| Ok((it.instance_id.clone().context("no id")?, it))).collect()
}

fn root_volume(instance: &Instance) -> Option<&str> {
    let mappings = instance.block_device_mappings();
    mappings.iter().find(|it| it.device_name() == instance.root_device_name())?.ebs()?.volume_id()
}

fn rebuilds(reply: &Reply) -> BTreeMap<HostId, (HostState, RebuildState)> {
    let of = reply.hosts.iter();
    of.filter_map(|host| Some((host.host_id.clone(), (host.state, host.rebuild?)))).collect()
}

async fn host_record(zone: &Zone, host: &HostId) -> Result<serde_json::Value> {
    ledger_object(zone, &format!("state/v1/hosts/{host}.json")).await
}

/// Most root volumes that were being replaced at once, from the function's own calls and AWS's answers to them.
fn most_at_once(zone: &Zone) -> usize {
    let mut active: BTreeMap<String, bool> = BTreeMap::new();
    let mut most = 0;
    for call in zone.enclave.calls() {
        match call.action.as_str() {
            "CreateReplaceRootVolumeTask" => {
                active.insert(call.parameter("InstanceId").to_owned(), true);
            }
            // The next host begins only when the one before is attested, which its user data is read for last.
            "DescribeInstanceAttribute" => {
                active.insert(call.parameter("InstanceId").to_owned(), false);
            }
            _ => {}
        }
        most = most.max(active.values().filter(|active| **active).count());
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_are_rebuilt_one_after_the_other_and_nothing_is_left_behind() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    let hosts = provisioned_without_ticks(&zone, 3).await?;
    let before = instances(&zone).await?;

    zone.enclave.forget_calls();
    let order = rebuild_hosts(&hosts, &new_image(&zone), None);
    let sent = send_and_handle(&zone, zone.server.request(order)).await?;
    let mut begun = Vec::new();
    for _ in 0..18 {
        // Looking moves a task on; the ticks look as well, so this shows every state in which it is seen.
        let seen = tasks(&zone).await?;
        let open = |task: &&ReplaceRootVolumeTask| {
            !matches!(task.task_state().map(|state| state.as_str()), Some("succeeded"))
        };
        assert!(seen.iter().filter(open).count() <= 1, "{seen:#?}");
        begun = seen.iter().filter_map(|task| task.instance_id.clone()).collect();
        tick(&zone).await?;
    }
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!((reply.status, reply.code), (Status::Done, Code::Done), "{reply:#?}");
    assert_eq!(begun, hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), "in the order's order");
    assert_eq!(most_at_once(&zone), 1);
    for (id, seen) in rebuilds(&reply) {
        assert_eq!(seen, (HostState::Ready, RebuildState::Rebuilt), "{id}");
        let record = host_record(&zone, &id).await?;
        assert_eq!(record["image"], new_image(&zone).as_str());
        assert!(record["attested_at"].is_string() && record.get("rebuild").is_none(), "{record}");
    }
    for (id, instance) in instances(&zone).await? {
        assert_eq!(instance.image_id(), Some(new_image(&zone).as_str()), "{id}");
        assert_ne!(root_volume(&instance), root_volume(&before[&id]), "{id}");
        assert_eq!(instance.private_ip_address(), before[&id].private_ip_address(), "{id}: in place");
    }
    let volumes = zone.enclave.clients().ec2.describe_volumes().send().await?;
    assert_eq!(volumes.volumes().len(), 3, "the replaced volumes are deleted");
    for volume in volumes.volumes() {
        assert_eq!(volume.kms_key_id(), Some(zone.enclave.made().keys.volumes.as_str()));
    }
    for task in tasks(&zone).await? {
        assert_eq!(task.delete_replaced_root_volume(), Some(true));
        assert!(task.tags().iter().any(|tag| tag.key() == Some("enclave:request-id")));
    }
    assert_eq!(changing_calls(&zone), ["CreateReplaceRootVolumeTask"; 3]);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_a_time_are_two_at_a_time() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(5).await?;
    zone.enclave.forget_calls();
    let reply = zone.server.order(rebuild_hosts(&hosts, &new_image(&zone), Some(2))).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}\n{}", zone.enclave.function().log_tail(40));
    assert_eq!(most_at_once(&zone), 2);
    assert_eq!(count_calls(&zone, "CreateReplaceRootVolumeTask"), 5);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_task_ends_the_roll_out_and_leaves_the_host_as_it_was() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(3).await?;
    let before = instances(&zone).await?;
    script(&zone, &hosts[1], "failed").await?;
    zone.enclave.forget_calls();
    let reply = zone.server.order(rebuild_hosts(&hosts, &new_image(&zone), None)).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::RebuildFailed), "{reply:#?}");
    let expected = [
        (hosts[0].clone(), (HostState::Ready, RebuildState::Rebuilt)),
        (hosts[1].clone(), (HostState::Ready, RebuildState::Failed)),
        (hosts[2].clone(), (HostState::Ready, RebuildState::NotBegun)),
    ];
    assert_eq!(rebuilds(&reply), expected.into(), "{reply:#?}");
    assert!(reply.message.contains("1 of 3 hosts are rebuilt, 1 were not begun"), "{}", reply.message);
    let reason = reply.hosts.iter().find(|host| host.host_id == hosts[1]).unwrap().reason.clone().unwrap();
    assert!(reason.contains("its original volume is still attached"), "{reason}");
    assert_eq!(changing_calls(&zone), ["CreateReplaceRootVolumeTask"; 2], "nothing more begins");
    let after = instances(&zone).await?;
    for host in &hosts[1..] {
        assert_eq!(root_volume(&after[host.as_str()]), root_volume(&before[host.as_str()]));
        assert_eq!(host_record(&zone, host).await?["image"], zone.enclave.made().hosts.images[0].as_str());
    }

    let again = zone.server.order(rebuild_hosts(&hosts[1..], &new_image(&zone), None)).await?;
    assert_eq!(again.status, Status::Done, "a new order takes up the rest: {again:#?}");
    assert_eq!(zone.enclave.clients().ec2.describe_volumes().send().await?.volumes().len(), 3);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_left_without_a_root_volume_is_told_of_kept_and_can_be_deprovisioned() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(2).await?;
    script(&zone, &hosts[0], "failed-detached").await?;
    zone.enclave.forget_calls();
    let reply = zone.server.order(rebuild_hosts(&hosts, &new_image(&zone), None)).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::RebuildFailed), "{reply:#?}");
    let expected = [
        (hosts[0].clone(), (HostState::Running, RebuildState::Detached)),
        (hosts[1].clone(), (HostState::Ready, RebuildState::NotBegun)),
    ];
    assert_eq!(rebuilds(&reply), expected.into(), "{reply:#?}");
    assert!(reply.message.contains("has no root volume"), "{}", reply.message);
    assert_eq!(count_calls(&zone, "TerminateInstances"), 0);
    assert_eq!(live_instances(&zone).await?.len(), 2, "it is kept");
    let record = host_record(&zone, &hosts[0]).await?;
    assert_eq!(record["rebuild"]["end"], "detached");
    assert!(record.get("attested_at").is_none(), "{record}");

    let again = zone.server.order(rebuild_hosts(&hosts[..1], &new_image(&zone), None)).await?;
    assert_eq!((again.status, again.code), (Status::Rejected, Code::HostNotRunning), "{again:#?}");
    assert!(again.message.contains("it has no root volume"), "{}", again.message);
    let ended = zone.server.order(deprovision_hosts(&hosts)).await?;
    assert_eq!(ended.status, Status::Done, "{ended:#?}");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuilt_host_that_is_not_as_it_must_be_is_kept_and_no_longer_handed_over() -> Result<()> {
    let zone = Zone::start().await?;
    for (end, fault) in [
        ("key:arn:aws:kms:us-east-1:123456789012:key/other", "is encrypted with"),
        ("unencrypted", "is not encrypted"),
    ] {
        let hosts = zone.provisioned(2).await?;
        script(&zone, &hosts[0], end).await?;
        zone.enclave.forget_calls();
        let reply = zone.server.order(rebuild_hosts(&hosts, &new_image(&zone), None)).await?;
        assert_eq!((reply.status, reply.code), (Status::Failed, Code::AttestationFailed), "{reply:#?}");
        let expected = [
            (hosts[0].clone(), (HostState::Running, RebuildState::Unfit)),
            (hosts[1].clone(), (HostState::Ready, RebuildState::NotBegun)),
        ];
        assert_eq!(rebuilds(&reply), expected.into(), "{reply:#?}");
        assert!(reply.message.contains(fault), "{}", reply.message);
        assert_eq!(
            changing_calls(&zone),
            ["CreateReplaceRootVolumeTask"],
            "neither terminated nor gone on with"
        );
        assert!(host_record(&zone, &hosts[0]).await?.get("attested_at").is_none());
        let target = zone.server.order(configure_load_balancer(&[(443, 4443)], &hosts[..1])).await?;
        assert_eq!((target.status, target.code), (Status::Rejected, Code::HostNotRunning), "{target:#?}");
        let listed = zone.server.order(describe()).await?.inventory.unwrap().hosts;
        let listed = listed.iter().find(|host| host.host_id == hosts[0]).unwrap();
        assert_eq!(listed.state, HostState::Running, "running, not ready");
        zone.server.order(deprovision_hosts(&hosts)).await?;
    }
    assert!(live_instances(&zone).await?.is_empty());
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_names_every_host_in_turn_and_changes_nothing() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(3).await?;
    zone.enclave.forget_calls();
    let reply = zone.server.plan(rebuild_hosts(&hosts, &new_image(&zone), None)).await?;
    let plan = reply.plan.context("a plan")?;
    assert!(plan.decision.allowed);
    let summary = |host: &HostId| format!("replace the root volume of {host} from {}", new_image(&zone));
    let steps: Vec<String> = plan.steps.iter().map(|step| step.summary.clone()).collect();
    assert_eq!(steps, hosts.iter().map(summary).collect::<Vec<_>>());
    assert!(plan.steps.iter().all(|step| step.kind == "replace_root_volume"));
    assert_eq!(changing_calls(&zone), Vec::<String>::new());
    assert!(tasks(&zone).await?.is_empty());
    assert!(host_record(&zone, &hosts[0]).await?["attested_at"].is_string());
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_rebuilt_is_refused_before_anything_changes() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(2).await?;
    let unlisted: ImageId = "ami-00000bad".parse()?;
    let stranger: HostId = "i-00000000000000bad".parse()?;
    zone.enclave.forget_calls();
    let reply = zone.server.order(rebuild_hosts(&hosts, &unlisted, None)).await?;
    assert_eq!((reply.status, reply.code), (Status::Rejected, Code::ImageNotAllowed), "{reply:#?}");
    let with_stranger = [hosts[0].clone(), stranger];
    let reply = zone.server.order(rebuild_hosts(&with_stranger, &new_image(&zone), None)).await?;
    assert_eq!((reply.status, reply.code), (Status::Rejected, Code::UnknownHost), "{reply:#?}");
    let ec2 = &zone.enclave.clients().ec2;
    ec2.stop_instances().instance_ids(hosts[1].as_str()).send().await?;
    let reply = zone.server.order(rebuild_hosts(&hosts, &new_image(&zone), None)).await?;
    assert_eq!((reply.status, reply.code), (Status::Rejected, Code::HostNotRunning), "{reply:#?}");
    assert_eq!(changing_calls(&zone), Vec::<String>::new());
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_taken_off_the_list_ends_the_roll_out_before_the_next_host() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    let hosts = provisioned_without_ticks(&zone, 2).await?;
    zone.enclave.forget_calls();
    let order = rebuild_hosts(&hosts, &new_image(&zone), None);
    let sent = send_and_handle(&zone, zone.server.request(order)).await?;
    let mut gate = zone.enclave.made().gate.clone();
    gate.limits.images = Some(vec![zone.enclave.made().hosts.images[0].clone()]);
    write_tenant_object(&zone, enclave_gate::GATE_KEY, &gate).await?;
    tick(&zone).await?;
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::ImageNotAllowed), "{reply:#?}");
    assert_eq!(changing_calls(&zone), ["CreateReplaceRootVolumeTask"]);
    let states: Vec<_> = rebuilds(&reply).into_values().map(|(_, rebuild)| rebuild).collect();
    assert!(
        states.contains(&RebuildState::InProgress) && states.contains(&RebuildState::NotBegun),
        "{reply:#?}"
    );
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_somebody_else_rebuilds_is_waited_for() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    let hosts = provisioned_without_ticks(&zone, 1).await?;
    let ec2 = &zone.enclave.clients().ec2;
    ec2.create_replace_root_volume_task().instance_id(hosts[0].as_str()).send().await?;
    zone.enclave.forget_calls();
    let order = rebuild_hosts(&hosts, &new_image(&zone), None);
    let sent = send_and_handle(&zone, zone.server.request(order)).await?;
    assert_eq!(changing_calls(&zone), Vec::<String>::new(), "while the other task is under way");
    for _ in 0..12 {
        tick(&zone).await?;
    }
    let reply = zone.server.final_reply(&sent).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}\n{}", zone.enclave.function().log_tail(30));
    assert_eq!(changing_calls(&zone), ["CreateReplaceRootVolumeTask"]);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_aws_ends_the_roll_out_with_its_words_and_leaves_the_hosts_handed_over() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(2).await?;
    let refusal = Fault::Refuse("UnauthorizedOperation");
    zone.enclave.proxy().script(vec![Rule::always("CreateReplaceRootVolumeTask", refusal)]);
    let reply = zone.server.order(rebuild_hosts(&hosts, &new_image(&zone), None)).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::AwsRefused), "{reply:#?}");
    assert!(reply.message.contains("UnauthorizedOperation"), "{}", reply.message);
    for (id, (state, _)) in rebuilds(&reply) {
        assert_eq!(state, HostState::Ready, "{id}");
        let record = host_record(&zone, &id).await?;
        assert!(record["attested_at"].is_string() && record.get("rebuild").is_none(), "{record}");
    }
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_holds_the_next_host_and_what_had_begun_is_followed_to_its_end() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    let hosts = provisioned_without_ticks(&zone, 2).await?;
    zone.enclave.forget_calls();
    let order = rebuild_hosts(&hosts, &new_image(&zone), None);
    let sent = send_and_handle(&zone, zone.server.request(order)).await?;
    let freeze = Freeze { who: "alice".to_owned(), why: "an incident".to_owned(), until: None };
    write_tenant_object(&zone, FREEZE_KEY, &freeze).await?;
    for _ in 0..8 {
        tick(&zone).await?;
    }
    assert_eq!(changing_calls(&zone), ["CreateReplaceRootVolumeTask"], "the second waits");
    assert_eq!(host_record(&zone, &hosts[0]).await?["image"], new_image(&zone).as_str(), "the first is done");
    let waiting = host_record(&zone, &hosts[1]).await?;
    assert!(waiting["attested_at"].is_string(), "and the second is still handed over: {waiting}");
    delete_tenant_object(&zone, FREEZE_KEY).await?;
    for _ in 0..8 {
        tick(&zone).await?;
    }
    assert_eq!(zone.server.final_reply(&sent).await?.status, Status::Done);
    assert_eq!(count_calls(&zone, "CreateReplaceRootVolumeTask"), 2);
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_deadline_a_call_without_an_answer_is_looked_up_and_not_made_again() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(2).await?;
    let lost = Rule::always("CreateReplaceRootVolumeTask", Fault::LoseAnswer);
    zone.enclave.proxy().script(vec![lost]);
    let order = rebuild_hosts(&hosts, &new_image(&zone), None);
    let request = Request { deadline_seconds: Some(1), ..zone.server.request(order) };
    let key = format!("state/v1/requests/{}.json", request.request_id);
    let reply = zone.server.final_reply(&zone.server.send(request).await?).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::DeadlineExceeded), "{reply:#?}");
    let expected = [
        (hosts[0].clone(), (HostState::Running, RebuildState::InProgress)),
        (hosts[1].clone(), (HostState::Ready, RebuildState::NotBegun)),
    ];
    assert_eq!(rebuilds(&reply), expected.into(), "{reply:#?}");
    let [task] = tasks(&zone).await?.try_into().map_err(|tasks| anyhow::anyhow!("{tasks:#?}"))?;
    let answer = ledger_object(&zone, &key).await?["calls"][0]["answer"].clone();
    assert_eq!(answer["replacing"]["task"], task.replace_root_volume_task_id().unwrap());
    assert!(
        host_record(&zone, &hosts[0]).await?.get("attested_at").is_none(),
        "nobody attested its new volume"
    );

    zone.enclave.proxy().script(Vec::new());
    let again = zone.server.order(rebuild_hosts(&hosts, &new_image(&zone), None)).await?;
    assert_eq!(again.status, Status::Done, "a new order waits for that task and rebuilds both: {again:#?}");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_orders_for_one_host_take_turns() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    let hosts = provisioned_without_ticks(&zone, 1).await?;
    let images = zone.enclave.made().hosts.images.clone();
    let first = rebuild_hosts(&hosts, &images[1], None);
    let first = send_and_handle(&zone, zone.server.request(first)).await?;
    let second = rebuild_hosts(&hosts, &images[0], None);
    let second = send_and_handle(&zone, zone.server.request(second)).await?;
    for _ in 0..16 {
        let open = |task: &&ReplaceRootVolumeTask| task.complete_time().is_none();
        assert!(tasks(&zone).await?.iter().filter(open).count() <= 1);
        tick(&zone).await?;
    }
    for sent in [first, second] {
        let reply = zone.server.final_reply(&sent).await?;
        assert_eq!(reply.status, Status::Done, "{reply:#?}");
    }
    assert_eq!(tasks(&zone).await?.len(), 2);
    assert_eq!(
        instances(&zone).await?[hosts[0].as_str()].image_id(),
        Some(images[0].as_str()),
        "the last word"
    );
    zone.enclave.shutdown().await;
    Ok(())
}

async fn provisioned_without_ticks(zone: &Zone, count: u32) -> Result<Vec<HostId>> {
    let sent = send_and_handle(zone, zone.server.request(zone.provision_hosts(count))).await?;
    tick(zone).await?;
    tick(zone).await?;
    let reply = zone.server.final_reply(&sent).await?;
    Ok(reply.hosts.iter().map(|host| host.host_id.clone()).collect())
}
