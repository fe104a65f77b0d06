//! Section 7: the tenant's brake.

use anyhow::{Context, Result};
use enclave_core::foundation::{FREEZE_KEY, Freeze};
use enclave_protocol::code::Code;
use enclave_protocol::reply::{HostResult, Status};

use crate::check::Check;
use crate::orders;
use crate::sections::{hosts, promises};
use crate::story::Story;
use crate::summary::Refusal;

/// Freezes, tries, thaws, tries again; the hosts that came of it.
pub(crate) async fn tell(story: &mut Story<'_>, existing: &[HostResult]) -> Result<Vec<HostResult>> {
    story.screen.section(7, "The tenant freezes changes");
    story.screen.say(
        "One object in the bucket with the tenant's rules is the brake: while it is there, nothing is changed.",
    );
    let (before, moment) = (story.look().await?, story.now());
    freeze(story).await?;
    let count = existing.len();

    let request = story.server.request(orders::provision(1, story.image()?)?);
    let envelope = story.server.sign(request)?;
    let refused = story.exchange("provision_hosts, while frozen", &envelope).await?;
    let described = story.order(orders::describe()).await?;
    let nothing = story.unchanged_since(moment, &before).await?;
    story.screen.say(&format!("The refusal says: {}.", refused.message.trim_end_matches('.')));
    let refusal = Check::same(
        "a change is refused as frozen",
        &(Status::Rejected, Code::Frozen),
        &(refused.status, refused.code),
    );
    let listed = described.inventory.map(|inventory| inventory.hosts.len());
    let described = Check::same(format!("describe still answers, with {count} hosts"), &Some(count), &listed);
    story.summary.refusal(Refusal {
        what: "a change while frozen".to_owned(),
        expected: Code::Frozen,
        code: refused.code,
        message: refused.message,
    });
    story.check([refusal, described].into_iter().chain(nothing))?;

    thaw(story).await?;
    let added = story.order(orders::provision(1, story.image()?)?).await?.hosts;
    hosts::table(story.screen, &added);
    let all: Vec<HostResult> = existing.iter().chain(&added).cloned().collect();
    let seen = story.look().await?;
    let key = &story.enclave.made().keys.volumes;
    let again = Check::same("after the freeze a request is carried out again", &1, &added.len());
    story.check(std::iter::once(again).chain(promises::of_hosts(&seen, &all, key)))?;
    Ok(added)
}

async fn freeze(story: &Story<'_>) -> Result<()> {
    let why = Freeze {
        who: "the tenant".to_owned(),
        why: "a change of our own is under way".to_owned(),
        until: None,
    };
    let put =
        story.enclave.clients().s3.put_object().bucket(&story.enclave.made().buckets.tenant).key(FREEZE_KEY);
    let put = put.content_type("application/json").body(serde_json::to_vec(&why)?.into());
    put.send().await.context("cannot freeze")?;
    story.screen.say(&format!("The tenant writes {FREEZE_KEY}: changes are frozen."));
    Ok(())
}

async fn thaw(story: &Story<'_>) -> Result<()> {
    let bucket = &story.enclave.made().buckets.tenant;
    let delete = story.enclave.clients().s3.delete_object().bucket(bucket).key(FREEZE_KEY);
    delete.send().await.context("cannot unfreeze")?;
    story.screen.say(&format!("The tenant deletes {FREEZE_KEY}: changes go on."));
    Ok(())
}
