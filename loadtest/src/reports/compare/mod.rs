//! Two outcomes beside each other: every figure of both, how often one is the other, and whether they differ beyond the noise.
//!
//! Where both sides have several runs, the runs are what is counted: Welch's interval of the means of logarithms, so that the
//! difference is a ratio. A single run is cut into blocks of seconds instead. That is weaker, and is said: two starts of the same
//! engine differ by more than two minutes of one start do. No random numbers are drawn: the same files give the same words.
//!
//! | file | noun |
//! |---|---|
//! | `interval` | how far apart two lists of numbers are, and how sure that is |
//! | `observed` | the numbers of a side: one for each run, or one for each block of seconds |
//! | `told` | a comparison in words and in JSON |

mod interval;
mod observed;
mod told;

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Serialize;

use super::figure::{Better, FIGURES, Figure};
use super::units::Unit;
use crate::outcome::Outcome;
use interval::Interval;
use observed::{Observed, judged_by};

/// How sure an interval is. Of figures of equal engines one in twenty is called different.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// A ratio nearer to one is no difference, however sure it is: histograms keep three digits, and nobody acts on less.
const RATIO_MIN: f64 = 0.005;

/// The same of shares, which are not compared as ratios because most are zero.
const SHARE_MIN: f64 = 1e-5;

/// Two outcomes, A and B.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    a: Side,
    b: Side,
    judged_by: JudgedBy,
    confidence: f64,
    /// Why the two may not be comparable.
    warnings: Vec<String>,
    figures: Vec<Compared>,
}

#[derive(Clone, Debug, Serialize)]
struct Side {
    scenario: String,
    began: String,
    version: String,
    runs: usize,
    seconds: f64,
}

/// What the noise is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum JudgedBy {
    Runs,
    /// Blocks of seconds of one run.
    Seconds,
}

/// A figure of both.
#[derive(Clone, Debug, Serialize)]
struct Compared {
    name: &'static str,
    #[serde(skip)]
    unit: Unit,
    /// Of runs the mean; of blocks of seconds that of a typical block.
    a: Option<f64>,
    b: Option<f64>,
    /// B over A; none where A is nothing.
    ratio: Option<f64>,
    /// B over A at the ends of the interval, or B minus A where `is_difference`.
    interval: Option<(f64, f64)>,
    is_difference: bool,
    /// A difference up to this is not told from none: a share of A, or of one where `is_difference`.
    noise: Option<f64>,
    finding: Finding,
}

/// What B is, compared with A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Finding {
    Better,
    Worse,
    /// No difference beyond the noise.
    Same,
    /// There is too little to judge by.
    NotJudged,
    /// Neither side has it.
    Absent,
}

/// By how much B may be worse than A.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Allowance(f64);

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix('%').map(str::trim).and_then(|number| number.parse::<f64>().ok());
        match number {
            Some(percent) if percent.is_finite() && percent >= 0.0 => Ok(Self(percent / 100.0)),
            _ => Err(format!("`{text}` is not a share in per cent from 0, such as `10%`")),
        }
    }
}

/// Compares B with A.
pub(crate) fn compare(a: &Outcome, b: &Outcome) -> Comparison {
    let judged_by = judged_by(a, b);
    let compared = |figure: &Figure| {
        let (of_a, of_b) = (Observed::of(a, figure, judged_by), Observed::of(b, figure, judged_by));
        Compared::of(figure, &of_a, &of_b)
    };
    Comparison {
        a: Side::of(a),
        b: Side::of(b),
        judged_by,
        confidence: CONFIDENCE,
        warnings: warnings(a, b, judged_by),
        figures: FIGURES.iter().map(compared).collect(),
    }
}

impl Comparison {
    /// What is worse beyond the noise and by more than is allowed, a sentence each. A share that was zero in A and is not in B is
    /// worse by more than any allowance.
    pub(crate) fn worse_than(&self, allowance: Allowance) -> Vec<String> {
        let is_too_much = |figure: &&Compared| {
            figure.finding == Finding::Worse
                && figure.ratio.is_none_or(|ratio| ratio > 1.0 + allowance.0 || ratio < 1.0 - allowance.0)
        };
        self.figures
            .iter()
            .filter(is_too_much)
            .map(|figure| {
                format!("{} is worse by more than {} %: {}", figure.name, told::percent(allowance.0), figure.change())
            })
            .collect()
    }
}

