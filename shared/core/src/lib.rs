//! What the functions share: the foundation they stand on, the ledger, the pure reconcile core,
//! configuration and telemetry.

pub mod foundation;
