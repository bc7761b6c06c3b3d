//! The settings of `forthwith.toml`, and environment variables over them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::environment::Environment;
use super::provider_settings::{self, ProviderSettings};
use super::{admission_settings, server_settings};
use crate::actor;
use crate::document::{Document, FaultSink, Node, Place, Section};
use crate::domain::{Decimal, Secret, TenantId, TimeDelta};
use crate::engine::admission;
use crate::engine::{STUCK_AFTER_DEFAULT, Schedule};
use crate::gateway::{self, Chance};
use crate::journal;
use crate::serving;

/// Everything `forthwith.toml` can set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose engine it is.
    pub tenant: TenantId,
    /// How customers are kept.
    pub customers: actor::Config,
    /// How the journal is kept.
    pub journal: journal::Config,
    /// How tree heads over the journal are signed.
    pub notary: journal::NotaryConfig,
    /// Models that are too slow for a turn.
    pub inference: InferenceSettings,
    /// The providers of large models.
    pub gateway: gateway::Config,
    /// How much is taken on.
    pub admission: admission::Config,
    /// The HTTP server.
    pub server: ServerSettings,
    /// The log.
    pub log: LogSettings,
    /// How long a thread that the engine cannot do without may stand still.
    pub stuck_after: Duration,
    /// How often a server checks itself.
    pub selfcheck: Schedule,
}

/// Settings of the models that are too slow for a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InferenceSettings {
    /// The pool that asks them.
    pub pool: serving::Config,
    /// Threads that compute within a batch of a neural network, beside the pool's own.
    pub model_threads: usize,
    /// The shared library of onnxruntime.
    pub onnxruntime: Option<PathBuf>,
}

/// Settings of the HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where it listens. Beyond the loopback only with a token.
    pub listen: SocketAddr,
    /// What callers must present.
    pub token: Option<Secret>,
    /// Threads that serve requests.
    pub workers: usize,
    /// Bytes that a request may have.
    pub body_bytes_max: usize,
    /// Events that a batch may have.
    pub batch_max: usize,
    /// Connections that may be open at a time.
    pub connections_max: usize,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long the head of a request may take to come.
    pub header_timeout: Duration,
    /// How long the body of a request may take to come.
    pub body_timeout: Duration,
}

impl Default for ServerSettings {
    /// What listens on this machine only, with a thread for every processor. Eight thousand connections take some 100 MB with
    /// their buffers; a caller who sends a head in more than five seconds, or a body in more than ten, holds a place for nothing.
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            token: None,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            body_bytes_max: 1 << 20,
            batch_max: 1_000,
            connections_max: 8_192,
            backlog: 2_048,
            keep_alive: Duration::from_secs(75),
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
        }
    }
}

/// Settings of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSettings {
    /// What is logged, as `tracing` filters have it: `info`, or `warn,forthwith=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
    /// The base URL of the collector that spans are sent to, as OTLP over HTTP.
    pub otlp: Option<String>,
    /// The share of the traces that begin here of which spans are sent, from 0 to 1; those of callers do as the callers say.
    pub trace_ratio: f64,
    /// The share of its budget above which a decision is slow and has a line in the log; 0 for none.
    pub slow_share: f64,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// One trace in a hundred: at a thousand decisions a second that is ten traces in each, enough to see what is usual. The spans of one
/// take four microseconds to make, nearly as much as the decision; of one in a hundred that is less than a part in a hundred. What is not usual is in the log of slow
/// decisions, whatever the share, and whoever looks for one call sends its trace along.
const TRACE_RATIO: f64 = 0.01;

/// The file of the settings.
pub(super) const SETTINGS_FILE: &str = "forthwith.toml";

/// The environment variable by which other users of onnxruntime name its shared library.
const ORT_DYLIB_PATH: &str = "ORT_DYLIB_PATH";

