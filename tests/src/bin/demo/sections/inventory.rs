//! Section 4: what the enclave says there is, and what the account says there is.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use enclave_protocol::reply::{HostResult, Inventory, LoadBalancerResult};

use crate::check::Check;
use crate::orders;
use crate::screen::Screen;
use crate::sections::hosts::word;
use crate::sections::promises;
use crate::story::Story;

/// Asks for the inventory, and looks for itself.
pub(crate) async fn tell(
    story: &mut Story<'_>,
    hosts: &[HostResult],
    balancer: &LoadBalancerResult,
) -> Result<()> {
    story.screen.section(4, "The inventory, and a look from outside");
    let reply = story.order(orders::describe()).await?;
    let inventory = reply.inventory.context("the reply holds no inventory")?;
    tables(story.screen, &inventory);
    let wanted: BTreeSet<&str> = hosts.iter().map(|host| host.host_id.as_str()).collect();
    let listed: BTreeSet<&str> = inventory.hosts.iter().map(|host| host.host_id.as_str()).collect();
    let balancers: Vec<&str> =
        inventory.load_balancers.iter().map(|one| one.load_balancer.name.as_str()).collect();
    story.check([
        Check::same("the inventory lists the hosts that the replies named", &wanted, &listed),
        Check::same("the inventory lists the load balancer", &vec![balancer.name.as_str()], &balancers),
    ])?;

    story
        .screen
        .say("The same account, asked directly through the EC2 and ELBv2 APIs, for all that there is in it:");
    let seen = story.look().await?;
    let key = &story.enclave.made().keys.volumes;
    let checks =
        promises::of_hosts(&seen, hosts, key).into_iter().chain(promises::of_balancer(&seen, balancer));
    story.check(checks.collect::<Vec<_>>())
}

/// The inventory as tables.
fn tables(screen: &Screen, inventory: &Inventory) {
    let rows = inventory.hosts.iter().map(|host| {
        [
            host.host_id.to_string(),
            format!("{} / {}", host.application, host.cluster),
            host.instance_type.to_string(),
            host.availability_zone.to_string(),
            word(&host.state),
        ]
    });
    screen.table(["host", "serves", "type", "AZ", "state"], rows);
    let rows = inventory.load_balancers.iter().map(|one| {
        let ports =
            one.load_balancer.endpoints.iter().map(|port| format!("{} → {}", port.port, port.target_port));
        [
            one.load_balancer.name.clone(),
            format!("{} / {}", one.application, one.cluster),
            word(&one.load_balancer.state),
            ports.collect::<Vec<_>>().join(", "),
            one.load_balancer.targets.len().to_string(),
        ]
    });
    screen.table(["load balancer", "serves", "state", "ports", "targets"], rows);
}
