//! `authorize` → `plan` → `apply` → `record` → `reply` for one claimed request, wave by wave.

use std::sync::{Mutex, OnceLock};

use enclave_account::{Account, BalancingScope};
use enclave_core::ledger::{HostStage, LoadBalancerRecord, OpenRequest, RequestRecord};
use enclave_core::reconcile::{Limits, Observed, Plan, Reading, is_gone, plan, preview};
use enclave_core::store::{Store, Stored};
use enclave_core::telemetry::Metrics;
use enclave_gate::{Denial, authorize_order, authorize_signer};
use enclave_protocol::chain::{Opened, open};
use enclave_protocol::code::Code;
use enclave_protocol::envelope::Envelope;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{Decision, PlanPreview, PlannedStep, Reply};
use enclave_protocol::request::{Mode, Order, Request};
use jiff::Timestamp;

use crate::apply::Applied;
use crate::bind::bind;
use crate::check::{check_order, meant_by};
use crate::desired::{desired, desired_load_balancer, owner};
use crate::destruction;
use crate::facts::other_hosts;
use crate::handler::{Retry, count};
use crate::host_records;
use crate::inventory::{inventory, mark_ready};
use crate::outcome::{Outcome, budget_sentence, held_back, outcome};
use crate::rebuild::asked_about;
use crate::reply::send;
use crate::result::result;
use crate::tenant::{FreezeState, Rules, TenantBucket};

/// Most waves for one request in one invocation: enough for the longest way of a load balancer, and a bound on work
/// that reads which lag behind could otherwise repeat.
const MAX_WAVES: usize = 12;

/// Where a request stands after it was worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The final reply is sent.
    Finished,
    /// It waits for the next tick.
    Open,
}

/// What working on a request needs.
pub(crate) struct Work<'a> {
    pub(crate) sqs: &'a aws_sdk_sqs::Client,
    pub(crate) results_queue_url: &'a str,
    pub(crate) tenant: TenantBucket,
    pub(crate) metrics: &'a Mutex<Metrics>,
    /// Nothing is begun after this.
    pub(crate) stop_at: Timestamp,
    pub(crate) rules: &'a Rules,
    pub(crate) account: &'a Account,
    pub(crate) store: &'a Store,
    /// All requests that are not finished.
    pub(crate) open: &'a [OpenRequest],
    /// Why the account could not be read, once that happened in this invocation.
    pub(crate) outage: &'a OnceLock<String>,
}

