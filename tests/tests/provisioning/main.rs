//! The main job, end to end: the real function on a local enclave, observed through the AWS API, the replies
//! and the ledger.

mod interrupted;
mod load_balancers;
mod main_job;
mod rules;
mod support;
