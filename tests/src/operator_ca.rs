//! The operator's certificate authority and identities, good ones and, for attacks, any others.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use sha2::{Digest, Sha256};

/// The trust domain of the operator's identities.
pub const TRUST_DOMAIN: &str = "operator.example";

const DAY: Duration = Duration::from_hours(24);

/// A certificate authority: a root or an intermediate.
#[derive(Debug)]
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
    /// What a leaf's holder must send along: the intermediates, nearest first; a root is not sent.
    chain: Vec<Vec<u8>>,
}

impl Ca {
    /// A new root, ECDSA P-256.
    pub fn root(common_name: &str) -> Result<Self> {
        let key = new_key()?;
        let params = ca_params(common_name)?;
        let certificate = params.self_signed(&key).context("cannot sign a root")?;
        Ok(Self { issuer: Issuer::new(params, key), certificate, chain: Vec::new() })
    }

    /// A new intermediate under this authority.
    pub fn intermediate(&self, common_name: &str) -> Result<Self> {
        let key = new_key()?;
        let params = ca_params(common_name)?;
        let certificate = params.signed_by(&key, &self.issuer).context("cannot sign an intermediate")?;
        let mut chain = vec![certificate.der().to_vec()];
        chain.extend(self.chain.iter().cloned());
        Ok(Self { issuer: Issuer::new(params, key), certificate, chain })
    }

    /// A new leaf under this authority.
    pub fn issue(&self, options: LeafOptions) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, options.common_name);
        for uri in &options.uris {
            params
                .subject_alt_names
                .push(SanType::URI(uri.as_str().try_into().context("a URI that is not ASCII")?));
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = options.extended_key_usages;
        params.not_before = options.not_before.into();
        params.not_after = options.not_after.into();
        params.use_authority_key_identifier_extension = true;
        let key = match options.key {
            Some(key) => key,
            None => Arc::new(new_key()?),
        };
        let leaf = params.signed_by(key.as_ref(), &self.issuer).context("cannot sign a leaf")?;
        let mut chain = vec![leaf.der().to_vec()];
        chain.extend(self.chain.iter().cloned());
        Ok(Identity { chain, key })
    }

    /// Its own certificate (DER).
    pub fn certificate_der(&self) -> &[u8] {
        self.certificate.der()
    }

    /// Its own certificate (PEM).
    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }
}

/// What stands in a leaf.
#[derive(Debug, Clone)]
pub struct LeafOptions {
    /// Subject common name; any length, so that a certificate can be made too large.
    pub common_name: String,
    /// URIs among the subject's alternative names.
    pub uris: Vec<String>,
    /// What the key may be used for.
    pub extended_key_usages: Vec<ExtendedKeyUsagePurpose>,
    /// Start of its validity.
    pub not_before: SystemTime,
    /// End of its validity.
    pub not_after: SystemTime,
    /// The key; a new ECDSA P-256 key when absent.
    pub key: Option<Arc<KeyPair>>,
}

impl LeafOptions {
    /// A good leaf of the configuration server of `zone`, valid for a day.
    pub fn configuration_server(zone: &str) -> Self {
        let now = SystemTime::now();
        Self {
            common_name: "configserver".to_owned(),
            uris: vec![configuration_server_uri(zone)],
            extended_key_usages: vec![ExtendedKeyUsagePurpose::ClientAuth],
            // Clocks differ a little.
            not_before: now - Duration::from_mins(5),
            not_after: now + DAY,
            key: None,
        }
    }
}

/// The SPIFFE URI of the configuration server of `zone`.
pub fn configuration_server_uri(zone: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/configserver/{zone}")
}

/// A leaf's key with the certificates that vouch for it.
#[derive(Debug, Clone)]
pub struct Identity {
    chain: Vec<Vec<u8>>,
    key: Arc<KeyPair>,
}

impl Identity {
    /// The certificates (DER), leaf first, without the root.
    pub fn chain_der(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The certificates (PEM), leaf first, without the root.
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(|certificate| certificate_pem(certificate)).collect()
    }

    /// The key, for another leaf of the same key.
    pub fn key(&self) -> &Arc<KeyPair> {
        &self.key
    }

    /// The key (PKCS #8, DER).
    pub fn key_der(&self) -> &[u8] {
        self.key.serialized_der()
    }

    /// The key (PKCS #8, PEM).
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// SHA-256 of the leaf's DER, in hexadecimal, as requests name it.
    pub fn leaf_sha256(&self) -> String {
        self.chain.first().map(|leaf| hex::encode(Sha256::digest(leaf))).unwrap_or_default()
    }

    /// Writes chain and key as PEM files; the key is its owner's alone.
    pub fn write(&self, certificate: &Path, key: &Path) -> Result<()> {
        write(certificate, &self.chain_pem(), 0o644)?;
        write(key, &self.key_pem(), 0o600)
    }
}

/// Writes a file that nobody had a chance to open before its mode was set.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn new_key() -> Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("cannot make a key")
}

fn ca_params(common_name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).context("cannot describe an authority")?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + 365 * DAY).into();
    Ok(params)
}

fn certificate_pem(der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<String> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_comes_with_its_intermediate_and_without_the_root() {
        let root = Ca::root("root").unwrap();
        let intermediate = root.intermediate("intermediate").unwrap();
        let identity = intermediate.issue(LeafOptions::configuration_server("dev.aws-us-east-1")).unwrap();
        assert_eq!(identity.chain_der().len(), 2);
        assert_eq!(identity.chain_der()[1], intermediate.certificate_der());
        assert_eq!(identity.chain_pem().matches("BEGIN CERTIFICATE").count(), 2);
        assert!(identity.chain_pem().ends_with(&intermediate.certificate_pem().replace("\r\n", "\n")));
    }

    #[test]
    fn a_second_leaf_may_hold_the_same_key() {
        let root = Ca::root("root").unwrap();
        let options = LeafOptions::configuration_server("dev.aws-us-east-1");
        let first = root.issue(options.clone()).unwrap();
        let second = root.issue(LeafOptions { key: Some(Arc::clone(first.key())), ..options }).unwrap();
        assert_eq!(first.key_der(), second.key_der());
        assert_ne!(first.leaf_sha256(), second.leaf_sha256());
    }
}
