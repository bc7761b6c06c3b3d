//! Tier choice: whether to ask a large model whose latency drifts, and what that is worth.
//!
//! ```sh
//! cargo bench --bench tier_choice
//! cargo bench --bench tier_choice -- --hours 10 --seeds 10
//! cargo test --bench tier_choice                       # small: does it run?
//! ```
//!
//! Twenty questions a second with 300 ms left each, in virtual time. An answer in time is worth 1, each request costs 0.1. The
//! provider is drawn beforehand, so that all policies meet the very same one; the oracle knows each latency before it asks. The
//! sources of the estimate are the engine's own, mounted here, since the gateway shows them to nobody.

#![allow(
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    reason = "a bench prints its figures, and uses a part of what it mounts"
)]

mod tier_choice {
    pub(super) mod policies;
    pub(super) mod provider;
}

#[path = "../src/gateway/latency.rs"]
#[allow(unreachable_pub, reason = "the library hands it out")]
mod latency;
#[path = "../src/gateway/probing.rs"]
#[allow(unreachable_pub, reason = "the library hands it out")]
mod probing;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

// What the mounted sources call by the names that they have in the engine.
#[cfg(test)]
use forthwith::domain;
use forthwith::time;
use forthwith::time::{Clock, Instant};
use latency::Chance;
use tier_choice::policies::{Cooldown, Heard, Learned, Never, Oracle, Policy, Timeout};
use tier_choice::provider::{Chances, Latencies};

/// What a question has left.
const LEFT: Duration = Duration::from_millis(300);

/// Time between two questions.
const PACE: Duration = Duration::from_millis(50);

/// What a request costs, where an answer in time is worth 1.
const PRICE: f64 = 0.1;

/// What is to be run.
struct Args {
    hours: u64,
    seeds: u64,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    requests: u64,
    in_time: u64,
}

fn main() {
    let args = Args::read();
    drifting(
        &args,
        "a provider that drifts: 2 to 20 s quick (about 50 ms), 2 to 20 s slow (about 2 s), 2 % stragglers",
        20,
    );
    drifting(&args, "the same, drifting thrice as fast: 2 to 6 s each", 6);
    drifting(&args, "the same, drifting slower: 2 to 120 s each", 120);
    for quick in [0.5, 0.2, 0.05] {
        let title = format!("no drift: each answer quick with a chance of {quick}, whatever came before");
        let draw = |chances: &mut Chances, count| Latencies::mixed(chances, count, quick);
        contest(&args, &title, draw);
    }
}

fn drifting(args: &Args, title: &str, dwell_max: u64) {
    contest(args, title, |chances, count| Latencies::drifting(chances, count, PACE, 2.0..dwell_max as f64));
}

/// All policies on the same provider, once for each seed.
fn contest(args: &Args, title: &str, draw: impl Fn(&mut Chances, u64) -> Latencies) {
    let count = args.questions();
    println!("\n{title}\n{} questions, {} seeds\n", count, args.seeds);
    println!("| policy | value | of the oracle's | requests | in time |");
    println!("|---|---|---|---|---|");
    let providers: Vec<Latencies> = (0..args.seeds).map(|seed| draw(&mut Chances::new(seed), count)).collect();
    let total = |new: &dyn Fn() -> Box<dyn Policy>| {
        providers.iter().map(|latencies| run(&mut *new(), latencies)).fold(Sum::default(), Sum::plus)
    };
    let oracle = total(&|| Box::new(Oracle)).value();
    let show = |name: &str, sum: Sum| {
        let value = sum.value();
        println!("| {name} | {value:.0} | {:.3} | {} | {} |", value / oracle, sum.requests, sum.in_time);
        value
    };
    show("oracle", total(&|| Box::new(Oracle)));
    let mut fixed = vec![show("never asks", total(&|| Box::new(Never)))];
    for millis in [60, 100, 200, 300] {
        let timeout = Duration::from_millis(millis);
        let name = if timeout == LEFT { "always asks".to_owned() } else { format!("always asks, for {millis} ms") };
        fixed.push(show(&name, total(&|| Box::new(Timeout(timeout)))));
    }
    for seconds in [0.25, 0.5, 1.0, 2.0, 5.0] {
        let pause = Duration::from_secs_f64(seconds);
        show(&format!("after 3 late in a row none for {seconds} s"), total(&|| Box::new(Cooldown::new(pause))));
    }
    for milli in [100, 250, 500] {
        let chance_min = Chance::from_milli(milli);
        let name = format!("learned, chance of at least {}", f64::from(milli) / 1_000.0);
        let value = show(&name, total(&|| Box::new(Learned::new(chance_min))));
        let best = fixed.iter().copied().fold(f64::MIN, f64::max);
        if milli == 100 {
            println!(
                "| (ours less the best that is fixed) | {:+.0} | {:+.3} | | |",
                value - best,
                (value - best) / oracle
            );
        }
    }
}

/// One policy on one provider.
fn run(policy: &mut dyn Policy, latencies: &Latencies) -> Sum {
    let start = Clock::manual(forthwith::Timestamp::from_micros(0)).instant().after(Duration::from_secs(1_000));
    let mut heard: BinaryHeap<Reverse<(Instant, Event)>> = BinaryHeap::new();
    let mut sum = Sum::default();
    for (nth, latency) in latencies.0.iter().enumerate() {
        let now = start.after(PACE.mul_f64(nth as f64));
        while let Some(Reverse((at, event))) = heard.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            heard.pop();
            policy.hears(event.heard(), at);
        }
        let Some(patience) = policy.asks(nth as u64, *latency, now) else { continue };
        sum.requests += 1;
        if *latency <= patience {
            sum.in_time += 1;
            heard.push(Reverse((now.after(*latency), Event::Answer { nth, took: *latency })));
        } else {
            heard.push(Reverse((now.after(patience), Event::Overdue { nth, waited: patience })));
            heard.push(Reverse((now.after(*latency), Event::Late { waited: patience, took: *latency })));
        }
    }
    sum
}

/// What comes later, in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Answer { nth: usize, took: Duration },
    Overdue { nth: usize, waited: Duration },
    Late { waited: Duration, took: Duration },
}

impl Event {
    fn heard(self) -> Heard {
        match self {
            Self::Answer { nth, took } => Heard::Answer { nth: nth as u64, took },
            Self::Overdue { nth, waited } => Heard::Overdue { nth: nth as u64, waited },
            Self::Late { waited, took } => Heard::Late { waited, took },
        }
    }
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        Self { requests: self.requests + other.requests, in_time: self.in_time + other.in_time }
    }

    fn value(self) -> f64 {
        self.in_time as f64 - PRICE * self.requests as f64
    }
}

impl Args {
    /// `cargo bench` says `--bench`; without it this is a test.
    fn read() -> Self {
        let words: Vec<String> = std::env::args().collect();
        let is_bench = words.iter().any(|word| word == "--bench");
        let number = |name: &str, default: u64| {
            let at = words.iter().position(|word| word == name);
            at.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(default)
        };
        Self {
            hours: number("--hours", u64::from(is_bench) * 2),
            seeds: number("--seeds", if is_bench { 5 } else { 1 }),
        }
    }

    /// A minute's at least.
    fn questions(&self) -> u64 {
        (self.hours * 3_600).max(60) * (1_000 / PACE.as_millis() as u64)
    }
}
