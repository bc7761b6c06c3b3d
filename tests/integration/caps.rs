//! Caps and settlements over HTTP: under races, and over a kill in the middle of one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Server, folder, forthwith, own_config, run};

const DECIDE: &str = "/v1/decide/offers";

/// Connections that are kept alive, each with a thread that asks.
const CONNECTIONS: usize = 32;

const PLAYBOOK: &str = r#"
playbook = "offers"
on       = ["cart.left"]
budget   = "20s"
settle_within = "1h"

[outcome]
action = ["nothing", "offer_discount"]

[[rules]]
id   = "discount"
when = "event.worth > 0"
then = { action = "offer_discount" }

[[caps]]
id     = "one-discount-a-quarter"
action = "offer_discount"
max    = 1
over   = "90d"

[default]
then = { action = "nothing" }
"#;

fn config(folder: &Path) -> PathBuf {
    let config = own_config(folder);
    let context = std::fs::read_to_string(config.join("context.toml")).unwrap();
    let own = "\n[events.\"cart.left\"]\nworth = \"decimal\"\n\n[repetitions]\nremember = 1000\n";
    std::fs::write(config.join("context.toml"), format!("{context}{own}")).unwrap();
    std::fs::write(config.join("playbooks/offers.toml"), PLAYBOOK).unwrap();
    config
}

fn cart(id: usize) -> Value {
    json!({ "specversion": "1.0", "id": format!("cart-{id}"), "source": "shop", "type": "cart.left", "subject": "c-1",
            "data": { "worth": 10 } })
}

/// What is asked, and what came of it.
#[derive(Default)]
struct Race {
    /// Carts that nobody was told anything about yet.
    open: Mutex<Vec<usize>>,
    answered: AtomicUsize,
    granted: Mutex<BTreeSet<String>>,
}

impl Race {
    fn of(carts: usize) -> Self {
        Self { open: Mutex::new((0..carts).rev().collect()), ..Self::default() }
    }

    /// Asks for all that is open over one connection; breaks off when the server is gone.
    fn ask(&self, server: &Server) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent = ureq::Agent::from(config);
        loop {
            let Some(id) = self.open.lock().unwrap().pop() else { return };
            let request = agent.post(server.url(DECIDE)).header("content-type", "application/json");
            let answer = request.send(cart(id).to_string().as_bytes());
            let read =
                answer.and_then(|mut answer| Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?)));
            match read {
                Ok((200, body)) => self.enter(id, &serde_json::from_str(&body).unwrap()),
                // The mailbox is bounded: who was not taken on asks again.
                Ok((429 | 503, _)) => self.open.lock().unwrap().push(id),
                Ok(other) => panic!("{other:?}"),
                Err(_) => {
                    self.open.lock().unwrap().push(id);
                    return;
                }
            }
        }
    }

    fn enter(&self, id: usize, decision: &Value) {
        if decision["fallback"] == "in_doubt" {
            self.open.lock().unwrap().insert(0, id);
            return;
        }
        if decision["outcome"]["action"] == "offer_discount" {
            assert_eq!(decision["durability"], "disk", "nothing is granted that a crash could grant again: {decision}");
            self.granted.lock().unwrap().insert(decision["decision_id"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(decision["fallback"], "cap_reached", "{decision}");
        }
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs over many connections; `beside` does something at the same time.
    fn run(&self, server: &Server, beside: impl FnOnce()) {
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| self.ask(server));
            }
            beside();
        });
    }
}

