//! The guardrail: the checks between what a tier proposes and what becomes of it.
//!
//! Only this room makes an [`Approved`]. A decision holds nothing else, so nothing that was not checked can be answered,
//! recorded or acted on. The room knows neither who proposed nor why; a large model gets no more trust than a rule.
//!
//! Checks, in order: the outcome's schema (every field there, of its type, within its limits), the playbook's permitted
//! values, the consents that an action needs, the playbook's limits, the caps. All violations are reported, not only the first.
//! Limits are the one check that looks at the event and the customer; the playbook's default is the safe action, and they leave
//! it alone.
//!
//! | file | noun |
//! |---|---|
//! | `check` | the checks in their order, and what they say |
//! | `limits` | a proposal held against limits |
//! | `grounds` | what a proposal is checked on |
//! | `circumstances` | what consents, flow control and caps leave |
//! | `approved` | the proof of having passed |

mod approved;
mod check;
mod circumstances;
mod grounds;
mod limits;
#[cfg(test)]
mod tests;

pub use approved::Approved;
pub use check::{Check, Passed, Proposal, Refused, Violation, check, check_default};
pub use circumstances::{CapRoom, Circumstances};
pub use grounds::{Chosen, Grounds};
