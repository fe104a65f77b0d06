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
            return deny(code, format!("the request is for {field} {named:?}, which this is not"));
        }
    }
    if request.tenant != foundation.tenant {
        return deny(
            Code::WrongTenant,
            format!("the request is for tenant {}, whom this account is not registered to", request.tenant),
        );
    }
    if request.certificate_sha256 != signer.certificate_sha256 {
        return deny(
            Code::CertificateMismatch,
            format!(
                "the request names certificate {:.80}, it came with {}",
                request.certificate_sha256, signer.certificate_sha256
            ),
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
            format!("issued at {:.3}, but sent at {sent_at:.3} already", request.issued_at),
        );
    }
    if sent_at > request.expires_at {
        return deny(
            Code::Expired,
            format!("sent at {sent_at:.3}, after it expired at {:.3}", request.expires_at),
        );
    }
    Ok(())
}

fn deny(code: Code, message: String) -> Result<(), Denial> {
    Err(Denial { code, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{CLAIMED, at, foundation, provision, request};

    fn signer() -> Opened {
        Opened {
            identity: "spiffe://operator.example/cs".parse().unwrap(),
            certificate_sha256: "cc".to_owned(),
            key_sha256: "kk".to_owned(),
        }
    }

    /// What becomes of a request changed so, sent at the claim's time.
    fn bound(change: impl Fn(&mut Request)) -> Option<Code> {
        let mut request = request(provision(1));
        change(&mut request);
        bind(&request, &signer(), &foundation(), at(CLAIMED)).err().map(|denial| denial.code)
    }

    #[test]
    fn a_request_for_this_enclave_signer_and_time_is_bound() {
        assert_eq!(bound(|_| ()), None);
    }

    #[test]
    fn each_single_mismatch_has_its_own_code() {
        type Spoil = fn(&mut Request);
        let mismatches: [(Spoil, Code); 6] = [
            (|r| r.audience.account = "111111111111".to_owned(), Code::WrongAccount),
            (|r| r.audience.region = "us-east-2".to_owned(), Code::WrongRegion),
            (|r| r.audience.zone = "prod.aws-us-east-1a".to_owned(), Code::WrongZone),
            (|r| r.audience.enclave_id = "e-0".to_owned(), Code::WrongEnclave),
            (|r| r.tenant = "other".parse().unwrap(), Code::WrongTenant),
            (|r| r.certificate_sha256 = "CC".to_owned(), Code::CertificateMismatch),
        ];
        for (change, code) in mismatches {
            assert_eq!(bound(change), Some(code));
        }
    }

    #[test]
    fn a_request_is_valid_for_more_than_nothing_and_at_most_fifteen_minutes() {
        for (seconds, expected) in [
            (900, None),
            (901, Some(Code::InvalidValidity)),
            (11, None),
            (0, Some(Code::InvalidValidity)),
            (-1, Some(Code::InvalidValidity)),
        ] {
            let issued = CLAIMED - 10;
            assert_eq!(bound(|r| r.expires_at = at(issued + seconds)), expected, "{seconds}");
        }
        let just_over = SignedDuration::from_millis(900_001);
        assert_eq!(bound(|r| r.expires_at = r.issued_at + just_over), Some(Code::InvalidValidity));
    }

    #[test]
    fn a_request_sent_at_its_last_moment_is_bound_and_one_sent_after_it_is_expired() {
        let expires =
            |at: Timestamp| bound(|r| (r.issued_at, r.expires_at) = (at - SignedDuration::from_secs(60), at));
        assert_eq!(expires(at(CLAIMED)), None);
        assert_eq!(expires(at(CLAIMED) - SignedDuration::from_nanos(1)), Some(Code::Expired));
    }

    #[test]
    fn a_signers_clock_may_be_sixty_seconds_ahead_and_no_more() {
        let issued =
            |at: Timestamp| bound(|r| (r.issued_at, r.expires_at) = (at, at + SignedDuration::from_secs(60)));
        assert_eq!(issued(at(CLAIMED + 60)), None);
        assert_eq!(issued(at(CLAIMED + 60) + SignedDuration::from_nanos(1)), Some(Code::IssuedInFuture));
    }

    #[test]
    fn times_at_the_ends_of_the_calendar_are_refused_without_a_panic() {
        let (first, last) = (Timestamp::MIN, Timestamp::MAX);
        assert_eq!(bound(|r| (r.issued_at, r.expires_at) = (first, last)), Some(Code::InvalidValidity));
        assert_eq!(bound(|r| (r.issued_at, r.expires_at) = (last, first)), Some(Code::InvalidValidity));
        let second = SignedDuration::from_secs(1);
        assert_eq!(bound(|r| (r.issued_at, r.expires_at) = (first, first + second)), Some(Code::Expired));
        assert_eq!(
            bound(|r| (r.issued_at, r.expires_at) = (last - second, last)),
            Some(Code::IssuedInFuture)
        );
    }

    #[test]
    fn a_refusal_quotes_at_most_eighty_characters_of_the_audience() {
        let mut request = request(provision(1));
        request.audience.zone = "z".repeat(10_000);
        let denial = bind(&request, &signer(), &foundation(), at(CLAIMED)).unwrap_err();
        let named = "z".repeat(80);
        let expected = format!("the request is for zone \"{named}\", which this is not");
        assert_eq!(denial.message, expected);
    }
}
