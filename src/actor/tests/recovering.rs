//! Recovery behind those who are served: held at any step, interrupted, and overtaken by the customers themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::record_terms::notices_of;
use super::super::recovery::Recovery;
use super::super::tail::Tail;
use super::{World, request_of, small};
use crate::actor::{Asked, Config, Customers, Failure, Metrics, PANICS_MAX, Progress, Refusal, Shed, Start};
use crate::bundle::Bundle;
use crate::bundle::cap_tests::offers;
use crate::bundle::tests::{bundle, sources};
use crate::context::CustomerState;
use crate::domain::{CustomerId, DecisionId, Event, Settlement, TenantId, Timestamp};
use crate::journal::{self, DataDirectory, FjallStore, Journal, Kind, StateStore, StateWrite};
use crate::telemetry::Registry;
use crate::time::Clock;
use crate::turn::{EventInput, Input, Record, Run, SettlementInput, Taken, apply};

const CUSTOMERS: usize = 20;

/// Everything is left to be recovered behind, with next to no memory for it.
fn behind() -> Config {
    Config { recovery_ahead: 0, recovery_bytes: 0, recovery_threads: 2, ..small() }
}

/// Opens a folder by a clock that stands, and holds recovery.
fn open(folder: &Path, config: Config, bundle: Bundle) -> (World, Option<Recovery>) {
    let directory = DataDirectory::open(folder).unwrap();
    let (clock, registry) = (Clock::manual(Timestamp::from_micros(1_763_800_000_000_000)), Registry::default());
    let journal_config = journal::Config { segment_bytes: 16 << 10, ..journal::Config::default() };
    let metrics = journal::Metrics::new(&registry);
    let (journal, _) = Journal::open(&directory.journal(), &journal_config, clock.clone(), metrics).unwrap();
    let start = Start {
        config,
        tenant: TenantId::default(),
        clock: clock.clone(),
        journal: journal.clone(),
        store: Arc::new(FjallStore::open(&directory.store()).unwrap()),
        bundle: Arc::new(bundle),
        metrics: Metrics::new(&registry),
        progress: Progress(&mut |_, _| {}),
    };
    let (customers, recovery) = Customers::start_held(start).unwrap();
    (World { customers, journal, clock, directory }, recovery)
}

/// Held before its first step, of a segment each.
fn held(folder: &Path) -> (World, Recovery) {
    let (world, recovery) = open(folder, Config { recovery_threads: 1, ..behind() }, bundle());
    (world, recovery.expect("there is much to recover"))
}

fn name(nth: usize) -> String {
    format!("c-{}", nth % CUSTOMERS)
}

/// A journal of several segments: some turns before the store's checkpoint, many after it, and a crash.
fn past(folder: &Path) {
    let (world, recovery) = open(folder, small(), bundle());
    assert!(recovery.is_none(), "nothing is left of an empty journal");
    (0..40).for_each(|nth| drop(world.turn(&name(nth), &format!("e-{nth}")).unwrap()));
    world.customers.checkpoint().unwrap();
    (40..440).for_each(|nth| drop(world.turn(&name(nth), &format!("e-{nth}")).unwrap()));
    world.crash();
}

fn finish(recovery: &mut Recovery) {
    while recovery.step().unwrap() {}
}

fn state(world: &World, customer: &str) -> CustomerState {
    let customer = CustomerId::new(customer).unwrap();
    *world.customers.view(&customer).unwrap().blocking_recv().unwrap().unwrap()
}

/// The states that the journal's records make from nothing.
fn told(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (bundle, mut states) = (Arc::new(bundle()), BTreeMap::new());
    let mut reader = journal::Reader::new(&folder.join("journal"), 1).unwrap();
    let mut each = |read: journal::Read<'_>| {
        if read.frame.kind == Kind::Turn {
            let (record, bundle) = Record::decode(read.frame.payload, |_| Some(Arc::clone(&bundle))).unwrap();
            let new = || CustomerState::new(Arc::clone(bundle.layout()));
            let state = states.entry(record.input.customer().to_string()).or_insert_with(new);
            apply(state, &record, read.seq, &bundle).unwrap();
        }
    };
    while reader.next_batch(&mut each).unwrap() {}
    states.into_iter().map(|(customer, state)| (customer, state.encode())).collect()
}

