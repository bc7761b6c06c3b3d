//! Drives the Forthwith engine as hard as it goes and tells what it saw.
//!
//! Every run has a floor in it: the least that anything doing the same job would have to do, driven by the same callers
//! on the same machine in the same minutes. Absolute figures say what this machine did today; the ratio says what the
//! engine adds. Rounds of floor and engine take turns, so that a slow minute of the machine falls on both.
//!
//! The loop is closed where throughput is measured: a caller makes its next call when it has the answer to the last. So the
//! figures say how much the engine can do and how long a call takes at that load; they do not say what callers see who arrive
//! at their own pace. Where large models are asked it is open: every call has its time, and latencies are counted from it.
//!
//! | file | noun |
//! |---|---|
//! | `args` | commands and options |
//! | `answers` | what a check sees of each answer |
//! | `subject` | the engine, started and warm |
//! | `workload`, `spread` | which event of which customer comes next |
//! | `closed_loop` | callers and their clock |
//! | `in_process`, `over_http` | the engine, driven |
//! | `bare_cell`, `bare_commit` | floors |
//! | `open_loop` | calls at a steady pace |
//! | `asking` | an engine that asks large models, and their providers |
//! | `slow_agent`, `large_tier` | large models that are slow; what asking one takes |
//! | `checks` | checks of every answer, and of the journal in the end |
//! | `cross_check` | our driver beside wrk |
//! | `knee` | the highest rate at which a promise holds, by search |
//! | `report` | what people read |
//! | `outcome/`, `reports/` | what a run came to; how it is told, drawn and compared |

mod answers;
mod args;
#[allow(dead_code, unused_imports, reason = "the runs that use it come next")]
mod checks;
mod clock;
mod cross_check;
#[allow(dead_code)]
mod driving;
mod floors;
#[allow(dead_code, unused_imports, reason = "the command that runs it comes next")]
mod knee;
#[allow(dead_code, unused_imports, reason = "the runs that fill it come next")]
mod outcome;
#[allow(dead_code)]
mod population;
mod report;
#[allow(dead_code, unused_imports, reason = "the runs that call it come next")]
mod reports;
#[allow(dead_code)]
mod scenario;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use floors::{in_process, large_tier, over_http, slow_agent};

/// The allocator of the `forthwith` command, so that the figures are its figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.command {
        Command::Engine(run) => in_process::run(run),
        Command::Http(run) => over_http::run(run),
        Command::SlowAgent(run) => slow_agent::run(run),
        Command::LargeTier(run) => large_tier::run(run),
        Command::CrossCheck(run) => cross_check::run(run).and_then(|agrees| {
            anyhow::ensure!(agrees, "our driver and wrk do not agree");
            Ok(())
        }),
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::failed(&error);
            ExitCode::FAILURE
        }
    }
}
