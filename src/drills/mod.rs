//! Drills: every fallback of every playbook, brought about and looked at, without waiting for the day on which it is needed.
//!
//! A fallback that nobody has seen for a year is a hope. A drill sets up what would cause one (a customer without consent, a cap
//! without room, a model that says nothing) on a customer of its own whom there is not, takes the very turn of production, and checks
//! that what comes out is what the bundle promises, and that its record can be read back and taken again bit for bit. Nothing is
//! written and nobody is asked: a journal holds what happened, and this did not. Pure: the same bundle gives the same.
//!
//! | file | noun |
//! |---|---|
//! | `specimen` | events that a playbook decides on, made from their declarations |
//! | `scene` | what brings a fallback about |
//! | `word` | what models and agents say in it |
//! | `stage` | where a turn is taken and its record proved |
//! | `rehearsal` | all fallbacks of a playbook, one after the other |

mod rehearsal;
mod scene;
mod specimen;
mod stage;
#[cfg(test)]
mod tests;
mod word;

pub use rehearsal::{Came, Rehearsed, capped, reasons, rehearse};
pub use specimen::{SOURCE, specimen};
