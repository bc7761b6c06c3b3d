//! The gateway: calls to large models over HTTP, each under one deadline and within its budgets.
//!
//! A question is answered by its deadline, whatever a provider does: with what the model said, or with why it said nothing.

mod config;
mod gateway;

pub use config::{Config, Provider, ProviderModel, StructuredOutput, TokensField};
pub use gateway::{Gateway, LateReply, Pending, StartError};
