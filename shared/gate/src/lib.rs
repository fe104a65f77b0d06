//! The tenant's rules: trust roots, identities, revocations and limits.

pub mod rules;
