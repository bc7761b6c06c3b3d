//! The HTTP doors of an engine, for an HTTP server of one's own.

use std::fmt;
use std::sync::Arc;

use actix_web::middleware::{Condition, from_fn};
use actix_web::web;

use crate::admin::{self, Reload};
use crate::bundle::Bundle;
use crate::config::ServerSettings;
use crate::document::Faults;
use crate::engine::Engine;
use crate::ingress::{self, Gate, Limits, Turnstile, admit, authorize, traced};

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
        let ServerSettings { body_bytes_max, batch_max, body_timeout, .. } = *settings;
        let limits = Limits { body_bytes_max, batch_max, body_timeout };
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
            // One for each application, and each worker has its own.
            .app_data(web::Data::new(Turnstile::new(&self.engine)))
            .wrap(from_fn(admit))
            .wrap(from_fn(authorize))
            .wrap(Condition::new(!self.engine.spans().is_off(), from_fn(traced)))
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
        let settings = ServerSettings { listen, workers: 1, batch_max: 10, ..ServerSettings::default() };
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
    fn the_self_check_is_told_and_no_door_takes_its_customers() {
        actix_web::rt::System::new().block_on(async {
            let (_engine, doors) = doors("10s");
            let app = test::init_service(App::new().configure(|app| doors.configure(app))).await;
            let (status, report) = call!(app, Method::POST, "/v1/selfcheck", None);
            assert_eq!((status, &report["passed"]), (200, &json!(true)), "{report}");
            let paths =
                report["checks"].as_array().unwrap().iter().map(|of| format!("{} {}", of["path"], of["result"]));
            assert_eq!(paths.collect::<Vec<_>>(), [r#""decide" "passed""#, r#""late" "passed""#]);
            let name = "forthwith.synthetic/routing/0";
            let mut event = ticket("t-1");
            event["subject"] = name.into();
            let of_customer = |what: &str| format!("/v1/customers/{}/{what}", name.replace('/', "%2F"));
            for (method, path, body) in [
                (Method::POST, "/v1/decide/routing".to_owned(), event.clone()),
                (Method::POST, "/v1/decide/routing/batch".to_owned(), json!([event])),
                (Method::POST, "/v1/events".to_owned(), event),
                (Method::PUT, of_customer("facts"), json!({"facts": {"vip": true}})),
                (Method::PUT, of_customer("consents"), json!({"consents": {}})),
            ] {
                let (status, answer) = call!(app, method, &path, Some(body));
                let is_told =
                    answer.to_string().contains("which is kept for the customers of the engine's own self-check");
                // A batch is answered as a whole, each event in it by itself.
                assert!(is_told && (status == 422 || path.ends_with("batch")), "{path}: {status} {answer}");
            }
            let (status, health) = call!(app, Method::GET, "/healthz", None);
            assert_eq!((status, &health), (200, &json!({"status": "ok"})));
        });
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

    /// Doors of an engine that asks a large model, before a provider that always answers the same; with this token.
    fn asking(token: Option<&str>) -> (faulty_provider::Provider, Doors) {
        use faulty_provider::{Conduct, Content, Provider, Says, Usage};
        let answer = Content::Texts(vec![r#"{"queue":"cards"}"#.to_owned()]);
        let says = Says::Completion { content: answer, usage: Usage::default() };
        let provider = Provider::start(Conduct { says, ..Conduct::default() }).unwrap();
        let mut sources = crate::bundle::agent_tests::files(crate::bundle::agent_tests::USE);
        let playbook = sources.get("playbooks/routing.toml").unwrap();
        let playbook = playbook.replace("ack ", "budget       = \"10s\"\nack ");
        sources.insert("playbooks/routing.toml", playbook);
        let mut config = crate::engine::Config::new(Bundle::compile(sources).unwrap());
        config.journal.segment_bytes = 1 << 20;
        let price: crate::domain::Money = "1".parse().unwrap();
        let small = crate::gateway::ProviderModel {
            name: "small".to_owned(),
            model: "small-2026".to_owned(),
            input_price: price,
            output_price: price,
            ..Default::default()
        };
        config.gateway.providers.push(crate::gateway::Provider {
            name: "openai".to_owned(),
            base_url: provider.base_url(),
            models: vec![small],
            ..Default::default()
        });
        let listen = ([127, 0, 0, 1], 0).into();
        let token = token.map(crate::domain::Secret::new);
        let settings = ServerSettings { listen, token, workers: 1, batch_max: 10, ..ServerSettings::default() };
        (provider, Doors::new(Engine::start(config).unwrap(), &settings))
    }

    fn question(id: &str) -> Option<Value> {
        Some(json!({"specversion": "1.0", "id": id, "source": "helpdesk", "type": "ticket.created", "subject": id,
                    "data": {"subject": format!("a strange thing: {id}"), "channel": "chat"}}))
    }

    #[test]
    fn a_large_model_is_switched_off_and_on_over_http() {
        actix_web::rt::System::new().block_on(switching());
    }

    async fn switching() {
        let (provider, doors) = asking(None);
        let app = test::init_service(App::new().configure(|app| doors.configure(app))).await;
        let (status, before) = call!(app, Method::GET, "/v1/providers", None);
        let openai = &before["providers"][0];
        assert_eq!((status, &openai["name"], &openai["breaker"]), (200, &json!("openai"), &json!("closed")));
        assert_eq!((&openai["off"], &openai["in_flight"]), (&json!(false), &json!(0)));
        assert_eq!(openai["models"][0], json!({"name": "openai/small", "off": false, "p50_us": null, "p95_us": null}));
        assert!(before["budgets"].as_array().unwrap().iter().all(|budget| budget["spent"] == "0"), "{before}");
        let (_, asked) = call!(app, Method::POST, "/v1/decide/routing", question("t-1"));
        assert_eq!((&asked["tier"], &asked["outcome"]["queue"]), (&json!("large_model"), &json!("cards")), "{asked}");
        let (_, after) = call!(app, Method::GET, "/v1/providers", None);
        let spent = &after["budgets"][0];
        assert!(spent["spent"] != "0" && spent["left"] != spent["per_day"], "{after}");
        for (path, shown) in [("provider/openai", 0), ("model/openai/small", 1), ("agent/router", 2)] {
            let path = format!("/v1/switches/{path}");
            let off = json!({"off": true, "reason": "it answers nonsense", "who": "anna"});
            let (status, turned) = call!(app, Method::PUT, &path, Some(off));
            assert_eq!((status, &turned["off"], &turned["who"]), (200, &json!(true), &json!("anna")), "{turned}");
            let (_, list) = call!(app, Method::GET, "/v1/switches", None);
            assert_eq!(list["switches"], json!([turned]));
            let requests = provider.counts().requests;
            let (_, decided) = call!(app, Method::POST, "/v1/decide/routing", question(&path));
            assert_eq!(
                (&decided["tier"], &decided["fallback"]),
                (&json!("rules"), &json!("switched_off")),
                "{decided}"
            );
            assert_eq!(provider.counts().requests, requests, "nobody is asked");
            let (_, stands) = call!(app, Method::GET, "/v1/providers", None);
            let openai = &stands["providers"][0];
            assert_eq!((&openai["off"], &openai["models"][0]["off"]), (&json!(shown == 0), &json!(shown == 1)));
            let (status, turned) = call!(app, Method::PUT, &path, Some(json!({"off": false})));
            assert_eq!((status, &turned["off"]), (200, &json!(false)));
            let (_, decided) = call!(app, Method::POST, "/v1/decide/routing", question(&format!("{path} again")));
            assert_eq!(decided["tier"], "large_model", "{decided}");
        }
    }

    #[test]
    fn a_switch_that_cannot_be_turned_says_why() {
        actix_web::rt::System::new().block_on(faulty_switches());
    }

    async fn faulty_switches() {
        let (_provider, doors) = asking(None);
        let app = test::init_service(App::new().configure(|app| doors.configure(app))).await;
        let off = || Some(json!({"off": true, "reason": "a try"}));
        let mut said = Vec::new();
        for (path, body) in [
            ("provder/openai", off()),
            ("provider/opnai", off()),
            ("model/small", off()),
            ("agent/ruter", off()),
            ("agent/nobody", Some(json!({"off": false}))),
            ("provider/openai", Some(json!({"off": true}))),
            ("provider/openai", Some(json!({"off": true, "reason": "x".repeat(2_000)}))),
            ("provider/openai", Some(json!({"on": true}))),
        ] {
            let (status, problem) = call!(app, Method::PUT, &format!("/v1/switches/{path}"), body);
            said.push(format!(
                "{status} {}: {}",
                problem["type"].as_str().unwrap(),
                problem["detail"].as_str().unwrap()
            ));
        }
        assert_eq!(
            call!(app, Method::GET, "/v1/switches", None),
            (200, json!({"switches": []})),
            "nothing has changed"
        );
        assert_eq!(call!(app, Method::POST, "/v1/switches/provider/openai", off()).0, 405);
        insta::assert_snapshot!(said.join("\n"), @r#"
        404 urn:forthwith:problem:not-found: `provder` is no `provider`, `model` or `agent` (did you mean `provider`?)
        404 urn:forthwith:problem:not-found: `[providers]` of forthwith.toml has no provider `opnai` (did you mean `openai`?)
        404 urn:forthwith:problem:not-found: `[providers]` of forthwith.toml has no model `small`
        404 urn:forthwith:problem:not-found: no playbook in force uses an agent `ruter` (did you mean `router`?)
        404 urn:forthwith:problem:not-found: no playbook in force uses an agent `nobody`
        422 urn:forthwith:problem:switch: why `openai` is switched off must be said, in at most 1024 bytes
        422 urn:forthwith:problem:switch: why `openai` is switched off must be said, in at most 1024 bytes
        400 urn:forthwith:problem:unreadable: not readable as JSON: unknown field `on`, expected one of `off`, `reason`, `who` at line 1 column 5
        "#);
        let (_provider, doors) = asking(Some("1234567890123456"));
        let app = test::init_service(App::new().configure(|app| doors.configure(app))).await;
        for (method, path) in [
            (Method::PUT, "/v1/switches/provider/openai"),
            (Method::GET, "/v1/switches"),
            (Method::GET, "/v1/providers"),
        ] {
            assert_eq!(call!(app, method, path, off()).0, 401, "{path} without the token");
        }
    }
}
