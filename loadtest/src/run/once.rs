//! One run.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use forthwith::time::Clock;

use super::happening::Happening;
use super::summing::{phases, summed};
use super::watching::Watching;
use super::{driver, promised};
use crate::answers::Checker;
use crate::args::Overrides;
use crate::checks::{self, Acknowledged, Checks, Kept};
use crate::driving::{Team, TeamPlan};
use crate::outcome::{Check, Run};
use crate::population::Workload;
use crate::report::{bar, say, thousands};
use crate::reports::{Live, Showing, Watched};
use crate::scenario::{Scenario, Start, Transport};
use crate::target::{Stopped, Target};

/// Decisions that a running engine is asked for in the end.
const ASKED_MAX: usize = 20_000;

/// One run of a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Once<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) overrides: &'a Overrides,
    pub(crate) showing: Showing,
    pub(crate) is_quiet: bool,
    /// Which run, from 1, and of how many.
    pub(crate) run: usize,
    pub(crate) runs: usize,
}

/// Runs a scenario once, on an engine of its own unless it is told of one that runs.
pub(crate) fn once(plan: &Once<'_>) -> anyhow::Result<Run> {
    let Once { scenario, overrides, .. } = *plan;
    let mut target = Target::start(scenario, overrides)?;
    let budgets = target.budgets()?;
    let budget_of = |playbook: &str| budgets.iter().find(|(name, _)| name == playbook).map(|(_, budget)| *budget);
    let name = format!("{:x}", Clock::system().wall().micros());
    let workload = Workload::new(scenario, name, budget_of)?;
    warm(plan, &mut target, &workload)?;
    let threads = threads(scenario);
    let config = checks::Config {
        grace: scenario.grace(),
        is_memory_safe: !scenario.kills(),
        are_events_new: scenario.population.recorded.is_none(),
        threads,
    };
    let checkers = (0..threads).map(|_| Checks::new(&config, target.bundle())).collect();
    let destination = target.destination()?;
    let team = Team::start(TeamPlan { scenario, workload: &workload, destination: &destination, checkers })?;
    drop(destination);
    let happening = Happening::start(scenario, target.hands(), team.begin)?;
    let live = Live::start(plan.showing, watched(plan));
    let (seconds, usage) = Watching::new(&team, target.meter(), &live).watch(&happening);
    let (tally, checker) = team.finish()?;
    let (happened, gone) = happening.finish()?;
    live.stop();
    let (acknowledged, bundles) = (checker.acknowledged(), checker.bundles());
    let mut run = summed(scenario, &tally);
    run.checks = checker.checks();
    (run.seconds, run.usage, run.happened) = (seconds, usage, happened);
    run.checks.extend(bundles.check(&run.happened));
    run.driver = driver::standing(scenario, &tally, threads);
    match &gone {
        None => {
            if scenario.promise.verify {
                run.checks.push(found(scenario, &acknowledged, &target)?);
            }
            let stopped = target.stop()?;
            if scenario.promise.verify {
                run.checks.extend(in_journal(&acknowledged, &stopped, overrides.url.is_some())?);
            }
        }
        // What was measured until then is kept.
        Some(_) => {
            drop(target.stop());
            if scenario.promise.verify {
                run.checks.extend(checks::not_in_directory("the engine did not come back"));
            }
        }
    }
    promised::judge(scenario, &tally, &mut run);
    run.missed.extend(gone.map(|gone| format!("{gone:#}")));
    Ok(run)
}

fn warm(plan: &Once<'_>, target: &mut Target, workload: &Workload) -> anyhow::Result<()> {
    let population = &plan.scenario.population;
    if population.start == Start::New {
        return Ok(());
    }
    say(plan.is_quiet, &format!("making {} customers known", thousands(population.customers)));
    let bar = bar(plan.is_quiet, "customers", population.customers);
    target.warm(workload, |more| bar.inc(more))?;
    bar.finish_and_clear();
    if population.start == Start::Resting {
        say(plan.is_quiet, "stopping and starting the engine, so that all of them rest");
        target.rest()?;
    }
    Ok(())
}

/// Driver threads: in process they do the engine's work, beside an engine in a process of its own they leave it half the machine.
pub(super) fn threads(scenario: &Scenario) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    match scenario.transport {
        Transport::InProcess => scenario.threads.unwrap_or(processors).max(1),
        _ => scenario.threads.unwrap_or(processors.div_ceil(2)).clamp(1, scenario.connections),
    }
}

fn watched(plan: &Once<'_>) -> Watched {
    Watched {
        scenario: plan.scenario.name.clone(),
        run: plan.run,
        runs: plan.runs,
        phases: phases(plan.scenario, 0.0),
        p99_us_max: plan.scenario.promise.p99_us,
    }
}

/// Asks the engine, which still runs, for what it acknowledged.
fn found(scenario: &Scenario, acknowledged: &Acknowledged, target: &Target) -> anyhow::Result<Check> {
    let mut lookup = target.lookup()?;
    // What came in MessagePack has its members in another order than what is looked up in JSON.
    let in_order = |outcome: String| match scenario.transport {
        Transport::MessagePack => {
            serde_json::from_str::<serde_json::Value>(&outcome).map_or(outcome, |of| of.to_string())
        }
        Transport::InProcess | Transport::Json => outcome,
    };
    ready(checks::asked(acknowledged, ASKED_MAX, |id| {
        let kept = |outcome| Kept { outcome: Some(in_order(outcome)) };
        std::future::ready(lookup.outcome(id).map(|found| found.map(kept)))
    }))
}

/// The output of a future that never waits: who is asked has a runtime of its own, and none may be within another.
fn ready<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => anyhow::bail!("what never waits has waited"),
    }
}

/// Reads the journal that the engine has left, where there is one to read.
fn in_journal(acknowledged: &Acknowledged, stopped: &Stopped, runs_already: bool) -> anyhow::Result<[Check; 2]> {
    match stopped.data() {
        Some(data) => checks::in_directory(acknowledged, &data),
        None if runs_already => Ok(checks::not_in_directory("the engine runs on, and its data is its own")),
        None => Ok(checks::not_in_directory("the small disk that it was on is gone with the engine")),
    }
}
