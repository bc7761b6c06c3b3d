//! The room as others use it: turns from many threads, passivation under them, recovery after them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

mod caps;
mod history;
mod hot;
mod pressure;
mod recovering;
mod retention;

use super::cell::Cell;
use super::house::House;
use super::opening::open_house;
use super::*;
use crate::bundle::tests::{bundle, sources};
use crate::bundle::{Bundle, BundleId};
use crate::context::{CustomerState, PlaybookKey};
use crate::domain::{CustomerId, Event, Partition, TenantId};
use crate::journal::{self, DataDirectory, FjallStore, Journal};
use crate::replay::tests::replays;
use crate::telemetry::Registry;
use crate::time::{Clock, Deadline};
use crate::turn::{EventInput, Input, Readings, Run, Taken};

/// One engine's customers over a folder.
pub(super) struct World {
    pub(super) customers: Customers,
    pub(super) journal: Journal,
    pub(super) clock: Clock,
    directory: DataDirectory,
}

pub(super) fn small() -> Config {
    Config { keepers: 2, mailbox: 64, checkpoint_every: Duration::from_secs(3_600), ..Config::default() }
}

impl Asked {
    /// The result, waited for.
    pub(super) fn waited(self) -> Result<TurnDone, Refusal> {
        match self {
            Self::Done(result) => result,
            Self::Waiting(waiting) => waiting.reply.blocking_recv().unwrap(),
            Self::Late(_) => panic!("a minute is enough"),
        }
    }
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
    pub(super) fn open(folder: &Path, config: Config) -> Self {
        Self::open_with(folder, config, bundle())
    }

    pub(super) fn open_with(folder: &Path, config: Config, bundle: Bundle) -> Self {
        let directory = DataDirectory::open(folder).unwrap();
        let mut progress = |_, _| {};
        let start = start(&directory, config, bundle, Progress(&mut progress));
        let (journal, clock) = (start.journal.clone(), start.clock.clone());
        Self { customers: Customers::start(start).unwrap(), journal, clock, directory }
    }

    pub(super) fn ask(&self, customer: &str, id: &str) -> Asked {
        self.ask_within(customer, id, Duration::from_secs(60))
    }

    pub(super) fn ask_within(&self, customer: &str, id: &str, budget: Duration) -> Asked {
        self.customers.ask(self.request(customer, id, 0, budget))
    }

    /// A request for a decision by the numbered playbook.
    pub(super) fn request(&self, customer: &str, id: &str, playbook: usize, budget: Duration) -> Request {
        request_of(&self.customers.in_force(), &self.clock, (customer, id, playbook), budget)
    }

    pub(super) fn input(&self, input: Input) -> Asked {
        let deadline = Deadline::new(self.clock.instant(), Duration::from_secs(60));
        let (readings, bundle) = (Readings::at(self.clock.wall()), self.customers.in_force());
        self.customers.ask(Request { input, readings, bundle, deadline, span: tracing::Span::none() })
    }

    /// The result of a turn, waited for.
    pub(super) fn turn(&self, customer: &str, id: &str) -> Result<TurnDone, Refusal> {
        self.ask(customer, id).waited()
    }

    /// How many decisions a customer's ledger counts.
    pub(super) fn decisions(&self, customer: &str) -> u64 {
        let view = self.customers.view(&CustomerId::new(customer).unwrap()).unwrap().blocking_recv().unwrap().unwrap();
        view.ledger.tally(PlaybookKey::of("routing")).map_or(0, |tally| tally.decisions)
    }

    /// Stops as a crash would: nothing is stored that was not.
    pub(super) fn crash(self) {
        self.customers.stop();
        self.journal.close().unwrap();
    }
}

/// A request for a decision on a ticket: customer, id, playbook.
pub(super) fn request_of(
    bundle: &Arc<InForce>,
    clock: &Clock,
    (customer, id, playbook): (&str, &str, usize),
    budget: Duration,
) -> Request {
    let event = Event::new(id, "test", "ticket.created", customer);
    let event = event.with("subject", "s").with("body", "b").with("channel", "chat");
    let event = bundle.bundle.layout().accept(event).unwrap();
    let input = Input::Event(EventInput { event, run: Run::Playbook(playbook), trace: None });
    let deadline = Deadline::new(clock.instant(), budget);
    Request {
        input,
        readings: Readings::at(clock.wall()),
        bundle: Arc::clone(bundle),
        deadline,
        span: tracing::Span::none(),
    }
}

