//! The contract between operator and enclave: requests, replies, the signed envelope, and who signed it.
//!
//! Nothing here talks to AWS or reads a clock; every bound is checked before what it bounds is parsed.

pub mod balancing;
pub mod chain;
pub mod code;
pub mod envelope;
pub mod identity;
pub mod key;
pub mod names;
pub mod notice;
pub mod reply;
pub mod request;
pub mod schema;
