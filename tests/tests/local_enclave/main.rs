//! The local enclave keeps what it promises: tested with the echo function in the place of a real one.

mod command_line;
mod event_source;
mod foundation;
mod recording_proxy;
mod runtime;
mod support;
