//! What is to be run, from the command line.

#![allow(clippy::print_stderr, reason = "a bench talks to its caller")]

use std::time::Duration;

use super::Plan;
use crate::workload::Family;

/// The options of a run.
#[derive(Clone, Debug)]
pub(crate) struct Args {
    pub(crate) families: Vec<Family>,
    pub(crate) sizes: Vec<usize>,
    pub(crate) plan: Plan,
}

/// How the options are used.
const USAGE: &str =
    "options: --family keyed,dense,narrow  --rules 10,100,1000,10000,100000  --rounds 5  --budget-ms 2000";

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
        let plan = Plan { rounds: 5, budget: Duration::from_secs(2) };
        let mut args = Self { families: vec![Family::Keyed, Family::Dense], sizes: vec![10, 100, 1_000], plan };
        while let Some(word) = words.next() {
            // Cargo adds this one by itself.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
            match word.as_str() {
                "--family" => args.families = listed(&value, Family::named)?,
                "--rules" => args.sizes = listed(&value, |item| item.replace('_', "").parse().ok().filter(|n| *n > 0))?,
                "--rounds" => args.plan.rounds = number(&value)? as usize,
                "--budget-ms" => args.plan.budget = Duration::from_millis(number(&value)?),
                _ => return Err(format!("unknown option `{word}`")),
            }
        }
        Ok(args)
    }

    /// Every family at every size.
    pub(crate) fn workloads(&self) -> impl Iterator<Item = (Family, usize)> {
        self.families.iter().flat_map(|family| self.sizes.iter().map(|size| (*family, *size)))
    }
}

fn listed<T>(value: &str, item: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    value.split(',').map(|text| item(text.trim()).ok_or_else(|| format!("`{text}` is not known"))).collect()
}

fn number(value: &str) -> Result<u64, String> {
    value.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("`{value}` is not a whole number above 0"))
}
