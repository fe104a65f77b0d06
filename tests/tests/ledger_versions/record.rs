//! Keeps what this version leaves half way: `make ledger-fixtures NAME=ledger-v2`.
//!
//! Messages are given to the function by hand, so that nothing is delivered again and no tick goes further than meant.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use enclave_protocol::names::HostId;
use enclave_protocol::reply::{Reply, Status};
use enclave_protocol::request::Order;
use enclave_tests::configuration_server::ConfigurationServer;
use enclave_tests::enclave::{LocalEnclave, Options};
use enclave_tests::function::Outcome;
use enclave_tests::orders;
use enclave_tests::outside::Outside;
use enclave_tests::recording_proxy::{Call, Fault, Rule};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::account::{certificate, foundation_names};
use crate::fixture::{Change, DEADLINE, LEASE_END, Names, RequestOf, Scene, Standing, fixtures};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes into tests/fixtures: make ledger-fixtures NAME=ledger-v2"]
async fn keep_what_this_version_leaves_half_way() -> Result<()> {
    let name = std::env::var("NAME").context("NAME says which folder of tests/fixtures is written")?;
    let folder = fixtures().join(&name);
    ensure!(name.starts_with("ledger-"), "{name}: the folder's name begins with ledger-");
    ensure!(!folder.exists(), "{} is kept as that version left it: take another name", folder.display());
    let enclave = LocalEnclave::start(Options { tick_every: None, ..Options::default() }).await?;
    enclave.event_source().pause().await;
    let mut recorder = Recorder {
        server: ConfigurationServer::of(&enclave)?,
        names: turned_round(foundation_names(&enclave)),
        requests: Vec::new(),
        enclave,
    };
    recorder.play().await?;
    recorder.write(&folder).await?;
    recorder.enclave.shutdown().await;
    Ok(())
}

struct Recorder {
    enclave: LocalEnclave,
    server: ConfigurationServer,
    /// Drawn ids, and the placeholders that stand for them.
    names: Names,
    requests: Vec<RequestOf>,
}

impl Recorder {
    /// Everything that is kept, one cluster for each.
    async fn play(&mut self) -> Result<()> {
        self.finished("kept", self.provision(1)).await?;
        let shrinking = self.finished("shrinking", self.provision(2)).await?;
        let balanced = self.finished("balanced", self.provision(2)).await?;
        let bare = self.finished("bare", self.provision(1)).await?;
        self.finished("bare", orders::configure_load_balancer(&[(443, 4443)], &bare)).await?;

        let left = Rule::always("DeleteTargetGroup", Fault::Refuse("ResourceInUse"));
        self.half_way(Standing::TargetGroupLeft, "bare", orders::remove_load_balancer(), vec![left]).await?;
        let unanswered = Rule::always("CreateListener", Fault::LoseRequest);
        let order = orders::configure_load_balancer(&[(443, 4443), (80, 4480)], &balanced);
        self.half_way(Standing::ListenerUnanswered, "balanced", order, vec![unanswered]).await?;
        let template = |zone: &str| {
            let zone = zone.parse().expect("an availability zone");
            let id = self.enclave.made().hosts.launch_templates[&zone].id.clone();
            Some(("LaunchTemplate.LaunchTemplateId", id))
        };
        let lost = |zone, fault| Rule { parameter: template(zone), ..Rule::always("RunInstances", fault) };
        let rules = vec![lost("us-east-1a", Fault::LoseRequest), lost("us-east-1b", Fault::LoseAnswer)];
        self.half_way(Standing::LaunchesUnanswered, "unanswered", self.provision(2), rules).await?;
        self.half_way(Standing::Launched, "launched", self.provision(2), Vec::new()).await?;
        let order = orders::deprovision_hosts(&shrinking[..1]);
        self.half_way(Standing::ShuttingDown, "shrinking", order, Vec::new()).await?;
        // The last one: it leaves the lease behind.
        let dies = Rule { after: 1, ..Rule::once("PutObject", Fault::KillAfter) };
        self.half_way(Standing::Claimed, "claimed", self.provision(1), vec![dies]).await
    }

    fn provision(&self, count: u32) -> Order {
        orders::provision_hosts(count, &self.enclave.made().hosts.images[0])
    }

    /// Carries an order out; the hosts of its reply.
    async fn finished(&mut self, cluster: &str, order: Order) -> Result<Vec<HostId>> {
        let id = self.give(Standing::Finished, cluster, order).await?;
        for _ in 0..20 {
            let finals = self.replies(&id).into_iter().find(|reply| reply.status.is_final());
            if let Some(reply) = finals {
                ensure!(reply.status == Status::Done, "{reply:#?}");
                return Ok(reply.hosts.into_iter().map(|host| host.host_id).collect());
            }
            self.invoke(&json!({ "tick": uuid::Uuid::now_v7() }).to_string()).await?;
        }
        bail!("{cluster} does not come to an end:\n{}", self.enclave.function().log_tail(20))
    }

    /// Begins an order and leaves it where the rules stop it.
    async fn half_way(
        &mut self,
        standing: Standing,
        cluster: &str,
        order: Order,
        rules: Vec<Rule>,
    ) -> Result<()> {
        self.enclave.proxy().script(rules);
        let id = self.give(standing, cluster, order).await?;
        self.enclave.proxy().script(Vec::new());
        let ended = self.replies(&id).iter().any(|reply| reply.status.is_final());
        ensure!(!ended, "{standing:?} was not stopped half way");
        Ok(())
    }

