//! `bind`: whether a request is meant for this enclave, this signer and this time.

use enclave_core::foundation::Foundation;
use enclave_gate::Denial;
use enclave_protocol::chain::Opened;
use enclave_protocol::code::Code;
use enclave_protocol::request::{MAX_VALIDITY_SECONDS, Request};
use jiff::{SignedDuration, Timestamp};

/// How far a configuration server's clock may be ahead of SQS's.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Checks audience, tenant, certificate and time. `sent_at` is the message's SQS `SentTimestamp`, so that every
/// delivery is judged as the first.
pub(crate) fn bind(
    request: &Request,
    signer: &Opened,
    foundation: &Foundation,
    sent_at: Timestamp,
) -> Result<(), Denial> {
    let (named, own) = (&request.audience, &foundation.audience);
    let audience = [
        (Code::WrongAccount, "account", &named.account, &own.account),
        (Code::WrongRegion, "region", &named.region, &own.region),
        (Code::WrongZone, "zone", &named.zone, &own.zone),
        (Code::WrongEnclave, "enclave", &named.enclave_id, &own.enclave_id),
    ];
    for (code, field, named, own) in audience {
        if named != own {
            let named: String = named.chars().take(80).collect();
            return deny(code, format!("the request is for {field} {named:?}, this is {own:?}"));
        }
    }
    if request.tenant != foundation.tenant {
        return deny(
            Code::WrongTenant,
            format!("the request is for tenant {}, this account is {}'s", request.tenant, foundation.tenant),
        );
    }
    if request.certificate_sha256 != signer.certificate_sha256 {
        return deny(
            Code::CertificateMismatch,
            format!("the request names another certificate than {}", signer.certificate_sha256),
        );
    }
    let validity = request.expires_at.duration_since(request.issued_at);
    if validity <= SignedDuration::ZERO || validity > SignedDuration::from_secs(MAX_VALIDITY_SECONDS) {
        return deny(
            Code::InvalidValidity,
            format!("a request is valid for 1 to {MAX_VALIDITY_SECONDS} seconds, not {}", validity.as_secs()),
        );
    }
    if request.issued_at.duration_since(sent_at) > MAX_CLOCK_SKEW {
        return deny(
            Code::IssuedInFuture,
            format!("issued at {}, but sent at {sent_at} already", request.issued_at),
        );
    }
    if sent_at > request.expires_at {
        return deny(Code::Expired, format!("sent at {sent_at}, after it expired at {}", request.expires_at));
    }
    Ok(())
}

fn deny(code: Code, message: String) -> Result<(), Denial> {
    Err(Denial { code, message })
}
