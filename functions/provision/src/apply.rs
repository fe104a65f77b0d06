//! `apply`: one wave of steps. What creates something stands in the ledger, to the letter, before it is called.

use std::collections::{BTreeMap, BTreeSet};

use enclave_account::Made;
use enclave_core::aws::{AwsFailure, ErrorClass};
use enclave_core::creation::{Answer, Creation, StoredCall};
use enclave_core::ledger::{HostFault, HostStage, RequestRecord};
use enclave_core::reconcile::{
    InstanceState, Observed, ObservedBalancing, ObservedHost, Plan, Reading, Step, attest,
};
use enclave_core::store::Stored;
use enclave_protocol::code::Code;
use enclave_protocol::names::HostId;
use enclave_protocol::request::{Order, Request};
use jiff::Timestamp;

use crate::desired::owner;
use crate::destruction;
use crate::handler::{Retry, count};
use crate::host_records;
use crate::parameters::creation;
use crate::progress::{hosts_to_attest, mark_ended, missing_hosts, unlisted_hosts};
use crate::tenant::FreezeState;
use crate::work::Work;

/// Tries of a call whose failure may pass, before it is reported as it is. Throttles and faults on the way do not
/// count: they pass, or the request's deadline does.
const MAX_TRIES: u32 = 5;

/// Longest description of an unfit host, in characters: a thousand of them fit one reply.
const MAX_FAULT_CHARACTERS: usize = 200;

/// Hosts attested at a time: what was found is kept before the next are looked at.
const ATTESTED_AT_A_TIME: usize = 100;

/// Why the rest of a wave is left for the next invocation.
const TIME_IS_UP: &str = "the time of this invocation is up";

/// How far a wave came.
#[derive(Debug)]
pub(crate) enum Applied {
    /// All of it was done.
    All,
    /// The rest has to wait, and why.
    Later(String),
    /// AWS refused a step for good.
    Refused(AwsFailure),
}

