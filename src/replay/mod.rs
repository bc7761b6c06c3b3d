//! Recorded turns taken again: on their own bundles, to compare bytes; under another bundle, to see what would change.
//!
//! The room reads a journal beside whoever writes it, locks nothing and writes nothing. It asks no clock: what was read then
//! stands in the records. [`replay`] takes every turn again by [`turn::take`](crate::turn::take), on its bundle and on the
//! customer's state as it was, writes its record again and holds it against the journal's. [`backtest`] decides them under a
//! bundle of your choice and counts what comes out otherwise.
//!
//! Sketch of a turn's cost besides the turn itself: its record copied once, decoded once, written once into reused memory,
//! compared. Reading and checking the journal is another thread's.
//!
//! | file | noun |
//! |---|---|
//! | `range` | which records are taken again |
//! | `course` | the way through a journal: passes, threads, memory |
//! | `chunk` | records on their way between threads |
//! | `bundles` | the bundles of a journal |
//! | `states` | the customers of a partition |
//! | `again` | a turn taken again |
//! | `difference` | what came out otherwise |
//! | `report` | what came of it all |
//! | `backtest` | turns decided again under another bundle |
//! | `carrying` | inputs carried from one bundle's declarations to another's |
//! | `changes`, `moves` | what would change |

mod again;
mod backtest;
mod bundles;
mod carrying;
mod changes;
mod chunk;
mod course;
mod difference;
mod moves;
mod range;
mod report;
mod states;
#[cfg(test)]
pub(crate) mod tests;

pub use again::{replay, replay_journal};
pub use backtest::{BacktestReport, Question, backtest};
pub use changes::{Counted, FieldChanges, PlaybookChanges};
pub use difference::{Changed, Difference, DifferenceKind};
pub use moves::{Example, Move};
pub use range::{Place, PlaceError, Range};
pub use report::{Counts, Gap, Limits, Progress, ReplayError, Report, Unreadable};
