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

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use actix_web::{App, test};
    use serde_json::{Value, json};

    use super::*;
    use crate::bundle::tests::{PLAYBOOK, sources};

    /// An engine whose playbook has this budget, and its doors.
    fn doors(budget: &str) -> (Engine, Doors) {
        let mut sources = sources();
        sources.insert("playbooks/routing.toml", PLAYBOOK.replace("20ms", budget));
        let mut config = crate::engine::Config::new(Bundle::compile(sources).unwrap());
        config.journal.segment_bytes = 1 << 20;
        let engine = Engine::start(config).unwrap();
        let listen = ([127, 0, 0, 1], 0).into();
        let settings = ServerSettings { listen, token: None, workers: 1, body_bytes_max: 1 << 20, batch_max: 10 };
        (engine.clone(), Doors::new(engine, &settings))
    }

    fn ticket(id: &str) -> Value {
        json!({"specversion": "1.0", "id": id, "source": "helpdesk", "type": "ticket.created", "subject": "c",
               "data": {"subject": "s", "body": "my card", "channel": "chat"}})
    }

    /// Calls a door and returns the status and the body.
    macro_rules! call {
        ($app:expr, $method:expr, $path:expr, $body:expr) => {{
            let request = test::TestRequest::default().method($method).uri($path);
            let body: Option<Value> = $body;
            let request = body.iter().fold(request, |request, body| request.set_json(body));
            let response = test::call_service(&$app, request.to_request()).await;
            let status = response.status().as_u16();
            let body = test::read_body(response).await;
            (status, serde_json::from_slice::<Value>(&body).unwrap_or_default())
        }};
    }

    #[test]
    fn what_cannot_be_in_time_is_answered_with_the_default_and_recorded() {
        actix_web::rt::System::new().block_on(late());
    }

    async fn late() {
        let (engine, doors) = doors("20ms");
        let app = test::init_service(App::new().configure(|app| doors.configure(app))).await;
        let decide = |id| Some(ticket(id));
        let (status, _) = call!(app, Method::POST, "/v1/events", decide("t-1"));
        assert_eq!(status, 200);
        let release = engine.keep_busy("c");
        let (status, answer) = call!(app, Method::POST, "/v1/decide/routing", decide("t-2"));
        assert_eq!((status, &answer["fallback"], &answer["durability"]), (200, &json!("late"), &json!("pending")));
        assert_eq!(answer["outcome"]["queue"], "general", "the default");
        let (status, observed) = call!(app, Method::POST, "/v1/events", decide("t-3"));
        assert_eq!((status, &observed["decisions"][0]["fallback"]), (200, &json!("late")));
        release();
        for (id, answered) in [("t-2", &answer), ("t-3", &observed["decisions"][0])] {
            let again = loop {
                // A machine that is very slow may be late again.
                let (_, again) = call!(app, Method::POST, "/v1/decide/routing", decide(id));
                if again["duplicate"] == true {
                    break again;
                }
            };
            assert_eq!((&again["decision_id"], &again["fallback"]), (&answered["decision_id"], &json!("late")));
            assert_eq!(again["reasons"], answered["reasons"]);
        }
    }

    #[test]
    fn a_poison_input_is_set_aside_shown_and_released() {
        actix_web::rt::System::new().block_on(poison());
    }

    async fn poison() {
        let (engine, doors) = doors("10s");
        let app = test::init_service(App::new().configure(|app| doors.configure(app))).await;
        let decide = "/v1/decide/routing";
        for _ in 0..3 {
            engine.customer("c").await.unwrap().given();
            let (status, problem) = call!(app, Method::POST, decide, Some(ticket("poison")));
            assert_eq!((status, &problem["type"]), (500, &json!("urn:forthwith:problem:internal")));
        }
        let (status, problem) = call!(app, Method::POST, decide, Some(ticket("poison")));
        assert_eq!((status, &problem["type"]), (422, &json!("urn:forthwith:problem:set-aside")));
        let (_, list) = call!(app, Method::GET, "/v1/set-aside?limit=1", None);
        assert_eq!((list["inputs"].as_array().unwrap().len(), &list["next"]), (1, &Value::Null));
        let id = list["inputs"][0]["id"].as_str().unwrap().to_owned();
        assert!(problem["detail"].as_str().unwrap().contains(&id), "the caller is told its name");
        let (status, shown) = call!(app, Method::GET, &format!("/v1/set-aside/{id}"), None);
        assert_eq!((status, &shown["set_aside"]["panics"]), (200, &json!(3)));
        assert_eq!((&shown["input"]["id"], &shown["input"]["data"]["body"]), (&json!("poison"), &json!("my card")));
        assert!(!shown["bytes_base64"].as_str().unwrap().is_empty());
        assert!(engine.metrics().contains("forthwith_inputs_set_aside 1"));
        assert_eq!(call!(app, Method::DELETE, &format!("/v1/set-aside/{id}"), None).0, 204);
        assert_eq!(call!(app, Method::DELETE, &format!("/v1/set-aside/{id}"), None).0, 404);
        assert_eq!(call!(app, Method::GET, "/v1/set-aside/xyz", None).0, 404);
        assert!(engine.metrics().contains("forthwith_inputs_set_aside 0"));
        assert_eq!(call!(app, Method::POST, decide, Some(ticket("poison"))).0, 500, "it is tried again");
    }
}
