//! The story, section by section.

pub(crate) mod balancer;
pub(crate) mod enclave;
pub(crate) mod freeze;
pub(crate) mod hosts;
pub(crate) mod inventory;
pub(crate) mod plan;
pub(crate) mod promises;
pub(crate) mod refusals;
pub(crate) mod removal;
pub(crate) mod replay;
