//! The gateway: calls to large models over HTTP, each under one deadline and within its budgets.
//!
//! A question is answered by its deadline, whatever a provider does: with what the model said, or with why it said nothing.

mod gateway;

pub use gateway::{Config, Gateway, LateReply, Pending, StartError};
