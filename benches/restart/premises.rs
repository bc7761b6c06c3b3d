//! The data directory and what is done in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use forthwith::actor::{self, Asked, Config, Customers, Progress, Request, Start, TurnDone};
use forthwith::bundle::Bundle;
use forthwith::context::TypedEvent;
use forthwith::domain::{CustomerId, EventKey, TenantId};
use forthwith::journal::{self, DataDirectory, FjallStore, Journal};
use forthwith::telemetry::Registry;
use forthwith::time::{Clock, Deadline};
use forthwith::turn::{EventInput, Input, Readings, Run};

use super::Args;
use crate::tickets;

/// Threads that take turns while the directory is filled.
const CALLERS: u64 = 2;

/// A data directory that is made and opened again.
pub(crate) struct Premises {
    folder: PathBuf,
    bundle: Arc<Bundle>,
    samples: Vec<TypedEvent>,
    customers: u64,
    records: u64,
    config: Config,
}

/// The customers of an engine that runs.
pub(crate) struct Opened {
    pub(crate) customers: Customers,
    journal: Journal,
    deadline: Deadline,
    _directory: DataDirectory,
}

impl Premises {
    pub(crate) fn new(folder: &Path, args: &Args) -> Self {
        let bundle = Arc::new(tickets::bundle());
        let samples = tickets::typed(&bundle);
        let mut config = Config {
            // Everyone stays in memory, and nothing is stored by itself.
            hot_customers_max: 2 * args.customers as usize,
            hot_bytes: 1 << 40,
            checkpoint_every: Duration::from_secs(86_400),
            checkpoint_records: u64::MAX,
            recovery_ahead: args.records.min(20_000) / 10,
            ..Config::default()
        };
        config.recovery_bytes = args.bytes.unwrap_or(config.recovery_bytes);
        let (customers, records) = (args.customers, args.records);
        Self { folder: folder.to_owned(), bundle, samples, customers, records, config }
    }

    pub(crate) fn threads(&self) -> usize {
        self.config.recovery_threads
    }

    /// The files of the journal.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.join("journal")).expect("the journal's folder");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "seg" || extension == "sealed"));
        files.sort_unstable();
        files
    }

    /// Takes the turns: each customer once before the only checkpoint, the rest after it; then everything ends as in a crash.
    pub(crate) fn fill(&self) {
        let opened = self.open();
        let first = self.customers.min(self.records);
        self.take(&opened, 0..first);
        opened.customers.checkpoint().expect("the states are stored");
        self.take(&opened, first..self.records);
        opened.leave();
    }

    fn take(&self, opened: &Opened, turns: std::ops::Range<u64>) {
        std::thread::scope(|scope| {
            for caller in 0..CALLERS {
                let turns = turns.clone();
                scope.spawn(move || {
                    for nth in turns.filter(|nth| nth % CALLERS == caller) {
                        while opened.journal.is_full() {
                            std::thread::sleep(Duration::from_micros(100));
                        }
                        self.turn(opened, self.strewn(nth), nth);
                    }
                });
            }
        });
    }

    /// A customer's turn on the nth ticket.
    pub(crate) fn turn(&self, opened: &Opened, customer: u64, nth: u64) -> TurnDone {
        let sample = &self.samples[nth as usize % self.samples.len()];
        let event = TypedEvent {
            key: EventKey::new("bench", &format!("t-{nth}")).expect("an id"),
            customer: CustomerId::new(&format!("customer-{customer:08}")).expect("an id"),
            time: None,
            ..sample.clone()
        };
        let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
        let bundle = opened.customers.in_force();
        let readings = Readings::at(Clock::system().wall());
        let asked = opened.customers.ask(Request {
            input,
            readings,
            bundle,
            deadline: opened.deadline,
            span: tracing::Span::none(),
        });
        let done = match asked {
            Asked::Done(done) => done,
            Asked::Waiting(waiting) => waiting.reply.blocking_recv().expect("the turn is taken"),
            Asked::Late(_) => unreachable!("the deadline is far away"),
        };
        done.expect("the turn is taken")
    }

    /// The numbers of customers in an order that is not that of their names, each as often as every other.
    fn strewn(&self, nth: u64) -> u64 {
        (u128::from(nth) * 0x1_0000_0000_003D_u128 % u128::from(self.customers)) as u64
    }

    pub(crate) fn open(&self) -> Opened {
        let (clock, registry) = (Clock::system(), Registry::default());
        let directory = DataDirectory::open(&self.folder).expect("the data directory opens");
        let metrics = journal::Metrics::new(&registry);
        let config = journal::Config::default();
        let (journal, _) =
            Journal::open(&directory.journal(), &config, clock.clone(), metrics).expect("the journal opens");
        let store = Arc::new(FjallStore::open(&directory.store()).expect("the store opens"));
        let customers = Customers::start(Start {
            config: self.config.clone(),
            tenant: TenantId::default(),
            clock: clock.clone(),
            journal: journal.clone(),
            store,
            bundle: Arc::clone(&self.bundle),
            metrics: actor::Metrics::new(&registry),
            progress: Progress(&mut |_, _| {}),
        });
        let deadline = Deadline::new(clock.instant(), Duration::from_secs(86_400));
        Opened { customers: customers.expect("the customers start"), journal, deadline, _directory: directory }
    }
}

impl Opened {
    /// Stops in good order.
    pub(crate) fn stop(self) {
        self.customers.checkpoint().expect("the states are stored");
        self.leave();
    }

    /// Stops without storing anything: what was recorded is in the journal.
    pub(crate) fn leave(self) {
        self.customers.stop();
        self.journal.close().expect("the journal closes");
    }
}