/// What customers over a folder are started with.
fn start<'a>(directory: &DataDirectory, config: Config, bundle: Bundle, progress: Progress<'a>) -> Start<'a> {
    let (clock, registry) = (Clock::system(), Registry::default());
    let journal_config = journal::Config { segment_bytes: 1 << 20, ..journal::Config::default() };
    let metrics = journal::Metrics::new(&registry);
    let (journal, _) = Journal::open(&directory.journal(), &journal_config, clock.clone(), metrics).unwrap();
    Start {
        config,
        tenant: TenantId::default(),
        clock,
        journal,
        store: Arc::new(FjallStore::open(&directory.store()).unwrap()),
        bundle: Arc::new(bundle),
        metrics: Metrics::new(&registry),
        progress,
    }
}

/// A house without keepers and archivist, and one customer in memory.
pub(super) fn house(folder: &Path, customer: &str) -> (Arc<House>, Arc<Cell>) {
    let directory = DataDirectory::open(folder).unwrap();
    let mut progress = |_, _| {};
    let start = start(&directory, small(), bundle(), Progress(&mut progress));
    let house = open_house(start).unwrap().house;
    let customer = CustomerId::new(customer).unwrap();
    let partition = Partition::of(&TenantId::default(), customer.as_str());
    let owner = house.cells.find_or_enter(&customer, || Cell::loading(customer.clone(), partition)).unwrap_err();
    let cell = Arc::clone(owner.cell());
    house.load_blocking(owner, false);
    (house, cell)
}

/// A turn of a customer who is in memory and idle.
pub(super) fn turn_at_once(house: &Arc<House>, customer: &str, id: &str) {
    let request = request_of(&house.current.load_full(), &house.clock, (customer, id, 0), Duration::from_secs(60));
    assert!(matches!(house.ask(request), Asked::Done(Ok(_))));
}

static PANIC: AtomicBool = AtomicBool::new(false);

/// A test door: a turn of the customer `panics` breaks off halfway when it is told to.
pub(super) fn panic_if_told(input: &Input) {
    if let Input::Event(event) = input {
        assert!(!event.event.key.id().starts_with("poison"), "a fault that this event finds");
    }
    if input.customer().as_str() == "panics" && PANIC.swap(false, Ordering::AcqRel) {
        panic!("told to");
    }
}

#[test]
fn a_turn_of_an_idle_customer_is_taken_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    assert!(world.turn("c", "1").is_ok());
    // The keeper that took the first turn answers before it leaves the cell.
    world.customers.release(world.customers.hold("c"));
    let Asked::Done(Ok(done)) = world.ask("c", "2") else { panic!("the second turn finds the customer in memory") };
    assert_eq!(done.seq, Some(3), "the bundle's record, two turns");
    let Asked::Done(Ok(again)) = world.ask("c", "2") else { panic!() };
    assert!(matches!(again.taken, Taken::Repeated(_)) && again.seq.is_none());
    assert_eq!(again.last_seq, 3, "a repetition is as safe as the record that it repeats");
    assert_eq!(world.decisions("c"), 2);
    assert_eq!(world.decisions("nobody"), 0);
}

/// Actors have a small mailbox until they have started; an engine that has started has keepers that have.
#[test]
fn an_engine_that_has_just_started_takes_on_many_customers_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let world = World::open(folder.path(), small());
        let asked: Vec<Asked> = (0..200).map(|nth| world.ask(&format!("c-{nth}"), "1")).collect();
        for asked in asked {
            let result = match asked {
                Asked::Done(result) => result,
                Asked::Waiting(waiting) => waiting.reply.blocking_recv().unwrap(),
                Asked::Late(_) => panic!("a minute is enough"),
            };
            assert!(result.is_ok(), "{result:?}");
        }
    }
}

