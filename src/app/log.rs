//! The log: `tracing` lines on standard error. Spans go to a collector.

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, registry};

use super::spans::Spans;
use crate::config::{LogFormat, LogSettings};

/// What takes lines or spans.
pub(super) type AnyLayer = Box<dyn Layer<Registry> + Send + Sync>;

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

/// Starts logging, and sending spans if a collector is named. Once per process; later calls change nothing. What is returned is
/// dropped when the program ends.
pub(crate) fn start(settings: &LogSettings) -> Result<Option<Spans>, String> {
    let filter = check(settings)?;
    let spans = Spans::start(settings)?;
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match settings.format {
        LogFormat::Text => {
            lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).with_filter(filter).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    install(lines, spans.as_ref());
    Ok(spans)
}

/// Starts sending spans if a collector is named, for a command that has no log: the only lines are those about the spans.
pub(crate) fn start_spans(settings: &LogSettings) -> Result<Option<Spans>, String> {
    let spans = Spans::start(settings)?;
    if spans.is_some() {
        let lines = fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
        let about_spans = filter_fn(|metadata| metadata.is_event() && metadata.target() == "forthwith::app::spans");
        install(lines.with_filter(about_spans).boxed(), spans.as_ref());
    }
    Ok(spans)
}

fn install(lines: AnyLayer, spans: Option<&Spans>) {
    let mut layers = vec![lines];
    layers.extend(spans.map(Spans::layer));
    // Someone else's logging, in a process that embeds us, is as good.
    drop(registry().with(layers).try_init());
}