impl Work<'_> {
    /// Sends the last reply once more, where there is one.
    pub(crate) async fn resend(&self, record: &RequestRecord) -> Result<(), Retry> {
        let Some(last) = record.replies.last() else { return Ok(()) };
        let reply: Reply = serde_json::from_str(last)?;
        let group = reply.request_id.map(|id| id.to_string()).unwrap_or_default();
        Ok(send(self.sqs, self.results_queue_url, &group, last).await?)
    }

    /// Works on a request as far as it goes now.
    pub(crate) async fn advance(&self, record: &mut Stored<RequestRecord>) -> Result<Standing, Retry> {
        if record.value.finished {
            self.resend(&record.value).await?;
            return Ok(Standing::Finished);
        }
        let (request, signer) = self.reopen(&record.value)?;
        let signer = match signer {
            Ok(signer) => signer,
            Err(denial) => return self.deny(record, &request, None, denial).await,
        };
        if let Some(why) = self.outage.get()
            && Timestamp::now() >= record.value.deadline_at
        {
            // The same reading would be waited for in vain again, and the next late request would wait behind it.
            return self.give_up_if_late(record, &format!("the account cannot be read: {why}")).await;
        }
        if record.value.accepted {
            self.consult_pools(&mut record.value, &request).await?;
        }
        for _ in 0..MAX_WAVES {
            if self.is_time_up() {
                return self.wait(record, &request, None, "work goes on with the next tick").await;
            }
            let observed = self.observe(&request, &record.value).await;
            if let Some(standing) = self.wave(record, &request, &signer, &observed).await? {
                return Ok(standing);
            }
        }
        self.give_up_if_late(record, "work goes on with the next tick").await
    }

    /// A request that cannot be worked on now, and why: it fails at its deadline and waits before it.
    pub(crate) async fn give_up_if_late(
        &self,
        record: &mut Stored<RequestRecord>,
        why: &str,
    ) -> Result<Standing, Retry> {
        if record.value.finished {
            self.resend(&record.value).await?;
            return Ok(Standing::Finished);
        }
        let request = readable(&record.value)?.1;
        if Timestamp::now() < record.value.deadline_at {
            return self.wait(record, &request, None, why).await;
        }
        let message = format!("not all was done by {:.3}: {why}", record.value.deadline_at);
        self.finish(record, &request, None, Outcome::failed(Code::DeadlineExceeded, message)).await
    }

    /// Every resume verifies the stored envelope anew; it was readable when it was claimed.
    fn reopen(&self, record: &RequestRecord) -> Result<(Request, Result<Opened, Denial>), Retry> {
        let (envelope, request) = readable(record)?;
        let signer = open(&envelope, &self.rules.roots, record.sent_at)
            .map_err(|error| Denial { code: error.code, message: error.message })
            .and_then(|signer| {
                bind(&request, &signer, &self.rules.foundation, record.sent_at).map(|()| signer)
            });
        Ok((request, signer))
    }

    /// One look, and one wave of what follows from it; `None` asks for another.
    async fn wave(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        signer: &Opened,
        observed: &Observed,
    ) -> Result<Option<Standing>, Retry> {
        let now = Timestamp::now();
        if let Err(denial) = authorize_signer(&self.rules.gate, signer, request) {
            return self.deny(record, request, Some(observed), denial).await.map(Some);
        }
        if let Some(why) = unread(&request.order, observed) {
            let _ = self.outage.set(why.clone());
            if now >= record.value.deadline_at {
                let late =
                    Outcome::failed(Code::DeadlineExceeded, format!("the account cannot be read: {why}"));
                return self.finish(record, request, Some(observed), late).await.map(Some);
            }
            return self
                .wait(record, request, Some(observed), &format!("reading the account: {why}"))
                .await
                .map(Some);
        }
        let decision = self.authorize(request, observed, record.value.accepted).await;
        if let (Mode::Apply, Err(denial)) = (request.mode, &decision) {
            return self.deny(record, request, Some(observed), denial.clone()).await.map(Some);
        }
        if !record.value.accepted {
            if let Order::ProvisionHosts(order) = &request.order
                && let Err(failure) = self.choose_instance_types(&mut record.value, order).await?
            {
                return self.later(record, request, observed, &failure.to_string()).await.map(Some);
            }
            self.consult_pools(&mut record.value, request).await?;
            let chosen = &record.value.instance_types;
            if let Err(denial) = check_order(&request.order, chosen, observed, self.store, self.rules).await?
            {
                return self.deny(record, request, Some(observed), denial).await.map(Some);
            }
            if let Order::Describe(order) = &request.order {
                let mut inventory = inventory(order, observed, self.rules);
                let listed: Vec<HostId> = inventory.hosts.iter().map(|host| host.host_id.clone()).collect();
                mark_ready(&mut inventory, &host_records::read(self.store, &listed).await?);
                let done = Outcome::done(format!("{} hosts are listed", inventory.hosts.len()));
                let mut reply = result(request, &record.value, observed, &self.rules.foundation, &done, now);
                reply.inventory = Some(inventory);
                return self.end(record, request, reply).await.map(Some);
            }
            if request.mode == Mode::Plan {
                let limits = self.limits(request, observed, now).await?;
                let reply = self.preview(&record.value, request, observed, &limits, decision.err(), now);
                return self.end(record, request, reply).await.map(Some);
            }
            self.accept(record, request, observed, now).await?;
        }

        if record.value.has_unanswered_call() {
            return match self.answer_calls(record, request).await? {
                Applied::All => Ok(None),
                Applied::Refused(failure) => {
                    let refused = Outcome::refused_by_aws(&failure);
                    self.finish(record, request, Some(observed), refused).await.map(Some)
                }
                Applied::Later(why) => self.later(record, request, observed, &why).await.map(Some),
            };
        }
        self.follow_hosts(record, request, observed, now).await?;
        self.follow_rebuilds(record, request, observed, now).await?;
        let limits = self.limits(request, observed, now).await?;
        let wanted = desired(request, &record.value, &self.rules.foundation);
        let plan = plan(&wanted, observed, &limits, now);
        if let Some(outcome) = outcome(request, &record.value, self.rules, observed, &plan, now) {
            return self.finish(record, request, Some(observed), outcome).await.map(Some);
        }
        if plan.steps.is_empty() {
            let why = plan.findings.first().map(|finding| format!("{finding:?}")).unwrap_or_default();
            tracing::info!(findings = plan.findings.len(), why, "nothing to do but wait");
            let why = held_back(&plan.findings).map_or("waiting for AWS".to_owned(), budget_sentence);
            return self.wait(record, request, Some(observed), &why).await.map(Some);
        }
        match self.apply(record, request, observed, &plan).await? {
            Applied::All => Ok(None),
            Applied::Refused(failure) => {
                let refused = Outcome::refused_by_aws(&failure);
                self.finish(record, request, Some(observed), refused).await.map(Some)
            }
            Applied::Later(why) => self.later(record, request, observed, &why).await.map(Some),
        }
    }

    /// What cannot go on now fails at the deadline and waits before it.
    async fn later(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        observed: &Observed,
        why: &str,
    ) -> Result<Standing, Retry> {
        if Timestamp::now() >= record.value.deadline_at {
            let message = format!("not all was done by {:.3}: {why}", record.value.deadline_at);
            let late = Outcome::failed(Code::DeadlineExceeded, message);
            return self.finish(record, request, Some(observed), late).await;
        }
        self.wait(record, request, Some(observed), why).await
    }

    /// Reads what the order is about; what it is not about stays unread.
    async fn observe(&self, request: &Request, record: &RequestRecord) -> Observed {
        let owner = request.order.application_and_cluster().map(|(app, cluster)| owner(app, cluster));
        let (hosts, balancing) = match &request.order {
            Order::ProvisionHosts(_) | Order::DeprovisionHosts(_) | Order::RebuildHosts(_) => (true, None),
            Order::ConfigureLoadBalancer(_) => (true, owner.as_ref().map(BalancingScope::Owner)),
            Order::RemoveLoadBalancer(_) => (false, owner.as_ref().map(BalancingScope::RemovalOf)),
            Order::Describe(_) => (true, Some(BalancingScope::Enclave)),
        };
        let mut observed = Observed::unread();
        // Before the hosts: one whose task is seen as succeeded is then seen with its new volume.
        if let Order::RebuildHosts(order) = &request.order {
            let asked = asked_about(order, record, request.mode);
            observed.root_volume_tasks = self.account.observe_root_volume_tasks(&asked).await;
        }
        if hosts {
            observed.hosts = self.account.observe_hosts().await;
        }
        if let Some(scope) = balancing {
            observed.balancing = self.account.observe_balancing(scope).await;
        }
        observed
    }

    /// Freeze, then the order's bounds. A freeze refuses what is new; what was accepted waits for its end.
    async fn authorize(&self, request: &Request, observed: &Observed, accepted: bool) -> Result<(), Denial> {
        let changes = !matches!(request.order, Order::Describe(_));
        if changes
            && !accepted
            && let FreezeState::Frozen(message) = self.tenant.freeze().await
        {
            return Err(Denial { code: Code::Frozen, message });
        }
        let others = match &observed.hosts {
            Reading::Known(hosts) => other_hosts(hosts, self.open, request.request_id),
            Reading::Unknown(_) => 0,
        };
        let foundation = &self.rules.foundation;
        authorize_order(&self.rules.gate, &foundation.tenant, &foundation.images, others, &request.order)
    }

    /// From here on the request can fail, but not be rejected: what it wants goes to the ledger first.
    async fn accept(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        observed: &Observed,
        now: Timestamp,
    ) -> Result<(), Retry> {
        match &request.order {
            Order::DeprovisionHosts(order) => {
                let launched_at = host_records::want_terminated(self.store, &order.host_ids).await?;
                let Reading::Known(hosts) = &observed.hosts else { return Ok(()) };
                let out_of_sight = |id: &&HostId| {
                    !hosts.contains_key(*id) && launched_at.get(*id).is_some_and(|at| is_gone(None, *at, now))
                };
                let missing: Vec<HostId> = order.host_ids.iter().filter(out_of_sight).cloned().collect();
                let gone = self.confirmed_gone(&missing).await;
                for id in &order.host_ids {
                    let stage = if gone.contains(id) { HostStage::Gone } else { HostStage::Unwanted };
                    record.value.set_stage(id, stage, None, now);
                }
            }
            Order::RebuildHosts(order) => {
                for id in &order.host_ids {
                    record.value.set_stage(id, HostStage::ToRebuild, None, now);
                }
            }
            Order::ConfigureLoadBalancer(order) => {
                let name = desired_load_balancer(order, &self.rules.foundation).name;
                let wanted = LoadBalancerRecord::wanted(request.request_id, order);
                host_records::want_load_balancer(self.store, &name, wanted).await?;
            }
            Order::RemoveLoadBalancer(order) => {
                if let Reading::Known(balancing) = &observed.balancing {
                    for name in meant_by(order, balancing) {
                        host_records::want_no_load_balancer(self.store, name, request.request_id).await?;
                    }
                }
            }
            Order::ProvisionHosts(_) | Order::Describe(_) => {}
        }
        record.value.accepted = true;
        record.value.note(now, "accepted");
        count(self.metrics, "Accepted");
        Ok(self.store.update(record).await?)
    }

    /// The bounds of a plan. Hosts that were handed over stand under the destruction budget; an unfit one, which never
    /// served anybody, does not: it must go.
    async fn limits(&self, request: &Request, observed: &Observed, now: Timestamp) -> Result<Limits, Retry> {
        let (Order::DeprovisionHosts(_), Reading::Known(hosts)) = (&request.order, &observed.hosts) else {
            return Ok(Limits::default());
        };
        let budget = destruction::budget(self.store, &self.rules.gate, hosts, now).await?;
        Ok(Limits { destruction: Some(budget), ..Limits::default() })
    }

    fn preview(
        &self,
        record: &RequestRecord,
        request: &Request,
        observed: &Observed,
        limits: &Limits,
        denial: Option<Denial>,
        now: Timestamp,
    ) -> Reply {
        let mut accepted = record.clone();
        let (hosts, stage): (&[HostId], _) = match &request.order {
            Order::DeprovisionHosts(order) => (&order.host_ids, HostStage::Unwanted),
            Order::RebuildHosts(order) => (&order.host_ids, HostStage::ToRebuild),
            _ => (&[], HostStage::Launched),
        };
        for id in hosts {
            accepted.set_stage(id, stage, None, now);
        }
        let wanted = desired(request, &accepted, &self.rules.foundation);
        let Plan { steps, findings } = preview(&wanted, observed, limits, now);
        let message = match (&denial, held_back(&findings)) {
            (Some(denial), _) => format!("{} steps would be refused: {}", steps.len(), denial.message),
            (None, Some(hosts)) => {
                format!("{} steps would be taken; {}", steps.len(), budget_sentence(hosts))
            }
            (None, None) => format!("{} steps would be taken", steps.len()),
        };
        let done = Outcome::done(message);
        let mut reply = result(request, record, observed, &self.rules.foundation, &done, now);
        reply.plan = Some(PlanPreview {
            decision: Decision {
                allowed: denial.is_none(),
                code: denial.map_or(Code::Done, |denial| denial.code),
            },
            steps: steps
                .iter()
                .map(|step| PlannedStep { kind: step.kind().to_owned(), summary: step.summary() })
                .collect(),
        });
        reply
    }
}

/// The order that a request's object holds.
fn readable(record: &RequestRecord) -> Result<(Envelope, Request), Retry> {
    let envelope = Envelope::parse(&record.envelope).map_err(|_| Retry::Event("a readable envelope"))?;
    let request = Request::parse(&envelope.payload).map_err(|_| Retry::Event("a readable request"))?;
    Ok((envelope, request))
}

/// Why a reading that the order stands on is missing.
fn unread(order: &Order, observed: &Observed) -> Option<String> {
    let hosts = match (&observed.hosts, order) {
        (Reading::Unknown(_), Order::RemoveLoadBalancer(_)) | (Reading::Known(_), _) => None,
        (Reading::Unknown(why), _) => Some(why),
    };
    let balancing = match (&observed.balancing, order) {
        (
            Reading::Unknown(_),
            Order::ProvisionHosts(_) | Order::DeprovisionHosts(_) | Order::RebuildHosts(_),
        )
        | (Reading::Known(_), _) => None,
        (Reading::Unknown(why), _) => Some(why),
    };
    let tasks = match (&observed.root_volume_tasks, order) {
        (Reading::Unknown(why), Order::RebuildHosts(_)) => Some(why),
        _ => None,
    };
    hosts.or(balancing).or(tasks).cloned()
}
