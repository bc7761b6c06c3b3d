//! Commands and options.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use super::exit::DOCUMENTED;
use super::findings::Deny;
use super::mapping::{Constant, Mapping};
use super::{adopt, export, import, packet, search, selfcheck, top, train, verify};
use crate::replay;

/// A real-time decisioning engine: events about customers in, governed decisions out.
///
/// Without a command the server is started.
#[derive(Debug, Parser)]
#[command(name = "forthwith", version, after_help = DOCUMENTED, max_term_width = 120)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    #[command(flatten)]
    pub(super) place: Place,
}

/// Where configuration and data are.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The configuration folder
    #[arg(long, global = true, value_name = "DIR", default_value = "config")]
    pub(super) config: PathBuf,

    /// The data directory [default: ./data; for `decide` a temporary one]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
}

impl Place {
    /// The data directory of commands that keep their data.
    pub(super) fn data_directory(&self) -> PathBuf {
        self.data.clone().unwrap_or_else(|| PathBuf::from("data"))
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the server (also without a command)
    ///
    /// Everything is embedded: configuration from `--config`, journal and states in `--data`. Ctrl-C or SIGTERM stops it in
    /// good order, a second one at once; SIGHUP reads the configuration folder again.
    Serve,

    /// Show what a running server does, again and again
    ///
    /// Rates, percentiles by stage and playbook, tiers and fallbacks, journal, memory, providers and the busiest customers, from
    /// `/metrics` and a few operator's doors. `?` says which keys there are. Without a terminal one frame is printed.
    #[command(after_help = top::EXAMPLES)]
    Top(top::Asked),

    /// Decide on a file of events and write one decision a line
    ///
    /// Events are CloudEvents, one JSON object a line, or rows of a CSV file whose columns are named by --map. They are
    /// decided in the order of the file, by their own time, so that history is decided as it was. Events of types that the
    /// playbook does not decide on are taken into their customer's context. A bad line is reported, counted and passed over.
    #[command(after_help = EXAMPLES)]
    Decide(Decide),

    /// Check the whole configuration without running anything
    ///
    /// Faults first, all at once. Then the rules are analysed: rules that can never match or never decide, rows that contradict
    /// each other, inputs that no rule matches; each with an input that shows it. docs/CHECK.md says what each finding means.
    Check(Check),

    /// Run the golden cases that are kept beside the playbooks
    ///
    /// The cases of a playbook stand in `playbooks/NAME.cases.toml`: an event, facts, what happened before, and what should
    /// come of it. Each is decided as in production, on a customer of its own. What comes out otherwise is shown as a
    /// difference; then how many rules decided a case, and which decided none.
    Test(Test),

    /// Bring about every fallback of every playbook, and check that it is what the playbook promises
    ///
    /// A synthetic customer goes every way that a decision can take: a whole decision, kept in a temporary journal and explained from
    /// it, and each fallback that the playbook's declarations make possible, such as no consent, a cap without room, a model that says
    /// nothing. A server does the same on a schedule; POST /v1/selfcheck has a running one do it now.
    Selfcheck(selfcheck::Asked),

    /// Explain a decision: which rule, on which values, and why not the others
    ///
    /// Reads the journal without locking it, so it works beside a running server.
    Explain(Explain),

    /// Take every recorded turn again, and compare what comes out byte for byte
    ///
    /// Each turn is taken on the bundle it was taken on, with its recorded input, on the customer's state as it was. Reads the
    /// journal from its beginning and writes nothing, so it works beside a running server. docs/REPLAY.md says what a
    /// difference means.
    Replay(Replay),

    /// Decide journaled decisions again under another configuration, and show what would change
    ///
    /// The configuration is that of `--config`. Every customer's history is followed under it from the journal's beginning;
    /// caps and flow control follow its own decisions. Writes nothing. docs/REPLAY.md says what that means.
    #[command(after_help = BACKTEST_EXAMPLE)]
    Backtest(Backtest),

    /// Find decisions by customer, playbook, rule, tier, fallback, outcome and time, the newest first
    ///
    /// What is given must all hold of a decision. Reads the journal without locking it and writes nothing, so it works beside
    /// a running server.
    #[command(after_help = search::EXAMPLES)]
    Search(search::Asked),

    /// Verify the journal: that no record was changed, removed or slipped in since it was signed for
    ///
    /// Reads every record: checksums, the chain, the tree, every signed tree head that was kept, and one held outside. Or verifies
    /// one decision, or a packet. Writes nothing, so it works beside a running server.
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::Verify),

