//! Steps for hosts.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::HostId;
use jiff::{SignedDuration, Timestamp};

use super::{
    Desired, DesiredLaunch, DestructionBudget, Finding, InstanceState, Limits, ObservedHost, Plan, Step,
};
use crate::creation::Pool;

/// How long a launched instance may stay out of sight: reads lag behind a launch
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>), and a terminated instance stays
/// visible for about an hour (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html>).
const MAX_OUT_OF_SIGHT: SignedDuration = SignedDuration::from_mins(15);

/// Whether a host has ended for good, judged by a complete reading. Absence says so only once the launch is long
/// enough ago, and only of what the reading selects: ask for the instance by its id before believing it.
pub fn is_gone(host: Option<&ObservedHost>, launched_at: Timestamp, now: Timestamp) -> bool {
    match host {
        Some(host) => host.state == InstanceState::Terminated,
        None => now.duration_since(launched_at) > MAX_OUT_OF_SIGHT,
    }
}

pub(super) fn plan(
    desired: &Desired,
    hosts: &BTreeMap<HostId, ObservedHost>,
    limits: &Limits,
    now: Timestamp,
    plan: &mut Plan,
) {
    for launch in &desired.launches {
        plan_launch(launch, hosts, now, plan);
    }
    plan_terminations(&desired.terminated, hosts, limits, plan);
}

fn plan_launch(
    launch: &DesiredLaunch,
    hosts: &BTreeMap<HostId, ObservedHost>,
    now: Timestamp,
    plan: &mut Plan,
) {
    // A host in the account that the ledger does not name yet counts as well: never launch it twice.
    let unrecorded = hosts
        .iter()
        .filter(|(id, host)| host.request_id == launch.request_id && !launch.launched.contains(*id))
        .count();
    let launched = u32::try_from(launch.launched.len() + unrecorded).unwrap_or(u32::MAX);
    let missing = launch.count.saturating_sub(launched);
    if missing > 0 {
        let open = |pool: &&Pool| launch.exhausted.get(*pool).is_none_or(|until| *until <= now);
        let candidates = launch.pools.iter().map(|tier| tier.iter().filter(open).collect::<Vec<_>>());
        match candidates.into_iter().find(|tier| !tier.is_empty()) {
            None => plan.findings.push(Finding::NoCapacity { request_id: launch.request_id, missing }),
            Some(tier) => plan.steps.extend(shares(missing, &tier).map(|(pool, count)| Step::Launch {
                request_id: launch.request_id,
                owner: launch.owner.clone(),
                attempt: launch.attempts.get(pool).copied().unwrap_or(0),
                pool: pool.clone(),
                count,
                image: launch.image.clone(),
            })),
        }
    }
    for id in &launch.launched {
        match hosts.get(id).map(|host| host.state) {
            Some(InstanceState::Pending) => wait(plan, format!("{id} to start")),
            // EC2 shows an instance a little after it answered the launch.
            None => wait(plan, format!("{id} to appear")),
            Some(_) => {}
        }
    }
}

/// Shares `count` hosts evenly among pools of equal preference, the first pools taking the remainder.
fn shares<'a>(count: u32, pools: &[&'a Pool]) -> impl Iterator<Item = (&'a Pool, u32)> {
    let among = u32::try_from(pools.len()).unwrap_or(u32::MAX);
    let (each, rest) = (count / among, count % among);
    pools.iter().copied().zip(0..).filter_map(move |(pool, index)| {
        let share = each + u32::from(index < rest);
        (share > 0).then_some((pool, share))
    })
}

fn plan_terminations(
    terminated: &BTreeSet<HostId>,
    hosts: &BTreeMap<HostId, ObservedHost>,
    limits: &Limits,
    plan: &mut Plan,
) {
    let live = terminated.iter().filter(|id| hosts.get(*id).is_some_and(|host| host.state.is_live()));
    let mut live: Vec<HostId> = live.cloned().collect();
    let held_back = limits.destruction.as_ref().map_or(0, |budget| budget.hold_back(&mut live));
    if held_back > 0 {
        plan.findings.push(Finding::BudgetExceeded { held_back });
    }
    plan.steps.extend(
        live.chunks(limits.hosts_per_termination).map(|hosts| Step::Terminate { hosts: hosts.to_vec() }),
    );
    for id in terminated {
        if hosts.get(id).is_some_and(|host| host.state == InstanceState::ShuttingDown) {
            wait(plan, format!("{id} to end"));
        }
    }
}

impl DestructionBudget {
    /// Takes those out of `hosts` for which nothing is left; says how many.
    fn hold_back(&self, hosts: &mut Vec<HostId>) -> usize {
        let (before, mut left) = (hosts.len(), self.remaining);
        hosts.retain(|host| {
            let free = self.counted.contains(host);
            let allowed = free || left > 0;
            left -= usize::from(allowed && !free);
            allowed
        });
        before - hosts.len()
    }

    /// Counts hosts as terminated.
    pub(super) fn spend(&mut self, hosts: &[HostId]) {
        for host in hosts {
            if self.counted.insert(host.clone()) {
                self.remaining = self.remaining.saturating_sub(1);
            }
        }
    }
}

fn wait(plan: &mut Plan, on: String) {
    plan.findings.push(Finding::Waiting { on });
}
