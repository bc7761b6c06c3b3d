//! Options of the cross-check with wrk.

use std::path::PathBuf;

use super::floors::{AckChoice, Load};
use crate::population::Spread;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  forthwith-load cross-check                         the floor and the engine, both generators in turns
  forthwith-load cross-check --connections 2         with processors to spare
  forthwith-load cross-check --stall --seconds 10    what closed loops do not see")]
pub(crate) struct CrossCheck {
    /// The configuration folder.
    #[arg(long, value_name = "DIR", default_value = "config")]
    config: PathBuf,
    /// The playbook to decide by.
    #[arg(long, value_name = "NAME", default_value = "ticket_routing")]
    playbook: String,
    /// CloudEvents, one a line, whose type and data are sent again and again under new ids and customers.
    #[arg(long, value_name = "FILE", default_value = "config/samples/tickets.jsonl")]
    samples: PathBuf,
    /// When a decision counts as made.
    #[arg(long, value_enum, default_value_t = AckChoice::Memory)]
    ack: AckChoice,
    /// How many customers there are. All are brought into memory before anything is measured.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    customers: u64,
    /// Connections, each with one request under way.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub(crate) connections: usize,
    /// How long each generator calls each server in each round.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// How often they take turns.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rounds: u32,
    /// Threads of each generator [default: one per processor]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where the journal is kept, in a folder that is removed afterwards [default: the system's folder for temporary files]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// In place of all that: a server that stalls once for a second, seen by our open loop, our closed loop and wrk.
    #[arg(long)]
    pub(crate) stall: bool,
    /// Ends with 1 where the calls a second of the two differ beyond the noise.
    #[arg(long)]
    pub(crate) strict: bool,
    /// One JSON object in place of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// No progress on standard error.
    #[arg(long)]
    pub(crate) quiet: bool,
}

impl CrossCheck {
    /// The engine and what it is asked, as the commands have it that measure beside a floor.
    pub(crate) fn load(&self) -> Load {
        Load {
            config: self.config.clone(),
            playbook: self.playbook.clone(),
            samples: self.samples.clone(),
            ack: self.ack,
            customers: self.customers,
            spread: Spread::Uniform,
            seed: 1,
            seconds: self.seconds,
            rounds: self.rounds,
            threads: self.threads,
            data: self.data.clone(),
            quiet: self.quiet,
        }
    }
}
