//! The rule tier: which rule matches first?
//!
//! `scale` asks rules by the thousand, made from a seed, of several families; the floor is a plain loop over rules lowered
//! to predicates, the peer the `cel` crate's interpreter. Up to 1,000 rules; `RULES_MAX=100000 cargo bench --bench rules`
//! goes on. `rules_percentiles` has the same rules with percentiles, the cost of loading and memory.
//!
//! `tickets` asks the shipped playbook about its sample tickets; the floor reads every byte of their texts once, which any
//! rule about words must do. `forty` asks forty rules about numbers and names; the peer is the `cel` crate's interpreter
//! asked one rule after the other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops where it cannot go on")]

mod linear_cel;
mod subject;
mod tickets;
mod workload;

use std::hint::black_box;
use std::sync::Arc;

use cel::{Context, Program};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use forthwith::Timestamp;
use forthwith::bundle::{Bundle, Sources};
use forthwith::context::{CustomerState, TypedEvent};
use forthwith::decider::{Seen, Sight};
use forthwith::rules::Scratch;
use linear_cel::LinearCel;
use subject::Subject;
use workload::{Family, LoweredRules, WordedEvent, Workload};

/// A customer of whom nothing is known, as the rules of one playbook see it.
fn nobody(bundle: &Bundle, event: &TypedEvent, at: Timestamp) -> Vec<Seen> {
    let state = CustomerState::new(Arc::clone(bundle.layout()));
    Sight::look(&bundle.playbooks()[0], &state, event, at)
}

fn tickets(c: &mut Criterion) {
    let bundle = tickets::bundle();
    let playbook = &bundle.playbooks()[0];
    let events = tickets::typed(&bundle);
    let at = "2026-11-22T10:00:00Z".parse().unwrap();
    let seen: Vec<Vec<Seen>> = events.iter().map(|event| nobody(&bundle, event, at)).collect();
    let mut group = c.benchmark_group("rules/tickets");
    group.throughput(Throughput::Elements(events.len() as u64));
    let texts: Vec<Vec<&str>> = events
        .iter()
        .map(|event| event.attributes.iter().flatten().filter_map(|value| value.as_text()).collect())
        .collect();
    let mut lower = String::new();
    group.bench_function("floor: lower case", |b| {
        b.iter(|| {
            for text in texts.iter().flatten() {
                lower.clear();
                lower.push_str(text);
                lower.make_ascii_lowercase();
                black_box(&lower);
            }
        });
    });
    let mut scratch = Scratch::default();
    group.bench_function(format!("first of {}", playbook.rules.rules().len()), |b| {
        b.iter(|| {
            for (event, seen) in events.iter().zip(&seen) {
                let sight = Sight::new(playbook, event, at, seen).unwrap();
                black_box(playbook.rules.first(&sight, &mut scratch));
            }
        });
    });
    group.finish();
}

/// Forty rules that differ in their bounds; the events of [`orders`] match one of the last few, or none.
fn conditions() -> Vec<String> {
    let countries = ["de", "fr", "us", "nl"];
    (0..40)
        .map(|n| format!("event.country == '{}' && event.total > {} && event.items < {}", countries[n % 4], 40 - n, n))
        .collect()
}

fn forty_rules() -> Bundle {
    let mut playbook = String::from("playbook = \"p\"\non = [\"order\"]\n[outcome]\nx = \"int\"\n");
    for (n, condition) in conditions().iter().enumerate() {
        playbook += &format!("[[rules]]\nid = \"r{n}\"\nwhen = \"{condition}\"\nthen = {{ x = {n} }}\n");
    }
    playbook += "[default]\nthen = { x = 0 }\n";
    let mut sources = Sources::default();
    sources
        .insert("context.toml", "[events.order]\ncountry = ['de', 'fr', 'us', 'nl']\ntotal = 'int'\nitems = 'int'\n");
    sources.insert("playbooks/p.toml", playbook);
    Bundle::compile(sources).unwrap()
}

/// Country, total, items.
fn orders() -> Vec<(&'static str, i64, i64)> {
    (0..100).map(|n| (["de", "fr", "us", "nl"][n % 4], (n as i64 * 7) % 60, 20 + (n as i64 * 3) % 25)).collect()
}

