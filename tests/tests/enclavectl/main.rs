//! `enclavectl` as a person runs it, against a local enclave; what it says is held against what boto3 sees.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail a test by panicking, as tests do"
)]

use std::path::PathBuf;
use std::process::Output;

use anyhow::{Context, Result};
use enclave_protocol::names::HostId;
use enclave_tests::enclave::{LocalEnclave, Options};
use enclave_tests::host_events::state_changed;
use enclave_tests::{emulator, paths};
use serde_json::{Value, json};

/// An enclave and its ready file.
struct Zone {
    enclave: LocalEnclave,
    ready: PathBuf,
}

impl Zone {
    async fn start(options: Options) -> Result<Self> {
        let enclave = LocalEnclave::start(options).await?;
        let ready = enclave.directory().join("ready.json");
        enclave.ready()?.write(&ready)?;
        Ok(Self { enclave, ready })
    }

    /// Runs `enclavectl` with the words of a line.
    async fn run(&self, line: &str) -> Result<Output> {
        let binary = paths::binary("enclavectl")?;
        let (ready, line) = (self.ready.clone(), line.to_owned());
        let run = move || {
            let mut command = std::process::Command::new(binary);
            command.arg("--enclave").arg(ready).args(line.split_whitespace()).output()
        };
        tokio::task::spawn_blocking(run).await?.context("enclavectl cannot be run")
    }

    /// Runs a request and reads its one JSON object.
    async fn request(&self, line: &str) -> Result<(Option<i32>, Value)> {
        let output = self.run(&format!("request {line} --json")).await?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let reply = serde_json::from_slice(&output.stdout).with_context(|| format!("{line}: {said}"))?;
        Ok((output.status.code(), reply))
    }

    async fn seen_by_boto3(&self) -> Result<Value> {
        let python = emulator::python().await?;
        let script = paths::repository().join("tests/tests/enclavectl/look.py");
        let ready = self.ready.clone();
        let run = move || std::process::Command::new(python).arg(script).arg(ready).output();
        let output = tokio::task::spawn_blocking(run).await??;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).with_context(|| said)
    }

    fn provision(&self, more: &str) -> String {
        let image = &self.enclave.made().hosts.images[0];
        format!("provision-hosts {CLUSTER} --count 2 --instance-type m7g.large --image {image} {more}")
    }
}

const CLUSTER: &str = "--application acme.shop.default --cluster content";

#[tokio::test(flavor = "multi_thread")]
async fn boto3_sees_exactly_the_hosts_and_balancers_that_the_replies_name() -> Result<()> {
    let zone = Zone::start(Options::default()).await?;
    let (code, reply) = zone.request(&zone.provision("")).await?;
    assert_eq!((code, &reply["status"]), (Some(0), &json!("done")), "{reply:#}");
    let key = &zone.enclave.made().keys.volumes;
    let mut hosts = serde_json::Map::new();
    let mut targets = String::new();
    for host in reply["hosts"].as_array().unwrap() {
        let id = host["host_id"].as_str().unwrap();
        targets.extend([" --target ", id]);
        let expected = json!({
            "public_ipv4": null, "primary_ipv6": [host["ipv6_address"]], "imds_tokens": "required", "volume_keys": [key],
        });
        hosts.insert(id.to_owned(), expected);
    }
    assert_eq!(zone.seen_by_boto3().await?, json!({"hosts": hosts, "balancers": []}));

    let (code, reply) =
        zone.request(&format!("configure-load-balancer {CLUSTER} --endpoint 443:8443{targets}")).await?;
    assert_eq!(code, Some(0), "{reply:#}");
    let name = &reply["load_balancer"]["dns_name"];
    assert_eq!(zone.seen_by_boto3().await?, json!({"hosts": hosts, "balancers": [name]}));

    zone.request(&format!("remove-load-balancer {CLUSTER}")).await?;
    let ends = targets.replace("--target", "--host-id");
    zone.request(&format!("deprovision-hosts {CLUSTER}{ends}")).await?;
    assert_eq!(zone.seen_by_boto3().await?, json!({"hosts": {}, "balancers": []}));
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_how_a_request_ended() -> Result<()> {
    let zone = Zone::start(Options::default()).await?;
    let (code, reply) = zone.request(&zone.provision("--mode plan")).await?;
    assert_eq!((code, &reply["plan"]["decision"]["allowed"]), (Some(0), &json!(true)), "{reply:#}");

    assert_eq!(zone.run("freeze --who me --why testing").await?.status.code(), Some(0));
    let (code, reply) = zone.request(&zone.provision("")).await?;
    assert_eq!((code, &reply["code"]), (Some(2), &json!("frozen")), "{reply:#}");
    assert_eq!(zone.run("unfreeze").await?.status.code(), Some(0));

    let no_room = enclave_tests::recording_proxy::Fault::Refuse("InsufficientInstanceCapacity");
    let rule = enclave_tests::recording_proxy::Rule::always("RunInstances", no_room);
    zone.enclave.proxy().script(vec![rule]);
    let (code, reply) = zone.request(&zone.provision("")).await?;
    assert_eq!((code, &reply["code"]), (Some(3), &json!("insufficient_capacity")), "{reply:#}");

    zone.enclave.event_source().pause().await;
    let unanswered = zone.run(&format!("request {} --wait-seconds 1", zone.provision(""))).await?;
    assert_eq!(unanswered.status.code(), Some(4), "{unanswered:?}");
    let misused = zone.run("request provision-hosts --count many").await?;
    assert_eq!(misused.status.code(), Some(1), "{misused:?}");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_shows_each_notice_once_and_leaves_replies_alone() -> Result<()> {
    let zone = Zone::start(Options::default()).await?;
    let (_, reply) = zone.request(&zone.provision("")).await?;
    let host: HostId = reply["hosts"][0]["host_id"].as_str().unwrap().parse()?;
    let clients = zone.enclave.clients();
    clients.ec2.terminate_instances().instance_ids(host.as_str()).send().await?;
    let made = zone.enclave.made();
    let event = state_changed(&made.foundation.audience, &host, "terminated").to_string();
    let send = clients.sqs.send_message().queue_url(&made.queues.requests.url).message_group_id("line");
    send.message_body(event).send().await?;

    let shown = zone.run("watch --wait-seconds 5 --json").await?;
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let notice: Value = serde_json::from_slice(&shown.stdout).context("one notice")?;
    assert_eq!(notice["host_id"], json!(host));
    assert_eq!(notice["event"]["kind"], "host_state_changed");
    let again = zone.run("watch --wait-seconds 1").await?;
    assert_eq!((again.status.code(), again.stdout), (Some(0), Vec::new()), "taken off");
    zone.enclave.shutdown().await;
    Ok(())
}
