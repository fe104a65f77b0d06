//! Random schedules: the lives of clusters under faults, each drawn from a seed and nothing else.
//!
//! A schedule is a sequence of *steps*. A step puts messages on the line (orders, duplicates, ticks, host events) and ends
//! when the function has had each; the faults of a step follow from seed and step, so what strikes in one step does
//! not move what strikes in the next. After its orders, and again when all was removed, account, ledger and replies are
//! held against the model from outside.

mod draw;
mod model;
mod play;
mod weather;

use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use futures::future::try_join_all;

use play::Stage;

/// Schedules that one local enclave plays before it is taken down: a new one costs as much as one of them, and the more
/// an old one remembers, the slower it is looked at.
const SCHEDULES_OF_AN_ENCLAVE: usize = 20;

/// A schedule that went wrong.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Its seed.
    pub seed: u64,
    /// What was violated, and the story until then.
    pub why: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {}: {}\nagain with: make soak N=1 SEED={}", self.seed, self.why, self.seed)
    }
}

/// Plays the schedules of these seeds on `lanes` enclaves at a time; tells `ended` of each, with what it
/// violated. An `Err` is a fault of this machine.
pub async fn soak(
    seeds: impl IntoIterator<Item = u64>,
    lanes: usize,
    ended: impl Fn(Option<&Violation>),
) -> Result<Vec<Violation>> {
    let seeds: Vec<u64> = seeds.into_iter().collect();
    let batches = Mutex::new(seeds.chunks(SCHEDULES_OF_AN_ENCLAVE));
    let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
    let lane = async || {
        let mut violations = Vec::new();
        while let Some(batch) = next() {
            violations.extend(Box::pin(play_all(batch, &ended)).await?);
        }
        anyhow::Ok(violations)
    };
    let mut violations = try_join_all((0..lanes.max(1)).map(|_| lane())).await?.concat();
    violations.sort_by_key(|violation| violation.seed);
    Ok(violations)
}

/// Plays schedules one after the other; each begins on an account that the one before left empty.
async fn play_all(seeds: &[u64], ended: &impl Fn(Option<&Violation>)) -> Result<Vec<Violation>> {
    let mut stage = Stage::start().await?;
    let mut violations = Vec::new();
    for seed in seeds {
        let violation = match stage.play(*seed).await {
            Ok(()) => None,
            Err(error) => Some(Violation { seed: *seed, why: format!("{error:#}") }),
        };
        ended(violation.as_ref());
        if let Some(violation) = violation {
            violations.push(violation);
            // What it left behind must not be held against the next.
            std::mem::replace(&mut stage, Stage::start().await?).end().await;
        }
    }
    stage.end().await;
    Ok(violations)
}
