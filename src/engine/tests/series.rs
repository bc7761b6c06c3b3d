//! The series of an engine: each is described, and there are no more of them than the bundle in force allows.

use std::collections::BTreeSet;
use std::time::Duration;

use super::slow_models::{compiled, config, slow_files};
use super::*;
use crate::bundle::model_tests::{MODEL, WORDS, files, words_model};
use crate::bundle::{Artifacts, Sources};
use crate::domain::{FeedbackVerdict, TraceContext};
use crate::telemetry::Registry;
use crate::telemetry::exposition::{Dialect, Page, Sample};

const AGENT: &str = r#"
agent          = "routerNTH"
version        = 1
kind           = "executor"
owner          = "support"
consent_scope  = []
models         = ["openai/small"]
context_tokens = 1500
answer_tokens  = 64
instructions   = "You route tickets of a bank."
prompt         = "Channel: {{channel}}"

[inputs]
channel = { from = "event.channel", type = "one_of" }
"#;

/// What a playbook may have, each with a number in its name.
const PARTS: &str = r#"
[[agents]]
use  = "routerNTH@1"
sets = ["queue"]

[[guardrail.limits]]
id      = "limitNTH"
require = 'proposal.priority <= 3'

[[caps]]
id     = "capNTH"
action = "refund"
max    = 1
over   = "90d"

[[caps]]
id     = "everybodysNTH"
action = "refund"
max    = 100
scope  = "global"
"#;

/// A bundle whose every name has a number; every second has a slow model.
fn numbered(nth: usize) -> Bundle {
    let ((given, _), bytes) = match nth.is_multiple_of(2) {
        true => (files(MODEL), words_model(&WORDS).to_bytes()),
        false => (slow_files(MODEL), b"slow".to_vec()),
    };
    let (mut sources, mut artifacts) = (Sources::default(), Artifacts::default());
    let named = |text: &str| text.replace("intent", &format!("intent{nth}")).replace("NTH", &nth.to_string());
    given.iter().for_each(|(path, text)| sources.insert(named(path), named(text)));
    let playbook = given.get("playbooks/routing.toml").unwrap();
    let playbook = playbook
        .replace("\"routing\"", &format!("\"routing{nth}\""))
        .replace("[outcome]", "[outcome]\naction = [\"nothing\", \"refund\"]")
        .replace("[default]\nthen   = {", "[default]\nthen   = { action = \"nothing\",")
        .replace("\"memory\"", "\"disk\"");
    sources.insert("playbooks/routing.toml", named(&format!("{playbook}{PARTS}")));
    sources.insert("agents/router.toml", named(AGENT));
    artifacts.insert(named("models/intent-1/model.bin"), bytes);
    compiled(sources, &artifacts)
}

fn page_of(engine: &Engine) -> Page {
    Page::read(&engine.metrics(), Dialect::Text).unwrap()
}

/// Names and labels of all series; what differs by the process alone does not count.
fn series(page: &Page) -> BTreeSet<String> {
    let told = |sample: &Sample| format!("{} {:?}", sample.name, sample.labels);
    page.samples().filter(|sample| !sample.name.starts_with("forthwith_bundle_info")).map(told).collect()
}

/// Decides some, under the names of a numbered bundle, and says of each whether it was right.
async fn used(engine: &Engine, nth: usize) {
    for text in ["my card", "the invoice", "urgent"] {
        let event = Event::new(format!("{nth}-{text}"), "helpdesk", "ticket.created", format!("c-{nth}"));
        let event = event.with("subject", text).with("channel", "chat");
        let options = Options { budget: Budget::Unlimited, ..Options::default() };
        let decision = engine.decide_with(&format!("routing{nth}"), event, &options).await.unwrap();
        let accepted = Feedback { verdict: Some(FeedbackVerdict::Accepted), ..Feedback::default() };
        engine.feedback(decision.given().unwrap().id, accepted).await.unwrap().given().unwrap();
    }
}

/// A caller's place in a trace.
fn trace(name: u8, is_sampled: bool) -> TraceContext {
    TraceContext { span: 1, ..TraceContext::named([name; 16]) }.sampled(is_sampled)
}

