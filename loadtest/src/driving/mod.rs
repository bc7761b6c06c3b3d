//! The driver: calls at their times, answers heard, everything counted.
//!
//! Several threads that share nothing: each has its part of the calls, its own connections, its own histograms and its own checker.
//! A call that is due is made at once or, where it needs a connection and none is free, as soon as one is; its latency counts from
//! when it was due, so that a driver or an engine that falls behind hides nothing. The driver measures how late it is itself.
//!
//! One loop drives open and closed phases alike, in process and over HTTP ([`rounds`]). It sleeps by an alarm of its own
//! ([`alarm`]): the timer of an async runtime is a millisecond coarse, which is more than most answers take.
//!
//! | file | noun |
//! |---|---|
//! | `course` | when calls are due |
//! | `rounds` | the loop |
//! | `door` | where calls are made |
//! | `here` | the engine in process |
//! | `wire` | an engine over HTTP |
//! | `reading` | answers over HTTP, read |
//! | `alarm` | waking at a time |
//! | `effort` | how busy a thread is |
//! | `tally` | what one thread has seen |
//! | `team` | all threads |

mod alarm;
mod course;
mod door;
mod effort;
mod here;
mod reading;
mod rounds;
#[cfg(test)]
mod rounds_tests;
mod tally;
mod team;
mod wire;

pub(crate) use door::{Address, Destination};
pub(crate) use tally::{CLASSES, Part, PhaseCount, Tally};
pub(crate) use team::{Team, TeamPlan};