    /// Gives the function a signed order; the request's id.
    async fn give(&mut self, standing: Standing, cluster: &str, order: Order) -> Result<String> {
        let order = orders::for_cluster(order, cluster);
        let signed = serde_json::to_value(&order)?;
        let request = self.server.request(order);
        let request_id = request.request_id.to_string();
        self.requests.push(RequestOf { standing, request_id: request_id.clone(), order: signed });
        let outcome = self.invoke(&self.server.sign(request)?.to_json()).await?;
        let died = matches!(outcome, Outcome::Exited { .. });
        ensure!(died == (standing == Standing::Claimed), "{standing:?}: {outcome:?}");
        self.learn_names().await?;
        Ok(request_id)
    }

    /// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-fifo-queue-message-event>
    async fn invoke(&self, body: &str) -> Result<Outcome> {
        let record = json!({
            "messageId": uuid::Uuid::now_v7(),
            "receiptHandle": "by hand",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": Timestamp::now().as_millisecond().to_string(),
                "MessageGroupId": "line",
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": self.enclave.made().queues.requests.arn,
            "awsRegion": self.enclave.endpoint().region,
        });
        Ok(self.enclave.function().invoke(json!({ "Records": [record] })).await?.outcome)
    }

    fn replies(&self, request_id: &str) -> Vec<Reply> {
        let sent = self.enclave.calls().into_iter().filter(|call| call.action == "SendMessage");
        sent.filter(|call| call.parameter("MessageGroupId") == request_id)
            .filter_map(|call| serde_json::from_str(call.parameter("MessageBody")).ok())
            .collect()
    }

    /// Names the ARNs that were drawn, while what they name is there.
    async fn learn_names(&mut self) -> Result<()> {
        let seen = self.look().await?;
        for (arn, balancer) in &seen.balancers {
            self.names.insert(arn.clone(), format!("{{{{load balancer {}}}}}", balancer.name));
        }
        for (arn, group) in &seen.groups {
            self.names.insert(arn.clone(), format!("{{{{target group {}}}}}", group.name));
        }
        for (arn, listener) in &seen.listeners {
            let name = &seen.balancers[&listener.balancer].name;
            self.names.insert(arn.clone(), format!("{{{{listener {} of {name}}}}}", listener.port));
        }
        Ok(())
    }

    async fn look(&self) -> Result<Outside> {
        Outside::look(self.enclave.clients(), &self.enclave.made().buckets.state).await
    }

    async fn write(&self, folder: &Path) -> Result<()> {
        let (seen, made) = (self.look().await?, self.enclave.made());
        let mut changes: Vec<Change> = Vec::new();
        for call in self.enclave.calls() {
            if let Some(change) = change(&call, &seen)
                && !changes.contains(&change)
            {
                changes.push(change);
            }
        }
        let put = |name: &str, value: &Value| {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().context("a folder")?)?;
            let mut text = serde_json::to_string_pretty(value)?;
            for (drawn, placeholder) in self.names.iter().rev() {
                text = text.replace(drawn.as_str(), placeholder);
            }
            fs::write(&file, text + "\n").with_context(|| format!("cannot write {}", file.display()))
        };
        put("changes.json", &serde_json::to_value(changes)?)?;
        let scene = Scene {
            audience: serde_json::to_value(&made.foundation.audience)?,
            root_certificate: certificate(&self.enclave),
            image: made.hosts.images[0].to_string(),
            balancer_security_group: made.network.balancer_security_group_id.clone(),
            requests: self
                .requests
                .iter()
                .map(|it| RequestOf { order: it.order.clone(), request_id: it.request_id.clone(), ..*it })
                .collect(),
        };
        put("scene.json", &serde_json::to_value(scene)?)?;
        let s3 = &self.enclave.clients().s3;
        let listed = s3.list_objects_v2().bucket(&made.buckets.state).send().await?;
        for key in listed.contents().iter().filter_map(|object| object.key()) {
            let object = s3.get_object().bucket(&made.buckets.state).key(key).send().await?;
            let mut object: Value = serde_json::from_slice(&object.body.collect().await?.to_vec())?;
            if key.starts_with("state/v1/requests/") && object["value"]["finished"] != true {
                object["value"]["deadline_at"] = json!(DEADLINE);
            }
            if let Some(lease) = object["value"].get_mut("lease") {
                lease["until"] = json!(LEASE_END);
            }
            put(key, &object)?;
        }
        Ok(())
    }
}

/// What a call changed, if it did: not only what was answered with success, but also a launch whose answer was lost.
fn change(call: &Call, seen: &Outside) -> Option<Change> {
    let changing = matches!(call.service.as_str(), "ec2" | "elasticloadbalancing");
    if !changing || call.action.starts_with("Describe") {
        return None;
    }
    let token = call.parameter("ClientToken");
    let launched = seen.instances.iter().filter(|(_, it)| !token.is_empty() && it.client_token == token);
    let hosts: Vec<String> = launched.map(|(id, _)| id.clone()).collect();
    let lost = call.action == "RunInstances" && !hosts.is_empty();
    if call.status != 200 && !lost {
        return None;
    }
    let made = match call.action.as_str() {
        "CreateTargetGroup" => Some(format!("{{{{target group {}}}}}", call.parameter("Name"))),
        "CreateLoadBalancer" => Some(format!("{{{{load balancer {}}}}}", call.parameter("Name"))),
        // The name of its balancer stands at the end of the ARN, before a part that is drawn.
        "CreateListener" => {
            let name = call.parameter("LoadBalancerArn").rsplit('/').nth(1)?;
            Some(format!("{{{{listener {} of {name}}}}}", call.parameter("Port")))
        }
        _ => None,
    };
    let (service, action, parameters) = (call.service.clone(), call.action.clone(), call.parameters.clone());
    Some(Change { service, action, parameters, hosts, made })
}

fn turned_round(names: Names) -> Names {
    names.into_iter().map(|(placeholder, drawn)| (drawn, placeholder)).collect::<BTreeMap<_, _>>()
}
