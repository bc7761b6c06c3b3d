//! The spans of decisions: which there are, below which they stand, and of which decisions.

use std::path::Path;

use faulty_provider::Provider;
use serde_json::Value as Json;

use super::collector::{Collector, Span, Value};
use super::support::{Server, folder, run, written_config};
use super::{CONTEXT, attributes, config, named, says_cards, settled, spans, text, ticket};

/// A playbook that asks nobody and whose answers wait for the disk.
const RULES: &str = r#"
playbook = "routing"
on       = ["ticket.created"]
budget   = "10s"
purpose  = "service"
ack      = "disk"

[outcome]
queue = ["general", "cards"]

[[rules]]
id   = "cards"
when = 'event.subject.contains("card")'
then = { queue = "cards" }

[default]
then = { queue = "general" }
"#;

/// The journal writes when somebody waits for it, so that a decision always does.
const UNHURRIED: &str = "[journal]\nlinger = \"1s\"\n";

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A server that sends its spans to a collector; `sampler` and its share as the standard variables name them.
fn server(config: &Path, data: &Path, collector: &Collector, sampler: Option<(&str, &str)>) -> Server {
    Server::start_with(data, |command| {
        settled(command).arg("--config").arg(config).env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address());
        if let Some((name, share)) = sampler {
            command.env("OTEL_TRACES_SAMPLER", name).env("OTEL_TRACES_SAMPLER_ARG", share);
        }
    })
}

/// The header of a caller, and what the answer's says: the trace, the span and the flags.
fn decide(server: &Server, id: &str, caller: Option<&str>) -> (Json, Option<[String; 3]>) {
    let mut headers = vec![("content-type", "application/json"), ("tracestate", "rojo=00f067aa0ba902b7")];
    headers.extend(caller.map(|caller| ("traceparent", caller)));
    let answer = server.post_with("/v1/decide/routing", &headers, ticket(id).to_string().as_bytes());
    let ours = answer.header("traceparent").map(|header| {
        let parts: Vec<&str> = header.split('-').collect();
        [1, 2, 3].map(|at| parts[at].to_owned())
    });
    (answer.json(), ours)
}

/// Names of spans below one another, in the order in which they began.
fn tree(spans: &[Span], below: &str, depth: usize) -> String {
    let mut children: Vec<&Span> = spans.iter().filter(|span| span.parent == below).collect();
    children.sort_by_key(|span| span.start);
    let lines = |span: &&Span| format!("{}{}\n{}", "  ".repeat(depth), span.name, tree(spans, &span.id, depth + 1));
    children.iter().map(lines).collect()
}

#[test]
fn the_spans_of_a_decision_by_rules_stand_below_its_callers() {
    let (collector, folder) = (Collector::start(), folder());
    let config = written_config(folder.path(), CONTEXT, &[("routing", RULES)]);
    fs_write(&config, UNHURRIED);
    // What the settings say of traces that begin here means nothing to callers who keep theirs.
    let server = server(&config, &folder.path().join("data"), &collector, Some(("parentbased_always_off", "")));
    let (decision, ours) = decide(&server, "1", Some(&format!("00-{TRACE}-00f067aa0ba902b7-01")));
    let port = server.url("").rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
    assert_eq!(server.stop().0, 0);

    let spans = spans(&collector);
    assert_eq!(
        tree(&spans, "00f067aa0ba902b7", 0),
        "POST /v1/decide/{playbook}\n  decide routing\n    queue\n    turn\n    disk\n"
    );
    assert!(spans.iter().all(|span| span.trace == TRACE && span.state == "rojo=00f067aa0ba902b7"), "{spans:#?}");
    let request = named(&spans, "POST /v1/decide/{playbook}");
    assert_eq!(ours.unwrap(), [TRACE, &request.id, "01"], "callers hear of the request's span");
    let server_kind = 2;
    assert_eq!((request.kind, request.status), (server_kind, 0));
    assert_eq!(
        request.attributes,
        attributes([
            ("http.request.method", text("POST")),
            ("http.route", text("/v1/decide/{playbook}")),
            ("url.path", text("/v1/decide/routing")),
            ("url.scheme", text("http")),
            ("server.address", text("127.0.0.1")),
            ("server.port", Value::Int(port)),
            ("network.protocol.version", text("1.1")),
            ("http.response.status_code", Value::Int(200)),
        ])
    );
    let decide = named(&spans, "decide routing");
    assert_eq!(
        decide.attributes,
        attributes([
            ("forthwith.playbook", text("routing")),
            ("forthwith.event.type", text("ticket.created")),
            ("forthwith.budget_us", Value::Int(10_000_000)),
            ("forthwith.decision.id", text(decision["decision_id"].as_str().unwrap())),
            ("forthwith.tier", text("rules")),
            ("forthwith.rule", text("cards")),
            ("forthwith.durability", text("disk")),
            ("forthwith.duplicate", Value::Flag(false)),
            ("forthwith.reasons", Value::Int(1)),
        ])
    );
    let sum: u64 = ["queue", "turn", "disk"].map(|name| named(&spans, name).nanos).iter().sum();
    assert!(sum <= decide.nanos && decide.nanos <= request.nanos, "what is within is shorter: {spans:#?}");
}

