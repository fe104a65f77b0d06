//! What every section needs: the enclave, a configuration server, the screen, and the record of it all.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use enclave_core::ledger::{LINE_KEY, Line};
use enclave_core::store::Store;
use enclave_protocol::envelope::Envelope;
use enclave_protocol::names::ImageId;
use enclave_protocol::reply::{Reply, Status};
use enclave_protocol::request::Order;
use enclave_tests::configuration_server::ConfigurationServer;
use enclave_tests::enclave::LocalEnclave;
use enclave_tests::recording_proxy::Call;
use enclave_tests::wait;

use crate::account::Snapshot;
use crate::check::Check;
use crate::outline::brief;
use crate::screen::Screen;
use crate::summary::{Action, Calls, Summary, changing};

/// Longest time the function needs to put its tools away after a reply.
const SETTLING: Duration = Duration::from_secs(30);

/// The story so far.
pub(crate) struct Story<'a> {
    /// Where it plays.
    pub(crate) enclave: &'a LocalEnclave,
    /// Who gives the orders.
    pub(crate) server: ConfigurationServer,
    /// Who is told.
    pub(crate) screen: &'a Screen,
    /// What is kept.
    pub(crate) summary: &'a mut Summary,
}

/// A point in the record of the function's calls to AWS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(u64);

impl<'a> Story<'a> {
    /// Begins it.
    pub(crate) fn new(
        enclave: &'a LocalEnclave,
        screen: &'a Screen,
        summary: &'a mut Summary,
    ) -> Result<Self> {
        Ok(Self { enclave, server: ConfigurationServer::of(enclave)?, screen, summary })
    }

    /// An image that the tenant allows.
    pub(crate) fn image(&self) -> Result<&'a ImageId> {
        self.enclave.made().hosts.images.first().context("the enclave has no image")
    }

    /// The account as anybody sees it.
    pub(crate) async fn look(&self) -> Result<Snapshot> {
        Snapshot::take(self.enclave.clients()).await.context("cannot read the account")
    }

    /// Signs and sends an order as it is, and follows it to its end, which must be `done`.
    pub(crate) async fn order(&mut self, order: Order) -> Result<Reply> {
        let what = brief(&order);
        let envelope = self.server.sign(self.server.request(order))?;
        self.carry_out(&what, &envelope).await
    }

    /// The same for what is signed already.
    pub(crate) async fn carry_out(&mut self, what: &str, envelope: &Envelope) -> Result<Reply> {
        let reply = self.exchange(what, envelope).await?;
        if reply.status != Status::Done {
            bail!("{what} ended as {:?} ({}): {}", reply.status, reply.code, reply.message);
        }
        Ok(reply)
    }

    /// Sends an envelope, good or bad, and follows it to its final reply, whatever that is.
    pub(crate) async fn exchange(&mut self, what: &str, envelope: &Envelope) -> Result<Reply> {
        let (moment, begin) = (self.now(), Instant::now());
        let waiting = self.screen.wait(what);
        let sent = self.server.send_body(&envelope.to_json()).await?;
        let reply = self.server.final_reply(&sent).await?;
        let duration = begin.elapsed();
        self.settle().await?;
        let calls = Calls::of(&self.calls_since(moment));
        waiting.done(&format!("{what}: {}", reply.code), &format!(", {}", calls.in_short()));
        self.summary.action(Action::new(what, envelope, reply.clone(), duration, calls));
        Ok(reply)
    }

    /// Shows checks and keeps them; fails when one does not hold.
    pub(crate) fn check(&mut self, checks: impl IntoIterator<Item = Check>) -> Result<()> {
        let mut broken = Vec::new();
        for check in checks {
            self.screen.mark(&check.promise, check.fault.as_deref());
            self.summary.check(&check);
            broken.extend(check.fault.map(|fault| format!("{}: {fault}", check.promise)));
        }
        if broken.is_empty() {
            return Ok(());
        }
        bail!("this does not hold: {}", broken.join("; "))
    }

    /// That nothing changed since: neither what the account holds, nor by any call of the function.
    pub(crate) async fn unchanged_since(&self, moment: Moment, before: &Snapshot) -> Result<[Check; 2]> {
        let after = self.look().await?;
        let calls = changing(&self.calls_since(moment));
        Ok([
            Check::same("hosts, volumes and balancers are what they were before", before, &after),
            Check::without("the function made no call to EC2 or ELBv2 that changes anything", &calls),
        ])
    }

    /// Now, in the record of the function's calls.
    pub(crate) fn now(&self) -> Moment {
        Moment(self.enclave.calls().last().map_or(0, |call| call.sequence))
    }

    /// What the function called since.
    pub(crate) fn calls_since(&self, moment: Moment) -> Vec<Call> {
        self.enclave.calls().into_iter().filter(|call| call.sequence > moment.0).collect()
    }

    /// Waits until nobody works on the line: the function writes to its ledger after it has replied.
    pub(crate) async fn settle(&self) -> Result<()> {
        let free = async || Ok(self.line().await?.lease.is_none().then_some(()));
        wait::until("the function gives the line back", SETTLING, free).await
    }

    /// The line as it stands in the ledger.
    pub(crate) async fn line(&self) -> Result<Line> {
        let bucket = &self.enclave.made().buckets.state;
        let store = Store::new(self.enclave.clients().s3.clone(), bucket, "demo");
        Ok(store.read::<Line>(LINE_KEY).await?.map(|line| line.value).unwrap_or_default())
    }
}
