//! Signing with the operator's key.

use std::fmt;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PSS_SHA256, RsaKeyPair,
};
use enclave_protocol::envelope::{Envelope, pae};
use enclave_protocol::key::KeyType;
use enclave_protocol::request::{REQUEST_PAYLOAD_TYPE, Request};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::error::ClientError;

/// Signs requests with one key and the certificates that vouch for it.
pub struct Signer {
    key: Key,
    certificate_chain: Vec<Vec<u8>>,
    certificate_sha256: String,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("certificate_sha256", &self.certificate_sha256).finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer from a PEM chain (leaf first) and its PKCS#8 PEM key.
    ///
    /// # Errors
    /// `malformed_certificate`, `unsupported_key`, `malformed_key` or `key_mismatch`.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, ClientError> {
        let malformed = |why: &dyn fmt::Display| ClientError::MalformedCertificate(why.to_string());
        let certificate_chain = CertificateDer::pem_slice_iter(chain)
            .map(|certificate| certificate.map(|der| der.to_vec()).map_err(|error| malformed(&error)))
            .collect::<Result<Vec<_>, _>>()?;
        let leaf_der = certificate_chain.first().ok_or_else(|| malformed(&"the PEM holds no certificate"))?;
        let (_, leaf) = X509Certificate::from_der(leaf_der).map_err(|error| malformed(&error))?;
        let certificate_sha256 = hex::encode(Sha256::digest(leaf_der));
        let key = Key::read(KeyType::of(leaf.public_key())?, key)?;
        if key.public() != leaf.public_key().subject_public_key.data.as_ref() {
            return Err(ClientError::KeyMismatch(certificate_sha256));
        }
        Ok(Self { key, certificate_chain, certificate_sha256 })
    }

    /// A signer from two files; see [`Signer::from_pem`].
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, ClientError> {
        let read = |path: &Path| {
            std::fs::read(path)
                .map_err(|source| ClientError::UnreadableFile { path: path.to_owned(), source })
        };
        Self::from_pem(&read(chain)?, &read(key)?)
    }

    /// SHA-256 of the leaf certificate (DER), in lower-case hexadecimal: what requests name their signer by.
    pub fn certificate_sha256(&self) -> &str {
        &self.certificate_sha256
    }

    /// Signs a request, naming this signer in it.
    ///
    /// # Errors
    /// `invalid_request` where the request breaks its own bounds; nothing is signed then.
    pub fn sign(&self, mut request: Request) -> Result<Envelope, ClientError> {
        request.certificate_sha256.clone_from(&self.certificate_sha256);
        // Names, numbers and times always serialise; if ever not, the empty payload is no request.
        let payload = serde_json::to_vec(&request).unwrap_or_default();
        Request::parse(&payload).map_err(ClientError::InvalidRequest)?;
        self.sign_payload(payload)
    }

    /// Signs any bytes as a request's payload, unchecked.
    pub fn sign_payload(&self, payload: Vec<u8>) -> Result<Envelope, ClientError> {
        let signature = self.key.sign(&pae(REQUEST_PAYLOAD_TYPE, &payload))?;
        Ok(Envelope {
            payload_type: REQUEST_PAYLOAD_TYPE.to_owned(),
            payload,
            signature,
            certificate_chain: self.certificate_chain.clone(),
        })
    }
}

