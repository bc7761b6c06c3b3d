//! The place where everything meets: the engine, the HTTP server, signals, the log.

pub(crate) mod log;
mod server;

pub(crate) use server::App;
