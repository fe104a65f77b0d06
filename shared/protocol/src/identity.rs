//! Who a certificate says its holder is.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest SPIFFE id, in bytes
/// (<https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md>, section 2.3).
pub const MAX_SPIFFE_BYTES: usize = 2048;

/// Longest trust domain name, in bytes (same standard, section 2.3: that of a URI's host component).
pub const MAX_TRUST_DOMAIN_BYTES: usize = 255;

/// Longest Athenz service name, in bytes.
pub const MAX_ATHENZ_BYTES: usize = 255;

const SPIFFE: &str = "spiffe://";
const ATHENZ: &str = "athenz:";

/// Who signed: a whole SPIFFE id (`spiffe://domain/path`), or `athenz:<domain>.<service>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identity(String);

/// A text that names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{value:?} is no identity: {reason}")]
pub struct InvalidIdentity {
    /// The offending value, cut to 80 characters.
    pub value: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl InvalidIdentity {
    fn new(value: &str, reason: &'static str) -> Self {
        Self { value: value.chars().take(80).collect(), reason }
    }
}

impl Identity {
    /// Reads a SPIFFE id of a workload by the SPIFFE standard: nothing is normalised, so that one holder has
    /// one name. An id without a path names a trust domain, not a holder, and is refused.
    pub fn spiffe(uri: &str) -> Result<Self, InvalidIdentity> {
        let refuse = |reason| Err(InvalidIdentity::new(uri, reason));
        if uri.len() > MAX_SPIFFE_BYTES {
            return refuse("a SPIFFE id is at most 2048 bytes");
        }
        let Some(rest) = uri.strip_prefix(SPIFFE) else {
            return refuse("a SPIFFE id begins with spiffe:// in lower case");
        };
        let Some((trust_domain, path)) = rest.split_once('/') else {
            return refuse("a holder's SPIFFE id has a path");
        };
        if !is_trust_domain(trust_domain) {
            return refuse("a trust domain is 1 to 255 of a-z, 0-9, dot, hyphen and underscore");
        }
        if !path.split('/').all(is_path_segment) {
            return refuse(
                "a path segment is letters, digits, dot, hyphen and underscore, and not empty, . or ..",
            );
        }
        Ok(Self(uri.to_owned()))
    }

    /// Reads an Athenz service name, `<domain>.<service>`, as a certificate's common name holds it.
    pub fn athenz(common_name: &str) -> Result<Self, InvalidIdentity> {
        if common_name.len() > MAX_ATHENZ_BYTES {
            return Err(InvalidIdentity::new(common_name, "an Athenz service name is at most 255 bytes"));
        }
        let labels = common_name.split('.');
        if labels.clone().count() < 2 || !labels.into_iter().all(is_athenz_label) {
            let reason =
                "an Athenz service is domain.service in lower-case letters, digits, hyphens and underscores";
            return Err(InvalidIdentity::new(common_name, reason));
        }
        Ok(Self(format!("{ATHENZ}{common_name}")))
    }

    /// The identity in full.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trust domain of a SPIFFE id; an Athenz common name has none.
    pub fn trust_domain(&self) -> Option<&str> {
        self.0.strip_prefix(SPIFFE)?.split('/').next()
    }
}

impl TryFrom<String> for Identity {
    type Error = InvalidIdentity;

    fn try_from(value: String) -> Result<Self, InvalidIdentity> {
        match value.strip_prefix(ATHENZ) {
            Some(common_name) => Self::athenz(common_name),
            None => Self::spiffe(&value),
        }
    }
}

impl std::str::FromStr for Identity {
    type Err = InvalidIdentity;

    fn from_str(value: &str) -> Result<Self, InvalidIdentity> {
        value.to_owned().try_into()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text is a SPIFFE trust domain name.
pub fn is_trust_domain(value: &str) -> bool {
    (1..=MAX_TRUST_DOMAIN_BYTES).contains(&value.len())
        && value.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
}

/// Whether a URI claims to be a SPIFFE id; schemes are compared without case, so that none slips past.
pub(crate) fn claims_spiffe(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
}

fn is_path_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn is_athenz_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}
