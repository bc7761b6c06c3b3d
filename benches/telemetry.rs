//! What counting costs: one decision's series, beside the floor of a single atomic addition and beside the whole decision.
//!
//! ```sh
//! cargo bench --bench telemetry
//! cargo test --bench telemetry          # small: does it run?
//! ```
//!
//! Two threads count into the same series, as two callers of one playbook do: what they pay for the cache line that both write.

#![allow(clippy::unwrap_used, reason = "a bench stops where it cannot go on")]

#[allow(dead_code, reason = "other benches use the rest")]
mod tickets;

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use forthwith::engine::MetricsFormat;
use forthwith::telemetry::{Counter, Exemplar, Histogram, LATENCY_SECONDS, Registry};
use forthwith::time::Clock;
use forthwith::{Budget, Engine, Event, Options};

/// The series that a decision counts into.
struct Series {
    turns: Counter,
    decided: Counter,
    seconds: Histogram,
    /// Of its stages.
    stages: [Histogram; 2],
    /// Of a small model: its word, its class, its confidence.
    word: Counter,
    class: Counter,
    confidence: Histogram,
}

/// What is counted of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// One that rules made, acknowledged from memory.
    Rules,
    /// One that a small model made.
    Model,
    /// The same, acknowledged by the disk, whose stages are measured.
    Stages,
    /// The same, of a trace that its caller keeps.
    Traced,
}

impl Series {
    fn new(registry: &Registry) -> Self {
        let histogram = |name| registry.histogram(name, "Time.", &LATENCY_SECONDS);
        Self {
            turns: registry.counter("turns_total", "Turns."),
            decided: registry.counter("decisions_total", "Decisions."),
            seconds: histogram("decision_seconds"),
            stages: [histogram("turn_seconds"), histogram("disk_seconds")],
            word: registry.counter("answers_total", "Answers."),
            class: registry.counter("classes_total", "Classes."),
            confidence: histogram("confidence"),
        }
    }

    fn count(&self, of: Of, took: Duration) {
        self.turns.inc();
        self.decided.inc();
        if of != Of::Rules {
            self.word.inc();
            self.class.inc();
            self.confidence.observe(0.93);
        }
        if matches!(of, Of::Stages | Of::Traced) {
            self.stages.iter().for_each(|stage| stage.observe_duration(took));
        }
        let exemplar = (of == Of::Traced).then_some(Exemplar { trace: [7; 16], at_us: 1_700_000_000_000_000 });
        self.seconds.observe_traced(took, exemplar);
    }
}

fn started() -> (Clock, forthwith::time::Instant) {
    let clock = Clock::system();
    (clock.clone(), clock.instant())
}

/// The time that two threads take to do something so often each.
fn of_two(times: u64, work: impl Fn() + Sync) -> Duration {
    let barrier = Barrier::new(3);
    std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| {
            scope.spawn(|| {
                barrier.wait();
                (0..times).for_each(|_| work());
            })
        });
        barrier.wait();
        let (clock, start) = started();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        clock.instant().since(start)
    })
}

fn counting(c: &mut Criterion) {
    let registry = Registry::default();
    let series = Series::new(&registry);
    let took = Duration::from_micros(6);
    let floor = AtomicU64::new(0);
    let mut group = c.benchmark_group("telemetry/one decision");
    group
        .bench_function("floor: one atomic addition", |b| b.iter(|| black_box(&floor).fetch_add(1, Ordering::Relaxed)));
    for of in [Of::Rules, Of::Model, Of::Stages, Of::Traced] {
        group.bench_function(format!("counted: {of:?}"), |b| b.iter(|| black_box(&series).count(of, black_box(took))));
    }
    group.finish();
    let mut group = c.benchmark_group("telemetry/two threads");
    group.bench_function("floor: one atomic addition", |b| {
        b.iter_custom(|times| of_two(times, || _ = black_box(&floor).fetch_add(1, Ordering::Relaxed)));
    });
    for of in [Of::Rules, Of::Stages] {
        group.bench_function(format!("counted: {of:?}"), |b| {
            b.iter_custom(|times| of_two(times, || black_box(&series).count(of, black_box(took))));
        });
    }
}

/// Decisions of the shipped playbook, and the page that tells of them.
fn deciding(c: &mut Criterion) {
    let bundle = tickets::bundle_with(|text| text.replace("= \"disk\"", "= \"memory\""));
    assert_eq!(bundle.playbooks()[0].ack.as_str(), "memory");
    let engine = Engine::start(forthwith::engine::Config::new(bundle)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let tickets = tickets::tickets();
    let options = Options { budget: Budget::Unlimited, ..Options::default() };
    let mut nth = 0_usize;
    let mut next = || {
        nth += 1;
        let ticket = &tickets[nth % tickets.len()];
        Event { id: nth.to_string(), customer: format!("c-{}", nth % 10_000), ..ticket.clone() }
    };
    let mut group = c.benchmark_group("telemetry/one decision");
    group.bench_function("whole, ack = \"memory\"", |b| {
        b.iter_custom(|times| {
            let events: Vec<Event> = (0..times).map(|_| next()).collect();
            let (clock, start) = started();
            runtime.block_on(async {
                for event in events {
                    black_box(engine.decide_with("ticket_routing", event, &options).await.unwrap().given().unwrap());
                }
            });
            clock.instant().since(start)
        });
    });
    group.finish();
    let mut group = c.benchmark_group("telemetry/page");
    for (name, format) in [("text", MetricsFormat::Text), ("OpenMetrics", MetricsFormat::OpenMetrics)] {
        group.bench_function(name, |b| b.iter(|| black_box(engine.metrics_in(format))));
    }
    group.finish();
    engine.shutdown().unwrap();
}

criterion_group!(benches, counting, deciding);
criterion_main!(benches);
