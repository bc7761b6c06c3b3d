//! What is shown of a customer: to an operator, for a purpose, and to the person.

use super::*;
use crate::actor::Stretch;
use crate::bundle::{CONTEXT_FILE, Sources};
use crate::domain::{CustomerId, Settlement, TimeDelta};
use crate::time::Clock;

const CONTEXT: &str = r#"
[purposes]
service   = { needs_consent = false }
marketing = { needs_consent = true }

[events.purchase]
amount   = "decimal"
category = { one_of = ["books", "games"], purposes = ["marketing"] }
shop     = "string"

[events.complaint]
text = "string"
[tags.events.complaint]
purposes = ["service"]
regulation = "gdpr"

[facts]
plan    = { type = "string", retain = "30d", regulation = "gdpr" }
taste   = { type = "string", purposes = ["marketing"] }
mood    = { type = "int", fresh = { soft = "1h", hard = "3d" } }
illness = { type = "string", purposes = ["service"] }
gone    = "string"

[signals]
purchases_30d  = { count = "purchase", over = "30d", partial = true }
spent          = { sum = "amount", of = "purchase", over = "30d", every = "1d", partial = true }
mean_spent     = { mean = "amount", of = "purchase", over = "30d", every = "1d", partial = true }
by_category    = { count = "purchase", over = "30d", every = "1d", by = "category", partial = true }
by_shop        = { last = "amount", of = "purchase", by = "shop" }
shops          = { distinct = "shop", of = "purchase", over = "30d", every = "1d", partial = true }
complaints_30d = { count = "complaint", over = "30d", every = "1d" }

[recent]
events     = 4
attributes = ["category", "text", "shop"]
"#;

const OFFERS: &str = r#"
playbook = "offers"
purpose  = "marketing"
on       = ["purchase"]
budget   = "10s"
settle_within = "15m"

[outcome]
action   = ["nothing", "discount"]
discount = { type = "decimal", min = 0, max = 100 }

[flow]
key      = "event.category"
debounce = "100s"

[[rules]]
id   = "discount"
when = "event.amount > 5 && customer.taste != \"tea\""
then = { action = "discount", discount = 10 }

[[caps]]
id     = "own-discounts"
action = "discount"
amount = "discount"
max    = 25
over   = "90d"

[[caps]]
id     = "campaign"
action = "discount"
amount = "discount"
max    = 1000
scope  = "global"

[default]
then = { action = "nothing", discount = 0 }
"#;

const CARE: &str = r#"
playbook = "care"
purpose  = "service"
on       = ["purchase", "complaint"]

[outcome]
action = ["nothing", "call"]

[[rules]]
id   = "ill"
when = 'customer.illness == "flu"'
then = { action = "call" }

[default]
then = { action = "nothing" }
"#;

fn files(context: &str) -> Sources {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, context);
    sources.insert("playbooks/offers.toml", OFFERS);
    sources.insert("playbooks/care.toml", CARE);
    sources
}

fn compiled(context: &str) -> Bundle {
    Bundle::compile(files(context)).unwrap_or_else(|faults| panic!("{faults}"))
}

fn seconds(seconds: i64) -> TimeDelta {
    TimeDelta::from_micros(seconds * TimeDelta::SECOND.micros())
}

fn purchase(id: &str, amount: i64, category: &str) -> Event {
    let event = Event::new(id, "till", "purchase", "ann").with("amount", amount).with("category", category);
    event.with("shop", "corner").with("till", 7)
}

async fn tell(engine: &Engine, values: &[(&str, Raw)]) {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let facts = Facts { source: "crm".into(), observed_at: None, values };
    assert!(engine.put_facts("ann", facts).await.unwrap().given().unwrap().outdated.is_empty());
}

async fn consent(engine: &Engine, is_given: bool) {
    let consents = Consents { source: "form".into(), observed_at: None, values: vec![("marketing".into(), is_given)] };
    engine.put_consents("ann", consents).await.unwrap().given().unwrap();
}

