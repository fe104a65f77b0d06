//! Section 3: a load balancer in front of the hosts.

use anyhow::{Context, Result};
use enclave_protocol::reply::{HostResult, LoadBalancerResult, LoadBalancerState};

use crate::check::Check;
use crate::orders;
use crate::sections::hosts::word;
use crate::story::Story;

/// The port that clients connect to, and the hosts' own.
const PORTS: (u16, u16) = (443, 8443);

/// Balances.
pub(crate) async fn tell(story: &mut Story<'_>, hosts: &[HostResult]) -> Result<LoadBalancerResult> {
    story.screen.section(3, "A load balancer in front of them");
    let targets = hosts.iter().map(|host| host.host_id.clone()).collect();
    let reply = story.order(orders::balance(PORTS.0, PORTS.1, targets)?).await?;
    let balancer = reply.load_balancer.context("the reply names no load balancer")?;
    let dns_name = balancer.dns_name.clone().unwrap_or_default();
    story.screen.pairs(&[
        ("load balancer", balancer.name.clone()),
        ("state", format!("{}, {}", word(&balancer.state), word(&balancer.scheme))),
        ("DNS name", dns_name.clone()),
        (
            "listens on",
            format!(
                "TCP port {}, passed on to port {} of {} hosts",
                PORTS.0,
                PORTS.1,
                balancer.targets.len()
            ),
        ),
    ]);
    story.check([
        Check::same("it is active", &LoadBalancerState::Active, &balancer.state),
        Check::that("the reply names where clients find it", !dns_name.is_empty(), "no DNS name"),
    ])?;
    Ok(balancer)
}
