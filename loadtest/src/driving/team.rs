//! All driver threads: started together, added up in the end.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::alarm::{TimerFd, block_on};
use super::course::{Course, Share};
use super::door::Destination;
use super::effort::{Effort, processor_time};
use super::here::Here;
use super::rounds::{Desk, Terms, drive};
use super::tally::{Part, Tally};
use super::wire::Wire;
use crate::answers::Checker;
use crate::clock::now;
use crate::population::{Stream, Workload};
use crate::report;
use crate::scenario::Scenario;

/// From the making of the threads to the first call: connections are opened in it.
const LEAD: Duration = Duration::from_millis(50);

/// What a team is made of.
pub(crate) struct TeamPlan<'a, C> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) workload: &'a Arc<Workload>,
    pub(crate) destination: &'a Destination,
    /// A checker for each thread.
    pub(crate) checkers: Vec<C>,
}

/// Threads that drive.
pub(crate) struct Team<C> {
    /// When the first call is due.
    pub(crate) begin: Instant,
    pub(crate) threads: usize,
    /// What each thread has seen in each second.
    pub(crate) parts: Receiver<Part>,
    members: Vec<JoinHandle<anyhow::Result<(Tally, C)>>>,
}

/// One thread before it has connections.
struct Member<C> {
    scenario: Scenario,
    destination: Destination,
    course: Course,
    stream: Stream,
    checker: C,
    terms: Terms,
    parts: Sender<Part>,
}

impl<C: Checker> Team<C> {
    /// Starts as many threads as there are checkers.
    pub(crate) fn start(plan: TeamPlan<'_, C>) -> anyhow::Result<Self> {
        let TeamPlan { scenario, workload, destination, checkers } = plan;
        let (tell, parts) = channel();
        let threads = checkers.len();
        let lead =
            LEAD + Duration::from_micros(200) * u32::try_from(scenario.connections).unwrap_or(10_000).min(10_000);
        let begin = now() + lead;
        let mut members = Vec::with_capacity(threads);
        for (thread, checker) in checkers.into_iter().enumerate() {
            let at_a_time = (scenario.connections / threads).max(1);
            let share = Share { thread, threads, seed: scenario.population.seed, at_a_time };
            let member = Member {
                scenario: scenario.clone(),
                destination: destination.clone(),
                course: Course::new(&scenario.phases, share, recorded_of(workload, thread, threads)),
                stream: Stream::new(workload, thread),
                checker,
                terms: Terms {
                    begin,
                    thread,
                    threads,
                    counted: scenario.phases.iter().map(|phase| phase.is_counted).collect(),
                    give_up: scenario.give_up,
                    timeout: scenario.timeout,
                    grace: scenario.grace(),
                    only_disk_is_safe: scenario.kills(),
                },
                parts: tell.clone(),
            };
            let thread = std::thread::Builder::new().name(format!("driver-{thread}"));
            let run = move || member.run().inspect_err(report::failed);
            members.push(thread.spawn(run).context("cannot start a driver thread")?);
        }
        Ok(Self { begin, threads, parts, members })
    }

    /// Waits for all threads; what they have seen, and their checkers added up.
    pub(crate) fn finish(self) -> anyhow::Result<(Tally, C)> {
        let mut all: Option<(Tally, C)> = None;
        for member in self.members {
            let Ok(ended) = member.join() else { bail!("a driver thread broke off") };
            let (tally, checker) = ended?;
            match &mut all {
                None => all = Some((tally, checker)),
                Some((sum, checkers)) => {
                    sum.add(&tally);
                    checkers.add(checker);
                }
            }
        }
        all.context("there was no driver thread")
    }
}

/// The recorded events of a thread: those of one customer are one thread's, so that they keep their order.
fn recorded_of(workload: &Workload, thread: usize, threads: usize) -> Vec<(Duration, usize)> {
    let samples = &workload.kind(0).samples;
    let of_thread = |number: &usize| {
        let customer = samples[*number].customer.as_deref().unwrap_or_default();
        customer.bytes().fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte))) % threads
            == thread
    };
    let due = workload.recorded().unwrap_or_default();
    (0..due.len()).filter(of_thread).map(|number| (due[number], number)).collect()
}

impl<C: Checker> Member<C> {
    fn run(self) -> anyhow::Result<(Tally, C)> {
        let begin = self.terms.begin;
        let before = processor_time();
        let (mut tally, checker) = match self.destination.clone() {
            Destination::Here(engine) => {
                let desk = self.desk(Here::new(engine));
                let desk = block_on(|alarm| drive(desk, alarm));
                (desk.tally, desk.checker)
            }
            Destination::There(address) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let Scenario { transport, connections, timeout, .. } = self.scenario;
                    let (thread, threads) = (self.terms.thread, self.terms.threads);
                    let own = connections / threads + usize::from(thread < connections % threads);
                    let mut wire = Wire::new(address, transport, own, timeout)?;
                    wire.open().await?;
                    let alarm = TimerFd::new().context("cannot make a timer")?;
                    let desk = drive(self.desk(wire), alarm).await;
                    anyhow::Ok((desk.tally, desk.checker))
                })?
            }
        };
        tally.busy = processor_time().saturating_sub(before);
        tally.elapsed = now().saturating_duration_since(begin);
        Ok((tally, checker))
    }

    fn desk<D: super::door::Door>(self, door: D) -> Desk<D, C> {
        let phases = self.scenario.phases.len();
        let tally = Tally::new(phases);
        let Self { course, stream, checker, terms, parts, .. } = self;
        let (under_way, effort) = (vec![0; phases], Effort::default());
        Desk { door, course, stream, checker, tally, terms, parts, taken: Duration::ZERO, under_way, effort }
    }
}
