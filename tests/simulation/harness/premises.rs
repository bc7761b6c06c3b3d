//! What a simulated engine stands on: its bundle, its configuration, its requests.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::customers::open_house;
use super::super::house::House;
use super::super::{Asked, Config, Metrics, Progress, Refusal, Request, Start, TurnDone};
use super::staff::Staff;
use crate::bundle::{Bundle, Sources};
use crate::context::PlaybookKey;
use crate::domain::{CustomerId, Event, TenantId, Timestamp};
use crate::journal::{self, FjallStore, Journal};
use crate::telemetry::Registry;
use crate::time::{Clock, Deadline};
use crate::turn::{EventInput, Input, Readings, Run};

const CONTEXT: &str = "
[events.seen]
by = \"string\"

[signals]
seen_24h = { count = \"seen\", over = \"24h\", partial = true }
";

const PLAYBOOK: &str = "
playbook = \"count\"
version  = 1
on       = [\"seen\"]
budget   = \"20ms\"
ack      = \"disk\"

[outcome]
kind = [\"few\", \"many\"]

[[rules]]
id   = \"many\"
when = \"signal.seen_24h > 3\"
then = { kind = \"many\" }

[default]
then = { kind = \"few\" }
";

/// The bundle that simulated engines decide with.
pub(super) fn bundle() -> Bundle {
    let mut sources = Sources::default();
    sources.insert("context.toml", CONTEXT);
    sources.insert("playbooks/count.toml", PLAYBOOK);
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

thread_local! {
    /// Events whose turn has panicked once. One simulation at a time runs on a thread of the machine.
    static PANICKED: RefCell<HashSet<String>> = RefCell::default();
}

/// A turn on an event whose id begins with `panic` breaks off halfway, once.
pub fn panic_if_told(input: &Input) {
    if let Input::Event(event) = input
        && event.event.key.id().starts_with("panic")
        && PANICKED.with_borrow_mut(|panicked| panicked.insert(event.event.key.id().to_string()))
    {
        // Past the hook: it is no news.
        std::panic::resume_unwind(Box::new("told to"));
    }
}

/// A request for a turn on an event.
pub(super) fn request(house: &House, customer: &str, id: &str) -> Request {
    let event = Event::new(id, "simulation", "seen", customer).with("by", "someone");
    let bundle = house.current.load_full();
    let event = bundle.bundle.layout().accept(event).unwrap();
    let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
    let deadline = Deadline::new(house.clock.instant(), Duration::from_secs(60));
    Request { input, readings: Readings::at(house.clock.wall()), bundle, deadline }
}

/// The result of a turn, waited for.
pub(super) fn turn(house: &Arc<House>, customer: &str, id: &str) -> Result<TurnDone, Refusal> {
    match house.ask(request(house, customer, id)) {
        Asked::Done(result) => result,
        Asked::Late(_) => unreachable!("the clock stands still"),
        Asked::Waiting(waiting) => shuttle::future::block_on(waiting.reply).unwrap(),
    }
}

/// How many decisions a customer's ledger counts.
pub(super) fn decisions(house: &Arc<House>, customer: &str) -> u64 {
    let view = house.view(&CustomerId::new(customer).unwrap()).unwrap();
    let state = shuttle::future::block_on(view).unwrap().unwrap();
    state.ledger.tally(PlaybookKey::of("count")).map_or(0, |tally| tally.decisions)
}

fn open(folder: &Path) -> (Arc<House>, Journal) {
    let (clock, registry) = (Clock::manual(Timestamp::from_micros(1_763_800_000_000_000)), Registry::default());
    let journal_config =
        journal::Config { segment_bytes: 16_384, linger: Duration::ZERO, ..journal::Config::default() };
    let metrics = journal::Metrics::new(&registry);
    let (journal, _) = Journal::open(&folder.join("journal"), &journal_config, clock.clone(), metrics).unwrap();
    let start = Start {
        config: Config { hot_customers_max: 1, warm_bytes: 1_000, ..Config::default() },
        tenant: TenantId::default(),
        clock,
        journal: journal.clone(),
        store: Arc::new(FjallStore::open(&folder.join("store")).unwrap()),
        bundle: Arc::new(bundle()),
        metrics: Metrics::new(&registry),
        progress: Progress(&mut |_, _| {}),
    };
    (open_house(start).unwrap().0, journal)
}

/// Three callers, two customers, room for one in memory.
pub fn smoke(folder: &Path) {
    let (house, journal) = open(folder);
    let staff = Staff::start(&house, 0);
    let callers: Vec<_> = (0..3)
        .map(|caller| {
            let house = Arc::clone(&house);
            crate::sync::thread::spawn(move || {
                for nth in 0..4 {
                    while turn(&house, &format!("c-{}", nth % 2), &format!("{caller}-{nth}")).is_err() {}
                }
            })
        })
        .collect();
    for _ in 0..5 {
        staff.tick();
        crate::sync::thread::yield_now();
    }
    staff.order_checkpoint();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    assert_eq!((decisions(&house, "c-0"), decisions(&house, "c-1")), (6, 6));
    staff.dismiss();
    journal.close().unwrap();
}
