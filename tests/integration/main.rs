//! The `forthwith` command and its server as users have them: the real binary, on free ports, in folders of their own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it cannot go on")]

mod caps;
mod cases;
mod checking;
mod cli;
mod consents;
mod crash;
mod explaining;
mod exposition;
mod feedback;
mod format;
mod http;
mod interchange;
mod kills;
mod looking;
mod metrics;
mod overload;
mod proofs;
mod repair;
mod replaying;
mod samples;
mod searching;
mod support;
mod training;
mod watching;
