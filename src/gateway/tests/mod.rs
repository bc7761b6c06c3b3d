//! The room as a whole, against a provider that misbehaves.

pub(super) mod questions;
