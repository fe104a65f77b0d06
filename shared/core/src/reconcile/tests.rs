//! Promises of the reconcile core, over generated accounts and by example.

mod attest;
mod balancing;
mod converge;
mod destruction;
mod generate;
mod generate_balancing;
mod hosts;
mod leftovers;
mod names;
mod preview;
mod private_link;
mod rebuild;
mod survey;