impl Default for Settings {
    fn default() -> Self {
        Self {
            tenant: TenantId::default(),
            customers: actor::Config::default(),
            journal: journal::Config::default(),
            notary: journal::NotaryConfig {
                workers: std::thread::available_parallelism().map_or(2, usize::from),
                ..journal::NotaryConfig::default()
            },
            inference: InferenceSettings {
                pool: serving::Config::default(),
                // More would take cores from the turns, and gain little on texts of a few words.
                model_threads: 1,
                onnxruntime: None,
            },
            gateway: gateway::Config::default(),
            admission: admission::Config::default(),
            server: ServerSettings::default(),
            log: LogSettings {
                level: "info".to_owned(),
                format: LogFormat::Text,
                otlp: None,
                trace_ratio: TRACE_RATIO,
                slow_share: 0.8,
            },
            stuck_after: STUCK_AFTER_DEFAULT,
            selfcheck: Schedule::default(),
        }
    }
}

impl Settings {
    /// Reads the settings of a folder and the environment over them; what is wrong is noted.
    pub(super) fn read(
        folder: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
        sink: &FaultSink,
    ) -> Self {
        let (mut settings, mut providers) = (Self::default(), ProviderSettings::default());
        if let Some(text) = super::files::read_optional(folder, SETTINGS_FILE, sink) {
            let document = Document::parse(SETTINGS_FILE, &text, sink);
            settings.apply(&document, &mut providers, folder, Origin::File);
        }
        let environment = Environment::new(environment);
        for (name, text) in environment.settings() {
            let Some(text) = text else {
                sink.add(Place::file(name), "", "a setting is named FORTHWITH__SECTION__KEY");
                continue;
            };
            let document = Document::parse_derived(name, &text, sink);
            settings.apply(&document, &mut providers, folder, Origin::Environment);
        }
        settings.gateway.providers = providers.finish(&environment, sink);
        // What others use for onnxruntime counts where nothing of ours names it.
        let library = environment.get(ORT_DYLIB_PATH).map(PathBuf::from);
        settings.inference.onnxruntime = settings.inference.onnxruntime.or(library);
        // Records are appended while the queue is under its bound, so a batch may pass it by what one caller each adds.
        if settings.journal.segment_bytes < 4 * settings.journal.queue_bytes as u64 {
            let message = "`segment_bytes` must be at least four times `queue_bytes`";
            sink.add(Place::file(SETTINGS_FILE), "journal", message);
        }
        if settings.server.token.is_none() && !settings.server.listen.ip().is_loopback() {
            let message = format!(
                "without a token the server listens on this machine only, not on {}; set `token_file`, or the environment \
                 variable FORTHWITH__SERVER__TOKEN",
                settings.server.listen
            );
            sink.add(Place::file(SETTINGS_FILE), "server.listen", message);
        }
        settings
    }

    fn apply(&mut self, document: &Document<'_>, providers: &mut ProviderSettings, folder: &Path, origin: Origin) {
        let root = document.root();
        with_section(&root, "engine", |section| self.engine(section));
        with_section(&root, "journal", |section| self.journal(section, folder));
        with_section(&root, "inference", |section| self.inference(section, folder));
        with_section(&root, "gateway", |section| provider_settings::gateway(section, &mut self.gateway));
        if let Some(section) = root.get("providers").and_then(|node| node.section()) {
            providers.read(&section, folder, origin);
        }
        with_section(&root, "admission", |section| admission_settings::read(section, &mut self.admission));
        with_section(&root, "server", |section| self.server(section, folder, origin));
        with_section(&root, "selfcheck", |section| self.selfcheck(section));
        with_section(&root, "log", |section| self.log(section));
        root.refuse_unknown();
    }

