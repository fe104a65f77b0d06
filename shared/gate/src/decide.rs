//! Decisions. Pure: the same rules, facts and request give the same answer.
//!
//! The tenant's Cedar policies are to be asked between [`authorize_signer`] and the limits of [`authorize_order`].

use enclave_protocol::chain::Opened;
use enclave_protocol::code::Code;
use enclave_protocol::names::{ImageId, TenantName};
use enclave_protocol::request::{Order, Request};
use thiserror::Error;

use crate::rules::{Gate, Role};

/// A refusal: its stable code and a sentence that names the offending value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct Denial {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
}

impl Denial {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Whether this signer may give orders at all: revocations first, then the register.
pub fn authorize_signer(gate: &Gate, signer: &Opened, request: &Request) -> Result<(), Denial> {
    let identity = signer.identity.as_str();
    let revoked = &gate.revocations;
    if revoked.identities.iter().any(|revoked| revoked == identity) {
        return Err(Denial::new(Code::Revoked, format!("{identity} is revoked")));
    }
    if revoked.key_sha256.iter().any(|revoked| revoked.eq_ignore_ascii_case(&signer.key_sha256)) {
        return Err(Denial::new(Code::Revoked, format!("the key {} is revoked", signer.key_sha256)));
    }
    if let Some(earliest) = revoked.issued_before.filter(|earliest| request.issued_at < *earliest) {
        return Err(Denial::new(
            Code::Revoked,
            format!("requests issued before {earliest} are revoked, this one was at {}", request.issued_at),
        ));
    }
    match gate.identities.iter().find(|known| known.identity == identity).map(|known| known.role) {
        Some(Role::Operator | Role::Tenant) => Ok(()),
        Some(Role::Host) => {
            Err(Denial::new(Code::UnknownIdentity, format!("{identity} is a host; hosts give no orders")))
        }
        None => Err(Denial::new(Code::UnknownIdentity, format!("{identity} is not registered"))),
    }
}

/// Whether the order keeps within the tenant's bounds.
///
/// `other_hosts` counts the zone's hosts without this request's own, those that other open requests may still launch
/// included; it is asked for `provision_hosts` only.
pub fn authorize_order(
    gate: &Gate,
    tenant: &TenantName,
    images: &[ImageId],
    other_hosts: u32,
    order: &Order,
) -> Result<(), Denial> {
    if let Some((application, _)) = order.application_and_cluster()
        && application.tenant() != tenant.as_str()
    {
        return Err(Denial::new(
            Code::WrongTenant,
            format!("{application} is not an application of {tenant}, whom this account is registered to"),
        ));
    }
    let Order::ProvisionHosts(order) = order else { return Ok(()) };
    if !images_in_force(gate, images).contains(&order.image) {
        return Err(Denial::new(
            Code::ImageNotAllowed,
            format!("{} is not on the tenant's list of images", order.image),
        ));
    }
    let limit = gate.limits.max_hosts;
    if other_hosts.saturating_add(order.count) > limit {
        return Err(Denial::new(
            Code::CapExceeded,
            format!("{} hosts more than the {other_hosts} there are would exceed {limit}", order.count),
        ));
    }
    Ok(())
}

/// The images hosts may boot: the foundation's, narrowed by the gate.
pub fn images_in_force(gate: &Gate, foundation: &[ImageId]) -> Vec<ImageId> {
    let narrowed = gate.limits.images.as_ref();
    foundation.iter().filter(|image| narrowed.is_none_or(|list| list.contains(image))).cloned().collect()
}
