//! What was not written as it came out is found, named and told apart from what follows of it.

use super::book::{Book, at, replaced};
use super::*;
use crate::bundle::tests::bundle;
use crate::domain::Event;
use crate::turn::Readings;

fn ticket(id: &str, customer: &str) -> Event {
    let event = Event::new(id, "helpdesk", "ticket.created", customer);
    event.with("subject", "Hi").with("body", "my card is lost").with("channel", "email")
}

fn replayed(book: &Book) -> Report {
    replay_journal(book.folder(), &Range::default(), &alone(), &mut |_| {}).unwrap()
}

/// Changes the last byte of a value in a record: of a MessagePack array of these small numbers.
fn bytes_changed(payload: &mut [u8], from: &[u8], to: &[u8]) {
    let at = payload.windows(from.len()).rposition(|window| window == from).unwrap();
    payload[at..at + to.len()].copy_from_slice(to);
}

#[test]
fn an_outcome_that_was_changed_is_found() {
    let mut book = Book::of(bundle());
    book.observe(ticket("1", "ann"), at(0));
    // Queue 1 (cards), priority 2, 480 minutes.
    let cards = [0x93, 1, 2, 0xcd, 0x01, 0xe0];
    let incident = [0x93, 2, 1, 0xcd, 0x01, 0xe0];
    let falsify = |payload: &mut Vec<u8>| bytes_changed(payload, &cards, &incident);
    book.observe_falsified(ticket("2", "ann"), &Readings::at(at(1)), &falsify);
    book.observe(ticket("3", "ann"), at(2));
    let report = replayed(&book);
    assert!(!report.is_same());
    assert_eq!((report.counts.different, report.counts.turns), (1, 3));
    insta::assert_snapshot!(changed(&report), @r#"
    record 3, ann, Plain
      routing.outcome.queue: "incident" -> "cards"
      routing.outcome.priority: 1 -> 2
    "#);
}

#[test]
fn a_rule_that_was_changed_in_a_stored_bundle_is_found() {
    let falsify = |payload: &mut Vec<u8>| replaced(payload, "mentions(card*)", "mentions(cord*)");
    let mut book = Book::of_falsified(bundle(), &falsify);
    book.observe(ticket("1", "ann"), at(0));
    book.observe(ticket("2", "ann"), at(1));
    book.observe(ticket("1", "bob"), at(2));
    let report = replayed(&book);
    let counts = &report.counts;
    assert_eq!((counts.different, counts.different_after_another), (2, 1));
    insta::assert_snapshot!(changed(&report));
    let few = Limits { shown: 1, ..alone() };
    let shown = replay_journal(book.folder(), &Range::default(), &few, &mut |_| {}).unwrap();
    assert_eq!((shown.differences.len(), shown.counts), (1, report.counts), "all are counted");
}

/// A fact that the journal says was not known is seen; a decision under another arrival has another id.
#[test]
fn what_was_seen_and_what_names_a_decision_are_compared_too() {
    let mut book = Book::of(bundle());
    // What was seen: vip, limit unavailable, one ticket within a day.
    let (seen, more) = ([0xc2, 0x81, 0, 1, 1], [0xc2, 0x81, 0, 1, 9]);
    let falsify = |payload: &mut Vec<u8>| bytes_changed(payload, &seen, &more);
    book.observe_falsified(ticket("1", "ann"), &Readings::at(at(0)), &falsify);
    let falsify = |payload: &mut Vec<u8>| replaced(payload, "helpdesk", "holpdesk");
    book.observe_falsified(ticket("1", "bob"), &Readings::at(at(0)), &falsify);
    let shown = changed(&replayed(&book));
    assert!(shown.contains("routing.seen signal.tickets_24h: 9 -> 1"), "{shown}");
    assert!(shown.contains("  keys: "), "{shown}");
}

/// Records of another release are applied: what follows them still comes out.
#[test]
fn another_version_of_meaning_is_told_and_is_no_difference() {
    let mut book = Book::of(bundle());
    // Behind version, tenant and bundle stands the version of meaning.
    let falsify = |payload: &mut Vec<u8>| {
        let at = 2 + 1 + "default".len() + 1;
        assert_eq!(payload[at], 1);
        payload[at] = 2;
    };
    book.observe_falsified(ticket("1", "ann"), &Readings::at(at(0)), &falsify);
    book.observe(ticket("2", "ann"), at(1));
    let report = replayed(&book);
    assert!(report.is_same());
    assert_eq!((report.counts.other_semantics, report.counts.turns), (1, 1));
}

#[test]
fn what_cannot_be_read_is_named_and_explains_what_differs_behind_it() {
    let mut book = Book::of(bundle());
    book.observe_falsified(ticket("1", "ann"), &Readings::at(at(0)), &|payload| payload[1] = 9);
    book.observe(ticket("2", "ann"), at(1));
    let report = replayed(&book);
    assert!(!report.is_same());
    assert_eq!((report.counts.unreadable_records, report.counts.different_after_gap), (1, 1));
    let [unreadable] = &report.unreadable[..] else { panic!("{:?}", report.unreadable) };
    assert_eq!(unreadable.record, 2);
    assert_eq!(unreadable.reason, "a record has version 9, this release reads versions up to 2");
}

#[test]
fn a_bundle_that_cannot_be_used_is_named() {
    let falsify =
        |payload: &mut Vec<u8>| replaced(payload, "event.amount > customer.limit", "event.amount > customer.limat");
    let mut book = Book::of_falsified(bundle(), &falsify);
    book.observe(ticket("1", "ann"), at(0));
    let report = replayed(&book);
    assert_eq!(report.counts.unreadable_records, 1);
    let reason = &report.unreadable[0].reason;
    assert!(reason.starts_with("its bundle, record 1, cannot be used: ") && reason.contains("limat"), "{reason}");
}