    fn engine(&mut self, section: &Section<'_>) {
        let customers = &mut self.customers;
        set(section, "tenant", &mut self.tenant, |node| match TenantId::new(node.text()?) {
            Ok(tenant) => Some(tenant),
            Err(fault) => {
                node.fault(fault.to_string());
                None
            }
        });
        set(section, "stuck_after", &mut self.stuck_after, |node| duration(node, "5s", "1h"));
        set(section, "keepers", &mut customers.keepers, |node| node.int(1, 64).map(|n| n as usize));
        set(section, "mailbox", &mut customers.mailbox, |node| node.int(1, 1_000_000).map(|n| n as usize));
        set(section, "hot_customers_max", &mut customers.hot_customers_max, |node| {
            node.int(1, 1_000_000_000).map(|n| n as usize)
        });
        set(section, "passivate_after", &mut customers.passivate_after, |node| duration(node, "1s", "7d"));
        set(section, "hot_bytes", &mut customers.hot_bytes, |node| node.bytes(1 << 20, 1 << 40));
        set(section, "warm_bytes", &mut customers.warm_bytes, |node| node.bytes(0, 1 << 40));
        set(section, "checkpoint_every", &mut customers.checkpoint_every, |node| duration(node, "1s", "1d"));
        set(section, "recovery_threads", &mut customers.recovery_threads, |node| {
            node.int(1, 256).map(|threads| threads as usize)
        });
        set(section, "recovery_bytes", &mut customers.recovery_bytes, |node| node.bytes(1 << 20, 1 << 40));
        set(section, "checkpoint_records", &mut customers.checkpoint_records, |node| {
            node.int(1_000, 1_000_000_000).map(|n| n as u64)
        });
    }

    fn journal(&mut self, section: &Section<'_>, folder: &Path) {
        let journal = &mut self.journal;
        set(section, "segment_bytes", &mut journal.segment_bytes, |node| node.bytes(1 << 20, 1 << 31));
        set(section, "queue_bytes", &mut journal.queue_bytes, |node| {
            node.bytes(64 << 10, 1 << 30).map(|bytes| bytes as usize)
        });
        set(section, "overflow_bytes", &mut journal.overflow_bytes, |node| {
            node.bytes(0, 1 << 31).map(|bytes| bytes as usize)
        });
        set(section, "linger", &mut journal.linger, |node| duration(node, "0s", "1s"));
        set(section, "compress", &mut journal.compress, Node::bool);
        let notary = &mut self.notary;
        set(section, "sign_every", &mut notary.sign_every, |node| duration(node, "1s", "1d"));
        set(section, "signing_key", &mut notary.key, |node| Some(Some(folder.join(node.text()?))));
        set(section, "origin", &mut notary.origin, |node| origin(node).map(Some));
    }

    fn inference(&mut self, section: &Section<'_>, folder: &Path) {
        let InferenceSettings { pool, model_threads, onnxruntime } = &mut self.inference;
        set(section, "threads", &mut pool.threads, |node| node.int(1, 64).map(|n| n as usize));
        set(section, "batch_max", &mut pool.batch_max, |node| node.int(1, 1_024).map(|n| n as usize));
        set(section, "queue_max", &mut pool.queue_max, |node| node.int(1, 100_000).map(|n| n as usize));
        set(section, "quiet", &mut pool.quiet, |node| duration(node, "0s", "1s"));
        set(section, "model_threads", model_threads, |node| node.int(1, 64).map(|n| n as usize));
        set(section, "onnxruntime", onnxruntime, |node| Some(Some(folder.join(node.text()?))));
    }

    fn server(&mut self, section: &Section<'_>, folder: &Path, origin: Origin) {
        let server = &mut self.server;
        set(section, "listen", &mut server.listen, |node| match node.text()?.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                node.fault("expected an address and a port, such as `127.0.0.1:8080` or `[::1]:8080`");
                None
            }
        });
        set(section, "workers", &mut server.workers, |node| node.int(1, 1_024).map(|n| n as usize));
        set(section, "body_bytes_max", &mut server.body_bytes_max, |node| {
            node.bytes(1 << 10, 256 << 20).map(|bytes| bytes as usize)
        });
        set(section, "batch_max", &mut server.batch_max, |node| node.int(1, 100_000).map(|n| n as usize));
        server_settings::read_bounds(section, server);
        set(section, "token_file", &mut server.token, |node| token_file(node, folder).map(Some));
        if origin == Origin::Environment {
            set(section, "token", &mut server.token, |node| token(node, node.text()?).map(Some));
        } else if let Some(node) = section.get("token") {
            node.fault("a token does not belong in a configuration file; put it into a file of its own and name it by `token_file`");
        }
    }

    fn selfcheck(&mut self, section: &Section<'_>) {
        let Schedule { every, fallbacks_every } = &mut self.selfcheck;
        set(section, "every", every, period);
        set(section, "fallbacks_every", fallbacks_every, period);
    }

    fn log(&mut self, section: &Section<'_>) {
        set(section, "level", &mut self.log.level, |node| node.text().map(str::to_owned));
        set(section, "format", &mut self.log.format, |node| match node.text()? {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => {
                node.fault("expected `text` or `json`");
                None
            }
        });
        set(section, "otlp", &mut self.log.otlp, |node| collector(node).map(Some));
        set(section, "trace_ratio", &mut self.log.trace_ratio, |node| node.number(0.0, 1.0));
        set(section, "slow_share", &mut self.log.slow_share, |node| node.number(0.0, 1.0));
    }
}

