//! Starts after a stop in good order, a crash and the loss of the store: when the first decision is given, and when everything is
//! recovered.
//!
//! ```sh
//! cargo bench --bench recovery                                    # 100,000 customers, 1,000,000 records
//! cargo bench --bench recovery -- --customers 1000000 --records 10000000
//! cargo bench --bench recovery -- --test                          # everything small: does it run?
//! ```
//!
//! The records are turns on the shipped sample tickets, taken by the engine's own customers. The floor reads the same segments and
//! makes a checksum of every byte, on as many threads, and does nothing else.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a bench has a clock, talks to its caller and stops where it cannot go on"
)]

mod figures;
#[path = "restart/mod.rs"]
mod restart;
mod tickets;

/// The allocator of the `forthwith` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    restart::run(&restart::Args::read());
}
