//! Leftovers: launched by a call of ours, known to nobody. Only these are collected.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_ec2::types::{LaunchTemplateSpecification, ResourceType, Tag, TagSpecification};
use enclave_core::creation::{Pool, client_token};
use enclave_core::foundation::{FREEZE_KEY, Freeze};
use enclave_core::tags::Owner;
use enclave_protocol::names::HostId;
use enclave_protocol::notice::NoticeEvent;
use enclave_tests::host_events::state_changed;
use enclave_tests::orders::{application, cluster};
use enclave_tests::recording_proxy::{Fault, Rule};
use uuid::Uuid;

use crate::budget::allow;
use crate::support::{
    Zone, change_ledger_object, count_calls, delete_tenant_object, give, ledger_object, live_instances,
    notices, tell_state, write_tenant_object,
};

const WATCH: &str = "state/v1/watch.json";

/// Launches an instance as the function does, past the function: it has all tags of ours, and this token or our own.
async fn launch(zone: &Zone, token: Option<&str>) -> Result<HostId> {
    let made = zone.enclave.made();
    let (availability_zone, template) = made.hosts.launch_templates.iter().next().context("no template")?;
    let pool = Pool { instance_type: "m7g.large".parse()?, availability_zone: availability_zone.clone() };
    let request_id = Uuid::now_v7();
    let audience = &made.foundation.audience;
    let owner = Owner { application: application(), cluster: cluster() };
    let tags = owner.to_tags(&audience.enclave_id, &audience.zone, request_id);
    let tags = tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let ours = client_token(request_id, 0, &pool);
    let launched = zone
        .enclave
        .clients()
        .ec2
        .run_instances()
        .client_token(token.unwrap_or(&ours))
        .launch_template(
            LaunchTemplateSpecification::builder()
                .launch_template_id(&template.id)
                .version(template.version.to_string())
                .build(),
        )
        .instance_type("m7g.large".into())
        .image_id(made.hosts.images[0].as_str())
        .min_count(1)
        .max_count(1)
        .tag_specifications(
            TagSpecification::builder()
                .resource_type(ResourceType::Instance)
                .set_tags(Some(tags.collect()))
                .build(),
        )
        .send()
        .await?;
    let instance = launched.instances().first().context("no instance")?;
    Ok(instance.instance_id().context("no id")?.parse()?)
}

async fn remembered(zone: &Zone) -> Result<Vec<String>> {
    let watch = ledger_object(zone, WATCH).await?;
    Ok(watch["leftovers"].as_object().context("no leftovers")?.keys().cloned().collect())
}

/// Five minutes pass between the looks at the leftovers.
async fn six_minutes_pass(zone: &Zone) -> Result<()> {
    let earlier = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(6);
    change_ledger_object(zone, WATCH, |watch| {
        for leftover in watch["leftovers"].as_object_mut().unwrap().values_mut() {
            leftover["first_seen"] = earlier.to_string().into();
        }
    })
    .await
}

async fn is_live(zone: &Zone, host: &HostId) -> Result<bool> {
    Ok(live_instances(zone).await?.iter().any(|it| it.instance_id() == Some(host.as_str())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leftover_is_collected_after_a_second_look_and_told_of_and_nothing_else_is_touched() -> Result<()> {
    let zone = Zone::start().await?;
    let hosts = zone.provisioned(1).await?;
    let leftover = launch(&zone, None).await?;
    let foreign = launch(&zone, Some("somebody-elses")).await?;
    tell_state(&zone, &leftover, "running").await?;
    assert_eq!(remembered(&zone).await?, Vec::<String>::new(), "it may still be on its way into the ledger");

    zone.enclave.proxy().age_instances(Some(Duration::from_mins(16)));
    for _ in 0..2 {
        tell_state(&zone, &leftover, "running").await?;
        assert_eq!(remembered(&zone).await?, [leftover.to_string()], "seen, but not for long");
        assert!(is_live(&zone, &leftover).await?);
    }
    six_minutes_pass(&zone).await?;
    tell_state(&zone, &leftover, "running").await?;
    assert!(!is_live(&zone, &leftover).await?, "{}", zone.enclave.function().log_tail(20));
    for _ in 0..2 {
        tell_state(&zone, &leftover, "terminated").await?;
    }
    assert!(is_live(&zone, &hosts[0]).await? && is_live(&zone, &foreign).await?);
    let told = notices(&zone);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!((&told[0].host_id, &told[0].cluster), (&leftover, &cluster()));
    assert!(matches!(told[0].event, NoticeEvent::LeftoverCollected { .. }), "{told:#?}");
    assert_eq!(remembered(&zone).await?, Vec::<String>::new());
    let counted = ledger_object(&zone, "state/v1/destructions.json").await?;
    assert_eq!(counted["hosts"].as_object().unwrap().keys().collect::<Vec<_>>(), [leftover.as_str()]);
    let log = std::fs::read_to_string(zone.enclave.function().log())?;
    assert!(log.contains("\"LeftoversCollected\":1"), "no metric");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_and_an_empty_budget_hold_the_collection_and_a_crash_in_it_is_made_good() -> Result<()> {
    let zone = Zone::start().await?;
    let leftover = launch(&zone, None).await?;
    zone.enclave.proxy().age_instances(Some(Duration::from_mins(16)));
    tell_state(&zone, &leftover, "running").await?;
    six_minutes_pass(&zone).await?;

    let freeze = Freeze { who: "alice".to_owned(), why: "an incident".to_owned(), until: None };
    write_tenant_object(&zone, FREEZE_KEY, &freeze).await?;
    tell_state(&zone, &leftover, "running").await?;
    delete_tenant_object(&zone, FREEZE_KEY).await?;
    allow(&zone, Some(0)).await?;
    tell_state(&zone, &leftover, "running").await?;
    assert_eq!(count_calls(&zone, "TerminateInstances"), 0);
    assert!(is_live(&zone, &leftover).await? && notices(&zone).is_empty());

    allow(&zone, Some(1)).await?;
    zone.enclave.proxy().script(vec![Rule::once("TerminateInstances", Fault::KillAfter)]);
    let event = state_changed(&zone.enclave.made().foundation.audience, &leftover, "running");
    assert!(!give(&zone, &event).await?, "the function was killed");
    assert!(!is_live(&zone, &leftover).await?);
    for _ in 0..2 {
        tell_state(&zone, &leftover, "terminated").await?;
    }
    let told = notices(&zone);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(matches!(told[0].event, NoticeEvent::LeftoverCollected { .. }), "{told:#?}");
    zone.enclave.shutdown().await;
    Ok(())
}