#[test]
fn the_spans_of_a_decision_with_a_large_model_hang_together() {
    let (collector, provider, folder) = (Collector::start(), Provider::start(says_cards()).unwrap(), folder());
    let config = config(folder.path(), &provider, UNHURRIED);
    let server = server(&config, &folder.path().join("data"), &collector, None);
    let (decision, _) = decide(&server, "1", Some(&format!("00-{TRACE}-00f067aa0ba902b7-01")));
    assert_eq!(decision["tier"], "large_model", "{decision}");
    assert_eq!(server.stop().0, 0);

    let spans = spans(&collector);
    // The turn is taken twice: it asks, and it hears. The first waits until the customer is in memory; the second waits only if whoever
    // took the first has not left yet.
    let expected =
        "POST /v1/decide/{playbook}\n  decide routing\n    turn\n    models\n    chat small-2026\n    turn\n    disk\n";
    let shown = tree(&spans, "00f067aa0ba902b7", 0);
    assert!(shown.contains("decide routing\n    queue\n    turn\n"), "{shown}");
    assert_eq!(shown.replace("    queue\n", ""), expected);
    let chat = named(&spans, "chat small-2026");
    let sent = provider.requests();
    let header = |name: &str| sent[0].headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    assert_eq!(
        header("traceparent"),
        Some(format!("00-{TRACE}-{}-01", chat.id)),
        "the provider's spans are below ours"
    );
    assert_eq!(header("tracestate"), None, "what other systems keep with a trace is no provider's business");
    let decide = named(&spans, "decide routing");
    assert_eq!(decide.attributes["forthwith.agent"], text("router@1"));
    assert_eq!(decide.attributes["forthwith.tier"], text("large_model"));
}

#[test]
fn a_trace_that_its_caller_does_not_keep_has_no_spans() {
    let (collector, provider, folder) = (Collector::start(), Provider::start(says_cards()).unwrap(), folder());
    let config = config(folder.path(), &provider, "[log]\ntrace_ratio = 1\n");
    let server = server(&config, &folder.path().join("data"), &collector, None);
    let (decision, ours) = decide(&server, "1", Some(&format!("00-{TRACE}-00f067aa0ba902b7-00")));
    let [trace, span, flags] = ours.unwrap();
    assert_eq!((&*trace, &*flags), (TRACE, "00"), "the trace is handed back all the same, with its flags");
    assert_ne!(span, "00f067aa0ba902b7");
    let explained = server.get(&format!("/v1/decisions/{}/explain", decision["decision_id"].as_str().unwrap())).json();
    assert_eq!(explained["event"]["trace_id"], TRACE, "and is in the record");
    let header = provider.requests()[0].headers.iter().find(|(name, _)| name == "traceparent").cloned();
    assert_eq!(header.unwrap().1, format!("00-{TRACE}-00f067aa0ba902b7-00"), "a provider hears what the caller said");
    assert_eq!(server.stop().0, 0);
    // The explanation began a trace of its own, for it came with none.
    let spans = spans(&collector);
    assert_eq!(tree(&spans, "", 0), "GET /v1/decisions/{id}/explain\n");
    let path = &spans[0].attributes["url.path"];
    assert_eq!(*path, text("/v1/decisions/{id}/explain"), "no decision and no customer is named");
}

