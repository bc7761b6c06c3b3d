//! The HTTP doors of an engine, for an HTTP server of one's own.

use std::fmt;
use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::web;

use crate::admin::{self, Reload};
use crate::bundle::Bundle;
use crate::config::ServerSettings;
use crate::document::Faults;
use crate::engine::Engine;
use crate::ingress::{self, Gate, Limits, authorize};

/// All HTTP doors of an engine, to be put into an `actix_web` application. `forthwith serve` is built from this.
///
/// The doors answer every path that the application has not taken before them: configure them last.
///
/// ```no_run
/// use actix_web::{App, HttpServer};
/// use forthwith::{Config, Doors, Engine};
///
/// # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::load("config")?;
/// let doors = Doors::new(Engine::start(config.engine)?, &config.settings.server);
/// let server = HttpServer::new(move || App::new().configure(|app| doors.configure(app)));
/// server.bind("127.0.0.1:8080")?.run().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Doors {
    engine: web::Data<Engine>,
    limits: web::Data<Limits>,
    gate: web::Data<Gate>,
    reload: web::Data<Reload>,
}

impl Doors {
    /// The doors of an engine, with the token and the limits of these settings. Where the server listens, and with how many
    /// threads, is the server's affair: beyond the loopback it should have a token.
    pub fn new(engine: Engine, settings: &ServerSettings) -> Self {
        let limits = Limits { body_bytes_max: settings.body_bytes_max, batch_max: settings.batch_max };
        Self {
            engine: web::Data::new(engine),
            limits: web::Data::new(limits),
            gate: web::Data::new(Gate::new(settings.token.as_ref())),
            reload: web::Data::new(Reload::Never),
        }
    }

    /// The same with a source of bundles for `POST /v1/bundle/reload`, which is refused otherwise.
    #[must_use]
    pub fn reload_with(mut self, read: impl Fn() -> Result<Bundle, Faults> + Send + Sync + 'static) -> Self {
        self.reload = web::Data::new(Reload::With(Arc::new(read)));
        self
    }

    /// Puts the doors into an application.
    pub fn configure(&self, app: &mut web::ServiceConfig) {
        let doors = web::scope("")
            .app_data(self.engine.clone())
            .app_data(self.limits.clone())
            .app_data(self.gate.clone())
            .app_data(self.reload.clone())
            .wrap(from_fn(authorize))
            .configure(ingress::routes)
            .configure(admin::routes)
            .default_service(web::to(ingress::not_found));
        app.service(doors);
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").finish_non_exhaustive()
    }
}
