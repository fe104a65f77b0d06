//! What the account must be like. Pure, so that each promise is seen to fail in a test.

use std::collections::BTreeSet;

use enclave_core::ledger::Line;
use enclave_protocol::reply::{HostResult, LoadBalancerResult};

use crate::account::Snapshot;
use crate::check::Check;

/// Exactly these hosts, each as closed as the tenant was told; `key` is the tenant's for volumes.
pub(crate) fn of_hosts(seen: &Snapshot, replied: &[HostResult], key: &str) -> Vec<Check> {
    let wanted: BTreeSet<&str> = replied.iter().map(|host| host.host_id.as_str()).collect();
    let found: BTreeSet<&str> = seen.hosts.keys().map(String::as_str).collect();
    let stopped: Vec<_> = seen.hosts.iter().filter(|(_, host)| host.state != "running").collect();
    let other_address = |host: &&HostResult| {
        let address = seen.hosts.get(host.host_id.as_str()).and_then(|seen| seen.primary_ipv6);
        address.is_none() || address != host.ipv6_address
    };
    let misaddressed: Vec<&HostResult> = replied.iter().filter(other_address).collect();
    let public: Vec<_> = seen.hosts.iter().filter(|(_, host)| host.public_ipv4.is_some()).collect();
    let open_metadata: Vec<_> = seen.hosts.iter().filter(|(_, host)| !host.imdsv2_required).collect();
    vec![
        Check::same(
            format!("EC2 has exactly the {} hosts that the replies named", wanted.len()),
            &wanted,
            &found,
        ),
        Check::without("every one of them is running", &stopped),
        Check::without("every one has a primary IPv6 address, the one its reply named", &misaddressed),
        Check::without("none has a public IPv4 address", &public),
        Check::without("every one requires IMDSv2", &open_metadata),
        volumes_encrypted(seen, key),
    ]
}

/// Every volume there is, and at least one for each host.
fn volumes_encrypted(seen: &Snapshot, key: &str) -> Check {
    let promise = format!("every volume ({}) is encrypted with the tenant's key", seen.volumes.len());
    let open =
        seen.volumes.iter().filter(|(_, volume)| !volume.encrypted || volume.key.as_deref() != Some(key));
    let open = open.map(|(id, _)| id.as_str());
    let without =
        seen.hosts.keys().filter(|host| !seen.volumes.values().any(|volume| volume.hosts.contains(*host)));
    Check::without(promise, &open.chain(without.map(String::as_str)).collect::<Vec<_>>())
}

/// Exactly this balancer, in front of exactly its hosts.
pub(crate) fn of_balancer(seen: &Snapshot, replied: &LoadBalancerResult) -> Vec<Check> {
    let arns: Vec<Option<&str>> = seen.balancers.keys().map(|arn| Some(arn.as_str())).collect();
    let found = replied.arn.as_ref().and_then(|arn| seen.balancers.get(arn)).cloned().unwrap_or_default();
    let wanted: Vec<i32> = replied.endpoints.iter().map(|endpoint| i32::from(endpoint.port)).collect();
    let ports: Vec<i32> = found.listeners.keys().copied().collect();
    let targets: BTreeSet<String> = replied.targets.iter().map(ToString::to_string).collect();
    let forwarded: Vec<_> = found.listeners.values().map(|group| seen.target_groups.get(group)).collect();
    let groups: BTreeSet<&String> = seen.target_groups.keys().collect();
    vec![
        Check::same(
            "ELBv2 has exactly the load balancer that the reply named",
            &vec![replied.arn.as_deref()],
            &arns,
        ),
        Check::same(
            "it is active and faces the internet",
            &("active", "internet-facing"),
            &(&found.state, &found.scheme),
        ),
        Check::same("it listens on exactly the ports that were asked for", &wanted, &ports),
        Check::same(
            "behind them are exactly the hosts that were named",
            &vec![Some(&targets); wanted.len()],
            &forwarded,
        ),
        Check::same("there is no target group beside its own", &found.listeners.values().collect(), &groups),
    ]
}

/// Nothing at all, and nothing under way.
pub(crate) fn nothing_left(seen: &Snapshot, line: &Line) -> Vec<Check> {
    vec![
        Check::without("no live instance", &seen.hosts.iter().collect::<Vec<_>>()),
        Check::without("no volume", &seen.volumes.iter().collect::<Vec<_>>()),
        Check::without("no load balancer", &seen.balancers.iter().collect::<Vec<_>>()),
        Check::without("no target group", &seen.target_groups.keys().collect::<Vec<_>>()),
        Check::without("no request is open in the ledger", &line.open),
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
