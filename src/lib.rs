//! x
pub mod actor;
#[cfg(feature = "http")]
mod admin;
#[cfg(feature = "cli")]
mod app;
pub mod bundle;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod config;
pub mod context;
pub mod decider;
pub mod document;
pub mod domain;
pub mod engine;
pub mod guardrail;
#[cfg(feature = "http")]
mod ingress;
pub mod journal;
pub mod rules;
pub mod telemetry;
pub mod time;
pub mod turn;
pub use domain::{Decimal, Event};
