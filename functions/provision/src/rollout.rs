//! The shell of a rebuild: marks and intents before the calls, looks and marks after them.

use std::collections::BTreeSet;

use enclave_core::creation::{Answer, Creation, HostBefore, ReplaceRootVolume, rebuild_token};
use enclave_core::ledger::{HostStage, RequestRecord};
use enclave_core::reconcile::{
    HostEvidence, InstanceState, Observed, ObservedHost, Plan, Reading, Step, attest_rebuilt,
};
use enclave_core::store::Stored;
use enclave_core::tags;
use enclave_protocol::code::Code;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{HostState, Reply};
use enclave_protocol::request::{Order, Request};
use jiff::Timestamp;

use crate::apply::{Applied, intend};
use crate::handler::Retry;
use crate::host_records;
use crate::rebuild::{Turn, fault, shows_rebuild, turns};
use crate::rebuild_marks::{self, Begin, End};
use crate::tenant::FreezeState;
use crate::work::Work;

impl Work<'_> {
    /// Writes the rebuilds of a wave down, the hosts' objects first: a host is not handed over from here on until it is
    /// attested again, whatever crashes. The calls are made by whoever finds them without an answer.
    pub(crate) async fn begin_rebuilds(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        observed: &Observed,
        plan: &Plan,
        now: Timestamp,
    ) -> Result<Applied, Retry> {
        let to_begin: Vec<(&Step, &HostId)> = plan
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::ReplaceRootVolume { host, .. } => Some((step, host)),
                _ => None,
            })
            .collect();
        let (Some(_), Reading::Known(hosts)) = (to_begin.first(), &observed.hosts) else {
            return Ok(Applied::All);
        };
        if let FreezeState::Frozen(why) = self.tenant.freeze().await {
            return Ok(Applied::Later(why));
        }
        let ids: Vec<HostId> = to_begin.iter().map(|(_, host)| (*host).clone()).collect();
        let evidence = match self.account.host_evidence(&ids).await {
            Ok(evidence) => evidence,
            Err(failure) => return Ok(Applied::Later(failure.to_string())),
        };
        let mut later = None;
        let mut begun = false;
        for (step, id) in to_begin {
            let before = hosts.get(id).zip(evidence.get(id)).and_then(|(host, seen)| before(host, seen));
            let Some((before, creation)) = before.and_then(|it| Some((it.clone(), self.rebuild(step, it)?)))
            else {
                later = Some(format!("the root volume of {id} cannot be seen"));
                continue;
            };
            let image = &creation.image;
            match rebuild_marks::begin(self.store, id, request.request_id, image, self.open, now).await? {
                Begin::Later(why) => later = Some(why),
                Begin::Marked => {
                    record.value.note(now, format!("{}, which is {}", step.summary(), before.root_volume_id));
                    record.value.set_stage(id, HostStage::Rebuilding, None, now);
                    intend(&mut record.value, Creation::CreateReplaceRootVolumeTask(creation), now);
                    begun = true;
                }
            }
        }
        Ok(match later {
            Some(why) if !begun => Applied::Later(why),
            _ => Applied::All,
        })
    }

    fn rebuild(&self, step: &Step, before: HostBefore) -> Option<ReplaceRootVolume> {
        let Step::ReplaceRootVolume { request_id, owner, host, attempt, image } = step else { return None };
        let audience = &self.rules.foundation.audience;
        let client_token = rebuild_token(*request_id, *attempt, host);
        let mut tags = owner.to_tags(&audience.enclave_id, &audience.zone, *request_id);
        tags.insert(tags::CLIENT_TOKEN.to_owned(), client_token.clone());
        Some(ReplaceRootVolume { client_token, host: host.clone(), image: image.clone(), tags, before })
    }

    /// Moves the hosts of a rebuild on by what was seen: tasks that ended, rebuilt hosts attested. A host's own object is
    /// written before the request's, so that a crash between the two repeats it.
    pub(crate) async fn follow_rebuilds(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        observed: &Observed,
        now: Timestamp,
    ) -> Result<(), Retry> {
        let (Order::RebuildHosts(_), Reading::Known(hosts), Reading::Known(tasks)) =
            (&request.order, &observed.hosts, &observed.root_volume_tasks)
        else {
            return Ok(());
        };
        let mut changed = false;
        for (id, turn) in turns(&record.value, tasks) {
            let (stage, fault, end) = match turn {
                Turn::Replaced => (HostStage::Replaced, None, None),
                // A refusal may hide an effect: that is looked up when the request ends.
                Turn::NotRebuilt(fault) if fault.code == Code::AwsRefused => {
                    (HostStage::NotRebuilt, Some(fault), None)
                }
                Turn::NotRebuilt(fault) => {
                    let original = record.value.rebuild_of(&id).map(|(it, _)| &it.before.root_volume_id);
                    let seen = hosts.get(&id).and_then(|host| host.root_volume_id.as_ref()) == original;
                    (HostStage::NotRebuilt, Some(fault), Some(End::NotRebuilt { seen }))
                }
                Turn::Detached(fault) => (HostStage::Detached, Some(fault), Some(End::Detached)),
            };
            if let Some(fault) = &fault {
                tracing::error!(host = id.as_str(), reason = fault.reason, "a rebuild failed");
            }
            if let Some(end) = end {
                rebuild_marks::end(self.store, &id, request.request_id, &end, now).await?;
            }
            changed |= record.value.set_stage(&id, stage, fault, now);
        }
        changed |= self.attest_rebuilds(&mut record.value, request, observed, now).await?;
        if changed {
            self.store.update(record).await?;
        }
        Ok(())
    }

    async fn attest_rebuilds(
        &self,
        record: &mut RequestRecord,
        request: &Request,
        observed: &Observed,
        now: Timestamp,
    ) -> Result<bool, Retry> {
        let Reading::Known(hosts) = &observed.hosts else { return Ok(false) };
        let due: Vec<HostId> = record
            .hosts
            .iter()
            .filter(|(_, progress)| progress.stage == HostStage::Replaced)
            .filter(|(id, progress)| {
                let seen = hosts.get(*id).filter(|host| host.state == InstanceState::Running);
                seen.zip(record.rebuild_of(id))
                    .is_some_and(|(host, (rebuild, _))| shows_rebuild(host, rebuild, progress.since, now))
            })
            .map(|(id, _)| id.clone())
            .collect();
        if due.is_empty() {
            return Ok(false);
        }
        let evidence = match self.account.host_evidence(&due).await {
            Ok(evidence) => evidence,
            Err(failure) => {
                tracing::warn!(%failure, "rebuilt hosts cannot be attested now");
                return Ok(false);
            }
        };
        let images = self.rules.images();
        let mut changed = false;
        for (id, evidence) in &evidence {
            let Some((host, (rebuild, _))) = hosts.get(id).zip(record.rebuild_of(id)) else { continue };
            if !evidence.is_complete_for(host) {
                continue;
            }
            let attested = attest_rebuilt(host, evidence, rebuild, &self.rules.foundation, &images);
            let (stage, fault, end) = match attested {
                Ok(()) => (HostStage::Ready, None, End::Rebuilt),
                Err(faults) => {
                    let reason = format!("{id} was rebuilt and is not as it must be: {}", faults.join("; "));
                    tracing::error!(host = id.as_str(), reason, "attestation failed after a rebuild");
                    let fault = fault(Code::AttestationFailed, &reason);
                    (HostStage::RebuiltUnfit, Some(fault), End::Unfit(host.image.clone()))
                }
            };
            rebuild_marks::end(self.store, id, request.request_id, &end, now).await?;
            changed |= record.set_stage(id, stage, fault, now);
        }
        Ok(changed)
    }

    /// At the end of a request: a call without an answer, or one that AWS seems to have refused, is looked up by its token
    /// in a new look, never replayed. Hosts to which nothing happened are handed over as they were.
    pub(crate) async fn close_rebuilds(
        &self,
        record: &mut RequestRecord,
        request: &Request,
    ) -> Result<(), Retry> {
        let Order::RebuildHosts(_) = &request.order else { return Ok(()) };
        let mut untouched: BTreeSet<HostId> = record
            .hosts
            .iter()
            .filter(|(_, progress)| progress.stage == HostStage::ToRebuild)
            .map(|(id, _)| id.clone())
            .collect();
        let is_open = |answer: &Option<Answer>| !matches!(answer, Some(Answer::Replacing { .. }));
        let unsure: Vec<HostId> = record
            .rebuilds()
            .filter(|(_, call)| is_open(&call.answer))
            .map(|(rebuild, _)| rebuild.host.clone())
            .collect();
        if !unsure.is_empty() {
            match self.account.observe_root_volume_tasks(&unsure).await {
                Reading::Unknown(why) => {
                    tracing::warn!(why, "rebuilds without an answer cannot be looked up");
                }
                Reading::Known(tasks) => {
                    let now = Timestamp::now();
                    let mut begun = Vec::new();
                    for call in record.calls.iter_mut().filter(|call| is_open(&call.answer)) {
                        let Creation::CreateReplaceRootVolumeTask(rebuild) = &call.creation else { continue };
                        let token = Some(&rebuild.client_token);
                        let mut seen = tasks.get(&rebuild.host).into_iter().flatten();
                        if let Some(task) = seen.find(|task| task.client_token.as_ref() == token) {
                            begun.push(rebuild.host.clone());
                            call.answer = Some(Answer::Replacing { task: task.task_id.clone() });
                        } else if call.answer.is_some() {
                            untouched.insert(rebuild.host.clone());
                        }
                    }
                    for id in begun {
                        record.set_stage(&id, HostStage::Rebuilding, None, now);
                    }
                }
            }
        }
        let untouched: Vec<HostId> = untouched.into_iter().collect();
        Ok(rebuild_marks::hand_back(self.store, &untouched, request.request_id).await?)
    }

    /// Running hosts of a rebuild that the ledger knows as handed over are ready.
    pub(crate) async fn tell_handed_over(
        &self,
        record: &RequestRecord,
        request: &Request,
        reply: &mut Reply,
    ) -> Result<(), Retry> {
        let Order::RebuildHosts(_) = &request.order else { return Ok(()) };
        let may_be = |id: &HostId| {
            let stage = record.hosts.get(id).map(|progress| progress.stage);
            matches!(stage, Some(HostStage::ToRebuild | HostStage::NotRebuilt))
        };
        let ids: Vec<HostId> =
            reply.hosts.iter().map(|host| &host.host_id).filter(|id| may_be(id)).cloned().collect();
        let records = host_records::read(self.store, &ids).await?;
        for host in &mut reply.hosts {
            let attested = records.get(&host.host_id).is_some_and(|record| record.attested_at.is_some());
            if host.state == HostState::Running && attested {
                host.state = HostState::Ready;
            }
        }
        Ok(())
    }
}

/// What a host is before its rebuild; none where the look does not show its root volume.
fn before(host: &ObservedHost, evidence: &HostEvidence) -> Option<HostBefore> {
    let root = host.root_volume_id.as_ref()?;
    let volume = evidence.volumes.iter().find(|volume| volume.volume_id == *root)?;
    Some(HostBefore {
        root_volume_id: root.clone(),
        root_volume_type: volume.volume_type.clone(),
        root_volume_goes_with_host: volume.goes_with_host,
        launch_template: host.launch_template.clone(),
        user_data_sha256: evidence.user_data_sha256.clone(),
    })
}
