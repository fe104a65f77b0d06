//! The line: signed requests become hosts and load balancers, one after the other.
//!
//! The way of a request is straight: `receive` → `open` → `bind` → `claim` → `authorize` → `plan` → `apply` →
//! `record` → `reply`. Decisions are pure functions (`bind`, `desired`, `progress`, `outcome`, `parameters`, `result`); `handler`,
//! `work`, `apply` and `ending` are the thin shell around them.

mod apply;
mod balancers;
mod bind;
mod capacity;
mod check;
mod claim;
mod config;
mod desired;
mod destruction;
mod ending;
mod facts;
#[cfg(test)]
mod fixtures;
mod handler;
mod host_records;
mod inventory;
mod line;
mod look;
mod message;
mod notices;
mod outcome;
mod parameters;
mod progress;
mod rebuild;
mod rebuild_marks;
mod reply;
mod result;
mod rollout;
mod survey;
mod tenant;
mod work;

pub use config::Config;
pub use handler::Provision;
