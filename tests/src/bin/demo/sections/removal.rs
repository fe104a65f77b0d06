//! Section 8: everything goes again.

use anyhow::Result;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{HostResult, HostState};

use crate::check::Check;
use crate::orders;
use crate::sections::{hosts, promises};
use crate::story::Story;

/// Removes balancer and hosts, and looks for what is left.
pub(crate) async fn tell(story: &mut Story<'_>, ids: Vec<HostId>) -> Result<()> {
    story.screen.section(8, "Everything goes again");
    let count = ids.len();
    story.order(orders::remove_balancer()?).await?;
    let reply = story.order(orders::deprovision(ids)?).await?;
    hosts::table(story.screen, &reply.hosts);
    let alive: Vec<&HostResult> =
        reply.hosts.iter().filter(|host| host.state != HostState::Terminated).collect();
    story.check([
        Check::same("the reply names every host", &count, &reply.hosts.len()),
        Check::without("every host is terminated", &alive),
    ])?;
    story.screen.say("What is left in the account, asked directly:");
    let (seen, line) = (story.look().await?, story.line().await?);
    story.check(promises::nothing_left(&seen, &line))
}
