//! The command, built with `otel`, before a provider of a large model and a collector of spans.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "a test stops where it cannot go on"
)]

mod collector;
#[allow(dead_code, reason = "it is shared with other tests")]
#[path = "../integration/support.rs"]
mod support;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use collector::{Collector, Span, Value};
use faulty_provider::{Conduct, Content, Provider, Says, Usage};
use serde_json::{Value as Json, json};
use support::{Server, folder, forthwith, run, written_config};

const CONTEXT: &str = r#"
[purposes]
service = { needs_consent = false }

[events."ticket.created"]
subject = "string"
"#;

const PLAYBOOK: &str = r#"
playbook = "routing"
on       = ["ticket.created"]
budget   = "10s"
purpose  = "service"

[outcome]
queue = ["general", "cards", "billing"]

[default]
then   = { queue = "general" }
permit = { queue = "any" }

[[agents]]
use  = "router@1"
sets = ["queue"]
"#;

const AGENT: &str = r#"
agent          = "router"
version        = 1
kind           = "executor"
owner          = "support"
description    = "Routes what rules are not sure of."
consent_scope  = ["service"]
models         = ["openai/small"]
context_tokens = 1500
answer_tokens  = 64
temperature    = 0.25
instructions   = "You route tickets of a bank."
prompt         = "{{subject}}"

[inputs]
subject = { from = "event.subject", type = "string" }
"#;

/// What the tickets are about; nobody may find it in a span.
const SECRET: &str = "Perlmutt";

/// A configuration whose agent asks this provider.
fn config(folder: &Path, provider: &Provider, more: &str) -> PathBuf {
    let config = written_config(folder, CONTEXT, &[("routing", PLAYBOOK)]);
    fs::create_dir(config.join("agents")).unwrap();
    fs::write(config.join("agents/router.toml"), AGENT).unwrap();
    let model = "[providers.openai.models.small]\nmodel = \"small-2026\"\ninput_price = 1\noutput_price = 1\n";
    let settings = format!("[providers.openai]\nbase_url = \"{}\"\n{model}{more}", provider.base_url());
    fs::write(config.join("forthwith.toml"), settings).unwrap();
    config
}

/// The command, without what this machine may say of collectors.
fn settled(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command.env("NO_PROXY", "127.0.0.1")
}

fn ticket(id: &str) -> Json {
    let data = json!({ "subject": format!("My {SECRET} card is gone") });
    json!({ "specversion": "1.0", "id": id, "source": "helpdesk", "type": "ticket.created", "subject": "c-1", "data": data })
}

fn says_cards() -> Conduct {
    let content = Content::Texts(vec![r#"{"queue": "cards"}"#.to_owned()]);
    Conduct { says: Says::Completion { content, usage: Usage::Fixed { prompt: 120, answer: 9 } }, ..Conduct::default() }
}

fn attributes(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> BTreeMap<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// The port of a provider, as spans have it.
fn port(provider: &Provider) -> Value {
    let base = provider.base_url();
    Value::Int(base.trim_end_matches("/v1").rsplit(':').next().unwrap().parse().unwrap())
}

/// The span of this name.
fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name == name).collect();
    let [span] = found[..] else { panic!("one `{name}`: {spans:#?}") };
    span
}

/// The spans that a collector was sent, none of which says what the ticket was about.
fn spans(collector: &Collector) -> Vec<Span> {
    let taken = collector.taken();
    for request in &taken {
        assert_eq!((&*request.path, &*request.content_type), ("/v1/traces", "application/x-protobuf"));
        let is_told = request.body.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes());
        assert!(!is_told, "what customers say is in no span");
    }
    taken.iter().flat_map(collector::Taken::spans).collect()
}

