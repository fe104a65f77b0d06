//! Our own pace of calls.

use std::time::Duration;

use anyhow::Result;
use enclave_protocol::reply::Status;
use enclave_tests::enclave::Options;
use enclave_tests::wait::until;

use crate::support::Zone;

/// A fifth of the usual pace: one launch at once, the next after 2.5 seconds.
fn slow() -> Options {
    Options { tick_every: None, pace_percent: 20, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_before_its_turn_waits_for_a_tick_and_is_made_once() -> Result<()> {
    let zone = Zone::start_with(slow()).await?;
    let mut handled = zone.enclave.event_source().handled();
    let sent = zone.server.send(zone.server.request(zone.provision_hosts(2))).await?;
    handled.recv().await?;
    assert_eq!(zone.count_calls("RunInstances"), 1, "two pools, one turn");
    assert_eq!(zone.live_hosts().await?.len(), 1);

    let last = until("the final reply", Duration::from_mins(1), async || {
        zone.enclave.tick().await?;
        Ok(zone.server.any_reply(&sent, Duration::from_secs(2)).await)
    })
    .await?;
    assert_eq!(last.status, Status::Done, "{last:#?}");
    assert_eq!((zone.count_calls("RunInstances"), zone.live_hosts().await?.len()), (2, 2));
    zone.enclave.shutdown().await;
    Ok(())
}
