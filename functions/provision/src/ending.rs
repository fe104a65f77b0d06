//! `record` and `reply`: what is said of a request is stored, then sent.

use enclave_core::ledger::RequestRecord;
use enclave_core::reconcile::Observed;
use enclave_core::store::Stored;
use enclave_gate::Denial;
use enclave_protocol::code::Code;
use enclave_protocol::reply::{Reply, Status};
use enclave_protocol::request::Request;
use jiff::Timestamp;

use crate::apply::has_unsure_launch;
use crate::handler::{Retry, count};
use crate::outcome::Outcome;
use crate::reply::send;
use crate::result::result;
use crate::work::{Standing, Work};

impl Work<'_> {
    /// The request waits; the first time, that is said.
    pub(crate) async fn wait(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        observed: Option<&Observed>,
        why: &str,
    ) -> Result<Standing, Retry> {
        if record.value.replies.is_empty() {
            let waiting = Outcome {
                status: Status::InProgress,
                code: Code::InProgress,
                message: format!("in progress: {why}"),
            };
            let mut reply = self.reply(&record.value, request, observed, &waiting);
            self.tell_handed_over(&record.value, request, &mut reply).await?;
            record.value.note(reply.decided_at, waiting.message);
            self.say(record, request, &reply).await?;
        }
        Ok(Standing::Open)
    }

    /// The rules say no. What was never accepted is rejected; what was can only fail, and says what exists.
    pub(crate) async fn deny(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        observed: Option<&Observed>,
        denial: Denial,
    ) -> Result<Standing, Retry> {
        tracing::warn!(code = %denial.code, reason = denial.message, "refused");
        count(self.metrics, "Refused");
        let outcome = if record.value.accepted {
            Outcome::failed(denial.code, denial.message)
        } else {
            Outcome::rejected(denial.code, denial.message)
        };
        self.finish(record, request, observed, outcome).await
    }

    /// The request ends.
    pub(crate) async fn finish(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        observed: Option<&Observed>,
        outcome: Outcome,
    ) -> Result<Standing, Retry> {
        let mut fresh = None;
        if observed.is_some() && has_unsure_launch(&record.value) {
            // The last look may be older than the last try.
            let hosts = self.account.observe_hosts().await;
            self.look_up_launches(&mut record.value, request, &hosts).await?;
            fresh = observed.map(|observed| Observed { hosts, ..observed.clone() });
        }
        let observed = fresh.as_ref().or(observed);
        self.close_rebuilds(&mut record.value, request).await?;
        let mut reply = self.reply(&record.value, request, observed, &outcome);
        self.tell_handed_over(&record.value, request, &mut reply).await?;
        self.end(record, request, reply).await
    }

    /// Stores and sends the final reply.
    pub(crate) async fn end(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        reply: Reply,
    ) -> Result<Standing, Retry> {
        tracing::info!(status = ?reply.status, code = %reply.code, reason = reply.message, "request finished");
        count(
            self.metrics,
            match reply.status {
                Status::Done => "Done",
                Status::Failed => "Failed",
                Status::Rejected => "Rejected",
                Status::InProgress => "InProgress",
            },
        );
        record.value.note(reply.decided_at, format!("{}: {}", reply.code, reply.message));
        record.value.finished = true;
        self.say(record, request, &reply).await?;
        Ok(Standing::Finished)
    }

    /// The bytes go to the ledger before they go to the queue: a crash can at worst repeat them.
    async fn say(
        &self,
        record: &mut Stored<RequestRecord>,
        request: &Request,
        reply: &Reply,
    ) -> Result<(), Retry> {
        let body = serde_json::to_string(reply)?;
        record.value.replies.push(body.clone());
        self.store.update(record).await?;
        Ok(send(self.sqs, self.results_queue_url, &request.request_id.to_string(), &body).await?)
    }

    fn reply(
        &self,
        record: &RequestRecord,
        request: &Request,
        observed: Option<&Observed>,
        outcome: &Outcome,
    ) -> Reply {
        let unread = Observed::unread();
        let observed = observed.unwrap_or(&unread);
        result(request, record, observed, &self.rules.foundation, outcome, Timestamp::now())
    }
}
