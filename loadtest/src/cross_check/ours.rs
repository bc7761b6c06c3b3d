//! Our driver.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Seen;
use crate::answers::{Answer, Checker};
use crate::driving::{Address, Destination, Tally, Team, TeamPlan};
use crate::outcome::{Check, Curve};
use crate::population::Workload;
use crate::scenario::{Scenario, read};

/// What our driver is to do.
#[derive(Clone, Debug)]
pub(super) struct Job<'a> {
    pub(super) address: SocketAddr,
    pub(super) playbook: &'a str,
    /// CloudEvents, one a line.
    pub(super) samples: &'a str,
    pub(super) customers: u64,
    pub(super) connections: usize,
    pub(super) threads: usize,
    pub(super) seconds: u64,
    pub(super) loops: Loop,
    /// What the ids begin with.
    pub(super) run: &'a str,
}

/// How calls arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Loop {
    /// Each connection makes its next call when the last is answered.
    Closed,
    /// So many calls a second, whether or not those before them are answered.
    Open(f64),
}

/// Looks at nothing: what is measured is the driver.
struct Unchecked;

impl Checker for Unchecked {
    fn see(&mut self, _: &Answer<'_>) {}

    fn add(&mut self, _: Self) {}

    fn checks(self) -> Vec<Check> {
        Vec::new()
    }
}

/// Calls, and says what was seen; then the same filled in as wrk does it.
pub(super) fn measure(job: &Job<'_>) -> anyhow::Result<(Seen, Seen)> {
    let (latency, failed) = drive(job)?;
    let seconds = job.seconds as f64;
    let seen = Seen::of(&latency, seconds, failed);
    Ok((seen, seen.filled_in(&latency, seconds, job.connections)))
}

/// Calls; the latencies, counted from when each call was due, and how many calls came to nothing.
pub(super) fn drive(job: &Job<'_>) -> anyhow::Result<(Curve, u64)> {
    let scenario = scenario(job)?;
    // Whoever is checked beside wrk waits as long as it takes, as wrk does.
    let workload: Arc<Workload> = Workload::new(&scenario, job.run.to_owned(), |_| None)?;
    let destination = Destination::There(Address { authority: job.address.to_string(), token: None });
    let checkers = (0..job.threads.clamp(1, job.connections.max(1))).map(|_| Unchecked).collect();
    let plan = TeamPlan { scenario: &scenario, workload: &workload, destination: &destination, checkers };
    let (tally, _) = Team::start(plan)?.finish()?;
    let Tally { latency, phases, .. } = tally;
    let failed = phases.iter().map(|phase| phase.shed + phase.failed).sum();
    Ok((latency, failed))
}

/// The scenario of such a job: what a closed loop of wrk's does, or the same calls at their own pace.
fn scenario(job: &Job<'_>) -> anyhow::Result<Scenario> {
    let Job { customers, connections, seconds, .. } = job;
    let arrivals = match job.loops {
        Loop::Closed => format!("arrivals = \"closed\"\ncallers = {connections}"),
        Loop::Open(rate) => format!("arrivals = \"constant\"\nrate = {rate:?}"),
    };
    let text = format!(
        r#"
name        = "cross_check"
description = "What wrk does, by our driver."
transport   = "json"
connections = {connections}
timeout     = "1m"
give_up     = "1m"

[population]
kind      = "uniform"
customers = {customers}

[[phases]]
name    = "calls"
seconds = {seconds}
{arrivals}
"#
    );
    let mut scenario = read("cross_check.toml", &text, None)?;
    for call in &mut scenario.calls {
        job.playbook.clone_into(&mut call.playbook);
        job.samples.clone_into(&mut call.samples);
    }
    Ok(scenario)
}
