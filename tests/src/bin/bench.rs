//! `make bench`: measures side by side, in one run, and prints a table with ratio, goal and verdict.
//!
//! Start: from spawning the process to its first request for an invocation. Memory: resident set at that moment.
#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;

/// Interleaved starts of each binary; the median is what counts.
const ROUNDS: usize = 31;

/// A start takes milliseconds; one that takes this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A measured process; dropped, it is ended and waited for.
struct Measured(Child);

impl Drop for Measured {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One measured start.
struct Start {
    elapsed: Duration,
    resident_kib: u64,
}

fn main() -> Result<()> {
    let target =
        std::env::current_exe()?.parent().and_then(Path::parent).context("no target folder")?.join("release");
    let (ours, empty) = (target.join("provision"), target.join("empty-function"));
    for binary in [&ours, &empty] {
        ensure!(binary.is_file(), "{} is not there: run `make bench`", binary.display());
    }
    let (mut ours_starts, mut empty_starts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours_starts.push(start(&ours)?);
        empty_starts.push(start(&empty)?);
    }
    let milliseconds =
        |starts: &[Start]| median(starts.iter().map(|it| it.elapsed.as_secs_f64() * 1000.0).collect());
    #[allow(clippy::cast_precision_loss, reason = "a resident set is far below 2^52 KiB")]
    let mebibytes =
        |starts: &[Start]| median(starts.iter().map(|it| it.resident_kib as f64 / 1024.0).collect());

    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["question", "provision", "empty function", "ratio", "goal", "verdict"]);
    row(
        &mut table,
        "start to first /next (ms)",
        milliseconds(&ours_starts),
        milliseconds(&empty_starts),
        1.5,
    );
    row(&mut table, "resident memory then (MiB)", mebibytes(&ours_starts), mebibytes(&empty_starts), 2.0);
    println!("release builds, median of {ROUNDS} interleaved starts each\n\n{table}");
    Ok(())
}

fn row(table: &mut Table, question: &str, ours: f64, rival: f64, goal: f64) {
    let ratio = ours / rival;
    let verdict = if ratio <= goal { "ok" } else { "below goal" };
    table.add_row([
        question.to_owned(),
        format!("{ours:.2}"),
        format!("{rival:.2}"),
        format!("{ratio:.2} ×"),
        format!("≤ {goal} ×"),
        verdict.to_owned(),
    ]);
}

fn start(binary: &PathBuf) -> Result<Start> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    listener.set_nonblocking(true)?;
    let begin = Instant::now();
    let process = Command::new(binary)
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "bench"),
            ("AWS_SECRET_ACCESS_KEY", "bench"),
            ("ENCLAVE_ZONE", "bench"),
            ("ENCLAVE_TENANT_BUCKET", "bench"),
            ("ENCLAVE_STATE_BUCKET", "bench"),
            ("ENCLAVE_AUDIT_BUCKET", "bench"),
            ("ENCLAVE_RESULTS_QUEUE_URL", "http://127.0.0.1/bench.fifo"),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let process = Measured(process);
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line)?;
                let elapsed = begin.elapsed();
                ensure!(line.starts_with("GET /2018-06-01/runtime/invocation/next"), "it asked for {line:?}");
                return Ok(Start { elapsed, resident_kib: resident_kib(process.0.id())? });
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if begin.elapsed() > PATIENCE {
                    bail!("{} did not ask for an invocation within {PATIENCE:?}", binary.display());
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn resident_kib(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no resident set")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
