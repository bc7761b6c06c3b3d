//! Customers who are all on disk: how long a start takes, and the first turns after it.

use std::sync::Arc;
use std::time::Instant;

use forthwith::actor::Config;
use forthwith::journal::{DataDirectory, FjallStore, StateStore, StateWrite};
use forthwith::turn::Readings;
use tempfile::TempDir;

use super::args::Args;
use super::draw::{Draw, Spread};
use super::ground::{Ground, customer_id};
use super::ours::{Book, Ours, roomy};
use super::reactivation::first_turns;
use super::report::{self, thousands, time};

/// States that are written in one go.
const CHUNK: usize = 4_096;

/// A data directory with customers at rest.
pub(crate) struct Filled {
    ground: &'static Ground,
    folder: TempDir,
}

impl Filled {
    /// Writes states to the store as the archivist does, in an order that is not that of the keys.
    pub(crate) fn new(args: &Args, ground: &'static Ground, customers: u64) -> Self {
        let filled = Self { ground, folder: args.folder() };
        // The journal begins with the bundle.
        filled.open(roomy(customers)).stop();
        let directory = DataDirectory::open(filled.folder.path()).expect("the data directory opens");
        let store = FjallStore::open(&directory.store()).expect("the store opens");
        let encoded: Vec<Arc<[u8]>> = (0..1_024).map(|customer| encoded(ground, customer)).collect();
        let mut chunk = Vec::with_capacity(CHUNK);
        for nth in 0..customers {
            let customer = strewn(nth, customers);
            let bytes = Arc::clone(&encoded[customer as usize % encoded.len()]);
            chunk.push(StateWrite { customer: customer_id(customer), bytes, expiry: None, expiry_before: None });
            if chunk.len() == CHUNK || nth + 1 == customers {
                store.put(&chunk).expect("the store takes states");
                chunk.clear();
            }
        }
        let checkpoint = store.last_checkpoint().expect("the store is readable").expect("there was a checkpoint");
        store.checkpoint(&checkpoint).expect("the store syncs");
        filled
    }

    pub(crate) fn open(&self, config: Config) -> Ours {
        Ours::open(self.ground, self.folder.path(), config, Book::Memory)
    }

    /// The store alone.
    pub(crate) fn store(&self) -> FjallStore {
        let directory = DataDirectory::open(self.folder.path()).expect("the data directory opens");
        FjallStore::open(&directory.store()).expect("the store opens")
    }

    /// Empties the system's cache of files, if we may.
    pub(crate) fn drop_caches(&self) -> bool {
        std::fs::File::open(self.folder.path()).and_then(|folder| folder.sync_all()).is_ok()
            && std::fs::write("/proc/sys/vm/drop_caches", "1").is_ok()
    }

    fn bytes(&self) -> u64 {
        fn under(path: &std::path::Path) -> u64 {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            let size = |entry: std::fs::DirEntry| match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => under(&entry.path()),
                Ok(metadata) => metadata.len(),
                Err(_) => 0,
            };
            entries.map(size).sum()
        }
        under(&self.folder.path().join("store"))
    }
}

fn encoded(ground: &Ground, customer: u64) -> Arc<[u8]> {
    let mut state = ground.state(customer);
    state.last_seq = 1;
    state.encode().into()
}

/// The numbers below `length` in another order, each once.
fn strewn(nth: u64, length: u64) -> u64 {
    // A prime above any number of customers, so that it shares no factor with it.
    (u128::from(nth) * 0x1_0000_0000_003D_u128 % u128::from(length)) as u64
}

/// Fills a store, starts on it, and times the first turns.
pub(crate) fn run(args: &Args) {
    let ground = Ground::lay(forthwith::time::Clock::system().wall());
    let customers = args.customers.unwrap_or(10_000_000);
    let start = Instant::now();
    let filled = Filled::new(args, ground, customers);
    let bytes = thousands(filled.bytes() / 1_000_000);
    report::say(&format!("{} customers written in {}, {bytes} MB", thousands(customers), time(start.elapsed())));
    let title = format!("A start with {} customers on disk ({bytes} MB)", thousands(customers));
    report::table(
        &title,
        &[
            "after",
            "journal",
            "store",
            "recovery",
            "first turn",
            "all",
            "records read",
            "in memory",
            "p50",
            "p99",
            "p99.9",
        ],
    );
    started(&filled, customers, "a stop in good order");
    crash(&filled, args.tail, customers);
    started(&filled, customers, &format!("a crash, {} records after the last checkpoint", thousands(args.tail)));
    report::end();
}

/// Takes turns that no checkpoint knows of.
fn crash(filled: &Filled, records: u64, customers: u64) {
    let ours = filled.open(roomy(customers));
    let mut draw = Draw::new(Spread::Uniform, customers, 11);
    first_turns(&ours, filled.ground, (0..records).map(|_| draw.next()), 6);
    ours.leave();
}

fn started(filled: &Filled, customers: u64, after: &str) {
    let dropped = if filled.drop_caches() { " (the system's cache empty)" } else { "" };
    let start = Instant::now();
    let ours = filled.open(roomy(customers));
    let opened = ours.opened();
    let begun = Instant::now();
    let input = filled.ground.input(customers / 2, 1 << 51, start.elapsed().as_nanos() as u64);
    ours.turn(input, Readings::at(filled.ground.now)).expect("the first turn is taken");
    let (first, all) = (begun.elapsed(), start.elapsed());
    let resident = report::resident_bytes();
    let mut draw = Draw::new(Spread::Uniform, customers, 13);
    let sample: Vec<u64> = (0..customers.min(10_000)).map(|_| draw.next()).collect();
    let latencies = first_turns(&ours, filled.ground, sample, 7 + opened.recovered.last_seq);
    report::cells(&[
        format!("{after}{dropped}"),
        time(opened.journal),
        time(opened.store),
        time(opened.customers),
        time(first),
        time(all),
        thousands(opened.recovered.records),
        format!("{} MB", thousands(resident / 1_000_000)),
        report::quantiles(&latencies),
    ]);
    // Nothing is stored: the next start finds the store as this one did.
    ours.leave();
}
