//! Ticket routing end to end: rules, a small model and a real large one.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use forthwith::domain::Money;
use forthwith::gateway::{Provider, ProviderModel};
use forthwith::{Config, Decision, Engine, Event, FallbackReason, Tier};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::Server;

const QUEUES: [&str; 5] = ["access", "cards", "delivery", "general", "refunds"];

const CONTEXT: &str = r#"
[events."ticket.created"]
subject = "string"
"#;

const PLAYBOOK: &str = r#"
playbook = "routing"
on       = ["ticket.created"]
ack      = "disk"
budget   = "BUDGET"

[outcome]
queue = ["general", "access", "cards", "delivery", "refunds"]

[default]
then   = { queue = "general" }
permit = { queue = "any" }

[[rules]]
id    = "outage"
when  = 'event.subject.contains("outage")'
then  = { queue = "general" }
final = true

[[models]]
use    = "words@1"
reads  = ["event.subject"]
sets   = { queue = "label" }
accept = { above = 0.5 }

[[agents]]
use  = "router@1"
sets = ["queue"]
"#;

const AGENT: &str = r#"
agent         = "router"
version       = 1
owner         = "tests"
kind          = "executor"
consent_scope = ["service"]
models        = ["llama/gemma"]
instructions  = "Route the ticket to the queue of those who can help."
answer_tokens = 32

[inputs.subject]
from = "event.subject"
"#;

/// An engine that asks the server where neither rules nor the small model know.
struct Routing {
    engine: Engine,
    runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl Routing {
    fn start(server: &Server, budget: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("context.toml", CONTEXT);
        write("playbooks/routing.toml", &PLAYBOOK.replace("BUDGET", budget));
        write("agents/router.toml", AGENT);
        train(&folder.path().join("models/words-1"));
        let mut config = Config::load(folder.path()).unwrap().engine;
        config.gateway.providers.push(provider(server));
        let engine = Engine::start(config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self { engine, runtime, _folder: folder }
    }

    fn decide(&self, id: &str, subject: &str) -> Decision {
        let event = Event::new(id, "helpdesk", "ticket.created", "customer-1").with("subject", subject);
        self.runtime.block_on(self.engine.decide("routing", event)).unwrap().into_result().unwrap()
    }

    /// What the explanation says of the agents that were asked.
    fn agents(&self, decision: &Decision) -> Value {
        let explanation = self.engine.explain(decision.id).unwrap().unwrap();
        serde_json::to_value(explanation).unwrap()["agents"].clone()
    }
}

/// Trains a model of words on a few tickets, by the command.
fn train(out: &Path) {
    std::fs::create_dir_all(out.parent().unwrap()).unwrap();
    let tickets = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/neural/tickets.csv");
    let mut command = Command::new(env!("CARGO_BIN_EXE_forthwith"));
    command.arg("train").arg("--data").arg(tickets).args(["--text", "text", "--label", "queue", "--json"]);
    let output = command.arg("--out").arg(out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn provider(server: &Server) -> Provider {
    let model = ProviderModel {
        name: "gemma".to_owned(),
        model: "gemma-3-270m".to_owned(),
        input_price: Money::from_nanos(150_000_000),
        output_price: Money::from_nanos(600_000_000),
        ..ProviderModel::default()
    };
    Provider {
        name: "llama".to_owned(),
        base_url: server.base_url(),
        timeout: Duration::from_secs(60),
        models: vec![model],
        ..Provider::default()
    }
}

#[test]
fn who_knows_decides_first_the_rules_then_the_small_model_then_the_large_one() {
    let Some(server) = Server::find() else { return };
    let routing = Routing::start(server, "55s");

    let ruled = routing.decide("t-1", "A total outage of everything");
    assert_eq!((ruled.tier, ruled.rule.as_deref()), (Tier::Rules, Some("outage")));

    let known = routing.decide("t-2", "I need a replacement for my lost card");
    assert_eq!((known.tier, known.model.as_deref()), (Tier::SmallModel, Some("words@1")));
    assert_eq!(known.outcome().text("queue"), Some("cards"));
    assert_eq!(routing.agents(&known), Value::Null, "nobody else was asked");

    let asked = routing.decide("t-3", "Ich verstehe gar nichts mehr");
    let agents = routing.agents(&asked);
    assert_eq!((asked.tier, asked.agent.as_deref()), (Tier::LargeModel, Some("router@1")), "{agents:#}");
    assert!(QUEUES.contains(&asked.outcome().text("queue").unwrap()));
    assert!(asked.cost.is_some_and(|cost| cost > Money::ZERO));
    assert_eq!((agents[0]["word"].as_str(), agents[0]["decided"].as_bool()), (Some("accepted"), Some(true)));
    let call = &agents[0]["call"];
    assert_eq!((call["model"].as_str(), call["source"].as_str()), (Some("llama/gemma"), Some("model")), "{call:#}");
    assert!(call["prompt_tokens"].as_u64().unwrap() > 20 && call["answer_tokens"].as_u64().unwrap() > 1, "{call:#}");

    // Said again it is the same decision, and the model is not asked again.
    let again = routing.decide("t-3", "Ich verstehe gar nichts mehr");
    assert!(again.is_duplicate);
    assert_eq!((again.id, again.outcome().text("queue")), (asked.id, asked.outcome().text("queue")));
    routing.engine.shutdown().unwrap();
}

/// The model takes some hundred milliseconds, and the decision has forty.
#[test]
fn a_decision_does_not_wait_for_a_model_that_has_no_time() {
    let Some(server) = Server::find() else { return };
    let routing = Routing::start(server, "40ms");
    let decision = routing.decide("t-1", "Ich verstehe gar nichts mehr");
    assert_eq!((decision.tier, decision.outcome().text("queue")), (Tier::Rules, Some("general")));
    let late = [FallbackReason::ModelLate, FallbackReason::WouldBeLate];
    assert!(decision.fallback.is_some_and(|reason| late.contains(&reason)), "{:?}", decision.fallback);
    routing.engine.shutdown().unwrap();
}
