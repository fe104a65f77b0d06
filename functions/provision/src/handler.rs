//! One invocation: a batch of messages from the line, in order, up to the first that must be tried again.

use std::sync::{Mutex, OnceLock};

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use enclave_account::{Account, Pacer};
use enclave_core::aws::AwsFailure;
use enclave_core::foundation::Foundation;
use enclave_core::ledger::OpenRequest;
use enclave_core::store::{Store, StoreError};
use enclave_core::telemetry::{Metrics, Unit};
use enclave_gate::Denial;
use enclave_protocol::chain::open;
use enclave_protocol::code::Code;
use enclave_protocol::envelope::Envelope;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::Status;
use enclave_protocol::request::{Mode, Order, Request};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Error, LambdaEvent};
use thiserror::Error as ThisError;
use tracing::Instrument;
use uuid::Uuid;

use crate::bind::bind;
use crate::claim::{Claim, claim, deadline};
use crate::config::Config;
use crate::line::{Delivery, HeldLine, LineError};
use crate::message::{Message, classify};
use crate::reply::{bare, send, sha256};
use crate::tenant::{ReadRules, Rules, TenantBucket};
use crate::work::{Standing, Work};

/// Why a message has to be delivered again. Nothing here is the message's own fault.
#[derive(Debug, ThisError)]
pub(crate) enum Retry {
    /// The ledger or the tenant bucket failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The line is held, or could not be taken.
    #[error(transparent)]
    Line(#[from] LineError),
    /// A reply could not be sent.
    #[error(transparent)]
    Send(#[from] AwsFailure),
    /// SQS's event lacks what it always has.
    #[error("the queue's event lacks {0}")]
    Event(&'static str),
    /// A value of ours could not be written as JSON.
    #[error("cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// The function.
#[derive(Debug)]
pub struct Provision {
    pub(crate) config: Config,
    sdk: SdkConfig,
    s3: aws_sdk_s3::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    /// Outlives an invocation: AWS's own buckets do not start anew with each, either.
    pacer: Pacer,
}

/// One invocation's view of the function.
pub(crate) struct Invocation<'a> {
    pub(crate) function: &'a Provision,
    pub(crate) metrics: &'a Mutex<Metrics>,
    pub(crate) delivery: Delivery,
}

impl Provision {
    /// The function with its clients.
    pub fn new(config: Config, sdk: &SdkConfig) -> Self {
        let (s3, sqs) = (aws_sdk_s3::Client::new(sdk), aws_sdk_sqs::Client::new(sdk));
        let pacer = Pacer::new(config.pace_percent);
        Self { config, sdk: sdk.clone(), s3, sqs, pacer }
    }

    /// Works on a batch. A message that must be tried again stops the batch: it and the rest are handed back, so
    /// the line keeps its order.
    pub async fn handle(&self, event: LambdaEvent<SqsEvent>) -> Result<SqsBatchResponse, Error> {
        let started = Timestamp::now();
        let metrics = Mutex::new(Metrics::new(&self.config.zone, "provision"));
        let mut response = SqsBatchResponse::default();
        for record in &event.payload.records {
            let message_id = record.message_id.as_deref().ok_or(Retry::Event("a message id"))?;
            if !response.batch_item_failures.is_empty() {
                response.add_failure(message_id);
                continue;
            }
            let span = tracing::info_span!(
                "message",
                zone = self.config.zone,
                message_id,
                request_id = tracing::field::Empty,
            );
            let worked = async {
                let delivery = delivery(record, &event.context.request_id, event.context.deadline)?;
                let invocation = Invocation { function: self, metrics: &metrics, delivery };
                // Boxed: the way of a request is one deep future, and this keeps the runtime's own shallow.
                Box::pin(invocation.receive(record.body.as_deref().unwrap_or_default())).await
            };
            if let Err(error) = worked.instrument(span.clone()).await {
                span.in_scope(|| tracing::error!(%error, "the message will be tried again"));
                count(&metrics, "Retries");
                response.add_failure(message_id);
            }
        }
        let elapsed = Timestamp::now().duration_since(started);
        if let Ok(mut metrics) = metrics.into_inner() {
            metrics.add("Duration", Unit::Milliseconds, elapsed.as_secs_f64() * 1000.0);
            metrics.property("InvocationId", event.context.request_id);
            metrics.emit(Timestamp::now());
        }
        Ok(response)
    }
}

/// Adds one to a metric of this invocation.
pub(crate) fn count(metrics: &Mutex<Metrics>, name: &'static str) {
    if let Ok(mut metrics) = metrics.lock() {
        metrics.add(name, Unit::Count, 1.0);
    }
}

fn delivery(record: &SqsMessage, invocation: &str, deadline_ms: u64) -> Result<Delivery, Retry> {
    let attribute = |name: &'static str| record.attributes.get(name).ok_or(Retry::Event(name));
    let sent_at =
        attribute("SentTimestamp")?.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let receive_count = attribute("ApproximateReceiveCount")?.parse().ok();
    let deadline = i64::try_from(deadline_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let deadline = deadline.ok_or(Retry::Event("a deadline"))?;
    let now = Timestamp::now();
    // Work stops at 80 % of the time there is, so that progress is saved within the rest.
    let usable = deadline.duration_since(now).max(SignedDuration::ZERO) * 4 / 5;
    Ok(Delivery {
        invocation: invocation.to_owned(),
        message_id: record.message_id.clone().ok_or(Retry::Event("a message id"))?,
        receive_count: receive_count.ok_or(Retry::Event("ApproximateReceiveCount"))?,
        sent_at: sent_at.ok_or(Retry::Event("SentTimestamp"))?,
        deadline,
        stop_at: now + usable,
    })
}

impl Invocation<'_> {
    async fn receive(&self, body: &str) -> Result<(), Retry> {
        match classify(body) {
            Message::Tick => {
                count(self.metrics, "Ticks");
                self.look_again(None).await
            }
            Message::HostEvent { detail_type, host } => {
                count(self.metrics, "HostEvents");
                let host = host.as_ref().map(HostId::as_str);
                tracing::info!(detail_type, host, "a host event: looking again");
                self.look_again(Some(self.delivery.sent_at)).await
            }
            Message::Envelope(Ok(envelope)) => self.open(&envelope, body).await,
            Message::Envelope(Err(error)) => {
                let denial = Denial { code: error.code, message: error.message.clone() };
                if error.answerable() {
                    let foundation = match self.tenant_bucket().rules().await? {
                        ReadRules::Rules(rules) => rules.foundation,
                        ReadRules::GateInvalid(foundation, _) => *foundation,
                    };
                    return self.refuse_body(&foundation, body, None, &denial).await;
                }
                self.note_refusal(&denial);
                Ok(())
            }
        }
    }

    /// `open` and `bind`: nothing is written before both have said yes.
    async fn open(&self, envelope: &Envelope, body: &str) -> Result<(), Retry> {
        let rules = match self.tenant_bucket().rules().await? {
            ReadRules::Rules(rules) => rules,
            ReadRules::GateInvalid(foundation, why) => {
                count(self.metrics, "GateInvalid");
                let denial = Denial { code: Code::GateInvalid, message: why };
                return self.refuse_body(&foundation, body, Some(envelope), &denial).await;
            }
        };
        let sent_at = self.delivery.sent_at;
        let opened = open(envelope, &rules.roots, sent_at)
            .map_err(|error| Denial { code: error.code, message: error.message })
            .and_then(|signer| {
                let request = Request::parse(&envelope.payload)
                    .map_err(|error| Denial { code: error.code, message: error.message })?;
                Ok((signer, request))
            });
        let (signer, request) = match opened {
            Ok(opened) => opened,
            Err(denial) => return self.refuse_body(&rules.foundation, body, Some(envelope), &denial).await,
        };
        tracing::Span::current().record("request_id", tracing::field::display(request.request_id));
        tracing::info!(
            identity = signer.identity.as_str(),
            action = request.order.action().as_str(),
            "request opened"
        );
        if let Err(denial) = bind(&request, &signer, &rules.foundation, sent_at) {
            return self.refuse_request(&rules.foundation, &request, envelope, &denial).await;
        }
        self.work_on(&rules, &request, envelope).await
    }

    /// `claim` and all that follows, with the line held.
    async fn work_on(&self, rules: &Rules, request: &Request, envelope: &Envelope) -> Result<(), Retry> {
        let store = self.store();
        let now = Timestamp::now();
        let brings = OpenRequest {
            request_id: request.request_id,
            reserved_hosts: match (&request.order, request.mode) {
                (Order::ProvisionHosts(order), Mode::Apply) => order.count,
                _ => 0,
            },
            deadline_at: Some(deadline(request, now)),
        };
        let mut line = HeldLine::take(&store, &self.delivery, Some(brings), now).await?;
        let worked = match claim(&store, request, envelope, self.delivery.sent_at, now).await? {
            Claim::Reused { finished } => {
                if finished {
                    line.close(request.request_id);
                }
                let denial = Denial {
                    code: Code::RequestIdReused,
                    message: format!("request id {} was used for another order", request.request_id),
                };
                self.refuse_request(&rules.foundation, request, envelope, &denial).await
            }
            Claim::Ours(mut record) => {
                let account = self.account(rules);
                let outage = OnceLock::new();
                let work = self.work(rules, &account, &store, line.open(), &outage);
                // A duplicate is answered with the same bytes; one that is finished needs nothing else.
                let worked = match work.resend(&record.value).await {
                    Ok(()) if record.value.finished => Ok(Standing::Finished),
                    Ok(()) => Box::pin(work.advance(&mut record)).await,
                    Err(error) => Err(error),
                };
                worked.map(|standing| {
                    if standing == Standing::Finished {
                        line.close(request.request_id);
                    }
                })
            }
        };
        line.give_back().await?;
        worked
    }

    pub(crate) fn store(&self) -> Store {
        // New for each delivery, so that a write is never taken for that of an earlier one.
        let writer = format!("{}/{}", self.delivery.invocation, Uuid::now_v7());
        Store::new(self.function.s3.clone(), &self.function.config.state_bucket, writer)
    }

    pub(crate) fn tenant_bucket(&self) -> TenantBucket {
        TenantBucket::new(self.function.s3.clone(), &self.function.config.tenant_bucket)
    }

    pub(crate) fn account(&self, rules: &Rules) -> Account {
        let enclave_id = &rules.foundation.audience.enclave_id;
        Account::new(&self.function.sdk, enclave_id, self.function.pacer.clone())
    }

    pub(crate) fn work<'a>(
        &'a self,
        rules: &'a Rules,
        account: &'a Account,
        store: &'a Store,
        open: &'a [OpenRequest],
        outage: &'a OnceLock<String>,
    ) -> Work<'a> {
        Work {
            sqs: &self.function.sqs,
            results_queue_url: &self.function.config.results_queue_url,
            tenant: self.tenant_bucket(),
            metrics: self.metrics,
            stop_at: self.delivery.stop_at,
            rules,
            account,
            store,
            open,
            outage,
        }
    }

    fn note_refusal(&self, denial: &Denial) {
        count(self.metrics, "Refused");
        tracing::warn!(code = %denial.code, reason = denial.message, "refused");
    }

    /// Answers a message that is no readable request by the hash of its body. Judged at the time it was sent, so
    /// that a redelivery gets the same bytes.
    async fn refuse_body(
        &self,
        foundation: &Foundation,
        body: &str,
        envelope: Option<&Envelope>,
        denial: &Denial,
    ) -> Result<(), Retry> {
        self.note_refusal(denial);
        let body_sha256 = sha256(body);
        let sent_at = self.delivery.sent_at;
        let mut reply = bare(foundation, Status::Rejected, denial.code, denial.message.clone(), sent_at);
        reply.body_sha256 = Some(body_sha256.clone());
        reply.envelope_sha256 = envelope.map(Envelope::sha256);
        self.send(&body_sha256, &serde_json::to_string(&reply)?).await
    }

    /// Answers a request that the ledger does not hold.
    async fn refuse_request(
        &self,
        foundation: &Foundation,
        request: &Request,
        envelope: &Envelope,
        denial: &Denial,
    ) -> Result<(), Retry> {
        self.note_refusal(denial);
        let sent_at = self.delivery.sent_at;
        let mut reply = bare(foundation, Status::Rejected, denial.code, denial.message.clone(), sent_at);
        reply.request_id = Some(request.request_id);
        reply.envelope_sha256 = Some(envelope.sha256());
        reply.action = Some(request.order.action());
        reply.mode = Some(request.mode);
        self.send(&request.request_id.to_string(), &serde_json::to_string(&reply)?).await
    }

    async fn send(&self, group: &str, body: &str) -> Result<(), Retry> {
        Ok(send(&self.function.sqs, &self.function.config.results_queue_url, group, body).await?)
    }
}
