//! Whole decisions in which the text model is asked for every ticket, beside the same without a model.
//!
//! The engine journals as always (`ack = "memory"`): each decision is typed, decided in its customer's turn, recorded and hashed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forthwith::engine::Config;
use forthwith::{Budget, Engine, Event, Options, Tier};

use crate::tickets::{bundle_with, tickets};

/// Callers at once: one for each core of a small machine.
const CALLERS: usize = 2;

/// Customers whose tickets come in turn.
const CUSTOMERS: usize = 10_000;

/// What is asked for each ticket.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    /// Nothing: the default decides.
    Nothing,
    /// The model, whose word is always taken.
    Model,
    /// The shipped rules.
    Rules,
    /// The shipped rules, and the model where they permit it.
    RulesAndModel,
}

impl Asked {
    const ALL: [(Self, &str); 4] = [
        (Self::Nothing, "the default alone"),
        (Self::Model, "the model, every time"),
        (Self::Rules, "the shipped 52 rules"),
        (Self::RulesAndModel, "the rules, and the model where they permit it"),
    ];

    /// The shipped playbook, changed so that no one else is asked; it does not wait for the disk.
    pub(crate) fn playbook(self, shipped: &str) -> String {
        let (before, rest) = shipped.split_once("\n[[rules]]").unwrap();
        let (_, models) = rest.split_once("\n[[models]]").unwrap();
        let shipped = shipped.replace("ack         = \"disk\"", "ack         = \"memory\"");
        let before = before.replace("ack         = \"disk\"", "ack         = \"memory\"");
        let accept = "accept = { target_precision = 0.9, confidence = 0.95 }";
        assert!(shipped.contains("\"memory\"") && models.contains(accept));
        match self {
            Self::Nothing => before.replace("permit = { queue = \"any\" }", ""),
            Self::Model => format!("{before}\n[[models]]{}", models.replace(accept, "accept = { above = 0.0 }")),
            Self::Rules => {
                let is_permit = |line: &str| line.starts_with("permit  ") || line.starts_with("permit =");
                let without: Vec<&str> =
                    shipped.lines().filter(|line| !is_permit(line) || line.contains("sla_minutes")).collect();
                let without = without.join("\n");
                let without = without.split_once("\n[[models]]").unwrap().0.to_owned();
                without.replace("permit = { queue = \"any\" }", "")
            }
            Self::RulesAndModel => shipped,
        }
    }
}

pub(crate) fn run(is_test: bool) {
    let (warm_up, takes, rounds) = if is_test {
        (Duration::from_millis(10), Duration::from_millis(20), 1)
    } else {
        (Duration::from_secs(2), Duration::from_secs(5), 3)
    };
    println!("whole decisions, {CALLERS} callers, {CUSTOMERS} customers, the 610 sample tickets, ack = memory");
    println!("| asked | decisions/s, median of {rounds} | of the default alone | by the model |");
    println!("|---|---|---|---|");
    let mut floor = 0.0;
    for (asked, name) in Asked::ALL {
        let mut rates: Vec<(f64, f64)> = (0..rounds).map(|_| rate(asked, warm_up, takes)).collect();
        rates.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (rate, by_model) = rates[rounds / 2];
        if floor == 0.0 {
            floor = rate;
        }
        println!("| {name} | {rate:.0} | {:.0} % | {:.0} % |", 100.0 * rate / floor, 100.0 * by_model);
    }
}

/// Decisions a second, and the share of them that the model made.
fn rate(asked: Asked, warm_up: Duration, takes: Duration) -> (f64, f64) {
    let config = Config::new(bundle_with(|shipped| asked.playbook(shipped)));
    let engine = Engine::start(config).unwrap();
    let tickets = Arc::new(tickets());
    let (decided, by_model) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let start = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (engine, tickets) = (engine.clone(), Arc::clone(&tickets));
            let (decided, by_model) = (Arc::clone(&decided), Arc::clone(&by_model));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let options = Options { budget: Budget::Unlimited, ..Options::default() };
                runtime.block_on(async {
                    for n in (caller..).step_by(CALLERS) {
                        let event = event(&tickets[n % tickets.len()], n);
                        let answer = engine.decide_with("ticket_routing", event, &options).await.unwrap();
                        let decision = answer.into_result().unwrap();
                        let elapsed = start.elapsed();
                        if elapsed > warm_up + takes {
                            break;
                        }
                        if elapsed > warm_up {
                            decided.fetch_add(1, Ordering::Relaxed);
                            by_model.fetch_add(u64::from(decision.tier == Tier::SmallModel), Ordering::Relaxed);
                        }
                    }
                });
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    engine.shutdown().unwrap();
    let decided = decided.load(Ordering::Relaxed) as f64;
    (decided / takes.as_secs_f64(), by_model.load(Ordering::Relaxed) as f64 / decided.max(1.0))
}

/// A sample ticket under an id of its own, now, of one of the customers.
fn event(sample: &Event, n: usize) -> Event {
    let mut event = sample.clone();
    event.id = format!("bench-{n}");
    event.customer = format!("customer-{}", n % CUSTOMERS);
    event.time = None;
    event
}
