//! The self-check: what it finds, and that nobody else sees it.

use std::io::ErrorKind;
use std::sync::{Arc, mpsc};

use super::*;
use crate::bundle::cap_tests::offers;
use crate::domain::{CustomerId, Settlement};
use crate::engine::vital::{Anatomy, Sign};
use crate::journal::{FaultyDisk, Operation};
use crate::time::Clock;

const GLOBAL: &str = r#"
[[caps]]
id     = "one-discount-a-quarter"
action = "offer_discount"
max    = 1
over   = "90d"

[[caps]]
id     = "campaign"
action = "offer_discount"
amount = "discount"
max    = 50
scope  = "global"
"#;

fn clock() -> Clock {
    Clock::manual("2026-11-22T10:00:00Z".parse().unwrap())
}

fn offering(clock: Clock) -> Engine {
    let mut config = Config::new(offers("settle_within = \"15m\"", GLOBAL));
    config.journal.segment_bytes = 1 << 20;
    config.clock = clock;
    Engine::start(config).unwrap()
}

fn cart(id: &str, customer: &str) -> Event {
    Event::new(id, "shop", "cart.left", customer).with("worth", 10)
}

/// The metrics page without what the machine did, such as turns taken and records written.
fn told_of_business(engine: &Engine) -> Vec<String> {
    let of_machine = [
        "forthwith_selfcheck_",
        "forthwith_fallback_exercised_",
        "forthwith_thread_",
        "forthwith_journal_",
        "forthwith_turns_",
        "forthwith_hot_",
        "forthwith_activations_",
        "forthwith_bytes_",
        // A checkpoint is due whenever the clock is moved; the archivist looks once a second of real time.
        "forthwith_checkpoint_",
        "forthwith_states_",
        "forthwith_store_",
        "forthwith_warm_",
        "process_",
    ];
    let page = engine.metrics();
    let lines = page.lines().filter(|line| !line.starts_with('#') && !of_machine.iter().any(|of| line.starts_with(of)));
    lines.map(str::to_owned).collect()
}

fn found(engine: &Engine, search: &Search) -> Vec<String> {
    let page = engine.search(search).unwrap();
    page.decisions.iter().map(|found| format!("{} {}", found.decision_id, found.customer)).collect()
}

async fn blocking<T: Send + 'static>(engine: &Engine, work: impl FnOnce(&Engine) -> T + Send + 'static) -> T {
    let engine = engine.clone();
    tokio::task::spawn_blocking(move || work(&engine)).await.unwrap()
}

async fn selfcheck(engine: &Engine) -> SelfCheckReport {
    blocking(engine, |engine| engine.selfcheck().unwrap()).await
}

#[tokio::test]
async fn every_way_is_gone_and_no_statistics_tell() {
    let clock = clock();
    let engine = offering(clock.clone());
    engine.decide("offers", cart("1", "c-1")).await.unwrap().given().unwrap();
    let (told, all) = (told_of_business(&engine), found(&engine, &Search::default()));
    assert!(told.iter().any(|line| line == "forthwith_cap_taken{cap=\"campaign\"} 10"), "{told:#?}");

    let report = selfcheck(&engine).await;
    let shown: Vec<String> =
        report.checks.iter().map(|check| format!("{} {} {:?}", check.path, check.result, check.fault)).collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    decide passed None
    cap_reached passed None
    too_many_pending passed None
    late passed None
    in_doubt passed None
    ");
    assert!(report.passed && engine.selfcheck_failures().is_empty());
    // The customer's own cap is taken by now: the second decision falls back, and the way is sound all the same.
    clock.advance("4m".parse().unwrap());
    assert!(selfcheck(&engine).await.passed);
    assert_eq!(told_of_business(&engine), told);
    assert_eq!(found(&engine, &Search::default()), all);

    let synthetic = Search { synthetic: Some("true".to_owned()), ..Search::default() };
    let page = engine.search(&synthetic).unwrap();
    assert_eq!(page.decisions.len(), 2);
    for decision in &page.decisions {
        assert!(decision.customer.is_synthetic());
        let explained = engine.explain(decision.decision_id).unwrap().unwrap();
        assert!(explained.note.unwrap().starts_with("synthetic: "));
        let said = engine.settle(decision.decision_id, Settlement::Commit).await.unwrap_err();
        assert!(matches!(said, Error::Synthetic(_)), "{said}");
        let feedback = Feedback { id: Some("f".to_owned()), source: "crm".to_owned(), ..Feedback::default() };
        let said = engine.feedback(decision.decision_id, feedback).await.unwrap_err();
        assert!(matches!(said, Error::Synthetic(_)), "{said}");
    }
    let by_name = Search { customer: Some(page.decisions[0].customer.to_string()), ..Search::default() };
    assert_eq!(found(&engine, &by_name).len(), 2, "who names a synthetic customer asks for it");
    engine.shutdown().unwrap();
}

#[tokio::test]
async fn the_age_of_a_fallback_counts_from_when_it_was_last_exercised() {
    let clock = clock();
    let engine = offering(clock.clone());
    let age = |reason: &str| {
        let name = format!("forthwith_fallback_exercised_age_seconds{{playbook=\"offers\",reason=\"{reason}\"}} ");
        engine.metrics().lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned))
    };
    clock.advance("1h".parse().unwrap());
    assert_eq!(age("cap_reached").as_deref(), Some("3600"), "since the engine started");
    assert_eq!(age("consent_missing"), None, "nothing of the playbook needs consent");
    assert!(selfcheck(&engine).await.passed);
    clock.advance("2h".parse().unwrap());
    assert_eq!((age("cap_reached").as_deref(), age("late").as_deref()), (Some("7200"), Some("7200")));
    for id in ["1", "2"] {
        engine.decide("offers", cart(id, "c-1")).await.unwrap().given().unwrap();
    }
    clock.advance("5s".parse().unwrap());
    assert_eq!((age("cap_reached").as_deref(), age("late").as_deref()), (Some("5"), Some("7205")), "in earnest");
    let page = engine.metrics();
    for series in [
        "forthwith_selfcheck_runs_total{path=\"late\",playbook=\"offers\",result=\"passed\"} 1",
        "forthwith_selfcheck_runs_total{path=\"decide\",playbook=\"offers\",result=\"failed\"} 0",
        "forthwith_selfcheck_last_success_timestamp_seconds{path=\"late\",playbook=\"offers\"} 1795345200",
    ] {
        assert!(page.lines().any(|line| line == series), "{series} is missing of {page}");
    }
}

