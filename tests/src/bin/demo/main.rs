//! `make demo`: the main job on a local enclave, told to a person.
//!
//! Every section does something, says what came of it, and checks it against the account as anybody sees it from
//! outside. The first check that fails ends the demonstration with exit code 1.

mod account;
mod attacks;
mod check;
mod orders;
mod outline;
mod screen;
mod sections;
mod story;
mod summary;

use std::process::ExitCode;

use anyhow::Result;
use enclave_tests::enclave::{LocalEnclave, Options};
use enclave_tests::ending;
use enclave_tests::paths;

use crate::screen::Screen;
use crate::story::Story;
use crate::summary::Summary;

/// Lines of the function's log shown when something failed.
const LOG_LINES: usize = 40;

/// What a shell expects of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Why the demonstration did not come to its end.
enum Ended {
    /// Somebody asked it to end.
    Interrupted,
    /// Something failed; with the function's last words, where it ran.
    Failed { error: anyhow::Error, log: String },
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let screen = Screen::new();
    let mut summary = Summary::new();
    // Boxed: the story is one deep future, and this keeps the runtime's own shallow.
    let told = Box::pin(run(&screen, &mut summary)).await;
    summary.finish(told.as_ref().err().map(|ended| match ended {
        Ended::Interrupted => "interrupted".to_owned(),
        Ended::Failed { error, .. } => format!("{error:#}"),
    }));
    // After a failure, too: it says how far the story came.
    let written = write(&summary).map_err(|error| Ended::Failed { error, log: String::new() });
    match told.and(written) {
        Ok(path) => {
            screen.section(9, "The summary");
            screen.say(&summary.in_short());
            screen.say(&format!("All of it, requests and replies included, is in {path} as JSON."));
            screen.end("demo: ok");
            ExitCode::SUCCESS
        }
        Err(Ended::Interrupted) => {
            eprintln!("\ndemo: interrupted; nothing is left running");
            ExitCode::from(INTERRUPTED)
        }
        Err(Ended::Failed { error, log }) => {
            if !log.is_empty() {
                eprintln!("\nThe last lines of the function's log:\n{log}");
            }
            eprintln!("\ndemo: failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Brings the enclave up, tells the story on it, and takes it down, however the story ends.
async fn run(screen: &Screen, summary: &mut Summary) -> Result<(), Ended> {
    let failed = |error| Ended::Failed { error, log: String::new() };
    let mut ending = ending::signalled().map_err(failed)?;
    let enclave = tokio::select! {
        enclave = bring_up(screen) => enclave.map_err(failed)?,
        // What was started so far ends by being dropped.
        _ = ending.recv() => return Err(Ended::Interrupted),
    };
    let told = tokio::select! {
        told = tell(&enclave, screen, summary) => {
            told.map_err(|error| Ended::Failed { error, log: enclave.function().log_tail(LOG_LINES) })
        }
        _ = ending.recv() => Err(Ended::Interrupted),
    };
    enclave.shutdown().await;
    told
}

async fn bring_up(screen: &Screen) -> Result<LocalEnclave> {
    screen.title("Enclave for AWS: from a signed request to hosts and a load balancer");
    screen.section(1, "The enclave comes up");
    screen.say(
        "No AWS account is involved. An emulator on this machine plays one; in it are a network, keys,\n\
         buckets and queues, as Terraform would make them in a tenant's account. Behind the requests\n\
         queue runs the real provisioning function, a process of its own. Each of its calls to AWS is\n\
         recorded and counted, those for its ledger and its replies included; a change is one that changes\n\
         something in EC2 or ELBv2.",
    );
    let waiting = screen.wait("starting the emulator, making the foundation");
    let enclave = LocalEnclave::start(Options::default()).await?;
    waiting.done("the enclave is up", "");
    Ok(enclave)
}

async fn tell(enclave: &LocalEnclave, screen: &Screen, summary: &mut Summary) -> Result<()> {
    let mut story = Story::new(enclave, screen, summary)?;
    sections::enclave::tell(&mut story)?;
    let provisioned = sections::hosts::tell(&mut story).await?;
    let balancer = sections::balancer::tell(&mut story, &provisioned.hosts).await?;
    sections::inventory::tell(&mut story, &provisioned.hosts, &balancer).await?;
    sections::refusals::tell(&mut story, &provisioned).await?;
    sections::plan::tell(&mut story).await?;
    let added = sections::freeze::tell(&mut story, &provisioned.hosts).await?;
    let hosts = provisioned.hosts.iter().chain(&added).map(|host| host.host_id.clone()).collect();
    sections::removal::tell(&mut story, hosts).await
}

/// Writes the summary; its path, as short as can be.
fn write(summary: &Summary) -> Result<String> {
    let path = paths::target()?.join("demo/summary.json");
    summary.write(&path)?;
    let here = std::env::current_dir().unwrap_or_default();
    Ok(path.strip_prefix(here).unwrap_or(&path).display().to_string())
}
