//! A signed request, as a person wants to see it.

use enclave_protocol::envelope::Envelope;
use enclave_protocol::request::{Mode, Order, Request};

/// Characters of a hash that are enough to tell it from another.
const HASH_CHARACTERS: usize = 16;

/// Name and value of what matters in a request and its envelope.
pub(crate) fn outline(request: &Request, envelope: &Envelope, signer: &str) -> Vec<(&'static str, String)> {
    let audience = &request.audience;
    let minutes = request.expires_at.duration_since(request.issued_at).as_mins();
    vec![
        ("request", request.request_id.to_string()),
        ("order", format!("{}, {}", request.order.action().as_str(), mode(request.mode))),
        ("what", what(&request.order)),
        (
            "meant for",
            format!("zone {}, account {}, {}", audience.zone, audience.account, audience.enclave_id),
        ),
        ("tenant", request.tenant.to_string()),
        ("valid", format!("from {:.0} for {minutes} minutes", request.issued_at)),
        ("signed by", format!("{signer}, with {} certificates", envelope.certificate_chain.len())),
        ("signed bytes", format!("{}, SHA-256 {}…", envelope.pae().len(), short(&envelope.sha256()))),
    ]
}

/// The beginning of a hash.
pub(crate) fn short(hash: &str) -> &str {
    hash.get(..HASH_CHARACTERS).unwrap_or(hash)
}

/// An order in a few words.
pub(crate) fn what(order: &Order) -> String {
    match order {
        Order::ProvisionHosts(order) => {
            let types: Vec<&str> = order.instance_types.iter().map(|kind| kind.as_str()).collect();
            let (count, types) = (order.count, types.join(" or "));
            format!("{count} × {types} for {} / {}, image {}", order.application, order.cluster, order.image)
        }
        Order::DeprovisionHosts(order) => {
            format!("terminate {} hosts of {} / {}", order.host_ids.len(), order.application, order.cluster)
        }
        Order::ConfigureLoadBalancer(order) => {
            let ports =
                order.endpoints.iter().map(|one| format!("port {} to port {}", one.port, one.target_port));
            let (ports, hosts) = (ports.collect::<Vec<_>>().join(", "), order.targets.len());
            format!("{ports} of {hosts} hosts of {} / {}", order.application, order.cluster)
        }
        Order::RemoveLoadBalancer(order) => {
            format!("the load balancer of {} / {}", order.application, order.cluster)
        }
        Order::Describe(_) => "what there is in the zone".to_owned(),
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Apply => "to be carried out",
        Mode::Plan => "only to say what would be done",
    }
}
