//! Section 1: what was brought up.

use anyhow::Result;
use enclave_protocol::names::AvailabilityZone;
use enclave_tests::operator_ca::configuration_server_uri;

use crate::story::Story;

/// Shows it.
pub(crate) fn tell(story: &mut Story<'_>) -> Result<()> {
    let ready = story.enclave.ready()?;
    let queue = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    let zones = ready.host_subnet_ids.keys().map(AvailabilityZone::as_str).collect::<Vec<_>>().join(", ");
    story.screen.pairs(&[
        ("account", format!("{} in {}, emulated at {}", ready.account, ready.region, ready.endpoint_url)),
        ("zone", format!("{} with {}, in availability zones {zones}", ready.zone, ready.vpc_id)),
        ("tenant", ready.tenant.to_string()),
        ("operator", format!("registered as {}", configuration_server_uri(&ready.zone))),
        ("requests go to", queue(&ready.requests_queue_url)),
        ("replies come from", queue(&ready.results_queue_url)),
        ("volumes' key", ready.volume_kms_key_arn.clone()),
    ]);
    story.screen.say(
        "In a real account these two queues are all that the operator may use, and only the tenant may write\n\
         the rules. The emulator does not enforce permissions; what follows is enforced by the function.",
    );
    story.summary.about([
        ("account", ready.account),
        ("region", ready.region),
        ("zone", ready.zone),
        ("enclave_id", ready.enclave_id),
        ("tenant", ready.tenant.to_string()),
    ]);
    Ok(())
}