/// Everyone, asked for now, is what the journal says; so is what the store has, once everything is stored.
fn check(world: World, recovery: Option<Recovery>, folder: &Path) {
    // It has the store, which is opened once at a time.
    drop(recovery);
    world.journal.wait_synced_blocking(world.journal.last_seq()).unwrap();
    let told = told(folder);
    assert_eq!(told.len(), CUSTOMERS);
    for (customer, expected) in &told {
        assert_eq!(&state(&world, customer).encode(), expected, "{customer}");
    }
    assert_eq!(world.customers.checkpoint().unwrap(), world.journal.last_seq());
    world.crash();
    let store = FjallStore::open(&folder.join("store")).unwrap();
    for (customer, expected) in &told {
        assert_eq!(&store.get(customer).unwrap().unwrap(), expected, "{customer} in the store");
    }
}

#[test]
fn a_customer_is_the_same_asked_for_before_recovery_or_after_it() {
    let folder = tempfile::tempdir().unwrap();
    past(folder.path());
    let (world, mut recovery) = held(folder.path());
    let told = told(folder.path());
    let progress = world.customers.recovery();
    assert!(progress.is_under_way() && (progress.done, progress.last) == (progress.from, world.journal.last_seq()));
    for nth in 0..CUSTOMERS / 2 {
        assert_eq!(state(&world, &name(nth)).encode(), told[&name(nth)], "before");
        let again = world.turn(&name(nth), &format!("e-{}", 420 + nth)).unwrap();
        assert!(matches!(again.taken, Taken::Repeated(_)), "what was decided before the crash is known");
        assert!(matches!(world.turn(&name(nth), &format!("new-{nth}")).unwrap().taken, Taken::Turn(_)));
    }
    finish(&mut recovery);
    assert!(!world.customers.recovery().is_under_way());
    check(world, Some(recovery), folder.path());
}

#[test]
fn who_came_and_went_while_recovery_was_held_is_not_overwritten_by_it() {
    let folder = tempfile::tempdir().unwrap();
    past(folder.path());
    let (world, mut recovery) = held(folder.path());
    for step in 0.. {
        let customer = name(step * 3);
        world.turn(&customer, &format!("meanwhile-{step}")).unwrap();
        let before = world.customers.passivations();
        while world.customers.passivations() == before {
            world.customers.rest_everyone();
            std::thread::sleep(Duration::from_millis(1));
        }
        if !recovery.step().unwrap() {
            assert!(step > 1, "recovery was held between its steps");
            break;
        }
    }
    check(world, Some(recovery), folder.path());
}

#[test]
fn a_recovery_that_is_cut_short_begins_again_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    past(folder.path());
    for opening in 0..3 {
        let (world, mut recovery) = held(folder.path());
        let from = world.customers.recovery().from;
        (0..=opening).for_each(|_| assert!(recovery.step().unwrap()));
        world.turn(&name(opening), &format!("opening-{opening}")).unwrap();
        assert_eq!(world.customers.checkpoint().unwrap(), from, "no checkpoint passes what is not recovered");
        world.crash();
    }
    let (world, mut recovery) = held(folder.path());
    finish(&mut recovery);
    check(world, Some(recovery), folder.path());
}

#[test]
fn a_recovery_on_its_own_thread_ends_with_the_engine_and_with_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    past(folder.path());
    for _ in 0..2 {
        let (world, recovery) = open(folder.path(), behind(), bundle());
        world.customers.recover(recovery.unwrap()).unwrap();
        // Wherever it is.
        world.crash();
    }
    let (world, recovery) = open(folder.path(), behind(), bundle());
    world.customers.recover(recovery.unwrap()).unwrap();
    while world.customers.recovery().is_under_way() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(world.customers.recovery().failure(), None);
    check(world, None, folder.path());
}

#[test]
fn the_store_is_rebuilt_behind_those_who_are_served() {
    let folder = tempfile::tempdir().unwrap();
    past(folder.path());
    std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    let (world, mut recovery) = held(folder.path());
    assert_eq!(world.customers.recovery().from, 0);
    assert!(recovery.step().unwrap());
    assert!(matches!(world.turn(&name(1), "e-1").unwrap().taken, Taken::Repeated(_)));
    assert!(matches!(world.turn(&name(2), "new").unwrap().taken, Taken::Turn(_)));
    finish(&mut recovery);
    check(world, Some(recovery), folder.path());
}

