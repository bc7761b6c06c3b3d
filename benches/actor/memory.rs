//! Bytes of a state in memory and encoded, as it rests in the warm cache and on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use forthwith::bundle::Bundle;
use forthwith::context::CustomerState;
use forthwith::domain::TenantId;
use forthwith::turn::Workspace;
use forthwith::turn::{EventInput, FactsInput, Input, Readings, Run, Surroundings, take};
use forthwith::{Raw, TimeDelta};

use super::args::Args;
use super::ground::Ground;
use super::report;
use crate::tickets;

/// Prints the bytes of several kinds of states.
pub(crate) fn run(_: &Args) {
    let ground = Ground::lay(forthwith::time::Clock::system().wall());
    report::table("Bytes of a state", &["states", "events each", "in memory", "encoded", "of that in memory"]);
    for events in [1, 4, 16] {
        let states: Vec<CustomerState> = (0..1_000).map(|customer| shopper(ground, customer, events)).collect();
        row("orders of a day, three signals", events as f64, &states);
    }
    let tickets = tickets::tickets().len();
    for with_facts in [false, true] {
        let states = ticket_senders(with_facts);
        let name = if with_facts { "shipped tickets, seven facts" } else { "shipped tickets" };
        row(name, tickets as f64 / states.len() as f64, &states);
    }
    report::end();
}

fn row(name: &str, events: f64, states: &[CustomerState]) {
    let hot: usize = states.iter().map(CustomerState::bytes).sum();
    let encoded: usize = states.iter().map(|state| state.encode().len()).sum();
    let each = |bytes: usize| (bytes / states.len()).to_string();
    let ratio = format!("{:.0} %", 100.0 * encoded as f64 / hot as f64);
    report::cells(&[name.to_owned(), format!("{events:.1}"), each(hot), each(encoded), ratio]);
}

/// A customer of the bench's own playbook, with orders spread over a day.
fn shopper(ground: &Ground, customer: u64, events: u64) -> CustomerState {
    let mut state = CustomerState::new(Arc::clone(ground.bundle.layout()));
    for nth in 0..events {
        let ago = TimeDelta::from_micros(TimeDelta::DAY.micros() / events as i64 * (events - nth) as i64);
        let input = ground.input(customer, u64::MAX - customer, nth);
        ground.turn(&mut state, &input, &Readings::at(ground.now.saturating_sub(ago)));
    }
    state
}

/// The customers of the shipped tickets, each ticket at its time.
fn ticket_senders(with_facts: bool) -> Vec<CustomerState> {
    let bundle = tickets::bundle();
    let tenant = TenantId::default();
    let around = Surroundings { bundle: &bundle, tenant: &tenant };
    let mut states: BTreeMap<String, CustomerState> = BTreeMap::new();
    let mut scratch = Workspace::default();
    let mut typed = tickets::typed(&bundle);
    typed.sort_by_key(|event| event.time);
    for event in typed {
        let state = states.entry(event.customer.to_string()).or_insert_with(|| {
            let mut state = CustomerState::new(Arc::clone(bundle.layout()));
            if with_facts {
                let facts = Input::Facts(facts(&bundle, &event));
                let readings = Readings::at(event.time.expect("a sample has a time"));
                take(&mut state, &facts, &readings, around, &mut scratch).expect("a state of this layout");
            }
            state
        });
        let readings = Readings::at(event.time.expect("a sample has a time"));
        let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
        take(state, &input, &readings, around, &mut scratch).expect("a state of this layout");
    }
    states.into_values().collect()
}

/// What a customer system would tell about whoever sent an event.
fn facts(bundle: &Bundle, event: &forthwith::context::TypedEvent) -> FactsInput {
    let told: [(&str, Raw); 7] = [
        ("plan", "business".into()),
        ("region", "eu".into()),
        ("vip", false.into()),
        ("mrr", 480.5.into()),
        ("customer_since", "2021-03-04T10:00:00Z".into()),
        ("kyc", "verified".into()),
        ("churn_risk", "low".into()),
    ];
    let fact = |(name, raw): (&str, Raw)| {
        let number = bundle.layout().fact_number(name).expect("the fact is declared");
        (number, bundle.layout().facts()[number].field.accept(raw).expect("the fact fits"))
    };
    FactsInput {
        customer: event.customer.clone(),
        source: "crm".into(),
        observed_at: event.time.expect("a sample has a time"),
        facts: told.into_iter().map(fact).collect(),
    }
}
