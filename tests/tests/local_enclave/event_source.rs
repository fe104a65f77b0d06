//! SQS and the schedule as event sources.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry};
use enclave_tests::enclave::{LocalEnclave, Options};
use enclave_tests::event_source::{EventSource, EventSourceOptions, Handled};
use enclave_tests::foundation::Queue;
use enclave_tests::function::Outcome;
use enclave_tests::wait;
use serde_json::{Value, json};
use tokio::sync::broadcast::Receiver;

use crate::support::{LIMIT, echo_options, start};

async fn send(enclave: &LocalEnclave, body: Value) -> String {
    let message = enclave.clients().sqs.send_message().queue_url(&enclave.made().queues.requests.url);
    let sent = message.message_group_id("zone").message_body(body.to_string()).send().await.unwrap();
    sent.message_id.unwrap()
}

async fn next(handled: &mut Receiver<Handled>) -> Handled {
    tokio::time::timeout(LIMIT, handled.recv()).await.expect("nothing was handled").unwrap()
}

/// The record of a message, as the echo function saw it.
fn record(handled: &Handled) -> Value {
    let Outcome::Response(answer) = &handled.invocation.outcome else { panic!("{handled:?}") };
    let records = answer["records"].as_array().unwrap();
    records.iter().find(|record| record["messageId"] == handled.message_id.as_str()).unwrap().clone()
}

async fn visible(enclave: &LocalEnclave, queue: &Queue) -> u32 {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let get =
        enclave.clients().sqs.get_queue_attributes().queue_url(&queue.url).attribute_names(name.clone());
    get.send().await.unwrap().attributes.unwrap()[&name].parse().unwrap()
}

#[tokio::test]
async fn requests_come_one_by_one_in_order_as_lambda_words_them() {
    let enclave = start(echo_options()).await;
    let mut handled = enclave.event_source().handled();
    enclave.event_source().pause().await;
    let mut sent = Vec::new();
    for number in 0..5 {
        sent.push(send(&enclave, json!({ "number": number })).await);
    }
    let queues = &enclave.made().queues;
    assert_eq!(visible(&enclave, &queues.requests).await, 5);
    enclave.event_source().resume();

    let mut got = Vec::new();
    for number in 0..5 {
        let message = next(&mut handled).await;
        assert!(message.succeeded);
        let record = record(&message);
        assert_eq!(record["body"], json!({ "number": number }).to_string());
        assert_eq!(record["eventSource"], "aws:sqs");
        assert_eq!(record["eventSourceARN"], queues.requests.arn.as_str());
        assert_eq!(record["awsRegion"], "us-east-1");
        assert_eq!(record["messageAttributes"], json!({}));
        assert_eq!(record["md5OfBody"].as_str().unwrap().len(), 32);
        let attributes = &record["attributes"];
        assert_eq!(attributes["MessageGroupId"], "zone");
        assert_eq!(attributes["ApproximateReceiveCount"], "1");
        for name in [
            "SentTimestamp",
            "ApproximateFirstReceiveTimestamp",
            "SequenceNumber",
            "MessageDeduplicationId",
            "SenderId",
        ] {
            assert!(attributes[name].is_string(), "{name} in {attributes}");
        }
        got.push(message.message_id);
    }
    assert_eq!(got, sent);
    // Deleted, not merely invisible.
    let name = QueueAttributeName::ApproximateNumberOfMessagesNotVisible;
    let sqs = &enclave.clients().sqs;
    let left = wait::until("the last message is deleted", LIMIT, async || {
        let get = sqs.get_queue_attributes().queue_url(&queues.requests.url).attribute_names(name.clone());
        let known = get.send().await?.attributes.unwrap_or_default();
        Ok((known.get(&name).map(String::as_str) == Some("0")).then_some(()))
    });
    left.await.unwrap();
    enclave.shutdown().await;
}

#[tokio::test]
async fn a_partial_failure_returns_only_what_failed_in_order() {
    let enclave = start(Options { batch_size: 10, ..echo_options() }).await;
    let mut handled = enclave.event_source().handled();
    enclave.event_source().pause().await;
    let first = send(&enclave, json!({ "number": 1 })).await;
    let second = send(&enclave, json!({ "mode": "fail", "until": 2 })).await;
    let third = send(&enclave, json!({ "number": 3 })).await;
    enclave.event_source().resume();

    let mut got = Vec::new();
    while got.len() < 5 {
        let message = next(&mut handled).await;
        got.push((message.message_id, message.succeeded));
    }
    let wanted = [(&first, true), (&second, false), (&third, false), (&second, true), (&third, true)];
    assert_eq!(got, wanted.map(|(id, succeeded)| (id.clone(), succeeded)));
    enclave.shutdown().await;
}

