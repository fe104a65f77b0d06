//! What several of these suites need.

use std::path::Path;
use std::time::Duration;

use enclave_tests::enclave::{LocalEnclave, Options};

/// Long enough for anything here on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Where the echo function is.
pub(crate) const ECHO: &str = env!("CARGO_BIN_EXE_echo-function");

/// An enclave around the echo function that does not tick by itself.
pub(crate) fn echo_options() -> Options {
    Options {
        function_binary: Some(ECHO.into()),
        function_timeout: Duration::from_secs(5),
        tick_every: None,
        ..Options::default()
    }
}

/// Starts an enclave.
pub(crate) async fn start(options: Options) -> LocalEnclave {
    LocalEnclave::start(options).await.unwrap_or_else(|error| panic!("no enclave: {error:#}"))
}

/// Whether a process runs; one that only waits to be reaped by somebody else does not.
pub(crate) fn runs(process: u32) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("status"));
    status.is_ok_and(|status| !status.contains("State:\tZ"))
}
