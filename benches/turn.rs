//! A whole turn, without the journal: typing the event, folding, deciding, guarding, entering, writing the record.
//!
//! The floor of the turn is the question to the rules alone, which is what nobody can leave out; the floor of the record is
//! copying its bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops where it cannot go on")]

mod tickets;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use forthwith::bundle::Bundle;
use forthwith::context::CustomerState;
use forthwith::decider::Sight;
use forthwith::domain::TenantId;
use forthwith::turn::Workspace;
use forthwith::turn::{EventInput, Input, Readings, RecordBuffer, Run, Surroundings, Taken, Turn, Written, take};

fn inputs(bundle: &Bundle) -> Vec<Input> {
    let input = |event| Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
    tickets::typed(bundle).into_iter().map(input).collect()
}

/// The turns of customers who are new, each on one ticket.
fn turns(c: &mut Criterion) {
    let bundle = tickets::bundle();
    let tenant = TenantId::default();
    let around = Surroundings { bundle: &bundle, tenant: &tenant };
    let readings = Readings::at("2026-11-22T10:00:00Z".parse().unwrap());
    let (events, inputs) = (tickets::tickets(), inputs(&bundle));
    let fresh =
        || -> Vec<CustomerState> { inputs.iter().map(|_| CustomerState::new(Arc::clone(bundle.layout()))).collect() };
    let mut scratch = Workspace::default();
    let mut group = c.benchmark_group("turn/tickets");
    group.throughput(Throughput::Elements(inputs.len() as u64));

    group.bench_function("typing", |b| {
        let type_all = |events: Vec<_>| {
            for event in events {
                let _ = black_box(bundle.layout().accept(event));
            }
        };
        b.iter_batched(|| events.clone(), type_all, BatchSize::SmallInput);
    });

    let playbook = &bundle.playbooks()[0];
    let nobody = CustomerState::new(Arc::clone(bundle.layout()));
    group.bench_function("floor: rules alone", |b| {
        b.iter(|| {
            for input in &inputs {
                let Input::Event(input) = input else { continue };
                let seen = Sight::look(playbook, &nobody, &input.event, readings.arrival);
                let sight = Sight::new(playbook, &input.event, readings.arrival, &seen).unwrap();
                black_box(playbook.rules.judge(&sight, &mut scratch.rules));
            }
        });
    });

    group.bench_function("turn", |b| {
        let take_all = |mut states: Vec<CustomerState>| {
            for (state, input) in states.iter_mut().zip(&inputs) {
                black_box(take(state, input, &readings, around, &mut scratch).expect("a state of this layout"));
            }
            states
        };
        b.iter_batched(fresh, take_all, BatchSize::SmallInput);
    });

    let taken = inputs.iter().zip(fresh()).map(|(input, mut state)| {
        match take(&mut state, input, &readings, around, &mut Workspace::default()).expect("a state of this layout") {
            Taken::Turn(turn) => (input, turn),
            other => unreachable!("a new event makes a turn, not {other:?}"),
        }
    });
    let taken: Vec<(&Input, Turn)> = taken.collect();
    let written = |input, turn| Written { tenant: &tenant, bundle_seq: 1, input, turn };
    let mut buffer = RecordBuffer::default();
    let records: Vec<Vec<u8>> = taken.iter().map(|(input, turn)| buffer.write(written(input, turn)).to_vec()).collect();
    let mut copy = Vec::new();
    group.bench_function("floor: a record's bytes copied", |b| {
        b.iter(|| {
            for record in &records {
                copy.clear();
                copy.extend_from_slice(record);
                black_box(&copy);
            }
        });
    });
    group.bench_function("record", |b| {
        b.iter(|| {
            for (input, turn) in &taken {
                black_box(buffer.write(written(input, turn)));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, turns);
criterion_main!(benches);
