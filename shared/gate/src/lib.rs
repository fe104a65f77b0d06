//! The tenant's rules: who is trusted, who may give orders, and within which bounds.
//!
//! Everything here is deny by default: what the rules do not name is refused.

mod decide;
pub mod rules;

pub use decide::{Denial, authorize_order, authorize_signer, images_in_force};
pub use rules::{GATE_KEY, Gate, GateError};
