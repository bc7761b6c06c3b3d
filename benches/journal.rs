//! Group commit beside a bare append and `fdatasync`, and the bytes of a decision on disk.
//!
//! ```sh
//! cargo bench --bench journal                          # 1, 8, 64 and 512 turns that wait
//! cargo bench --bench journal -- --waiting 64 --rounds 9
//! cargo bench --bench journal -- --test                # everything small: does it run?
//! ```
//!
//! The records are those of the shipped sample tickets. The floor writes the same bytes into a file that was zeroed ahead of
//! time: one thread, one write and one `fdatasync` for all that wait. It has no checksums, no chain, no index, no tree, no
//! segments and no recovery.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a bench has a clock, talks to its caller and stops where it cannot go on"
)]

mod figures;
#[path = "group_commit/mod.rs"]
mod group_commit;
mod tickets;

/// The allocator of the `forthwith` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    group_commit::run(&group_commit::Args::read());
}
