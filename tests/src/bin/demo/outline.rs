//! A signed request, as a person wants to see it.

use enclave_protocol::envelope::Envelope;
use enclave_protocol::names::InstanceType;
use enclave_protocol::request::{Mode, Order, Request};

/// Characters of a hash that are enough to tell it from another.
const HASH_CHARACTERS: usize = 16;

/// Name and value of what matters in a request and its envelope.
pub(crate) fn outline(request: &Request, envelope: &Envelope, signer: &str) -> Vec<(&'static str, String)> {
    let audience = &request.audience;
    let minutes = request.expires_at.duration_since(request.issued_at).as_mins();
    let mut pairs = vec![
        ("request", request.request_id.to_string()),
        ("order", format!("{}, {}", brief(&request.order), mode(request.mode))),
    ];
    if let Some((application, cluster)) = request.order.application_and_cluster() {
        pairs.push(("application", format!("{application}, cluster {cluster}")));
    }
    if let Order::ProvisionHosts(order) = &request.order {
        pairs.push(("image", order.image.to_string()));
    }
    pairs.extend([
        (
            "meant for",
            format!("zone {}, account {}, {}", audience.zone, audience.account, audience.enclave_id),
        ),
        ("tenant", request.tenant.to_string()),
        ("valid", format!("from {:.0} for {minutes} minutes", request.issued_at)),
        ("signed by", format!("{signer}, with {} certificates", envelope.certificate_chain.len())),
        ("signed bytes", format!("{}, SHA-256 {}…", envelope.pae().len(), short(&envelope.sha256()))),
    ]);
    pairs
}

/// The beginning of a hash.
pub(crate) fn short(hash: &str) -> &str {
    hash.get(..HASH_CHARACTERS).unwrap_or(hash)
}

/// An order in a few words.
pub(crate) fn brief(order: &Order) -> String {
    let action = order.action().as_str();
    match order {
        Order::ProvisionHosts(order) => {
            let types: Vec<&str> = order.instance_types.iter().map(InstanceType::as_str).collect();
            format!("{action}, {} × {}", order.count, types.join(" or "))
        }
        Order::DeprovisionHosts(order) => format!("{action}, {} hosts", order.host_ids.len()),
        Order::RebuildHosts(order) => {
            format!("{action}, {} hosts from {}", order.host_ids.len(), order.image)
        }
        Order::ConfigureLoadBalancer(order) => {
            let ports = order.endpoints.iter().map(|one| format!("port {}", one.port)).collect::<Vec<_>>();
            format!("{action}, {} in front of {} hosts", ports.join(", "), order.targets.len())
        }
        Order::RemoveLoadBalancer(_) | Order::Describe(_) => action.to_owned(),
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Apply => "to be carried out",
        Mode::Plan => "only to say what would be done",
    }
}
