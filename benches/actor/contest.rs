//! Designs one after the other, again and again: each is set up, driven and taken down before the next, so that none works
//! in the background of another, and a slow minute of the machine falls on all.

use std::time::Instant;

use forthwith::actor::Config;
use forthwith::turn::Readings;

use super::actix_actor::ActixActors;
use super::args::Args;
use super::bare_cell::BareCells;
use super::ground::Ground;
use super::kameo_actor::KameoActors;
use super::load::{Plan, Seen, Taker, Threads, drive};
use super::nothing::Nothing;
use super::ours::{Book, Ours, roomy};
use super::{draw, report};
use crate::allocations::loading;

/// A design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Nobody.
    Nothing,
    /// A lock in a map.
    Bare,
    /// An actix actor each.
    Actix,
    /// A kameo actor each.
    Kameo,
    /// Ours, without a journal.
    OursOff,
    /// Ours.
    Ours,
    /// Ours, with checkpoints as often as they are by default.
    OursShipped,
}

impl Subject {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 7] =
        [Self::Nothing, Self::Bare, Self::Actix, Self::Kameo, Self::OursOff, Self::Ours, Self::OursShipped];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Bare => "bare",
            Self::Actix => "actix",
            Self::Kameo => "kameo",
            Self::OursOff => "ours-off",
            Self::Ours => "ours",
            Self::OursShipped => "ours-shipped",
        }
    }

    /// What the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Nothing => "the loop alone (inputs dropped)",
            Self::Bare => "floor: bare cell",
            Self::Actix => "actix actor per customer",
            Self::Kameo => "kameo actor per customer",
            Self::OursOff => "**forthwith**, journal off",
            Self::Ours => "**forthwith**, journal on",
            Self::OursShipped => "**forthwith**, journal and checkpoints on",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|subject| subject.name() == name)
    }

    fn customers(self, args: &Args) -> u64 {
        let customers = args.customers.unwrap_or(1_000_000);
        if self == Self::Kameo { args.kameo_customers.min(customers) } else { customers }
    }
}

/// Everything seen of a design.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) subject: Subject,
    pub(crate) customers: u64,
    /// Bytes that were allocated to set it up, for each customer.
    pub(crate) bytes: f64,
    /// What was seen in each round, by the order of [`settings`].
    pub(crate) rounds: Vec<Vec<Seen>>,
}

/// Spreads and numbers of callers, as the tables have them.
pub(crate) fn settings(args: &Args) -> Vec<(draw::Spread, usize)> {
    args.spreads.iter().flat_map(|spread| args.callers.iter().map(|callers| (*spread, *callers))).collect()
}

/// Drives all designs and prints the tables.
pub(crate) fn run(args: &Args) {
    draw::check();
    let ground = Ground::lay(forthwith::time::Clock::system().wall());
    report::ground(ground.state_bytes(), turn_alone(ground));
    let entry = |subject: &Subject| Entry {
        subject: *subject,
        customers: subject.customers(args),
        bytes: 0.0,
        rounds: Vec::new(),
    };
    let mut entries: Vec<Entry> = args.subjects.iter().map(entry).collect();
    for round in 0..args.rounds {
        for entry in &mut entries {
            report::say(&format!("round {} of {}: {}", round + 1, args.rounds, entry.subject.name()));
            let plans = plans(args, round, entry.customers);
            entry.round(args, ground, &plans);
        }
    }
    report::contest(&settings(args), &entries, ground.state_bytes());
}

fn plans(args: &Args, round: usize, customers: u64) -> Vec<Plan> {
    let settings = settings(args);
    let plan = |(nth, (spread, callers)): (usize, &(draw::Spread, usize))| Plan {
        customers,
        spread: *spread,
        callers: *callers,
        time: args.time,
        series: (round * settings.len() + nth) as u64 + 1,
    };
    settings.iter().enumerate().map(plan).collect()
}

impl Entry {
    fn round(&mut self, args: &Args, ground: &'static Ground, plans: &[Plan]) {
        let customers = self.customers;
        match self.subject {
            Subject::Nothing => self.drive(ground, plans, Threads::arbiters(), |_| Nothing),
            Subject::Bare => self.drive(ground, plans, Threads::arbiters(), |_| BareCells::new(ground, customers)),
            Subject::Actix => {
                self.drive(ground, plans, Threads::arbiters(), |threads| ActixActors::new(ground, customers, threads));
            }
            Subject::Kameo => {
                self.drive(ground, plans, Threads::workers(), |threads| KameoActors::new(ground, customers, threads));
            }
            Subject::OursOff => self.ours(args, ground, plans, roomy(customers), Book::Off),
            Subject::Ours => self.ours(args, ground, plans, roomy(customers), Book::Memory),
            Subject::OursShipped => {
                let config = Config { hot_customers_max: customers as usize, ..Config::default() };
                self.ours(args, ground, plans, config, Book::Memory);
            }
        }
    }

    fn ours(&mut self, args: &Args, ground: &'static Ground, plans: &[Plan], config: Config, book: Book) {
        let folder = args.folder();
        let mut ours = None;
        self.drive(ground, plans, Threads::arbiters(), |_| {
            let started = Ours::open(ground, folder.path(), config, book);
            started.bring(0..self_customers(plans));
            ours = Some(started.clone());
            started
        });
        if let Some(ours) = ours {
            ours.leave();
        }
    }

    fn drive<T: Taker>(
        &mut self,
        ground: &'static Ground,
        plans: &[Plan],
        threads: Threads,
        start: impl FnOnce(&Threads) -> T,
    ) {
        let (taker, load) = loading(|| {
            let taker = start(&threads);
            // Whatever was begun in the background is done.
            std::thread::sleep(std::time::Duration::from_millis(300));
            taker
        });
        self.bytes = load.bytes as f64 / self.customers as f64;
        self.rounds.push(plans.iter().map(|plan| drive(ground, &threads, &taker, *plan)).collect());
        drop(taker);
        threads.stop();
    }
}

fn self_customers(plans: &[Plan]) -> u64 {
    plans.first().map_or(0, |plan| plan.customers)
}

/// Nanoseconds of the turn alone, everything at hand: the best of several rounds over a few customers.
fn turn_alone(ground: &'static Ground) -> f64 {
    const CUSTOMERS: u64 = 64;
    let mut states: Vec<_> = (0..CUSTOMERS).map(|customer| ground.state(customer)).collect();
    let mut best = f64::MAX;
    for series in 0..500 {
        let inputs: Vec<_> =
            (0..CUSTOMERS).map(|customer| ground.input(customer, 1 << 60 | series, customer)).collect();
        let start = Instant::now();
        for (state, input) in states.iter_mut().zip(&inputs) {
            std::hint::black_box(ground.turn(state, input, &Readings::at(ground.now)));
        }
        best = best.min(start.elapsed().as_nanos() as f64 / CUSTOMERS as f64);
    }
    best
}
