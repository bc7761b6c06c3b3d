//! x
pub mod actor;
pub mod bundle;
pub mod config;
pub mod context;
pub mod decider;
pub mod document;
pub mod domain;
pub mod engine;
pub mod guardrail;
pub mod journal;
pub mod rules;
pub mod telemetry;
pub mod time;
pub mod turn;
pub use domain::{Decimal, Event};