#[test]
fn a_state_that_breaks_while_recovery_goes_on_is_rebuilt_whole() {
    let folder = tempfile::tempdir().unwrap();
    past(folder.path());
    let (world, mut recovery) = held(folder.path());
    world.turn(&name(0), "first").unwrap();
    world.customers.break_state(&name(0));
    finish(&mut recovery);
    while world.turn(&name(0), "second").is_err() {}
    check(world, Some(recovery), folder.path());
}

/// What cannot be read is nobody's fault who can be: they are served until it is met, and then nobody is.
#[test]
fn a_recovery_that_cannot_go_on_says_why_and_nothing_is_decided_any_more() {
    let folder = tempfile::tempdir().unwrap();
    past(folder.path());
    let damaged = StateWrite {
        customer: CustomerId::new(&name(7)).unwrap(),
        bytes: b"damaged".as_slice().into(),
        expiry: None,
        expiry_before: None,
    };
    FjallStore::open(&folder.path().join("store")).unwrap().put(&[damaged]).unwrap();
    let (world, mut recovery) = held(folder.path());
    world.turn(&name(1), "before").unwrap();
    recovery.run();
    let progress = world.customers.recovery();
    let reason = progress.failure().expect("it cannot be read").to_owned();
    assert_eq!(
        world.turn(&name(1), "after").unwrap_err(),
        Refusal::Failed(Failure::RecoveryFailed(reason.as_str().into()))
    );
    assert_eq!(world.customers.checkpoint().unwrap(), progress.from);
    world.crash();
    drop(recovery);
    // Nothing is lost: the store is made of the journal.
    std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    let (world, mut recovery) = held(folder.path());
    finish(&mut recovery);
    check(world, Some(recovery), folder.path());
}

const TEN_OFFERS: &str = r#"
[[caps]]
id     = "ten"
action = "offer_discount"
max    = 10
scope  = "global"
"#;

fn ten_offers() -> Bundle {
    offers("settle_within = \"15m\"", TEN_OFFERS)
}

fn offer(world: &World, customer: usize) -> Asked {
    let bundle = world.customers.in_force();
    let event = Event::new("cart", "shop", "cart.left", format!("c-{customer}")).with("worth", 5);
    let event = bundle.bundle.layout().accept(event).unwrap();
    world.input(Input::Event(EventInput { event, run: Run::Playbook(0), trace: None }))
}

fn granted(asked: Asked) -> Option<DecisionId> {
    let Taken::Turn(turn) = asked.waited().unwrap().taken else { panic!("every event is new") };
    let made = &turn.decisions[0];
    (made.decided.outcome.get().text("action") == Some("offer_discount")).then_some(made.id)
}

fn settle(world: &World, customer: usize, decision: DecisionId, settlement: Settlement) {
    let customer = CustomerId::new(&format!("c-{customer}")).unwrap();
    let done = world.input(Input::Settlement(SettlementInput { customer, decision, settlement })).waited();
    assert!(matches!(done.unwrap().taken, Taken::Turn(_)));
}

/// Nobody takes of a cap before it is known what was taken; what is settled meanwhile counts.
#[test]
fn caps_are_exact_across_a_recovery_and_what_is_settled_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (world, _) = open(folder.path(), small(), ten_offers());
    let mut held_offers: Vec<(usize, DecisionId)> =
        (0..4).map(|customer| (customer, granted(offer(&world, customer)).unwrap())).collect();
    world.customers.checkpoint().unwrap();
    held_offers.extend((4..8).map(|customer| (customer, granted(offer(&world, customer)).unwrap())));
    world.crash();

    let (world, recovery) = open(folder.path(), behind(), ten_offers());
    let mut recovery = recovery.unwrap();
    assert_eq!(offer(&world, 8).waited().unwrap_err(), Refusal::Shed(Shed::Recovering));
    assert!(world.customers.global_caps().is_none());
    // One from before the checkpoint and one from after it, each way.
    settle(&world, held_offers[0].0, held_offers[0].1, Settlement::Release);
    settle(&world, held_offers[5].0, held_offers[5].1, Settlement::Release);
    settle(&world, held_offers[6].0, held_offers[6].1, Settlement::Commit);
    finish(&mut recovery);
    let taken = |world: &World| world.customers.global_caps().unwrap()[0].taken;
    assert_eq!(taken(&world), 6);
    let more = (8..20).filter(|customer| granted(offer(&world, *customer)).is_some()).count();
    assert_eq!((more, taken(&world)), (4, 10), "what was released is taken again, and no more");
    world.customers.checkpoint().unwrap();
    world.crash();
    drop(recovery);

    let (world, _) = open(folder.path(), small(), ten_offers());
    assert_eq!(taken(&world), 10);
    world.crash();
}

