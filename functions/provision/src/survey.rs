//! The look at all hosts beyond requests: what it tells, and the leftovers that it collects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use enclave_account::Account;
use enclave_core::creation::Answer;
use enclave_core::ledger::{HostRecord, RequestRecord, host_key, request_key};
use enclave_core::reconcile::{
    Answers, Collection, Desired, Finding, Kept, Known, Limits, Look, Observed, ObservedBalancing,
    ObservedHost, Questions, Reading, Report, RequestTrace, Step, collect, plan, questions, survey,
};
use enclave_core::store::{Created, Store, Stored};
use enclave_core::telemetry::{Metrics, Unit};
use enclave_core::watch::{Leftover, MAX_OUTBOX, WATCH_KEY, Watch};
use enclave_protocol::names::HostId;
use futures::stream::StreamExt;
use jiff::Timestamp;
use uuid::Uuid;

use crate::destruction;
use crate::handler::Retry;
use crate::notices::{collected, outgoing};
use crate::reply::send;
use crate::tenant::{FreezeState, Rules, TenantBucket};

/// Objects of the ledger read at a time.
const CONCURRENCY: usize = 16;

/// What the look needs; the line is held.
pub(crate) struct Survey<'a> {
    pub(crate) sqs: &'a aws_sdk_sqs::Client,
    pub(crate) results_queue_url: &'a str,
    pub(crate) tenant: TenantBucket,
    pub(crate) metrics: &'a Mutex<Metrics>,
    /// Nothing is begun after this.
    pub(crate) stop_at: Timestamp,
    pub(crate) rules: &'a Rules,
    pub(crate) account: &'a Account,
    pub(crate) store: &'a Store,
    /// Requests that are not finished.
    pub(crate) open: BTreeSet<Uuid>,
}