impl Key {
    fn read(kind: KeyType, pem: &[u8]) -> Result<Self, ClientError> {
        // The reader's own words may quote the file, so they are dropped.
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|_| ClientError::MalformedKey("no PKCS#8 section"))?;
        let pkcs8 = key.secret_pkcs8_der();
        let other = |_| ClientError::MalformedKey("not readable as that type");
        Ok(match kind {
            KeyType::EcdsaP256 => {
                Self::Ecdsa(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).map_err(other)?)
            }
            KeyType::EcdsaP384 => {
                Self::Ecdsa(EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8).map_err(other)?)
            }
            KeyType::Rsa => Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(pkcs8).map_err(other)?)),
            // OpenSSL writes version 1, which carries no public key to compare.
            KeyType::Ed25519 => {
                Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(other)?)
            }
        })
    }

    fn public(&self) -> &[u8] {
        match self {
            Self::Ecdsa(key) => key.public_key().as_ref(),
            Self::Rsa(key) => key.public_key().as_ref(),
            Self::Ed25519(key) => key.public_key().as_ref(),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ClientError> {
        let failed = |_| ClientError::SigningFailed;
        let random = SystemRandom::new();
        Ok(match self {
            Self::Ecdsa(key) => key.sign(&random, message).map_err(failed)?.as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PSS_SHA256, &random, message, &mut signature).map_err(failed)?;
                signature
            }
            Self::Ed25519(key) => key.try_sign(message).map_err(failed)?.as_ref().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use enclave_protocol::chain::{TrustRoot, open};
    use enclave_protocol::code::Code;
    use enclave_protocol::names::TenantName;
    use enclave_protocol::request::{Audience, Describe, Mode, Order};
    use jiff::Timestamp;
    use rcgen::{
        CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair as Pair, PKCS_ECDSA_P256_SHA256,
        PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, SanType,
    };

    use super::*;
    use crate::order::{Template, request};

    fn root() -> (TrustRoot, Issuer<'static, Pair>) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = Pair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        let trust_domain = "operator.example".to_owned();
        (TrustRoot { certificate, trust_domain, accept_athenz_common_name: false }, Issuer::new(params, key))
    }

    fn chain(issuer: &Issuer<'static, Pair>, key: &Pair) -> String {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![SanType::URI("spiffe://operator.example/sa/x".try_into().unwrap())];
        params.signed_by(key, issuer).unwrap().pem()
    }

    fn describe() -> Request {
        let text = |text: &str| text.to_owned();
        let audience =
            Audience { account: text("1"), region: text("r"), zone: text("z"), enclave_id: text("e") };
        request(Template {
            audience,
            tenant: "acme".parse::<TenantName>().unwrap(),
            order: Order::Describe(Describe::default()),
            mode: Mode::Apply,
            deadline_seconds: None,
            validity_seconds: 300,
        })
    }

    #[test]
    fn what_every_type_of_key_signs_opens_and_names_its_certificate() {
        let (root, issuer) = root();
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519, &PKCS_RSA_SHA256] {
            let key = Pair::generate_for(algorithm).unwrap();
            let signer =
                Signer::from_pem(chain(&issuer, &key).as_bytes(), key.serialize_pem().as_bytes()).unwrap();
            let envelope = signer.sign(describe()).unwrap();
            let envelope = Envelope::parse(&envelope.to_json()).unwrap();
            let opened = open(&envelope, std::slice::from_ref(&root), Timestamp::now()).unwrap();
            assert_eq!(opened.identity.as_str(), "spiffe://operator.example/sa/x");
            let read = Request::parse(&envelope.payload).unwrap();
            assert_eq!(read.certificate_sha256, opened.certificate_sha256);
            assert_eq!(read.certificate_sha256, signer.certificate_sha256());
            assert_eq!(read.expires_at.duration_since(read.issued_at).as_secs(), 300);
        }
    }

    #[test]
    fn keys_and_certificates_that_do_not_fit_are_refused() {
        let (_, issuer) = root();
        let (key, other) = (Pair::generate().unwrap(), Pair::generate().unwrap());
        let (certificate, pem) = (chain(&issuer, &key), key.serialize_pem());
        let code =
            |chain: &str, key: &str| Signer::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err().code();
        assert_eq!(code(&certificate, &other.serialize_pem()), "key_mismatch");
        let edwards = Pair::generate_for(&PKCS_ED25519).unwrap();
        assert_eq!(code(&certificate, &edwards.serialize_pem()), "malformed_key");
        assert_eq!(code(&certificate, ""), "malformed_key");
        assert_eq!(code(&certificate, &certificate), "malformed_key");
        assert_eq!(code("", &pem), "malformed_certificate");
        assert_eq!(code(&pem, &pem), "malformed_certificate");
        let large = Pair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
        assert_eq!(code(&chain(&issuer, &large), &large.serialize_pem()), "unsupported_key");
    }

    #[test]
    fn a_request_out_of_bounds_is_not_signed() {
        let (_, issuer) = root();
        let key = Pair::generate().unwrap();
        let signer =
            Signer::from_pem(chain(&issuer, &key).as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let refused = signer.sign(Request { deadline_seconds: Some(0), ..describe() }).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidRequest.as_str());
    }

    #[test]
    fn nothing_of_the_key_is_printed() {
        let (_, issuer) = root();
        let key = Pair::generate().unwrap();
        let chain = chain(&issuer, &key);
        let signer = Signer::from_pem(chain.as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        let shown = format!("{signer:?}");
        assert_eq!(shown, format!("Signer {{ certificate_sha256: {:?}, .. }}", signer.certificate_sha256()));
        // A damaged key is refused without a word of what is in it.
        let secret = key.serialize_pem().lines().nth(1).unwrap().to_owned();
        let damaged = key.serialize_pem().replace("-----END PRIVATE KEY-----", "");
        let error = Signer::from_pem(chain.as_bytes(), damaged.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&secret));
    }
}
