//! Customers who get most of what comes: bounds, priorities, fairness, late answers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::house::{DRAIN_MAX, House};
use super::keeper::{Door, Errand, KEEPER_DRAIN, Keeper, Share, Undelivered};
use super::opening::open_house;
use super::tests::{World, small};
use super::*;
use crate::bundle::Bundle;
use crate::bundle::tests::{PLAYBOOK, bundle, sources};
use crate::domain::{CustomerId, FallbackReason, TenantId};
use crate::journal::{self, DataDirectory, FjallStore, Journal, Kind};
use crate::sync::Mutex;
use crate::telemetry::Registry;
use crate::time::{Clock, Deadline};
use crate::turn::{FactsInput, Input, Made, Readings, Record, Taken};

const MINUTE: Duration = Duration::from_secs(60);

/// Playbooks by number: `low` of priority 1, `routing` of the usual one, `urgent` of 9.
fn ranked() -> Bundle {
    let mut sources = sources();
    for (name, priority) in [("low", 1), ("urgent", 9)] {
        let playbook = PLAYBOOK.replace("\"routing\"", &format!("\"{name}\"\npriority = {priority}"));
        sources.insert(format!("playbooks/{name}.toml"), playbook);
    }
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

fn waiting(asked: Asked) -> Waiting {
    match asked {
        Asked::Waiting(waiting) => waiting,
        other => panic!("the customer is busy: {other:?}"),
    }
}

fn outcome(waiting: Waiting) -> Result<TurnDone, Refusal> {
    waiting.reply.blocking_recv().unwrap()
}

fn decisions(done: TurnDone) -> Vec<Made> {
    match done.taken {
        Taken::Turn(turn) => turn.decisions,
        other => panic!("{other:?}"),
    }
}

fn facts(world: &World, budget: Duration) -> Request {
    let customer = CustomerId::new("c").unwrap();
    let (observed_at, bundle) = (world.clock.wall(), world.customers.in_force());
    let input = Input::Facts(FactsInput { customer, source: "crm".into(), observed_at, facts: Vec::new() });
    let deadline = Deadline::new(world.clock.instant(), budget);
    Request { input, readings: Readings::at(observed_at), bundle, deadline, span: tracing::Span::none() }
}

#[test]
fn a_full_mailbox_sheds_by_priority_and_then_by_the_oldest_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open_with(folder.path(), Config { mailbox: 3, ..small() }, ranked());
    let number = |name: &str| world.customers.in_force().bundle.playbook_number(name).unwrap();
    let ask = |id: &str, playbook: &str, budget| world.customers.ask(world.request("c", id, number(playbook), budget));
    let full = |waiting| assert_eq!(outcome(waiting).unwrap_err(), Refusal::Shed(Shed::MailboxFull));
    world.turn("c", "first").unwrap();
    let cell = world.customers.hold("c");
    let early = waiting(ask("early", "routing", MINUTE));
    let kept = waiting(ask("kept", "routing", 3 * MINUTE));
    let low = waiting(ask("low", "low", 9 * MINUTE));
    let refused = ask("lower", "low", MINUTE);
    assert!(matches!(refused, Asked::Done(Err(Refusal::Shed(Shed::MailboxFull)))), "it is worth least itself");
    let told = waiting(world.customers.ask(facts(&world, MINUTE)));
    full(low);
    let urgent = waiting(ask("urgent", "urgent", MINUTE));
    full(early);
    assert_eq!(world.customers.mailbox_of("c"), 3);
    world.customers.release(cell);
    let seqs = [kept, told, urgent].map(|waiting| outcome(waiting).unwrap().seq.unwrap());
    assert!(seqs.is_sorted(), "first come, first served among those that stay: {seqs:?}");
}

