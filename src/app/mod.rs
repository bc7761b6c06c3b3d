//! The place where everything meets: the engine, the HTTP server, signals, the log.

mod doors;
#[cfg(test)]
mod fault_tests;
#[cfg(feature = "cli")]
pub(crate) mod log;
#[cfg(feature = "cli")]
mod server;

pub use doors::Doors;
#[cfg(feature = "cli")]
pub(crate) use server::App;
