//! Options of the commands that measure beside a floor.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::population::Spread;

#[derive(Debug, clap::Args)]
pub(crate) struct EngineRun {
    #[command(flatten)]
    pub(crate) load: Load,
    /// Callers at a time; several numbers make several tables.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "2", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) callers: Vec<u32>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct HttpRun {
    #[command(flatten)]
    pub(crate) load: Load,
    /// Connections at a time, each with one request under way; several numbers make several tables.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "16", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) connections: Vec<u32>,
    /// Threads of each server [default: one per processor]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<usize>,
}

/// What both commands are told.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    /// The configuration folder.
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub(crate) config: PathBuf,
    /// The playbook to decide by.
    #[arg(long, value_name = "NAME", default_value = "ticket_routing")]
    pub(crate) playbook: String,
    /// CloudEvents, one a line, whose type and data are sent again and again under new ids and customers.
    #[arg(long, value_name = "FILE", default_value = "config/samples/tickets.jsonl")]
    pub(crate) samples: PathBuf,
    /// When a decision counts as made.
    #[arg(long, value_enum, default_value_t = AckChoice::Memory)]
    pub(crate) ack: AckChoice,
    /// How many customers there are. All are brought into memory before anything is measured.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) customers: u64,
    /// How events spread over customers.
    #[arg(long, value_enum, default_value_t = Spread::Uniform)]
    pub(crate) spread: Spread,
    /// The seed of the spread: the same seed gives the same events to the same customers.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long each subject is measured in each round.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// How often floor and engine take turns.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
    /// Threads that the callers share [default: one per processor]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Where the journal and the floor's file are kept, in a folder that is removed afterwards. Choose a disk that is
    /// like the one you will use [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// No progress on standard error.
    #[arg(long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SlowAgentRun {
    #[command(flatten)]
    pub(crate) load: OpenLoad,
    /// Decisions a second that are offered.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(10..=1_000_000))]
    pub(crate) rate: u64,
    /// The time that a decision has.
    #[arg(long, value_name = "MS", default_value_t = 250, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) budget_ms: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LargeTierRun {
    #[command(flatten)]
    pub(crate) load: OpenLoad,
    /// Calls a second that are offered.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) rate: u64,
    /// How long the provider takes to answer.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub(crate) latency_ms: u64,
}

/// What both commands in an open loop are told.
#[derive(Debug, clap::Args)]
pub(crate) struct OpenLoad {
    /// How many customers there are. All are brought into memory before anything is measured.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) customers: u64,
    /// How long each case is measured in each round.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// How often the cases take turns.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
    /// Questions that may be under way at once.
    #[arg(long, value_name = "N", default_value_t = 1_024)]
    pub(crate) calls_max: usize,
    /// Where the journal is kept, in a folder that is removed afterwards [default: the system's folder for temporary
    /// files]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// One JSON object in place of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress on standard error.
    #[arg(long)]
    pub(crate) quiet: bool,
}

impl SlowAgentRun {
    pub(crate) fn budget(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.budget_ms)
    }
}

/// When a decision counts as made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AckChoice {
    /// When it is on disk.
    Disk,
    /// When it is in the journal's buffer.
    Memory,
}

impl AckChoice {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "memory",
        }
    }
}
