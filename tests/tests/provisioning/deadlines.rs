//! No claimed request stays open: the tick ends each by its deadline, whatever became of its message.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sqs::types::QueueAttributeName;
use enclave_client::Sent;
use enclave_gate::GATE_KEY;
use enclave_protocol::code::Code;
use enclave_protocol::reply::Status;
use enclave_protocol::request::Request;
use enclave_tests::enclave::Options;
use enclave_tests::recording_proxy::{Fault, Rule};
use enclave_tests::wait::until;
use jiff::Timestamp;

use crate::support::{
    Zone, count_calls, ledger_object, live_instances, send_and_handle, tick, without_ticks,
    write_tenant_object,
};

/// How long a dead function's lease keeps others from the line, at most.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(8);

/// A deadline, in seconds, that even a busy machine reaches only after all of a test's requests were sent and handled once.
const LATE: u32 = 15;

async fn dead_letters(zone: &Zone) -> Result<u32> {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let queue = &zone.enclave.made().queues.requests_dead_letters.url;
    let get =
        zone.enclave.clients().sqs.get_queue_attributes().queue_url(queue).attribute_names(name.clone());
    let attributes = get.send().await?.attributes.context("a queue without attributes")?;
    Ok(attributes.get(&name).context("no count")?.parse()?)
}

/// Sends a request at which the function dies at every delivery, until the queue sets it aside.
async fn set_aside(zone: &Zone, request: Request) -> Result<Sent> {
    let killed = Rule::always("DescribeInstances", Fault::KillBefore);
    zone.enclave.proxy().script(vec![killed]);
    let sent = zone.server.send(request).await?;
    until("the message to be set aside", Duration::from_mins(1), async || {
        Ok((dead_letters(zone).await? == 1).then_some(()))
    })
    .await?;
    assert_eq!(count_calls(zone, "DescribeInstances"), 5, "once for each delivery");
    Ok(sent)
}

/// Ticks until a final reply is there. A dead function's lease may turn a few ticks away.
async fn ticked_to_its_end(zone: &Zone, sent: &Sent) -> Result<enclave_protocol::reply::Reply> {
    until("the final reply", Duration::from_mins(1), async || {
        zone.enclave.tick().await?;
        Ok(zone.server.any_reply(sent, Duration::from_secs(2)).await)
    })
    .await
    .with_context(|| zone.enclave.function().log_tail(30))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_message_went_to_the_dead_letters_is_finished_by_the_tick() -> Result<()> {
    let zone = Zone::start_with(Options { function_timeout: FUNCTION_TIMEOUT, ..without_ticks() }).await?;
    let sent = set_aside(&zone, zone.server.request(zone.provision_hosts(2))).await?;
    zone.enclave.proxy().script(Vec::new());
    let reply = ticked_to_its_end(&zone, &sent).await?;
    assert_eq!((reply.status, reply.hosts.len()), (Status::Done, 2), "{reply:#?}");
    assert_eq!(live_instances(&zone).await?.len(), 2);
    assert_eq!(ledger_object(&zone, "state/v1/line.json").await?["open"], serde_json::json!([]));
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_went_to_the_dead_letters_and_cannot_be_worked_on_ends_at_its_deadline() -> Result<()> {
    let zone = Zone::start_with(Options { function_timeout: FUNCTION_TIMEOUT, ..without_ticks() }).await?;
    let request = Request { deadline_seconds: Some(2), ..zone.server.request(zone.provision_hosts(2)) };
    let sent = set_aside(&zone, request).await?;
    zone.enclave.proxy().script(vec![Rule::always("DescribeInstances", Fault::Refuse("InternalError"))]);
    let reply = ticked_to_its_end(&zone, &sent).await?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::DeadlineExceeded), "{reply:#?}");
    assert_eq!(count_calls(&zone, "RunInstances"), 0);
    zone.enclave.shutdown().await;
    Ok(())
}

async fn passes(zone: &Zone, request: &Request) -> Result<()> {
    let key = format!("state/v1/requests/{}.json", request.request_id);
    let deadline: Timestamp =
        serde_json::from_value(ledger_object(zone, &key).await?["deadline_at"].clone())?;
    until("the deadline to pass", Duration::from_secs(40), async || {
        Ok((Timestamp::now() > deadline).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tick_ends_all_late_requests_while_nothing_can_be_read() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    zone.enclave.proxy().script(vec![Rule::always("DescribeInstances", Fault::Refuse("InternalError"))]);
    let mut sent = Vec::new();
    // The oldest has time left; the others are late.
    for deadline_seconds in [None, Some(LATE), Some(LATE), Some(LATE)] {
        let request = Request { deadline_seconds, ..zone.server.request(zone.provision_hosts(1)) };
        sent.push((send_and_handle(&zone, request.clone()).await?, request));
    }
    passes(&zone, &sent[3].1).await?;
    zone.enclave.forget_calls();
    tick(&zone).await?;
    // The SDK's own three tries for the first late one, for the one in time, and for the look; none for the others.
    assert_eq!(count_calls(&zone, "DescribeInstances"), 9);
    for (sent, _) in &sent[1..] {
        let reply = zone.server.any_reply(sent, Duration::from_secs(20)).await.context("no reply")?;
        assert_eq!((reply.status, reply.code), (Status::Failed, Code::DeadlineExceeded), "{reply:#?}");
    }
    let open = ledger_object(&zone, "state/v1/line.json").await?["open"].clone();
    assert_eq!(open.as_array().map(Vec::len), Some(1), "{open}");
    zone.enclave.shutdown().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_cannot_be_read_ends_late_requests_and_changes_nothing() -> Result<()> {
    let zone = Zone::start_with(without_ticks()).await?;
    let late = Request { deadline_seconds: Some(LATE), ..zone.server.request(zone.provision_hosts(1)) };
    let sent = send_and_handle(&zone, late.clone()).await?;
    let waiting = send_and_handle(&zone, zone.server.request(zone.provision_hosts(1))).await?;
    write_tenant_object(&zone, GATE_KEY, &"no gate").await?;
    passes(&zone, &late).await?;
    zone.enclave.forget_calls();
    tick(&zone).await?;
    let reply = zone.server.any_reply(&sent, Duration::from_secs(20)).await.context("no reply")?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::DeadlineExceeded), "{reply:#?}");
    assert!(reply.message.contains("gate"), "{reply:#?}");
    assert_eq!(reply.hosts.len(), 1, "what exists is reported");
    assert_eq!(crate::support::changing_calls(&zone), Vec::<String>::new());

    write_tenant_object(&zone, GATE_KEY, &zone.enclave.made().gate).await?;
    let reply = ticked_to_its_end(&zone, &waiting).await?;
    assert_eq!(reply.status, Status::Done, "{reply:#?}");
    zone.enclave.shutdown().await;
    Ok(())
}
