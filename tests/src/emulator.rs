//! The AWS emulator: a process of its own, on a free port of 127.0.0.1.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{Launch, Process, tail};
use crate::{paths, venv, wait};

/// Python needs seconds to read the packages, more on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// It has nothing to save.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A running emulator.
#[derive(Debug)]
pub struct Emulator {
    process: Process,
    url: String,
    log: PathBuf,
}

fn source() -> PathBuf {
    paths::repository().join("tests/emulator")
}

/// The Python that runs the emulator; it has boto3, too.
pub async fn python() -> Result<PathBuf> {
    venv::python(&source().join("requirements.txt")).await
}

impl Emulator {
    /// Installs it if need be, starts it, and waits until it listens; its files go to `directory`.
    pub async fn start(directory: &Path) -> Result<Self> {
        let source = source();
        let python = python().await?;
        let port_file = directory.join("emulator.port");
        let log = directory.join("emulator.log");
        let arguments = ["-m", "enclave_emulator", "--host", "127.0.0.1", "--port", "0"].map(OsString::from);
        let files = ["--port-file".into(), port_file.clone().into(), "--log".into(), log.clone().into()];
        let process = Process::start(&Launch {
            program: python,
            arguments: arguments.into_iter().chain(files).collect(),
            environment: vec![
                ("PYTHONPATH".to_owned(), source.into()),
                // The source tree stays as it was checked out.
                ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".into()),
            ],
            clear_environment: false,
            log: directory.join("emulator.out"),
        })?;
        let port = wait::until("the emulator says where it listens", START_LIMIT, async || {
            if let Some(status) = process.status() {
                bail!("the emulator ended with {status}:\n{}", tail(&directory.join("emulator.out"), 20));
            }
            // The file is renamed into its place, so what is read is whole.
            let text = std::fs::read_to_string(&port_file).unwrap_or_default();
            Ok(text.trim().parse::<u16>().ok())
        })
        .await
        .context("cannot start the emulator")?;
        Ok(Self { process, url: format!("http://127.0.0.1:{port}"), log })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Its log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Ends it.
    pub async fn stop(self) {
        self.process.stop(STOP_LIMIT).await;
    }
}
