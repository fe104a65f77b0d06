//! From an order to a request that can be signed.

use enclave_protocol::names::TenantName;
use enclave_protocol::request::{Audience, Mode, Order, Request};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::description::EnclaveDescription;

/// How long a request may lie before it is sent, in seconds, where nothing else is said; the enclave allows 900.
pub const DEFAULT_VALIDITY_SECONDS: u32 = 300;

/// All of a request but its id, its time and its signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The one enclave it is meant for.
    pub audience: Audience,
    /// The tenant that the account is registered to.
    pub tenant: TenantName,
    /// What is to be done.
    pub order: Order,
    /// Whether to act or only to say what would be done.
    pub mode: Mode,
    /// Seconds from the claim until an unfinished request fails; the enclave's default where absent.
    pub deadline_seconds: Option<u32>,
    /// Seconds from now in which it must be sent, at most 900.
    pub validity_seconds: u32,
}

impl Template {
    /// An order to this enclave, in mode `apply` with the default deadline and validity.
    pub fn new(enclave: &EnclaveDescription, order: Order) -> Self {
        Self {
            audience: enclave.audience(),
            tenant: enclave.tenant.clone(),
            order,
            mode: Mode::Apply,
            deadline_seconds: None,
            validity_seconds: DEFAULT_VALIDITY_SECONDS,
        }
    }
}

/// A new request, issued now.
pub fn request(template: Template) -> Request {
    request_at(template, Uuid::now_v7(), Timestamp::now())
}

/// A request of this id, issued at this time; its signer is filled in by [`crate::Signer::sign`].
pub fn request_at(template: Template, request_id: Uuid, issued_at: Timestamp) -> Request {
    let validity = SignedDuration::from_secs(i64::from(template.validity_seconds));
    Request {
        audience: template.audience,
        tenant: template.tenant,
        request_id,
        issued_at,
        expires_at: issued_at.saturating_add(validity).unwrap_or(Timestamp::MAX),
        certificate_sha256: String::new(),
        mode: template.mode,
        deadline_seconds: template.deadline_seconds,
        order: template.order,
    }
}
