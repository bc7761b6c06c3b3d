//! The room as a whole, against a provider that misbehaves.

#[cfg(feature = "large-model")]
mod faults;
#[cfg(feature = "large-model")]
mod house;
#[cfg(feature = "large-model")]
mod keeping;
#[cfg(feature = "large-model")]
mod money;
pub(super) mod questions;
#[cfg(feature = "large-model")]
mod spans;
#[cfg(feature = "large-model")]
mod switching;
#[cfg(feature = "large-model")]
mod time;
