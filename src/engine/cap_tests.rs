//! Caps and settlements as a library's user has them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::bundle::cap_tests::{ONE_A_QUARTER, offers};
use crate::domain::{Durability, Event, FallbackReason, Settlement, TimeDelta};
use crate::time::Clock;

fn engine_at(data: Option<&Path>, keys: &str, clock: Clock) -> Engine {
    let mut config = Config::new(offers(keys, ONE_A_QUARTER));
    config.journal.segment_bytes = 1 << 20;
    config.clock = clock;
    if let Some(data) = data {
        config = config.data(data);
    }
    Engine::start(config).unwrap()
}

fn manual() -> Clock {
    Clock::manual("2026-11-22T10:00:00Z".parse().unwrap())
}

fn cart(id: impl Into<String>) -> Event {
    Event::new(id, "shop", "cart.left", "c-1").with("worth", 10)
}

async fn decide(engine: &Engine, id: &str) -> Decision {
    engine.decide("offers", cart(id)).await.unwrap().into_result().unwrap()
}

async fn settle(engine: &Engine, decision: &Decision, settlement: Settlement) -> Result<SettledShown, String> {
    let settled = engine.settle(decision.id, settlement).await;
    settled.map(|answer| answer.into_result().unwrap()).map_err(|error| error.to_string())
}

fn is_granted(decision: &Decision) -> bool {
    decision.outcome().text("action") == Some("offer_discount")
}

/// A message without the id that it is about.
fn of(decision: &Decision, result: Result<SettledShown, String>) -> String {
    result
        .map_or_else(|e| e, |settled| format!("{} {}", settled.settlement, settled.durability))
        .replace(&decision.id.to_string(), "…")
}

const QUARTER_HOUR: &str = "settle_within = \"15m\"";

#[tokio::test]
async fn a_decision_is_settled_once_and_repetitions_are_answered_the_same() {
    let clock = manual();
    let engine = engine_at(None, QUARTER_HOUR, clock.clone());
    let granted = decide(&engine, "1").await;
    assert_eq!(granted.settle_by.unwrap().to_string(), "2026-11-22T10:15:00Z");
    let default = decide(&engine, "2").await;
    assert_eq!((default.fallback, default.settle_by), (Some(FallbackReason::CapReached), None));
    let mut said = vec![of(&default, settle(&engine, &default, Settlement::Commit).await)];
    clock.advance("14m59s".parse().unwrap());
    let first = settle(&engine, &granted, Settlement::Commit).await.unwrap();
    assert_eq!(settle(&engine, &granted, Settlement::Commit).await.unwrap(), first);
    said.push(of(&granted, settle(&engine, &granted, Settlement::Release).await));
    clock.advance(TimeDelta::DAY);
    assert_eq!(settle(&engine, &granted, Settlement::Commit).await.unwrap(), first, "also when its time is over");
    assert!(!is_granted(&decide(&engine, "3").await), "what was committed stays taken");
    assert!(!is_granted(&decide(&engine, "4").await));
    said.push(of(&granted, settle(&engine, &granted, Settlement::Release).await));
    let unknown = engine.settle(crate::domain::DecisionId::from_u128(1), Settlement::Commit).await.unwrap_err();
    said.push(unknown.to_string());
    insta::assert_snapshot!(said.join("\n"), @"
    decision … cannot be settled: it is the playbook's default, which nobody carries out
    decision … cannot be settled: it was settled as `commit` before
    decision … cannot be settled: it was settled as `commit` before
    there is no decision 00000000-0000-0000-0000-000000000001 on disk
    ");
}

#[tokio::test]
async fn a_decision_that_is_final_cannot_be_settled() {
    let engine = engine_at(None, "", manual());
    let granted = decide(&engine, "1").await;
    assert_eq!(granted.settle_by, None);
    insta::assert_snapshot!(
        of(&granted, settle(&engine, &granted, Settlement::Release).await),
        @"decision … cannot be settled: decisions of playbook `offers` are final: it has no `settle_within`"
    );
}

/// What a ledger has forgotten, because further decisions took its place, is found in the journal.
#[tokio::test]
async fn a_late_settlement_is_told_when_its_time_was_over() {
    let clock = manual();
    let engine = engine_at(None, QUARTER_HOUR, clock.clone());
    let (first, late) = (
        decide(&engine, "1").await,
        "decision … cannot be settled: it could be settled until \
        2026-11-22T10:15:00Z; what it had reserved was given back then",
    );
    clock.advance("15m".parse().unwrap());
    assert_eq!(of(&first, settle(&engine, &first, Settlement::Commit).await), late);
    let second = decide(&engine, "2").await;
    assert!(is_granted(&second), "the place is free again");
    assert_eq!(of(&first, settle(&engine, &first, Settlement::Commit).await), late, "forgotten, and told the same");
    assert_eq!(of(&second, settle(&engine, &second, Settlement::Release).await), "release disk");
    clock.advance("16m".parse().unwrap());
    assert!(is_granted(&decide(&engine, "3").await));
    assert_eq!(of(&second, settle(&engine, &second, Settlement::Release).await), "release disk", "forgotten likewise");
    assert!(of(&second, settle(&engine, &second, Settlement::Commit).await).contains("settled as `release` before"));
}

#[test]
fn a_settlement_after_a_restart_counts_and_one_before_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let clock = manual();
    let engine = engine_at(Some(folder.path()), QUARTER_HOUR, clock.clone());
    let first = runtime.block_on(decide(&engine, "1"));
    engine.shutdown().unwrap();
    drop(engine);

    clock.advance("14m59s".parse().unwrap());
    let engine = engine_at(Some(folder.path()), QUARTER_HOUR, clock.clone());
    assert_eq!(of(&first, runtime.block_on(settle(&engine, &first, Settlement::Release))), "release disk");
    let second = runtime.block_on(decide(&engine, "2"));
    assert!(is_granted(&second), "what was released is free");
    assert_eq!(of(&second, runtime.block_on(settle(&engine, &second, Settlement::Commit))), "commit disk");
    engine.shutdown().unwrap();
    drop(engine);

    clock.advance(TimeDelta::DAY);
    let engine = engine_at(Some(folder.path()), QUARTER_HOUR, clock);
    assert!(!is_granted(&runtime.block_on(decide(&engine, "3"))), "what was committed is kept");
    assert_eq!(of(&first, runtime.block_on(settle(&engine, &first, Settlement::Release))), "release disk");
}

