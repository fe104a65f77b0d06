//! The emulator's Python packages, installed once per version of the list.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::process::{Launch, Process, tail};
use crate::{paths, wait};

/// Long enough for a slow mirror; what is slower needs a person to look.
const INSTALL_LIMIT: Duration = Duration::from_mins(10);

/// The Python of a virtual environment that holds exactly `requirements.txt`; made when it is not there.
///
/// It lies under the target directory, named by the list's hash, so a changed list never meets an old environment.
pub(crate) async fn python(requirements: &Path) -> Result<PathBuf> {
    let list = std::fs::read(requirements)
        .with_context(|| format!("cannot read the emulator's packages, {}", requirements.display()))?;
    let hash = hex::encode(Sha256::digest(&list));
    let target = paths::target()?;
    let directory = target.join(format!("emulator-venv-{}", hash.get(..16).unwrap_or(&hash)));
    let python = directory.join("bin/python");
    let complete = directory.join(".complete");
    if complete.is_file() {
        return Ok(python);
    }
    std::fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
    let _lock = lock(&target.join("emulator-venv.lock")).await?;
    if !complete.is_file() {
        install(requirements, &directory, &python).await?;
        File::create(&complete).context("cannot mark the emulator's environment as complete")?;
    }
    Ok(python)
}

/// Test binaries start side by side; one installs, the others wait.
async fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    wait::until("another process installs the emulator", INSTALL_LIMIT, async || match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).context("cannot lock the emulator's environment"),
    })
    .await?;
    Ok(file)
}

async fn install(requirements: &Path, directory: &Path, python: &Path) -> Result<()> {
    eprintln!("installing the emulator (once) …");
    if directory.exists() {
        // Somebody was interrupted half way.
        std::fs::remove_dir_all(directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    let log = directory.with_extension("log");
    let base = std::env::var_os("PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    run(base, &["-m".as_ref(), "venv".as_ref(), directory], &log).await?;
    let pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--require-hashes", "-r"];
    let mut arguments: Vec<&Path> = pip.iter().map(Path::new).collect();
    arguments.push(requirements);
    run(python.to_owned(), &arguments, &log).await
}

async fn run(program: PathBuf, arguments: &[&Path], log: &Path) -> Result<()> {
    let name = program.display().to_string();
    let process = Process::start(&Launch {
        program,
        arguments: arguments.iter().map(|argument| argument.as_os_str().to_owned()).collect(),
        environment: Vec::new(),
        clear_environment: false,
        log: log.to_owned(),
    })?;
    let status = tokio::time::timeout(INSTALL_LIMIT, process.exited())
        .await
        .with_context(|| format!("{name} took longer than {INSTALL_LIMIT:?}; see {}", log.display()))?;
    if !status.success() {
        bail!("{name} ended with {status}; the last lines of {}:\n{}", log.display(), tail(log, 20));
    }
    Ok(())
}
