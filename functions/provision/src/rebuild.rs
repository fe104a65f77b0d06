//! How far a rebuild of hosts has come, and what follows from it. Pure.

use std::collections::BTreeMap;

use enclave_core::creation::{Answer, ReplaceRootVolume};
use enclave_core::ledger::{HostFault, HostStage, RequestRecord};
use enclave_core::reconcile::{DesiredRebuild, ObservedHost, RootVolumeTaskState, RootVolumeTasks};
use enclave_protocol::code::Code;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::RebuildState;
use enclave_protocol::request::{Mode, RebuildHosts, Request};
use jiff::{SignedDuration, Timestamp};

use crate::desired::owner;
use crate::outcome::Outcome;

/// How long the look at a rebuilt host may still show its old volume or image: EC2's reads lag behind
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>; the length is our choice).
const MAX_LAG: SignedDuration = SignedDuration::from_mins(2);

/// Hosts not begun that are looked at beyond those that may begin: some of them may be busy with others' tasks.
const LOOK_AHEAD: usize = 100;

/// Longest description of what went wrong with a host, in characters.
const MAX_REASON_CHARACTERS: usize = 400;

/// What the request wants rebuilt, given how far it has come.
pub(crate) fn desired_rebuild(
    request: &Request,
    order: &RebuildHosts,
    record: &RequestRecord,
) -> DesiredRebuild {
    let mut attempts: BTreeMap<HostId, u32> = BTreeMap::new();
    for (rebuild, call) in record.rebuilds() {
        *attempts.entry(rebuild.host.clone()).or_default() += u32::from(call.answer.is_some());
    }
    DesiredRebuild {
        request_id: request.request_id,
        owner: owner(&order.application, &order.cluster),
        image: order.image.clone(),
        at_a_time: order.at_a_time(),
        waiting: at(record, order, is_waiting).cloned().collect(),
        begun: at(record, order, is_begun).cloned().collect(),
        attempts,
        halted: record.hosts.values().any(|progress| has_failed(progress.stage)),
    }
}

fn at<'a>(
    record: &'a RequestRecord,
    order: &'a RebuildHosts,
    wanted: fn(HostStage) -> bool,
) -> impl Iterator<Item = &'a HostId> {
    let stage = |id: &HostId| record.hosts.get(id).map(|progress| progress.stage);
    order.host_ids.iter().filter(move |id| stage(id).is_some_and(wanted))
}

fn is_waiting(stage: HostStage) -> bool {
    stage == HostStage::ToRebuild
}

fn is_begun(stage: HostStage) -> bool {
    matches!(stage, HostStage::Rebuilding | HostStage::Replaced)
}

fn has_failed(stage: HostStage) -> bool {
    matches!(stage, HostStage::NotRebuilt | HostStage::Detached | HostStage::RebuiltUnfit | HostStage::Gone)
}

/// The hosts whose tasks the next plan stands on: those begun and the next in turn; for a preview, all.
pub(crate) fn asked_about(order: &RebuildHosts, record: &RequestRecord, mode: Mode) -> Vec<HostId> {
    let next = order.at_a_time() as usize + LOOK_AHEAD;
    if mode == Mode::Plan {
        order.host_ids.clone()
    } else if record.accepted {
        at(record, order, is_begun).chain(at(record, order, is_waiting).take(next)).cloned().collect()
    } else {
        order.host_ids.iter().take(next).cloned().collect()
    }
}

/// What a look shows of a host whose root volume was being replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It was replaced.
    Replaced,
    /// It was not, for this reason.
    NotRebuilt(HostFault),
    /// There is none any more.
    Detached(HostFault),
}

/// The hosts whose rebuild came to an end. A state that nobody knows is no end.
pub(crate) fn turns(record: &RequestRecord, tasks: &RootVolumeTasks) -> Vec<(HostId, Turn)> {
    let being_rebuilt = record.hosts.iter().filter(|(_, progress)| progress.stage == HostStage::Rebuilding);
    being_rebuilt.filter_map(|(id, _)| Some((id.clone(), turn(id, record, tasks)?))).collect()
}

