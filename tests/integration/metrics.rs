//! The metrics page of a loaded server, as scrapers read it.

use std::collections::BTreeMap;

use serde_json::json;

use crate::exposition::{Dialect, Page};
use crate::support::{Server, folder, forthwith, own_config, root, run, ticket};

const DECIDE: &str = "/v1/decide/ticket_routing";
const JSON: (&str, &str) = ("content-type", "application/json");
const OPEN: (&str, &str) = ("accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5");

/// Gives the server some of everything that it counts.
fn load(server: &Server) {
    let texts = ["my card is gone", "somebody hacked our account", "where is my money", "hello"];
    for nth in 0..40 {
        let trace = ("traceparent", format!("00-{:032x}-00f067aa0ba902b7-{:02x}", nth + 1, nth % 2));
        let (event, text) = (nth / 2, texts[nth / 2 % 4]);
        let event = ticket(&format!("t-{event}"), &format!("c-{}", event % 5), text).to_string();
        server.post_with(DECIDE, &[JSON, (trace.0, &trace.1)], event.as_bytes());
    }
    let decided = server.post(DECIDE, &ticket("t-last", "c-1", "my card is gone")).json();
    let id = decided["decision_id"].as_str().unwrap();
    server.post(&format!("/v1/decisions/{id}/feedback"), &json!({ "verdict": "accepted" }));
    server.post("/v1/decide/nobody", &ticket("t-x", "c-1", "x"));
    server.post(DECIDE, &json!({ "specversion": "1.0" }));
    let event = ["content-type", "application/cloudevents+json"];
    server.post_with("/v1/events", &[(event[0], event[1])], ticket("e-1", "c-9", "x").to_string().as_bytes());
}

fn read(server: &Server, dialect: Dialect) -> Page {
    let headers = if dialect == Dialect::OpenMetrics { &[OPEN][..] } else { &[] };
    let answer = server.get_with("/metrics", headers);
    let expected = match dialect {
        Dialect::Text => "text/plain; version=0.0.4; charset=utf-8",
        Dialect::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
    };
    assert_eq!((answer.status, answer.content_type.as_str()), (200, expected));
    assert_eq!(answer.header("vary"), Some("accept"));
    let page = String::from_utf8(answer.body).unwrap();
    Page::read(&page, dialect).unwrap_or_else(|why| panic!("{why}\n{page}"))
}

/// Both formats have the same series, of the same types and with the same meaning; only exemplars are in one alone.
#[test]
fn a_loaded_servers_page_is_sound_in_both_formats() {
    let data = folder();
    let server = Server::start(data.path());
    load(&server);
    let (text, open) = (read(&server, Dialect::Text), read(&server, Dialect::OpenMetrics));
    let told = |page: &Page| -> BTreeMap<String, (String, String, Vec<String>)> {
        let series = |of: &crate::exposition::Family| {
            of.samples.iter().map(|sample| format!("{} {:?}", sample.name, sample.labels)).collect()
        };
        page.families.iter().map(|of| (of.name.clone(), (of.kind.clone(), of.help.clone(), series(of)))).collect()
    };
    assert_eq!(told(&text), told(&open));
    for page in [&text, &open] {
        let counted = page.sum("forthwith_decisions_total", &[("playbook", "ticket_routing")]);
        let timed = page.sum("forthwith_decision_seconds_count", &[("playbook", "ticket_routing")]);
        // Each event was sent twice, and one was observed.
        assert_eq!((counted, timed), (42.0, 42.0));
        assert_eq!(page.sum("forthwith_decisions_total", &[("outcome", "duplicate")]), 20.0);
        assert_eq!(page.sum("forthwith_refused_total", &[("reason", "unknown_playbook")]), 1.0);
        assert_eq!(page.sum("forthwith_feedback_total", &[("verdict", "accepted")]), 1.0);
        assert!(page.sum("forthwith_journal_commits_total", &[]) > 0.0);
        assert_eq!(page.sum("forthwith_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    }
    let exemplars: Vec<_> = open.samples().filter_map(|sample| sample.exemplar.as_ref()).collect();
    assert!(!exemplars.is_empty() && text.samples().all(|sample| sample.exemplar.is_none()));
    for exemplar in exemplars {
        // Those whose traces are not kept have odd numbers.
        let trace = u128::from_str_radix(&exemplar.labels["trace_id"], 16).unwrap();
        assert!(trace <= 40 && trace % 2 == 0 && exemplar.seconds > 1.7e9, "{exemplar:?}");
    }
    let units = open.families.iter().filter(|of| of.name.ends_with("_seconds")).map(|of| of.unit.as_deref());
    assert!(units.clone().count() > 5 && units.clone().all(|unit| unit == Some("seconds")));
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_tells_what_it_takes_of_the_machine() {
    let data = folder();
    let server = Server::start(data.path());
    let page = read(&server, Dialect::Text);
    let value =
        |name: &str| page.samples().find(|sample| sample.name == name).unwrap_or_else(|| panic!("no {name}")).value;
    assert!(value("process_resident_memory_bytes") > 1e6 && value("process_open_fds") > 3.0);
    assert!(value("process_threads") > 2.0 && value("process_max_fds") >= value("process_open_fds"));
    let since = value("forthwith_start_time_seconds") - value("process_start_time_seconds");
    // The kernel counts from its own start in hundredths, and says that in whole seconds.
    assert!((-2.0..120.0).contains(&since), "{since}");
}

/// A refused reload is counted, whoever finds the fault.
#[test]
fn a_reload_that_is_refused_is_counted() {
    let data = folder();
    let config = own_config(data.path());
    let server = Server::start_by(&config);
    std::fs::write(config.join("playbooks/broken.toml"), "playbook = 7").unwrap();
    assert_eq!(server.post("/v1/bundle/reload", &json!({})).status, 422);
    let page = read(&server, Dialect::Text);
    let count = |name| page.sum(name, &[]);
    assert_eq!((count("forthwith_bundle_refusals_total"), count("forthwith_bundle_changes_total")), (1.0, 0.0));
}

#[test]
fn the_command_prints_the_document() {
    let (code, out, _) = run(forthwith().arg("metrics"));
    assert_eq!(code, 0);
    let document = std::fs::read_to_string(root().join("docs/METRICS.md")).unwrap();
    assert_eq!(out.trim_end(), document.trim_end());
}
