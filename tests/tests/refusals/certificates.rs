//! Envelopes whose signer cannot be told, or is not who may sign.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use enclave_gate::GATE_KEY;
use enclave_gate::rules::{Gate, TrustRootEntry};
use enclave_protocol::code::Code;
use enclave_protocol::envelope::MAX_CERTIFICATE_BYTES;
use enclave_tests::enclave::LocalEnclave;
use enclave_tests::operator_ca::{Ca, Identity, LeafOptions, TRUST_DOMAIN, configuration_server_uri};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P521_SHA512, SanType,
};

use crate::case::Case;
use crate::forge::{signed_by, signer};
use crate::orders::provision;
use crate::zone::Zone;

const HOUR: Duration = Duration::from_hours(1);

/// What a good leaf is made of.
fn leaf(enclave: &LocalEnclave) -> LeafOptions {
    LeafOptions::configuration_server(&enclave.made().foundation.audience.zone)
}

/// A request, planned only, that this identity signed.
fn by(zone: &Zone, identity: &Identity) -> Result<String> {
    Ok(signed_by(&signer(identity)?, zone.plan(provision(zone, 1)), |_| ())?.to_json())
}

/// The same request with other certificates than the signer's.
fn with_chain(zone: &Zone, identity: &Identity, chain: &[Vec<u8>]) -> Result<String> {
    let mut envelope = signed_by(&signer(identity)?, zone.plan(provision(zone, 1)), |_| ())?;
    envelope.certificate_chain = chain.to_vec();
    Ok(envelope.to_json())
}

