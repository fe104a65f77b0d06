//! Section 6: what an order would do.

use anyhow::{Context, Result};
use enclave_protocol::request::{Mode, Request};

use crate::check::Check;
use crate::orders;
use crate::outline::brief;
use crate::story::Story;

/// Asks for a plan.
pub(crate) async fn tell(story: &mut Story<'_>) -> Result<()> {
    story.screen.section(6, "A plan");
    story.screen.say("A signed request in mode plan: the enclave says what it would do, and does not do it.");
    let (before, moment) = (story.look().await?, story.now());
    let request = story.server.request(orders::provision(2, story.image()?)?);
    let what = format!("{}, as a plan", brief(&request.order));
    let envelope = story.server.sign(Request { mode: Mode::Plan, ..request })?;
    let reply = story.carry_out(&what, &envelope).await?;
    let plan = reply.plan.context("the reply holds no plan")?;
    let rows = plan.steps.iter().enumerate();
    let rows = rows.map(|(index, step)| [(index + 1).to_string(), step.kind.clone(), step.summary.clone()]);
    story.screen.table(["#", "step", "what it would do"], rows);
    let nothing = story.unchanged_since(moment, &before).await?;
    let rules = Check::that(
        "the tenant's rules would allow it",
        plan.decision.allowed,
        format!("they would not: {}", plan.decision.code),
    );
    let steps = Check::that("there is a step to take", !plan.steps.is_empty(), "there is none");
    story.check([rules, steps].into_iter().chain(nothing))
}
