//! Bad input, end to end: what the real function does with messages that it must refuse, seen from outside.
//!
//! Every case is one message. [`case`] says what must be seen of its refusal, [`zone`] looks, and the other modules
//! make the messages. Beside each group stands at least one twin that differs in nothing but the fault and is
//! carried out, so that no refusal can be due to something else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bindings;
mod case;
mod certificates;
mod duplicates;
mod envelopes;
mod forge;
mod gates;
mod logs;
mod looks;
mod orders;
mod payloads;
mod rules;
mod zone;