    /// Write one decision with everything that proves it to a third party
    ///
    /// A packet holds decision, explanation, the records they are made from, and their proofs under a signed tree head.
    /// `forthwith-verify` checks one without anything else. Reads the journal without locking it.
    Packet(packet::Packet),

    /// Repair a journal that is damaged, after showing what would be lost
    ///
    /// Looks through the whole journal, behind damage too. What is lost becomes a gap that is accounted for; what is sound stays, and a
    /// damaged file is kept under another name. Asks before it changes anything. No server may run on the data meanwhile.
    Repair(Repair),

    /// Take over a tabular model that was trained elsewhere, from an ONNX file
    ///
    /// The model is loaded, its features are matched with the columns of labelled rows that it was not trained on, and it is
    /// judged by these. Then a folder for `config/models` is written: manifest, model, and the calibration set on which
    /// thresholds are certified. docs/ONNX.md says which models are understood.
    #[command(after_help = adopt::EXAMPLES)]
    Adopt(Box<adopt::Adopt>),

    /// Train a text model on labelled texts
    ///
    /// What a ticket's words say of its label, learnt from labelled tickets. Every row is held out once: what is told of accuracy,
    /// calibration and thresholds comes from rows that the model did not see. The folder holds the model, its manifest and its
    /// calibration set. The same data and seed give the same model. docs/MODELS.md says more.
    #[command(after_help = train::EXAMPLES)]
    Train(Box<train::Train>),

    /// Turn a decision table of DMN, JDM or Excel into a CSV table
    ///
    /// What translates is written exactly; what does not is listed by cell and never guessed.
    #[command(after_help = import::EXAMPLES)]
    Import(import::Import),

    /// Write a CSV table as DMN or JDM
    ///
    /// What the other format cannot say is listed by cell.
    #[command(after_help = export::EXAMPLES)]
    Export(export::Export),

    /// Print what every metric of a server means, and when to look at it
    ///
    /// The reference of `GET /metrics`, in Markdown: name, type, unit, labels with their values. It is docs/METRICS.md, of this very version.
    Metrics,
}

const EXAMPLES: &str = "\
Examples:
  forthwith decide ticket_routing --input config/samples/tickets.jsonl --facts config/samples/customers.jsonl
  forthwith decide ticket_routing --input tickets.csv --map text=body --set subject= --set channel=email \\
      --set 'customer=row-{line}' --output decisions.jsonl

A CSV column that is named like an attribute of the event (or id, customer, time, type, source) needs no --map. Columns that
are left over are ignored and named once.";

/// Options of `decide`.
#[derive(Debug, clap::Args)]
pub(super) struct Decide {
    /// The playbook to decide by
    pub(super) playbook: String,

    /// The file of events; `-` reads standard input
    #[arg(long, short, value_name = "FILE")]
    pub(super) input: String,

    /// How the input is written [default: by the file's ending, else JSON lines]
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<Format>,

    /// A column and what it holds: an attribute, or id, customer, time, type, source
    #[arg(long, value_name = "COLUMN=FIELD")]
    pub(super) map: Vec<Mapping>,

    /// A value for events that do not bring it; `{line}` stands for the line's number
    #[arg(long, value_name = "FIELD=VALUE")]
    pub(super) set: Vec<Constant>,

    /// Facts about the customers, and their consents: JSON lines, or facts alone as CSV
    #[arg(long, value_name = "FILE")]
    pub(super) facts: Option<PathBuf>,