#[tokio::test]
async fn what_never_succeeds_ends_among_the_dead_letters_and_holds_up_nobody() {
    let enclave = start(echo_options()).await;
    let mut handled = enclave.event_source().handled();
    enclave.event_source().pause().await;
    let poison = send(&enclave, json!({ "mode": "exit" })).await;
    let good = send(&enclave, json!({ "number": 2 })).await;
    enclave.event_source().resume();
    for _receive in 0..5 {
        let message = next(&mut handled).await;
        assert_eq!((message.message_id, message.succeeded), (poison.clone(), false));
        assert!(matches!(message.invocation.outcome, Outcome::Exited { .. }));
    }
    let message = next(&mut handled).await;
    assert_eq!((message.message_id, message.succeeded), (good, true));

    let dead = &enclave.made().queues.requests_dead_letters;
    let receive = enclave.clients().sqs.receive_message().queue_url(&dead.url);
    let received =
        receive.message_system_attribute_names(MessageSystemAttributeName::All).send().await.unwrap();
    let letters = received.messages();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].message_id(), Some(poison.as_str()));
    assert_eq!(letters[0].attributes().unwrap()[&MessageSystemAttributeName::MessageGroupId], "zone");
    enclave.shutdown().await;
}

#[tokio::test]
async fn a_request_that_outlives_the_deadline_is_delivered_again() {
    let enclave = start(Options { function_timeout: Duration::from_secs(1), ..echo_options() }).await;
    let mut handled = enclave.event_source().handled();
    let hanging = send(&enclave, json!({ "mode": "hang", "until": 2 })).await;
    let message = next(&mut handled).await;
    assert_eq!((message.message_id, message.invocation.outcome), (hanging.clone(), Outcome::TimedOut));
    let message = next(&mut handled).await;
    assert!(message.message_id == hanging && message.succeeded);
    assert_eq!(record(&message)["attributes"]["ApproximateReceiveCount"], "2");
    enclave.shutdown().await;
}

#[tokio::test]
async fn a_standard_queue_gathers_a_batch_within_its_window() {
    let enclave = start(echo_options()).await;
    let sqs = &enclave.clients().sqs;
    let url = sqs.create_queue().queue_name("archive-events").send().await.unwrap().queue_url.unwrap();
    for tens in 0..3 {
        let entry = |number: u32| {
            let body = json!({ "number": tens * 10 + number }).to_string();
            SendMessageBatchRequestEntry::builder().id(number.to_string()).message_body(body).build().unwrap()
        };
        let entries = (0..10).map(entry).collect();
        sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    }
    let function = Arc::new(enclave_tests::function::Function::new(enclave.function().options().clone()));
    let queue = Queue { url, arn: "arn:aws:sqs:us-east-1:123456789012:archive-events".to_owned() };
    let options = EventSourceOptions {
        batch_size: 30,
        window: Duration::from_mins(1),
        visibility_on_failure: Some(Duration::ZERO),
        region: "us-east-1".to_owned(),
    };
    let source = EventSource::start(sqs.clone(), queue, function, options);
    let mut handled = source.handled();
    let first = next(&mut handled).await;
    let Outcome::Response(answer) = first.invocation.outcome else { panic!("no answer") };
    assert_eq!(answer["records"].as_array().unwrap().len(), 30);
    drop(source);
    enclave.shutdown().await;
}

#[tokio::test]
async fn ticks_come_by_themselves_by_hand_and_never_pile_up() {
    let enclave = start(Options { tick_every: Some(Duration::from_millis(50)), ..echo_options() }).await;
    let mut handled = enclave.event_source().handled();
    let first = record(&next(&mut handled).await);
    let second = record(&next(&mut handled).await);
    assert_ne!(first["body"], second["body"]);
    let tick: Value = serde_json::from_str(first["body"].as_str().unwrap()).unwrap();
    assert_eq!(tick.as_object().unwrap().len(), 1);
    tick["tick"].as_str().unwrap().parse::<uuid::Uuid>().unwrap();
    assert_eq!(first["attributes"]["MessageGroupId"], "dev.aws-us-east-1");

    enclave.event_source().pause().await;
    let requests = &enclave.made().queues.requests;
    let queued = async || Ok((visible(&enclave, requests).await == 1).then_some(()));
    wait::until("a tick waits", LIMIT, queued).await.unwrap();
    // That something does not happen shows only with time: this is long enough for ten more.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(visible(&enclave, requests).await, 1);

    let by_hand = enclave.tick().await.unwrap();
    assert_eq!(visible(&enclave, requests).await, 2);
    enclave.event_source().resume();
    while next(&mut handled).await.message_id != by_hand {}
    enclave.shutdown().await;
}
