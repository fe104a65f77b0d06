//! `make soak N=500 SEED=7`: plays N random schedules from a seed on; the last line says whether any went wrong.
#![allow(clippy::print_stdout, reason = "its output is what this program is for")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use clap::Parser;
use enclave_tests::soak::{Violation, soak};

#[derive(Parser)]
#[command(about = "Plays random schedules of requests and faults against local enclaves.")]
struct Arguments {
    /// How many schedules.
    #[arg(long, default_value_t = 500)]
    schedules: u64,
    /// Seed of the first; each further one has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Enclaves at a time.
    #[arg(long, default_value_t = 6)]
    lanes: usize,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let Arguments { schedules, seed, lanes } = Arguments::parse();
    let done = AtomicU64::new(0);
    let ended = move |violation: Option<&Violation>| {
        if let Some(violation) = violation {
            println!("{violation}\n");
        }
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(50) {
            println!("{done} of {schedules} schedules");
        }
    };
    let violations = soak(seed..seed.saturating_add(schedules), lanes, ended).await?;
    if violations.is_empty() {
        println!("{schedules} schedules, 0 violations");
        return Ok(ExitCode::SUCCESS);
    }
    let seeds: Vec<String> = violations.iter().map(|violation| violation.seed.to_string()).collect();
    println!("{schedules} schedules, {} violations: seeds {}", violations.len(), seeds.join(" "));
    Ok(ExitCode::FAILURE)
}
