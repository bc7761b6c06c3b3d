//! What was not written as it came out is found, named and told apart from what follows of it.

use super::book::{Book, at, replaced};
use super::*;
use crate::bundle::tests::bundle;
use crate::domain::Event;
use crate::journal::Inspection;
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
    assert_eq!(unreadable.reason, "a record has version 9, this release reads versions up to 4");
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

/// Whomever the lost record was about: what differs behind it is not judged, and is not called the same either.
#[test]
fn what_differs_behind_a_lost_record_is_counted_apart_and_is_not_the_same() {
    let mut book = Book::of(bundle());
    // The first turn may share a batch with the bundle.
    book.observe(ticket("1", "zed-0"), at(0));
    book.observe(ticket("1", "zed-1"), at(0));
    book.observe(ticket("1", "zed-2"), at(1));
    book.observe(ticket("2", "zed-1"), at(2));
    book.observe(ticket("3", "zed-1"), at(3));
    let replayed =
        |lost| replay_journal(without(&book, lost).path(), &Range::default(), &alone(), &mut |_| {}).unwrap();
    let report = replayed("zed-2");
    assert_eq!((report.gaps.as_slice(), report.counts.turns), (&[Gap { first: 4, last: 4 }][..], 4));
    assert!(report.is_same(), "nobody else hangs on it: {}", changed(&report));
    let report = replayed("zed-1");
    assert_eq!((report.counts.turns, report.counts.different_after_gap), (4, 2));
    assert!(report.is_same_as_far_as_judged() && !report.is_same());
}

/// A copy of the journal that has lost the first record about a customer, repaired.
fn without(book: &Book, customer: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(book.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "seg") {
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    let segment = folder.path().join("0000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    let place = bytes.windows(customer.len()).position(|window| window == customer.as_bytes()).unwrap();
    bytes[place] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let found = Inspection::of(folder.path(), &|| Ok(0), &mut |_, _| {}).unwrap();
    assert_eq!(found.losses.iter().map(|loss| loss.records).sum::<u64>(), 1);
    found.repair(at(9), "a test").unwrap();
    folder
}
