//! A zone of its own for each test, and orders in short.

use anyhow::Result;
use aws_sdk_ec2::types::{Instance, InstanceStateName};
use enclave_client::Sent;
use enclave_protocol::names::HostId;
use enclave_protocol::notice::{FromEnclave, Notice};
use enclave_protocol::reply::Reply;
use enclave_protocol::request::{Order, Request};
use enclave_tests::configuration_server::ConfigurationServer;
use enclave_tests::enclave::{LocalEnclave, Options};
use enclave_tests::host_events::state_changed;
use enclave_tests::orders;
use enclave_tests::recording_proxy::Call;

/// A local enclave and its configuration server.
pub(crate) struct Zone {
    pub(crate) enclave: LocalEnclave,
    pub(crate) server: ConfigurationServer,
}

impl Zone {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    pub(crate) async fn start_with(options: Options) -> Result<Self> {
        let enclave = LocalEnclave::start(options).await?;
        let server = ConfigurationServer::of(&enclave)?;
        Ok(Self { enclave, server })
    }

    pub(crate) fn provision_hosts(&self, count: u32) -> Order {
        orders::provision_hosts(count, &self.enclave.made().hosts.images[0])
    }

    pub(crate) async fn provisioned(&self, count: u32) -> Result<Vec<HostId>> {
        let reply = self.server.order(self.provision_hosts(count)).await?;
        anyhow::ensure!(
            reply.hosts.len() == count as usize,
            "{reply:#?}\n{}",
            self.enclave.function().log_tail(40)
        );
        Ok(host_ids(&reply))
    }
}

pub(crate) fn host_ids(reply: &Reply) -> Vec<HostId> {
    reply.hosts.iter().map(|host| host.host_id.clone()).collect()
}

/// Live instances of the account, seen past the function.
pub(crate) async fn live_instances(zone: &Zone) -> Result<Vec<Instance>> {
    let mut pages = zone.enclave.clients().ec2.describe_instances().into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(
            page?
                .reservations
                .unwrap_or_default()
                .into_iter()
                .flat_map(|it| it.instances.unwrap_or_default()),
        );
    }
    let ended = [InstanceStateName::Terminated, InstanceStateName::ShuttingDown];
    found.retain(|it| it.state().and_then(|state| state.name()).is_some_and(|name| !ended.contains(name)));
    Ok(found)
}

/// How often the function has made a call.
pub(crate) fn count_calls(zone: &Zone, action: &str) -> usize {
    zone.enclave.calls().iter().filter(|call| call.action == action).count()
}

/// The calls that change EC2 or balancers, by name.
pub(crate) fn changing_calls(zone: &Zone) -> Vec<String> {
    let changes = |call: &Call| {
        matches!(call.service.as_str(), "ec2" | "elasticloadbalancing")
            && !call.action.starts_with("Describe")
    };
    zone.enclave.calls().into_iter().filter(changes).map(|call| call.action).collect()
}

/// Writes an object of the tenant bucket, as the tenant would.
pub(crate) async fn write_tenant_object(zone: &Zone, key: &str, value: &impl serde::Serialize) -> Result<()> {
    let bucket = &zone.enclave.made().buckets.tenant;
    let body = serde_json::to_vec(value)?;
    zone.enclave.clients().s3.put_object().bucket(bucket).key(key).body(body.into()).send().await?;
    Ok(())
}

/// Deletes an object of the tenant bucket.
pub(crate) async fn delete_tenant_object(zone: &Zone, key: &str) -> Result<()> {
    let bucket = &zone.enclave.made().buckets.tenant;
    zone.enclave.clients().s3.delete_object().bucket(bucket).key(key).send().await?;
    Ok(())
}

/// The value of an object of the ledger.
pub(crate) async fn ledger_object(zone: &Zone, key: &str) -> Result<serde_json::Value> {
    let bucket = &zone.enclave.made().buckets.state;
    let object = zone.enclave.clients().s3.get_object().bucket(bucket).key(key).send().await?;
    let object: serde_json::Value = serde_json::from_slice(&object.body.collect().await?.to_vec())?;
    Ok(object["value"].clone())
}

/// Ticks and waits until the function has handled it.
pub(crate) async fn tick(zone: &Zone) -> Result<()> {
    let mut handled = zone.enclave.event_source().handled();
    let message_id = zone.enclave.tick().await?;
    loop {
        if handled.recv().await?.message_id == message_id {
            return Ok(());
        }
    }
}

/// Puts a message on the line and waits until the function has handled it once; says whether it was worked off.
pub(crate) async fn give(zone: &Zone, body: &serde_json::Value) -> Result<bool> {
    let mut handled = zone.enclave.event_source().handled();
    let queue = &zone.enclave.made().queues.requests.url;
    let send = zone.enclave.clients().sqs.send_message().queue_url(queue).message_body(body.to_string());
    let message_id = send.message_group_id("line").send().await?.message_id;
    loop {
        let message = handled.recv().await?;
        if Some(&message.message_id) == message_id.as_ref() {
            return Ok(message.succeeded);
        }
    }
}

/// Tells the line that a host is in another state, as EventBridge would; the line looks for itself.
pub(crate) async fn tell_state(zone: &Zone, host: &HostId, state: &str) -> Result<()> {
    let event = state_changed(&zone.enclave.made().foundation.audience, host, state);
    anyhow::ensure!(give(zone, &event).await?, "{}", zone.enclave.function().log_tail(20));
    Ok(())
}

/// The notices that were sent, byte for byte; those included that the queue drops as already sent.
pub(crate) fn notice_bodies(zone: &Zone) -> Vec<String> {
    let sent = zone.enclave.calls().into_iter().filter(|call| call.action == "SendMessage");
    let bodies = sent.map(|call| call.parameter("MessageBody").to_owned());
    bodies.filter(|body| matches!(FromEnclave::parse(body), Ok(FromEnclave::Notice(_)))).collect()
}

/// The notices that were sent.
pub(crate) fn notices(zone: &Zone) -> Vec<Notice> {
    notice_bodies(zone).iter().map(|body| serde_json::from_str(body).expect("a notice")).collect()
}

/// Changes an object of the ledger behind the function's back: the way to let time pass in it.
pub(crate) async fn change_ledger_object(
    zone: &Zone,
    key: &str,
    change: impl FnOnce(&mut serde_json::Value),
) -> Result<()> {
    let (s3, bucket) = (&zone.enclave.clients().s3, &zone.enclave.made().buckets.state);
    let object = s3.get_object().bucket(bucket).key(key).send().await?;
    let mut object: serde_json::Value = serde_json::from_slice(&object.body.collect().await?.to_vec())?;
    change(&mut object["value"]);
    let body = serde_json::to_vec(&object)?;
    s3.put_object().bucket(bucket).key(key).body(body.into()).send().await?;
    Ok(())
}

/// Sends an order and waits until the function has handled its message once.
pub(crate) async fn send_and_handle(zone: &Zone, request: Request) -> Result<Sent> {
    let mut handled = zone.enclave.event_source().handled();
    let sent = zone.server.send(request).await?;
    handled.recv().await?;
    Ok(sent)
}

/// A zone in which nothing ticks by itself.
pub(crate) fn without_ticks() -> Options {
    Options { tick_every: None, ..Options::default() }
}
