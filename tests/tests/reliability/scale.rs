//! A thousand hosts in one request, and many requests: all are done, and each reply fits a message.
//!
//! `make scale` has the thousand requests, and prints what they cost.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use enclave_core::foundation::ZONE_KEY;
use enclave_protocol::code::Code;
use enclave_protocol::reply::{HostState, Status};
use enclave_tests::enclave::Options;
use enclave_tests::scale::measure;
use enclave_tests::wait::until;
use serde_json::json;

use crate::support::Zone;

/// Most bytes of one message: 1 MiB, body and attributes
/// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>).
const MESSAGE_LIMIT: usize = 1024 * 1024;

/// What a queue takes whose `MaximumMessageSize` was left as it was before that became 1 MiB.
const OLD_MESSAGE_LIMIT: usize = 256 * 1024;

/// Longest wait; the emulator's share of it is by far the largest.
const LIMIT: Duration = Duration::from_mins(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_hosts_of_one_request_are_ready_and_their_reply_fits_a_message() -> Result<()> {
    let cost = Box::pin(measure(1, 1000, None)).await?;
    ensure!(cost.largest_reply < OLD_MESSAGE_LIMIT, "{cost:?}");
    // Each host has one object, written when launched and when attested, and one look at its user data.
    ensure!(cost.ec2_calls < 1100, "{cost:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_requests_at_once_are_all_done_at_a_cost_that_does_not_grow_with_their_number() -> Result<()> {
    let few = Box::pin(measure(10, 1, None)).await?;
    let many = Box::pin(measure(60, 1, None)).await?;
    let calls = |cost: &enclave_tests::scale::Cost| cost.calls / cost.requests as usize;
    ensure!(calls(&many) <= calls(&few) * 3 / 2, "{few:?} {many:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_about_a_thousand_unfit_hosts_reaches_the_operator() -> Result<()> {
    let options = Options {
        tick_every: None,
        max_hosts: 1000,
        function_timeout: Duration::from_mins(15),
        ..Options::default()
    };
    let zone = Zone::start_with(options).await?;
    let made = zone.enclave.made();
    // Nothing of a host is as this says: its faults fill the longest description there is.
    let mut foundation = serde_json::to_value(&made.foundation)?;
    foundation["host_security_group_id"] = json!("sg-00000000000000000");
    foundation["volume_kms_key_arn"] = json!(format!("{}0", made.foundation.volume_kms_key_arn));
    foundation["instance_profile_arn"] = json!(format!("{}-other", made.foundation.instance_profile_arn));
    for zone in foundation["availability_zones"].as_object_mut().context("zones")?.values_mut() {
        zone["user_data_sha256"] = json!("0".repeat(64));
    }
    let put = zone.enclave.clients().s3.put_object().bucket(&made.buckets.tenant).key(ZONE_KEY);
    put.body(serde_json::to_vec(&foundation)?.into()).send().await?;

    let sent = zone.server.send(zone.server.request(zone.provision_hosts(1000))).await?;
    let mut handled = zone.enclave.event_source().handled();
    let reply = until("the final reply", LIMIT, async || {
        let tick = zone.enclave.tick().await?;
        while handled.recv().await?.message_id != tick {}
        Ok(zone.server.any_reply(&sent, Duration::from_secs(1)).await)
    });
    let reply = reply.await.with_context(|| zone.enclave.function().log_tail(5))?;
    assert_eq!((reply.status, reply.code), (Status::Failed, Code::AttestationFailed), "{}", reply.message);
    assert_eq!(reply.hosts.len(), 1000);
    for host in &reply.hosts {
        let length = host.reason.as_ref().map_or(0, String::len);
        ensure!(host.state == HostState::Terminated && length >= 200, "{host:?}");
    }
    ensure!(serde_json::to_string(&reply)?.len() < MESSAGE_LIMIT);
    assert_eq!(zone.live_hosts().await?.len(), 0);
    zone.enclave.shutdown().await;
    Ok(())
}
