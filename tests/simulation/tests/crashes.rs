//! The core under faults, by seed: slow and failed syncs, a full disk, a store that does not answer, turns that panic, and the
//! power gone between any two steps. After each, the ordinary code opens what is left, and everything that was acknowledged
//! is there once, nothing was invented, and every state is what its records make it.
//!
//! `SIMULATION_SEEDS` says how many seeds are told, `SIMULATION_SEED` tells one.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "the seed that fails is what a reader needs")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use forthwith_simulation::actor::simulation::{Told, tell};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} should be a number")))
}

fn tell_in_a_folder(seed: u64) -> Told {
    let folder = tempfile::tempdir().unwrap();
    tell(seed, folder.path())
}

#[test]
fn what_was_acknowledged_survives_and_nothing_is_invented() {
    let (first, count) = match number("SIMULATION_SEED") {
        Some(seed) => (seed, 1),
        None => (0, number("SIMULATION_SEEDS").unwrap_or(200)),
    };
    let (next, failed) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    let total = Mutex::new(Told::default());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || !failed.lock().unwrap().is_empty() {
                        return;
                    }
                    match catch_unwind(AssertUnwindSafe(|| tell_in_a_folder(seed))) {
                        Ok(told) => add(&mut total.lock().unwrap(), told),
                        Err(_) => failed.lock().unwrap().push(seed),
                    }
                }
            });
        }
    });
    for seed in failed.into_inner().unwrap() {
        panic!(
            "seed {seed} fails; the reason stands above. Again:\n    \
             SIMULATION_SEED={seed} cargo test -p forthwith-simulation --test crashes"
        );
    }
    let total = total.into_inner().unwrap();
    println!("{count} seeds: {total:?}");
    assert!(count < 100 || (total.crashes > count && total.acknowledged > count), "something was put to the test");
}

fn add(total: &mut Told, told: Told) {
    total.lives += told.lives;
    total.crashes += told.crashes;
    total.acknowledged += told.acknowledged;
    total.steps += told.steps;
}
