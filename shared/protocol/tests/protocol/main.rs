//! The contract's own suite, one binary: envelopes, chains, identities, requests, schemas.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod authority;
mod chain;
mod chain_faults;
mod envelope;
mod identity;
mod mutation;
mod request;
mod schema;