#[test]
fn facts_that_come_too_late_are_given_up_and_an_event_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    world.turn("c", "first").unwrap();
    let cell = world.customers.hold("c");
    let told = waiting(world.customers.ask(facts(&world, MINUTE)));
    let asked = waiting(world.ask("c", "impatient"));
    assert!(matches!(told.leave(), Overdue::GivenUp));
    let Overdue::Late(request) = asked.leave() else { panic!("nobody has begun it") };
    let answered = world.customers.late(&request);
    assert_eq!(answered[0].decided.fallback, Some(FallbackReason::Late));
    world.customers.release(cell);
    assert_eq!(world.decisions("c"), 2, "the event is folded and the decision recorded");
    let again = world.turn("c", "impatient").unwrap();
    assert_eq!(again.taken, Taken::Repeated(vec![(0, answered[0].id)]), "asking again gives what was answered");
}

#[test]
fn a_turn_whose_deadline_passes_in_the_mailbox_is_the_default_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    world.turn("c", "first").unwrap();
    let cell = world.customers.hold("c");
    let late = waiting(world.ask_within("c", "late", Duration::from_nanos(1)));
    let told = waiting(world.customers.ask(facts(&world, Duration::from_nanos(1))));
    world.customers.release(cell);
    let made = decisions(outcome(late).unwrap());
    assert_eq!(made[0].decided.fallback, Some(FallbackReason::Late));
    assert_eq!(outcome(told).unwrap_err(), Refusal::Shed(Shed::Late), "facts have no default");
    assert_eq!(world.turn("c", "late").unwrap().taken, Taken::Repeated(vec![(0, made[0].id)]));
}

/// A caller may be answered late about an event that was decided before; asking again gives the first decision.
#[test]
fn a_late_answer_does_not_replace_a_decision() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    let first = decisions(world.turn("c", "1").unwrap());
    let cell = world.customers.hold("c");
    let Overdue::Late(_) = waiting(world.ask("c", "1")).leave() else { panic!() };
    world.customers.release(cell);
    assert_eq!(world.turn("c", "1").unwrap().taken, Taken::Repeated(vec![(0, first[0].id)]));
    assert_eq!(world.decisions("c"), 1);
}

/// Turns that waited took a minute each, as the clock says that only they move: who would come behind two of them with a
/// budget of a minute and a half is answered at once.
#[test]
fn what_cannot_be_in_time_is_answered_before_it_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (house, _errands, mut keeper) = bare_house(folder.path());
    let ask = |id: &str, budget| house.ask(request(&house, "c", id, budget));
    let first = waiting(ask("first", MINUTE));
    keeper.step();
    assert!(outcome(first).is_ok());
    let owner = house.hold("c");
    house.learn_turn_time(MINUTE);
    let waits = [waiting(ask("1", 90 * MINUTE)), waiting(ask("2", 90 * MINUTE)), waiting(ask("3", 90 * MINUTE))];
    let Asked::Late(request) = ask("4", MINUTE + MINUTE / 2) else { panic!("three minutes is too late") };
    let answered = house.late(&request);
    house.drive(owner, usize::MAX);
    assert!(waits.into_iter().all(|waits| outcome(waits).is_ok()));
    let again = ask("4", MINUTE);
    let Asked::Done(Ok(done)) = again else { panic!("the customer is idle") };
    assert_eq!(done.taken, Taken::Repeated(vec![(0, answered[0].id)]));
}

/// Errands that wait for the keeper, and how often none is taken yet.
#[derive(Clone, Debug, Default)]
struct Errands(Arc<Mutex<VecDeque<Errand>>>, Arc<AtomicUsize>);

impl Door for Errands {
    fn hand_in(&self, errand: Errand) -> Result<(), Undelivered> {
        if self.1.fetch_update(Ordering::AcqRel, Ordering::Acquire, |times| times.checked_sub(1)).is_ok() {
            return Err(Undelivered::Full(errand));
        }
        self.0.lock().unwrap().push_back(errand);
        Ok(())
    }
}

/// A keeper that does one errand when it is told to.
struct Stepped {
    errands: Errands,
    keeper: Keeper,
}

impl Stepped {
    /// Does the next errand; false if there is none.
    fn step(&mut self) -> bool {
        let errand = self.errands.0.lock().unwrap().pop_front();
        errand.map(|errand| self.keeper.run(errand)).is_some()
    }
}

