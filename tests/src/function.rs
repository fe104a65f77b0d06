//! A Lambda function: its real binary as a process, invoked one event at a time.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::process::{Killer, Launch, Process, tail};
use crate::runtime_api::{Event, RuntimeApi, Work};

/// Lambda gives a function 10 seconds to initialise; a debug build on a busy machine gets more.
const INIT_LIMIT: Duration = Duration::from_secs(30);

/// What a function is.
#[derive(Debug, Clone)]
pub struct FunctionOptions {
    /// Its name.
    pub name: String,
    /// Its binary.
    pub binary: PathBuf,
    /// Its own variables, beside those that Lambda sets.
    pub environment: Vec<(String, OsString)>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// What its variables say it has; not enforced.
    pub memory_mib: u32,
    /// Region of its ARN.
    pub region: String,
    /// Account of its ARN.
    pub account: String,
    /// Where its standard output and error go.
    pub log: PathBuf,
}

/// A function that can be invoked. Its process starts with the first invocation, serves one at a time, and is
/// started anew after it ended or was killed.
#[derive(Debug)]
pub struct Function {
    options: FunctionOptions,
    arn: String,
    running: Mutex<Option<Running>>,
    killer: Killer,
}

/// One process with the runtime API that it alone speaks to.
#[derive(Debug)]
struct Running {
    process: Process,
    api: RuntimeApi,
}

/// How one invocation went.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// How it ended.
    pub outcome: Outcome,
    /// The id that the function saw.
    pub request_id: String,
    /// How long it took, the start of the process included.
    pub duration: Duration,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function answered.
    Response(Value),
    /// The function, or its start, reported an error.
    FunctionError(Value),
    /// The function did not answer in time and was killed.
    TimedOut,
    /// The process ended without an answer.
    Exited {
        /// How.
        status: ExitStatus,
    },
}

impl Function {
    /// A function; nothing is started yet.
    pub fn new(options: FunctionOptions) -> Self {
        let arn = format!("arn:aws:lambda:{}:{}:function:{}", options.region, options.account, options.name);
        Self { options, arn, running: Mutex::new(None), killer: Killer::default() }
    }

    /// What it was made of, to make another like it.
    pub fn options(&self) -> &FunctionOptions {
        &self.options
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.options.log
    }

    /// The last lines it wrote.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.options.log, lines)
    }

    /// What kills its process at any moment, an invocation's middle included.
    pub fn killer(&self) -> Killer {
        self.killer.clone()
    }

    /// The id of its process, if one runs; asked during an invocation, it is told after it.
    pub async fn process_id(&self) -> Option<u32> {
        let running = self.running.lock().await;
        running
            .as_ref()
            .filter(|running| running.process.status().is_none())
            .map(|running| running.process.id())
    }

    /// Invokes it, after the invocation that may be under way. An `Err` is a fault of this machine, never the function's.
    pub async fn invoke(&self, payload: Value) -> Result<Invocation> {
        let mut slot = self.running.lock().await;
        let begin = Instant::now();
        // Taken out of its slot: if this future is dropped half way, so is the process, as its answer would be lost.
        let mut running = match slot.take().filter(|running| running.process.status().is_none()) {
            Some(running) => running,
            None => self
                .start()
                .await
                .with_context(|| format!("cannot start the function {}", self.options.name))?,
        };
        let request_id = uuid::Uuid::now_v7().to_string();
        let work = Work { request_id: request_id.clone(), payload, timeout: self.options.timeout };
        running.api.offer(work).await?;
        let outcome = running.outcome().await;
        let duration = begin.elapsed();
        if matches!(outcome, Outcome::Response(_) | Outcome::FunctionError(_)) {
            *slot = Some(running);
        }
        Ok(Invocation { outcome, request_id, duration })
    }

    /// Ends its process, as Lambda does with one that it no longer needs.
    pub async fn stop(&self) {
        // Dropping kills it and waits for its end.
        drop(self.running.lock().await.take());
    }

    async fn start(&self) -> Result<Running> {
        let api = RuntimeApi::start(&self.arn).await?;
        let process = Process::start(&Launch {
            program: self.options.binary.clone(),
            arguments: Vec::new(),
            environment: self.environment(api.address()),
            clear_environment: true,
            log: self.options.log.clone(),
        })?;
        self.killer.aim(&process);
        Ok(Running { process, api })
    }

    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
    fn environment(&self, runtime_api: &str) -> Vec<(String, OsString)> {
        let name = &self.options.name;
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.options.memory_mib.to_string()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".to_owned()),
            ("_HANDLER", "bootstrap".to_owned()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
        ];
        let lambda = lambda.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
        lambda.chain(self.options.environment.iter().cloned()).collect()
    }
}

impl Running {
    async fn outcome(&mut self) -> Outcome {
        let mut limit = Instant::now() + INIT_LIMIT;
        loop {
            tokio::select! {
                // An answer counts even when the process ended, or time ran out, just after it.
                biased;
                Some(event) = self.api.event() => match event {
                    Event::Taken { deadline } => limit = deadline,
                    Event::Response(value) => return Outcome::Response(value),
                    Event::Error(value) => return Outcome::FunctionError(value),
                    Event::InitError(value) => {
                        self.end().await;
                        return Outcome::FunctionError(value);
                    }
                },
                status = self.process.exited() => return Outcome::Exited { status },
                () = tokio::time::sleep_until(limit) => {
                    self.end().await;
                    return Outcome::TimedOut;
                }
            }
        }
    }

    async fn end(&self) {
        self.process.kill();
        self.process.exited().await;
    }
}