/// The base URL of a collector of spans.
fn collector(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let host = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    if host.is_none_or(|host| host.is_empty() || host.contains(|c: char| c.is_whitespace() || "@?#".contains(c))) {
        node.fault(
            "expected the base URL of a collector, such as `http://127.0.0.1:4318`, without a user, a `?` and a `#`",
        );
        return None;
    }
    if cfg!(not(feature = "otel")) {
        node.fault("this build sends no spans: it lacks the cargo feature `otel`");
        return None;
    }
    Some(text.to_owned())
}

/// Where a setting comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    File,
    Environment,
}

pub(super) fn with_section(root: &Section<'_>, key: &'static str, read: impl FnOnce(&Section<'_>)) {
    if let Some(section) = root.get(key).and_then(|node| node.section()) {
        read(&section);
        section.refuse_unknown();
    }
}

/// Sets a value if the key is there and sound.
pub(super) fn set<'d, T>(
    section: &Section<'d>,
    key: &'static str,
    value: &mut T,
    read: impl FnOnce(&Node<'d>) -> Option<T>,
) {
    if let Some(read) = section.get(key).and_then(|node| read(&node)) {
        *value = read;
    }
}

pub(super) fn duration(node: &Node<'_>, min: &str, max: &str) -> Option<Duration> {
    let bound = |text: &str| text.parse::<TimeDelta>().unwrap_or_default();
    node.duration(bound(min), bound(max)).map(TimeDelta::to_std)
}

/// A period, or `"off"`.
fn period(node: &Node<'_>) -> Option<Option<Duration>> {
    match node.text() {
        Some("off") => Some(None),
        _ => duration(node, "1s", "1d").map(Some),
    }
}

/// A percentage such as `"5%"`, from so many millionths to so many.
pub(super) fn share(node: &Node<'_>, min: u32, max: u32) -> Option<Chance> {
    let text = node.text()?;
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<Decimal>().ok());
    // A percentage has as many decimal places as millionths have beyond it.
    let millionths = percent.and_then(|percent| u32::try_from(percent.units()).ok());
    let share = millionths.filter(|of| (min..=max).contains(of)).map(Chance::from_ppm);
    if share.is_none() {
        let shown = |of: u32| Decimal::from_units(of.into());
        node.fault(format!(
            "expected a percentage from {} to {} such as \"5%\", found `{text}`",
            shown(min),
            shown(max)
        ));
    }
    share
}

/// The name of a log, which is that of the key that signs for it.
fn origin(node: &Node<'_>) -> Option<String> {
    let origin = node.text()?;
    if origin.is_empty() || origin.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control()) {
        node.fault("expected a name without spaces and `+`, such as `example.com/forthwith/eu`");
        return None;
    }
    Some(origin.to_owned())
}

/// Bytes that a token must have: a shorter one can be guessed.
const TOKEN_BYTES_MIN: usize = 16;

fn token_file(node: &Node<'_>, folder: &Path) -> Option<Secret> {
    let path: PathBuf = folder.join(node.text()?);
    match std::fs::read_to_string(&path) {
        Ok(text) => token(node, text.trim()),
        Err(e) => {
            node.fault(format!("cannot read `{}`: {e}", path.display()));
            None
        }
    }
}

fn token(node: &Node<'_>, text: &str) -> Option<Secret> {
    if text.len() < TOKEN_BYTES_MIN {
        node.fault(format!("a token needs at least {TOKEN_BYTES_MIN} characters; this one has {}", text.len()));
        return None;
    }
    Some(Secret::new(text))
}