/// A house whose only keeper does nothing by itself, and whose clock stands still.
fn bare_house(folder: &std::path::Path) -> (Arc<House>, Errands, Stepped) {
    let (clock, registry) = (Clock::manual("2026-11-22T10:00:00Z".parse().unwrap()), Registry::default());
    let directory = DataDirectory::open(folder).unwrap();
    let metrics = journal::Metrics::new(&registry);
    let config = journal::Config { segment_bytes: 1 << 20, ..journal::Config::default() };
    let (journal, _) = Journal::open(&directory.journal(), &config, clock.clone(), metrics).unwrap();
    let start = Start {
        config: Config { keepers: 1, ..small_with_room() },
        tenant: TenantId::default(),
        clock,
        journal,
        store: Arc::new(FjallStore::open(&directory.store()).unwrap()),
        bundle: Arc::new(bundle()),
        metrics: Metrics::new(&registry),
        progress: Progress(&mut |_, _| {}),
    };
    let house = open_house(start).unwrap().house;
    // Who is not in memory is brought in when the keeper is told to.
    house.looks.leave_to_keepers();
    let (errands, intake) = (Errands::default(), Arc::default());
    let keeper = Keeper::new(Arc::clone(&house), Arc::clone(&intake), 0, 1);
    house.keepers.introduce(vec![Share { door: Box::new(errands.clone()), intake }]);
    (house, errands.clone(), Stepped { errands, keeper })
}

fn small_with_room() -> Config {
    Config { mailbox: 10_000, ..small() }
}

fn request(house: &House, customer: &str, id: &str, budget: Duration) -> Request {
    super::tests::request_of(&house.current.load_full(), &house.clock, (customer, id, 0), budget)
}

/// Nobody takes more than a bounded batch of a busy customer's turns before others have theirs.
#[test]
fn a_busy_customer_does_not_starve_others() {
    const TURNS: usize = DRAIN_MAX + 3 * KEEPER_DRAIN;
    let folder = tempfile::tempdir().unwrap();
    let (house, errands, mut keeper) = bare_house(folder.path());
    let ask = |customer: &str, id: &str| house.ask(request(&house, customer, id, MINUTE));
    let first = [waiting(ask("hot", "first")), waiting(ask("idle", "first"))];
    while keeper.step() {}
    first.into_iter().for_each(|first| assert!(outcome(first).is_ok()));
    let owner = house.hold("hot");
    let mut hot: Vec<Waiting> = (0..TURNS).map(|nth| waiting(ask("hot", &nth.to_string()))).collect();
    let mut taken = || hot.iter_mut().filter_map(|waiting| waiting.reply.try_recv().ok()).count();
    // The caller that holds the cell takes its share; the rest waits for the keeper, and others behind it.
    house.drive(owner, DRAIN_MAX);
    assert_eq!((taken(), errands.0.lock().unwrap().len()), (DRAIN_MAX, 1));
    let mut cold = waiting(ask("cold", "1"));
    assert!(matches!(ask("idle", "2"), Asked::Done(Ok(_))), "who is idle and in memory waits for nobody");
    assert!(keeper.step() && taken() == KEEPER_DRAIN);
    assert!(cold.reply.try_recv().is_err());
    assert!(keeper.step() && cold.reply.try_recv().is_ok(), "the next errand is another customer's");
    assert_eq!(taken(), 0);
    assert!(keeper.step() && taken() == KEEPER_DRAIN && keeper.step() && taken() == KEEPER_DRAIN);
    while keeper.step() {}
    assert_eq!(house.mailbox_of("hot"), 0);
}