impl Survey<'_> {
    /// Looks, where a look is due, and sends what there is to tell.
    pub(crate) async fn run(&self, event_sent_at: Option<Timestamp>) -> Result<(), Retry> {
        let mut watch: Stored<Watch> = match self.store.read(WATCH_KEY).await? {
            Some(watch) => watch,
            None => match self.store.create(WATCH_KEY, Watch::default()).await? {
                Created::New(watch) | Created::Existing(watch) => watch,
            },
        };
        loop {
            if watch.value.is_look_due(Timestamp::now(), event_sent_at) {
                self.look(&mut watch).await?;
            }
            // A full outbox may have left something untold.
            let full = watch.value.outbox.len() >= MAX_OUTBOX;
            self.send(&mut watch).await?;
            if !full || Timestamp::now() >= self.stop_at {
                return Ok(());
            }
        }
    }

    async fn look(&self, watch: &mut Stored<Watch>) -> Result<(), Retry> {
        let began_at = Timestamp::now();
        self.count("Looks", 1);
        let hosts = match self.account.observe_hosts().await {
            Reading::Known(hosts) => hosts,
            Reading::Unknown(why) => {
                tracing::warn!(why, "the hosts cannot be looked at now");
                return Ok(());
            }
        };
        let (maintenance, spot) =
            tokio::join!(self.account.scheduled_events(), self.account.spot_marks(&hosts));
        for why in [unknown(&maintenance), unknown(&spot)].into_iter().flatten() {
            tracing::warn!(why, "a part of the look is missing");
        }
        let look = Look { began_at, hosts, maintenance, spot };
        let asked = questions(&watch.value, &look);
        let answers = self.answer(&asked, &watch.value.leftovers, &look.hosts).await;
        let known = self.known(&asked, &answers, watch, &look.hosts).await;
        let surveyed = survey(&watch.value, &look, &answers);
        let Look { hosts, .. } = look;
        let hosts = Reading::Known(hosts);
        let mut collection = collect(&watch.value.leftovers, &hosts, &known, &answers.gone, began_at);
        watch.value = surveyed.watch;
        for report in surveyed.reports {
            self.tell(&mut watch.value, report, began_at)?;
        }
        for (id, leftover) in std::mem::take(&mut collection.ended) {
            if watch.value.outbox.len() < MAX_OUTBOX {
                self.tell(&mut watch.value, collected(&id, &leftover), began_at)?;
            } else {
                collection.leftovers.insert(id, leftover);
            }
        }
        if surveyed.unwatched > 0 {
            tracing::error!(hosts = surveyed.unwatched, "more hosts than can be watched");
        }
        self.count("Unwatched", surveyed.unwatched);
        self.note(&collection);
        let steps = self.condemn(&mut collection, &hosts, MAX_OUTBOX - watch.value.outbox.len()).await?;
        watch.value.leftovers = collection.leftovers;
        self.store.update(watch).await?;
        for step in &steps {
            self.terminate(watch, step).await?;
        }
        Ok(())
    }

    /// Looks up what a look leaves open. What cannot be read is left undecided: one object must not stop the rest.
    async fn answer(
        &self,
        asked: &Questions,
        leftovers: &BTreeMap<HostId, Leftover>,
        seen: &BTreeMap<HostId, ObservedHost>,
    ) -> Answers {
        let mut answers = Answers::default();
        let read = |id: HostId| async move {
            let found = self.store.read::<HostRecord>(&host_key(&id)).await;
            (id, found)
        };
        let mut records =
            futures::stream::iter(asked.records.iter().cloned()).map(read).buffer_unordered(CONCURRENCY);
        while let Some((id, found)) = records.next().await {
            match found {
                Ok(Some(record)) => drop(answers.records.insert(id, record.value)),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(host = id.as_str(), %error, "a host's object cannot be read");
                    answers.unread.insert(id);
                }
            }
        }
        let condemned =
            leftovers.iter().filter(|(id, it)| it.condemned_at.is_some() && !seen.contains_key(*id));
        let missing: Vec<HostId> = asked.missing.iter().chain(condemned.map(|(id, _)| id)).cloned().collect();
        if !missing.is_empty() {
            match self.account.confirmed_gone(&missing).await {
                Ok(gone) => answers.gone = gone,
                Err(failure) => tracing::warn!(%failure, "missing hosts cannot be looked up now"),
            }
        }
        answers
    }

    /// What the ledger holds of instances that have no object of their own.
    async fn known(
        &self,
        asked: &Questions,
        answers: &Answers,
        watch: &Stored<Watch>,
        seen: &BTreeMap<HostId, ObservedHost>,
    ) -> Known {
        let unrecorded = asked.records.iter().filter(|id| {
            !answers.records.contains_key(*id)
                && !answers.unread.contains(*id)
                && !watch.value.hosts.contains_key(*id)
        });
        let without_record: BTreeSet<HostId> = unrecorded.cloned().collect();
        let live = without_record.iter().filter_map(|id| seen.get(id)).filter(|host| host.state.is_live());
        let requests: BTreeSet<Uuid> = live.map(|host| host.request_id).collect();
        let closed = requests.into_iter().filter(|id| !self.open.contains(id));
        let read = |id: Uuid| async move {
            match self.store.read::<RequestRecord>(&request_key(id)).await {
                Ok(record) => Some((id, record.map(|record| trace(&record.value)))),
                Err(error) => {
                    tracing::error!(request_id = %id, %error, "a request's object cannot be read");
                    None
                }
            }
        };
        let requests: Vec<Option<(Uuid, Option<RequestTrace>)>> =
            futures::stream::iter(closed).map(read).buffer_unordered(CONCURRENCY).collect().await;
        Known { without_record, open: self.open.clone(), requests: requests.into_iter().flatten().collect() }
    }

    /// Says what is left alone, which is nobody's to remove but the tenant's.
    fn note(&self, collection: &Collection) {
        for (id, why) in &collection.kept {
            match why {
                Kept::Foreign | Kept::Listed | Kept::Unread => {
                    tracing::warn!(
                        instance = id.as_str(),
                        ?why,
                        "an instance that the ledger does not know is left alone"
                    );
                }
                _ => tracing::info!(instance = id.as_str(), ?why, "an instance may become a leftover"),
            }
        }
        for (id, leftover) in &collection.leftovers {
            tracing::warn!(instance = id.as_str(), first_seen = %leftover.first_seen, "a leftover");
        }
        self.count("Leftovers", collection.leftovers.len());
    }

    /// Marks the leftovers that are terminated now: those that are due, at most `most`, within the tenant's budget.
    async fn condemn(
        &self,
        collection: &mut Collection,
        hosts: &Reading<BTreeMap<HostId, ObservedHost>>,
        most: usize,
    ) -> Result<Vec<Step>, Retry> {
        let (false, Reading::Known(seen)) = (collection.due.is_empty(), hosts) else { return Ok(Vec::new()) };
        let now = Timestamp::now();
        let desired =
            Desired { terminated: collection.due.iter().take(most).cloned().collect(), ..Desired::default() };
        let budget = destruction::budget(self.store, &self.rules.gate, seen, now).await?;
        let limits = Limits { destruction: Some(budget), ..Limits::default() };
        let observed = Observed { hosts: hosts.clone(), ..Observed::unread() };
        let plan = plan(&desired, &observed, &limits, now);
        for finding in &plan.findings {
            if let Finding::BudgetExceeded { held_back } = finding {
                tracing::warn!(held_back, "the destruction budget holds leftovers back");
            }
        }
        for step in &plan.steps {
            let Step::Terminate { hosts } = step else { continue };
            for id in hosts {
                if let Some(leftover) = collection.leftovers.get_mut(id) {
                    leftover.condemned_at = Some(now);
                }
            }
        }
        Ok(plan.steps)
    }

    /// Terminates leftovers. What does not succeed is tried again by the next look.
    async fn terminate(&self, watch: &mut Stored<Watch>, step: &Step) -> Result<(), Retry> {
        let Step::Terminate { hosts } = step else { return Ok(()) };
        if Timestamp::now() >= self.stop_at {
            return Ok(());
        }
        if let FreezeState::Frozen(why) = self.tenant.freeze().await {
            tracing::info!(why, "leftovers stay while changes are frozen");
            return Ok(());
        }
        let now = Timestamp::now();
        destruction::count(self.store, hosts, now).await?;
        tracing::warn!(summary = step.summary(), "collecting leftovers");
        if let Err(failure) = self.account.change(step, &ObservedBalancing::default()).await {
            tracing::warn!(%failure, "leftovers cannot be terminated now");
            return Ok(());
        }
        self.count("Changes", 1);
        self.count("LeftoversCollected", hosts.len());
        for id in hosts {
            if let Some(leftover) = watch.value.leftovers.remove(id) {
                self.tell(&mut watch.value, collected(id, &leftover), now)?;
            }
        }
        Ok(self.store.update(watch).await?)
    }

    fn tell(&self, watch: &mut Watch, report: Report, seen_at: Timestamp) -> Result<(), Retry> {
        tracing::info!(host = report.host_id.as_str(), kind = report.event.kind(), "to be told");
        watch.outbox.push(outgoing(report, &self.rules.foundation, seen_at)?);
        Ok(())
    }

    /// Sends what waits, in order. What was sent leaves the outbox at the end: a crash can only repeat the same bytes.
    async fn send(&self, watch: &mut Stored<Watch>) -> Result<(), Retry> {
        let (mut sent, mut failed) = (0, None);
        for outgoing in &watch.value.outbox {
            if Timestamp::now() >= self.stop_at {
                break;
            }
            let group = outgoing.host_id.as_str();
            if let Err(failure) = send(self.sqs, self.results_queue_url, group, &outgoing.body).await {
                failed = Some(failure);
                break;
            }
            sent += 1;
        }
        if sent > 0 {
            self.count("Notices", sent);
            watch.value.outbox.drain(..sent);
            self.store.update(watch).await?;
        }
        failed.map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn count(&self, name: &'static str, number: usize) {
        let Ok(mut metrics) = self.metrics.lock() else { return };
        if number > 0 {
            metrics.add(name, Unit::Count, u32::try_from(number).unwrap_or(u32::MAX).into());
        }
    }
}

fn unknown<T>(reading: &Reading<T>) -> Option<&str> {
    match reading {
        Reading::Known(_) => None,
        Reading::Unknown(why) => Some(why),
    }
}

/// What a request's object holds of instances.
fn trace(record: &RequestRecord) -> RequestTrace {
    let answered = record.launches().filter_map(|(_, answer)| match answer {
        Some(Answer::Launched { hosts, .. }) => Some(hosts),
        _ => None,
    });
    RequestTrace {
        finished: record.finished,
        hosts: record.hosts.keys().chain(answered.flatten()).cloned().collect(),
        tokens: record.launches().map(|(launch, _)| launch.client_token.clone()).collect(),
    }
}
