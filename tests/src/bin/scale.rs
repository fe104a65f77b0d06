//! `make scale HOSTS=1000 REQUESTS=1000`: what many hosts and many requests cost the provision function, as a table.
#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use enclave_tests::scale::{Cost, measure};

#[derive(Parser)]
#[command(about = "Measures the provision function's calls, CPU time and memory at scale (release build).")]
struct Arguments {
    /// Hosts of the one large request.
    #[arg(long, default_value_t = 1000)]
    hosts: u32,
    /// Requests of one host each.
    #[arg(long, default_value_t = 1000)]
    requests: u32,
    /// The function's binary; the release build beside this program when absent.
    #[arg(long)]
    function: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { hosts, requests, function } = Arguments::parse();
    let here = std::env::current_exe()?;
    let target = here.parent().and_then(Path::parent).context("no target folder")?;
    let function = function.unwrap_or_else(|| target.join("release/provision"));
    ensure!(function.is_file(), "{} is not there: run `make scale`", function.display());
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "requests",
        "hosts each",
        "AWS calls per request",
        "of these EC2",
        "function CPU per request (ms)",
        "peak resident memory (MiB)",
        "largest reply (KiB)",
    ]);
    for (requests, hosts) in [(1, 1), (1, hosts), (requests, 1)] {
        table.add_row(row(&Box::pin(measure(requests, hosts, Some(function.clone()))).await?));
    }
    println!("{table}");
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "counts and sizes are far below 2^52")]
fn row(cost: &Cost) -> [String; 7] {
    let per_request = |amount: f64| format!("{:.1}", amount / f64::from(cost.requests));
    [
        cost.requests.to_string(),
        cost.hosts.to_string(),
        per_request(cost.calls as f64),
        per_request(cost.ec2_calls as f64),
        per_request(cost.cpu.as_secs_f64() * 1000.0),
        format!("{:.1}", cost.peak_kib as f64 / 1024.0),
        format!("{:.1}", cost.largest_reply as f64 / 1024.0),
    ]
}
