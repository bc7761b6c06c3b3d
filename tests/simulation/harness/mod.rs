//! The engine's core over simulated threads: what the tests of this package drive.
//!
//! A child of the room `actor`, so that it works with the room's own types. Compiled under `cfg(simulation)` only.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a simulation stops where it cannot go on, and says why"
)]

mod premises;
mod staff;

pub use premises::{panic_if_told, smoke};
