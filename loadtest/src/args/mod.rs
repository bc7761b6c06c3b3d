//! Commands and options.
//!
//! | file | noun |
//! |---|---|
//! | `run` | options of runs of scenarios |
//! | `cross_check` | options of the cross-check with wrk |
//! | `knee` | options of the search for the knee |
//! | `floors` | options of the commands that measure beside a floor |

mod cross_check;
pub(crate) mod floors;
mod knee;
mod run;

pub(crate) use cross_check::CrossCheck;
pub(crate) use knee::KneeRun;
pub(crate) use run::{Overrides, ScenarioRun, Serve, TransportChoice};

use clap::{Parser, Subcommand};

use crate::reports::{CompareFiles, ReportFile};
use floors::{EngineRun, HttpRun, LargeTierRun, SlowAgentRun};

const EXAMPLES: &str = "\
Examples:
  forthwith-load scenarios                                  what there is to run
  forthwith-load run single_call                            one of them, on an engine of its own
  forthwith-load run burst overload --repeat 3 --json b.json
  forthwith-load run soak --seconds 7200 --data /var/tmp    two hours, on a disk of your choice
  forthwith-load run ticket_routing --url http://127.0.0.1:8080 --rate 500
                                                            an engine that runs already
  forthwith-load run my_own.toml --config my/config         a scenario of your own, on your playbooks

A run ends with 0 if everything that was promised held, with 1 if something was violated or missed, with 2 if the command or a
scenario is faulty, and with 3 if this machine cannot run the scenario. Build it with --release.";

/// Drives a Forthwith engine as hard as it goes, or as hard as it is told, and tells what it saw.
#[derive(Debug, Parser)]
#[command(name = "forthwith-load", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs scenarios: calls at their times, what happens meanwhile, and checks of every answer.
    Run(ScenarioRun),
    /// Lists the scenarios that are shipped.
    Scenarios,
    /// Decisions in process.
    ///
    /// With --ack memory the floor is a bare cell in a dashmap: a look-up, a lock that nobody else holds, 300 ns of work.
    /// With --ack disk it is a bare group commit: records of the same size appended to a zeroed file, one fdatasync for
    /// all that wait.
    Engine(EngineRun),
    /// Decisions over HTTP, with the clients in the same process.
    ///
    /// The floor is an actix-web handler in the same process, with as many workers, that decodes the same body and echoes
    /// it.
    Http(HttpRun),
    /// Decisions of which a tenth ask a large model that is healthy, bimodal, hanging or flapping, in an open loop.
    ///
    /// Every call has its time, and latencies are counted from it. Beside the questions runs a bare timer, the floor of how late an
    /// answer is; the run without a large model is the floor of what the other decisions take. The provider is a server in the same
    /// process. How long it takes in all: five runs of --seconds and a tenth, --rounds times.
    SlowAgent(SlowAgentRun),
    /// What the large tier takes above a bare HTTP client that sends the same bytes, in an open loop.
    LargeTier(LargeTierRun),
    /// Finds the highest rate at which a promise holds, by trials of a scenario, and says how sure that is.
    Knee(KneeRun),
    /// Our driver beside wrk: a closed loop over HTTP, in turns, against the engine and against a floor.
    ///
    /// Says whether their figures agree within the noise. wrk has to be installed.
    CrossCheck(CrossCheck),
    /// Tells again what a run came to, from the JSON that it has written.
    Report(ReportFile),
    /// Two outcomes beside each other: what differs, and whether that is beyond the noise.
    Compare(CompareFiles),
    /// An engine behind HTTP doors, for a run to drive: prints its address, takes orders on standard input.
    #[command(hide = true)]
    Serve(Serve),
}
