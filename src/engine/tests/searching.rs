//! Decisions are found by what is in them: beside what was decided, and as people ask.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::TimeDelta;
use crate::journal::journal_folder;
use crate::turn::{Termed, searchable, terms_of};

const BASE: i64 = 1_767_225_600_000_000;

fn two_playbooks() -> Bundle {
    let mut sources = sources();
    let second = PLAYBOOK.replace("\"routing\"", "\"second\"").replace("\"general\"", "\"other\"");
    sources.insert("playbooks/second.toml", second);
    Bundle::compile(sources).unwrap()
}

fn start(folder: &Path, bundle: Bundle) -> Engine {
    let mut config = Config::new(bundle).data(folder);
    // A segment has some dozens of records.
    config.journal.segment_bytes = 1 << 15;
    config.journal.queue_bytes = 1 << 13;
    Engine::start(config).unwrap()
}

/// An event of a story.
#[derive(Clone, Debug)]
struct Told {
    customer: u8,
    body: &'static str,
    subject: &'static str,
    /// Minutes after the beginning; the story is told out of order.
    minute: i64,
}

fn story() -> impl Strategy<Value = Vec<Told>> {
    let bodies = select(vec!["hello", "my card", "the card again", "down", "no"]);
    let told = (0..5_u8, bodies, select(vec!["hi", "sla"]), 0..600_i64);
    let told = told.prop_map(|(customer, body, subject, minute)| Told { customer, body, subject, minute });
    proptest::collection::vec(told, 20..220)
}

fn asked() -> impl Strategy<Value = Search> {
    let some = |values: Vec<&'static str>| proptest::option::weighted(0.3, select(values).prop_map(str::to_owned));
    let field = select(vec![("queue", "cards"), ("queue", "incident"), ("priority", "3"), ("sla_minutes", "480")]);
    let field = field.prop_map(|(field, value)| (field.to_owned(), value.to_owned()));
    let minute = || proptest::option::weighted(0.3, 0..600_i64);
    (
        some(vec!["c-0", "c-1", "c-4", "nobody"]),
        some(vec!["routing", "second"]),
        some(vec!["cards", "computed", "many"]),
        some(vec!["none", "guardrail_refused"]),
        proptest::collection::vec(field, 0..2),
        (minute(), minute()),
        1..40_usize,
    )
        .prop_map(|(customer, playbook, rule, fallback, outcome, (from, until), limit)| {
            let at = |minute: i64| time(minute).to_string();
            let (from, until) = match (from, until) {
                (Some(from), Some(until)) => (Some(from.min(until)), Some(from.max(until) + 1)),
                other => other,
            };
            // A rule of both playbooks needs to say of which.
            let playbook = if rule.is_some() { playbook.or(Some("second".to_owned())) } else { playbook };
            let limit = Some(limit.to_string());
            let (from, until) = (from.map(at), until.map(at));
            Search { customer, playbook, rule, fallback, outcome, from, until, limit, ..Search::default() }
        })
}

/// What is asked for next is on disk, however long that takes.
fn settle(engine: &Engine) {
    engine.0.journal.wait_synced_blocking(engine.0.journal.last_seq()).unwrap();
}

fn time(minute: i64) -> Timestamp {
    Timestamp::from_micros(BASE + minute * TimeDelta::MINUTE.micros())
}

/// Whether a decision that was made is one that is asked for, by what it shows of itself.
fn is_meant(search: &Search, decision: &Decision) -> bool {
    // For a customer arrival never goes back, whatever the story says.
    let at = decision.id.time();
    let shown = serde_json::to_value(decision).unwrap();
    let is = |asked: &Option<String>, of: &str| asked.as_ref().is_none_or(|asked| shown[of] == asked.as_str());
    let fallback = match search.fallback.as_deref() {
        Some("none") => shown["fallback"].is_null(),
        _ => is(&search.fallback, "fallback"),
    };
    let bound = |text: &Option<String>| text.as_ref().map(|text| text.parse::<Timestamp>().unwrap());
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    is(&search.customer, "customer")
        && is(&search.playbook, "playbook")
        && is(&search.rule, "rule")
        && fallback
        && search.outcome.iter().all(|(field, value)| text(&shown["outcome"][field]) == *value)
        && bound(&search.from).is_none_or(|from| from <= at)
        && bound(&search.until).is_none_or(|until| at < until)
}