#[test]
fn a_call_of_a_large_model_is_a_span_in_its_callers_trace() {
    let (collector, provider, folder) = (Collector::start(), Provider::start(says_cards()).unwrap(), folder());
    let config = config(folder.path(), &provider, "");
    let server = Server::start_with(&folder.path().join("data"), |command| {
        settled(command).arg("--config").arg(&config).env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address());
    });
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("content-type", "application/json"), ("traceparent", &*parent)];
    let answer = server.post_with("/v1/decide/routing", &headers, ticket("1").to_string().as_bytes());
    let decision = answer.json();
    assert_eq!(
        (&decision["outcome"]["queue"], &decision["tier"]),
        (&json!("cards"), &json!("large_model")),
        "{decision}"
    );
    assert_eq!(server.stop().0, 0);

    let spans = spans(&collector);
    let (span, decide) = (named(&spans, "chat small-2026"), named(&spans, "decide routing"));
    let client = 3;
    assert_eq!((&*span.name, span.kind, span.status), ("chat small-2026", client, 0));
    assert_eq!((&*span.trace, &span.parent), (trace, &decide.id), "it is below the decision's span");
    assert!(span.nanos > 0);
    assert_eq!(
        span.attributes,
        attributes([
            ("gen_ai.operation.name", text("chat")),
            ("gen_ai.provider.name", text("openai")),
            ("gen_ai.agent.name", text("router@1")),
            ("gen_ai.output.type", text("json")),
            ("gen_ai.request.model", text("small-2026")),
            ("gen_ai.request.max_tokens", Value::Int(64)),
            ("gen_ai.request.temperature", Value::Double(0.25)),
            ("gen_ai.response.model", text("small-2026")),
            ("gen_ai.response.finish_reasons", Value::Texts(vec!["stop".to_owned()])),
            ("gen_ai.usage.input_tokens", Value::Int(120)),
            ("gen_ai.usage.cache_read.input_tokens", Value::Int(0)),
            ("gen_ai.usage.output_tokens", Value::Int(9)),
            ("http.response.status_code", Value::Int(200)),
            ("server.address", text("127.0.0.1")),
            ("server.port", port(&provider)),
        ])
    );
    assert_eq!(span.resource["service.name"], text("forthwith"));
    assert_eq!(span.resource["service.version"], text(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_call_that_fails_is_a_span_that_says_why() {
    let (collector, provider, folder) = (Collector::start(), Provider::start(Conduct::error(401)).unwrap(), folder());
    let config =
        config(folder.path(), &provider, &format!("[log]\notlp = \"{}/\"\ntrace_ratio = 1\n", collector.address()));
    let tickets = folder.path().join("tickets.jsonl");
    fs::write(&tickets, ticket("1").to_string()).unwrap();
    let mut command = forthwith();
    settled(&mut command).env("OTEL_SERVICE_NAME", "night-shift");
    let (code, out, said) =
        run(command.args(["decide", "routing", "--config"]).arg(&config).arg("--input").arg(&tickets));
    assert_eq!(code, 0, "{said}");
    assert!(out.contains(r#""queue":"general""#), "the rules' word stands: {out}");

    let spans = spans(&collector);
    let (span, decide) = (named(&spans, "chat small-2026"), named(&spans, "decide routing"));
    let error = 2;
    assert_eq!((span.status, &span.parent, &span.trace), (error, &decide.id, &decide.trace));
    assert_eq!((&*decide.parent, decide.status), ("", 0), "nobody called, and the rules' word is no error");
    assert_eq!(span.attributes["error.type"], text("unauthorised"));
    assert_eq!(span.attributes["http.response.status_code"], Value::Int(401));
    assert!(!span.attributes.contains_key("gen_ai.usage.input_tokens"));
    assert_eq!(span.resource["service.name"], text("night-shift"));
}

#[test]
fn a_collector_that_does_not_answer_is_told_once_and_waited_for_by_nobody() {
    let (provider, folder) = (Provider::start(says_cards()).unwrap(), folder());
    // Connections come about, and nothing ever answers them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config(folder.path(), &provider, "");
    let server = Server::start_with(&folder.path().join("data"), |command| {
        let address = format!("http://{}/v1/traces", silent.local_addr().unwrap());
        settled(command).arg("--config").arg(&config).env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", address);
        // Each span is sent by itself and at once, so that several are refused.
        command.env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1").env("OTEL_EXPORTER_OTLP_TIMEOUT", "100");
        command.env("OTEL_TRACES_SAMPLER", "always_on");
    });
    for id in ["1", "2", "3"] {
        assert_eq!(server.post("/v1/decide/routing", &ticket(id)).json()["outcome"]["queue"], "cards");
    }
    let (code, said) = server.stop_complaining();
    assert_eq!(code, 0, "{said}");
    assert_eq!(said.matches("the collector takes no spans").count(), 1, "{said}");
    assert!(said.contains("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), "it says who names the collector: {said}");
    // Of each: request, decide, queue (but of a customer in memory), turn twice, models, chat, disk.
    let lost = said.split("not all spans reached their collector lost=").nth(1).and_then(|rest| rest.split(' ').next());
    let lost: u64 = lost.unwrap_or_else(|| panic!("{said}")).parse().unwrap();
    assert!((21..=24).contains(&lost) && said.contains(&format!("lost={lost} sent=0")), "{said}");
}

#[test]
fn refuses_what_names_no_collector() {
    let (provider, folder) = (Provider::start(says_cards()).unwrap(), folder());
    let config = config(folder.path(), &provider, "[log]\notlp = \"127.0.0.1:4318\"\n");
    let (code, _, said) = run(settled(&mut forthwith()).arg("check").arg("--config").arg(&config));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("forthwith.toml:8:8") && said.contains("such as `http://127.0.0.1:4318`"), "{said}");

    let mut command = forthwith();
    settled(&mut command).env("FORTHWITH__LOG__OTLP", "http://127.0.0.1:1").env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let (code, _, said) = run(command.args(["decide", "ticket_routing", "--input", "config/samples/tickets.jsonl"]));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("`OTEL_EXPORTER_OTLP_PROTOCOL` is `grpc`: expected `http/protobuf`"), "{said}");
}