#[tokio::test]
async fn a_journal_that_has_stopped_is_found() {
    let disk = Arc::new(FaultyDisk::default());
    let mut config = Config::new(bundle());
    config.journal.segment_bytes = 256 << 10;
    config.journal.queue_bytes = 16 << 10;
    let engine = Engine::start_on(&disk, config).unwrap();
    assert!(selfcheck(&engine).await.passed);
    disk.fail(Operation::Sync, 0, ErrorKind::Other);
    let report = selfcheck(&engine).await;
    let failed: Vec<&Checked> = report.checks.iter().filter(|check| check.result == CheckResult::Failed).collect();
    assert!(!report.passed && failed.len() == 1, "{report:?}");
    let fault = failed[0].fault.as_deref().unwrap();
    assert!(failed[0].path == CheckedPath::Decide && fault.starts_with("the journal has stopped: "), "{fault}");
    let [warning] = &engine.selfcheck_failures()[..] else { panic!("{:?}", engine.selfcheck_failures()) };
    assert!(warning.starts_with("self-check of `routing`, decide: the journal has stopped"), "{warning}");
    assert!(matches!(engine.readiness(), Readiness::NotReady(Unready::JournalStopped(_))), "{:?}", engine.readiness());
    assert_eq!(engine.stuck(), None, "what has stopped is not stuck");
}

#[tokio::test]
async fn nobody_outside_can_be_a_synthetic_customer() {
    let engine = engine();
    let name = CustomerId::synthetic("routing", 0).unwrap().to_string();
    let mut event = ticket("1", "x");
    event.customer.clone_from(&name);
    let refused = [
        engine.decide("routing", event.clone()).await.unwrap_err().to_string(),
        engine.observe(event.clone()).await.unwrap_err().to_string(),
        engine.decide_batch("routing", vec![event.clone()], &patient()).await.remove(0).unwrap_err().to_string(),
        engine.observe_batch(vec![event], &patient()).await.remove(0).unwrap_err().to_string(),
        engine.put_facts(&name, Facts::default()).await.unwrap_err().to_string(),
        engine.put_consents(&name, Consents::default()).await.unwrap_err().to_string(),
    ];
    let reserved = "begins with `forthwith.synthetic/`, which is kept for the customers of the engine's own self-check";
    for refused in refused {
        assert!(refused.ends_with(reserved), "{refused}");
    }
    assert!(
        engine.customer(&name).await.unwrap().given().unwrap().is_none(),
        "who only looks is told that there is nothing"
    );
}

/// The threads of a running engine move; one that is held does not, and is told from the others.
#[tokio::test]
async fn a_keeper_that_is_held_does_not_move() {
    let engine = engine();
    let inner = &engine.0;
    let anatomy = Anatomy {
        journal: inner.journal.clone(),
        actors: inner.customers.pulses(),
        gateway: inner.gateway.clone(),
        timer: inner.timer.clone(),
        clock: inner.clock.clone(),
    };
    let mut vitals = anatomy.vitals();
    let names: Vec<String> = vitals.iter().map(|vital| vital.name.clone()).collect();
    assert_eq!(names, ["journal", "archivist", "timer", "gateway", "keeper-0", "keeper-1"]);
    // Each moves, sooner or later, once and again: no machine is so slow that this does not end.
    for vital in &mut vitals {
        for _ in 0..3 {
            while (vital.look)() != Sign::Moved {
                tokio::task::yield_now().await;
            }
        }
    }
    let (release, held) = mpsc::channel();
    let begun = inner.customers.hold_keeper(0, held);
    begun.recv().unwrap();
    let keeper = &mut vitals[4];
    (keeper.look)();
    for _ in 0..100 {
        assert_eq!((keeper.look)(), Sign::Still);
    }
    let other = &mut vitals[5];
    while (other.look)() != Sign::Moved {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    while (vitals[4].look)() != Sign::Moved {
        tokio::task::yield_now().await;
    }
}

/// The whole way: the watcher sees it, and the engine says so.
#[tokio::test]
async fn an_engine_with_a_thread_that_does_not_move_is_stuck() {
    let mut config = Config::new(bundle());
    config.journal.segment_bytes = 1 << 20;
    config.stuck_after = std::time::Duration::from_millis(1);
    let engine = Engine::start(config).unwrap();
    let (release, held) = mpsc::channel();
    engine.0.customers.hold_keeper(1, held).recv().unwrap();
    // Under so short a bound another may be named meanwhile; the one that is held stays.
    while engine.stuck().is_none_or(|stuck| stuck.thread != "keeper-1") {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(matches!(engine.readiness(), Readiness::NotReady(Unready::Stuck(_))), "{:?}", engine.readiness());
    release.send(()).unwrap();
    engine.shutdown().unwrap();
    assert_eq!(engine.stuck(), None);
    assert_eq!(engine.readiness(), Readiness::NotReady(Unready::Stopping));
}