/// A time as messages write it.
fn second(time: SystemTime) -> Result<String> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    Ok(Timestamp::from_second(i64::try_from(since)?)?.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_that_may_not_sign_is_refused() -> Result<()> {
    let zone = Zone::start().await?;
    let good = leaf(&zone.enclave);
    let issue = |options: LeafOptions| zone.enclave.operator_ca().issue(options);
    let now = SystemTime::now();
    let case = |name: &str, code: Code, naming: String, options: LeafOptions| {
        anyhow::Ok(Case::by_body(name, by(&zone, &issue(options)?)?, code, naming))
    };
    let usage = |name: &str, usages: Vec<ExtendedKeyUsagePurpose>| {
        let options = LeafOptions { extended_key_usages: usages, ..good.clone() };
        case(name, Code::CertificateNotForClients, "clientAuth".to_owned(), options)
    };
    let named = |name: &str, code: Code, naming: &str, uris: &[&str]| {
        let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        case(name, code, naming.to_owned(), LeafOptions { uris, ..good.clone() })
    };
    let own = configuration_server_uri(&zone.server.enclave().zone);
    let expired = now - HOUR;
    let early = now + HOUR;
    zone.refuses([
        case(
            "an expired certificate",
            Code::CertificateExpired,
            second(expired)?,
            LeafOptions { not_before: now - 2 * HOUR, not_after: expired, ..good.clone() },
        )?,
        case(
            "a certificate not yet valid",
            Code::CertificateExpired,
            second(early)?,
            LeafOptions { not_before: early, not_after: now + 2 * HOUR, ..good.clone() },
        )?,
        usage("a leaf for servers only", vec![ExtendedKeyUsagePurpose::ServerAuth])?,
        usage("a leaf for any usage", vec![ExtendedKeyUsagePurpose::Any])?,
        usage("a leaf without any extended key usage", Vec::new())?,
        case(
            "a large certificate",
            Code::CertificateTooLarge,
            "certificate_chain[0]".to_owned(),
            LeafOptions { common_name: "x".repeat(MAX_CERTIFICATE_BYTES), ..good.clone() },
        )?,
        named(
            "another trust domain",
            Code::WrongTrustDomain,
            "\"other.example\"",
            &["spiffe://other.example/configserver"],
        )?,
        named("no SPIFFE id", Code::MalformedCertificate, "no SPIFFE id", &[])?,
        named("two SPIFFE ids", Code::MalformedCertificate, "has 2", &[&own, "spiffe://operator.example/b"])?,
        named(
            "a SPIFFE id without a path",
            Code::MalformedCertificate,
            "\"spiffe://operator.example\"",
            &["spiffe://operator.example"],
        )?,
        named(
            "a SPIFFE id in capitals",
            Code::MalformedCertificate,
            "\"SPIFFE://",
            &[&own.replace("spiffe", "SPIFFE")],
        )?,
    ])
    .await?;
    let both = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let twin = issue(LeafOptions { extended_key_usages: both, ..good.clone() })?;
    zone.accepts("a leaf for servers and clients", &by(&zone, &twin)?).await?;
    let long = issue(LeafOptions { common_name: "x".repeat(MAX_CERTIFICATE_BYTES - 1024), ..good })?;
    zone.accepts("a certificate of 3 KiB and more", &by(&zone, &long)?).await?;
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_leads_to_no_trusted_root_is_refused() -> Result<()> {
    let zone = Zone::start().await?;
    let good = leaf(&zone.enclave);
    let root = zone.enclave.operator_root();
    let (near, far) = (root.intermediate("far")?.intermediate("near")?, root.intermediate("unused")?);
    let long = near.issue(good.clone())?;
    let [end, issuer, top] = long.chain_der() else { anyhow::bail!("not three certificates") };
    let stranger =
        Ca::root("operator root")?.intermediate("operator issuing authority")?.issue(good.clone())?;
    let elsewhere = Ca::root("elsewhere")?.issue(good.clone())?;
    let issuing = zone.enclave.operator_ca().certificate_der().to_vec();
    let large = Ca::root("elsewhere")?.issue(LeafOptions {
        key: Some(Arc::new(KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512)?)),
        ..good.clone()
    })?;
    let large_ours = zone
        .enclave
        .operator_ca()
        .issue(LeafOptions { key: Some(Arc::clone(large.key())), ..good.clone() })?;

    // Another leaf that the same key may sign with, and one that it may not.
    let operator = zone.enclave.operator();
    let sibling = zone
        .enclave
        .operator_ca()
        .issue(LeafOptions { key: Some(Arc::clone(operator.key())), ..good.clone() })?;
    let other_key = zone.enclave.operator_ca().issue(good)?;

    let chain = |name: &str, code: Code, naming: &str, chain: &[&[u8]]| {
        let chain: Vec<Vec<u8>> = chain.iter().map(|der| der.to_vec()).collect();
        anyhow::Ok(Case::by_body(name, with_chain(&zone, &long, &chain)?, code, naming))
    };
    let untrusted = |name: &str, certificates: &[&[u8]]| {
        chain(name, Code::UntrustedCertificate, "trusted root", certificates)
    };
    let trailing = [end.as_slice(), b"and more"].concat();
    zone.refuses([
        Case::by_body("another CA", by(&zone, &elsewhere)?, Code::UntrustedCertificate, "trusted root"),
        Case::by_body(
            "another CA of the same names",
            by(&zone, &stranger)?,
            Code::UntrustedCertificate,
            "not trusted",
        ),
        untrusted("out of order", &[end, top, issuer])?,
        untrusted("the issuer is missing", &[end, top])?,
        untrusted("nothing but the leaf", &[end])?,
        untrusted("an unused certificate at the end", &[end, issuer, top, far.certificate_der()])?,
        untrusted("a certificate twice", &[end, issuer, issuer, top])?,
        chain("garbage for a leaf", Code::MalformedCertificate, "certificate 0", &[b"garbage", issuer, top])?,
        chain("garbage for an issuer", Code::MalformedCertificate, "certificate 1", &[end, b"garbage", top])?,
        chain(
            "bytes after the leaf",
            Code::MalformedCertificate,
            "certificate 0",
            &[&trailing, issuer, top],
        )?,
        chain("an empty certificate", Code::MalformedCertificate, "certificate 2", &[end, issuer, b""])?,
        Case::by_body(
            "a leaf of another key",
            with_chain(&zone, operator, other_key.chain_der())?,
            Code::BadSignature,
            "the signature does not fit",
        ),
        Case::by_body(
            "a key on P-521",
            with_chain(&zone, operator, large_ours.chain_der())?,
            Code::UnsupportedKey,
            "1.3.132.0.35",
        ),
        Case::by_request(
            "another leaf of the same key",
            with_chain(&zone, operator, sibling.chain_der())?,
            Code::CertificateMismatch,
            sibling.leaf_sha256(),
        ),
        Case::by_body(
            "an issuing authority's certificate for a leaf",
            with_chain(&zone, operator, &[issuing])?,
            Code::CertificateNotForClients,
            "a CA certificate does not sign requests",
        ),
    ])
    .await?;

    zone.accepts("in order", &by(&zone, &long)?).await?;
    zone.accepts("the other leaf, named in the request", &by(&zone, &sibling)?).await?;
    let with_root: Vec<Vec<u8>> =
        [end, issuer, top].map(Clone::clone).into_iter().chain([root.certificate_der().to_vec()]).collect();
    zone.accepts("four certificates, the root among them", &with_chain(&zone, &long, &with_root)?).await?;
    zone.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_certificate_is_refused_though_it_has_all_that_a_leaf_has() -> Result<()> {
    let zone = Zone::start().await?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "a root of this test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key)?.der().to_vec();
    let issuer = Issuer::new(params, key);
    let mut gate = Gate::clone(&zone.enclave.made().gate);
    gate.trust_roots.push(TrustRootEntry {
        certificate: STANDARD.encode(root),
        trust_domain: TRUST_DOMAIN.to_owned(),
        accept_athenz_common_name: false,
    });
    zone.tenant_puts(GATE_KEY, serde_json::to_vec(&gate)?).await?;

    let uri = configuration_server_uri(&zone.server.enclave().zone);
    let signed_with = |is_ca: IsCa, usages: Vec<KeyUsagePurpose>| {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = usages;
        params.is_ca = is_ca;
        let key = KeyPair::generate()?;
        let pem = params.signed_by(&key, &issuer)?.pem();
        let signer = enclave_client::Signer::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes())?;
        anyhow::Ok(signed_by(&signer, zone.plan(provision(&zone, 1)), |_| ())?.to_json())
    };
    let sign = || vec![KeyUsagePurpose::DigitalSignature];
    let both = || vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    let ca = signed_with(IsCa::Ca(BasicConstraints::Unconstrained), both())?;
    let encrypts = signed_with(IsCa::NoCa, vec![KeyUsagePurpose::KeyEncipherment])?;
    let refused = Code::CertificateNotForClients;
    zone.refuses([
        Case::by_body("a CA certificate as leaf", ca, refused, "a CA certificate does not sign requests"),
        Case::by_body("a leaf that may only encrypt", encrypts, refused, "digital signatures"),
    ])
    .await?;
    zone.accepts("no CA", &signed_with(IsCa::ExplicitNoCa, sign())?).await?;
    zone.accepts("no word about being a CA", &signed_with(IsCa::NoCa, Vec::new())?).await?;
    zone.end().await
}