/// Passivation under permanent pressure loses no update, and neither does a crash after it.
#[test]
fn no_turn_is_lost_while_customers_come_and_go() {
    const THREADS: usize = 4;
    const TURNS: usize = 1_500;
    const CUSTOMERS: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let config = Config { hot_customers_max: 4, warm_bytes: 4_000, ..small() };
    let world = World::open(folder.path(), config.clone());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let world = &world;
            scope.spawn(move || {
                for nth in 0..TURNS {
                    let customer = format!("c-{}", (nth * 7 + thread * 3) % CUSTOMERS);
                    let done = world.turn(&customer, &format!("{thread}-{nth}")).unwrap();
                    assert!(matches!(done.taken, Taken::Turn(_)));
                    if nth % 50 == 0 {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
    });
    let count = |world: &World| -> u64 { (0..CUSTOMERS).map(|nth| world.decisions(&format!("c-{nth}"))).sum() };
    assert_eq!(count(&world), (THREADS * TURNS) as u64);
    std::thread::sleep(Duration::from_millis(2_500));
    let hot = world.customers.hot_customers();
    assert!(hot < CUSTOMERS, "idle customers were put to rest: {hot} are in memory");
    assert_eq!(count(&world), (THREADS * TURNS) as u64);
    world.crash();
    let world = World::open(folder.path(), config);
    assert_eq!(count(&world), (THREADS * TURNS) as u64);
    assert!(matches!(world.turn("c-0", "0-0").unwrap().taken, Taken::Turn(_) | Taken::Repeated(_)));
}

#[test]
fn turns_of_a_busy_customer_are_taken_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    // The first turn finds the customer not in memory: the cell is loading while the others arrive.
    let asked: Vec<Asked> = (0..40).map(|nth| world.ask("c", &format!("{nth}"))).collect();
    let seqs: Vec<u64> = asked
        .into_iter()
        .map(|asked| match asked {
            Asked::Done(result) => result.unwrap().seq.unwrap(),
            Asked::Waiting(waiting) => waiting.reply.blocking_recv().unwrap().unwrap().seq.unwrap(),
            Asked::Late(_) => panic!("a minute is enough"),
        })
        .collect();
    assert!(seqs.is_sorted(), "{seqs:?}");
}

/// Never a new customer in its place: that one would have neither consents nor caps.
#[test]
fn a_state_that_is_damaged_in_memory_is_rebuilt_from_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    world.turn("c", "1").unwrap();
    world.turn("c", "2").unwrap();
    let owner = world.customers.hold("c");
    let state = owner.state().take().unwrap();
    owner.install(CustomerState::decode(&state.encode(), bundle().layout()).unwrap().damaged());
    world.customers.release(owner);
    assert_eq!(world.turn("c", "3").unwrap_err(), Refusal::Failed(Failure::StateUnreadable));
    assert!(matches!(world.turn("c", "1").unwrap().taken, Taken::Repeated(_)), "it is whole again");
    assert!(matches!(world.turn("c", "3").unwrap().taken, Taken::Turn(_)), "nothing was recorded of the turn");
    assert_eq!(world.decisions("c"), 3);
}

#[test]
fn a_turn_that_panics_costs_its_caller_an_error_and_nobody_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    world.turn("panics", "1").unwrap();
    world.turn("panics", "2").unwrap();
    PANIC.store(true, Ordering::Release);
    assert_eq!(world.turn("panics", "3").unwrap_err(), Refusal::Failed(Failure::Panicked));
    assert_eq!(world.decisions("panics"), 2, "the broken turn left nothing behind");
    assert!(matches!(world.turn("panics", "3").unwrap().taken, Taken::Turn(_)), "and may be tried again");
    assert_eq!(world.decisions("panics"), 3);
}

#[test]
fn recovery_continues_from_the_last_checkpoint_and_is_idempotent() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    for nth in 0..10 {
        world.turn(&format!("c-{}", nth % 3), &format!("{nth}")).unwrap();
    }
    let checkpoint = world.customers.checkpoint().unwrap();
    for nth in 10..20 {
        world.turn(&format!("c-{}", nth % 3), &format!("{nth}")).unwrap();
    }
    world.crash();
    for opening in 0..3 {
        let world = World::open(folder.path(), small());
        let recovered = world.customers.recovered();
        assert_eq!(recovered.last_seq, 21);
        assert_eq!(recovered.records, if opening == 0 { 21 - checkpoint } else { 0 }, "opening {opening}");
        let counts: HashMap<String, u64> =
            (0..3).map(|nth| format!("c-{nth}")).map(|c| (c.clone(), world.decisions(&c))).collect();
        assert_eq!(counts.values().sum::<u64>(), 20, "opening {opening}: {counts:?}");
        world.crash();
    }
}

