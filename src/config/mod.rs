//! Configuration: files and environment in, checked values or all faults out.
//!
//! ```text
//! config/
//!   forthwith.toml       the engine, the server, the log; every key has a default
//!   context.toml         events, facts, signals
//!   playbooks/*.toml     one kind of decision each
//!   playbooks/*.cases.toml   golden cases: no part of the bundle
//!   tables/*.csv         decision tables that playbooks name
//! ```
//!
//! Nothing is half loaded: with one fault anywhere there is no [`Config`]. Environment variables override the settings of
//! `forthwith.toml`: `FORTHWITH__SERVER__LISTEN` is `listen` of `[server]`.

mod files;
mod load;
mod settings;
#[cfg(test)]
mod tests;

pub use files::{read_cases, read_models, read_sources};
pub use load::Config;
pub use load::read_bundle;
pub use settings::{InferenceSettings, LogFormat, LogSettings, ServerSettings, Settings};