/// A caller goes on where the keeper takes no errand, but no longer than that.
#[test]
fn a_caller_leaves_a_busy_customer_as_soon_as_the_keeper_has_room() {
    const TURNS: usize = 10 * DRAIN_MAX;
    let folder = tempfile::tempdir().unwrap();
    let (house, errands, mut keeper) = bare_house(folder.path());
    let ask = |id: &str| waiting(house.ask(request(&house, "hot", id, MINUTE)));
    let first = ask("first");
    while keeper.step() {}
    assert!(outcome(first).is_ok());
    let owner = house.hold("hot");
    let mut hot: Vec<Waiting> = (0..TURNS).map(|nth| ask(&nth.to_string())).collect();
    let mut taken = || hot.iter_mut().filter_map(|waiting| waiting.reply.try_recv().ok()).count();
    errands.1.store(2, Ordering::Release);
    house.drive(owner, DRAIN_MAX);
    assert_eq!((taken(), errands.0.lock().unwrap().len()), (3 * DRAIN_MAX, 1));
    while keeper.step() {}
    assert_eq!((taken(), house.mailbox_of("hot")), (TURNS - 3 * DRAIN_MAX, 0), "nothing that waits is forgotten");
}

/// What a caller was told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Told {
    Answered(u128),
    Shed,
}

/// Nine of ten events are about one customer, from more threads than there are processors: the mailbox keeps its bound, and
/// each event was shed with the word for it or is in the journal once, under the decision that was answered.
#[test]
fn nothing_is_lost_under_a_hot_customer_but_what_was_shed() {
    const THREADS: usize = 6;
    const EVENTS: usize = 500;
    const MAILBOX: usize = 16;
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), Config { mailbox: MAILBOX, ..small() });
    let told: HashMap<(String, String), Told> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let world = &world;
                    move || {
                        let mut asked = Vec::new();
                        for nth in 0..EVENTS {
                            let customer = if nth % 10 == 0 { format!("c-{}", nth % 7) } else { "hot".to_owned() };
                            let id = format!("{thread}-{nth}");
                            let budget = if nth % 5 == 0 { Duration::from_micros(20) } else { MINUTE };
                            let ask = world.ask_within(&customer, &id, budget);
                            assert!(world.customers.mailbox_of("hot") <= MAILBOX);
                            asked.push(((customer, id), ask, nth % 3 == 0));
                        }
                        asked
                            .into_iter()
                            .map(|(event, asked, leaves)| (event, told(world, asked, leaves)))
                            .collect::<Vec<_>>()
                    }
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(told.len(), THREADS * EVENTS);
    while world.customers.waiting() > 0 {
        std::thread::yield_now();
    }
    let mut recorded: HashMap<(String, String), Vec<u128>> = HashMap::new();
    world.journal.wait_synced_blocking(world.journal.last_seq()).unwrap();
    let mut reader = world.journal.reader(1).unwrap();
    let mut payloads = Vec::new();
    while reader
        .next_batch(|read| payloads.extend((read.frame.kind == Kind::Turn).then(|| read.frame.payload.to_vec())))
        .unwrap()
    {}
    for payload in payloads {
        let (record, bundle) = Record::decode(&payload, |seq| world.customers.bundle_at(seq).ok()).unwrap();
        let Input::Event(event) = &record.input else { panic!() };
        let id = record.id_of(&record.decisions[0], &bundle).unwrap().to_u128();
        recorded.entry((event.event.customer.to_string(), event.event.key.id().to_owned())).or_default().push(id);
    }
    for (event, told) in &told {
        let expected = match told {
            Told::Answered(id) => Some(vec![*id]),
            Told::Shed => None,
        };
        assert_eq!(recorded.remove(event), expected, "{event:?}");
    }
    assert!(recorded.is_empty(), "nothing is there that nobody asked for");
    let shed = told.values().filter(|told| **told == Told::Shed).count();
    assert!(shed < told.len(), "all {shed} were shed");
}

