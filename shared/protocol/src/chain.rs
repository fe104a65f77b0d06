//! Opening an envelope: from the presented certificates to the identity whose key signed it.
//!
//! The presented order *is* the path: leaf first, each certificate issued by the next, the last one issued by a
//! trusted root (or that root itself, which many tools append). Nothing presented may be left unused.

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, aws_lc_rs};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::AttributeTypeAndValue;

use crate::code::Code;
use crate::envelope::Envelope;
use crate::identity::{Identity, claims_spiffe, is_trust_domain};
use crate::key::KeyType;

/// Algorithms by which a certificate may be signed. No SHA-1, no curve beyond P-384.
const CERTIFICATE_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    aws_lc_rs::ECDSA_P256_SHA256,
    aws_lc_rs::ECDSA_P256_SHA384,
    aws_lc_rs::ECDSA_P384_SHA256,
    aws_lc_rs::ECDSA_P384_SHA384,
    aws_lc_rs::ED25519,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// A root that the tenant trusts, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    /// The root certificate, DER.
    pub certificate: Vec<u8>,
    /// The only SPIFFE trust domain this root may vouch for.
    pub trust_domain: String,
    /// Whether a leaf without a SPIFFE id is named by its Athenz common name.
    pub accept_athenz_common_name: bool,
}

/// Who signed an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The signer.
    pub identity: Identity,
    /// SHA-256 of the leaf certificate's DER, in lower-case hexadecimal.
    pub certificate_sha256: String,
    /// SHA-256 of the leaf's subject public key info (DER), in lower-case hexadecimal.
    pub key_sha256: String,
}

/// An envelope that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct OpenError {
    /// What kind of fault it is.
    pub code: Code,
    /// One sentence for people.
    pub message: String,
}

impl OpenError {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Finds out who signed an envelope, judged at `at`, the time it was sent.
///
/// A root's own validity counts too. Where several roots share name and key, the path ends in each of them, and
/// it is enough that one of these vouches for the identity.
///
/// # Errors
/// In this order: `gate_invalid` (a root cannot be used), `malformed_certificate`, then of the path
/// `untrusted_certificate`, `certificate_expired`, `certificate_not_for_clients` or `unsupported_key`, then
/// `bad_signature`, `malformed_certificate` (no usable identity) and `wrong_trust_domain`.
pub fn open(envelope: &Envelope, roots: &[TrustRoot], at: Timestamp) -> Result<Opened, OpenError> {
    let anchors = roots.iter().enumerate().map(|(index, root)| Anchor::read(index, root));
    let anchors = anchors.collect::<Result<Vec<_>, _>>()?;
    let ders: Vec<CertificateDer<'_>> =
        envelope.certificate_chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let certificates = ders.iter().enumerate().map(|(index, der)| read_certificate(index, der));
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    let (Some((leaf_der, issuer_ders)), Some((leaf, issuers))) =
        (ders.split_first(), certificates.split_first())
    else {
        return Err(OpenError::new(Code::WrongCertificateCount, "the certificate chain is empty"));
    };
    let signer = EndEntityCert::try_from(leaf_der).map_err(|error| malformed(0, &error))?;

    let ends = ends_of_path(&signer, issuer_ders, &anchors, at)?;
    check_issuers(issuers)?;
    check_usage(leaf)?;

    let key_type = KeyType::of(leaf.public_key())
        .map_err(|error| OpenError::new(Code::UnsupportedKey, error.to_string()))?;
    signer.verify_signature(key_type.algorithm(), &envelope.pae(), &envelope.signature).map_err(|error| {
        match error {
            webpki::Error::InvalidSignatureForPublicKey => OpenError::new(
                Code::BadSignature,
                "the signature does not fit the payload and the certificate's key",
            ),
            other => OpenError::new(
                Code::UnsupportedKey,
                format!("the certificate's key is not accepted: {other}"),
            ),
        }
    })?;

    Ok(Opened {
        identity: identify(leaf, &ends)?,
        certificate_sha256: hex::encode(Sha256::digest(leaf_der)),
        key_sha256: hex::encode(Sha256::digest(leaf.public_key().raw)),
    })
}

/// Whether every root can be verified with.
///
/// # Errors
/// `gate_invalid`, naming the first that cannot.
pub fn check_roots(roots: &[TrustRoot]) -> Result<(), OpenError> {
    roots.iter().enumerate().try_for_each(|(index, root)| Anchor::read(index, root).map(drop))
}

/// A trusted root, read.
struct Anchor<'a> {
    root: &'a TrustRoot,
    trusted: TrustAnchor<'static>,
    valid: (i64, i64),
}