impl Side {
    fn of(outcome: &Outcome) -> Self {
        Self {
            scenario: outcome.scenario.clone(),
            began: outcome.began.clone(),
            version: outcome.machine.version.clone(),
            runs: outcome.runs.len(),
            seconds: outcome.runs.iter().map(|run| run.totals.seconds).sum(),
        }
    }
}

impl Compared {
    fn of(figure: &Figure, a: &Observed, b: &Observed) -> Self {
        let is_difference = figure.unit == Unit::Share;
        let interval = Interval::between(a, b, is_difference);
        let (mean_a, mean_b) = (a.mean(is_difference), b.mean(is_difference));
        let ratio = mean_a.zip(mean_b).filter(|(a, _)| *a > 0.0).map(|(a, b)| b / a);
        let least = if is_difference { SHARE_MIN } else { RATIO_MIN };
        let finding = match &interval {
            None if mean_a.is_none() && mean_b.is_none() => Finding::Absent,
            None => Finding::NotJudged,
            Some(interval) if !interval.is_beyond(least) => Finding::Same,
            Some(interval) if interval.is_more() == (figure.better == Better::More) => Finding::Better,
            Some(_) => Finding::Worse,
        };
        Self {
            name: figure.name,
            unit: figure.unit,
            a: mean_a,
            b: mean_b,
            ratio,
            interval: interval.as_ref().map(Interval::ends),
            is_difference,
            noise: interval.map(|interval| interval.noise().max(least)),
            finding,
        }
    }
}

/// Everything but the engine that could make a difference.
fn warnings(a: &Outcome, b: &Outcome, judged_by: JudgedBy) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut differs = |what: &str, of_a: &str, of_b: &str| {
        if of_a != of_b {
            warnings.push(format!("{what} differs: `{of_a}` in A, `{of_b}` in B"));
        }
    };
    differs("the scenario", &a.scenario, &b.scenario);
    let names: BTreeSet<&String> = a.settings.keys().chain(b.settings.keys()).collect();
    for name in names {
        let of = |outcome: &Outcome| outcome.settings.get(name).cloned().unwrap_or_else(|| "unset".to_owned());
        differs(&format!("setting `{name}`"), &of(a), &of(b));
    }
    let (here, there) = (&a.machine, &b.machine);
    differs("the number of processors", &here.processors.to_string(), &there.processors.to_string());
    differs("the processor", &here.model, &there.model);
    differs("memory", &Unit::Bytes.write(here.memory_bytes as f64), &Unit::Bytes.write(there.memory_bytes as f64));
    differs("the system", &here.system, &there.system);
    differs("the version or build", &here.version, &there.version);
    let build = |is_optimized| if is_optimized { "release" } else { "not optimized" };
    differs("the build", build(here.is_optimized), build(there.is_optimized));
    for (side, outcome) in [("A", a), ("B", b)] {
        if outcome.runs.iter().any(|run| run.driver.bottleneck.is_some()) {
            warnings.push(format!("the driver may have set the figures of {side}"));
        }
        if !outcome.machine.is_optimized {
            warnings.push(format!("{side} was built without --release: its figures say nothing about the engine"));
        }
        if outcome.machine.is_drivers {
            warnings.push(format!(
                "the engine of {side} ran already: machine, version and build are the driver's, and of the engine's own nothing is known"
            ));
        }
        if !outcome.has_passed() {
            warnings.push(format!("{side} failed: a check was violated or a promise missed"));
        }
    }
    if judged_by == JudgedBy::Seconds {
        warnings.push(
            "a side has one run only: the noise is that within a run, and two starts of the same engine differ by more; \
             take --repeat 5 on both sides to be sure"
                .to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests;
