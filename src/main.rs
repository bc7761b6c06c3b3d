//! The `forthwith` command.

use std::process::ExitCode;

/// Measured with it: decisions allocate a few small texts each, which it serves faster than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    forthwith::cli::main()
}
