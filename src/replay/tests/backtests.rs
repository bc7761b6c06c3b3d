//! What would change under another bundle: the decisions, and what follows from them.

use super::book::{Book, at};
use super::*;
use crate::bundle::cap_tests::offers;
use crate::bundle::tests::{CONTEXT, PLAYBOOK, TABLE, bundle, sources};
use crate::bundle::{Bundle, CONTEXT_FILE, Sources};
use crate::domain::{CustomerId, Event, Value};
use crate::turn::{FactsInput, Input, Readings};

fn ticket(nth: i64, customer: &str) -> Event {
    let body = if nth % 3 == 0 { "my card is lost" } else { "hello" };
    let event = Event::new(format!("t-{nth}"), "helpdesk", "ticket.created", customer);
    event.with("subject", "Hi").with("body", body).with("channel", if nth % 2 == 0 { "chat" } else { "phone" })
}

/// Sixty tickets of six customers, one of whom is a VIP.
fn tickets() -> Book {
    let mut book = Book::of(bundle());
    let customer = CustomerId::new("c-0").unwrap();
    let vip = bundle().layout().fact_number("vip").unwrap();
    let facts =
        FactsInput { customer, source: "crm".into(), observed_at: at(0), facts: vec![(vip, Some(Value::Bool(true)))] };
    book.take(&Input::Facts(facts), &Readings::at(at(0)), &|_| {});
    for nth in 0..60 {
        book.observe(ticket(nth, &format!("c-{}", nth % 6)), at(nth * 60));
    }
    book
}

