//! `enclave-local up`: a whole zone on this machine, without an AWS account.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use enclave_protocol::names::ImageId;
use enclave_tests::enclave::{LocalEnclave, Options};
use enclave_tests::ending;
use enclave_tests::ready::Ready;

/// The local enclave.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring it up; ends, leaving nothing behind, on Ctrl-C or SIGTERM.
    Up(Up),
}

#[derive(Debug, clap::Args)]
struct Up {
    /// Use this AWS endpoint (http://…) instead of an emulator of its own; region and credentials then come
    /// from `AWS_REGION`, `AWS_ACCESS_KEY_ID` and so on, and what is made there stays there
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Name of the zone
    #[arg(long, value_name = "NAME", default_value = "dev.aws-us-east-1")]
    zone: String,
    /// Write where everything is to this file, as one JSON object, when the enclave is ready
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// How often the function is made to look, e.g. 1s, 500ms, 1m; a real enclave does once a minute
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    tick_every: Duration,
    /// Most hosts in the zone
    #[arg(long, value_name = "N", default_value_t = 40)]
    max_hosts: u32,
    /// Run this binary behind the requests queue instead of this workspace's provision function
    #[arg(long, value_name = "PATH")]
    function_binary: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let Command::Up(arguments) = Arguments::parse().command;
    match Box::pin(up(arguments)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("enclave-local: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn up(arguments: Up) -> Result<()> {
    let mut ending = ending::signalled()?;
    let begin = Instant::now();
    let options = Options {
        endpoint_url: arguments.endpoint_url,
        zone: arguments.zone,
        tick_every: Some(arguments.tick_every),
        max_hosts: arguments.max_hosts,
        function_binary: arguments.function_binary,
        ..Options::default()
    };
    let enclave = tokio::select! {
        enclave = LocalEnclave::start(options) => enclave?,
        // What was started so far ends by being dropped.
        _ = ending.recv() => return Ok(()),
    };
    let ready = enclave.ready()?;
    if let Some(path) = &arguments.ready_file {
        ready.write(path)?;
    }
    summary(&ready, begin.elapsed());
    ending.recv().await;
    eprintln!("ending …");
    if let Some(path) = &arguments.ready_file {
        // Somebody may have tidied up already.
        let _ = std::fs::remove_file(path);
    }
    enclave.shutdown().await;
    Ok(())
}

fn summary(ready: &Ready, took: Duration) {
    let images: Vec<&str> = ready.images.iter().map(ImageId::as_str).collect();
    eprintln!("enclave {} is ready after {:.1} s", ready.zone, took.as_secs_f64());
    eprintln!("  endpoint      {}", ready.endpoint_url);
    eprintln!("  account       {} ({})", ready.account, ready.region);
    eprintln!("  tenant        {}", ready.tenant);
    eprintln!("  requests      {}", ready.requests_queue_url);
    eprintln!("  results       {}", ready.results_queue_url);
    eprintln!("  images        {}", images.join(", "));
    eprintln!("  certificate   {}", ready.operator_certificate.display());
    eprintln!("  function log  {}", ready.function_log.display());
    eprintln!("  AWS calls     {}", ready.calls_log.display());
    eprintln!("Ctrl-C ends it.");
}

/// `500ms`, `1s`, `1m`.
fn duration(text: &str) -> Result<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().with_context(|| format!("{text:?} does not begin with a number"))?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => bail!("{text:?} does not end with ms, s or m"),
    };
    if duration.is_zero() {
        bail!("must be longer than nothing");
    }
    Ok(duration)
}
