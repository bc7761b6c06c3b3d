//! The protocol of cells and registry, on the real types, in every order or in very many: never two owners and never two live
//! activations of a customer, no job lost or done twice, each caller's jobs in its order, and an idle cell has an empty queue.
//!
//! `SIMULATION_ORDERS` says how many orders are tried where there are too many for all.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says how many orders it tried, and stops where it cannot go on"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use forthwith_simulation::actor::simulation::{Cast, Mistake, layout, play};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// One customer who is in memory, one caller with one job, nobody else.
const ALONE: Cast = Cast { callers: 1, jobs: 1, begun: true, rests: 0, abandons: 0, drain: 8, mistake: Mistake::None };

/// Three who meet: two callers with two jobs each and someone who puts the customer to rest.
const CROWD: Cast = Cast { callers: 2, jobs: 2, rests: 2, drain: 1, ..ALONE };

/// More orders than there are of the smallest casts.
const ALL: usize = 2_000_000;

fn orders() -> usize {
    std::env::var("SIMULATION_ORDERS").map_or(10_000, |orders| orders.parse().unwrap())
}

/// What was seen in the runs of a cast.
struct Seen {
    orders: usize,
    /// Activations of the customer beyond one in each order.
    again: usize,
}

fn run(scheduler: impl Scheduler + 'static, cast: Cast) -> Seen {
    let layout = layout();
    let mut config = Config::new();
    config.silence_warnings = true;
    config.stack_size = 1 << 18;
    config.failure_persistence = FailurePersistence::None;
    let activations = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&activations);
    let orders = Runner::new(scheduler, config).run(move || {
        counted.fetch_add(play(cast, &layout), Ordering::Relaxed);
    });
    let again = activations.load(Ordering::Relaxed) - orders;
    println!("{orders} orders, {again} activations after a rest: {cast:?}");
    Seen { orders, again }
}

#[test]
fn a_caller_meets_someone_who_puts_the_customer_to_rest() {
    let seen = run(DfsScheduler::new(Some(ALL), false), Cast { rests: 1, ..ALONE });
    assert!(seen.orders < ALL, "every order was tried");
    assert!(seen.again > 0, "the caller came after the rest, too");
}

#[test]
fn a_caller_meets_someone_who_gives_the_cell_up() {
    let seen = run(DfsScheduler::new(Some(ALL), false), Cast { abandons: 1, ..ALONE });
    assert!(seen.orders < ALL && seen.again > 0, "every order was tried");
}

#[test]
fn two_callers_meet_over_a_customer_who_is_not_in_memory() {
    run(DfsScheduler::new(Some(orders() * 5), false), Cast { callers: 2, begun: false, ..ALONE });
}

#[test]
fn callers_and_rests_crowd_around_one_customer() {
    let seen = [
        run(RandomScheduler::new_from_seed(1, orders()), CROWD),
        run(PctScheduler::new_from_seed(1, 3, orders()), CROWD),
        run(PctScheduler::new_from_seed(2, 5, orders()), Cast { callers: 3, rests: 3, ..CROWD }),
        run(RandomScheduler::new_from_seed(2, orders()), Cast { abandons: 2, ..CROWD }),
    ];
    assert!(seen.iter().all(|seen| seen.again > 0), "the customer came and went in each of them");
}

/// A check that cannot fail is none.
#[test]
fn mistakes_that_were_made_on_purpose_are_found() {
    for mistake in [Mistake::ForgetsFirst, Mistake::StoresLast, Mistake::LooksAway] {
        let small = Cast { rests: 1, mistake, ..ALONE };
        let found = catch_unwind(AssertUnwindSafe(|| run(DfsScheduler::new(Some(ALL), false), small)));
        assert!(found.is_err(), "{mistake:?} was not found");
        let crowd = Cast { mistake, ..CROWD };
        let found = catch_unwind(AssertUnwindSafe(|| run(PctScheduler::new_from_seed(1, 3, 50_000), crowd)));
        assert!(found.is_err(), "{mistake:?} was not found by chance");
    }
}
