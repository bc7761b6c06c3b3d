//! The rule tier at scale, one decision at a time: percentiles, the cost of loading, and memory.
//!
//! `cargo bench --bench rules_percentiles -- --family keyed --rules 10000,100000`. The first match of Forthwith beside the
//! floor and the `cel` crate's interpreter, both of which read rule after rule. Other engines are in `benches/peers`.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

mod allocations;
mod contest;
mod figures;
mod linear_cel;
mod subject;
mod workload;

use std::alloc::System;

use allocations::{Counting, loading};
use contest::{Args, Contest};
use linear_cel::LinearCel;
use subject::Subject;
use workload::{LoweredRules, WordedEvent, Workload};

#[global_allocator]
static ALLOCATOR: Counting<System> = Counting(System);

/// The most rules for which the interpreter is asked: 10,000 take it milliseconds.
const CEL_MAX: usize = 10_000;

/// The most rules for which the change is looked for that would make another rule decide.
const NEAREST_MAX: usize = 10_000;

fn main() {
    let args = Args::read();
    contest::head();
    for (family, size) in args.workloads() {
        let workload = Workload::new(family, size);
        contest::opening(&workload);
        run(&workload, &args);
    }
}

fn run(workload: &Workload, args: &Args) {
    let (rules, events) = (&workload.rules, &workload.events);
    let mut contest = Contest::new(workload);

    let texts = subject::texts(rules);
    let (bundle, load) = loading(|| subject::load(&texts));
    let mut subject = Subject::new(bundle, events);
    println!("forthwith's index holds {:.2} MiB", subject.index_bytes() as f64 / f64::from(1 << 20));
    contest.enter("forthwith", Some(load), Box::new(move |nth| subject.first(nth)));

    let mut subject = Subject::new(subject::load(&texts), events);
    contest.enter(subject::EXPLAINED, None, Box::new(move |nth| subject.first_explained(nth)));

    if rules.len() <= NEAREST_MAX {
        let mut subject = Subject::new(subject::load(&texts), events);
        contest.enter("nearest change", None, Box::new(move |nth| subject.nearest_change(nth)));
    }

    let (lowered, load) = loading(|| LoweredRules::new(rules));
    let worded: Vec<WordedEvent> = events.iter().map(WordedEvent::new).collect();
    contest.enter("floor: linear scan", Some(load), Box::new(move |nth| lowered.first(&worded[nth])));

    if rules.len() <= CEL_MAX {
        let texts = linear_cel::texts(rules);
        let (programs, load) = loading(|| linear_cel::load(&texts));
        let linear = LinearCel::new(programs, events);
        contest.enter("cel, linear", Some(load), Box::new(move |nth| linear.first(nth)));
    }
    contest.run(args.plan);
}
