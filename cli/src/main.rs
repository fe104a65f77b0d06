//! `enclavectl`: the command line for tenant and operator.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod arguments;
mod balancing;
mod error;
mod follow;
mod freeze;
mod output;
mod render;
mod run;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::arguments::Arguments;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            let _ = usage.print();
            // clap's own code for a wrong usage is 2, which here means `rejected`.
            return ExitCode::from(u8::from(usage.use_stderr()));
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run::run(arguments).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::complain(&format!("enclavectl: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