fn changed_sources(change: impl FnOnce(&mut Sources)) -> Bundle {
    let mut sources = sources();
    change(&mut sources);
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

fn tested(book: &Book, bundle: Bundle, range: Range, playbook: Option<&str>) -> BacktestReport {
    // The folder of a test is that of the journal; a data directory has it under this name.
    let data = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(book.folder(), data.path().join("journal")).unwrap();
    let question = Question { bundle: Arc::new(bundle), range, playbook: playbook.map(str::to_owned) };
    let reports =
        [1, 4].map(|threads| backtest(data.path(), &question, &Limits { threads, ..alone() }, &mut |_| {}).unwrap());
    assert_eq!(reports[0], reports[1], "the number of threads changes nothing");
    let [report, _] = reports;
    report
}

/// Moves as people read them.
fn moves(report: &BacktestReport) -> String {
    let mut text = format!(
        "{} recorded, {} decided, {} changed, {} outcomes, {} added\n",
        report.recorded, report.decided, report.changed, report.outcome_changed, report.added
    );
    for playbook in &report.playbooks {
        let mut list = |title: &str, moves: &[Move]| {
            for Move { from, to, count, examples } in moves {
                text.push_str(&format!(
                    "{} {title}: {from} -> {to} {count}, record {}\n",
                    playbook.playbook, examples[0].record
                ));
            }
        };
        list("rule", &playbook.rules);
        list("fallback", &playbook.fallbacks);
        playbook.fields.iter().for_each(|field| list(&field.field, &field.moves));
    }
    for (title, reasons) in [("not decided", &report.not_decided), ("left", &report.left)] {
        reasons.iter().for_each(|one| text.push_str(&format!("{title}: {} {}\n", one.count, one.reason)));
    }
    text
}

#[test]
fn the_same_bundle_changes_nothing() {
    let report = tested(&tickets(), bundle(), Range::default(), None);
    assert!(report.is_unchanged(), "{}", moves(&report));
    assert_eq!((report.turns, report.recorded, report.decided), (61, 60, 60));
}

#[test]
fn a_changed_rule_is_told_by_rule_and_field_with_examples() {
    let changed = || {
        changed_sources(|sources| {
            sources.insert(
                "tables/routing.csv",
                TABLE.replace("mentions(card*)", "mentions(lost)").replace("cards,2", "incident,2"),
            );
        })
    };
    let report = tested(&tickets(), changed(), Range::default(), None);
    insta::assert_snapshot!(moves(&report));
    let of_one = Range { customer: Some(CustomerId::new("c-3").unwrap()), ..Range::default() };
    let report = tested(&tickets(), changed(), of_one, None);
    assert_eq!((report.recorded, report.outcome_changed), (10, 10));
    let late = Range { from: Some("2026-11-22T10:30:00Z".parse().unwrap()), ..Range::default() };
    let report = tested(&tickets(), changed(), late, Some("routing"));
    assert_eq!((report.recorded, report.outcome_changed), (30, 10));
    let report = tested(&tickets(), changed(), Range::default(), Some("nothing"));
    assert_eq!((report.recorded, report.decided), (0, 0));
}

/// A signal that nobody had declared counts what came before the range; an attribute that nobody had declared is found in
/// what was recorded beside the declared ones.
#[test]
fn new_signals_and_attributes_know_the_whole_history() {
    let mut book = Book::of(bundle());
    for nth in 0..10 {
        book.observe(ticket(nth, "ann").with("urgency", nth), at(nth * 60));
    }
    let context = CONTEXT
        .replace("[facts]", "[events.\"ticket.closed\"]\n[facts]")
        .replace(
            "channel = [\"email\", \"chat\", \"phone\"]",
            "channel = [\"phone\", \"fax\", \"chat\"]\nurgency = { type = \"int\", optional = true }",
        )
        .replace(
            "[signals]",
            "[signals]\ntickets_ever = { count = \"ticket.created\", over = \"10d\", partial = true }",
        );
    let table = "id,in:event.urgency,in:signal.tickets_ever,out:queue,out:priority\nurgent,>= 8,,incident,1\nsixth,,6,cards,2\n";
    let changed = changed_sources(|sources| {
        sources.insert(CONTEXT_FILE, context);
        sources.insert("tables/routing.csv", table);
    });
    let range = Range { from: Some(Place::Record(6)), ..Range::default() };
    insta::assert_snapshot!(moves(&tested(&book, changed, range, None)));
}

#[test]
fn what_the_new_bundle_does_not_know_is_named() {
    let mut book = tickets();
    let refund = Event::new("r-1", "billing", "refund.issued", "c-1").with("amount", "12.50");
    book.observe(refund, at(4_000));
    let mut sources = Sources::default();
    let context = CONTEXT.replace("[events.\"refund.issued\"]\namount = \"decimal\"\n", "");
    let context = context.replace("vip   = { type = \"bool\", default = false }", "");
    let context = context
        .replace("refunded_90d", "#")
        .replace("body    = \"string\"", "body = { type = \"string\", max_length = 9 }");
    sources.insert(CONTEXT_FILE, context);
    let playbook = PLAYBOOK.replace("customer.vip && ", "").replace("\"routing\"", "\"other\"");
    sources.insert("playbooks/other.toml", playbook);
    sources.insert("tables/routing.csv", TABLE);
    let report =
        tested(&book, Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}")), Range::default(), None);
    insta::assert_snapshot!(moves(&report));
}

/// Whoever asks whether anything changes must not be told that nothing does where nobody could look.
#[test]
fn what_cannot_be_read_is_not_unchanged() {
    let mut book = Book::of_falsified(bundle(), &|payload| payload[1] = 9);
    for nth in 0..3 {
        book.observe(ticket(nth, "ann"), at(nth));
    }
    let report = tested(&book, bundle(), Range::default(), None);
    assert_eq!((report.turns, report.recorded, report.unreadable_records), (0, 0, 3));
    assert!(!report.is_unchanged());
    let [Counted { reason, count: 3 }] = &report.unreadable[..] else { panic!("{:?}", report.unreadable) };
    assert!(reason.starts_with("its bundle, record 1, cannot be used: "), "{reason}");
    let mut book = Book::of(bundle());
    book.observe(ticket(0, "ann"), at(0));
    book.observe_falsified(ticket(1, "bob"), &Readings::at(at(1)), &|payload| payload[1] = 9);
    let report = tested(&book, bundle(), Range::default(), None);
    assert_eq!((report.decided, report.changed, report.unreadable_records), (1, 0, 1));
    assert!(!report.is_unchanged());
}

/// What an offer takes of a cap is what the new decisions take of it.
#[test]
fn caps_follow_the_new_decisions() {
    let mut book = Book::of(offers("", ""));
    for nth in 0..6 {
        let cart = Event::new(format!("e-{nth}"), "shop", "cart.left", format!("c-{}", nth % 3)).with("worth", "30");
        book.observe(cart, at(nth));
    }
    let own = "[[caps]]\nid = \"one\"\naction = \"offer_discount\"\nmax = 1\nover = \"90d\"\n";
    let shared =
        "[[caps]]\nid = \"budget\"\naction = \"offer_discount\"\namount = \"discount\"\nmax = 70\nscope = \"global\"\n";
    let own = tested(&book, offers("", own), Range::default(), None);
    assert_eq!((own.changed, own.outcome_changed), (3, 3), "each customer's second");
    let shared = tested(&book, offers("", shared), Range::default(), None);
    insta::assert_snapshot!(moves(&shared), @r#"
    6 recorded, 6 decided, 4 changed, 4 outcomes, 0 added
    offers fallback: none -> cap_reached 4, record 4
    offers action: "offer_discount" -> "nothing" 4, record 4
    offers discount: 30 -> 0 4, record 4
    "#);
}
