//! A million customers: the same turn on one actor each, on a bare cell each, and on ours.
//!
//! ```sh
//! cargo bench --bench actor                            # turns a second, percentiles, bytes per idle customer
//! cargo bench --bench actor -- memory                  # bytes of a state in memory and encoded
//! cargo bench --bench actor -- reactivation            # how long a resting customer's first turn takes
//! cargo bench --bench actor -- cold --customers 10000000
//! cargo bench --bench actor -- pressure                # twice as many customers at work as may be in memory
//! cargo bench --bench actor -- all --test              # everything, small: does it run?
//! ```
//!
//! The turn is the real one, `forthwith::turn::take`, on the real state by a small playbook, the same typed inputs for all.

#[path = "actor/mod.rs"]
mod actor;
mod allocations;
mod figures;
mod tickets;

use allocations::Counting;

/// The allocator of the `forthwith` command, counted while something is set up.
#[global_allocator]
static ALLOCATOR: Counting<mimalloc::MiMalloc> = Counting(mimalloc::MiMalloc);

fn main() {
    actor::run(&actor::Args::read());
}
