//! The guardrail: the checks between what a tier proposes and what becomes of it.
//!
//! Only this room makes an [`Approved`]. A decision holds nothing else, so nothing that was not checked can be answered,
//! recorded or acted on. The room knows neither who proposed nor why; a large model gets no more trust than a rule.
//!
//! Checks, in order: the outcome's schema (every field there, of its type, within its limits), the playbook's permitted
//! values, the consents that an action needs, the caps. All violations are reported, not only the first.

mod approved;
mod check;
mod circumstances;

pub use approved::Approved;
pub use check::{Check, Passed, Proposal, Refused, Violation, check};
pub use circumstances::{CapRoom, Circumstances};
