//! A server that is loaded with a bit of everything, so that every series has something to tell.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use faulty_provider::{Conduct, Manner, Part, Provider};
use serde_json::{Value, json};

use crate::support::{Server, forthwith, root, run};

/// What a neural model decides.
const MEANING: &str = r#"
playbook = "meaning"
on       = ["ticket.created"]
purpose  = "service"
ack      = "memory"
budget   = "10s"

[outcome]
queue = ["general", "access", "cards", "delivery", "refunds"]

[default]
then   = { queue = "general" }
permit = { queue = "any" }

[[models]]
use    = "meaning@1"
reads  = ["event.subject"]
sets   = { queue = "label" }
accept = { above = 0.5 }
"#;

/// A server with the shipped configuration, a large model beside it, and its customers.
pub(crate) struct Loaded {
    pub(crate) server: Server,
    tickets: Vec<Value>,
    round: usize,
    has_neural_model: bool,
    _provider: Provider,
}

impl Loaded {
    /// `encoder` is a folder that `tests/neural/prepare` made, for a command that was built with `neural`.
    pub(crate) fn start(folder: &Path, encoder: Option<&Path>) -> Self {
        // One request in eight fails, so that there are retries.
        let part = |weight, conduct| Part { weight, conduct };
        let parts = vec![part(7, Conduct::default()), part(1, Conduct::of(Manner::ResetsBefore))];
        let provider = Provider::start(faulty_provider::Behaviour::Mixed { seed: 8, parts }).unwrap();
        let config = config(folder);
        let runtime = encoder.map(|encoder| with_neural_model(&config, encoder));
        let server = Server::start_with(&folder.join("data"), |command| {
            command.arg("--config").arg(&config).env("NO_PROXY", "127.0.0.1");
            let model = "FORTHWITH__PROVIDERS__LOCAL__MODELS__ROUTER";
            command.env("FORTHWITH__PROVIDERS__LOCAL__BASE_URL", provider.base_url());
            command.env(format!("{model}__INPUT_PRICE"), "1").env(format!("{model}__OUTPUT_PRICE"), "2");
            command.env("FORTHWITH__ENGINE__CHECKPOINT_EVERY", "1s");
            command.env("FORTHWITH__SELFCHECK__EVERY", "2s").env("FORTHWITH__SELFCHECK__FALLBACKS_EVERY", "5s");
            if let Some(runtime) = &runtime {
                command.env("ORT_DYLIB_PATH", runtime);
            }
        });
        let tickets = fs::read_to_string(root().join("config/samples/tickets.jsonl")).unwrap();
        let tickets = tickets.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { server, tickets, round: 0, has_neural_model: encoder.is_some(), _provider: provider }
    }