#[test]
fn ten_thousand_racing_requests_are_granted_one_discount_though_the_server_is_killed() {
    let folder = folder();
    let config = config(folder.path());
    let race = Race::of(10_000);
    let server = Server::start_by(&config);
    race.run(&server, || {
        while race.answered.load(Ordering::Relaxed) < 3_000 {
            std::thread::yield_now();
        }
        server.signal("KILL");
    });
    drop(server);
    let before = race.answered.load(Ordering::Relaxed);
    assert!((3_000..10_000).contains(&before), "{before} were answered before the kill");
    let server = Server::start_by(&config);
    race.run(&server, || {});
    assert_eq!(race.answered.load(Ordering::Relaxed), 10_000);
    let granted = race.granted.into_inner().unwrap();
    assert_eq!(granted.len(), 1, "{granted:?}");
    // What was asked so fast may still be felt: looking something up is the first that is shed.
    let view = loop {
        let looked = server.get("/v1/customers/c-1");
        if looked.status != 503 {
            break looked.json();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let count =
        view["decisions"].as_array().unwrap().iter().find(|of| of["playbook"] == "offers").unwrap()["count"].clone();
    assert_eq!(count, 10_000, "each was decided once");
}

#[test]
fn a_decision_is_settled_over_http() {
    let folder = folder();
    let config = config(folder.path());
    let server = Server::start_by(&config);
    let granted = server.post(DECIDE, &cart(1)).json();
    assert!(granted["settle_by"].is_string(), "{granted}");
    let id = granted["decision_id"].as_str().unwrap().to_owned();
    let refused = server.post(DECIDE, &cart(2)).json();
    let detail = refused["reasons"][0]["detail"].as_str().unwrap();
    assert_eq!((&refused["reasons"][0]["code"], &refused["settle_by"]), (&json!("cap_reached"), &Value::Null));
    assert!(detail.contains("cap `one-discount-a-quarter` leaves 0 of 1 within 90d, more from 20"), "{detail}");

    let feedback = |id: &str, body: Value| {
        let answer = server.post(&format!("/v1/decisions/{id}/feedback"), &body);
        (answer.status, answer.json())
    };
    let expected = json!({ "decision_id": id, "customer": "c-1", "settlement": "release", "durability": "disk" });
    assert_eq!(feedback(&id, json!({ "settlement": "release" })), (200, expected.clone()));
    assert_eq!(feedback(&id, json!({ "settlement": "release" })), (200, expected), "the same again");
    let (status, problem) = feedback(&id, json!({ "settlement": "commit" }));
    assert_eq!((status, &problem["type"]), (409, &json!("urn:forthwith:problem:settlement")));
    assert!(problem["detail"].as_str().unwrap().ends_with("it was settled as `release` before"), "{problem}");
    let third = server.post(DECIDE, &cart(3)).json();
    assert_eq!(third["outcome"]["action"], "offer_discount", "what was released is free");

    let default = refused["decision_id"].as_str().unwrap();
    assert_eq!(feedback(default, json!({ "settlement": "commit" })).0, 409);
    assert_eq!(feedback("019aab01-9900-8026-8166-ce4446f3d6aa", json!({ "settlement": "commit" })).0, 404);
    assert_eq!(feedback("nonsense", json!({ "settlement": "commit" })).0, 400);
    let (status, problem) = feedback(&id, json!({ "settlement": "comit" }));
    assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/settlement")));
    assert_eq!(
        problem["detail"],
        "`settlement` expected `commit` or `release`, found `comit` (did you mean `commit`?)"
    );
    assert_eq!(feedback(&id, json!({ "settlement": "commit", "why": 1 })).0, 400);

    let body = rmp_serde::to_vec_named(&json!({ "settlement": "commit" })).unwrap();
    let path = format!("/v1/decisions/{}/feedback", third["decision_id"].as_str().unwrap());
    let answer = server.post_with(&path, &[("content-type", "application/msgpack")], &body);
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/msgpack"));

    let explained = server.get(&format!("/v1/decisions/{default}/explain")).json();
    let cap = &explained["caps"][0];
    assert_eq!((&cap["cap"], &cap["action"]), (&json!("one-discount-a-quarter"), &json!("offer_discount")));
    assert_eq!(
        (&cap["max"], &cap["over"], &cap["left"], &cap["taken"]),
        (&json!(1), &json!("90d"), &json!(0), &json!(0))
    );
    let data = folder.path().join("data");
    let (code, out, err) = run(forthwith().arg("--data").arg(&data).args(["explain", &id]));
    assert_eq!(code, 0, "{err}");
    let line = "  one-discount-a-quarter: took 1 of 1 left; at most 1 within 90d for a customer\n";
    assert!(out.contains(line), "{out}");
}
