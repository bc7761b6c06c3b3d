//! What has expired is gone, wherever the customer's state is when its time is over.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::*;
use crate::bundle::{Bundle, Sources};
use crate::context::PlaybookKey;
use crate::domain::{CustomerId, Event, Raw, TenantId, TimeDelta, Timestamp};
use crate::journal::{self, DataDirectory, FjallStore, Journal, StateStore};
use crate::replay::tests::replays;
use crate::telemetry::Registry;
use crate::time::{Clock, Deadline};
use crate::turn::{EventInput, FactsInput, Input, Readings, Run};

const CONTEXT: &str = "
[events.seen]
by = \"string\"

[facts]
address = { type = \"string\", retain = \"30d\" }
nickname = \"string\"
";

const PLAYBOOK: &str = "
playbook = \"greeting\"
on       = [\"seen\"]

[outcome]
kind = [\"hello\"]

[default]
then = { kind = \"hello\" }
";

const SECRET: &str = "12 Secret Street";
const DAY: TimeDelta = TimeDelta::DAY;

fn days(number: i64) -> TimeDelta {
    TimeDelta::from_micros(DAY.micros() * number)
}

/// One engine's customers over a folder, by a clock of the test's.
struct World {
    customers: Customers,
    journal: Journal,
    clock: Clock,
    store: Arc<FjallStore>,
    directory: DataDirectory,
}

/// However a test ends, what it journaled is replayed.
impl Drop for World {
    fn drop(&mut self) {
        self.customers.stop();
        // A journal that was made to stop keeps what it had come to.
        let _ = self.journal.close();
        replays(&self.directory.journal());
    }
}

impl World {
    fn open(folder: &Path, config: Config, day: i64) -> Self {
        let (mut sources, registry) = (Sources::default(), Registry::default());
        sources.insert("context.toml", CONTEXT);
        sources.insert("playbooks/greeting.toml", PLAYBOOK);
        let clock = Clock::manual(Timestamp::from_micros(1_763_800_000_000_000).saturating_add(days(day)));
        let directory = DataDirectory::open(folder).unwrap();
        let journal_config = journal::Config { segment_bytes: 1 << 20, ..journal::Config::default() };
        let metrics = journal::Metrics::new(&registry);
        let (journal, _) = Journal::open(&directory.journal(), &journal_config, clock.clone(), metrics).unwrap();
        let store = Arc::new(FjallStore::open(&directory.store()).unwrap());
        let start = Start {
            config,
            tenant: TenantId::default(),
            clock: clock.clone(),
            journal: journal.clone(),
            store: Arc::clone(&store) as Arc<dyn StateStore>,
            bundle: Arc::new(Bundle::compile(sources).unwrap()),
            metrics: Metrics::new(&registry),
            progress: Progress(&mut |_, _| {}),
        };
        Self { customers: Customers::start(start).unwrap(), journal, clock, store, directory }
    }

    fn take(&self, make: impl FnOnce(&Bundle) -> Input) {
        let bundle = self.customers.in_force();
        let input = make(&bundle.bundle);
        let deadline = Deadline::new(self.clock.instant(), Duration::from_secs(1 << 30));
        let readings = Readings::at(self.clock.wall());
        self.customers
            .ask(Request { input, readings, bundle, deadline, span: tracing::Span::none() })
            .waited()
            .unwrap();
    }

    /// Tells where a customer lives, and how the customer is called.
    fn tell(&self, customer: &str) {
        let observed_at = self.clock.wall();
        self.take(|bundle| {
            let fact = |(name, value): (&str, &str)| {
                let number = bundle.layout().fact_number(name).unwrap();
                let field = &bundle.layout().facts()[number].field;
                (number, field.accept(Raw::Text(value.to_owned())).unwrap())
            };
            let facts = [("address", SECRET), ("nickname", "Sam")].map(fact).to_vec();
            let customer = CustomerId::new(customer).unwrap();
            Input::Facts(FactsInput { customer, source: "crm".into(), observed_at, facts })
        });
    }

    fn see(&self, customer: &str, id: &str) {
        self.take(|bundle| {
            let event = bundle.layout().accept(Event::new(id, "test", "seen", customer).with("by", "x")).unwrap();
            Input::Event(EventInput { event, run: Run::Playbook(0), trace: None })
        });
    }

    fn decisions(&self, customer: &str) -> u64 {
        let view = self.customers.view(&CustomerId::new(customer).unwrap()).unwrap().blocking_recv().unwrap().unwrap();
        view.ledger.tally(PlaybookKey::of("greeting")).map_or(0, |tally| tally.decisions)
    }

    /// Which of the two facts the stored state holds.
    fn stored(&self, customer: &str) -> (bool, bool) {
        let bytes = self.store.get(customer).unwrap().unwrap();
        (holds(&bytes, SECRET), holds(&bytes, "Sam"))
    }

    /// Which of the two facts the state holds that a turn would find.
    fn found(&self, customer: &str) -> (bool, bool) {
        let view = self.customers.view(&CustomerId::new(customer).unwrap()).unwrap().blocking_recv().unwrap().unwrap();
        let bytes = view.encode();
        (holds(&bytes, SECRET), holds(&bytes, "Sam"))
    }

    fn wait_until_all_rest(&self) {
        while self.customers.hot_customers() > 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops as a crash would: nothing is stored that was not.
    fn crash(self) {
        self.customers.stop();
        self.journal.close().unwrap();
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn awake() -> Config {
    Config { checkpoint_every: Duration::from_secs(3_600), ..Config::default() }
}

fn sleepy(warm_bytes: u64) -> Config {
    Config { passivate_after: Duration::from_secs(1), warm_bytes, ..awake() }
}

const ALL: (bool, bool) = (true, true);
const WITHOUT_SECRET: (bool, bool) = (false, true);

#[test]
fn what_a_customer_in_memory_may_no_longer_hold_is_gone_at_the_next_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), awake(), 0);
    world.tell("c");
    world.clock.advance(days(29));
    world.customers.checkpoint().unwrap();
    assert_eq!(world.stored("c"), ALL, "a day is left");
    world.clock.advance(DAY);
    world.customers.checkpoint().unwrap();
    assert_eq!((world.stored("c"), world.found("c")), (WITHOUT_SECRET, WITHOUT_SECRET));
    assert_eq!(world.store.expired(Timestamp::from_micros(i64::MAX), 9).unwrap(), [], "nothing is left to expire");
}

#[test]
fn what_a_resting_customer_may_no_longer_hold_is_gone_at_the_next_checkpoint() {
    for warm_bytes in [1 << 20, 0] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::open(folder.path(), sleepy(warm_bytes), 0);
        world.tell("c");
        world.wait_until_all_rest();
        assert_eq!(world.stored("c"), ALL);
        world.clock.advance(days(30));
        world.customers.checkpoint().unwrap();
        assert_eq!(world.customers.hot_customers(), 0, "it goes on resting");
        assert_eq!((world.stored("c"), world.found("c")), (WITHOUT_SECRET, WITHOUT_SECRET), "{warm_bytes}");
    }
}

#[test]
fn a_later_observation_is_kept_for_its_own_time() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), awake(), 0);
    world.tell("c");
    world.customers.checkpoint().unwrap();
    world.clock.advance(days(20));
    world.tell("c");
    world.customers.checkpoint().unwrap();
    world.clock.advance(days(20));
    world.customers.checkpoint().unwrap();
    assert_eq!(world.stored("c"), ALL);
    world.clock.advance(days(10));
    world.customers.checkpoint().unwrap();
    assert_eq!(world.stored("c"), WITHOUT_SECRET);
}

