//! What is to be run.

use std::path::PathBuf;

/// Options of the bench.
pub(crate) struct Args {
    pub(crate) decisions: u64,
    /// Records of a segment.
    pub(crate) segment_records: u64,
    /// How often each question is asked, warm and cold.
    pub(crate) rounds: u64,
    pub(crate) cold: u64,
    /// Where the temporary folder is made.
    pub(crate) folder: PathBuf,
    /// For a process that is started for one search: the journal, the question's number and its round.
    pub(crate) asked: Option<String>,
    pub(crate) question: usize,
    pub(crate) round: u64,
}

impl Args {
    /// Reads the command line.
    pub(crate) fn read() -> Self {
        let mut args = Self {
            decisions: 100_000_000,
            segment_records: 160_000,
            rounds: 300,
            cold: 5,
            folder: std::env::temp_dir(),
            asked: None,
            question: 0,
            round: 0,
        };
        let mut given = std::env::args().skip(1);
        while let Some(name) = given.next() {
            let mut value = || given.next().unwrap_or_else(|| stop(&format!("`{name}` needs a value")));
            match name.as_str() {
                // Cargo says so to every bench; `cargo test` says the other.
                "--bench" => {}
                "--test" => (args.decisions, args.segment_records, args.rounds, args.cold) = (200_000, 2_000, 3, 0),
                "--decisions" => args.decisions = number(&name, &value()),
                "--rounds" => args.rounds = number(&name, &value()),
                "--cold" => args.cold = number(&name, &value()),
                "--folder" => args.folder = value().into(),
                "--asked" => args.asked = Some(value()),
                "--question" => args.question = number(&name, &value()) as usize,
                "--round" => args.round = number(&name, &value()),
                _ => stop(&format!(
                    "`{name}` is no option; there are --decisions, --rounds, --cold, --folder and --test"
                )),
            }
        }
        args
    }
}

fn number(name: &str, text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| stop(&format!("`{name} {text}`: expected a number")))
}

fn stop(why: &str) -> ! {
    eprintln!("{why}");
    std::process::exit(64)
}
