//! The local enclave: the zone's foundation on an AWS emulator, the functions' real binaries behind a Lambda
//! runtime API, the event sources that feed them, and a proxy that records each call they make.
//!
//! [`enclave::LocalEnclave`] puts it together; `enclave-local` is its command line.

pub mod aws;
pub mod configuration_server;
pub mod emulator;
pub mod enclave;
pub mod ending;
pub mod event_source;
pub mod foundation;
pub mod function;
pub mod host_events;
pub mod operator_ca;
pub mod orders;
pub mod outside;
pub mod paths;
pub mod process;
pub mod ready;
pub mod recording_proxy;
mod runtime_api;
pub mod scale;
pub mod schedule;
pub mod soak;
mod venv;
pub mod wait;
