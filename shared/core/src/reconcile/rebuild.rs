//! Steps that rebuild hosts: their root volumes are replaced in place, a bounded number at a time.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::{HostId, ImageId};
use uuid::Uuid;

use super::{Finding, InstanceState, ObservedHost, Plan, RootVolumeTask, RootVolumeTasks, Step};
use crate::tags::Owner;

/// Hosts that one request wants rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRebuild {
    /// The request.
    pub request_id: Uuid,
    /// Whom the hosts serve.
    pub owner: Owner,
    /// The image to boot.
    pub image: ImageId,
    /// How many may be in progress at once, from the call to the attestation.
    pub at_a_time: u32,
    /// Hosts not begun, in the order in which they are to be.
    pub waiting: Vec<HostId>,
    /// Hosts begun and not ended: not attested again, and not failed.
    pub begun: BTreeSet<HostId>,
    /// Definite answers so far, for each host: the next attempt's number.
    pub attempts: BTreeMap<HostId, u32>,
    /// Whether one of its hosts failed: then nothing more begins.
    pub halted: bool,
}

pub(super) fn plan(
    rebuild: &DesiredRebuild,
    hosts: &BTreeMap<HostId, ObservedHost>,
    tasks: &RootVolumeTasks,
    plan: &mut Plan,
) {
    let is_ours = |task: &RootVolumeTask| task.request_id == Some(rebuild.request_id);
    let of_request = rebuild.begun.iter().chain(&rebuild.waiting);
    let fails = of_request
        .filter_map(|id| tasks.get(id))
        .flatten()
        .any(|task| is_ours(task) && task.state.is_failure());
    for id in &rebuild.begun {
        let active = tasks.get(id).into_iter().flatten().find(|task| task.state.is_active());
        wait(
            plan,
            match active {
                Some(task) => describe(id, task),
                None => format!("{id} to be rebuilt"),
            },
        );
    }
    let mut busy = rebuild.begun.len();
    let mut free = Vec::new();
    for id in &rebuild.waiting {
        // A host that was not asked about now gets its turn with a later look.
        let Some(tasks) = tasks.get(id) else { continue };
        // One whose volume somebody replaces is as little in service as one of ours: it takes a place.
        if let Some(task) = tasks.iter().find(|task| task.state.is_active()) {
            busy += 1;
            wait(plan, describe(id, task));
        } else if tasks.iter().any(is_ours) {
            // Begun already, whatever the ledger says: never twice.
        } else if hosts.get(id).is_some_and(can_begin) {
            free.push(id);
        } else {
            wait(plan, format!("{id} to run with a root volume"));
        }
    }
    if rebuild.halted || fails {
        return;
    }
    let places = (rebuild.at_a_time as usize).saturating_sub(busy);
    plan.steps.extend(free.into_iter().take(places).map(|id| Step::ReplaceRootVolume {
        request_id: rebuild.request_id,
        owner: rebuild.owner.clone(),
        host: id.clone(),
        attempt: rebuild.attempts.get(id).copied().unwrap_or(0),
        image: rebuild.image.clone(),
    }));
}

/// EC2 replaces the root volume of a running instance only.
fn can_begin(host: &ObservedHost) -> bool {
    host.state == InstanceState::Running && host.root_volume_id.is_some()
}

fn describe(id: &HostId, task: &RootVolumeTask) -> String {
    format!("the root volume of {id}: {} is {}", task.task_id, task.state.as_str())
}

fn wait(plan: &mut Plan, on: String) {
    plan.findings.push(Finding::Waiting { on });
}
