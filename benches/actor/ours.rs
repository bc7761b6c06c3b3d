//! Ours, through `actor::Customers`: cells, keepers, sweeps, the guard, marks of what has changed, and metrics.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forthwith::actor::{self, Asked, Config, Customers, Progress, Recovered, Refusal, Request, Start, TurnDone};
use forthwith::journal::{self, DataDirectory, FjallStore, Journal};
use forthwith::telemetry::Registry;
use forthwith::time::{Clock, Deadline};
use forthwith::turn::{Input, Readings, Taken};

use super::ground::{Ground, HISTORY};
use super::load::Taker;

/// Customers who are brought into memory at a time.
const CROWD: u64 = 4_096;

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Book {
    /// To the disk, acknowledged when they are in the journal's buffer.
    Memory,
    /// Nowhere.
    Off,
}

/// One engine's customers over a folder.
#[derive(Clone, Debug)]
pub(crate) struct Ours(Arc<House>);

#[derive(Debug)]
struct House {
    ground: &'static Ground,
    customers: Customers,
    journal: Journal,
    deadline: Deadline,
    opened: Opened,
    registry: Registry,
    _directory: DataDirectory,
}

/// How long a start took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opened {
    pub(crate) journal: Duration,
    pub(crate) store: Duration,
    pub(crate) customers: Duration,
    pub(crate) recovered: Recovered,
}

/// A house without checkpoints in the middle of a measurement, and with room for so many customers.
pub(crate) fn roomy(customers: u64) -> Config {
    Config {
        // Beyond the mark from which on some are put to rest.
        hot_customers_max: 2 * customers as usize,
        hot_bytes: 1 << 40,
        checkpoint_every: Duration::from_secs(3_600),
        checkpoint_records: u64::MAX,
        ..Config::default()
    }
}

impl Ours {
    /// Starts on a folder.
    pub(crate) fn open(ground: &'static Ground, folder: &Path, config: Config, book: Book) -> Self {
        let (clock, registry) = (Clock::system(), Registry::default());
        let mut opened = Opened::default();
        let directory = DataDirectory::open(folder).expect("the data directory opens");
        let metrics = journal::Metrics::new(&registry);
        let start = Instant::now();
        let journal = match book {
            Book::Off => {
                std::fs::create_dir_all(directory.journal()).expect("a folder");
                Journal::discarding(&directory.journal())
            }
            Book::Memory => {
                let opened = Journal::open(&directory.journal(), &journal::Config::default(), clock.clone(), metrics);
                opened.expect("the journal opens").0
            }
        };
        opened.journal = start.elapsed();
        let start = Instant::now();
        let store = Arc::new(FjallStore::open(&directory.store()).expect("the store opens"));
        opened.store = start.elapsed();
        let start = Instant::now();
        let customers = Customers::start(Start {
            config,
            tenant: ground.tenant.clone(),
            clock: clock.clone(),
            journal: journal.clone(),
            store,
            bundle: Arc::clone(&ground.bundle),
            metrics: actor::Metrics::new(&registry),
            progress: Progress(&mut |_, _| {}),
        });
        let customers = customers.expect("the customers start");
        opened.customers = start.elapsed();
        opened.recovered = customers.recovered();
        let deadline = Deadline::new(clock.instant(), Duration::from_secs(86_400));
        Self(Arc::new(House { ground, customers, journal, deadline, opened, registry, _directory: directory }))
    }

    /// How long the start took.
    pub(crate) fn opened(&self) -> Opened {
        self.0.opened
    }

    /// Customers in memory.
    pub(crate) fn hot_customers(&self) -> usize {
        self.0.customers.hot_customers()
    }

    /// Bytes that the customers in memory take.
    pub(crate) fn hot_bytes(&self) -> u64 {
        self.0.customers.hot_bytes()
    }

    /// What a series of the metrics page shows, all its labels together.
    pub(crate) fn counted(&self, series: &str) -> u64 {
        let page = self.0.registry.render();
        let lines = page.lines().filter_map(|line| line.strip_prefix(series)?.rsplit_once(' '));
        lines.filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
    }

    /// Asks for a turn.
    #[inline]
    pub(crate) fn ask(&self, input: Input, readings: Readings) -> Asked {
        let House { customers, deadline, .. } = &*self.0;
        // As a door does: the bundle in force is asked for once for each input.
        customers.ask(Request {
            input,
            readings,
            bundle: customers.in_force(),
            deadline: *deadline,
            span: tracing::Span::none(),
        })
    }

    /// Takes a turn, blocking while it waits.
    pub(crate) fn turn(&self, input: Input, readings: Readings) -> Result<TurnDone, Refusal> {
        match self.ask(input, readings) {
            Asked::Done(result) => result,
            Asked::Waiting(waiting) => waiting.reply.blocking_recv().expect("the turn is taken"),
            Asked::Late(_) => unreachable!("the deadline is far away"),
        }
    }

    /// Brings customers into memory: each has a past.
    pub(crate) fn bring(&self, customers: std::ops::Range<u64>) {
        for first in customers.clone().step_by(CROWD as usize) {
            for nth in 0..HISTORY {
                let crowd = first..customers.end.min(first + CROWD);
                let asked: Vec<Asked> = crowd.map(|customer| self.ask_past(customer, nth)).collect();
                for asked in asked {
                    let result = match asked {
                        Asked::Done(result) => result,
                        Asked::Waiting(waiting) => waiting.reply.blocking_recv().expect("the turn is taken"),
                        Asked::Late(_) => unreachable!("the deadline is far away"),
                    };
                    result.expect("a turn of the past is taken");
                }
            }
        }
    }

    fn ask_past(&self, customer: u64, nth: u64) -> Asked {
        while self.0.journal.is_full() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (input, readings) = self.0.ground.past(customer, nth);
        self.ask(input, readings)
    }

    /// Stops in good order: what has changed is stored.
    pub(crate) fn stop(self) {
        self.0.customers.checkpoint().expect("the states are stored");
        self.leave();
    }

    /// Stops without storing anything: what was recorded is in the journal.
    pub(crate) fn leave(self) {
        self.0.customers.stop();
        self.0.journal.close().expect("the journal closes");
    }
}

impl Taker for Ours {
    async fn take(&self, input: Input, readings: Readings) -> Option<Taken> {
        if self.0.journal.is_full() {
            self.0.journal.room().await;
        }
        let result = match self.ask(input, readings) {
            Asked::Done(result) => result,
            Asked::Waiting(waiting) => waiting.reply.await.expect("the turn is taken"),
            Asked::Late(_) => unreachable!("the deadline is far away"),
        };
        match result {
            Ok(done) => Some(done.taken),
            Err(Refusal::Shed(_)) => None,
            Err(refusal) => unreachable!("a turn failed: {refusal}"),
        }
    }
}
