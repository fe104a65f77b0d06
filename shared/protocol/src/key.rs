//! Which keys may sign, and the one algorithm that each type of key signs with.

use rustls_pki_types::SignatureVerificationAlgorithm;
use thiserror::Error;
use webpki::aws_lc_rs;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Sizes of RSA keys that may sign, in bits of the modulus.
pub const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// A type of key that may sign. It fixes the algorithm, so a message has none to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256 with SHA-256, ASN.1 signature.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384, ASN.1 signature.
    EcdsaP384,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes.
    Rsa,
    /// Ed25519.
    Ed25519,
}

/// A key that may not sign (`unsupported_key`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnsupportedKey {
    /// Its encoding cannot be read.
    #[error("the signer's key cannot be read: {0}")]
    Unreadable(String),
    /// Another type, or a compressed point.
    #[error("a key of type {0} is not accepted; uncompressed P-256 and P-384, RSA and Ed25519 are")]
    Type(String),
    /// Another curve.
    #[error("curve {0} is not accepted; P-256 and P-384 are")]
    Curve(String),
    /// Too short or too long.
    #[error("an RSA key has 2048 to 4096 bits, the signer's has {0}")]
    RsaBits(usize),
}

impl KeyType {
    /// The type of a certificate's key.
    pub fn of(key: &SubjectPublicKeyInfo<'_>) -> Result<Self, UnsupportedKey> {
        let parsed = key.parsed().map_err(|error| UnsupportedKey::Unreadable(error.to_string()))?;
        let kind = &key.algorithm.algorithm;
        match parsed {
            PublicKey::Unknown(_) if *kind == OID_SIG_ED25519 => Ok(Self::Ed25519),
            // The compressed form would give one key two hashes, and revocations go by the hash.
            PublicKey::EC(point)
                if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY && point.data().first() == Some(&4) =>
            {
                match key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok()) {
                    Some(curve) if curve == OID_EC_P256 => Ok(Self::EcdsaP256),
                    Some(curve) if curve == OID_NIST_EC_P384 => Ok(Self::EcdsaP384),
                    Some(curve) => Err(UnsupportedKey::Curve(curve.to_string())),
                    None => Err(UnsupportedKey::Curve("(none)".to_owned())),
                }
            }
            PublicKey::RSA(rsa) if *kind == OID_PKCS1_RSAENCRYPTION => {
                let bits = bit_length(rsa.modulus);
                if RSA_BITS.contains(&bits) { Ok(Self::Rsa) } else { Err(UnsupportedKey::RsaBits(bits)) }
            }
            _ => Err(UnsupportedKey::Type(kind.to_string())),
        }
    }

    pub(crate) fn algorithm(self) -> &'static dyn SignatureVerificationAlgorithm {
        match self {
            Self::EcdsaP256 => aws_lc_rs::ECDSA_P256_SHA256,
            Self::EcdsaP384 => aws_lc_rs::ECDSA_P384_SHA384,
            Self::Rsa => aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            Self::Ed25519 => aws_lc_rs::ED25519,
        }
    }
}

fn bit_length(integer: &[u8]) -> usize {
    let significant = integer.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &integer[first..]);
    significant.first().map_or(0, |first| significant.len() * 8 - first.leading_zeros() as usize)
}
