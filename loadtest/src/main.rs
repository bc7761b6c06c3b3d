//! Drives a Forthwith engine as hard as it goes, or as hard as it is told, and tells what it saw.
//!
//! A scenario says what is asked of an engine, at what pace, and what happens to it meanwhile. It is run on an engine in this process,
//! on one in a process of its own, or on one that runs already. Calls that have their times are made at their times, whether or not
//! those before them have been answered, and latencies count from when a call was due; the driver measures how late it is itself.
//!
//! | folder or file | noun |
//! |---|---|
//! | `args/` | commands and options |
//! | `scenario/` | what is to be done, as data |
//! | `population/` | which event of which customer comes next |
//! | `target/` | the engine that is driven |
//! | `driving/` | calls at their times |
//! | `answers` | what a check sees of each answer |
//! | `checks/` | checks of every answer and of the journal |
//! | `run/` | a run from beginning to end |
//! | `knee/` | the highest rate at which a promise holds, by search |
//! | `cross_check/` | our driver beside wrk |
//! | `outcome/`, `reports/` | what a run came to; how it is told, drawn and compared |
//! | `floors/` | the engine beside the least that anything doing the same job would have to do |
//! | `report` | tables and lines for people |
//! | `clock` | the driver's own clock |

mod answers;
mod args;
mod checks;
mod clock;
mod cross_check;
mod driving;
mod floors;
mod knee;
mod outcome;
mod population;
mod report;
mod reports;
mod run;
mod scenario;
mod target;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use floors::{in_process, large_tier, over_http, slow_agent};
use run::Ended;

/// The allocator of the `forthwith` command, so that the figures are its figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.command {
        Command::Run(run) => run::run(run),
        Command::Scenarios => run::list().map(|()| Ended::Passed),
        Command::Engine(run) => in_process::run(run).map(|()| Ended::Passed),
        Command::Http(run) => over_http::run(run).map(|()| Ended::Passed),
        Command::SlowAgent(run) => slow_agent::run(run).map(|()| Ended::Passed),
        Command::LargeTier(run) => large_tier::run(run).map(|()| Ended::Passed),
        Command::Knee(run) => knee::run(run),
        Command::CrossCheck(run) => cross_check::run(run).map(Ended::of),
        Command::Report(file) => reports::report(file).map(Ended::of),
        Command::Compare(files) => reports::compare_files(files).map(Ended::of),
        Command::Serve(serve) => target::serve(serve).map(|()| Ended::Passed),
    };
    match done {
        Ok(ended) => ended.into(),
        Err(error) => {
            report::failed(&error);
            ExitCode::FAILURE
        }
    }
}
