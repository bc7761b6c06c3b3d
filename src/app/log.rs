//! The log: `tracing` lines on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, LogSettings};

/// The HTTP server's library tells at every start what we tell better; it keeps to warnings unless someone asks for more.
fn with_quiet_server(level: &str) -> String {
    if level.contains("actix") { level.to_owned() } else { format!("{level},actix_server=warn") }
}

/// Whether the level is a filter, or why not.
pub(crate) fn check(settings: &LogSettings) -> Result<EnvFilter, String> {
    EnvFilter::try_new(with_quiet_server(&settings.level)).map_err(|e| {
        format!("the log level `{}` is not a filter such as `info` or `warn,forthwith=debug`: {e}", settings.level)
    })
}

/// Starts logging. Once per process; later calls change nothing.
pub(crate) fn start(settings: &LogSettings) -> Result<(), String> {
    let filter = check(settings)?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let started = match settings.format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    // Someone else's logging, in a process that embeds us, is as good.
    drop(started);
    Ok(())
}
