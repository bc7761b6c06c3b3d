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
    let half = CapBook::restore(&book.checkpoint(seq.into_inner() / 2, now)).unwrap();
    half.open();
    assert!(half.standing(cap, now).0 < taken);
    let whole = CapBook::restore(&book.checkpoint(u64::MAX, now)).unwrap();
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
        let standing = world.customers.global_caps().unwrap().remove(0);
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
    assert_eq!(world.customers.global_caps().unwrap()[0].taken, 1);
}

fn settle(world: &World, customer: &str, decision: DecisionId, settlement: Settlement) {
    let customer = crate::domain::CustomerId::new(customer).unwrap();
    let input = Input::Settlement(SettlementInput { customer, decision, settlement });
    let done = world.input(input).waited().unwrap();
    assert!(matches!(done.taken, Taken::Turn(_)), "{:?}", done.taken);
}

const TWO_CAPS: &str = r#"
[[caps]]
id     = "budget"
action = "offer_discount"
amount = "discount"
max    = 1000
scope  = "global"

[[caps]]
id     = "one"
action = "offer_discount"
max    = 1
scope  = "global"
"#;

/// A draw by these playbooks, though what they share in the cap is used up, ends.
fn draws_though_used_up(caps: &str, used_up: usize, playbooks: usize) {
    let (bundle, now) = (offers("", caps), Timestamp::from_micros(0));
    let playbook = &bundle.playbooks()[0];
    let cap = &playbook.caps[used_up];
    let book = CapBook::restore(&[]).unwrap();
    let partition = |customer| Partition::of(&TenantId::default(), customer);
    let decision = DecisionId::from_u128(1);
    let take = Take { cap: cap.key, over: cap.over, decision, amount: 1, at: now, held_until: None };
    book.draw(partition("c-1"), std::iter::once(playbook), now).enter(1, std::iter::once(CapChange::Took(take)));
    let (send, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(book.draw(partition("c-2"), std::iter::repeat_n(&bundle.playbooks()[0], playbooks), now));
        send.send(()).unwrap();
    });
    assert!(received.recv_timeout(std::time::Duration::from_secs(20)).is_ok(), "the second draw never ends");
}

#[test]
fn a_draw_that_has_borrowed_one_cap_does_not_wait_for_itself_at_the_next() {
    draws_though_used_up(TWO_CAPS, 1, 1);
}

#[test]
fn a_cap_that_is_used_up_and_shared_holds_nobody_up() {
    draws_though_used_up(ONE_OFFER, 0, 2);
}

const ONE_OFFER: &str = r#"
[[caps]]
id     = "one"
action = "offer_discount"
max    = 1
scope  = "global"
"#;

/// Stored accounts forget what has left the window, and what nobody settled.
#[test]
fn stored_accounts_forget_what_counts_no_more() {
    let bundle = offers("", HUNDRED_OFFERS);
    let playbook = &bundle.playbooks()[0];
    let cap = &playbook.caps[0];
    let book = CapBook::restore(&[]).unwrap();
    let mut lengths = Vec::new();
    for nth in 0..20_i64 {
        let now = Timestamp::from_micros(nth * 40 * 86_400_000_000);
        let partition = Partition::of(&TenantId::default(), "c-1");
        let mut drawing = book.draw(partition, std::iter::once(playbook), now);
        let decision = DecisionId::from_u128(nth as u128 + 1);
        let until = Some(now.saturating_add(crate::domain::TimeDelta::SECOND));
        let take = Take { cap: cap.key, over: cap.over, decision, amount: 1, at: now, held_until: until };
        drawing.enter(nth as u64 + 1, std::iter::once(CapChange::Took(take)));
        drop(drawing);
        lengths.push((book.standing(cap, now).0, book.checkpoint(u64::MAX, now).len()));
    }
    assert!(lengths[19].1 < 3 * lengths[0].1, "{lengths:?}");
}

const MILLION: &str = r#"
[[caps]]
id     = "million"
action = "offer_discount"
max    = 1000000
scope  = "global"
"#;
const SMALLER: &str = r#"
[[caps]]
id     = "million"
action = "offer_discount"
max    = 10
scope  = "global"
"#;

#[test]
fn a_smaller_limit_holds_at_once_whatever_was_lent() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::open_with(folder.path(), small(), offers("", MILLION));
    let before = (0..200).filter_map(|nth| granted(offer(&world, &format!("a-{nth}"), "1", 5))).count();
    world.customers.change_bundle(std::sync::Arc::new(offers("", SMALLER))).unwrap();
    let after = (0..200).filter_map(|nth| granted(offer(&world, &format!("b-{nth}"), "1", 5))).count();
    assert_eq!((before, after), (200, 0));
}

#[test]
fn a_settlement_counts_while_no_cap_is_in_force() {
    let settled = |is_crash: bool| {
        let folder = tempfile::tempdir().unwrap();
        let world = World::open_with(folder.path(), small(), offers("settle_within = \"15m\"", HUNDRED_OFFERS));
        let (_, id) = granted(offer(&world, "c", "1", 5)).unwrap();
        world.customers.change_bundle(std::sync::Arc::new(offers("settle_within = \"15m\"", ""))).unwrap();
        let customer = crate::domain::CustomerId::new("c").unwrap();
        let input = SettlementInput { customer, decision: id, settlement: Settlement::Release };
        world.input(Input::Settlement(input)).waited().unwrap();
        let bundle = offers("settle_within = \"15m\"", HUNDRED_OFFERS);
        if is_crash {
            world.crash();
            return World::open_with(folder.path(), small(), bundle).customers.global_caps().unwrap().remove(0).taken;
        }
        world.customers.change_bundle(std::sync::Arc::new(bundle)).unwrap();
        world.customers.global_caps().unwrap().remove(0).taken
    };
    assert_eq!((settled(false), settled(true)), (0, 0));
}

/// Two playbooks share a cap: both are granted while there is plenty.
#[test]
fn two_playbooks_on_one_event_both_have_their_part_of_a_cap() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = crate::bundle::cap_tests::offers_with("", HUNDRED_OFFERS);
    let text = crate::bundle::cap_tests::offers_with("", HUNDRED_OFFERS);
    let first = text.get("playbooks/offers.toml").unwrap().to_string();
    sources.insert("playbooks/again.toml", first.replace("playbook = \"offers\"", "playbook = \"again\""));
    let bundle = Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"));
    let world = World::open_with(folder.path(), small(), bundle);
    let in_force = world.customers.in_force();
    let event = Event::new("1", "shop", "cart.left", "c").with("worth", 5);
    let event = in_force.bundle.layout().accept(event).unwrap();
    let done = world.input(Input::Event(EventInput { event, run: Run::Subscribed, trace: None })).waited().unwrap();
    let Taken::Turn(turn) = done.taken else { panic!() };
    let fallbacks: Vec<_> = turn.decisions.iter().map(|made| made.decided.fallback).collect();
    assert_eq!(fallbacks, [None, None]);
}