    /// Tickets, some of them twice, offers, facts, consents, feedback, settlements, events for nobody, and what is refused.
    pub(crate) fn round(&mut self) {
        self.round += 1;
        let (round, server) = (self.round, &self.server);
        let switch = |off: bool| json!({ "off": off, "reason": "to see that it is passed over" });
        let mut decided = Vec::new();
        for (nth, ticket) in self.tickets.iter().cycle().skip(self.round * 97).take(120).enumerate() {
            let mut ticket = ticket.clone();
            ticket["id"] = json!(format!("{round}-{nth}"));
            ticket.as_object_mut().unwrap().remove("time");
            if nth == 100 {
                ok(server.put("/v1/switches/provider/local", &switch(true)).status);
            }
            decided.push(answered(server, "/v1/decide/ticket_routing", &ticket));
            if nth % 10 == 0 {
                answered(server, "/v1/decide/ticket_routing", &ticket);
            }
        }
        ok(server.put("/v1/switches/provider/local", &switch(false)).status);
        for (nth, decision) in decided.iter().enumerate() {
            let place = format!("/v1/decisions/{}/feedback", decision["decision_id"].as_str().unwrap());
            let edited = json!({ "verdict": "edited", "corrected": { "queue": "general" } });
            answered(server, &place, &if nth % 4 == 0 { edited } else { json!({ "verdict": "accepted" }) });
        }
        for nth in 0..8 {
            let customer = format!("leaver-{round}-{nth}");
            let place = |what: &str| format!("/v1/customers/{customer}/{what}");
            ok(server.put(&place("facts"), &json!({ "source": "crm", "facts": { "mrr": 50 * nth } })).status);
            ok(server
                .put(&place("consents"), &json!({ "source": "crm", "consents": { "marketing": nth % 4 > 0 } }))
                .status);
            let data = json!({ "reason": "price" });
            let offer =
                answered(server, "/v1/decide/retention_offer", &event(&customer, "cancellation.requested", &data));
            if !offer["settle_by"].is_null() {
                let place = format!("/v1/decisions/{}/feedback", offer["decision_id"].as_str().unwrap());
                answered(server, &place, &json!({ "settlement": if nth % 2 == 0 { "commit" } else { "release" } }));
            }
            let failed = event(&customer, "login.failed", &json!({}));
            ok(server
                .post_with(
                    "/v1/events",
                    &[("content-type", "application/cloudevents+json")],
                    failed.to_string().as_bytes(),
                )
                .status);
        }
        if self.has_neural_model {
            let ticket = |nth| {
                let data = json!({ "subject": "my card is gone", "body": "", "channel": "email" });
                event(&format!("meaning-{round}-{nth}"), "ticket.created", &data)
            };
            answered(server, "/v1/decide/meaning/batch", &(0..8).map(ticket).collect());
        }
        let nonsense = event("c-1", "ticket.created", &json!({ "subject": 7 }));
        assert_eq!(server.post("/v1/decide/ticket_routing", &nonsense).status, 422);
        assert_eq!(server.post("/v1/decide/nothing", &nonsense).status, 404);
        ok(server.post("/v1/bundle/reload", &json!({})).status);
    }
}

fn event(customer: &str, kind: &str, data: &Value) -> Value {
    json!({ "specversion": "1.0", "id": format!("{kind}-{customer}"), "source": "test", "type": kind, "subject": customer, "data": data })
}

fn answered(server: &Server, place: &str, body: &Value) -> Value {
    let answer = server.post(place, body);
    assert_eq!(answer.status, 200, "{place} with {body}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

fn ok(status: u16) {
    assert!((200..300).contains(&status), "{status}");
}

/// The shipped configuration, with time for a large model on a machine that has other things to do, and with a model that is
/// accepted by what it may leave to the next tier, which has a series of its own.
fn config(folder: &Path) -> PathBuf {
    let to = folder.join("config");
    copy(&root().join("config"), &to);
    let playbook = to.join("playbooks/ticket_routing.toml");
    let text = fs::read_to_string(&playbook).unwrap();
    let text = replaced(&text, "budget      = \"50ms\"", "budget      = \"5s\"");
    let text = replaced(
        &text,
        "accept = { target_precision = 0.9, confidence = 0.95 }",
        "accept = { max_escalation_share = 0.4 }",
    );
    fs::write(playbook, text).unwrap();
    to
}

/// Adds a playbook that asks a neural model; returns the runtime that it needs.
fn with_neural_model(config: &Path, encoder: &Path) -> String {
    let runtime = fs::read_to_string(encoder.join("library")).unwrap().trim().to_owned();
    let mut train: Command = forthwith();
    train.arg("train").arg("--data").arg(root().join("tests/neural/tickets.csv"));
    train.args(["--text", "text", "--label", "queue", "--json", "--purpose", "service", "--encoder"]).arg(encoder);
    train.arg("--out").arg(config.join("models/meaning-1")).env("ORT_DYLIB_PATH", &runtime);
    let (code, _, said) = run(&mut train);
    assert_eq!(code, 0, "{said}");
    fs::write(config.join("playbooks/meaning.toml"), MEANING).unwrap();
    runtime
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "the shipped playbook has no `{from}` any more");
    text.replace(from, to)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
