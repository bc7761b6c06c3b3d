//! Configuration texts: TOML with the place of every key and value, read so that all faults are found at once.
//!
//! The door of the `toml` crate. Serde stops at the first mistake and forgets where values stood; here a file becomes a
//! tree of [`Section`]s and [`Node`]s that are asked for what they should hold, note what is wrong and go on.

mod fault;
mod section;

pub use fault::{Fault, Faults, Place};
pub use section::{Document, FaultSink, Node, Section};
