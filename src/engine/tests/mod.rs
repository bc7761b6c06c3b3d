//! The engine as a library's user has it.

mod agents;
mod consentless;
mod consents;
mod drift;
mod faults;
mod feedback;
mod forbidden;
mod looking;
mod models;
mod ordering;
mod overload;
mod searching;
mod selfcheck;
mod series;
mod slow_decisions;
mod slow_models;
mod world;

use std::time::Duration;

use super::*;
use crate::bundle::Bundle;
use crate::bundle::tests::{PLAYBOOK, bundle, sources};
use crate::domain::{DecisionId, Durability, Event, Raw, Timestamp};
use crate::replay::tests::replays;

fn ticket(id: &str, body: &str) -> Event {
    Event::new(id, "helpdesk", "ticket.created", "c-1").with("subject", "Hi").with("body", body).with("channel", "chat")
}

/// However a test ends, what its engine journaled is replayed.
impl Drop for super::engine::Inner {
    fn drop(&mut self) {
        self.customers.stop();
        // A journal that was made to stop keeps what it had come to.
        let _ = self.journal.close();
        replays(&self.directory.journal());
    }
}

fn engine_of(bundle: Bundle) -> Engine {
    let mut config = Config::new(bundle);
    config.journal.segment_bytes = 1 << 20;
    Engine::start(config).unwrap()
}

fn engine() -> Engine {
    engine_of(bundle())
}

fn patient() -> Options {
    Options::default()
}

async fn decide(engine: &Engine, event: Event) -> Decision {
    engine.decide("routing", event).await.unwrap().into_result().unwrap()
}

#[tokio::test]
async fn decides_keeps_and_explains() {
    let engine = engine();
    let decision = decide(&engine, ticket("t-1", "my card is broken")).await;
    assert_eq!((decision.outcome().text("queue"), decision.rule.as_deref()), (Some("cards"), Some("cards")));
    assert_eq!(decision.durability, Durability::Disk);
    let explanation = engine.explain(decision.id).unwrap().unwrap();
    assert_eq!(explanation.fired().unwrap().rule, "cards");
    assert_eq!(explanation.rules.len(), 5);
    let mut json = serde_json::to_value(&explanation).unwrap();
    json["arrival"] = "…".into();
    json["decision"]["decision_id"] = "…".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
    assert!(engine.explain(DecisionId::from_u128(1)).unwrap().is_none());
}

#[tokio::test]
async fn a_repetition_gives_the_same_decision() {
    let engine = engine();
    let first = decide(&engine, ticket("t-1", "my card is broken")).await;
    let again = decide(&engine, ticket("t-1", "my card is broken")).await;
    assert!(again.is_duplicate && !first.is_duplicate);
    let mut same = [serde_json::to_value(&first).unwrap(), serde_json::to_value(&again).unwrap()];
    for decision in &mut same {
        decision["elapsed_us"] = 0.into();
        decision["duplicate"] = false.into();
    }
    assert_eq!(same[0], same[1]);
    let conflict = engine.decide("routing", ticket("t-1", "something else")).await.unwrap_err();
    assert!(matches!(conflict, Error::Conflict));
}

