//! Section 2: a signed request becomes hosts.

use anyhow::Result;
use enclave_protocol::envelope::Envelope;
use enclave_protocol::reply::{HostResult, HostState};
use enclave_tests::operator_ca::configuration_server_uri;
use serde::Serialize;

use crate::check::Check;
use crate::orders;
use crate::outline::{brief, outline};
use crate::screen::Screen;
use crate::story::Story;

/// How many hosts are asked for.
const COUNT: u32 = 3;

/// The request and the hosts that it brought.
#[derive(Debug)]
pub(crate) struct Provisioned {
    /// The request as it was sent.
    pub(crate) envelope: Envelope,
    /// The hosts of its reply.
    pub(crate) hosts: Vec<HostResult>,
}

/// Provisions.
pub(crate) async fn tell(story: &mut Story<'_>) -> Result<Provisioned> {
    story.screen.section(2, "Three hosts");
    story.screen.say("The operator's configuration server signs this request and puts it on the queue.");
    let order = orders::provision(COUNT, story.image()?)?;
    let request = story.server.request(order);
    let signer = configuration_server_uri(&request.audience.zone);
    let envelope = story.server.sign(request.clone())?;
    story.screen.pairs(&outline(&request, &envelope, &signer));
    let reply = story.carry_out(&brief(&request.order), &envelope).await?;
    table(story.screen, &reply.hosts);
    let strangers: Vec<&HostResult> = reply
        .hosts
        .iter()
        .filter(|host| host.state != HostState::Ready || host.ipv6_address.is_none())
        .collect();
    story.check([
        Check::same("the reply answers this request", &Some(request.request_id), &reply.request_id),
        Check::same(
            "the reply names the signed bytes by their hash",
            &Some(envelope.sha256()),
            &reply.envelope_sha256,
        ),
        Check::same("as many hosts as were asked for", &(COUNT as usize), &reply.hosts.len()),
        Check::without("every host is ready: running, attested, with an IPv6 address", &strangers),
    ])?;
    Ok(Provisioned { envelope, hosts: reply.hosts })
}

/// Hosts as a reply names them.
pub(crate) fn table(screen: &Screen, hosts: &[HostResult]) {
    let rows = hosts.iter().map(|host| {
        [
            host.host_id.to_string(),
            host.instance_type.as_ref().map(ToString::to_string).unwrap_or_default(),
            host.availability_zone.as_ref().map(ToString::to_string).unwrap_or_default(),
            word(&host.state),
            host.ipv6_address.map(|address| address.to_string()).unwrap_or_default(),
        ]
    });
    screen.table(["host", "type", "AZ", "state", "primary IPv6"], rows);
}

/// A word of the protocol as it stands on the wire.
pub(crate) fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
