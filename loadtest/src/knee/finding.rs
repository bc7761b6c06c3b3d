//! What a search comes to, in JSON and for people.

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::share::Share;
use super::verdict::{Heard, Verdict};
use crate::report::thousands;

/// Where the knee is, as far as it was found.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "knee", rename_all = "snake_case")]
pub(crate) enum Knee {
    /// Between two rates, most likely at the estimate.
    Between { estimate: f64, low: f64, high: f64 },
    /// Above the highest rate that was tried, or that the driver gives, if it was the driver.
    Beyond { rate: f64, driver: Option<String> },
    /// Below the lowest rate that was tried.
    Nowhere { lowest: f64 },
    /// The driver was too slow for any rate.
    Unknown { driver: String },
}

/// How often trials at one rate held.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct AtRate {
    pub(crate) rate: f64,
    pub(crate) share: Share,
}

/// The knee and everything that it was found by.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Finding {
    pub(crate) knee: Knee,
    /// The probability that the knee is where it is said to be, as far as the machine stayed the same.
    pub(crate) sureness: f64,
    /// Whether it is as narrow as was asked for, and the rates beside it are sure; if not, trials were too few for how noisy they were.
    pub(crate) is_settled: bool,
    /// The highest rate that held surely more often than not.
    pub(crate) holds_at: Option<AtRate>,
    /// The lowest rate that missed surely more often than not.
    pub(crate) fails_at: Option<AtRate>,
    /// Why the driver could not give more, if it could not.
    pub(crate) driver_bound: Option<String>,
    /// All rates that were tried, in ascending order.
    pub(crate) rates: Vec<AtRate>,
    /// All trials in their order: the rate and what was heard.
    pub(crate) trials: Vec<(f64, Heard)>,
}

impl Finding {
    /// A few sentences: where it is and how sure that is.
    pub(crate) fn sentences(&self) -> String {
        let sure = 100.0 * self.sureness;
        let mut text = match &self.knee {
            Knee::Between { estimate, low, high } => format!(
                "The knee is at {}/s, with {sure:.0} % probability between {} and {}/s.",
                whole(*estimate),
                whole(*low),
                whole(*high)
            ),
            Knee::Beyond { rate, driver: None } => {
                format!(
                    "All holds up to {}/s, the highest rate that was asked for: the knee is above it.",
                    whole(*rate)
                )
            }
            Knee::Beyond { rate, driver: Some(why) } => format!(
                "All holds up to {}/s. The driver gives no more here ({why}), so where the knee is was not found out.",
                whole(*rate)
            ),
            Knee::Nowhere { lowest } => {
                format!("Nothing holds, not even at {}/s, the lowest rate that was asked for.", whole(*lowest))
            }
            Knee::Unknown { driver } => {
                format!("The driver was too slow for any rate ({driver}): nothing was found out.")
            }
        };
        if let Some(at) = &self.holds_at {
            text.push_str(&format!(" {}.", told("It holds", at, at.share.held, at.share.low, at.share.high)));
        }
        if let Some(at) = &self.fails_at {
            let missed = at.share.of - at.share.held;
            text.push_str(&format!(" {}.", told("It fails", at, missed, 1.0 - at.share.high, 1.0 - at.share.low)));
        }
        if let (Some(why), Knee::Between { .. }) = (&self.driver_bound, &self.knee) {
            text.push_str(&format!(" Above it the driver was too slow ({why})."));
        }
        if !self.is_settled {
            let trials = self.trials.len();
            text.push_str(&format!(
                " {trials} trials were not enough to be as exact as was asked: the machine is noisy, or the rate at which it \
                 gives way is not one rate."
            ));
        }
        text
    }

    /// The sentences and a table of all rates, and one of all trials.
    pub(crate) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(out, "\n{}\n", self.sentences())?;
        writeln!(out, "| rate/s | held | of | 95 % interval of the share |\n|--:|--:|--:|--:|")?;
        for AtRate { rate, share } in &self.rates {
            let Share { held, of, low, high } = share;
            writeln!(out, "| {} | {held} | {of} | {low:.2} to {high:.2} |", whole(*rate))?;
        }
        writeln!(out, "\n| trial | rate/s | answered/s | p99 us | late | lost | |\n|--:|--:|--:|--:|--:|--:|---|")?;
        for (nth, (rate, heard)) in self.trials.iter().enumerate() {
            let Heard { verdict, answered_per_second, p99_us, late, lost } = heard;
            let said = match verdict {
                Verdict::Held => "held".to_owned(),
                Verdict::Missed(missed) => missed.join("; "),
                Verdict::DriverBound(why) => format!("the driver: {why}"),
            };
            let (nth, rate, answered, p99) = (nth + 1, whole(*rate), whole(*answered_per_second), whole(*p99_us));
            writeln!(
                out,
                "| {nth} | {rate} | {answered} | {p99} | {} | {} | {said} |",
                thousands(*late),
                thousands(*lost)
            )?;
        }
        Ok(())
    }
}

fn told(what: &str, at: &AtRate, cases: u32, low: f64, high: f64) -> String {
    let (rate, of) = (whole(at.rate), at.share.of);
    format!("{what} at {rate}/s in {cases} of {of} trials (95 % interval of the share {low:.2} to {high:.2})")
}

/// A number without its fraction, with commas.
fn whole(number: f64) -> String {
    thousands(number.round().max(0.0) as u64)
}
