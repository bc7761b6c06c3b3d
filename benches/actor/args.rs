//! What is to be run, from the command line.

#![allow(clippy::print_stderr, reason = "a bench talks to its caller")]

use std::path::PathBuf;
use std::time::Duration;

use super::contest::Subject;
use super::draw::Spread;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// How many turns, how long, how many bytes: all designs.
    Contest,
    /// Bytes of states.
    Memory,
    /// First turns of resting customers.
    Reactivation,
    /// Customers on disk, and how long a start takes.
    Cold,
    /// More customers at work than may be in memory.
    Pressure,
}

/// The options of a run.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) modes: Vec<Mode>,
    pub(crate) subjects: Vec<Subject>,
    pub(crate) customers: Option<u64>,
    /// Customers of designs that take kilobytes and dozens of microseconds for each.
    pub(crate) kameo_customers: u64,
    pub(crate) spreads: Vec<Spread>,
    pub(crate) callers: Vec<usize>,
    /// How long a design is driven in a round.
    pub(crate) time: Duration,
    pub(crate) rounds: usize,
    /// Records that a start finds after the last checkpoint.
    pub(crate) tail: u64,
    /// Where data are kept, in a folder that is removed afterwards.
    pub(crate) folder: Option<PathBuf>,
    /// Whether this is only to see that it runs.
    pub(crate) is_test: bool,
}

const USAGE: &str = "questions: contest memory reactivation cold pressure all (contest if none is named)
options:   --subjects bare,actix,kameo,ours-off,ours,ours-shipped  --customers 1000000  --kameo-customers 200000
           --spread uniform,zipf  --callers 2,64  --seconds 2  --rounds 3  --tail 200000  --folder DIR
           --test (everything small: does it run?)";

impl Args {
    /// The options of this call; ends the program with a hint if they are wrong.
    pub(crate) fn read() -> Self {
        match Self::parse(std::env::args().skip(1)) {
            Ok(args) => args,
            Err(message) => {
                eprintln!("{message}\n{USAGE}");
                std::process::exit(2);
            }
        }
    }

    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self::default();
        while let Some(word) = words.next() {
            if args.flag(&word) {
                continue;
            }
            let value = words.next().ok_or_else(|| format!("`{word}` is not known, or needs a value"))?;
            args.set(&word, &value)?;
        }
        if args.modes.is_empty() {
            args.modes.push(Mode::Contest);
        }
        if args.is_test {
            args.shrink();
        }
        Ok(args)
    }

    /// A word that stands alone.
    fn flag(&mut self, word: &str) -> bool {
        match word {
            // Cargo adds this one by itself.
            "--bench" => {}
            "--test" => self.is_test = true,
            "contest" => self.modes.push(Mode::Contest),
            "memory" => self.modes.push(Mode::Memory),
            "reactivation" => self.modes.push(Mode::Reactivation),
            "cold" => self.modes.push(Mode::Cold),
            "pressure" => self.modes.push(Mode::Pressure),
            "all" => {
                self.modes = vec![Mode::Contest, Mode::Memory, Mode::Reactivation, Mode::Cold, Mode::Pressure];
            }
            _ => return false,
        }
        true
    }

    fn set(&mut self, word: &str, value: &str) -> Result<(), String> {
        match word {
            "--subjects" => self.subjects = listed(value, Subject::named)?,
            "--customers" => self.customers = Some(number(value)?),
            "--kameo-customers" => self.kameo_customers = number(value)?,
            "--spread" => self.spreads = listed(value, Spread::named)?,
            "--callers" => self.callers = listed(value, |text| text.parse().ok().filter(|callers| *callers > 0))?,
            "--seconds" => self.time = Duration::from_secs(number(value)?),
            "--rounds" => self.rounds = number(value)? as usize,
            "--tail" => self.tail = number(value)?,
            "--folder" => self.folder = Some(value.into()),
            _ => return Err(format!("unknown option `{word}`")),
        }
        Ok(())
    }

    fn shrink(&mut self) {
        self.customers = Some(2_000);
        self.kameo_customers = 500;
        self.time = Duration::from_millis(100);
        self.rounds = 1;
        self.tail = 1_000;
    }

    /// A folder for data that vanishes.
    pub(crate) fn folder(&self) -> tempfile::TempDir {
        let mut builder = tempfile::Builder::new();
        builder.prefix("forthwith-bench-");
        match &self.folder {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        }
        .expect("a folder for the data")
    }
}

impl Default for Args {
    fn default() -> Self {
        Self {
            modes: Vec::new(),
            subjects: Subject::ALL.to_vec(),
            customers: None,
            kameo_customers: 200_000,
            spreads: vec![Spread::Uniform, Spread::Zipf],
            callers: vec![2, 64],
            time: Duration::from_secs(2),
            rounds: 3,
            tail: 200_000,
            folder: None,
            is_test: false,
        }
    }
}

fn listed<T>(value: &str, item: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    value.split(',').map(|text| item(text.trim()).ok_or_else(|| format!("`{text}` is not known"))).collect()
}

fn number(value: &str) -> Result<u64, String> {
    let digits = value.replace('_', "");
    digits.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("`{value}` is not a whole number above 0"))
}
