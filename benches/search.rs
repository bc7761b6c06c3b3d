//! Searching a hundred million decisions by their terms: how long a page takes, and how many bytes the index has.
//!
//! ```sh
//! cargo bench --bench search                              # 100 M decisions: some minutes, 8 GB in a temporary folder
//! cargo bench --bench search -- --decisions 10000000
//! cargo bench --bench search -- --test                    # everything small: does it run?
//! ```
//!
//! A segment has 160,000 records, as one of 64 MiB has of real decisions. The records are short (the number of the decision,
//! from which its terms follow), so that the disk holds them; the files of the index are those of real ones.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a bench has a clock, talks to its caller and stops where it cannot go on"
)]

mod figures;
mod searching;

/// The allocator of the `forthwith` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    searching::run(&searching::Args::read());
}
