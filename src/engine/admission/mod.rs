//! Admission: whether a request is taken on, before any work is done for it.
//!
//! More can be offered than can be done. What then waits grows, until everything is answered too late; so some of it is shed at
//! once, and what is admitted is answered inside its deadline. The room looks at the delay that requests have had when work on
//! them could begin, and lets through as large a share as keeps it near a target. What is worth least goes first: by the
//! priority of its playbook, and among equals evenly, a customer who asks far more than others apart, who is held to a few times
//! what they get. See `docs/DECISIONS/0030-admission.md`.
//!
//! It reads no clock and draws no lots: instants are handed in, and who is let through is a hash of the customer and of a count.
//!
//! | file | noun |
//! |---|---|
//! | `admission` | the engine's admission: bounds, lanes, what is told of them |
//! | `lane` | where requests line up: in process, or at one worker of the HTTP server |
//! | `control` | the share that keeps the delay near its target |
//! | `census` | who asks, and how a share is divided among them |
//! | `verdict` | the division, in one word |
//! | `weight` | what a request is worth |
//! | `strain` | whether shedding has lasted so long that traffic should go elsewhere |
//! | `config`, `metrics` | bounds; series |

#[expect(clippy::module_inception, reason = "the file holds the admission, as its name says")]
mod admission;
mod census;
mod config;
mod control;
mod lane;
mod metrics;
#[cfg(test)]
mod simulated_tests;
mod strain;
mod verdict;
mod weight;

pub use config::Config;

pub(crate) use admission::{Admission, Bodies, UnderWay};
pub(crate) use lane::Lane;
pub(crate) use metrics::ShedFor;
pub(crate) use weight::{BULK_LOWER, LEVEL_TOLD, Weight};