impl<'a> Anchor<'a> {
    fn read(index: usize, root: &'a TrustRoot) -> Result<Self, OpenError> {
        let invalid = |why: &str| OpenError::new(Code::GateInvalid, format!("trust root {index} {why}"));
        if !is_trust_domain(&root.trust_domain) {
            return Err(invalid(&format!("has an invalid trust domain {:?}", root.trust_domain)));
        }
        let der = CertificateDer::from(root.certificate.as_slice());
        let unreadable = |error: &dyn std::fmt::Display| invalid(&format!("cannot be read: {error}"));
        let (rest, certificate) =
            X509Certificate::from_der(&root.certificate).map_err(|error| unreadable(&error))?;
        if !rest.is_empty() {
            return Err(invalid("is followed by further bytes"));
        }
        if !certificate.is_ca() || !may_sign_certificates(&certificate) {
            return Err(invalid("is not a CA certificate"));
        }
        let trusted = anchor_from_trusted_cert(&der).map_err(|error| unreadable(&error))?.to_owned();
        let validity = certificate.validity();
        Ok(Self { root, trusted, valid: (validity.not_before.timestamp(), validity.not_after.timestamp()) })
    }
}

fn read_certificate<'a>(index: usize, der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, OpenError> {
    // Both readers must take it: webpki judges the path, x509-parser reads names and keys.
    EndEntityCert::try_from(der).map_err(|error| malformed(index, &error))?;
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(malformed(index, &"bytes follow it")),
        Err(error) => Err(malformed(index, &error)),
    }
}

fn malformed(index: usize, why: &dyn std::fmt::Display) -> OpenError {
    OpenError::new(
        Code::MalformedCertificate,
        format!("certificate {index} of the chain cannot be read: {why}"),
    )
}

/// The roots in which the presented path ends; at least one.
fn ends_of_path<'a>(
    signer: &EndEntityCert<'_>,
    issuers: &[CertificateDer<'_>],
    anchors: &'a [Anchor<'a>],
    at: Timestamp,
) -> Result<Vec<&'a TrustRoot>, OpenError> {
    let untrusted = "the certificates do not lead, in the order presented, to a trusted root";
    let (mut ends, mut refusal) = (Vec::new(), OpenError::new(Code::UntrustedCertificate, untrusted));
    for anchor in anchors {
        match verify_path(signer, issuers, anchor, at) {
            Ok(()) => ends.push(anchor.root),
            Err(webpki::Error::UnknownIssuer) => {}
            Err(error) => {
                let candidate = path_error(&error);
                if refusal.code == Code::UntrustedCertificate {
                    refusal = candidate;
                }
            }
        }
    }
    if ends.is_empty() { Err(refusal) } else { Ok(ends) }
}

fn verify_path(
    signer: &EndEntityCert<'_>,
    issuers: &[CertificateDer<'_>],
    anchor: &Anchor<'_>,
    at: Timestamp,
) -> Result<(), webpki::Error> {
    let seconds = u64::try_from(at.as_second()).unwrap_or_default();
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let as_presented = |path: &webpki::VerifiedPath<'_>| {
        let used = path.intermediate_certificates().map(webpki::Cert::der);
        if used.eq(issuers.iter().cloned()) { Ok(()) } else { Err(webpki::Error::UnknownIssuer) }
    };
    signer.verify_for_usage(
        CERTIFICATE_ALGORITHMS,
        std::slice::from_ref(&anchor.trusted),
        issuers,
        time,
        // webpki asks the same of every certificate of the path: `required` would refuse each CA that lists no
        // usage. What a CA lists must include clientAuth; the leaf must list it (`check_usage`).
        KeyUsage::client_auth(),
        None,
        Some(&as_presented),
    )?;
    let clamp = |seconds: i64| {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
    };
    let (not_before, not_after) = anchor.valid;
    if at.as_second() < not_before {
        return Err(webpki::Error::CertNotValidYet { time, not_before: clamp(not_before) });
    }
    if at.as_second() > not_after {
        return Err(webpki::Error::CertExpired { time, not_after: clamp(not_after) });
    }
    Ok(())
}

