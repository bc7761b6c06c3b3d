//! The running server, from listening to stopping in good order.

use std::net::SocketAddr;
use std::path::PathBuf;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
use actix_web::{App as WebApp, HttpServer, web};

use super::Doors;
use crate::bundle::Bundle;
use crate::config::{Config, ServerSettings};
use crate::document::Faults;
use crate::engine::{Engine, Patrol, Schedule, Stopped};

/// How long requests under way may take to finish when the server stops.
const DRAIN_SECONDS: u64 = 10;

/// An engine behind an HTTP server.
pub(crate) struct App {
    pub(crate) engine: Engine,
    pub(crate) settings: ServerSettings,
    /// How often it checks itself.
    pub(crate) selfcheck: Schedule,
    /// The configuration folder, for reading it again.
    pub(crate) config: PathBuf,
}

/// Why the server ended other than in good order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("cannot listen on {address}: {source}{}", hint(.source))]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the server failed: {0}")]
    Server(#[from] std::io::Error),
    #[error(transparent)]
    Engine(#[from] crate::engine::Error),
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            " (another process listens there; set FORTHWITH__SERVER__LISTEN to another address)"
        }
        std::io::ErrorKind::PermissionDenied => " (ports below 1024 need privileges)",
        _ => "",
    }
}

impl App {
    /// Serves until a signal stops it, then lets what is under way finish and stores everything. `listening` hears where it
    /// listens.
    pub(crate) fn run(self, listening: impl FnOnce(SocketAddr)) -> Result<Stopped, ServeError> {
        System::new().block_on(self.serve(listening))
    }

    async fn serve(self, listening: impl FnOnce(SocketAddr)) -> Result<Stopped, ServeError> {
        let Self { engine, settings, selfcheck, config } = self;
        let reload = move || Config::load_bundle(&config);
        let doors = Doors::new(engine.clone(), &settings).reload_with(reload.clone());
        let server = HttpServer::new(move || WebApp::new().configure(|app| doors.configure(app)));
        let address = settings.listen;
        let server = server
            .workers(settings.workers)
            .max_connections(settings.connections_max.div_ceil(settings.workers.max(1)))
            .backlog(settings.backlog)
            .keep_alive(settings.keep_alive)
            .client_request_timeout(settings.header_timeout)
            .shutdown_timeout(DRAIN_SECONDS)
            .disable_signals()
            .bind(address)
            .map_err(|source| ServeError::Listen { address, source })?;
        let bound = server.addrs().first().copied().unwrap_or(address);
        let server = server.run();
        // Handlers are in place before anyone hears that the server listens.
        let signals = Signals::new()?;
        actix_web::rt::spawn(signals.watch(server.handle(), engine.clone(), reload));
        listening(bound);
        let mut patrol = Patrol::start(engine.clone(), selfcheck)?;
        server.await?;
        // Off this thread, which goes on listening for the signal that stops everything at once.
        let stopped = web::block(move || {
            patrol.stop();
            engine.shutdown()
        });
        let stopped = stopped.await;
        Ok(stopped.map_err(std::io::Error::other)??)
    }
}

/// The signals that a server obeys.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The first signal to stop is obeyed in good order, the second at once.
    async fn watch(
        mut self,
        server: ServerHandle,
        engine: Engine,
        reload: impl Fn() -> Result<Bundle, Faults> + Clone + Send + 'static,
    ) {
        while self.next().await == Heard::HangUp {
            let (engine, reload) = (engine.clone(), reload.clone());
            // Not waited for: a disk that is full must not make us deaf. A failure is in the log, the bundle in force stays.
            drop(web::block(move || reload_bundle(&engine, reload)));
        }
        tracing::info!("stopping: nothing new is taken, what is under way finishes; a second signal stops at once");
        let stopping = server.stop(true);
        actix_web::rt::spawn(async move {
            while self.next().await != Heard::Stop {}
            tracing::warn!("stopped at once; what was acknowledged as durable is on disk");
            std::process::exit(130);
        });
        stopping.await;
    }

    async fn next(&mut self) -> Heard {
        let (interrupt, terminate, hang_up) = (&mut self.interrupt, &mut self.terminate, &mut self.hang_up);
        std::future::poll_fn(move |context| {
            if interrupt.poll_recv(context).is_ready() || terminate.poll_recv(context).is_ready() {
                return std::task::Poll::Ready(Heard::Stop);
            }
            hang_up.poll_recv(context).map(|_| Heard::HangUp)
        })
        .await
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Stop,
    HangUp,
}

fn reload_bundle(engine: &Engine, read: impl Fn() -> Result<Bundle, Faults>) {
    let changed = match read() {
        Ok(bundle) => engine.change_bundle(bundle).map_err(|e| e.to_string()),
        Err(faults) => {
            engine.refuse_bundle();
            Err(faults.to_string())
        }
    };
    if let Err(reason) = changed {
        tracing::error!(%reason, "the configuration was not reloaded; the bundle in force stays");
    }
}
