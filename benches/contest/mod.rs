//! Engines beside each other: first their answers are checked, then every single decision is timed.
//!
//! Rounds of all engines take turns, so that a slow minute of the machine falls on all. Each begins its round with
//! decisions that are not timed, so that none pays for the caches of the one before. A decision is timed alone, between
//! two readings of the clock, whose own cost is a row of the table and is not taken off the others.
//!
//! | file | noun |
//! |---|---|
//! | `args` | what is to be run |
//! | `report` | the table |

#![allow(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench has a clock and stops where it cannot go on"
)]

mod args;
mod report;

use std::hint::black_box;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::allocations::Load;
use crate::workload::Workload;

pub(crate) use args::Args;
pub(crate) use report::{head, opening};

/// Decides on the n-th event: the rank of the first rule that matches.
pub(crate) type Decide<'a> = Box<dyn FnMut(usize) -> Option<usize> + 'a>;

/// One workload and those who decide on it.
pub(crate) struct Contest<'a> {
    workload: &'a Workload,
    entries: Vec<Entry<'a>>,
}

/// How much is timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// What an engine may take for a round; then it is the next one's turn, however many events are left.
    pub(crate) budget: Duration,
}

struct Entry<'a> {
    name: &'static str,
    load: Option<Load>,
    decide: Decide<'a>,
    latencies: Histogram<u64>,
    /// The event that comes next: slow engines go on where their last round ended.
    next: usize,
}

/// Decisions that are checked and timed however long they take.
const DECISIONS_MIN: usize = 200;

/// Decisions that begin a round untimed.
const WARM_UP: usize = 1_000;

/// How long an engine's answers are checked at most.
const CHECK: Duration = Duration::from_secs(5);

/// The longest latency that is told apart from longer ones.
const LATENCY_MAX: u64 = 60_000_000_000;

impl<'a> Contest<'a> {
    /// A contest with nobody but the clock itself.
    pub(crate) fn new(workload: &'a Workload) -> Self {
        let mut contest = Self { workload, entries: Vec::new() };
        contest.enter("the clock alone", None, Box::new(|nth| workload.expected[nth]));
        contest
    }

    /// Lets an engine take part. It stops the program if an answer is wrong.
    pub(crate) fn enter(&mut self, name: &'static str, load: Option<Load>, mut decide: Decide<'a>) {
        let start = Instant::now();
        for (nth, expected) in self.workload.expected.iter().enumerate() {
            let found = decide(nth);
            assert!(found == *expected, "{name}: event {nth} is {found:?}, should be {expected:?}");
            if nth >= DECISIONS_MIN && start.elapsed() > CHECK {
                break;
            }
        }
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("the bounds are sound");
        self.entries.push(Entry { name, load, decide, latencies, next: 0 });
    }

    /// Times everyone and prints a row for each.
    pub(crate) fn run(mut self, plan: Plan) {
        for _ in 0..plan.rounds {
            for entry in &mut self.entries {
                entry.round(self.workload.events.len(), plan.budget);
            }
        }
        report::rows(self.workload, &self.entries);
    }
}

impl Entry<'_> {
    fn round(&mut self, events: usize, budget: Duration) {
        let start = Instant::now();
        for nth in 0..WARM_UP.min(events) {
            black_box((self.decide)(nth));
            if start.elapsed() > budget / 10 {
                break;
            }
        }
        let start = Instant::now();
        for timed in 0..events {
            let nth = self.next;
            self.next = (self.next + 1) % events;
            let before = Instant::now();
            black_box((self.decide)(black_box(nth)));
            let after = Instant::now();
            let nanos = (after - before).as_nanos() as u64;
            self.latencies.saturating_record(nanos.max(1));
            if timed >= DECISIONS_MIN && after - start > budget {
                break;
            }
        }
    }
}
