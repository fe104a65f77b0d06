//! Promises of the reconcile core, over generated accounts and by example.

mod attest;
mod balancing;
mod converge;
mod generate;
mod hosts;
mod names;
mod preview;
