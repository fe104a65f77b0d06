//! Whatever crashes, fails or comes twice: exactly what was asked for exists, and the final reply is one.
//!
//! The function is the real binary; faults strike between it and AWS. A message of a process that died becomes
//! visible at once here, where AWS waits for the visibility timeout; `deliveries` has the real timing, too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail a test by panicking, as tests do"
)]

mod capacity;
mod checker;
mod deliveries;
mod faults;
mod kill;
mod many;
mod pace;
mod scale;
mod support;
