//! Linearizable for each customer: many threads, few customers who are put to rest all the time, and every call with when it
//! was made, when it was answered and what it saw, held against the one order that there must be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::bundle::Sources;
use crate::domain::Value;

const THREADS: usize = 6;
/// How often customers are put to rest before the callers stop.
const RESTS: u64 = 80;

/// Calls of a thread at most: more than it takes to see so many rests.
const CALLS_MAX: usize = 50_000;

const CUSTOMERS: usize = 12;

/// Calls that a thread makes about one customer before it turns to the next: whoever is busy all the time never rests.
const BURST: usize = 12;

const CONTEXT: &str = "
[events.seen]
by = \"int\"

[signals]
seen = { count = \"seen\", over = \"24h\", partial = true }
";

/// Decides how many events of the customer were seen, this one included.
const PLAYBOOK: &str = "
playbook = \"count\"
version  = 1
on       = [\"seen\"]
budget   = \"20ms\"
ack      = \"memory\"

[outcome]
nth = { type = \"int\", min = 0, max = 1000000 }

[[rules]]
id   = \"count\"
when = \"true\"
then = { nth = { cel = \"signal.seen\" } }

[default]
then = { nth = 0 }
";

/// A call and its answer, by a clock that ticks with every call and every answer.
#[derive(Clone, Copy, Debug)]
struct Call {
    customer: usize,
    made: u64,
    answered: u64,
    saw: Saw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saw {
    /// A turn: which one it was for the customer.
    Turn(u64),
    /// A look at the state: how many turns were in it.
    State(u64),
}

impl Saw {
    /// Where the call stands in the one order: a look after the turns that it saw.
    fn place(self) -> u64 {
        match self {
            Self::Turn(nth) => 2 * nth,
            Self::State(turns) => 2 * turns + 1,
        }
    }
}

/// Why a history has no order of single turns that explains it; `None` if it has one.
///
/// A turn adds one and answers with what it made; a look answers with what is there. So the answers themselves say in which
/// order the calls took effect, and all that is left to ask is whether the turns are 1, 2, 3 and so on, each once, and whether a call
/// that was answered before another was made stands before it.
fn not_linearizable(history: &[Call]) -> Option<String> {
    let mut turns: Vec<u64> = history
        .iter()
        .filter_map(|call| match call.saw {
            Saw::Turn(nth) => Some(nth),
            _ => None,
        })
        .collect();
    turns.sort_unstable();
    if let Some((at, nth)) = turns.iter().enumerate().find(|(at, nth)| **nth != *at as u64 + 1) {
        return Some(format!("turn {} is missing or there twice: the next is {nth}", at + 1));
    }
    let mut by_place = history.to_vec();
    by_place.sort_unstable_by_key(|call| (call.saw.place(), call.made));
    // Going back through the order, nobody may have been answered before anyone earlier in it was made.
    let mut first_answer_behind: Option<Call> = None;
    for call in by_place.iter().rev() {
        if let Some(later) = first_answer_behind.filter(|later| later.answered < call.made) {
            return Some(format!("{later:?} was answered before {call:?} was made, and stands behind it"));
        }
        if first_answer_behind.is_none_or(|later| call.answered < later.answered) {
            first_answer_behind = Some(*call);
        }
    }
    None
}

fn counting_bundle() -> Bundle {
    let mut sources = Sources::default();
    sources.insert("context.toml", CONTEXT);
    sources.insert("playbooks/count.toml", PLAYBOOK);
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

impl World {
    fn counted_turn(&self, customer: &str, id: &str) -> u64 {
        let bundle = self.customers.in_force();
        let event = Event::new(id, "test", "seen", customer).with("by", 1_i64);
        let event = bundle.bundle.layout().accept(event).unwrap();
        let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
        let deadline = Deadline::new(self.clock.instant(), Duration::from_secs(60));
        let readings = Readings::at(self.clock.wall());
        let done = match self.customers.ask(Request { input, readings, bundle, deadline, span: tracing::Span::none() })
        {
            Asked::Done(result) => result.unwrap(),
            Asked::Waiting(waiting) => waiting.reply.blocking_recv().unwrap().unwrap(),
            Asked::Late(_) => panic!("a minute is enough"),
        };
        let Taken::Turn(turn) = &done.taken else { panic!("every id is sent once") };
        match turn.decisions[0].decided.outcome.get().values() {
            [Value::Int(nth)] => u64::try_from(*nth).unwrap(),
            other => panic!("{other:?} should be one number"),
        }
    }

    /// How many turns are in the customer's state.
    fn look(&self, customer: &str) -> u64 {
        loop {
            let view = self.customers.view(&CustomerId::new(customer).unwrap());
            // A cell that could not be loaded in the crowd tells nobody anything.
            if let Ok(Some(state)) = view.map_err(|_| ()).and_then(|view| view.blocking_recv().map_err(|_| ())) {
                return state.ledger.tally(PlaybookKey::of("count")).map_or(0, |tally| tally.decisions);
            }
        }
    }
}

#[test]
fn turns_and_looks_of_many_threads_have_one_order_for_each_customer() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config { mailbox: 1_024, hot_customers_max: 1, warm_bytes: 1_500, ..small() };
    let world = World::open_with(folder.path(), config, counting_bundle());
    let (clock, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let history: Vec<Call> = std::thread::scope(|scope| {
        let resting = scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                world.customers.rest_everyone();
                // Each asks for a sync, and other tests have need of the disk too.
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let (world, clock) = (&world, &clock);
        let callers: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || call(world, clock, thread))).collect();
        let history = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
        is_over.store(true, Ordering::Release);
        resting.join().unwrap();
        history
    });
    for customer in 0..CUSTOMERS {
        let of_customer: Vec<Call> = history.iter().filter(|call| call.customer == customer).copied().collect();
        assert_eq!(not_linearizable(&of_customer), None, "customer {customer}");
    }
    assert!(world.customers.passivations() >= RESTS, "customers came and went all the time");
}

fn call(world: &World, clock: &AtomicU64, thread: usize) -> Vec<Call> {
    let tick = || clock.fetch_add(1, Ordering::SeqCst);
    let mut history = Vec::new();
    for nth in 0..CALLS_MAX {
        // Two threads ask about the same customer at about the same time.
        let customer = (nth / BURST + thread / 2 * 5) % CUSTOMERS;
        let name = format!("c-{customer}");
        let made = tick();
        let saw = match nth % 8 {
            0 => Saw::State(world.look(&name)),
            _ => Saw::Turn(world.counted_turn(&name, &format!("{thread}-{nth}"))),
        };
        history.push(Call { customer, made, answered: tick(), saw });
        if nth % BURST == 0 {
            if world.customers.passivations() >= RESTS {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    history
}

#[test]
fn a_history_without_an_order_is_found_out() {
    let turn = |made, answered, nth| Call { customer: 0, made, answered, saw: Saw::Turn(nth) };
    let look = |made, answered, turns| Call { customer: 0, made, answered, saw: Saw::State(turns) };
    let sound = [turn(0, 5, 2), turn(1, 2, 1), look(3, 4, 1), look(6, 7, 2), look(3, 8, 0)];
    // The last look began while turn 1 was answered already.
    assert!(not_linearizable(&sound).is_some());
    assert_eq!(not_linearizable(&sound[..4]), None);
    for broken in [
        vec![turn(0, 1, 1), turn(2, 3, 1)],
        vec![turn(0, 1, 1), turn(2, 3, 3)],
        vec![turn(0, 1, 2), turn(2, 3, 1)],
        vec![turn(0, 1, 1), look(2, 3, 0)],
        vec![look(0, 1, 1), turn(2, 3, 1)],
        vec![turn(0, 9, 1), turn(0, 9, 2), look(1, 2, 2), look(3, 4, 1)],
    ] {
        assert!(not_linearizable(&broken).is_some(), "{broken:?}");
    }
}