#[tokio::test]
async fn a_request_that_cannot_be_served_says_why() {
    let engine = engine();
    let refused = async |playbook: &str, event: Event| engine.decide(playbook, event).await.unwrap_err().to_string();
    let ahead = Timestamp::from_micros(i64::MAX / 2);
    let shown = [
        refused("ruoting", ticket("1", "x")).await,
        refused("x", ticket("1", "x")).await,
        refused("routing", Event::new("1", "s", "refund.issued", "c").with("amount", 1)).await,
        refused("routing", ticket("1", "x").with("channel", "fax").with("subject", Raw::Null)).await,
        refused("routing", Event::new("1", "s", "ticket.created", "")).await,
        engine
            .put_facts(
                "c",
                Facts { values: vec![("paln".into(), "pro".into()), ("vip".into(), 1.into())], ..Facts::default() },
            )
            .await
            .unwrap_err()
            .to_string(),
        engine.put_facts("", Facts::default()).await.unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r#"
    there is no playbook `ruoting` (did you mean `routing`?)
    there is no playbook `x`; there is `routing`
    playbook `routing` decides on `ticket.created`, not on `refund.issued`
    `data.subject` is required: a text; `data.channel` expected one of `email`, `chat`, `phone`, found `"fax"`
    `subject` (the customer's id) must not be empty; `data.subject` is required: a text; `data.body` is required: a text; `data.channel` is required: one of `email`, `chat`, `phone`
    `facts.paln` is not declared in context.toml (did you mean `plan`?); `facts.vip` expected true or false, found `1`
    the customer's id must not be empty
    "#);
    let future = engine.decide("routing", ticket("1", "x").at(ahead)).await.unwrap_err();
    assert!(matches!(future, Error::Future { .. }));
    assert_eq!(
        engine.customer("c-1").await.unwrap().given().unwrap().map(|view| view.last_record),
        None,
        "nothing changed"
    );
}

#[tokio::test]
async fn facts_are_kept_with_their_source_and_the_later_observation_wins() {
    let engine = engine();
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let facts = |value: Raw, at: &str| Facts {
        source: "crm".into(),
        observed_at: Some(time(at)),
        values: vec![("limit".into(), value)],
    };
    let taken = engine.put_facts("c-1", facts(100.into(), "2026-01-02T00:00:00Z")).await.unwrap().given().unwrap();
    assert_eq!((taken.taken, taken.durability), (vec!["limit".to_owned()], Durability::Disk));
    let older = engine.put_facts("c-1", facts(5.into(), "2026-01-01T00:00:00Z")).await.unwrap().given().unwrap();
    assert_eq!(older.outdated, ["limit"]);
    let view = engine.customer("c-1").await.unwrap().given().unwrap().unwrap();
    let limit = view.facts.iter().find(|fact| fact.name == "limit").unwrap();
    assert_eq!(
        (limit.value.as_ref().map(ToString::to_string).as_deref(), limit.source.as_deref()),
        (Some("100"), Some("crm"))
    );
    engine.put_facts("c-1", facts(Raw::Null, "2026-01-03T00:00:00Z")).await.unwrap().given().unwrap();
    let view = engine.customer("c-1").await.unwrap().given().unwrap().unwrap();
    let limit = view.facts.iter().find(|fact| fact.name == "limit").unwrap();
    assert_eq!((&limit.value, limit.unavailable.as_deref()), (&None, Some("not known of this customer")));
}

#[tokio::test]
async fn observing_decides_by_every_playbook_that_listens() {
    let mut sources = sources();
    sources.insert("playbooks/second.toml", PLAYBOOK.replace("\"routing\"", "\"second\""));
    let engine = engine_of(Bundle::compile(sources).unwrap());
    let observed = engine.observe(ticket("t-1", "my card")).await.unwrap().given().unwrap();
    let names: Vec<&str> = observed.decisions.iter().map(|decision| &*decision.playbook).collect();
    assert_eq!((names, observed.is_duplicate), (vec!["routing", "second"], false));
    let again = engine.observe(ticket("t-1", "my card")).await.unwrap().given().unwrap();
    assert!(again.is_duplicate && again.decisions.iter().all(|decision| decision.is_duplicate));
    let refund = Event::new("r-1", "billing", "refund.issued", "c-1").with("amount", 5);
    assert_eq!(engine.observe(refund).await.unwrap().given().unwrap().decisions.len(), 0);
}

#[tokio::test]
async fn a_deadline_before_the_disk_gives_the_decision_as_pending() {
    let engine = engine();
    let options = Options { budget: Budget::AtMost(Duration::from_nanos(1)), ..patient() };
    // The customer is brought into memory first, so that the turn itself is not late.
    engine.observe(Event::new("r-1", "billing", "refund.issued", "c-1").with("amount", 5)).await.unwrap().given();
    let decision = engine.decide_with("routing", ticket("t-1", "x"), &options).await.unwrap().given().unwrap();
    assert_eq!(decision.durability, Durability::Pending);
    let again = decide(&engine, ticket("t-1", "x")).await;
    assert_eq!((again.durability, again.id), (Durability::Disk, decision.id));
}

#[tokio::test]
async fn a_batch_is_decided_in_order() {
    let engine = engine();
    let mut events: Vec<Event> = (0..50).map(|nth| ticket(&format!("t-{nth}"), "card")).collect();
    events[7].customer.clear();
    let answers = engine.decide_batch("routing", events, &patient()).await;
    let decided: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(decided.iter().position(|decided| !decided), Some(7));
    assert_eq!(decided.len(), 50);
    assert_eq!(engine.customer("c-1").await.unwrap().given().unwrap().unwrap().decisions[0].count, 49);
}

#[tokio::test]
async fn history_is_decided_by_its_own_time() {
    let engine = engine();
    let options = Options { timing: Timing::EventTime, ..patient() };
    let at = |id: &str, time: &str| ticket(id, "hello").at(time.parse().unwrap());
    let mut rules = Vec::new();
    for event in [
        at("1", "2026-01-01T08:00:00Z"),
        at("2", "2026-01-01T09:00:00Z"),
        at("3", "2026-01-01T10:00:00Z"),
        at("4", "2026-01-05T10:00:00Z"),
    ] {
        let decision = engine.decide_with("routing", event, &options).await.unwrap().given().unwrap();
        rules.push(decision.rule.as_deref().unwrap_or("default").to_owned());
    }
    assert_eq!(
        rules,
        ["default", "default", "many", "default"],
        "the third ticket within a day is noticed, days later none"
    );
}

#[test]
fn stops_in_good_order_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let start = || {
        let mut config = Config::new(bundle()).data(folder.path());
        config.journal.segment_bytes = 1 << 20;
        Engine::start(config).unwrap()
    };
    let engine = start();
    let decision = runtime.block_on(decide(&engine, ticket("t-1", "card")));
    let stopped = engine.shutdown().unwrap();
    assert_eq!(stopped.dropped, 0);
    let shed = runtime.block_on(engine.decide("routing", ticket("t-2", "card"))).unwrap();
    assert!(matches!(shed, Answer::Shed(crate::actor::Shed::Stopping)));
    assert_eq!(explain_from(folder.path(), decision.id).unwrap().unwrap().decision.id, decision.id);
    drop(engine);
    let engine = start();
    assert_eq!(engine.started().recovered.records, 0, "a clean stop leaves nothing to recover");
    assert!(runtime.block_on(decide(&engine, ticket("t-1", "card"))).is_duplicate);
}

/// What is accepted is recorded, and must be readable again after a crash.
#[tokio::test]
async fn an_event_that_no_reader_would_take_is_refused() {
    let engine = engine();
    let mut wide = ticket("t-1", "x");
    wide.data.extend((0..300).map(|nth| (format!("extra{nth}"), Raw::Null)));
    let mut deep = ticket("t-2", "x");
    deep.data.push(("deep".into(), (0..9).fold(Raw::Null, |inner, _| Raw::List(vec![inner]))));
    let mut twice = ticket("t-3", "x");
    twice.data.extend([("extra".into(), 1.into()), ("extra".into(), 2.into())]);
    let mut twice_inside = ticket("t-4", "x");
    twice_inside.data.push(("extra".into(), Raw::Map(vec![("a".into(), 1.into()), ("a".into(), 2.into())])));
    let mut large = ticket("t-5", "x");
    large.data.push(("extra".into(), "x".repeat(2 << 20).as_str().into()));
    let mut shown = String::new();
    for event in [wide, deep, twice, twice_inside, large] {
        shown += &format!("{}\n", engine.decide("routing", event).await.unwrap_err());
    }
    insta::assert_snapshot!(shown, @"
    `data` has 303 attributes, the limit is 256
    `data.deep` is nested more than 8 levels deep
    `data.extra` is given twice
    `data.extra` has an object with the key `a` twice
    `data` has 2097186 bytes, the limit is 1048576
    ");
}

#[tokio::test]
async fn the_metrics_page() {
    let engine = engine();
    decide(&engine, ticket("t-1", "card")).await;
    decide(&engine, ticket("t-1", "card")).await;
    let _ = engine.decide("nope", ticket("t-1", "card")).await;
    let page = engine.metrics();
    let stable: Vec<String> = page
        .lines()
        .filter(|line| !line.contains("_bucket{") && !line.contains("_sum") && !line.contains("process_"))
        // What has reached the journal by now, and in how many batches, is a matter of luck.
        .map(|line| match line.split_once(' ') {
            Some((name, _)) if name.starts_with("forthwith_journal_") => format!("{name} …"),
            Some((name, _)) if name.ends_with("_time_seconds") => format!("{name} …"),
            // So is how long it took, how long ago, and whether the first turn's thread has left when the second comes.
            Some((name, _))
                if ["forthwith_slow_", "forthwith_fallback_exercised_", "forthwith_thread_"]
                    .iter()
                    .any(|of| name.starts_with(of))
                    || name.contains("stage=\"queue\"") =>
            {
                format!("{name} …")
            }
            _ => line.to_owned(),
        })
        .collect();
    insta::assert_snapshot!(stable.join("\n"));
}
