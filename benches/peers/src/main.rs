//! Forthwith beside other engines: the same rules and events, in one process, one decision at a time.
//!
//! Every engine's answers are checked against the judge before anything is timed. What is inside a timed decision stands in
//! the README beside this package, and at the head of each engine's file.

#[path = "../../allocations/mod.rs"]
mod allocations;
mod boolean_tree;
#[path = "../../contest/mod.rs"]
mod contest;
#[path = "../../figures/mod.rs"]
mod figures;
#[path = "../../linear_cel/mod.rs"]
mod linear_cel;
#[path = "../../subject/mod.rs"]
mod subject;
#[path = "../../workload/mod.rs"]
mod workload;
mod zen;

use allocations::{Counting, loading};
use boolean_tree::BooleanTree;
use contest::{Args, Contest};
use linear_cel::LinearCel;
use subject::Subject;
use workload::{LoweredRules, WordedEvent, Workload};
use zen::Zen;

/// The same for all: most of the engines allocate in every decision, and this is a quick allocator.
#[global_allocator]
static ALLOCATOR: Counting<mimalloc::MiMalloc> = Counting(mimalloc::MiMalloc);

/// The most rules for which the interpreter is asked: 10,000 take it milliseconds.
const CEL_MAX: usize = 10_000;

/// The most rules for which the tree is built: inserting 100,000 takes it more than a minute.
const TREE_MAX: usize = 10_000;

/// The most rules for which zen is traced: it then reads every row, at 10,000 for milliseconds.
const TRACE_MAX: usize = 10_000;

fn main() {
    let args = Args::read();
    contest::head();
    for (family, size) in args.workloads() {
        let workload = Workload::new(family, size);
        contest::opening(&workload);
        let mut contest = Contest::new(&workload);
        enter_forthwith(&mut contest, &workload);
        enter_zen(&mut contest, &workload);
        if size <= TREE_MAX {
            let texts = boolean_tree::texts(&workload.rules);
            let (tree, load) = loading(|| boolean_tree::load(&texts));
            let tree = BooleanTree::new(tree, &workload.events);
            contest.enter("a-tree", Some(load), Box::new(move |nth| tree.first(nth)));
        }
        if size <= CEL_MAX {
            let texts = linear_cel::texts(&workload.rules);
            let (programs, load) = loading(|| linear_cel::load(&texts));
            let linear = LinearCel::new(programs, &workload.events);
            contest.enter("cel, linear", Some(load), Box::new(move |nth| linear.first(nth)));
        }
        contest.run(args.plan);
    }
}

fn enter_forthwith<'a>(contest: &mut Contest<'a>, workload: &'a Workload) {
    let (rules, events) = (&workload.rules, &workload.events);
    let texts = subject::texts(rules);
    let (bundle, load) = loading(|| subject::load(&texts));
    let mut subject = Subject::new(bundle, events);
    contest.enter("forthwith", Some(load), Box::new(move |nth| subject.first(nth)));

    let mut subject = Subject::new(subject::load(&texts), events);
    contest.enter(subject::EXPLAINED, None, Box::new(move |nth| subject.first_explained(nth)));

    let (lowered, load) = loading(|| LoweredRules::new(rules));
    let worded: Vec<WordedEvent> = events.iter().map(WordedEvent::new).collect();
    contest.enter("floor: linear scan", Some(load), Box::new(move |nth| lowered.first(&worded[nth])));
}

fn enter_zen<'a>(contest: &mut Contest<'a>, workload: &'a Workload) {
    let text = workload::decision_table(&workload.rules);
    let (decision, load) = loading(|| zen::load(&text));
    let zen = Zen::new(decision, &workload.events);
    contest.enter("zen-engine", Some(load), Box::new(move |nth| zen.first(nth, false)));
    if workload.rules.len() <= TRACE_MAX {
        let zen = Zen::new(zen::load(&text), &workload.events);
        contest.enter("zen-engine, traced", None, Box::new(move |nth| zen.first(nth, true)));
    }
}
