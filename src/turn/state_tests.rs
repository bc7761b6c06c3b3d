//! States as turns leave them: signals whose events are repeated, and how long the stored form is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::bundle::{Bundle, Sources};
use crate::context::CustomerState;
use crate::decider::Workspace;
use crate::domain::{CustomerId, Event, Raw, TenantId, TimeDelta, Timestamp, Value};

const EVERY_KIND: &str = r#"
[events.purchase]
amount   = { type = "decimal", min = 0 }
category = ["books", "food", "toys"]

[events.login]

[facts]
plan = { one_of = ["free", "pro"], retain = "730d" }

[signals]
purchases    = { count = "purchase", over = "1h", partial = true }
spent        = { sum = "amount", of = "purchase", over = "1h", partial = true }
smallest     = { min = "amount", of = "purchase", over = "1h", partial = true }
largest      = { max = "amount", of = "purchase", over = "1h", partial = true }
mean         = { mean = "amount", of = "purchase", over = "1h", partial = true }
last         = { last = "category", of = "purchase" }
latest       = { last_n = "category", of = "purchase", n = 5 }
categories   = { distinct = "category", of = "purchase", over = "1h", partial = true }
heat         = { decayed = "purchase", half_life = "30m", partial = true }
same         = { count = "purchase", over = "1h", by = "category", partial = true }

[recent]
attributes = ["category"]
"#;

const PLAYBOOK: &str = "playbook = 'p'\non = ['purchase']\n[outcome]\nx = 'int'\n[default]\nthen = { x = 1 }\n";