fn path_error(error: &webpki::Error) -> OpenError {
    use webpki::Error as E;
    let when = |time: &UnixTime| {
        Timestamp::from_second(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX)
    };
    match error {
        E::CertExpired { time, not_after } => OpenError::new(
            Code::CertificateExpired,
            format!("a certificate expired at {}, the message was sent at {}", when(not_after), when(time)),
        ),
        E::CertNotValidYet { time, not_before } => OpenError::new(
            Code::CertificateExpired,
            format!(
                "a certificate is valid from {}, the message was sent at {}",
                when(not_before),
                when(time)
            ),
        ),
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => OpenError::new(
            Code::CertificateNotForClients,
            "a certificate's extended key usage does not include clientAuth",
        ),
        E::CaUsedAsEndEntity => {
            OpenError::new(Code::CertificateNotForClients, "a CA certificate does not sign requests")
        }
        E::UnsupportedSignatureAlgorithmContext(_) => OpenError::new(
            Code::UnsupportedKey,
            "a certificate is signed with an algorithm that is not accepted",
        ),
        E::BadDer
        | E::BadDerTime
        | E::InvalidCertValidity
        | E::MalformedExtensions
        | E::ExtensionValueInvalid => {
            OpenError::new(Code::MalformedCertificate, format!("a certificate cannot be read: {error}"))
        }
        other => {
            OpenError::new(Code::UntrustedCertificate, format!("the certificates are not trusted: {other}"))
        }
    }
}

/// webpki does not look at the key usage of issuers.
fn check_issuers(issuers: &[X509Certificate<'_>]) -> Result<(), OpenError> {
    match issuers.iter().position(|issuer| !may_sign_certificates(issuer)) {
        Some(index) => Err(OpenError::new(
            Code::UntrustedCertificate,
            format!("certificate {} of the chain may not sign certificates", index + 1),
        )),
        None => Ok(()),
    }
}

fn may_sign_certificates(certificate: &X509Certificate<'_>) -> bool {
    matches!(certificate.key_usage(), Ok(usage) if usage.as_ref().is_none_or(|usage| usage.value.key_cert_sign()))
}

fn check_usage(leaf: &X509Certificate<'_>) -> Result<(), OpenError> {
    let refuse = |message| Err(OpenError::new(Code::CertificateNotForClients, message));
    if !matches!(leaf.extended_key_usage(), Ok(Some(usage)) if usage.value.client_auth) {
        return refuse("the signer's certificate does not name clientAuth among its extended key usages");
    }
    match leaf.key_usage() {
        Ok(Some(usage)) if !usage.value.digital_signature() => {
            refuse("the key usage of the signer's certificate does not include digital signatures")
        }
        Ok(_) => Ok(()),
        Err(error) => Err(malformed(0, &error)),
    }
}

/// The holder's identity, which one of the roots must vouch for.
fn identify(leaf: &X509Certificate<'_>, ends: &[&TrustRoot]) -> Result<Identity, OpenError> {
    let unusable = |message: String| OpenError::new(Code::MalformedCertificate, message);
    let names = leaf.subject_alternative_name().map_err(|error| malformed(0, &error))?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let ids: Vec<&str> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) if claims_spiffe(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    match ids.as_slice() {
        [id] => {
            let identity = Identity::spiffe(id).map_err(|error| unusable(error.to_string()))?;
            let domain = identity.trust_domain().unwrap_or_default();
            if ends.iter().any(|root| root.trust_domain == domain) {
                return Ok(identity);
            }
            let message = format!("the root of {identity} does not vouch for trust domain {domain:?}");
            Err(OpenError::new(Code::WrongTrustDomain, message))
        }
        [] if ends.iter().any(|root| root.accept_athenz_common_name) => {
            let mut common_names = leaf.subject().iter_common_name();
            let (Some(Ok(name)), None) =
                (common_names.next().map(AttributeTypeAndValue::as_str), common_names.next())
            else {
                let message = "the signer's certificate has no SPIFFE id and not exactly one common name";
                return Err(unusable(message.to_owned()));
            };
            Identity::athenz(name).map_err(|error| unusable(error.to_string()))
        }
        [] => Err(unusable("the signer's certificate has no SPIFFE id".to_owned())),
        _ => {
            Err(unusable(format!("a certificate has exactly one SPIFFE id, the signer's has {}", ids.len())))
        }
    }
}
