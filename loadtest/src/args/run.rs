//! Options of runs of scenarios.

use std::path::PathBuf;

use clap::ValueEnum;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  forthwith-load run ticket_routing --rate 20000 --seconds 30
  forthwith-load run single_call --transport json --repeat 5 --json single.json
  forthwith-load run crash --verify --data /var/tmp
  forthwith-load run soak --scale 0.1 --seconds 600")]
pub(crate) struct ScenarioRun {
    /// Names of shipped scenarios (`forthwith-load scenarios`), or files.
    #[arg(required = true, value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<String>,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
    /// How often each scenario is run, each time on an engine of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) repeat: u32,
    /// Writes everything that was measured to this file; several scenarios to several files, NAME-SCENARIO.json.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Writes a report with charts to this file; several scenarios to several files, NAME-SCENARIO.html.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// No progress on standard error.
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Shows the run while it goes on, also where no person seems to watch.
    #[arg(long, overrides_with = "no_live")]
    pub(crate) live: bool,
    /// Does not show the run while it goes on.
    #[arg(long)]
    pub(crate) no_live: bool,
}

/// What of a scenario is run otherwise than its file says.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Overrides {
    /// Calls a second of the busiest phase; those of the others change in proportion.
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// How long all phases take together; each changes in proportion, and the times of events with them.
    #[arg(long, value_name = "N")]
    pub(crate) seconds: Option<f64>,
    /// How many customers there are.
    #[arg(long, value_name = "N")]
    pub(crate) customers: Option<u64>,
    /// How the engine is called.
    #[arg(long, value_enum)]
    pub(crate) transport: Option<TransportChoice>,
    /// An engine that runs already, such as http://127.0.0.1:8080. Its data is its own: choose one that may be filled with test calls.
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The file with the token of that engine.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub(crate) token_file: Option<PathBuf>,
    /// Where the data of the engine is kept, in a folder of its own that is removed afterwards [default: the system's folder for
    /// temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A configuration folder in place of the scenario's [default: the one that is shipped]
    #[arg(long, value_name = "DIR")]
    pub(crate) config: Option<PathBuf>,
    /// Driver threads [default: half the processors, at least one]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Multiplies rates, callers and customers.
    #[arg(long, value_name = "X")]
    pub(crate) scale: Option<f64>,
    /// How much later than its deadline an answer may be heard before that is a violation [default: the scenario's, or 50]
    #[arg(long, value_name = "MS")]
    pub(crate) grace_ms: Option<u64>,
    /// Looks every acknowledged decision up in the end, and verifies the journal.
    #[arg(long)]
    pub(crate) verify: bool,
}

/// How an engine is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportChoice {
    /// In the driver's process, without a wire.
    InProcess,
    /// Over HTTP, in JSON.
    Json,
    /// Over HTTP, in MessagePack.
    Msgpack,
}

/// Options of an engine that a run starts as a process of its own.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The configuration folder.
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// The data directory.
    #[arg(long)]
    pub(crate) data: PathBuf,
    /// The port of 127.0.0.1; 0 for a free one.
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
}
