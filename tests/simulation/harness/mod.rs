//! The engine's core over simulated threads: what the tests of this package drive.
//!
//! A child of the room `actor`, so that it works with the room's own types. Compiled under `cfg(simulation)` only.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a simulation stops where it cannot go on, and says why"
)]

mod dice;
mod disk;
mod life;
mod machine;
mod premises;
mod protocol;
mod scheduler;
mod staff;
mod store;
mod story;
mod witness;

pub use premises::panic_if_told;
pub use protocol::{Cast, Mistake, layout, play};
pub use story::{Disk, Told, tell};
