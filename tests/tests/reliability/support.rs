//! A zone, orders in short, and the look from outside that every test ends with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_ec2::types::InstanceStateName;
use enclave_client::Sent;
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{Reply, Status};
use enclave_protocol::request::Order;
use enclave_tests::configuration_server::ConfigurationServer;
use enclave_tests::enclave::{LocalEnclave, Options};
use enclave_tests::orders;
use enclave_tests::wait::until;
use uuid::Uuid;

/// A local enclave with quick ticks and its configuration server.
pub(crate) struct Zone {
    pub(crate) enclave: LocalEnclave,
    pub(crate) server: ConfigurationServer,
}

impl Zone {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(Options { tick_every: Some(Duration::from_millis(150)), ..Options::default() }).await
    }

    pub(crate) async fn start_with(options: Options) -> Result<Self> {
        let enclave = LocalEnclave::start(options).await?;
        let server = ConfigurationServer::of(&enclave)?;
        Ok(Self { enclave, server })
    }

    pub(crate) fn provision_hosts(&self, count: u32) -> Order {
        orders::provision_hosts(count, &self.enclave.made().hosts.images[0])
    }

    /// Orders something that must succeed.
    pub(crate) async fn done(&self, order: Order) -> Result<Reply> {
        self.must_be_done(self.server.send(self.server.request(order)).await?).await
    }

    /// The final reply to what was sent, which must be `done`.
    pub(crate) async fn must_be_done(&self, sent: Sent) -> Result<Reply> {
        let log = || self.enclave.function().log_tail(30);
        let reply = self.server.final_reply(&sent).await.with_context(log)?;
        ensure!(reply.status == Status::Done, "{reply:#?}\n{}", log());
        Ok(reply)
    }

    /// Orders something and follows it to its final reply, whatever that is.
    pub(crate) async fn ended(&self, order: Order) -> Result<Reply> {
        let reply = self.server.order(order).await;
        reply.with_context(|| self.enclave.function().log_tail(30))
    }

    /// The final replies that were sent, one for each request.
    pub(crate) fn final_replies(&self) -> Vec<Reply> {
        let sent = self.enclave.calls().into_iter().filter(|call| call.action == "SendMessage");
        let replies =
            sent.filter_map(|call| serde_json::from_str::<Reply>(call.parameter("MessageBody")).ok());
        let replies: BTreeMap<_, _> =
            replies.filter(|reply| reply.status.is_final()).map(|reply| (reply.request_id, reply)).collect();
        replies.into_values().collect()
    }

    /// How often the function has made a call.
    pub(crate) fn count_calls(&self, action: &str) -> usize {
        self.enclave.calls().iter().filter(|call| call.action == action).count()
    }

    /// Ids of the instances that are neither ending nor ended.
    pub(crate) async fn live_hosts(&self) -> Result<BTreeSet<String>> {
        let mut pages = self.enclave.clients().ec2.describe_instances().into_paginator().send();
        let mut found = BTreeSet::new();
        while let Some(page) = pages.next().await {
            for instance in page?.reservations().iter().flat_map(|it| it.instances()) {
                let state = instance.state().and_then(|state| state.name());
                let ends =
                    matches!(state, Some(InstanceStateName::Terminated | InstanceStateName::ShuttingDown));
                if !ends {
                    found.insert(instance.instance_id().context("an instance without an id")?.to_owned());
                }
            }
        }
        Ok(found)
    }

    /// Root volume and image of every instance that is neither ending nor ended.
    pub(crate) async fn root_volumes(&self) -> Result<BTreeMap<String, (String, String)>> {
        let live = self.live_hosts().await?;
        let answer = self.enclave.clients().ec2.describe_instances().send().await?;
        let mut found = BTreeMap::new();
        for instance in answer.reservations().iter().flat_map(|it| it.instances()) {
            let id = instance.instance_id().context("an instance without an id")?;
            let root = instance.block_device_mappings().iter();
            let mut root = root.filter(|it| it.device_name() == instance.root_device_name());
            let root = root.find_map(|it| it.ebs()?.volume_id());
            if live.contains(id) {
                let volume = root.with_context(|| format!("{id} has no root volume"))?.to_owned();
                found.insert(id.to_owned(), (volume, instance.image_id().unwrap_or_default().to_owned()));
            }
        }
        Ok(found)
    }

    /// Host and state of each root volume replacement task that a request began.
    pub(crate) async fn root_volume_tasks(&self, request: Uuid) -> Result<Vec<(String, String)>> {
        let ec2 = &self.enclave.clients().ec2;
        let mut pages = ec2.describe_replace_root_volume_tasks().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            for task in page?.replace_root_volume_tasks() {
                let request = request.to_string();
                if task.tags().iter().any(|tag| tag.value() == Some(request.as_str())) {
                    let state = task.task_state().context("a task without a state")?.as_str().to_owned();
                    found.push((task.instance_id().unwrap_or_default().to_owned(), state));
                }
            }
        }
        Ok(found)
    }

    /// How many volumes, load balancers, listeners and target groups there are.
    pub(crate) async fn leftovers(&self) -> Result<[usize; 4]> {
        let clients = self.enclave.clients();
        let volumes = clients.ec2.describe_volumes().send().await?.volumes().len();
        let balancers = clients.elbv2.describe_load_balancers().send().await?;
        let mut listeners = 0;
        for balancer in balancers.load_balancers() {
            let arn = balancer.load_balancer_arn().context("a balancer without an ARN")?;
            listeners +=
                clients.elbv2.describe_listeners().load_balancer_arn(arn).send().await?.listeners().len();
        }
        let groups = clients.elbv2.describe_target_groups().send().await?.target_groups().len();
        Ok([volumes, balancers.load_balancers().len(), listeners, groups])
    }

    /// How many endpoint services there are, those being deleted included.
    pub(crate) async fn endpoint_services(&self) -> Result<usize> {
        let ec2 = &self.enclave.clients().ec2;
        let found = ec2.describe_vpc_endpoint_service_configurations().send().await?;
        Ok(found.service_configurations().len())
    }

    /// Waits until no request is open, then checks that every final reply to `request_id` had the same bytes and that
    /// the ledger agrees with the account on which hosts should run.
    pub(crate) async fn settled(&self, reply: &Reply) -> Result<()> {
        until("the line to be empty", Duration::from_secs(30), async || {
            let line = self.ledger_object("state/v1/line.json").await?;
            let empty = line["open"].as_array().is_some_and(Vec::is_empty) && line.get("lease").is_none();
            Ok(empty.then_some(()))
        })
        .await?;
        let id = reply.request_id.context("a reply without a request id")?.to_string();
        let sent: BTreeSet<String> = self
            .enclave
            .calls()
            .iter()
            .filter(|call| call.action == "SendMessage" && call.parameter("MessageGroupId") == id)
            .map(|call| call.parameter("MessageBody").to_owned())
            .filter(|body| serde_json::from_str::<Reply>(body).is_ok_and(|reply| reply.status.is_final()))
            .collect();
        ensure!(sent.len() == 1, "{} distinct final replies: {sent:#?}", sent.len());
        let running = self.ledger_hosts("running").await?;
        let live = self.live_hosts().await?;
        ensure!(running == live, "the ledger wants {running:?}, the account has {live:?}");
        Ok(())
    }

    async fn ledger_hosts(&self, desired: &str) -> Result<BTreeSet<String>> {
        let s3 = &self.enclave.clients().s3;
        let bucket = &self.enclave.made().buckets.state;
        let prefix = "state/v1/hosts/";
        let mut pages = s3.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut found = BTreeSet::new();
        while let Some(page) = pages.next().await {
            for key in page?.contents().iter().filter_map(|object| object.key()) {
                if self.ledger_object(key).await?["desired"] == desired {
                    found.insert(key.trim_start_matches(prefix).trim_end_matches(".json").to_owned());
                }
            }
        }
        Ok(found)
    }

    async fn ledger_object(&self, key: &str) -> Result<serde_json::Value> {
        let bucket = &self.enclave.made().buckets.state;
        let object = self.enclave.clients().s3.get_object().bucket(bucket).key(key).send().await?;
        let object: serde_json::Value = serde_json::from_slice(&object.body.collect().await?.to_vec())?;
        Ok(object["value"].clone())
    }
}

pub(crate) fn host_ids(reply: &Reply) -> Vec<HostId> {
    reply.hosts.iter().map(|host| host.host_id.clone()).collect()
}