/// All pages of a search; each is as long as it was asked for, but the last.
fn all(search: &Search, page: impl Fn(&Search) -> DecisionPage) -> Vec<DecisionId> {
    let (mut found, mut search) = (Vec::new(), search.clone());
    let limit: usize = search.limit.as_ref().map_or(Search::LIMIT, |limit| limit.parse().unwrap());
    loop {
        let page = page(&search);
        found.extend(page.decisions.iter().map(|decision| decision.decision_id));
        match page.cursor {
            Some(cursor) => {
                // One call does not make the index of any number of segments that was not there yet.
                assert!(page.decisions.len() == limit || page.note.is_some());
                search.cursor = Some(cursor.to_string());
            }
            None => return found,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_search_finds_what_was_decided_and_nothing_else(
        story in story(),
        searches in proptest::collection::vec(asked(), 6),
        is_killed in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut engine = start(folder.path(), two_playbooks());
        let mut made = Vec::new();
        let options = Options { timing: Timing::EventTime, ..patient() };
        for (nth, told) in story.iter().enumerate() {
            let mut event = ticket(&format!("t-{nth}"), told.body).at(time(told.minute)).with("subject", told.subject);
            event.customer = format!("c-{}", told.customer);
            let observed = runtime.block_on(engine.observe_with(event, &options)).unwrap().given().unwrap();
            made.push(observed.decisions);
        }
        settle(&engine);
        if !is_killed {
            engine.shutdown().unwrap();
        }
        // What has stopped makes no index any more.
        if !is_killed || made.len() % 2 == 0 {
            drop(engine);
            engine = start(folder.path(), two_playbooks());
        }
        for search in &searches {
            let of_event = |decisions: &Vec<Decision>| {
                let meant = decisions.iter().filter(|decision| is_meant(search, decision));
                meant.map(|decision| decision.id).collect::<Vec<_>>()
            };
            let expected: Vec<DecisionId> = made.iter().rev().flat_map(of_event).collect();
            prop_assert_eq!(&all(search, |search| engine.search(search).unwrap()), &expected, "{:?}", search);
            prop_assert_eq!(&all(search, |search| search_from(folder.path(), search).unwrap()), &expected);
        }
    }
}

fn faults(engine: &Engine, change: impl FnOnce(&mut Search)) -> String {
    settle(engine);
    let mut search = Search::default();
    change(&mut search);
    match engine.search(&search) {
        Ok(page) => format!("{} found", page.decisions.len()),
        Err(error) => error.to_string().replace("; `", "\n`"),
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_search_is_told_at_once() {
    let engine = engine_of(two_playbooks());
    decide(&engine, ticket("t-1", "my card is broken")).await;
    let outcome = |field: &str, value: &str| vec![(field.to_owned(), value.to_owned())];
    let shown = [
        faults(&engine, |search| {
            search.customer = text("");
            search.playbook = text("ruoting");
            search.tier = text("rule");
            search.fallback = text("lat");
            search.from = text("yesterday");
            search.until = text("2026-01-01");
            search.limit = text("501");
            search.cursor = text("12-x");
        }),
        faults(&engine, |search| {
            search.rule = text("cards");
            search.outcome = [outcome("queue", "card"), outcome("priority", "high"), outcome("quueue", "x")].concat();
            search.from = text("2026-01-02T00:00:00Z");
            search.until = text("2026-01-01T00:00:00Z");
        }),
        faults(&engine, |search| {
            search.playbook = text("routing");
            search.rule = text("crads");
            search.outcome = [outcome("priority", "2"), outcome("priority", "3")].concat();
        }),
        faults(&engine, |search| search.rule = text("x")),
        faults(&engine, |search| (search.playbook, search.rule) = (text("routing"), text("cards"))),
        faults(&engine, |search| search.outcome = outcome("priority", "02")),
    ];
    insta::assert_snapshot!(shown.join("\n---\n"));
}

/// What is no longer in force was decided all the same.
#[tokio::test]
async fn decisions_of_earlier_bundles_are_found_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let engine = start(folder.path(), two_playbooks());
    for nth in 0..3 {
        engine.decide("second", ticket(&format!("t-{nth}"), "card")).await.unwrap().given().unwrap();
    }
    engine.decide("second", ticket("t-9", "hello")).await.unwrap().given().unwrap();
    engine.change_bundle(bundle()).unwrap();
    decide(&engine, ticket("t-1", "card")).await;
    engine.shutdown().unwrap();
    drop(engine);
    // A start that has read none of the older bundles.
    let engine = start(folder.path(), bundle());
    let count = |change: &dyn Fn(&mut Search)| faults(&engine, change);
    assert_eq!(count(&|search| search.playbook = text("second")), "4 found");
    assert_eq!(count(&|search| (search.playbook, search.rule) = (text("second"), text("cards"))), "3 found");
    assert_eq!(count(&|search| search.outcome = vec![("queue".into(), "other".into())]), "1 found");
    assert_eq!(count(&|search| search.rule = text("cards")), "1 found", "of the playbook in force");
}

#[tokio::test]
async fn a_page_shows_what_was_decided() {
    let engine = engine();
    decide(&engine, ticket("t-1", "my card is broken")).await;
    settle(&engine);
    let page = engine.search(&Search { rule: text("cards"), ..Search::default() }).unwrap();
    let mut json = serde_json::to_value(&page).unwrap();
    for of in ["decision_id", "arrival", "bundle"] {
        json["decisions"][0][of] = "…".into();
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
}

/// Terms are told of a record that is read in part; what is read whole has the same.
#[tokio::test]
async fn a_record_that_is_read_in_part_has_the_terms_of_the_whole() {
    let engine = engine_of(two_playbooks());
    engine.observe(ticket("t-1", "my card").with("nobody", "declared this")).await.unwrap().given().unwrap();
    engine
        .put_facts("c-1", Facts { values: vec![("vip".into(), true.into())], ..Facts::default() })
        .await
        .unwrap()
        .given();
    decide(&engine, ticket("t-2", "all is down")).await;
    decide(&engine, ticket("t-3", "hello").with("subject", "sla")).await;
    settle(&engine);
    let mut seen = 0;
    let mut reader = engine.0.journal.reader(1).unwrap();
    while reader
        .next_batch(|read| {
            if read.frame.kind != crate::journal::Kind::Turn {
                return;
            }
            let bundle_at = |seq| engine.0.customers.bundle_at(seq).ok();
            let (record, bundle) = crate::turn::Record::decode(read.frame.payload, bundle_at).unwrap();
            let mut expected = vec![Termed::Customer(record.input.customer()).term()];
            for decision in &record.decisions {
                let playbook = &bundle.playbooks()[decision.playbook];
                expected.extend([Termed::Decision.term(), Termed::Playbook(&playbook.name).term()]);
                expected.extend([Termed::Tier(decision.tier).term(), Termed::Fallback(decision.fallback).term()]);
                let rule = decision.rule.map(|rank| &playbook.rules.rules()[rank].id);
                expected.extend(rule.map(|rule| Termed::Rule(&playbook.name, rule).term()));
                for (field, value) in playbook.outcome.fields().iter().zip(&decision.outcome) {
                    expected.push(Termed::Outcome(&field.name, &searchable(&field.ty, value).unwrap()).term());
                }
            }
            let mut told = Vec::new();
            let arrival = terms_of(read.frame.payload, bundle_at, &mut |term| told.push(term)).unwrap();
            for terms in [&mut told, &mut expected] {
                terms.sort_unstable();
                terms.dedup();
            }
            assert_eq!((arrival, told), (record.arrival, expected));
            seen += 1;
        })
        .unwrap()
    {}
    assert_eq!(seen, 4);
}

/// Repair removes what was made from the segments that it writes anew; the index of the others still lists what was decided under a
/// bundle that is lost.
#[tokio::test]
async fn decisions_under_a_lost_bundle_are_counted_and_the_others_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(bundle()).data(folder.path());
    config.journal.segment_bytes = 1 << 15;
    config.journal.compress = false;
    let engine = Engine::start(config).unwrap();
    let mut ids = [Vec::new(), Vec::new()];
    for nth in 0..400 {
        if nth == 200 {
            settle(&engine);
            // Its text stands in the journal once, and in a batch of its own.
            engine.change_bundle(bundle_of("the lost bundle")).unwrap();
            settle(&engine);
        }
        ids[nth / 200].push(decide(&engine, ticket(&format!("t-{nth}"), "my card")).await.id);
    }
    settle(&engine);
    let full = engine.0.journal.segments().unwrap().len() - 1;
    let journal = journal_folder(folder.path());
    let has_terms = |number: usize| journal.join(format!("{number:010}.terms")).exists();
    while !(1..=full).all(has_terms) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    engine.shutdown().unwrap();
    drop(engine);
    let lost = damage(&journal, b"the lost bundle");
    assert!(lost < full, "decisions in whole segments follow");
    let repair = Repair::inspect(folder.path(), &mut |_, _| {}).unwrap();
    assert_eq!(repair.found().losses.iter().map(|loss| loss.records).sum::<u64>(), 1);
    repair.carry_out(&crate::time::Clock::system()).unwrap();
    let search = Search { customer: text("c-1"), limit: text("500"), ..Search::default() };
    let page = search_from(folder.path(), &search).unwrap();
    ids[0].reverse();
    assert_eq!(page.decisions.iter().map(|found| found.decision_id).collect::<Vec<_>>(), ids[0]);
    assert_eq!(page.cursor, None);
    let note = page.note.unwrap();
    assert_eq!(note, "200 records of the time that was searched cannot be read, so nothing is found in them");
}

fn bundle_of(note: &str) -> Bundle {
    let mut sources = sources();
    sources.insert("playbooks/routing.toml", format!("# {note}\n{PLAYBOOK}"));
    Bundle::compile(sources).unwrap()
}

/// Changes a byte of the segment that holds a text; returns its number.
fn damage(journal: &Path, text: &[u8]) -> usize {
    for number in 1.. {
        let path = journal.join(format!("{number:010}.seg"));
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text) {
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            return number;
        }
    }
    unreachable!("it is somewhere");
}
