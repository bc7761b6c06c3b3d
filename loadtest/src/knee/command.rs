//! The command `knee`: trials of a scenario, each a run of its own.

use std::fs;
use std::io;

use anyhow::{Context, bail};
use serde_json::json;

use super::{Config, Finding, Heard, Knee, Search, Verdict};
use crate::args::KneeRun;
use crate::outcome::{Run, Slo};
use crate::report::{self, say, thousands};
use crate::reports::Showing;
use crate::run::{Ended, Once, once};
use crate::scenario::{self, Arrivals, Rate, Scenario};

/// Checks that a rate above the knee breaks by its nature: they are what was promised, not what must never be.
const OF_THE_RATE: [&str; 5] = ["in_time", "goodput", "fairness", "memory_drift", "file_drift"];

/// Searches; how it ended.
pub(crate) fn run(options: &KneeRun) -> anyhow::Result<Ended> {
    let plan = match Plan::new(options) {
        Ok(plan) => plan,
        Err(error) => {
            report::failed(&error);
            return Ok(Ended::Faulty);
        }
    };
    let mut search = Search::new(plan.config);
    while let Some(trial) = search.next() {
        let run = plan.trial(options, trial.nth, trial.rate)?;
        if let Some(check) =
            run.checks.iter().find(|check| check.violations > 0 && !OF_THE_RATE.contains(&&*check.name))
        {
            bail!("at {}/s the check `{}` was violated: {}", trial.rate, check.name, json!(check));
        }
        let heard = Heard::of(&run, &plan.slo);
        say(options.quiet, &told(trial.nth, trial.rate, &heard));
        search.heard(heard);
    }
    let finding = search.finding();
    finding.print(&mut io::stdout().lock())?;
    if let Some(file) = &options.json {
        let whole = json!({ "scenario": plan.scenario.name, "slo": plan.slo, "seconds": options.overrides.seconds, "finding": finding });
        fs::write(file, format!("{whole:#}\n")).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(ended(&finding))
}

/// Nothing was found out where no rate holds, or the driver is too slow for any.
fn ended(finding: &Finding) -> Ended {
    match finding.knee {
        Knee::Between { .. } | Knee::Beyond { .. } => Ended::Passed,
        Knee::Nowhere { .. } => Ended::Failed,
        Knee::Unknown { .. } => Ended::CannotRun,
    }
}

/// What is searched, and what must hold.
struct Plan {
    scenario: Scenario,
    slo: Slo,
    config: Config,
}

impl Plan {
    fn new(options: &KneeRun) -> anyhow::Result<Self> {
        let scenario = scenario::find(&options.scenario)?;
        let promise = &scenario.promise;
        let slo = Slo {
            p99_us: options.p99_us.or(promise.p99_us),
            late_share: Some(options.late_share.or(promise.late_share).unwrap_or(0.0)),
            lost_share: Some(options.lost_share.or(promise.lost_share).unwrap_or(0.0)),
        };
        if slo.p99_us.is_none() {
            bail!("scenario `{}` promises no p99: say which one must hold with --p99-us", scenario.name);
        }
        if let Some(rate) = options.overrides.rate {
            bail!("--rate {rate}: the rate is what is searched for; say with --start where to begin");
        }
        let (lowest, highest) = (options.lowest, options.highest);
        let is_rate = |rate: f64| rate.is_finite() && rate > 0.0;
        if !is_rate(lowest) || !is_rate(highest) || lowest > highest {
            bail!(
                "--lowest {lowest} --highest {highest}: expected two rates above 0, the lowest not above the highest"
            );
        }
        if !(0.005..=0.5).contains(&options.precision) {
            bail!("--precision {}: expected a share from 0.005 to 0.5", options.precision);
        }
        let start = options.start.or_else(|| rate_of(&scenario)).unwrap_or(lowest).clamp(lowest, highest);
        let config = Config {
            start,
            lowest,
            highest,
            precision: options.precision,
            repeats: options.repeats,
            trials_max: options.trials_max,
            sureness: 0.95,
        };
        let plan = Self { scenario, slo, config };
        // What the options make of the scenario is tried before anything is run.
        plan.at(options, start)?;
        Ok(plan)
    }

    /// The scenario at a rate.
    fn at(&self, options: &KneeRun, rate: f64) -> anyhow::Result<Scenario> {
        let mut overrides = options.overrides.clone();
        overrides.rate = Some(rate);
        let mut scenario = self.scenario.clone().overridden(&overrides)?;
        // What a single run promises is judged here, over all of them.
        (scenario.promise.p99_us, scenario.promise.late_share, scenario.promise.lost_share) = (None, None, None);
        Ok(scenario)
    }

    fn trial(&self, options: &KneeRun, nth: u32, rate: f64) -> anyhow::Result<Run> {
        let scenario = self.at(options, rate)?;
        let (run, runs) = (nth as usize, self.config.trials_max as usize);
        let overrides = &options.overrides;
        once(&Once { scenario: &scenario, overrides, showing: Showing::Nothing, is_quiet: true, run, runs })
            .with_context(|| format!("trial {nth}, at {rate}/s"))
    }
}

/// The rate of a scenario's busiest phase.
fn rate_of(scenario: &Scenario) -> Option<f64> {
    let rates = scenario.phases.iter().filter_map(|phase| match phase.arrivals {
        Arrivals::Open { rate: Rate::PerSecond(rate), .. } => Some(rate),
        _ => None,
    });
    rates.reduce(f64::max)
}

fn told(nth: u32, rate: f64, heard: &Heard) -> String {
    let said = match &heard.verdict {
        Verdict::Held => "held".to_owned(),
        Verdict::Missed(missed) => format!("missed: {}", missed.join("; ")),
        Verdict::DriverBound(why) => format!("the driver was too slow: {why}"),
    };
    format!("trial {nth}: {}/s, p99 {:.0} us, {said}", thousands(rate as u64), heard.p99_us)
}