#[tokio::test]
async fn a_grant_that_is_not_on_disk_by_the_deadline_is_in_doubt_until_one_asks_again() {
    let engine = engine_at(None, QUARTER_HOUR, Clock::system());
    engine.observe(Event::new("v", "shop", "visit.ended", "c-1").with("pages", 1)).await.unwrap().given();
    let options = Options { budget: Budget::AtMost(Duration::from_nanos(1)), ..Options::default() };
    let doubt = engine.decide_with("offers", cart("1"), &options).await.unwrap().given().unwrap();
    assert_eq!((is_granted(&doubt), doubt.fallback), (false, Some(FallbackReason::InDoubt)));
    assert_eq!((doubt.durability, doubt.settle_by), (Durability::Pending, None));
    insta::assert_snapshot!(doubt.reasons[0], @"the disk has not confirmed in time what the decision takes of a cap, so it is not granted; ask again with the same event to hear what was decided; the playbook's default applies");
    let again = decide(&engine, "1").await;
    assert!(is_granted(&again) && again.is_duplicate && again.settle_by.is_some());
    assert_eq!((again.id, again.durability), (doubt.id, Durability::Disk));
    assert!(!is_granted(&decide(&engine, "2").await), "it had taken the place all along");

    engine.observe(Event::new("v", "shop", "visit.ended", "c-2").with("pages", 1)).await.unwrap().given();
    let cart = Event::new("9", "shop", "cart.left", "c-2").with("worth", 1);
    let observed = engine.observe_with(cart, &options).await.unwrap().given().unwrap();
    let told = &observed.decisions[0];
    assert_eq!((is_granted(told), told.fallback), (false, Some(FallbackReason::InDoubt)), "{told:?}");
}

#[tokio::test]
async fn caps_and_settlements_are_counted() {
    let engine = engine_at(None, QUARTER_HOUR, manual());
    let granted = decide(&engine, "1").await;
    decide(&engine, "2").await;
    decide(&engine, "2").await;
    settle(&engine, &granted, Settlement::Commit).await.unwrap();
    settle(&engine, &granted, Settlement::Commit).await.unwrap();
    settle(&engine, &granted, Settlement::Release).await.unwrap_err();
    let page = engine.metrics();
    let told = |line: &&str| line.starts_with("forthwith_caps") || line.starts_with("forthwith_settlements");
    insta::assert_snapshot!(page.lines().filter(told).collect::<Vec<_>>().join("\n"), @r#"
    forthwith_caps_clamped_total{cap="one-discount-a-quarter",playbook="offers"} 0
    forthwith_caps_refused_total{cap="one-discount-a-quarter",playbook="offers"} 1
    forthwith_settlements_total{settlement="commit"} 1
    forthwith_settlements_total{settlement="release"} 0
    "#);
}

/// Ten thousand tasks ask at once for one discount a quarter; exactly one gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_racing_requests_are_granted_one_discount() {
    let engine = Arc::new(engine_at(None, "", Clock::system()));
    let tasks: Vec<_> = (0..10_000)
        .map(|n| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                let options = Options { budget: Budget::Unlimited, ..Options::default() };
                // The mailbox is bounded: who is shed asks again, as a caller would.
                loop {
                    match engine.decide_with("offers", cart(n.to_string()), &options).await.unwrap() {
                        Answer::Given(decision) => break decision,
                        Answer::Shed(_) => tokio::task::yield_now().await,
                    }
                }
            })
        })
        .collect();
    let mut granted = Vec::new();
    for task in tasks {
        let decision = task.await.unwrap();
        assert!(!decision.is_duplicate);
        if is_granted(&decision) {
            granted.push(decision.id);
        }
    }
    assert_eq!(granted.len(), 1, "{granted:?}");
    let view = engine.customer("c-1").await.unwrap().given().unwrap().unwrap();
    assert_eq!(view.decisions[0].count, 10_000);
}