/// What became of a turn, for a caller who waits for it or `leaves` at once.
fn told(world: &World, asked: Asked, leaves: bool) -> Told {
    let late = |request: &Request| Told::Answered(world.customers.late(request)[0].id.to_u128());
    let result = match asked {
        Asked::Done(result) => result,
        Asked::Late(request) => return late(&request),
        Asked::Waiting(waiting) if leaves => match waiting.leave() {
            Overdue::Late(request) => return late(&request),
            Overdue::Begun(reply) => reply.blocking_recv().unwrap(),
            Overdue::GivenUp => panic!("an event is never given up"),
        },
        Asked::Waiting(waiting) => outcome(waiting),
    };
    match result {
        Ok(done) => Told::Answered(decisions(done)[0].id.to_u128()),
        Err(Refusal::Shed(Shed::MailboxFull)) => Told::Shed,
        Err(other) => panic!("{other:?}"),
    }
}

/// The third panic of the same input sets it aside; the customer goes on, and a restart does not forget it.
#[test]
fn an_input_that_panics_three_times_is_set_aside_until_it_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    world.turn("c", "1").unwrap();
    for _ in 0..PANICS_MAX {
        assert!(world.customers.set_aside(None, 10).is_empty());
        assert_eq!(world.turn("c", "poison").unwrap_err(), Refusal::Failed(Failure::Panicked));
        assert_eq!(world.decisions("c"), 1, "the state is rebuilt from the journal each time");
    }
    let aside = world.customers.set_aside(None, 10);
    let id = aside[0].id;
    assert_eq!((aside.len(), aside[0].panics, aside[0].reason.as_str()), (1, 3, "a fault that this event finds"));
    let refused = Refusal::Failed(Failure::SetAside(id));
    assert_eq!(world.turn("c", "poison").unwrap_err(), refused);
    assert!(world.turn("c", "2").is_ok(), "the customer goes on");
    world.journal.wait_synced_blocking(world.journal.last_seq()).unwrap();
    let stretch = Stretch { records: 10, bytes: 1 << 20 };
    let of = |customer: &str| {
        let history = world.customers.history(&CustomerId::new(customer).unwrap(), 1, stretch).unwrap();
        history.records.iter().filter(|of| matches!(of.what, RecordedWhat::SetAside(_))).count()
    };
    assert_eq!((of("c"), of("other")), (1, 0), "what is held about a person includes it");
    assert_eq!(world.turn("other", "poison").unwrap_err(), Refusal::Failed(Failure::Panicked), "another input");
    world.crash();

    // Found in the journal, then in a checkpoint.
    for _ in 0..2 {
        let world = World::open(folder.path(), small());
        assert_eq!(world.customers.set_aside(None, 10), aside);
        assert_eq!(world.turn("c", "poison").unwrap_err(), refused);
        let after = format!("{}", world.journal.last_seq());
        world.turn("c", &after).unwrap();
        world.customers.checkpoint().unwrap();
        world.crash();
    }

    let world = World::open(folder.path(), small());
    assert!(world.customers.release_set_aside(id).unwrap().is_some());
    assert!(world.customers.release_set_aside(id).unwrap().is_none());
    assert_eq!(world.turn("c", "poison").unwrap_err(), Refusal::Failed(Failure::Panicked), "it is tried again");
    world.crash();
    let world = World::open(folder.path(), small());
    assert!(world.customers.set_aside(None, 10).is_empty());
    assert_eq!(world.decisions("c"), 4);
}

/// One that waits while the same input is set aside is not tried either.
#[test]
fn what_waits_behind_a_poison_input_is_not_lost_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open(folder.path(), small());
    world.turn("c", "1").unwrap();
    let cell = world.customers.hold("c");
    let asked: Vec<Waiting> = (0..5).map(|_| waiting(world.ask("c", "poison"))).collect();
    let sound = waiting(world.ask("c", "2"));
    world.customers.release(cell);
    let results: Vec<Refusal> = asked.into_iter().map(|waiting| outcome(waiting).unwrap_err()).collect();
    assert!(results[..3].iter().all(|refusal| *refusal == Refusal::Failed(Failure::Panicked)));
    assert!(results[3..].iter().all(|refusal| matches!(refusal, Refusal::Failed(Failure::SetAside(_)))));
    assert!(outcome(sound).is_ok());
}
