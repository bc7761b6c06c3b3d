//! The place where everything meets: the engine, the HTTP server, signals, the log.

mod doors;
#[cfg(test)]
mod fault_tests;
#[cfg(feature = "cli")]
pub(crate) mod log;
#[cfg(feature = "cli")]
mod server;
#[cfg(all(feature = "cli", feature = "otel"))]
mod spans;
#[cfg(all(feature = "cli", not(feature = "otel")))]
mod spans_absent;
#[cfg(all(feature = "cli", feature = "otel"))]
mod spans_sampler;

#[cfg(all(feature = "cli", not(feature = "otel")))]
use spans_absent as spans;

pub use doors::Doors;
#[cfg(feature = "cli")]
pub(crate) use server::App;
#[cfg(feature = "cli")]
pub(crate) use spans::Spans;