impl Work<'_> {
    /// Takes the steps of a plan, creating ones first, in the plan's order.
    pub(crate) async fn apply(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        observed: &Observed,
        plan: &Plan,
    ) -> Result<Applied, Retry> {
        let nothing = ObservedBalancing::default();
        let balancing = match &observed.balancing {
            Reading::Known(balancing) => balancing,
            Reading::Unknown(_) => &nothing,
        };
        let now = Timestamp::now();
        let foundation = &self.rules.foundation;
        for step in &plan.steps {
            if let Some(creation) = creation(step, request.request_id, foundation, Some(balancing)) {
                record.value.note(now, step.summary());
                intend(&mut record.value, creation, now);
            }
        }
        if let Applied::Later(why) = self.begin_rebuilds(record, request, observed, plan, now).await? {
            return Ok(Applied::Later(why));
        }
        if record.value.has_unanswered_call() {
            self.store.update(record).await?;
            match self.answer_calls(record, request).await? {
                Applied::All => {}
                other => return Ok(other),
            }
        }
        for step in plan.steps.iter().filter(|step| !step.creates()) {
            if self.is_time_up() {
                return Ok(Applied::Later(TIME_IS_UP.to_owned()));
            }
            if let FreezeState::Frozen(why) = self.tenant.freeze().await {
                return Ok(Applied::Later(why));
            }
            if let Step::Terminate { hosts } = step {
                host_records::want_terminated(self.store, hosts).await?;
                // Counted before it is done; hosts that were never handed over are not counted.
                if matches!(request.order, Order::DeprovisionHosts(_)) {
                    destruction::count(self.store, hosts, Timestamp::now()).await?;
                }
            }
            tracing::info!(step = step.kind(), summary = step.summary(), "changing");
            record.value.note(Timestamp::now(), step.summary());
            match self.account.change(step, balancing).await {
                Ok(()) => count(self.metrics, "Changes"),
                Err(failure)
                    if failure.class.is_worth_retrying() || failure.class == ErrorClass::NotFound =>
                {
                    return Ok(Applied::Later(failure.to_string()));
                }
                Err(failure) => return Ok(Applied::Refused(failure)),
            }
        }
        Ok(Applied::All)
    }

    /// Makes every call of the ledger that has no answer yet, exactly as it stands there.
    pub(crate) async fn answer_calls(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
    ) -> Result<Applied, Retry> {
        let mut applied = Applied::All;
        for index in 0..record.value.calls.len() {
            if record.value.calls[index].answer.is_some() {
                continue;
            }
            if self.is_time_up() {
                applied = Applied::Later(TIME_IS_UP.to_owned());
                break;
            }
            if let FreezeState::Frozen(why) = self.tenant.freeze().await {
                applied = Applied::Later(why);
                break;
            }
            let call = &mut record.value.calls[index];
            let answered = self.account.create(&call.creation).await;
            let now = Timestamp::now();
            match answered {
                Ok(made) => {
                    call.answer = Some(match made {
                        Made::Hosts(hosts) => Answer::Launched { hosts, at: now },
                        Made::Task(task) => Answer::Replacing { task },
                        Made::Arn(arn) => Answer::Created { arn },
                    });
                    count(self.metrics, "Changes");
                }
                Err(failure) => {
                    tracing::warn!(%failure, class = ?failure.class, "a creating call failed");
                    count(self.metrics, "AwsFailures");
                    let passes = matches!(failure.class, ErrorClass::Throttle | ErrorClass::Transient);
                    call.tries += u32::from(!passes);
                    let may_pass = failure.class.is_worth_retrying()
                        || (failure.class == ErrorClass::NotFound
                            && !matches!(call.creation, Creation::RunInstances(_)));
                    let again = passes || (may_pass && call.tries < MAX_TRIES);
                    let what = failure.to_string();
                    if again {
                        applied = Applied::Later(what.clone());
                    } else {
                        call.answer = Some(Answer::Refused { failure, at: now });
                    }
                    record.value.note(now, what);
                }
            }
            self.remember_pool(&record.value.calls[index]).await?;
        }
        self.list_launched_hosts(&mut record.value, request).await?;
        self.store.update(record).await?;
        Ok(applied)
    }

    /// Gives every launched host its own object in the ledger and its place in the request.
    pub(crate) async fn list_launched_hosts(
        &self,
        record: &mut RequestRecord,
        request: &Request,
    ) -> Result<(), Retry> {
        let hosts = unlisted_hosts(record);
        let Some((application, cluster)) = request.order.application_and_cluster() else { return Ok(()) };
        host_records::create(self.store, request.request_id, &owner(application, cluster), record, &hosts)
            .await?;
        for host in &hosts {
            record.set_stage(host, HostStage::Launched, None, Timestamp::now());
        }
        Ok(())
    }

    /// Moves hosts on by what was seen: the ended are marked, the running attested.
    pub(crate) async fn follow_hosts(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        observed: &Observed,
        now: Timestamp,
    ) -> Result<(), Retry> {
        // A launch that took effect unheard, and was refused when it was made again, is no refusal.
        if has_unsure_launch(&record.value)
            && self.look_up_launches(&mut record.value, request, &observed.hosts).await?
        {
            self.store.update(record).await?;
        }
        let Reading::Known(hosts) = &observed.hosts else { return Ok(()) };
        let missing = missing_hosts(&record.value, hosts, now);
        let confirmed_gone =
            if missing.is_empty() { BTreeSet::new() } else { self.confirmed_gone(&missing).await };
        if mark_ended(&mut record.value, hosts, &confirmed_gone, now) {
            self.store.update(record).await?;
        }
        for running in hosts_to_attest(&record.value, hosts).chunks(ATTESTED_AT_A_TIME) {
            if self.is_time_up() {
                break;
            }
            self.attest_hosts(record, running, hosts, now).await?;
        }
        Ok(())
    }

    /// Attests running hosts; what cannot be read now is left for the next look.
    async fn attest_hosts(
        &self,
        record: &mut Stored<RequestRecord>,
        running: &[HostId],
        hosts: &BTreeMap<HostId, ObservedHost>,
        now: Timestamp,
    ) -> Result<(), Retry> {
        let evidence = match self.account.host_evidence(running).await {
            Ok(evidence) => evidence,
            Err(failure) => {
                tracing::warn!(%failure, "hosts cannot be attested now");
                return Ok(());
            }
        };
        let images = self.rules.images();
        let mut ready = Vec::new();
        let mut changed = false;
        for (id, evidence) in &evidence {
            let Some(host) = hosts.get(id).filter(|host| evidence.is_complete_for(host)) else { continue };
            let attested = attest(host, evidence, &self.rules.foundation, &images);
            if attested.is_ok() {
                ready.push(id.clone());
            }
            changed |= set_attested(&mut record.value, id, attested, now);
        }
        host_records::set_attested(self.store, &ready, now).await?;
        if changed {
            self.store.update(record).await?;
        }
        Ok(())
    }

    /// Whether nothing more may be begun in this invocation.
    pub(crate) fn is_time_up(&self) -> bool {
        Timestamp::now() >= self.stop_at
    }

    /// Those of the hosts that AWS, asked for each by its id, knows no more. Unknown never means gone.
    pub(crate) async fn confirmed_gone(&self, hosts: &[HostId]) -> BTreeSet<HostId> {
        self.account.confirmed_gone(hosts).await.unwrap_or_else(|failure| {
            tracing::warn!(%failure, "missing hosts cannot be looked up now");
            BTreeSet::new()
        })
    }

    /// Looks launches up by their tokens among hosts that were seen; says whether that showed any. At the end of a request
    /// one without an answer is found only so, never replayed.
    pub(crate) async fn look_up_launches(
        &self,
        record: &mut RequestRecord,
        request: &Request,
        hosts: &Reading<BTreeMap<HostId, ObservedHost>>,
    ) -> Result<bool, Retry> {
        let Reading::Known(hosts) = hosts else { return Ok(false) };
        let mut found = false;
        for call in record.calls.iter_mut().filter(|call| is_unsure(call)) {
            let Creation::RunInstances(launch) = &call.creation else { continue };
            let launched: Vec<HostId> = hosts
                .iter()
                .filter(|(_, host)| {
                    host.client_token == launch.client_token && host.state != InstanceState::Terminated
                })
                .map(|(id, _)| id.clone())
                .collect();
            if !launched.is_empty() {
                call.answer = Some(Answer::Launched { hosts: launched, at: Timestamp::now() });
                found = true;
            }
        }
        if found {
            self.list_launched_hosts(record, request).await?;
        }
        Ok(found)
    }
}

