//! A decision by rules allocates nothing on the plain way. A test of its own, for it brings its own allocator.

#![allow(unsafe_code, reason = "an allocator is unsafe by nature; every call is handed on as it came")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it cannot go on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use forthwith::bundle::{Bundle, Sources};
use forthwith::context::TypedEvent;
use forthwith::decider::Sight;
use forthwith::inference::{BUCKETS, TEXT_BYTES_MAX, TextModel, TextScratch, TextWeights};
use forthwith::inference::{TabularModel, TabularScratch};
use forthwith::rules::Scratch;
use forthwith::{Event, Raw};

/// Counts what the thread that asks allocates: the test runner has threads of its own.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    // A thread that is about to end has no counter any more.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

const CONTEXT: &str = "
[events.order]
product = 'string'
country = ['de', 'fr', 'us']
total   = 'decimal'
items   = { type = 'int', optional = true }
note    = 'string'
urgent  = 'bool'
labels  = { list_of = 'string', max_items = 4 }
";

/// So many rules that the index has splits and bit vectors, of all kinds that an index knows and some that it does not.
fn bundle(rules: usize, hit_policy: &str) -> Bundle {
    let mut playbook =
        format!("playbook = 'p'\non = ['order']\nhit_policy = '{hit_policy}'\n[outcome]\nx = {{ list_of = 'int' }}\n");
    for n in 0..rules {
        let product = n % (rules / 10 + 1);
        let when = match n % 5 {
            0 => format!("event.product == 'p{product}' && event.total >= {n} && event.total < {}", n + 50),
            1 => format!("event.product == 'p{product}' && event.country in ['de', 'us'] && event.items > {}", n % 7),
            2 => format!("event.note.mentions('word{n}', 'gift*') && event.total > {n}"),
            3 => format!("event.country == 'fr' && event.note.contains('n{n}') && !event.urgent"),
            _ => format!("event.items * 2 > {n} && 'l{n}' in event.labels"),
        };
        writeln!(playbook, "[[rules]]\nid = 'r{n}'\nwhen = \"{when}\"\nthen = {{ x = [{n}] }}").unwrap();
    }
    playbook += "[default]\nthen = { x = [] }\n";
    let mut sources = Sources::default();
    sources.insert("context.toml", CONTEXT);
    sources.insert("playbooks/p.toml", playbook);
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

fn events(bundle: &Bundle) -> Vec<TypedEvent> {
    let event = |n: usize| {
        let event = Event::new("1", "shop", "order", "ann")
            .with("product", format!("p{}", n % 300))
            .with("country", ["de", "fr", "us"][n % 3])
            .with("total", (n * 7 % 2_000) as i64)
            .with("note", format!("a gift of word{n} and n{n}"))
            .with("urgent", n.is_multiple_of(2))
            .with("labels", Raw::List(vec![format!("l{n}").into()]));
        bundle.layout().accept(if n.is_multiple_of(4) { event } else { event.with("items", (n % 9) as i64) }).unwrap()
    };
    (0..500).map(event).collect()
}

#[test]
fn a_decision_by_rules_allocates_nothing() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1]))), 1, "the counter counts");
    let at = "2026-11-22T10:00:00Z".parse().unwrap();
    for (rules, hit_policy) in [(5, "first"), (60, "first"), (2_500, "first"), (2_500, "unique")] {
        let bundle = bundle(rules, hit_policy);
        let playbook = &bundle.playbooks()[0];
        let events = events(&bundle);
        let mut scratch = Scratch::default();
        let mut matched = 0;
        let mut decide_all = |matched: &mut usize| {
            for event in &events {
                let sight = Sight::new(playbook, event, at, &[]).unwrap();
                let judgement = playbook.rules.judge(&sight, &mut scratch);
                if let Some(rank) = judgement.rule {
                    *matched += 1;
                    let trace = playbook.rules.explain_rule(rank, &sight, &mut scratch);
                    assert_eq!(trace.rank, rank);
                }
            }
        };
        // The first time the reusable memory grows to what it needs.
        decide_all(&mut matched);
        assert!(matched > 0 || rules < 60, "{rules} rules, {hit_policy}: nothing matched, so nothing was shown");
        let allocated = allocations(|| decide_all(&mut matched));
        assert_eq!(allocated, 0, "{rules} rules, {hit_policy}");
    }
}

/// Trees, linear models and what stands around them, as they were exported.
#[test]
fn a_score_of_a_tabular_model_allocates_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx");
    let mut scratch = TabularScratch::default();
    for entry in fs::read_dir(folder).unwrap() {
        let place = entry.unwrap().path();
        let model = TabularModel::from_bytes(&fs::read(place.join("model.onnx")).unwrap()).unwrap();
        let row = vec![0.5; model.inputs().count];
        let first = model.score(&row, &mut scratch).to_vec();
        let mut again = &[] as &[f32];
        let count = allocations(|| again = model.score(&row, &mut scratch));
        assert_eq!(count, 0, "{}", place.display());
        assert_eq!(again, first);
    }
}

/// A text model as training makes one, but with weights of chance.
fn text_model(labels: usize) -> TextModel {
    let weights: Vec<f32> = (0..BUCKETS * labels).map(|n| (n * 31 % 201) as f32 / 100.0 - 1.0).collect();
    TextModel::from_weights(&TextWeights {
        buckets: &(0..=u16::MAX).collect::<Vec<u16>>(),
        idf: &vec![700; BUCKETS + 1],
        weights: &weights,
        biases: &vec![0.0; labels],
        text_bytes_max: TEXT_BYTES_MAX,
    })
}

#[test]
fn a_score_of_a_text_allocates_nothing() {
    let model = text_model(20);
    let long = "a card that was lost yesterday, größer als 漢字 ".repeat(150);
    let texts = ["", "?!", "Card lost", "ÜBERWEISUNG fehlt, cafe\u{301}", "カード 번호", &long];
    let mut scratch = TextScratch::default();
    let mut score_all = || {
        for text in texts {
            let scored = model.score(["Subject", text].into_iter(), 0.7, &mut scratch);
            assert!(scored.probabilities[scored.best] > 0.0);
        }
    };
    // The first time the reusable memory grows to what it needs.
    score_all();
    assert_eq!(allocations(score_all), 0);
}
