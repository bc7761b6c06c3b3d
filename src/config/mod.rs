//! Configuration: files and environment in, checked values or all faults out.
//!
//! ```text
//! config/
//!   forthwith.toml       the engine, the providers of large models, the server, the log
//!   context.toml         events, facts, signals
//!   playbooks/*.toml     one kind of decision each
//!   playbooks/*.cases.toml   golden cases: no part of the bundle
//!   tables/*.csv         decision tables that playbooks name
//! ```
//!
//! Nothing is half loaded: with one fault anywhere there is no [`Config`]. Environment variables override the settings of
//! `forthwith.toml`: `FORTHWITH__SERVER__LISTEN` is `listen` of `[server]`.

mod admission_settings;
mod environment;
mod files;
mod load;
mod provider_reader;
mod provider_settings;
#[cfg(test)]
mod provider_tests;
mod secret_source;
mod server_settings;
mod settings;
#[cfg(test)]
mod tests;
mod unserved;

pub use files::{read_cases, read_models, read_sources};
pub use load::Config;
pub use load::read_bundle;
pub use settings::{InferenceSettings, LogFormat, LogSettings, ServerSettings, Settings};
pub use unserved::Unserved;