/// Whatever callers send, and however often bundles change, an engine has the series that one has which was started with the bundle in force.
#[tokio::test]
async fn series_do_not_grow_with_strangers_and_reloads() {
    const LAST: usize = 9;
    let start = |nth| Engine::start(config(numbered(nth), |_| Duration::ZERO).0).unwrap();
    let engine = start(0);
    let mut counts = Vec::new();
    for nth in 0..=LAST {
        if nth > 0 {
            engine.change_bundle(numbered(nth)).unwrap();
        }
        used(&engine, nth).await;
        for stranger in 0..20 {
            let name = format!("nobody-{nth}-{stranger}\n\"\\");
            let event =
                || Event::new("1", name.as_str(), "ticket.created", format!("c{stranger}")).with("channel", "chat");
            let options = Options { trace: Some(trace(stranger, true)), ..Options::default() };
            assert!(engine.decide_with(&name, event(), &options).await.is_err());
            let other = Event { kind: name.clone(), ..event() };
            assert!(engine.decide(&format!("routing{nth}"), other).await.is_err());
            assert!(engine.decide(&format!("routing{nth}"), event().with("channel", name.as_str())).await.is_err());
        }
        counts.push(series(&page_of(&engine)).len());
    }
    let fresh = start(LAST);
    used(&fresh, LAST).await;
    let (grown, expected) = (series(&page_of(&engine)), series(&page_of(&fresh)));
    let missing: Vec<&String> = expected.difference(&grown).collect();
    let superfluous: Vec<&String> = grown.difference(&expected).collect();
    assert!(missing.is_empty() && superfluous.is_empty(), "missing {missing:?}, superfluous {superfluous:?}");
    assert_eq!((counts[1], counts[2]), (counts[9], counts[8]), "like bundles have as many: {counts:?}");
}

#[tokio::test]
async fn what_stays_in_force_is_counted_on_and_what_is_refused_changes_nothing() {
    let engine = Engine::start(config(numbered(1), |_| Duration::ZERO).0).unwrap();
    used(&engine, 1).await;
    let decided = |page: &Page| page.sum("forthwith_decisions_total", &[("outcome", "decided")]);
    let asked = |page: &Page| page.sum("forthwith_inference_answers_total", &[("answer", "scored")]);
    let before = page_of(&engine);
    assert!(decided(&before) > 0.0 && asked(&before) > 0.0);
    let described = {
        let bundle = numbered(1);
        assert_eq!(bundle.id(), engine.bundle().id());
        bundle
    };
    engine.change_bundle(described).unwrap();
    engine.refuse_bundle();
    let after = page_of(&engine);
    assert_eq!(series(&before), series(&after));
    assert_eq!((decided(&after), asked(&after)), (decided(&before), asked(&before)));
    assert_eq!(after.sum("forthwith_bundle_refusals_total", &[]), 1.0);
    let event =
        Event::new("later", "helpdesk", "ticket.created", "c-1").with("subject", "my card").with("channel", "chat");
    let patient = Options { budget: Budget::Unlimited, ..Options::default() };
    engine.decide_with("routing1", event, &patient).await.unwrap().given().unwrap();
    let later = page_of(&engine);
    assert_eq!((decided(&later), asked(&later)), (decided(&after) + 1.0, asked(&after) + 1.0));
}

/// What an engine declares is what the reference tells, and what it shows are values that the reference knows.
#[tokio::test]
async fn every_series_is_in_the_reference() {
    let engine = Engine::start(config(numbered(1), |_| Duration::ZERO).0).unwrap();
    used(&engine, 1).await;
    let told = Registry::default();
    metrics_reference::declare_all(&told);
    assert_eq!(engine.0.registry.reference(&[]), told.reference(&[]), "`metrics_reference` declares something else");
    let strays = engine.0.registry.strays();
    assert!(strays.is_empty(), "values that no declaration names: {strays:?}");
}

/// The trace of a decision is beside its bucket if its caller keeps it.
#[tokio::test]
async fn a_slow_bucket_leads_to_a_slow_decision() {
    let engine = engine();
    let with = |name: u8, is_sampled| Options { trace: Some(trace(name, is_sampled)), ..patient() };
    for (id, options) in [("t-1", with(1, false)), ("t-2", with(2, true)), ("t-3", patient())] {
        engine.decide_with("routing", ticket(id, "my card"), &options).await.unwrap().given().unwrap();
    }
    let options = with(3, true);
    engine
        .observe_with(Event { customer: "c-2".into(), ..ticket("t-4", "x") }, &options)
        .await
        .unwrap()
        .given()
        .unwrap();
    let page = Page::read(&engine.metrics_in(MetricsFormat::OpenMetrics), Dialect::OpenMetrics).unwrap();
    let traced = page.samples().filter_map(|sample| Some((sample.name.as_str(), sample.exemplar.as_ref()?)));
    let traced: Vec<_> = traced.map(|(name, exemplar)| (name, exemplar.labels["trace_id"].clone())).collect();
    // Both may have fallen into one bucket: then the later one stands there.
    let expected = ["02".repeat(16), "03".repeat(16)];
    assert!(traced.iter().any(|(_, trace)| *trace == expected[1]), "{traced:?}");
    assert!(
        traced.iter().all(|(name, trace)| {
            ["forthwith_decision_seconds_bucket", "forthwith_decision_stage_seconds_bucket"].contains(name)
                && expected.contains(trace)
        }),
        "{traced:?}"
    );
}
