//! The command line: what people type, what they read, and the exit code that scripts read.
//!
//! | file | noun |
//! |---|---|
//! | `args` | commands and options |
//! | `serve`, `adopt`, `check`, `selfcheck`, `explain`, `search`, `repair`, `decide`, `test`, `replay`, `backtest`, `verify`, `packet`, `import`, `export` | the commands |
//! | `metrics` | the reference of all metrics |
//! | `top` | a running engine at a glance |
//! | `train` | training a text model |
//! | `table_file` | tables that are imported and exported |
//! | `rows`, `mapping`, `facts` | input in bulk |
//! | `findings` | what the analysis of rules says |
//! | `summary`, `show` | what people read |
//! | `exit` | exit codes |

mod adopt;
mod args;
mod backtest;
mod check;
mod decide;
mod exit;
mod explain;
mod export;
mod facts;
mod findings;
mod import;
mod mapping;
mod metrics;
mod output;
mod packet;
mod repair;
mod replay;
mod rows;
mod search;
mod selfcheck;
mod serve;
mod show;
mod show_model;
mod summary;
mod table_file;
mod test;
mod top;
mod train;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use exit::Exit;

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are asked for and go to stdout; everything else is a mistake in the command.
            let is_mistake = error.use_stderr();
            let _ = error.print();
            return if is_mistake { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let command = args.command.unwrap_or(Command::Serve);
    let exit = match command {
        Command::Serve => serve::run(&args.place),
        Command::Decide(decide) => decide::run(&args.place, &decide),
        Command::Check(check) => check::run(&args.place, &check),
        Command::Test(test) => test::run(&args.place, &test),
        Command::Selfcheck(asked) => selfcheck::run(&args.place, &asked),
        Command::Search(asked) => search::run(&args.place, &asked),
        Command::Explain(explain) => explain::run(&args.place, &explain),
        Command::Replay(replay) => replay::run(&args.place, &replay),
        Command::Repair(repair) => repair::run(&args.place, &repair),
        Command::Verify(verify) => verify::run(&args.place, &verify),
        Command::Packet(packet) => packet::run(&args.place, &packet),
        Command::Backtest(backtest) => backtest::run(&args.place, &backtest),
        Command::Train(train) => train::run(&train),
        Command::Adopt(adopt) => adopt::run(&adopt),
        Command::Import(import) => import::run(&import),
        Command::Top(asked) => top::run(&asked),
        Command::Export(export) => export::run(&args.place, &export),
        Command::Metrics => metrics::run(),
    };
    exit.into()
}