#[test]
fn the_store_can_be_thrown_away_and_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    for nth in 0..10 {
        world.turn("c", &format!("{nth}")).unwrap();
    }
    world.customers.checkpoint().unwrap();
    world.crash();
    std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    let world = World::open(folder.path(), small());
    assert_eq!(world.decisions("c"), 10);
}

/// What the journal has of a broken state is nowhere else: no checkpoint passes it, and nobody loads it from the store.
#[test]
fn a_state_that_broke_is_rebuilt_before_a_checkpoint_passes_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    for nth in 0..3 {
        world.turn("c", &format!("{nth}")).unwrap();
    }
    world.customers.break_state("c");
    assert!(world.customers.checkpoint().is_err(), "the state is not there to be stored");
    // The checkpoint has asked for it to be rebuilt; who comes meanwhile is refused or finds it whole.
    while world.turn("c", "later").is_err() {}
    assert_eq!(world.decisions("c"), 4);
    world.customers.checkpoint().unwrap();
    world.crash();
    let world = World::open(folder.path(), small());
    assert_eq!(world.decisions("c"), 4);
}

/// What a checkpoint has stored is not read again from the journal: neither for someone whom the store has never heard of.
#[test]
fn a_state_is_rebuilt_from_what_came_after_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    let segment = |number: u64| folder.path().join(format!("journal/{number:010}.seg"));
    for nth in 0.. {
        world.turn("c", &nth.to_string()).unwrap();
        if segment(2).exists() {
            break;
        }
    }
    world.customers.checkpoint().unwrap();
    // Whoever begins at the first record finds that it is not readable.
    let sound = std::fs::read(segment(1)).unwrap();
    std::fs::write(segment(1), "damaged").unwrap();
    assert_eq!(world.turn("new", "poison").unwrap_err(), Refusal::Failed(Failure::Panicked));
    assert!(world.turn("new", "1").is_ok());
    assert_eq!(world.decisions("new"), 1);
    std::fs::write(segment(1), sound).unwrap();
    world.crash();
}

#[test]
fn a_store_that_is_ahead_of_the_journal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    world.turn("c", "1").unwrap();
    world.customers.checkpoint().unwrap();
    world.crash();
    std::fs::remove_dir_all(folder.path().join("journal")).unwrap();
    let directory = DataDirectory::open(folder.path()).unwrap();
    let clock = Clock::system();
    let metrics = journal::Metrics::new(&Registry::default());
    let (journal, _) =
        Journal::open(&directory.journal(), &journal::Config::default(), clock.clone(), metrics).unwrap();
    let start = Start {
        config: small(),
        tenant: TenantId::default(),
        clock,
        journal,
        store: Arc::new(FjallStore::open(&directory.store()).unwrap()),
        bundle: Arc::new(bundle()),
        metrics: Metrics::new(&Registry::default()),
        progress: Progress(&mut |_, _| {}),
    };
    let refused = Customers::start(start).unwrap_err().to_string();
    assert!(refused.contains("current up to record 2, but the journal ends at record 0"), "{refused}");
}

#[test]
fn a_changed_bundle_is_recorded_once_and_old_records_keep_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let id_of_record = |world: &World, seq: u64| -> BundleId { world.customers.bundle_at(seq).unwrap().id() };
    let world = World::open(folder.path(), small());
    world.turn("c", "1").unwrap();
    world.crash();
    let world = World::open(folder.path(), small());
    assert_eq!(world.journal.last_seq(), 2, "the same bundle is not recorded again");
    let mut changed = sources();
    changed.insert("tables/routing.csv", "in:event.channel,out:queue\nchat,incident\n");
    let changed = Bundle::compile(changed).unwrap();
    let changed_id = changed.id();
    world.customers.change_bundle(Arc::new(changed)).unwrap();
    world.turn("c", "2").unwrap();
    assert_eq!((id_of_record(&world, 1), id_of_record(&world, 3)), (bundle().id(), changed_id));
    world.crash();
    let world = World::open(folder.path(), small());
    assert_eq!(world.decisions("c"), 2, "records of both bundles are applied");
    assert_eq!(world.customers.in_force().bundle.id(), bundle().id());
}
