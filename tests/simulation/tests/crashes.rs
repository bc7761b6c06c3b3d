//! The core under faults, by seed: slow and failed syncs, a full disk, a store that does not answer, turns that panic, and the
//! power gone between any two steps. After each, the ordinary code opens what is left, and everything that was acknowledged
//! is there once, nothing was invented, and every state is what its records make it.
//!
//! `SIMULATION_SEEDS` says how many seeds are told, `SIMULATION_SEED` tells one.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it saw, and stops where it cannot go on"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use forthwith_simulation::actor::simulation::{Disk, Told, tell};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} should be a number")))
}

/// Tells seeds on as many threads as there are cores until one fails. Returns what the others were, and the one.
fn tell_all(seeds: std::ops::Range<u64>, disk: Disk) -> (Vec<Told>, Option<u64>) {
    let (next, failed, all) = (AtomicU64::new(seeds.start), Mutex::new(None), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_none() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let folder = tempfile::tempdir().unwrap();
                    match catch_unwind(AssertUnwindSafe(|| tell(seed, folder.path(), disk))) {
                        Ok(told) => all.lock().unwrap().push(told),
                        Err(_) => *failed.lock().unwrap() = Some(seed),
                    }
                }
            });
        }
    });
    (all.into_inner().unwrap(), failed.into_inner().unwrap())
}

#[test]
fn what_was_acknowledged_survives_and_nothing_is_invented() {
    let (first, count) = match number("SIMULATION_SEED") {
        Some(seed) => (seed, 1),
        None => (0, number("SIMULATION_SEEDS").unwrap_or(200)),
    };
    let (all, failed) = tell_all(first..first + count, Disk::Honest);
    if let Some(seed) = failed {
        panic!(
            "seed {seed} fails; the reason stands above. Again:\n    \
             SIMULATION_SEED={seed} cargo test -p forthwith-simulation --test crashes what_was -- --nocapture"
        );
    }
    let sum = |what: fn(&Told) -> u64| all.iter().map(what).sum::<u64>();
    let counts = [
        ("lives", sum(|told| told.lives)),
        ("crashes", sum(|told| told.crashes)),
        ("turns", sum(|told| told.turns)),
        ("acknowledged", sum(|told| told.acknowledged)),
        ("queued", sum(|told| told.queued)),
        ("panicked", sum(|told| told.panics)),
        ("put to rest", sum(|told| told.rests)),
        ("back from the cache", sum(|told| told.warm)),
        ("back from the store", sum(|told| told.cold)),
        ("stored", sum(|told| told.stored)),
        ("recovered behind", sum(|told| told.recovered)),
        ("steps", sum(|told| told.steps)),
    ];
    println!("{} seeds: {counts:?}", all.len());
    if count >= 100 {
        let idle: Vec<&str> = counts.iter().filter(|(_, number)| *number < count / 20).map(|(what, _)| *what).collect();
        assert!(idle.is_empty(), "hardly put to the test: {idle:?}");
    }
}

#[test]
fn a_seed_tells_the_same_story_every_time() {
    for seed in [3, 14, 15] {
        let [first, again] = [(), ()].map(|()| tell_all(seed..seed + 1, Disk::Honest).0);
        assert_eq!(first, again, "seed {seed}");
    }
}

/// A check that cannot fail is none: on a disk that says it has synced and has not, acknowledged turns are lost.
#[test]
fn a_lie_of_the_disk_is_found_out() {
    let (_, found) = tell_all(0..200, Disk::Lying);
    assert!(found.is_some(), "turns that were acknowledged without being durable were not missed");
}
