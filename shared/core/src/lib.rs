//! What the functions share: the foundation they stand on, the ledger, the pure reconcile core,
//! configuration and telemetry.

pub mod aws;
pub mod aws_errors;
pub mod capacity;
pub mod config;
pub mod creation;
pub mod foundation;
pub mod ledger;
pub mod pacing;
pub mod reconcile;
pub mod store;
pub mod tags;
pub mod telemetry;
pub mod watch;
