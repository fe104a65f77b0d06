//! Child processes that never outlive this one.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tokio::sync::watch;

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program's file, or a name to look up in `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables it gets beside those it inherits.
    pub environment: Vec<(String, OsString)>,
    /// Whether it inherits no variable but `PATH`.
    pub clear_environment: bool,
    /// Standard output and standard error are appended here.
    pub log: PathBuf,
}

/// A running child, leader of a process group of its own; dropped, the whole group is killed.
///
/// Each child has a thread that starts it and waits for it. That thread lives as long as the child, which
/// matters because Linux ties a parent-death signal to the thread that forked, not to its process.
#[derive(Debug)]
pub struct Process {
    /// None as soon as the child is about to be reaped, so that a signal never reaches a recycled id.
    alive: Arc<Mutex<Option<Pid>>>,
    exited: watch::Receiver<Option<ExitStatus>>,
    waiter: Option<JoinHandle<()>>,
    id: u32,
}

impl Process {
    /// Starts it.
    pub fn start(launch: &Launch) -> Result<Self> {
        let name = launch.program.display().to_string();
        let mut command = command(launch)?;
        let alive = Arc::new(Mutex::new(None));
        let (exit_sender, exited) = watch::channel(None);
        let (start_sender, started) = mpsc::sync_channel(1);
        let shared = Arc::clone(&alive);
        let waiter = std::thread::Builder::new()
            .name("child".to_owned())
            .spawn(move || match start_child(&mut command) {
                Ok((child, pid)) => {
                    *lock(&shared) = Some(pid);
                    // Nobody listens only when `start` itself panicked; then the drop below still ends the child.
                    let _ = start_sender.send(Ok(child.id()));
                    // A closed channel means nobody asks any more.
                    let _ = exit_sender.send(Some(wait_and_reap(child, pid, &shared)));
                }
                Err(error) => {
                    let _ = start_sender.send(Err(error));
                }
            })
            .context("cannot start a thread")?;
        let id = started
            .recv()
            .context("the thread of a child is gone")?
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { alive, exited, waiter: Some(waiter), id })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        *self.exited.borrow()
    }

    /// Waits for its end.
    pub async fn exited(&self) -> ExitStatus {
        let mut exited = self.exited.clone();
        match exited.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            // The waiting thread is gone without a word: only a panic in it does that, and the child is lost.
            Err(_) => ExitStatus::default(),
        }
    }

    /// Kills it and all it started, at once.
    pub fn kill(&self) {
        kill_group(&self.alive);
    }

    /// Asks it to end, and kills it and all it started when it has not after `grace`.
    pub async fn stop(self, grace: Duration) {
        if let Some(pid) = *lock(&self.alive) {
            let _ = kill_process(pid, Signal::TERM);
        }
        // Whether it ended or not: dropping kills what is left.
        let _ = tokio::time::timeout(grace, self.exited()).await;
    }
}

/// Kills whatever process it was last pointed at, from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Killer {
    target: Arc<Mutex<Arc<Mutex<Option<Pid>>>>>,
}

impl Killer {
    /// Points it at a process.
    pub fn aim(&self, process: &Process) {
        *lock(&self.target) = Arc::clone(&process.alive);
    }

    /// Kills the process and all it started, at once; nothing happens when it has ended.
    pub fn kill(&self) {
        let target = Arc::clone(&*lock(&self.target));
        kill_group(&target);
    }
}

fn kill_group(alive: &Mutex<Option<Pid>>) {
    if let Some(pid) = *lock(alive) {
        // It may be ending by itself at this moment, which is as good.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if let Some(waiter) = self.waiter.take() {
            // Only milliseconds after a SIGKILL, and it is what makes "no process is left" true.
            let _ = waiter.join();
        }
    }
}

/// The last `lines` lines of a log.
pub fn tail(log: &Path, lines: usize) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn start_child(command: &mut Command) -> Result<(Child, Pid)> {
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process id out of range")?;
    Ok((child, pid))
}

fn wait_and_reap(mut child: Child, pid: Pid, alive: &Mutex<Option<Pid>>) -> ExitStatus {
    // Without reaping: until the lock is held, the id must stay taken.
    let _ =
        rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
    let mut alive = lock(alive);
    // What the child started goes with it.
    let _ = kill_process_group(pid, Signal::KILL);
    *alive = None;
    child.wait().unwrap_or_default()
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    // The value is set in one go: a panic elsewhere cannot have left it half written.
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn command(launch: &Launch) -> Result<Command> {
    let Some(program) = find(&launch.program) else {
        bail!("{} is not there", launch.program.display());
    };
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&launch.log)
        .with_context(|| format!("cannot write {}", launch.log.display()))?;
    // When we are killed without a chance to clean up, the kernel ends the child, where util-linux is installed.
    let mut command = match find(Path::new("setpriv")) {
        Some(setpriv) if cfg!(target_os = "linux") => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        _ => Command::new(program),
    };
    if launch.clear_environment {
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    }
    command
        .args(&launch.arguments)
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("cannot share a log file")?)
        .stderr(log)
        // Ctrl-C in a terminal goes to the whole group in front; children end when, and in the order, we say.
        .process_group(0);
    Ok(command)
}

fn find(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}
