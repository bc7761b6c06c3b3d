//! How long the first turn of a resting customer takes, beside the turn of one who is in memory.

use std::time::{Duration, Instant};

use forthwith::actor::{Asked, Config};
use forthwith::journal::StateStore;
use forthwith::turn::Readings;
use hdrhistogram::Histogram;

use super::args::Args;
use super::cold::Filled;
use super::draw::{Draw, Spread};
use super::ground::{Ground, customer_id};
use super::load::Seen;
use super::ours::{Book, Ours, roomy};
use super::report;

/// How long customers may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(300);

/// Times first turns from the warm cache and from the store.
pub(crate) fn run(args: &Args) {
    let ground = Ground::lay(forthwith::time::Clock::system().wall());
    let customers = args.customers.unwrap_or(1_000_000);
    report::table("First turns of customers, one caller", &["from", "turns", "p50", "p99", "p99.9"]);
    warm(args, ground, customers.min(100_000));
    stored(args, ground, customers);
    report::end();
}

fn warm(args: &Args, ground: &'static Ground, customers: u64) {
    let folder = args.folder();
    let config = Config { passivate_after: Duration::from_secs(3), warm_bytes: 4 << 30, ..roomy(customers) };
    let ours = Ours::open(ground, folder.path(), config, Book::Memory);
    ours.bring(0..customers);
    row("memory (second turn)", &first_turns(&ours, ground, 0..customers.min(1_000), 1));
    row("memory (third turn)", &first_turns(&ours, ground, 0..customers.min(1_000), 2));
    rest(&ours);
    row("the warm cache", &first_turns(&ours, ground, 0..customers, 3));
    ours.leave();
}

/// Waits until everybody rests.
fn rest(ours: &Ours) {
    let start = Instant::now();
    while ours.hot_customers() > 0 {
        assert!(start.elapsed() < PATIENCE, "{} customers do not come to rest", ours.hot_customers());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn stored(args: &Args, ground: &'static Ground, customers: u64) {
    let filled = Filled::new(args, ground, customers);
    looks(&filled, customers);
    let dropped = if filled.drop_caches() { "the store, the system's cache empty" } else { "the store" };
    let ours = filled.open(Config { warm_bytes: 0, ..roomy(customers) });
    let mut draw = Draw::new(Spread::Uniform, customers, 5);
    let mut sample = |count: u64| -> Vec<u64> { (0..count).map(|_| draw.next()).collect() };
    row(dropped, &first_turns(&ours, ground, sample(customers.min(10_000)), 4));
    row("the store, some of it cached", &first_turns(&ours, ground, sample(customers.min(50_000)), 5));
    ours.leave();
}

/// Looks into the store alone: for customers it has never heard of, and for those it has, once and once more.
fn looks(filled: &Filled, customers: u64) {
    let store = filled.store();
    let mut draw = Draw::new(Spread::Uniform, customers, 5);
    let known: Vec<u64> = (0..customers.min(20_000)).map(|_| draw.next()).collect();
    let strangers: Vec<u64> = known.iter().map(|customer| customer + customers).collect();
    filled.drop_caches();
    for (name, whom) in [
        ("a look into the store for a stranger, the cache empty", &strangers),
        ("a look into the store for a stranger", &strangers),
        ("a look into the store for someone known, the cache empty", &known),
        ("a look into the store for someone known", &known),
    ] {
        let mut latencies = Seen::none().latencies;
        for customer in whom {
            let customer = customer_id(*customer);
            let start = Instant::now();
            let found = store.get(customer.as_str()).expect("the store can be read");
            latencies.saturating_record(start.elapsed().as_nanos() as u64);
            std::hint::black_box(found);
        }
        row(name, &latencies);
    }
}

/// One turn for each of these customers, one after the other.
pub(crate) fn first_turns(
    ours: &Ours,
    ground: &'static Ground,
    customers: impl IntoIterator<Item = u64>,
    series: u64,
) -> Histogram<u64> {
    let mut latencies = Seen::none().latencies;
    for (nth, customer) in customers.into_iter().enumerate() {
        let input = ground.input(customer, 1 << 50 | series, nth as u64);
        let readings = Readings::at(ground.now);
        let start = Instant::now();
        let result = match ours.ask(input, readings) {
            Asked::Done(result) => result,
            Asked::Waiting(waiting) => waiting.reply.blocking_recv().expect("the turn is taken"),
            Asked::Late(_) => unreachable!("the deadline is far away"),
        };
        let took = start.elapsed();
        result.expect("the turn is taken");
        latencies.saturating_record(took.as_nanos() as u64);
    }
    latencies
}

fn row(name: &str, latencies: &Histogram<u64>) {
    let quantiles = report::quantiles(latencies);
    report::cells(&[name.to_owned(), report::thousands(latencies.len()), quantiles]);
}