    /// Where decisions go [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Stop at the first bad line
    #[arg(long)]
    pub(super) strict: bool,

    /// Events that are decided at a time
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) batch: u16,

    /// No progress bar and no summary
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// Options of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Findings to fail for besides errors: `warning`, `note` (that and above), or a kind such as `gap`
    #[arg(long, value_name = "LEVEL|KIND")]
    pub(super) deny: Vec<Deny>,

    /// Print the findings as JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Look for faults only
    #[arg(long)]
    pub(super) no_analysis: bool,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
}

/// Options of `test`.
#[derive(Debug, clap::Args)]
pub(super) struct Test {
    /// The playbooks whose cases are run [default: all]
    #[arg(value_name = "PLAYBOOK")]
    pub(super) playbooks: Vec<String>,

    /// Run the cases whose names contain this text
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,

    /// Print the report as JSON, with every case and every rule
    #[arg(long)]
    pub(super) json: bool,

    /// Fail unless this share of each playbook's rules decides a case
    #[arg(long, value_name = "PERCENT", conflicts_with = "filter", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) coverage_min: Option<u8>,
}

/// Options of `repair`.
#[derive(Debug, clap::Args)]
pub(super) struct Repair {
    /// Repair without asking
    #[arg(long)]
    pub(super) yes: bool,
}

/// Options of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The decision's id
    pub(super) decision_id: String,

    /// Print the explanation as JSON
    #[arg(long)]
    pub(super) json: bool,

    /// Show every rule, not only those above the one that decided
    #[arg(long)]
    pub(super) all: bool,

    /// Why this rule did not decide, and the nearest change that would have made it
    #[arg(long, value_name = "RULE")]
    pub(super) why_not: Option<String>,
}

/// Options of `replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    #[command(flatten)]
    pub(super) followed: Followed,

    /// Differences that are shown; all are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) shown: u32,

    /// Do not fail for turns behind lost records that come out otherwise: they cannot be judged
    #[arg(long)]
    pub(super) accept_lost: bool,

    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

const BACKTEST_EXAMPLE: &str = "\
Example:
  forthwith backtest --config config-next --data data --from 2026-11-01 --playbook ticket_routing";

/// Options of `backtest`.
#[derive(Debug, clap::Args)]
pub(super) struct Backtest {
    /// Count this playbook's decisions only; all others are made all the same
    #[arg(long, value_name = "NAME")]
    pub(super) playbook: Option<String>,

    #[command(flatten)]
    pub(super) followed: Followed,

    /// Fail if anything would change
    #[arg(long)]
    pub(super) fail_on_change: bool,

    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Which of the journal's records are followed, and with what.
#[derive(Debug, clap::Args)]
pub(super) struct Followed {
    /// The first record, by number or arrival; those before it are applied [default: the journal's beginning]
    #[arg(long, value_name = "SEQ|TIME")]
    pub(super) from: Option<replay::Place>,

    /// The last record, or the arrival before which it ends [default: the journal's end]
    #[arg(long, value_name = "SEQ|TIME")]
    pub(super) to: Option<replay::Place>,

    /// One customer's records only
    #[arg(long, value_name = "ID")]
    pub(super) customer: Option<String>,

    /// Memory for customers' states, in MiB; where they need more, the journal is read several times
    #[arg(long, value_name = "MIB", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) memory: u32,

    /// Threads that take turns [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) threads: Option<u8>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_help_that_people_read() {
        let mut command = Args::command();
        let mut shown = command.render_long_help().to_string();
        for name in [
            "decide", "explain", "search", "check", "test", "replay", "backtest", "repair", "import", "export",
            "verify", "packet", "train", "serve", "top",
        ] {
            let sub = command.find_subcommand_mut(name).unwrap();
            shown.push_str(&format!("\n=== {name} ===\n{}", sub.render_long_help()));
        }
        insta::assert_snapshot!(shown);
    }
}
