//! What is told of decisions that took more than a share of their budget.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event as Line, Metadata, Subscriber};

use super::{decide, ticket};
use crate::bundle::tests::bundle;
use crate::domain::{TimeDelta, TraceContext};
use crate::engine::{Config, Decision, Engine, Options};
use crate::time::Clock;

/// Hears the lines about slow decisions.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "forthwith::slow"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, line: &Line<'_>) {
        let mut words = Words::default();
        line.record(&mut words);
        self.0.lock().unwrap().push(words.0.trim_end().to_owned());
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Ear {
    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// An engine on a clock that a test moves, with a customer whom it knows; its playbook has a budget of 20 ms.
async fn engine(slow_share_ppm: u32) -> (Engine, Clock) {
    let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
    let mut config = Config { slow_share_ppm, clock: clock.clone(), ..Config::new(bundle()) };
    config.journal.segment_bytes = 1 << 20;
    let engine = Engine::start(config).unwrap();
    decide(&engine, ticket("first", "my card is broken")).await;
    (engine, clock)
}

/// Decides while the customer is busy for so long.
async fn decide_after(engine: &Engine, clock: &Clock, id: &str, busy_ms: i64, options: &Options) -> Decision {
    let release = engine.keep_busy("c-1");
    let mut deciding = pin!(engine.decide_with("routing", ticket(id, "my card is broken"), options));
    poll_fn(|context| {
        assert!(deciding.as_mut().poll(context).is_pending(), "the customer is busy");
        Poll::Ready(())
    })
    .await;
    clock.advance(TimeDelta::from_micros(busy_ms * 1_000));
    release();
    deciding.await.unwrap().into_result().unwrap()
}

/// A number of the metrics page.
fn number(engine: &Engine, series: &str) -> f64 {
    let page = engine.metrics();
    let line = page.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.map_or(f64::NAN, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

const SLOW: &str = "forthwith_slow_decisions_total{playbook=\"routing\"}";

#[tokio::test]
async fn a_line_says_where_the_time_went_and_nothing_of_the_customer() {
    let (ear, (engine, clock)) = (Ear::default(), engine(800_000).await);
    let _hearing = tracing::subscriber::set_default(ear.clone());
    let trace = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    let options = Options { trace, ..Options::default() };
    let decision = decide_after(&engine, &clock, "t-1", 17, &options).await;
    assert_eq!(decision.elapsed.as_micros(), 17_000);
    let line = format!(
        "message=a decision took more than its share of the budget decision={} playbook=\"routing\" \
         trace=\"4bf92f3577b34da6a3ce929d0e0e4736\" tier=\"rules\" durability=\"disk\" elapsed_us=17000 budget_us=20000 \
         admission_us=0 queue_us=17000 turn_us=0 models_us=0 disk_us=0 suppressed=0",
        decision.id
    );
    assert_eq!(ear.heard(), [line], "no customer, no word of the event");
    assert_eq!(number(&engine, SLOW), 1.0);
    let stage = |stage, of| number(&engine, &format!("forthwith_decision_stage_seconds_{of}{{stage=\"{stage}\"}}"));
    assert_eq!((stage("queue", "count"), stage("queue", "sum")), (1.0, 0.017), "the first had not to wait");
    assert_eq!((stage("admission", "count"), stage("turn", "count"), stage("models", "count")), (0.0, 2.0, 0.0));
}

#[tokio::test]
async fn a_decision_within_its_share_has_no_line_and_without_a_share_none_has() {
    let ear = Ear::default();
    for (share, busy) in [(800_000, 16), (0, 19)] {
        let (engine, clock) = engine(share).await;
        let _hearing = tracing::subscriber::set_default(ear.clone());
        let decision = decide_after(&engine, &clock, "t-1", busy, &Options::default()).await;
        assert_eq!((decision.elapsed.as_millis(), decision.fallback), (busy as u128, None));
        assert_eq!(ear.heard(), [""; 0]);
        assert_eq!(number(&engine, SLOW), 0.0);
    }
}

#[tokio::test]
async fn many_slow_decisions_have_few_lines_and_all_are_counted() {
    let (ear, (engine, clock)) = (Ear::default(), engine(800_000).await);
    let _hearing = tracing::subscriber::set_default(ear.clone());
    // All within a second.
    for nth in 0..25 {
        decide_after(&engine, &clock, &format!("t-{nth}"), 17, &Options::default()).await;
    }
    assert_eq!(ear.heard().len(), 10);
    clock.advance(TimeDelta::from_micros(1_000_000));
    decide_after(&engine, &clock, "later", 17, &Options::default()).await;
    let [line] = &ear.heard()[..] else { panic!("one line") };
    assert!(line.ends_with("suppressed=15"), "{line}");
    assert_eq!(number(&engine, SLOW), 26.0);
}

#[tokio::test]
async fn what_is_answered_late_is_slow() {
    let (ear, (engine, clock)) = (Ear::default(), engine(800_000).await);
    let _hearing = tracing::subscriber::set_default(ear.clone());
    let release = engine.keep_busy("c-1");
    let mut deciding = pin!(engine.decide("routing", ticket("t-1", "my card is broken")));
    poll_fn(|context| {
        assert!(deciding.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    clock.advance(TimeDelta::from_micros(20_000));
    let decision = deciding.await.unwrap().into_result().unwrap();
    release();
    let [line] = &ear.heard()[..] else { panic!("one line") };
    assert!(line.contains(&format!("decision={} ", decision.id)) && line.contains("fallback=\"late\""), "{line}");
    assert!(line.contains("elapsed_us=20000 budget_us=20000 admission_us=0 queue_us=20000 turn_us=0 "), "{line}");
}