/// A customer who is told of, buys, complains, consents and is decided about; then a fact is declared no more.
async fn story(clock: &Clock) -> Engine {
    let mut config = Config::new(compiled(CONTEXT));
    config.journal.segment_bytes = 1 << 20;
    config.clock = clock.clone();
    let engine = Engine::start(config).unwrap();
    tell(&engine, &[("plan", "pro".into()), ("taste", "coffee".into()), ("mood", 4.into()), ("illness", "flu".into())])
        .await;
    tell(&engine, &[("gone", "away".into())]).await;
    engine.observe(purchase("p-1", 7, "games")).await.unwrap().given().unwrap();
    consent(&engine, true).await;
    clock.advance(seconds(60));
    let other = Event::new("p-9", "till", "purchase", "bob").with("amount", 1).with("category", "games");
    engine.observe(other.with("shop", "corner")).await.unwrap().given().unwrap();
    let first = engine.observe(purchase("p-2", 20, "books")).await.unwrap().given().unwrap();
    let granted = first.decisions.iter().find(|of| &*of.playbook == "offers").unwrap();
    engine.settle(granted.id, Settlement::Commit).await.unwrap().given().unwrap();
    clock.advance(seconds(60));
    engine.observe(purchase("p-3", 30, "games")).await.unwrap().given().unwrap();
    engine.observe(purchase("p-4", 30, "games")).await.unwrap().given().unwrap();
    let complaint = Event::new("c-1", "post", "complaint", "ann").with("text", "too loud");
    engine.observe(complaint).await.unwrap().given().unwrap();
    tell(&engine, &[("taste", Raw::Null)]).await;
    clock.advance(seconds(2 * 3_600));
    engine.observe(purchase("p-5", 1, "books")).await.unwrap().given().unwrap();
    engine.change_bundle(compiled(&CONTEXT.replace("gone    = \"string\"\n", ""))).unwrap();
    engine
}

fn manual() -> Clock {
    Clock::manual("2026-11-22T10:00:00Z".parse().unwrap())
}

async fn view(engine: &Engine, purpose: Option<&str>) -> CustomerView {
    let asked = match purpose {
        Some(purpose) => engine.customer_for("ann", purpose).await,
        None => engine.customer("ann").await,
    };
    asked.unwrap().given().unwrap().unwrap()
}

#[tokio::test]
async fn an_operator_sees_all_there_is_and_why_something_is_unavailable() {
    let engine = story(&manual()).await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&view(&engine, None).await).unwrap());
}

#[tokio::test]
async fn a_purpose_sees_what_its_decisions_may_and_what_is_withheld_is_said_to_be() {
    let engine = story(&manual()).await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&view(&engine, Some("marketing")).await).unwrap());
}

/// Nothing that was told, happened or was decided stands in what a purpose without its consent sees.
#[tokio::test]
async fn a_purpose_without_consent_sees_nothing() {
    let engine = story(&manual()).await;
    tell(&engine, &[("taste", "cocoa".into())]).await;
    consent(&engine, false).await;
    let seen = view(&engine, Some("marketing")).await;
    let withheld = "withheld: the decision's purpose may not see it";
    assert!(seen.facts.iter().all(|fact| fact.unavailable.as_deref() == Some(withheld) && fact.source.is_none()));
    assert!(seen.signals.iter().all(|of| of.unavailable.as_deref() == Some(withheld) && of.since.is_none()));
    let shown = serde_json::to_string(&seen).unwrap();
    for secret in ["pro", "cocoa", "flu", "away", "corner", "loud", "crm", "2026-11-22T10:02"] {
        assert!(!shown.contains(&format!("\"{secret}")), "{secret}: {shown}");
    }
    assert_eq!(seen.withheld, ["parked_facts", "recent_events", "decisions", "caps", "pending", "flow", "recent"]);
    assert!(!seen.purpose.unwrap().open);
    assert_eq!((seen.consents.len(), seen.consents[0].given), (1, false), "why that is so may be seen");
    let service = view(&engine, Some("service")).await;
    let ill = service.facts.iter().find(|fact| fact.name == "illness").unwrap();
    assert_eq!(ill.value.as_ref().map(ToString::to_string).as_deref(), Some("\"flu\""), "it needs no consent");
}

/// What a purpose sees is what a decision for it sees: both ask the same of tags and consents.
#[tokio::test]
async fn a_view_for_a_purpose_agrees_with_the_decisions_for_it() {
    let clock = manual();
    let engine = story(&clock).await;
    for is_given in [true, false] {
        clock.advance(seconds(200));
        consent(&engine, is_given).await;
        let event = purchase(if is_given { "p-6" } else { "p-7" }, 1, "books");
        let observed = engine.observe(event).await.unwrap().given().unwrap();
        for (playbook, purpose) in [("offers", "marketing"), ("care", "service")] {
            let decision = observed.decisions.iter().find(|of| &*of.playbook == playbook).unwrap();
            let explained = engine.explain(decision.id).unwrap().unwrap();
            let seen = view(&engine, Some(purpose)).await;
            assert!(!explained.context.is_empty());
            for named in &explained.context {
                let name = named.name.strip_prefix("customer.").unwrap();
                let fact = seen.facts.iter().find(|fact| fact.name == name).unwrap();
                assert_eq!((&fact.value, &fact.unavailable), (&named.value, &named.unavailable), "{name} {purpose}");
            }
        }
    }
}

