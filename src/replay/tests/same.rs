//! What was written as it came out comes out again, whatever is asked for and however much memory there is.

use super::book::{Book, at};
use super::*;
use crate::bundle::cap_tests::{ONE_A_QUARTER, offers};
use crate::bundle::tests::{PLAYBOOK, bundle, sources};
use crate::bundle::{Bundle, CapScope};
use crate::context::CapKey;
use crate::domain::{CustomerId, Event, Settlement};
use crate::turn::{FactsInput, Input, Lease, Readings, SettlementInput};

fn ticket(nth: i64, customer: &str) -> Event {
    let body = if nth % 3 == 0 { "my card is lost" } else { "hello" };
    let event = Event::new(format!("t-{nth}"), "helpdesk", "ticket.created", customer);
    event.with("subject", "sla").with("body", body).with("channel", "chat").with("beside", nth)
}

/// Two hundred turns of forty customers on two bundles, facts among them.
fn tickets() -> Book {
    let mut book = Book::of(bundle());
    for nth in 0..200 {
        if nth == 120 {
            let mut sources = sources();
            sources.insert("playbooks/second.toml", PLAYBOOK.replace("\"routing\"", "\"second\""));
            book.change_bundle(Bundle::compile(sources).unwrap());
        }
        let customer = format!("c-{}", nth % 40);
        if nth % 7 == 0 {
            let facts = vec![(1, Some(crate::domain::Value::Bool(true)))];
            let customer = CustomerId::new(&customer).unwrap();
            let input = FactsInput { customer, source: "crm".into(), observed_at: at(nth), facts };
            book.take(&Input::Facts(input), &Readings::at(at(nth)), &|_| {});
        } else {
            book.observe(ticket(nth, &customer), at(nth));
        }
    }
    book
}

fn replayed(book: &Book, range: &Range, limits: &Limits) -> Report {
    let report = replay_journal(book.folder(), range, limits, &mut |_| {}).unwrap();
    assert!(report.is_same(), "{}", changed(&report));
    report
}

#[test]
fn a_journal_replays_with_any_number_of_threads_and_any_memory() {
    let book = tickets();
    let whole = replayed(&book, &Range::default(), &alone());
    assert_eq!((whole.counts.turns, whole.counts.customers, whole.bundles, whole.passes), (200, 40, 2, 1));
    assert_eq!(whole.counts.decisions, 102 + 2 * 69, "two playbooks decide on the second bundle");
    for threads in [2, 3, 64, 100] {
        assert_eq!(replayed(&book, &Range::default(), &Limits { threads, ..alone() }), whole);
    }
    for (threads, state_bytes) in [(1, 1), (3, 1), (1, 20_000)] {
        let report = replayed(&book, &Range::default(), &Limits { threads, state_bytes, ..alone() });
        assert!(report.passes > 1, "{threads} threads in {} passes", report.passes);
        assert_eq!(Report { passes: 1, ..report }, whole);
    }
}

#[test]
fn a_part_is_replayed_on_what_was_before_it() {
    let book = tickets();
    let counts = |range: Range| {
        let counts = replayed(&book, &range, &alone()).counts;
        (counts.applied, counts.turns)
    };
    let place = |text: &str| Some(text.parse().unwrap());
    assert_eq!(
        counts(Range { from: place("102"), ..Range::default() }),
        (100, 100),
        "the bundle's is the first record"
    );
    assert_eq!(counts(Range { from: place("102"), to: place("111"), ..Range::default() }), (100, 10));
    let minute = Range { from: place("2026-11-22T10:01:00Z"), to: place("2026-11-22T10:02:00Z"), customer: None };
    assert_eq!(counts(minute), (60, 60));
    let customer = Some(CustomerId::new("c-3").unwrap());
    assert_eq!(counts(Range { customer, ..Range::default() }), (0, 5));
    let nobody = Some(CustomerId::new("nobody").unwrap());
    assert_eq!(counts(Range { customer: nobody, ..Range::default() }), (0, 0));
}

#[test]
fn an_empty_journal_replays() {
    let folder = tempfile::tempdir().unwrap();
    let report = replay_journal(folder.path(), &Range::default(), &alone(), &mut |_| {}).unwrap();
    assert_eq!(report, Report { passes: 1, ..Report::default() });
}

const CAPS: &str = r#"
[[caps]]
id           = "budget"
action       = "offer_discount"
amount       = "discount"
max          = 50
scope        = "global"
on_violation = "clamp"
"#;

/// What a turn was lent stands in its record, as far as it matters; so does whether it came too late.
#[test]
fn what_a_turn_was_lent_and_whether_it_was_late_is_known_again() {
    let bundle = offers("settle_within = \"15m\"", &format!("{ONE_A_QUARTER}{CAPS}"));
    let caps = &bundle.playbooks()[0].caps;
    let shared: CapKey = caps.iter().find(|cap| cap.scope == CapScope::Global).unwrap().key;
    let mut book = Book::of(bundle);
    let cart = |id: &str, customer: &str| Event::new(id, "shop", "cart.left", customer).with("worth", "30");
    let lent = |room: i64, seconds: i64| {
        let leases = if room == 0 { Vec::new() } else { vec![Lease { cap: shared, room: room * 10_000 }] };
        Readings { leases, ..Readings::at(at(seconds)) }
    };
    for (nth, room) in [50, 20, 0, 7, 31].into_iter().enumerate() {
        book.observe_falsified(cart(&format!("a-{nth}"), &format!("c-{nth}")), &lent(room, nth as i64), &|_| {});
    }
    // The customer's own cap is reached; then it is settled, and one decision comes too late.
    let decided = crate::domain::DecisionId::of(crate::domain::DecisionName {
        tenant: &crate::domain::TenantId::default(),
        playbook: "offers",
        customer: &CustomerId::new("c-0").unwrap(),
        event: &crate::domain::EventKey::new("shop", "a-0").unwrap(),
        arrival: at(0),
    });
    book.observe_falsified(cart("b-0", "c-0"), &lent(50, 20), &|_| {});
    let customer = CustomerId::new("c-0").unwrap();
    let settled = SettlementInput { customer, decision: decided, settlement: Settlement::Release };
    book.take(&Input::Settlement(settled), &Readings::at(at(30)), &|_| {});
    book.observe_falsified(cart("b-1", "c-0"), &lent(50, 40), &|_| {});
    let late = Readings { is_late: true, ..Readings::at(at(35)) };
    book.observe_falsified(cart("b-2", "c-0"), &late, &|_| {});
    // No playbook decides on it, so nothing but its arrival says that it came too late.
    let visit = Event::new("v-1", "shop", "visit.ended", "c-0").with("pages", 3);
    book.observe_falsified(visit, &late, &|_| {});
    assert_eq!(replayed(&book, &Range::default(), &alone()).counts.turns, 10);
}
