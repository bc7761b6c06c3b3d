//! Global caps: many customers on many threads take from one budget, and engines stop in the middle.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::super::cap_book::CapBook;
use super::{World, small};
use crate::actor::Asked;
use crate::bundle::Bundle;
use crate::bundle::cap_tests::offers;
use crate::context::Take;
use crate::domain::{DecisionId, Event, Partition, Settlement, TenantId, Timestamp};
use crate::turn::{CapChange, SettlementInput, Taken};
use crate::turn::{EventInput, Input, Run};

const CAMPAIGN: &str = r#"
[[caps]]
id     = "campaign"
action = "offer_discount"
amount = "discount"
max    = 1000
scope  = "global"
unused_max = "6.4%"
"#;

const HUNDRED_OFFERS: &str = r#"
[[caps]]
id     = "a-hundred"
action = "offer_discount"
max    = 100
over   = "1d"
scope  = "global"
"#;

fn campaign() -> Bundle {
    offers("", CAMPAIGN)
}

/// An offer on a cart of this worth.
fn offer(world: &World, customer: &str, id: &str, worth: i64) -> Asked {
    let bundle = world.customers.in_force();
    let event = Event::new(id, "shop", "cart.left", customer).with("worth", worth);
    let event = bundle.bundle.layout().accept(event).unwrap();
    world.input(Input::Event(EventInput { event, run: Run::Playbook(0), trace: None }))
}

/// What an offer was granted, and its id; `None` for the default.
fn granted(asked: Asked) -> Option<(i64, DecisionId)> {
    let done = asked.waited().unwrap();
    let Taken::Turn(turn) = done.taken else { panic!("every event is new") };
    let made = &turn.decisions[0];
    let outcome = made.decided.outcome.get();
    let Some(crate::domain::Value::Decimal(discount)) = outcome.get("discount") else { panic!() };
    (outcome.text("action") == Some("offer_discount")).then_some((discount.units(), made.id))
}

/// Ten thousand decimal units are one.
const ONE: i64 = 10_000;

#[test]
fn what_is_lent_is_never_lent_twice_and_little_lies_unused() {
    let bundle = campaign();
    let playbook = &bundle.playbooks()[0];
    let cap = &playbook.caps[0];
    let (book, now) = (CapBook::restore(&[]).unwrap(), Timestamp::from_micros(0));
    let (taken, seq, refused) = (AtomicI64::new(0), AtomicU64::new(1), AtomicI64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (book, taken, seq, refused) = (&book, &taken, &seq, &refused);
            scope.spawn(move || {
                for nth in 0..400_u64 {
                    let customer = format!("c-{}", (nth * 31 + thread * 17) % 500);
                    let partition = Partition::of(&TenantId::default(), &customer);
                    let mut drawing = book.draw(partition, std::iter::once(playbook), now);
                    let amount = ((nth % 7) as i64 + 1) * ONE / 2;
                    if drawing.leases()[0].room < amount {
                        refused.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    let seq = seq.fetch_add(1, Ordering::AcqRel);
                    let decision = DecisionId::from_u128(u128::from(thread * 1_000 + nth));
                    let take = Take { cap: cap.key, over: cap.over, decision, amount, at: now, held_until: None };
                    drawing.enter(seq, std::iter::once(CapChange::Took(take)));
                    taken.fetch_add(amount, Ordering::AcqRel);
                }
            });
        }
    });
    let taken = taken.into_inner();
    assert!(taken <= cap.max, "{taken} of {}", cap.max);
    assert!(refused.into_inner() > 0, "more was asked for than there is");
    assert!(cap.max - taken < 7 * ONE / 2, "whoever asked for least found no room, so next to nothing is left");
    let (said, unused) = book.standing(cap, now);
    assert_eq!(said, taken);
    assert!(unused <= cap.unused_max.of(cap.max), "{unused}");

    // As of any record, the stored book holds what was taken up to it; with the rest it is the whole again.
    let half = CapBook::restore(&book.checkpoint(seq.into_inner() / 2)).unwrap();
    half.open();
    assert!(half.standing(cap, now).0 < taken);
    let whole = CapBook::restore(&book.checkpoint(u64::MAX)).unwrap();
    whole.open();
    assert_eq!(whole.standing(cap, now).0, taken);
}

#[test]
fn a_campaigns_budget_is_spent_and_not_overspent_across_threads_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut spent = 0;
    for opening in 0..3 {
        let world = World::open_with(folder.path(), small(), campaign());
        let said: i64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|thread| {
                    let world = &world;
                    scope.spawn(move || {
                        let mut spent = 0;
                        for nth in 0..60 {
                            let customer = format!("c-{}", (nth * 7 + thread) % 97);
                            let asked = offer(world, &customer, &format!("{opening}-{thread}-{nth}"), 1 + nth % 9);
                            spent += granted(asked).map_or(0, |(units, _)| units);
                        }
                        spent
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        spent += said;
        if opening == 1 {
            // As much in the store as in the journal: recovery must not count anything twice.
            world.customers.checkpoint().unwrap();
        }
        world.journal.wait_synced_blocking(world.journal.last_seq()).unwrap();
        let standing = world.customers.global_caps().remove(0);
        assert_eq!(standing.taken, spent, "opening {opening}");
        assert!(spent <= 1_000 * ONE, "opening {opening}: {spent}");
    }
    assert!(spent > 990 * ONE, "more was asked for than there is: {spent}");
}

#[test]
fn a_hundred_offers_are_a_hundred_however_many_ask() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open_with(folder.path(), small(), offers("", HUNDRED_OFFERS));
    let ask =
        |thread: usize| (0..100).filter_map(|nth| granted(offer(&world, &format!("c-{thread}-{nth}"), "1", 5))).count();
    let granted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || ask(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 100, "so small a cap leaves nothing unused");
}

#[test]
fn what_is_released_can_be_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = || offers("settle_within = \"15m\"", &HUNDRED_OFFERS.replace("max    = 100", "max = 1"));
    let world = World::open_with(folder.path(), small(), bundle());
    let (_, first) = granted(offer(&world, "c-1", "1", 5)).unwrap();
    assert_eq!(granted(offer(&world, "c-2", "1", 5)), None, "it is held");
    settle(&world, "c-1", first, Settlement::Release);
    let (_, second) = granted(offer(&world, "c-3", "1", 5)).expect("it was released");
    drop(world);
    let world = World::open_with(folder.path(), small(), bundle());
    assert_eq!(granted(offer(&world, "c-2", "2", 5)), None, "held over a restart");
    settle(&world, "c-3", second, Settlement::Commit);
    assert_eq!(granted(offer(&world, "c-2", "3", 5)), None, "committed");
    assert_eq!(world.customers.global_caps()[0].taken, 1);
}

fn settle(world: &World, customer: &str, decision: DecisionId, settlement: Settlement) {
    let customer = crate::domain::CustomerId::new(customer).unwrap();
    let input = Input::Settlement(SettlementInput { customer, decision, settlement });
    let done = world.input(input).waited().unwrap();
    assert!(matches!(done.taken, Taken::Turn(_)), "{:?}", done.taken);
}
