//! Consents and staleness as a library's user meets them.

use super::*;
use crate::bundle::{CONTEXT_FILE, Sources};
use crate::domain::{FallbackReason, TimeDelta};

const CONTEXT: &str = r#"
[purposes]
marketing = { needs_consent = true }

[events.visit]
page = "string"

[facts]
mood = { type = "int", fresh = { soft = "1h", hard = "3d" } }
age  = { type = "int", fresh = "3d" }
"#;

const PLAYBOOK: &str = r#"
playbook = "offer"
purpose = "marketing"
on = ["visit"]
[outcome]
action = ["none", "mail"]
[[rules]]
id = "good"
when = "customer.mood > 3 && customer.age > 17"
then = { action = "mail" }
[default]
then = { action = "none" }
"#;

fn engine() -> Engine {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, CONTEXT);
    sources.insert("playbooks/offer.toml", PLAYBOOK);
    engine_of(Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}")))
}

fn now() -> Timestamp {
    crate::time::Clock::system().wall()
}

fn minutes(count: i64) -> TimeDelta {
    TimeDelta::from_micros(count * TimeDelta::MINUTE.micros())
}

async fn say(engine: &Engine, is_given: bool, ahead: i64) -> ConsentsTaken {
    let observed_at = Some(now().saturating_add(minutes(ahead)));
    let consents = Consents { source: "form".into(), observed_at, values: vec![("marketing".into(), is_given)] };
    engine.put_consents("c-1", consents).await.unwrap().given().unwrap()
}

async fn offered(engine: &Engine, id: &str) -> Decision {
    let visit = Event::new(id, "web", "visit", "c-1").with("page", "home");
    engine.decide("offer", visit).await.unwrap().given().unwrap()
}

#[tokio::test]
async fn a_withdrawal_counts_though_the_consent_came_from_a_clock_that_is_ahead() {
    let engine = engine();
    assert_eq!(say(&engine, true, 4).await.taken, ["marketing"]);
    assert_eq!(offered(&engine, "1").await.fallback, None);
    assert_eq!(say(&engine, false, 0).await.taken, ["marketing"]);
    assert_eq!(offered(&engine, "2").await.fallback, Some(FallbackReason::ConsentMissing));
}

/// What a cap leaves says what the customer was decided before: nobody may look at that without consent.
#[tokio::test]
async fn a_decision_without_consent_shows_no_caps() {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, CONTEXT);
    let cap = "[[caps]]\nid = \"mails\"\naction = \"mail\"\nmax = 3\nover = \"30d\"\n";
    sources.insert("playbooks/offer.toml", format!("{PLAYBOOK}{cap}"));
    let engine = engine_of(Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}")));
    let caps = |decision: Decision| engine.explain(decision.id).unwrap().unwrap().caps.len();
    let refused = offered(&engine, "1").await;
    assert_eq!((refused.fallback, caps(refused)), (Some(FallbackReason::ConsentMissing), 0));
    say(&engine, true, 0).await;
    assert_eq!(caps(offered(&engine, "2").await), 1);
}

#[tokio::test]
async fn a_value_past_its_soft_limit_is_used_and_shown_as_stale() {
    let engine = engine();
    say(&engine, true, 0).await;
    let facts = Facts {
        source: "crm".into(),
        observed_at: Some(now().saturating_sub(minutes(90))),
        values: vec![("mood".into(), 5.into()), ("age".into(), 20.into())],
    };
    engine.put_facts("c-1", facts).await.unwrap().given().unwrap();
    let decision = offered(&engine, "1").await;
    assert_eq!(decision.outcome().text("action"), Some("mail"), "it is used");
    let explanation = engine.explain(decision.id).unwrap().unwrap();
    let marks: Vec<(&str, bool)> = explanation.context.iter().map(|value| (value.name.as_str(), value.stale)).collect();
    assert_eq!(marks, [("customer.mood", true), ("customer.age", false)]);
    let seen = explanation.rules[0].conditions.iter().flat_map(|part| &part.values);
    assert!(seen.clone().count() > 0 && seen.clone().all(|value| value.stale == (value.name == "customer.mood")));
}

#[tokio::test]
async fn consents_that_cannot_be_given_say_why() {
    let engine = engine();
    let consents = |values: &[(&str, bool)]| Consents {
        values: values.iter().map(|(name, is_given)| ((*name).to_owned(), *is_given)).collect(),
        ..Consents::default()
    };
    let twice = engine.put_consents("c-1", consents(&[("marketing", true), ("marketing", false)])).await.unwrap_err();
    assert_eq!(twice.to_string(), "`consents.marketing` is given twice");
    let unknown = engine.put_consents("c-1", consents(&[("marketng", true)])).await.unwrap_err();
    let declared = "`consents.marketng` is not a purpose that context.toml declares (did you mean `marketing`?)";
    assert_eq!(unknown.to_string(), declared);
    assert!(engine.put_consents("", consents(&[])).await.is_err());
}
