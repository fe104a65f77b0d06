//! A tick or host event: every open request is taken further, and the hosts beyond requests are looked at when it is time.

use std::sync::OnceLock;

use enclave_account::Account;
use enclave_core::ledger::{OpenRequest, RequestRecord, request_key};
use enclave_core::store::Store;
use enclave_core::watch::{WATCH_KEY, Watch};
use jiff::Timestamp;
use tracing::Instrument;

use crate::handler::{Invocation, Retry, count};
use crate::line::{HeldLine, has_open_requests};
use crate::survey::Survey;
use crate::tenant::{ReadRules, Rules};
use crate::work::{Standing, Work};

impl Invocation<'_> {
    /// Looks again; `event_sent_at` is when a host event was sent, where one asks for the look.
    pub(crate) async fn look_again(&self, event_sent_at: Option<Timestamp>) -> Result<(), Retry> {
        let store = self.store();
        let open = has_open_requests(&store).await?;
        let watch = store.read::<Watch>(WATCH_KEY).await;
        // A watch that cannot be read is the survey's trouble, not that of open requests.
        let due = watch.as_ref().ok().is_none_or(|watch| {
            watch.as_ref().is_none_or(|watch| watch.value.is_due(Timestamp::now(), event_sent_at))
        });
        if !open && !due {
            return Ok(());
        }
        let (rules, closed) = match self.tenant_bucket().rules().await? {
            ReadRules::Rules(rules) => (*rules, None),
            ReadRules::GateInvalid(foundation, why) => {
                count(self.metrics, "GateInvalid");
                tracing::error!(why, "the gate is invalid: open requests wait, until their deadline");
                (Rules::closed(*foundation), Some(format!("the gate is invalid: {why}")))
            }
        };
        let mut line = HeldLine::take(&store, &self.delivery, None, Timestamp::now()).await?;
        let account = self.account(&rules);
        self.advance_open(&rules, &account, &store, &mut line, closed.as_deref()).await;
        if due && Timestamp::now() < self.delivery.stop_at {
            let survey = Survey {
                sqs: &self.function.sqs,
                results_queue_url: &self.function.config.results_queue_url,
                tenant: self.tenant_bucket(),
                metrics: self.metrics,
                stop_at: self.delivery.stop_at,
                rules: &rules,
                account: &account,
                store: &store,
                open: line.open().iter().map(|open| open.request_id).collect(),
            };
            if let Err(error) = Box::pin(survey.run(event_sent_at)).await {
                // A message that fails blocks the line until it is visible again; the next tick looks anew.
                tracing::error!(%error, "the hosts could not be looked after");
                count(self.metrics, "LooksFailed");
            }
        }
        Ok(line.give_back().await?)
    }

    /// Takes each open request as far as it goes now: those past their deadline first, then the oldest.
    async fn advance_open(
        &self,
        rules: &Rules,
        account: &Account,
        store: &Store,
        line: &mut HeldLine<'_>,
        closed: Option<&str>,
    ) {
        let outage = OnceLock::new();
        for open in by_urgency(line.open(), Timestamp::now()) {
            if Timestamp::now() >= self.delivery.stop_at {
                tracing::warn!("time is up: the other open requests wait for the next tick");
                break;
            }
            let request_id = open.request_id;
            let span = tracing::info_span!("request", zone = self.function.config.zone, %request_id);
            let work = self.work(rules, account, store, line.open(), &outage);
            let advanced = async {
                let Some(mut record) = store.read::<RequestRecord>(&request_key(request_id)).await? else {
                    // Listed, but never claimed: its own message brings it back.
                    return Ok(Standing::Finished);
                };
                match closed {
                    Some(why) => work.give_up_if_late(&mut record, why).await,
                    None => Box::pin(work.advance(&mut record)).await,
                }
            };
            let advanced = match advanced.instrument(span.clone()).await {
                Err(error) => {
                    // One request that cannot be worked on must not hold up the line: the next tick tries it again.
                    tracing::error!(%request_id, %error, "an open request could not be advanced");
                    count(self.metrics, "Stuck");
                    give_up(&work, store, &open, &error).instrument(span).await
                }
                other => other,
            };
            match advanced {
                Ok(Standing::Finished) => line.close(request_id),
                Ok(Standing::Open) => {}
                Err(error) => tracing::error!(%request_id, %error, "nor could it be given up"),
            }
        }
    }
}

/// Ends a request that could not be worked on, where its deadline has passed.
async fn give_up(
    work: &Work<'_>,
    store: &Store,
    open: &OpenRequest,
    error: &Retry,
) -> Result<Standing, Retry> {
    let Some(mut record) = store.read::<RequestRecord>(&request_key(open.request_id)).await? else {
        return Ok(Standing::Open);
    };
    if Timestamp::now() < record.value.deadline_at {
        return Ok(Standing::Open);
    }
    work.give_up_if_late(&mut record, &error.to_string()).await
}

/// The open requests, those past their deadline first; otherwise in the line's order.
fn by_urgency(open: &[OpenRequest], now: Timestamp) -> Vec<OpenRequest> {
    let mut open = open.to_vec();
    open.sort_by_key(|open| open.deadline_at.is_none_or(|deadline| deadline > now));
    open
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, id};

    #[test]
    fn what_is_past_its_deadline_comes_first_and_else_the_oldest() {
        let open = |number: u128, deadline: Option<i64>| OpenRequest {
            request_id: id(number),
            reserved_hosts: 0,
            deadline_at: deadline.map(at),
        };
        let line =
            [open(1, None), open(2, Some(200)), open(3, Some(100)), open(4, Some(101)), open(5, Some(50))];
        let order: Vec<u128> =
            by_urgency(&line, at(100)).iter().map(|open| open.request_id.as_u128()).collect();
        assert_eq!(order, [3, 5, 1, 2, 4]);
    }
}