fn turn(id: &HostId, record: &RequestRecord, tasks: &RootVolumeTasks) -> Option<Turn> {
    let (rebuild, call) = record.rebuild_of(id)?;
    let task = match call.answer.as_ref()? {
        Answer::Replacing { task } => task,
        Answer::Refused { failure, .. } => {
            let reason = format!("AWS will not replace the root volume of {id}: {failure}");
            return Some(Turn::NotRebuilt(fault(Code::AwsRefused, &reason)));
        }
        Answer::Launched { .. } | Answer::Created { .. } => return None,
    };
    let state = &tasks.get(id)?.iter().find(|seen| seen.task_id == *task)?.state;
    match state {
        RootVolumeTaskState::Succeeded => Some(Turn::Replaced),
        RootVolumeTaskState::Failed => {
            let reason = format!(
                "the root volume of {id} was not replaced: {task} failed; its original volume is still attached"
            );
            Some(Turn::NotRebuilt(fault(Code::RebuildFailed, &reason)))
        }
        RootVolumeTaskState::FailedDetached => {
            let volume = &rebuild.before.root_volume_id;
            let reason = format!(
                "{id} has no root volume: {task} failed when {volume} was detached; it is not terminated: attach a \
                 root volume or deprovision it"
            );
            Some(Turn::Detached(fault(Code::RebuildFailed, &reason)))
        }
        _ => None,
    }
}

pub(crate) fn fault(code: Code, reason: &str) -> HostFault {
    HostFault { code, reason: reason.chars().take(MAX_REASON_CHARACTERS).collect() }
}

/// Whether a look at a rebuilt host shows what the rebuild made of it, or ought to by now.
pub(crate) fn shows_rebuild(
    host: &ObservedHost,
    rebuild: &ReplaceRootVolume,
    replaced_at: Timestamp,
    now: Timestamp,
) -> bool {
    let new_volume = host.root_volume_id.as_ref().is_some_and(|id| *id != rebuild.before.root_volume_id);
    (new_volume && host.image == rebuild.image) || now.duration_since(replaced_at) > MAX_LAG
}

/// The outcome of the roll-out; none while a host is in progress or may still begin.
pub(crate) fn rebuilt(order: &RebuildHosts, record: &RequestRecord) -> Option<Outcome> {
    let all = order.host_ids.len();
    let ready = at(record, order, |stage| stage == HostStage::Ready).count();
    if ready == all {
        return Some(Outcome::done(format!("{ready} hosts are rebuilt and ready")));
    }
    if at(record, order, is_begun).next().is_some() {
        return None;
    }
    // The gravest first.
    let failed = [HostStage::Detached, HostStage::RebuiltUnfit, HostStage::NotRebuilt, HostStage::Gone];
    let fault = failed.into_iter().find_map(|stage| {
        let mut hosts = record.hosts.values().filter(|progress| progress.stage == stage);
        hosts.find_map(|progress| progress.fault.as_ref())
    })?;
    let waiting = at(record, order, is_waiting).count();
    let message = format!("{ready} of {all} hosts are rebuilt, {waiting} were not begun; {}", fault.reason);
    Some(Outcome::failed(fault.code, message))
}

/// How far the rebuild of a host came, as replies name it.
pub(crate) fn rebuild_state(record: &RequestRecord, id: &HostId) -> Option<RebuildState> {
    let begun = record.rebuild_of(id).is_some();
    Some(match record.hosts.get(id)?.stage {
        HostStage::Gone if begun => RebuildState::Failed,
        HostStage::ToRebuild | HostStage::Gone => RebuildState::NotBegun,
        HostStage::Rebuilding | HostStage::Replaced => RebuildState::InProgress,
        HostStage::Ready => RebuildState::Rebuilt,
        HostStage::NotRebuilt => RebuildState::Failed,
        HostStage::Detached => RebuildState::Detached,
        HostStage::RebuiltUnfit => RebuildState::Unfit,
        HostStage::Launched | HostStage::Unfit | HostStage::Unwanted => return None,
    })
}

#[cfg(test)]
mod tests;