#[test]
fn whoever_waits_for_the_caps_is_told_when_they_are_known_and_when_they_never_will_be() {
    let folder = tempfile::tempdir().unwrap();
    let (world, _) = open(folder.path(), small(), ten_offers());
    granted(offer(&world, 1)).unwrap();
    world.crash();
    for is_finished in [false, true] {
        let (world, recovery) = open(folder.path(), behind(), ten_offers());
        let mut recovery = recovery.unwrap();
        let bundle = world.customers.in_force();
        let event = Event::new("cart", "shop", "cart.left", "c-9").with("worth", 5);
        let event =
            EventInput { event: bundle.bundle.layout().accept(event).unwrap(), run: Run::Playbook(0), trace: None };
        let mut waiting = world.customers.awaited_caps(&event, &bundle.bundle).expect("they are not known");
        assert!(waiting.try_recv().is_err());
        if is_finished {
            finish(&mut recovery);
        } else {
            world.customers.house().backlog.abandon();
        }
        assert_eq!(waiting.blocking_recv(), Ok(()));
        assert!(world.customers.awaited_caps(&event, &bundle.bundle).is_none());
        world.crash();
    }
}

/// What must be known before anyone is served is the same by the index as by reading everything.
#[test]
fn bundles_and_what_is_set_aside_are_found_with_and_without_reading_the_backlog() {
    let folder = tempfile::tempdir().unwrap();
    past(folder.path());
    let (world, _) = open(folder.path(), small(), bundle());
    let first = world.journal.last_seq() / 2;
    let other = Bundle::compile({
        let mut sources = sources();
        sources.insert("tables/routing.csv", "in:event.channel,out:queue\nchat,incident\n");
        sources
    });
    world.customers.change_bundle(Arc::new(other.unwrap())).unwrap();
    for _ in 0..PANICS_MAX {
        assert!(world.turn("c-1", "poison").is_err());
    }
    assert!(world.turn("c-1", "well").is_ok());
    world.journal.wait_synced_blocking(world.journal.last_seq()).unwrap();
    let until = world.journal.last_seq() - 1;
    for after in [0, first, until - 1, until] {
        let read = Tail::new(&world.journal, after, until).unwrap().notices(2, &mut |_| {}).unwrap();
        assert_eq!(read, notices_of(&world.journal, after, until).unwrap(), "after {after}");
        let kinds: Vec<Kind> = read.iter().map(|found| found.kind).collect();
        let all = [Kind::Bundle, Kind::Bundle, Kind::SetAside];
        assert_eq!(kinds, all[all.len() - kinds.len()..]);
        assert_eq!(
            kinds.len(),
            if after == 0 {
                3
            } else if after == first {
                2
            } else {
                usize::from(after < until)
            }
        );
    }
}

/// As an embedder's engine starts: little is recovered before anyone is served, and then nothing goes on behind.
#[test]
fn a_short_tail_is_recovered_before_anyone_is_served() {
    let folder = tempfile::tempdir().unwrap();
    past(folder.path());
    let (world, recovery) = open(folder.path(), small(), bundle());
    assert!(recovery.is_none() && !world.customers.recovery().is_under_way());
    let recovered = world.customers.recovered();
    assert_eq!((recovered.records, recovered.left), (400, 0));
    let request = request_of(&world.customers.in_force(), &world.clock, ("c-0", "e-0", 0), Duration::from_secs(60));
    assert!(matches!(world.customers.ask(request).waited().unwrap().taken, Taken::Repeated(_)));
    check(world, recovery, folder.path());
}
