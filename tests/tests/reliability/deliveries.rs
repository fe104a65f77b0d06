//! Messages that come again: after a death with the queue's own timing, as copies, and too often.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::types::QueueAttributeName;
use enclave_client::Sent;
use enclave_protocol::reply::{Reply, Status};
use enclave_tests::enclave::Options;
use enclave_tests::event_source::Handled;
use enclave_tests::recording_proxy::{Fault, Rule};
use enclave_tests::wait::until;
use tokio::sync::broadcast::Receiver;

use crate::support::{Zone, host_ids};

/// Longest wait for one delivery: longer than any visibility timeout here.
const LIMIT: Duration = Duration::from_mins(3);

/// How often a message is delivered before the queue sets it aside.
const RECEIVES: u32 = 5;

async fn quiet(options: Options) -> Result<Zone> {
    Zone::start_with(Options { tick_every: None, ..options }).await
}

async fn next(handled: &mut Receiver<Handled>) -> Result<Handled> {
    Ok(tokio::time::timeout(LIMIT, handled.recv()).await.context("no delivery")??)
}

/// Ticks until what was sent has its final reply.
async fn follow(zone: &Zone, sent: &Sent) -> Result<Reply> {
    until("the final reply", LIMIT, async || {
        if let Some(reply) = zone.server.any_reply(sent, Duration::from_millis(500)).await {
            return Ok(Some(reply));
        }
        zone.enclave.tick().await?;
        Ok(None)
    })
    .await
}

/// The request was carried out once: so many hosts run, and its final reply is one.
async fn carried_out_once(zone: &Zone, reply: &Reply, count: usize) -> Result<()> {
    ensure!(reply.status == Status::Done, "{reply:#?}");
    ensure!(zone.live_hosts().await? == host_ids(reply).iter().map(ToString::to_string).collect());
    ensure!(reply.hosts.len() == count, "{reply:#?}");
    zone.settled(reply).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_invocations_message_comes_back_after_its_visibility_timeout_and_is_finished_once()
-> Result<()> {
    let options = Options {
        visibility_on_failure: None,
        function_timeout: Duration::from_secs(10),
        ..Options::default()
    };
    let zone = quiet(options).await?;
    let requests = &zone.enclave.made().queues.requests.url;
    let name = QueueAttributeName::VisibilityTimeout;
    let asked = zone.enclave.clients().sqs.get_queue_attributes().queue_url(requests);
    let known = asked.attribute_names(name.clone()).send().await?.attributes.unwrap_or_default();
    let visibility = Duration::from_secs(known.get(&name).context("a timeout")?.parse()?);
    assert_eq!(visibility, Duration::from_secs(40), "the function's timeout and half a minute");

    zone.enclave.proxy().script(vec![Rule::once("RunInstances", Fault::KillAfter)]);
    let mut handled = zone.enclave.event_source().handled();
    let before = Instant::now();
    let sent = zone.server.send(zone.server.request(zone.provision_hosts(2))).await?;
    let died = next(&mut handled).await?;
    assert!(!died.succeeded, "{died:?}");
    // The line keeps its order: what is sent now waits behind the message that is out of sight.
    let tick = zone.enclave.tick().await?;
    let back = next(&mut handled).await?;
    assert_eq!(back.message_id, died.message_id);
    assert!(back.succeeded, "{back:?}");
    assert!(before.elapsed() >= visibility, "it came back after {:?}", before.elapsed());
    assert_eq!(next(&mut handled).await?.message_id, tick);
    let reply = follow(&zone, &sent).await?;
    carried_out_once(&zone, &reply, 2).await?;
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_an_order_are_dropped_by_the_queue_or_answered_as_the_first_while_it_dies() -> Result<()> {
    let zone = quiet(Options::default()).await?;
    let body = zone.server.sign(zone.server.request(zone.provision_hosts(2)))?.to_json();
    zone.enclave.proxy().script(vec![
        Rule::once("RunInstances", Fault::KillAfter),
        Rule { after: 1, ..Rule::once("SendMessage", Fault::KillAfter) },
    ]);
    let mut handled = zone.enclave.event_source().handled();
    zone.enclave.event_source().pause().await;
    let sent = zone.server.send_body(&body).await?;
    // The very same body within five minutes is one message; in other bytes it is another one of the same order.
    zone.server.send_body(&body).await?;
    let copies = [format!("{body} "), format!(" {body}")];
    for copy in &copies {
        zone.server.send_body(copy).await?;
    }
    zone.enclave.event_source().resume();
    let (mut messages, mut worked_off) = (BTreeSet::new(), 0);
    while worked_off < 1 + copies.len() {
        let message = next(&mut handled).await?;
        messages.insert(message.message_id);
        worked_off += usize::from(message.succeeded);
    }
    let reply = follow(&zone, &sent).await?;
    // Every further message is a tick of ours.
    assert_eq!(messages.len(), 1 + copies.len(), "{messages:?}");
    zone.server.send_body(&body).await?;
    zone.server.send_body(&format!("{body}\n")).await?;
    carried_out_once(&zone, &reply, 2).await?;
    let launches: BTreeSet<String> = zone
        .enclave
        .calls()
        .iter()
        .filter(|call| call.action == "RunInstances")
        .map(|call| call.parameter("ClientToken").to_owned())
        .collect();
    assert_eq!(launches.len(), 2, "one for each of the two pools");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_message_went_to_the_dead_letters_is_finished_by_a_tick() -> Result<()> {
    // The lease that the dead leave behind ends with their own time.
    let options = Options { function_timeout: Duration::from_secs(10), ..Options::default() };
    let zone = quiet(options).await?;
    let dies = Rule { times: RECEIVES, ..Rule::once("RunInstances", Fault::KillBefore) };
    zone.enclave.proxy().script(vec![dies]);
    let mut handled = zone.enclave.event_source().handled();
    let body = zone.server.sign(zone.server.request(zone.provision_hosts(1)))?.to_json();
    let sent = zone.server.send_body(&body).await?;
    for _ in 0..RECEIVES {
        assert!(!next(&mut handled).await?.succeeded);
    }
    let reply = follow(&zone, &sent).await?;
    carried_out_once(&zone, &reply, 1).await?;
    let queues = &zone.enclave.made().queues;
    let dead = zone.enclave.clients().sqs.receive_message().queue_url(&queues.requests_dead_letters.url);
    let dead = dead.max_number_of_messages(10).send().await?;
    ensure!(dead.messages().iter().any(|message| message.body() == Some(&body)), "{dead:#?}");
    zone.enclave.shutdown().await;
    Ok(())
}
