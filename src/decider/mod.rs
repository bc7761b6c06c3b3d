//! The decider: asks the tiers in order and brings one approved outcome, always.
//!
//! The rules are asked first and their answer is always at hand; a proposal that the guardrail refuses gives way to the
//! playbook's default, which was checked when the bundle was loaded. The room knows no runtime, no clock and no I/O: what a
//! tier needs from outside comes in as a reading.

mod cascade;
mod sight;

pub use cascade::{Decided, decide, fallen_back};
pub use sight::{Seen, Sight};
