//! Makes certificates and signed envelopes, right ones and wrong ones.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PSS_SHA256, RsaKeyPair,
};
use enclave_protocol::chain::{OpenError, Opened, TrustRoot, open};
use enclave_protocol::envelope::{Envelope, pae};
use enclave_protocol::request::REQUEST_PAYLOAD_TYPE;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
    PublicKeyData, SanType, date_time_ymd,
};

pub(crate) const DOMAIN: &str = "operator.example";
pub(crate) const SIGNER: &str = "spiffe://operator.example/sa/configserver";

/// The time at which messages were sent; certificates are valid from 2026-01-01 to 2027-01-01.
pub(crate) fn sent() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

pub(crate) struct Authority {
    pub(crate) der: Vec<u8>,
    pub(crate) issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_of(authority(name))
    }

    pub(crate) fn root_of(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn intermediate(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key) }
    }

    /// A second certificate of the same key and name.
    pub(crate) fn renewed(&self, params: &CertificateParams) -> Vec<u8> {
        params.self_signed(self.issuer.key()).unwrap().der().to_vec()
    }

    pub(crate) fn certify(&self, params: &CertificateParams, key: &impl PublicKeyData) -> Vec<u8> {
        params.signed_by(key, &self.issuer).unwrap().der().to_vec()
    }

    pub(crate) fn trusted(&self) -> TrustRoot {
        TrustRoot {
            certificate: self.der.clone(),
            trust_domain: DOMAIN.to_owned(),
            accept_athenz_common_name: false,
        }
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if !name.is_empty() {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

pub(crate) fn authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(crate) fn leaf() -> CertificateParams {
    named_leaf("acme.configserver", &[SIGNER])
}

pub(crate) fn named_leaf(common_name: &str, uris: &[&str]) -> CertificateParams {
    let mut params = params(common_name);
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// Signs with the one algorithm of the key's type.
pub(crate) fn sign(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let (pkcs8, random) = (key.serialize_der(), SystemRandom::new());
    let algorithm = key.algorithm();
    if algorithm == &PKCS_ECDSA_P256_SHA256 {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8).unwrap();
        return key.sign(&random, message).unwrap().as_ref().to_vec();
    }
    if algorithm == &PKCS_ECDSA_P384_SHA384 {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &pkcs8).unwrap();
        return key.sign(&random, message).unwrap().as_ref().to_vec();
    }
    if algorithm == &PKCS_ED25519 {
        return Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap().sign(message).as_ref().to_vec();
    }
    assert_eq!(algorithm, &PKCS_RSA_SHA256);
    let key = RsaKeyPair::from_pkcs8(&pkcs8).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PSS_SHA256, &random, message, &mut signature).unwrap();
    signature
}

pub(crate) fn envelope(key: &KeyPair, chain: &[&[u8]]) -> Envelope {
    let payload = br#"{"hello":"world"}"#.to_vec();
    Envelope {
        signature: sign(key, &pae(REQUEST_PAYLOAD_TYPE, &payload)),
        payload_type: REQUEST_PAYLOAD_TYPE.to_owned(),
        payload,
        certificate_chain: chain.iter().map(|der| der.to_vec()).collect(),
    }
}

/// Signs with a new P-256 key that `issuer` certifies by `params`, followed by `rest`; opened with `roots`.
pub(crate) fn open_signed(
    issuer: &Authority,
    params: &CertificateParams,
    rest: &[&[u8]],
    roots: &[TrustRoot],
) -> Result<Opened, OpenError> {
    let key = KeyPair::generate().unwrap();
    let leaf = issuer.certify(params, &key);
    let chain: Vec<&[u8]> = [leaf.as_slice()].into_iter().chain(rest.iter().copied()).collect();
    open(&envelope(&key, &chain), roots, sent())
}