fn forty(c: &mut Criterion) {
    let bundle = forty_rules();
    let playbook = &bundle.playbooks()[0];
    let at = "2026-11-22T10:00:00Z".parse().unwrap();
    let typed = |(country, total, items): (&str, i64, i64)| {
        let event = forthwith::Event::new("1", "shop", "order", "ann").with("country", country);
        bundle.layout().accept(event.with("total", total).with("items", items)).unwrap()
    };
    let events: Vec<TypedEvent> = orders().into_iter().map(typed).collect();
    let mut group = c.benchmark_group("rules/forty");
    group.throughput(Throughput::Elements(events.len() as u64));
    let programs: Vec<Program> = conditions().iter().map(|text| Program::compile(text).unwrap()).collect();
    let contexts: Vec<Context<'_, '_>> = orders()
        .into_iter()
        .map(|(country, total, items)| {
            let mut context = Context::default();
            let event = serde_json::json!({ "country": country, "total": total, "items": items });
            context.add_variable("event", event).unwrap();
            context
        })
        .collect();
    group.bench_function("peer: cel interpreter", |b| {
        b.iter(|| {
            for context in &contexts {
                black_box(programs.iter().position(|program| program.execute(context) == Ok(true.into())));
            }
        });
    });
    let mut scratch = Scratch::default();
    group.bench_function("first of 40", |b| {
        b.iter(|| {
            for event in &events {
                let sight = Sight::new(playbook, event, at, &[]).unwrap();
                black_box(playbook.rules.first(&sight, &mut scratch));
            }
        });
    });
    group.finish();
    // What is timed is the same on both sides.
    for (event, context) in events.iter().zip(&contexts) {
        let sight = Sight::new(playbook, event, at, &[]).unwrap();
        let expected = programs.iter().position(|program| program.execute(context) == Ok(true.into()));
        assert_eq!(playbook.rules.first(&sight, &mut scratch).rule, expected);
    }
}

/// The sizes of `scale`. Above the first few the loops take minutes.
fn sizes() -> impl Iterator<Item = usize> {
    let max = std::env::var("RULES_MAX").ok().and_then(|max| max.replace('_', "").parse().ok()).unwrap_or(1_000);
    [10, 100, 1_000, 10_000, 100_000].into_iter().filter(move |size| *size <= max)
}

/// The most rules for which the interpreter is asked: 10,000 take it milliseconds.
const CEL_MAX: usize = 1_000;

fn scale(c: &mut Criterion) {
    for (family, size) in Family::ALL.into_iter().flat_map(|family| sizes().map(move |size| (family, size))) {
        let workload = Workload::new(family, size);
        let mut group = c.benchmark_group(format!("rules/{}/{size}", family.name()));
        group.sampling_mode(SamplingMode::Flat).sample_size(20);
        first(&mut group, &workload);
        floor(&mut group, &workload);
        if size <= CEL_MAX {
            interpreter(&mut group, &workload);
        }
        group.finish();
    }
}

/// Checks the answers of someone who decides and then times as many decisions as should be: of one who reads rule after
/// rule fewer than there are events.
fn compare(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    expected: &[Option<usize>],
    mut decide: impl FnMut(usize) -> Option<usize>,
) {
    for (nth, expected) in expected.iter().enumerate() {
        assert_eq!(decide(nth), *expected, "{name}, event {nth}");
    }
    group.throughput(Throughput::Elements(expected.len() as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            for nth in 0..expected.len() {
                black_box(decide(nth));
            }
        });
    });
}

fn first(group: &mut BenchmarkGroup<'_, WallTime>, workload: &Workload) {
    let texts = subject::texts(&workload.rules);
    let mut subject = Subject::new(subject::load(&texts), &workload.events);
    compare(group, "first", &workload.expected, |nth| subject.first(nth));
    if workload.rules.len() <= subject::EXPLAINED_MAX {
        let events = (100_000 / workload.rules.len()).clamp(100, workload.events.len());
        compare(group, subject::EXPLAINED, &workload.expected[..events], |nth| subject.first_explained(nth));
    }
}

fn floor(group: &mut BenchmarkGroup<'_, WallTime>, workload: &Workload) {
    let lowered = LoweredRules::new(&workload.rules);
    let worded: Vec<WordedEvent> = workload.events.iter().map(WordedEvent::new).collect();
    let events = (10_000_000 / workload.rules.len()).clamp(500, workload.events.len());
    compare(group, "floor: linear scan", &workload.expected[..events], |nth| lowered.first(&worded[nth]));
}

fn interpreter(group: &mut BenchmarkGroup<'_, WallTime>, workload: &Workload) {
    let programs = linear_cel::load(&linear_cel::texts(&workload.rules));
    let events = (300_000 / workload.rules.len()).clamp(300, workload.events.len());
    let linear = LinearCel::new(programs, &workload.events[..events]);
    compare(group, "peer: cel interpreter", &workload.expected[..events], |nth| linear.first(nth));
}

criterion_group!(benches, tickets, forty, scale);
criterion_main!(benches);