#[tokio::test]
async fn a_purpose_that_is_not_declared_is_refused() {
    let engine = story(&manual()).await;
    let refused = engine.customer_for("ann", "marketng").await.unwrap_err().to_string();
    assert_eq!(refused, "there is no purpose `marketng` (did you mean `marketing`?)");
}

#[tokio::test]
async fn an_export_has_everything_that_is_held_about_a_person() {
    let engine = story(&manual()).await;
    let export = engine.export("ann", 0).await.unwrap().given().unwrap().unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&export).unwrap());
    assert!(engine.export("eve", 0).await.unwrap().given().unwrap().is_none());
}

/// Whatever an answer's bounds are, the answers together have each of the person's records once, in order, and nobody else's.
#[tokio::test]
async fn stretches_of_any_length_make_up_the_whole() {
    let engine = story(&manual()).await;
    let whole = engine.export("ann", 0).await.unwrap().given().unwrap().unwrap();
    let records: Vec<u64> = whole.records.iter().map(|record| record.record).collect();
    assert!(records.len() > 8 && whole.next.is_none());
    let last = engine.customer("ann").await.unwrap().given().unwrap().unwrap().last_record;
    assert_eq!(records.last(), Some(&last), "what is in the state is in the journal");
    let ann = CustomerId::new("ann").unwrap();
    for (most, bytes) in [(1, 1), (2, 1 << 20), (3, 1 << 20), (100, 300)] {
        let stretch = Stretch { records: most, bytes };
        let (mut found, mut from) = (Vec::new(), Some(1));
        while let Some(at) = from {
            let history = engine.0.customers.history(&ann, at, stretch).unwrap();
            assert!(history.records.len() <= most && history.next.is_none_or(|next| next == history.until + 1));
            assert!(history.records.iter().all(|of| of.what.customer() == &ann && of.seq <= history.until));
            found.extend(history.records.iter().map(|of| of.seq));
            from = history.next;
        }
        assert_eq!(found, records, "{stretch:?}");
    }
    let rest = engine.export("ann", records[3]).await.unwrap().given().unwrap().unwrap();
    assert!(rest.state.is_none());
    assert_eq!(rest.records.iter().map(|of| of.record).collect::<Vec<_>>(), records[3..]);
}

#[tokio::test]
async fn more_exports_at_once_than_may_be_are_turned_away() {
    let engine = story(&manual()).await;
    let first = engine.exporting("ann", 0).await.unwrap().given().unwrap().unwrap();
    let _second = engine.exporting("ann", 0).await.unwrap().given().unwrap().unwrap();
    let refused = engine.export("ann", 0).await.unwrap_err().to_string();
    assert_eq!(refused, "2 exports are under way, the limit; ask again when one is done");
    first.read().unwrap();
    engine.export("ann", 0).await.unwrap().given().unwrap().unwrap();
}

#[tokio::test]
async fn global_caps_are_shown_and_measured() {
    let engine = story(&manual()).await;
    insta::assert_snapshot!(serde_json::to_string_pretty(&engine.caps().given().unwrap()).unwrap(), @r#"
    [
      {
        "cap": "campaign",
        "playbooks": [
          "offers"
        ],
        "amount": "discount",
        "max": 1000,
        "over": null,
        "taken": 10,
        "left": 990,
        "unused": 0.3124
      }
    ]
    "#);
    let of_caps = |page: String| {
        let lines = page.lines().filter(|line| line.starts_with("forthwith_cap_")).map(str::to_owned);
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(of_caps(engine.metrics()), @r#"
    forthwith_cap_max{cap="campaign"} 1000
    forthwith_cap_taken{cap="campaign"} 10
    "#);
    let mut sources = files(CONTEXT);
    let campaign = OFFERS.find("[[caps]]\nid     = \"campaign\"").unwrap();
    let default = OFFERS.find("[default]").unwrap();
    sources.insert("playbooks/offers.toml", format!("{}{}", &OFFERS[..campaign], &OFFERS[default..]));
    engine.change_bundle(Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))).unwrap();
    assert_eq!(
        (engine.caps().given().unwrap().len(), of_caps(engine.metrics())),
        (0, String::new()),
        "bounded by the bundle"
    );
}
