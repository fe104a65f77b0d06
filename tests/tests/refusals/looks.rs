//! Forged ticks and host events: they carry no order, so all that they bring about is a look.

use anyhow::{Result, ensure};
use enclave_protocol::reply::{HostState, InventoryHost, Status};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::orders::{describe, provision};
use crate::zone::{Seen, Zone};

fn state_change(host: &str, state: &str) -> Value {
    json!({
        "version": "0",
        "id": Uuid::now_v7(),
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [format!("arn:aws:ec2:us-east-1:123456789012:instance/{host}")],
        "detail": { "instance-id": host, "state": state },
    })
}

/// What a look itself writes: that the line is held, and when the look was had.
const OWN: [&str; 2] = ["state/v1/line.json", "state/v1/watch.json"];

/// Sees that nothing came of a message but a look, which tells nobody.
fn only_looked(name: &str, seen: &Seen, counted: &str) -> Result<()> {
    ensure!(seen.consumed, "{name}: not consumed");
    ensure!(seen.changes().is_empty(), "{name}: {:?}", seen.changes());
    ensure!(seen.writes().iter().all(|key| OWN.contains(key)), "{name}: wrote {:?}", seen.writes());
    ensure!(seen.bodies().is_empty(), "{name}: answered {:?}", seen.bodies());
    ensure!((seen.metric(counted) - 1.0).abs() < f64::EPSILON, "{name}: {:#?}", seen.metrics);
    ensure!(seen.metric("Refused") == 0.0, "{name}: {:#?}", seen.metrics);
    Ok(())
}

/// The hosts, as the inventory has them.
async fn listed(zone: &Zone, name: &str) -> Result<Vec<InventoryHost>> {
    let reply = zone.accepts(name, &zone.signed(zone.server.request(describe()))?).await?;
    Ok(reply.inventory.expect("describe lists").hosts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_tick_or_host_event_brings_about_nothing_but_a_look() -> Result<()> {
    let zone = Zone::start().await?;
    let reply = zone.carry_out(provision(&zone, 1)).await?;
    let host = reply.hosts[0].host_id.as_str();
    let before = listed(&zone, "before").await?;
    assert_eq!(before.len(), 1);
    for tick in ["forged", "", "../../v1/gate.json", &Uuid::nil().to_string()] {
        let seen = zone.give(&json!({ "tick": tick }).to_string()).await?;
        only_looked(&format!("tick {tick:?}"), &seen, "Ticks")?;
    }
    let order = serde_json::to_value(zone.server.sign(zone.server.request(provision(&zone, 1)))?)?;
    let mut with_order = state_change(host, "running");
    with_order["order"] = json!({ "action": "provision_hosts", "count": 1000 });
    let mut with_envelope = state_change(host, "running");
    with_envelope.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
    let events = [
        ("a host that is terminated, but is not", state_change(host, "terminated")),
        ("a host that is stopped, but is not", state_change(host, "stopped")),
        ("a host that nobody has", state_change("i-0123456789abcdef0", "running")),
        ("a host that is no host", state_change("'; terminate --all", "running")),
        (
            "a spot interruption",
            json!({ "detail-type": "EC2 Spot Instance Interruption Warning", "source": "aws.ec2",
            "detail": { "instance-id": host, "instance-action": "terminate" } }),
        ),
        ("an event of no kind", json!({ "detail-type": "", "source": "" })),
        ("an event of a very long kind", json!({ "detail-type": "x".repeat(60_000), "source": "aws.ec2" })),
        ("an event with an order", with_order),
        ("an event with a whole envelope", with_envelope),
    ];
    for (name, event) in events {
        only_looked(name, &zone.give(&event.to_string()).await?, "HostEvents")?;
    }
    assert_eq!(listed(&zone, "after").await?, before);
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_host_event_is_not_believed_while_the_host_is_on_its_way() -> Result<()> {
    let zone = Zone::start().await?;
    let first = zone.give(&zone.signed(zone.server.request(provision(&zone, 1)))?).await?;
    assert_eq!(first.reply()?.status, Status::InProgress);
    let ec2 = &zone.enclave.clients().ec2;
    let instances = ec2.describe_instances().send().await?;
    let host = instances.reservations()[0].instances()[0].instance_id().unwrap().to_owned();
    let mut last = first;
    for state in ["terminated", "running", "stopped"] {
        last = zone.give(&state_change(&host, state).to_string()).await?;
        ensure!(last.consumed && last.changes().is_empty(), "{state}: {:?}", last.changes());
        if !last.bodies().is_empty() {
            break;
        }
    }
    let done = zone.follow(last).await?;
    let hosts: Vec<(&str, HostState)> =
        done.hosts.iter().map(|host| (host.host_id.as_str(), host.state)).collect();
    assert_eq!(hosts, [(host.as_str(), HostState::Ready)], "{done:#?}");
    zone.end().await
}