#[test]
fn what_expires_is_known_after_a_crash_and_when_the_store_was_thrown_away() {
    for is_thrown_away in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::open(folder.path(), awake(), 0);
        world.tell("c");
        world.customers.checkpoint().unwrap();
        world.crash();
        if is_thrown_away {
            std::fs::remove_dir_all(folder.path().join("store")).unwrap();
        }
        let world = World::open(folder.path(), awake(), 30);
        assert_eq!(world.stored("c"), ALL);
        world.customers.checkpoint().unwrap();
        assert_eq!((world.stored("c"), world.found("c")), (WITHOUT_SECRET, WITHOUT_SECRET), "{is_thrown_away}");
    }
}

#[test]
fn history_is_decided_on_what_was_known_then() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), Config { expired: Expired::Kept, ..awake() }, 0);
    world.tell("c");
    world.clock.advance(days(30));
    world.customers.checkpoint().unwrap();
    assert_eq!(world.stored("c"), ALL);
}

/// States are dropped from while their customers come and go: no turn is lost, and nothing that has expired is left.
#[test]
fn customers_who_come_while_their_states_are_seen_to_find_them_whole() {
    const CUSTOMERS: usize = 60;
    const THREADS: usize = 3;
    const TURNS: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), Config { hot_customers_max: 4, ..sleepy(2_000) }, 0);
    let is_over = AtomicBool::new(false);
    (0..CUSTOMERS).for_each(|nth| world.tell(&format!("c-{nth}")));
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let world = &world;
                scope.spawn(move || {
                    for nth in 0..TURNS {
                        world.see(&format!("c-{}", (nth * 7 + thread * 5) % CUSTOMERS), &format!("{thread}-{nth}"));
                        if nth % 20 == 0 {
                            // Some have expired by the next checkpoint.
                            world.tell(&format!("c-{}", nth % CUSTOMERS));
                            world.clock.advance(days(3));
                        }
                    }
                })
            })
            .collect();
        let (world, is_over) = (&world, &is_over);
        scope.spawn(move || {
            while !is_over.load(Ordering::Acquire) {
                world.customers.checkpoint().unwrap();
            }
        });
        let ended: Vec<_> = callers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::Release);
        assert!(ended.iter().all(Result::is_ok));
    });
    world.clock.advance(days(31));
    world.customers.checkpoint().unwrap();
    world.customers.checkpoint().unwrap();
    let all: u64 = (0..CUSTOMERS).map(|nth| world.decisions(&format!("c-{nth}"))).sum();
    assert_eq!(all, (THREADS * TURNS) as u64);
    for nth in 0..CUSTOMERS {
        assert_eq!(world.stored(&format!("c-{nth}")), WITHOUT_SECRET, "c-{nth}");
    }
}