#[test]
fn a_share_of_the_traces_that_begin_here_is_kept() {
    let (collector, folder) = (Collector::start(), folder());
    let config = written_config(folder.path(), CONTEXT, &[("routing", RULES)]);
    fs_write(&config, "[log]\ntrace_ratio = 0\n");
    let none = server(&config, &folder.path().join("data"), &collector, None);
    let (_, ours) = decide(&none, "1", None);
    assert_eq!(ours, None, "nobody asked for a trace, and none was begun");
    none.get("/metrics");
    assert_eq!(none.stop().0, 0);
    assert_eq!(tree(&spans(&collector), "", 0), "");

    fs_write(&config, &format!("{UNHURRIED}[log]\ntrace_ratio = 1\n"));
    let all = server(&config, &folder.path().join("data"), &collector, None);
    let (_, ours) = decide(&all, "2", None);
    for probe in ["/metrics", "/healthz", "/readyz"] {
        all.get(probe);
    }
    assert_eq!(all.stop().0, 0);
    let spans = spans(&collector);
    assert_eq!(tree(&spans, "", 0), "POST /v1/decide/{playbook}\n  decide routing\n    queue\n    turn\n    disk\n");
    let request = named(&spans, "POST /v1/decide/{playbook}");
    assert_eq!(ours.unwrap(), [&*request.trace, &request.id, "01"], "whoever calls can find the trace that began here");
}

#[test]
fn which_traces_are_kept_follows_from_their_names() {
    let (collector, folder) = (Collector::start(), folder());
    let config = written_config(folder.path(), CONTEXT, &[("routing", RULES)]);
    let server = server(&config, &folder.path().join("data"), &collector, Some(("traceidratio", "0.25")));
    // The last 56 bits decide: of 16 traces that divide them evenly, the last four.
    let traces: Vec<u128> = (0..16).map(|nth| (0xabc << 100) | (nth << 52)).collect();
    for (nth, trace) in traces.iter().enumerate() {
        // Whatever the callers do.
        decide(&server, &nth.to_string(), Some(&format!("00-{trace:032x}-00f067aa0ba902b7-0{}", nth % 2)));
    }
    assert_eq!(server.stop().0, 0);
    let spans = spans(&collector);
    let mut kept: Vec<&str> =
        spans.iter().filter(|span| span.name == "decide routing").map(|span| &*span.trace).collect();
    kept.sort_unstable();
    assert_eq!(kept, traces[12..].iter().map(|trace| format!("{trace:032x}")).collect::<Vec<_>>());
}

#[test]
fn what_is_wrong_with_a_request_is_in_its_span_and_is_no_error_of_the_servers() {
    let (collector, folder) = (Collector::start(), folder());
    let config = written_config(folder.path(), CONTEXT, &[("routing", RULES)]);
    let server = server(&config, &folder.path().join("data"), &collector, Some(("always_on", "")));
    assert_eq!(server.post("/v1/decide/rooting", &ticket("1")).status, 404);
    assert_eq!(server.stop().0, 0);
    let spans = spans(&collector);
    assert_eq!(tree(&spans, "", 0), "POST /v1/decide/{playbook}\n", "nothing was decided");
    assert_eq!(spans[0].attributes["http.response.status_code"], Value::Int(404));
    assert_eq!(spans[0].status, 0);
}

#[test]
fn refuses_a_sampler_that_it_does_not_know() {
    let folder = folder();
    let config = written_config(folder.path(), CONTEXT, &[("routing", RULES)]);
    fs_write(&config, "[log]\ntrace_ratio = 1.5\nslow_share = -1\n");
    let mut command = super::forthwith();
    let (code, _, said) = run(settled(&mut command).arg("check").arg("--config").arg(&config));
    assert_eq!(code, 1, "{said}");
    for place in ["forthwith.toml:2:15", "forthwith.toml:3:14"] {
        assert!(said.contains(place), "{said}");
    }
    assert_eq!(said.matches("a number from 0 to 1").count(), 2, "{said}");
}

fn fs_write(config: &Path, settings: &str) {
    std::fs::write(config.join("forthwith.toml"), settings).unwrap();
}
