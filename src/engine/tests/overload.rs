//! More is offered than can be done.

use std::time::Duration;

use super::*;
use crate::actor::Shed;
use crate::domain::{TimeDelta, Timestamp};
use crate::time::Clock;

/// An engine on a clock that only the test moves.
fn engine_on(clock: &Clock) -> Engine {
    let mut config = Config::new(bundle());
    config.journal.segment_bytes = 1 << 20;
    config.clock = clock.clone();
    Engine::start(config).unwrap()
}

fn clock() -> Clock {
    Clock::manual("2026-11-22T10:00:00Z".parse::<Timestamp>().unwrap())
}

/// Calls once a millisecond for a while, each of which has waited so long; says which were shed.
async fn offer(engine: &Engine, clock: &Clock, range: std::ops::Range<usize>, options: &Options) -> Vec<bool> {
    let mut shed = Vec::new();
    for nth in range {
        clock.advance(TimeDelta::from_micros(1_000));
        let event = Event { customer: format!("c-{}", nth % 50), ..ticket(&format!("t-{nth}"), "my card") };
        match engine.decide_with("routing", event, options).await.unwrap() {
            Answer::Given(_) => shed.push(false),
            Answer::Shed(why) => {
                assert_eq!(why, Shed::Overloaded);
                shed.push(true);
            }
        }
    }
    shed
}

fn waited(ms: u64, priority: Option<u8>) -> Options {
    Options { waited: Some(Duration::from_millis(ms)), priority, ..Options::default() }
}

#[tokio::test]
async fn what_waits_too_long_is_shed_before_it_is_typed_and_recovers() {
    let clock = clock();
    let engine = engine_on(&clock);
    // The playbook's budget is 20 ms, so that 10 ms are aimed at.
    assert!(offer(&engine, &clock, 0..100, &waited(2, None)).await.iter().all(|is_shed| !is_shed));
    let shed = offer(&engine, &clock, 100..600, &waited(15, None)).await;
    assert!(shed[400..].iter().filter(|is_shed| **is_shed).count() > 50, "the delay does not fall, so more is shed");
    // What could not be read is not even looked at.
    let unreadable = || Event { data: vec![("nonsense".to_owned(), 1.into())], ..ticket("x", "") };
    let late = engine.decide_with("routing", unreadable(), &waited(19, None)).await.unwrap();
    assert!(matches!(late, Answer::Shed(Shed::Overloaded)), "its budget is nearly used up");
    let after = offer(&engine, &clock, 600..2_600, &waited(0, None)).await;
    assert!(after[1_000..].iter().all(|is_shed| !is_shed), "a second later everything is admitted");
    assert!(engine.decide("routing", unreadable()).await.is_err(), "whoever is admitted is told what is wrong");
    let page = engine.metrics();
    assert!(page.contains(r#"forthwith_admission_shed_total{priority="normal",reason="deadline"} 1"#), "{page}");
    assert!(page.contains("forthwith_admission_share_ratio 1\n") && page.contains("forthwith_admission_under_way 0\n"));
}

#[tokio::test]
async fn the_caller_can_lower_its_own_priority_and_bulk_is_lower() {
    let clock = clock();
    let engine = engine_on(&clock);
    let mut shed = [0, 0, 0];
    for round in 0..300 {
        let from = round * 4;
        for (at, priority) in [(0, None), (1, Some(1)), (2, Some(9))] {
            // Just above what is aimed at: some of it is too much.
            let options = waited(11, priority);
            shed[at] += usize::from(offer(&engine, &clock, from + at..from + at + 1, &options).await[0]);
        }
        let event = ticket(&format!("bulk-{round}"), "my card");
        let answers = engine.decide_batch("routing", vec![event], &waited(11, None)).await;
        if round > 280 {
            assert!(matches!(answers[0], Ok(Answer::Shed(Shed::Overloaded))), "{answers:?}");
        }
    }
    let [own, lowered, raised] = shed;
    assert!(lowered > 200, "{shed:?}");
    assert!(own.abs_diff(raised) < 60 && own < lowered, "nobody can raise its own: {shed:?}");
}

#[tokio::test]
async fn too_many_at_a_time_are_shed_and_work_in_bulk_without_a_budget_is_not() {
    let mut config = Config::new(bundle());
    config.journal.segment_bytes = 1 << 20;
    config.admission.under_way_max = 10;
    let engine = Engine::start(config).unwrap();
    let events = || (0..20).map(|nth| ticket(&format!("t-{nth}"), "my card")).collect::<Vec<_>>();
    let answers = engine.decide_batch("routing", events(), &Options::default()).await;
    let is_shed = |answer: &Result<Answer<Decision>, Error>| matches!(answer, Ok(Answer::Shed(Shed::Overloaded)));
    assert_eq!(answers.iter().filter(|answer| is_shed(answer)).count(), 10);
    assert!(answers[..10].iter().all(|answer| !is_shed(answer)), "in their order");
    let patient = Options { budget: Budget::Unlimited, ..Options::default() };
    let answers = engine.decide_batch("routing", events(), &patient).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Answer::Given(_)))));
    let page = engine.metrics();
    assert!(page.contains(r#"forthwith_admission_shed_total{priority="low",reason="under_way"} 10"#), "{page}");
    assert!(page.contains(r#"forthwith_shed_total{reason="overloaded"} 10"#));
}

#[cfg(feature = "http")]
#[test]
fn what_waits_behind_a_worker_counts_once() {
    use crate::engine::admission::ShedFor;

    let clock = clock();
    let engine = engine_on(&clock);
    let (admission, lane) = (&engine.0.admission, engine.lane());
    let admitted = || engine.admit_decision(&lane, "routing", &Options::default(), false).map(drop);
    // The playbook's budget is 20 ms, of which 17.5 may be waited.
    admission.look(&lane, engine.now(), Duration::from_millis(9));
    assert_eq!((lane.delay(), lane.told()), (Duration::from_millis(9), Duration::ZERO));
    assert_ne!(admitted(), Err(ShedFor::Deadline), "nothing has been waited yet, and 9 ms are to come");
    // Now what came here has waited for 10 ms, of which nothing was behind.
    clock.advance(TimeDelta::from_micros(20_000));
    engine.hear(&lane, Duration::from_millis(10));
    assert_eq!((lane.delay(), lane.told()), (Duration::from_millis(10), Duration::from_millis(10)));
    assert_ne!(admitted(), Err(ShedFor::Deadline));
    admission.look(admission.own(), engine.now(), Duration::from_millis(9));
    assert_eq!(admitted(), Err(ShedFor::Deadline), "10 ms have been waited, and 9 ms are to come");
}
