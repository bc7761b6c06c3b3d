//! Options of the search for the knee.

use std::path::PathBuf;

use super::Overrides;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  forthwith-load knee ticket_routing --p99-us 5000
  forthwith-load knee ticket_routing --p99-us 5000 --seconds 20 --precision 0.02 --trials-max 120 --json knee.json
  forthwith-load knee ticket_routing --p99-us 20000 --url http://127.0.0.1:8080 --highest 50000")]
pub(crate) struct KneeRun {
    /// The name of a shipped scenario (`forthwith-load scenarios`), or a file. It has a phase at a rate of its own.
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: String,
    /// The 99th percentile of latencies that must hold, counted from when calls were due [default: the scenario's]
    #[arg(long, value_name = "US")]
    pub(crate) p99_us: Option<f64>,
    /// The share of answers that may come after their deadlines [default: the scenario's, or 0]
    #[arg(long, value_name = "SHARE")]
    pub(crate) late_share: Option<f64>,
    /// The share of calls that may be shed or fail [default: the scenario's, or 0]
    #[arg(long, value_name = "SHARE")]
    pub(crate) lost_share: Option<f64>,
    /// Calls a second of the first trial [default: the scenario's]
    #[arg(long, value_name = "N")]
    pub(crate) start: Option<f64>,
    /// The lowest rate that is tried.
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    pub(crate) lowest: f64,
    /// The highest rate that is tried.
    #[arg(long, value_name = "N", default_value_t = 1_000_000.0)]
    pub(crate) highest: f64,
    /// How exactly the knee is searched for, as a share of it.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub(crate) precision: f64,
    /// How often the rates beside the knee are tried at least.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) repeats: u32,
    /// Trials after which it ends, however sure it is.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) trials_max: u32,
    /// Writes the finding with all trials to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// No progress on standard error.
    #[arg(long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) overrides: Overrides,
}