fn bundle_of(context: &str) -> Bundle {
    let mut sources = Sources::default();
    sources.insert("context.toml", context);
    sources.insert("playbooks/p.toml", PLAYBOOK);
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

fn start() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

fn purchase(id: usize, time: Timestamp, amount: i64, category: usize) -> Event {
    let event = Event::new(format!("o-{id}"), "shop", "purchase", "ann").at(time);
    event.with("amount", amount).with("category", ["books", "food", "toys"][category])
}

fn turn(state: &mut CustomerState, bundle: &Bundle, event: Event, arrival: Timestamp) -> Taken {
    let event = bundle.layout().accept(event).unwrap();
    let input = Input::Event(EventInput { event, run: Run::Subscribed, trace: None });
    let tenant = TenantId::default();
    take(state, &input, &Readings::at(arrival), Surroundings { bundle, tenant: &tenant }, &mut Workspace::default())
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Queues deliver twice and out of order: each event counts once, by its own time.
    #[test]
    fn repetitions_count_once(
        events in prop::collection::vec((0_i64..3_000, 0_i64..100, 0_usize..3), 1..20),
        again in prop::collection::vec((0_usize..20, 0_usize..20), 0..20),
    ) {
        let bundle = bundle_of(EVERY_KIND);
        let mut order: Vec<usize> = (0..events.len()).collect();
        for (what, place) in again {
            order.insert(place.min(order.len()), what.min(events.len() - 1));
        }
        let after = |seconds: i64| start().saturating_add(TimeDelta::from_micros(seconds * TimeDelta::SECOND.micros()));
        let mut state = CustomerState::new(Arc::clone(bundle.layout()));
        for (nth, event) in order.iter().enumerate() {
            let (seconds, amount, category) = events[*event];
            let is_known = order[..nth].contains(event);
            let taken = turn(&mut state, &bundle, purchase(*event, after(seconds), amount, category), after(3_000));
            prop_assert_eq!(matches!(taken, Taken::Repeated(_)), is_known);
        }
        let asked = bundle.layout().accept(purchase(99, after(3_000), 1, 1)).unwrap();
        let said: HashMap<&str, _> = bundle.layout().signals().iter().enumerate().map(|(number, signal)| {
            (&*signal.name, state.signal_for(number, Some(&asked), after(3_000), after(3_000)))
        }).collect();
        let amounts = || events.iter().map(|(_, amount, _)| *amount);
        let decimal = |whole: i64| Ok(Value::Decimal(crate::domain::Decimal::from_int(whole).unwrap()));
        prop_assert_eq!(&said["purchases"], &Ok(Value::Int(events.len() as i64)));
        prop_assert_eq!(&said["spent"], &decimal(amounts().sum()));
        prop_assert_eq!(&said["smallest"], &decimal(amounts().min().unwrap()));
        prop_assert_eq!(&said["largest"], &decimal(amounts().max().unwrap()));
        let food = events.iter().filter(|(.., category)| *category == 1).count();
        prop_assert_eq!(&said["same"], &Ok(Value::Int(food as i64)));
        prop_assert_eq!(state.recent(after(3_000)).count(), events.len().min(8));
    }

    /// Whatever the bytes of a stored state say, reading them ends, and ends in a state or an error.
    #[test]
    fn strange_bytes_are_no_state_or_one(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        flips in prop::collection::vec((0_usize..400, any::<u8>()), 1..4),
        cut in 0_usize..400,
    ) {
        let bundle = bundle_of(EVERY_KIND);
        let mut state = CustomerState::new(Arc::clone(bundle.layout()));
        for nth in 0..4 {
            turn(&mut state, &bundle, purchase(nth, start(), 5, nth % 3), start());
        }
        let mut damaged = state.encode();
        prop_assert!(CustomerState::decode(&damaged[..cut.min(damaged.len() - 1)], bundle.layout()).is_ok_and(|s| s.last_seq == 0)
            || CustomerState::decode(&damaged[..cut.min(damaged.len() - 1)], bundle.layout()).is_err());
        for (at, byte) in flips {
            let at = at % damaged.len();
            damaged[at] ^= byte;
        }
        for bytes in [bytes.clone(), [&[2][..], &bytes].concat(), damaged] {
            if let Ok(state) = CustomerState::decode(&bytes, bundle.layout()) {
                let _ = (state.bytes(), state.encode(), state.next_expiry());
            }
        }
    }
}

/// The shipped configuration after all of its samples, and a signal of each kind.
#[test]
fn a_stored_state_is_well_below_a_hot_one() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let bundle = crate::config::Config::load_bundle(&folder).unwrap();
    let mut states: BTreeMap<String, CustomerState> = BTreeMap::new();
    let mut newest = start();
    for line in include_str!("../../config/samples/tickets.jsonl").lines() {
        let mut ticket: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| ticket[name].as_str().unwrap().to_owned();
        let mut event = Event::new(text("id"), text("source"), text("type"), text("subject"));
        let time: Timestamp = text("time").parse().unwrap();
        event = event.at(time);
        newest = newest.max(time);
        let data: BTreeMap<String, Raw> = serde_json::from_value(ticket["data"].take()).unwrap();
        event.data = data.into_iter().collect();
        let new = || CustomerState::new(Arc::clone(bundle.layout()));
        turn(states.entry(event.customer.clone()).or_insert_with(new), &bundle, event, time);
    }
    for line in include_str!("../../config/samples/customers.jsonl").lines() {
        let customer: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(state) = states.get_mut(customer["customer"].as_str().unwrap()) else { continue };
        let told: BTreeMap<String, Raw> = serde_json::from_value(customer["facts"].clone()).unwrap();
        let typed = told.into_iter().map(|(name, raw)| {
            let number = bundle.layout().fact_number(&name).unwrap();
            (number, bundle.layout().facts()[number].field.accept(raw).unwrap())
        });
        let facts = FactsInput {
            customer: CustomerId::new("c").unwrap(),
            source: "crm".into(),
            observed_at: newest,
            facts: typed.collect(),
        };
        let tenant = TenantId::default();
        let around = Surroundings { bundle: &bundle, tenant: &tenant };
        take(state, &Input::Facts(facts), &Readings::at(newest), around, &mut Workspace::default()).unwrap();
    }
    let every = bundle_of(EVERY_KIND);
    let mut kinds = CustomerState::new(Arc::clone(every.layout()));
    for nth in 0..12 {
        let at = start().saturating_add(TimeDelta::from_micros(nth as i64 * 5 * TimeDelta::MINUTE.micros()));
        turn(&mut kinds, &every, purchase(nth, at, 20 + nth as i64, nth % 3), at);
    }
    let mut idle = CustomerState::new(Arc::clone(bundle.layout()));
    idle.conform(bundle.layout(), start()).unwrap();
    let samples = |size: fn(&CustomerState) -> usize| states.values().map(size).sum::<usize>() / states.len();
    let sizes = [
        ("nobody", idle.bytes(), idle.encode().len()),
        ("a customer of the samples", samples(CustomerState::bytes), samples(|state| state.encode().len())),
        ("a signal of each kind", kinds.bytes(), kinds.encode().len()),
    ];
    for (what, hot, stored) in sizes {
        assert!(stored * 100 < hot * 60, "{what}: {hot} bytes hot, {stored} stored");
    }
}
