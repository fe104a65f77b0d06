//! What a step does to what is observed, once it has taken effect.

use std::collections::{BTreeMap, BTreeSet};

use enclave_protocol::names::{HostId, ImageId};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::effect_on_balancing::effect_on_balancing;
use super::{
    Desired, InstanceState, Limits, Observed, ObservedHost, Plan, Reading, RootVolumeTask,
    RootVolumeTaskState, RootVolumeTasks, Step, plan,
};
use crate::creation::{Pool, client_token, rebuild_token};
use crate::tags::Owner;

/// Most waves of a preview: target groups, listeners, targets, settings and endpoint services come after each other. A
/// wave of a rebuild takes at least one host, so it adds one for each.
const MAX_WAVES: usize = 12;

/// Every step that a request would take if each took effect at once, wave after wave, and what would be left.
pub fn preview(desired: &Desired, observed: &Observed, limits: &Limits, now: Timestamp) -> Plan {
    let (mut observed, mut limits) = (observed.clone(), limits.clone());
    let mut all = Plan::default();
    let rebuilds: usize = desired.rebuilds.iter().map(|rebuild| rebuild.waiting.len()).sum();
    for _ in 0..MAX_WAVES + rebuilds {
        let wave = plan(desired, &observed, &limits, now);
        all.findings = wave.findings;
        if wave.steps.is_empty() {
            break;
        }
        for step in &wave.steps {
            if let (Step::Terminate { hosts }, Some(budget)) = (step, &mut limits.destruction) {
                budget.spend(hosts);
            }
            observed = effect(observed, step);
        }
        all.steps.extend(wave.steps);
    }
    all
}

/// What would be observed after a step. An unknown reading stays unknown.
#[must_use]
pub fn effect(mut observed: Observed, step: &Step) -> Observed {
    if let Reading::Known(hosts) = &mut observed.hosts {
        effect_on_hosts(hosts, step);
    }
    if let Reading::Known(balancing) = &mut observed.balancing {
        effect_on_balancing(balancing, step);
    }
    if let Reading::Known(tasks) = &mut observed.root_volume_tasks {
        effect_on_tasks(tasks, step);
    }
    observed
}

fn effect_on_tasks(tasks: &mut RootVolumeTasks, step: &Step) {
    let Step::ReplaceRootVolume { request_id, host, attempt, .. } = step else { return };
    let token = rebuild_token(*request_id, *attempt, host);
    tasks.entry(host.clone()).or_default().push(RootVolumeTask {
        task_id: format!("replacevol-{}", &token[..17]),
        state: RootVolumeTaskState::Succeeded,
        request_id: Some(*request_id),
        client_token: Some(token),
    });
}

fn effect_on_hosts(hosts: &mut BTreeMap<HostId, ObservedHost>, step: &Step) {
    match step {
        Step::Launch { request_id, owner, pool, attempt, count, image } => {
            let token = client_token(*request_id, *attempt, pool);
            for index in 0..*count {
                if let Some(id) = placeholder(&token, index) {
                    hosts.insert(id, launched(*request_id, owner, pool, image, &token));
                }
            }
        }
        Step::Terminate { hosts: ids } => {
            for id in ids {
                if let Some(host) = hosts.get_mut(id) {
                    host.state = InstanceState::Terminated;
                }
            }
        }
        Step::ReplaceRootVolume { request_id, host, attempt, image, .. } => {
            if let Some(found) = hosts.get_mut(host) {
                let volume = format!("vol-{}", &rebuild_token(*request_id, *attempt, host)[..17]);
                found.volume_ids.retain(|id| Some(id) != found.root_volume_id.as_ref());
                found.volume_ids.push(volume.clone());
                found.root_volume_id = Some(volume);
                found.image = image.clone();
            }
        }
        _ => {}
    }
}

/// An id for a host that does not exist yet.
fn placeholder(token: &str, index: u32) -> Option<HostId> {
    let hash = hex::encode(Sha256::digest(format!("{token}/{index}")));
    format!("i-{}", &hash[..17]).parse().ok()
}

fn launched(request_id: Uuid, owner: &Owner, pool: &Pool, image: &ImageId, token: &str) -> ObservedHost {
    ObservedHost {
        state: InstanceState::Running,
        owner: owner.clone(),
        request_id,
        client_token: token.to_owned(),
        instance_type: pool.instance_type.clone(),
        availability_zone: pool.availability_zone.clone(),
        image: image.clone(),
        launched_at: Timestamp::UNIX_EPOCH,
        subnet_id: String::new(),
        security_group_ids: BTreeSet::new(),
        instance_profile_arn: None,
        public_ipv4: None,
        primary_ipv6: None,
        interfaces: 1,
        imds_token_required: true,
        launch_template: None,
        key_pair: None,
        volume_ids: Vec::new(),
        root_volume_id: None,
        spot_request: None,
        state_reason: None,
    }
}
