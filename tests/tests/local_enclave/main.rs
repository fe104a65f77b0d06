//! The local enclave keeps what it promises: tested with the echo function in the place of a real one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail a test by panicking, as tests do"
)]

mod command_line;
mod event_source;
mod foundation;
mod recording_proxy;
mod runtime;
mod support;