/// Whether a launch may have made hosts that the ledger does not know of.
pub(crate) fn has_unsure_launch(record: &RequestRecord) -> bool {
    record.calls.iter().any(|call| matches!(call.creation, Creation::RunInstances(_)) && is_unsure(call))
}

/// Also one that AWS seems to have refused: what failed in an unknown way may have taken effect.
fn is_unsure(call: &StoredCall) -> bool {
    !matches!(call.answer, Some(Answer::Launched { .. }))
}

fn set_attested(
    record: &mut RequestRecord,
    id: &HostId,
    attested: Result<(), Vec<String>>,
    now: Timestamp,
) -> bool {
    match attested {
        Ok(()) => record.set_stage(id, HostStage::Ready, None, now),
        Err(faults) => {
            let faults: String = faults.join("; ").chars().take(MAX_FAULT_CHARACTERS).collect();
            let reason = format!("{id} is not as it must be: {faults}");
            tracing::error!(host = id.as_str(), reason, "attestation failed");
            let fault = HostFault { code: Code::AttestationFailed, reason };
            record.set_stage(id, HostStage::Unfit, Some(fault), now)
        }
    }
}

/// Writes a creating call down. The same call that was answered before (what it made is not seen yet, or is gone) is
/// made again, not listed again: by its token or name it makes nothing twice.
pub(crate) fn intend(record: &mut RequestRecord, creation: Creation, now: Timestamp) {
    match record.calls.iter_mut().find(|call| call.creation == creation) {
        Some(call) => call.answer = None,
        None => record.calls.push(StoredCall { creation, decided_at: now, tries: 0, answer: None }),
    }
}
