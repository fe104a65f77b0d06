//! The main job, end to end: the real function on a local enclave, observed through the AWS API, the replies
//! and the ledger.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail a test by panicking, as tests do"
)]

mod balancer_changes;
mod budget;
mod deadlines;
mod interrupted;
mod leftovers;
mod load_balancers;
mod main_job;
mod notices;
mod private_link;
mod rebuild;
mod rules;
mod support;
