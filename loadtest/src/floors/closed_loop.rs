//! Callers in a closed loop, and their clock.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::clock::now;

/// Calls after which a caller lets the others on its thread go on.
const YIELD_EVERY: u64 = 64;

/// The longest latency that is told apart.
pub(crate) const LATENCY_MAX: Duration = Duration::from_secs(60);

/// Someone who calls, waits for the answer and calls again.
pub(crate) trait Caller: Send + 'static {
    /// What is needed for one call.
    type Item: Send;

    /// Makes ready, on the thread on which the calls will be made.
    fn begin(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send {
        std::future::ready(Ok(()))
    }

    /// Makes what is needed for the next call. Counts for the throughput, not for the latency.
    fn prepare(&mut self) -> Self::Item;

    /// Calls and waits for the answer. This is timed.
    fn call(&mut self, item: Self::Item) -> impl Future<Output = anyhow::Result<Answered>> + Send;
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// What was asked for.
    Given,
    /// Not taken on, or not on disk in time.
    Short,
}

/// What was seen of a subject.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Calls that were answered.
    pub(crate) calls: u64,
    /// Calls that were shed, or answered before they were on disk.
    pub(crate) short: u64,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// Latencies of the calls in nanoseconds.
    pub(crate) latencies: Histogram<u64>,
}

impl Measured {
    pub(crate) fn none() -> anyhow::Result<Self> {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, 3)?;
        Ok(Self { calls: 0, short: 0, elapsed: Duration::ZERO, latencies })
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Takes in what was seen at the same time by another caller, or in another round.
    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.calls += other.calls;
        self.short += other.short;
        self.latencies.add(&other.latencies)?;
        Ok(())
    }
}

/// Lets callers call for some time, after a tenth of it to warm up that is not counted.
///
/// Each thread has a runtime of its own, so that a caller who waits is woken on its own thread and by nobody who would
/// first make more calls.
pub(crate) fn drive<C: Caller>(threads: usize, seconds: u64, callers: Vec<C>) -> anyhow::Result<Measured> {
    let is_counting = Arc::new(AtomicBool::new(false));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut shares: Vec<Vec<C>> = std::iter::repeat_with(Vec::new).take(threads.min(callers.len())).collect();
    for (position, caller) in callers.into_iter().enumerate() {
        let share = position % shares.len();
        shares[share].push(caller);
    }
    let start = |share: Vec<C>| {
        let (is_counting, is_over) = (Arc::clone(&is_counting), Arc::clone(&is_over));
        std::thread::Builder::new().name("callers".to_owned()).spawn(move || share_of(share, &is_counting, &is_over))
    };
    let threads = shares.into_iter().map(start).collect::<std::io::Result<Vec<_>>>()?;
    std::thread::sleep(Duration::from_millis(100 * seconds));
    let started = now();
    is_counting.store(true, Ordering::Release);
    std::thread::sleep(Duration::from_secs(seconds));
    is_over.store(true, Ordering::Release);
    let mut all = Measured { elapsed: now() - started, ..Measured::none()? };
    for thread in threads {
        match thread.join() {
            Ok(measured) => all.add(&measured?)?,
            Err(_) => bail!("the callers of a thread broke off"),
        }
    }
    Ok(all)
}

/// The callers of one thread.
fn share_of<C: Caller>(
    callers: Vec<C>,
    is_counting: &Arc<AtomicBool>,
    is_over: &Arc<AtomicBool>,
) -> anyhow::Result<Measured> {
    let yield_every = if callers.len() > 1 { YIELD_EVERY } else { u64::MAX };
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut tasks = JoinSet::new();
        for caller in callers {
            tasks.spawn(calls(caller, yield_every, Arc::clone(is_counting), Arc::clone(is_over)));
        }
        let mut all = Measured::none()?;
        while let Some(task) = tasks.join_next().await {
            all.add(&task.context("a caller broke off")??)?;
        }
        Ok(all)
    })
}

async fn calls<C: Caller>(
    mut caller: C,
    yield_every: u64,
    is_counting: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
) -> anyhow::Result<Measured> {
    caller.begin().await?;
    let mut measured = Measured::none()?;
    let mut made = 0_u64;
    while !is_over.load(Ordering::Acquire) {
        let item = caller.prepare();
        let started = now();
        let answered = caller.call(item).await?;
        let took = now() - started;
        if is_counting.load(Ordering::Acquire) && !is_over.load(Ordering::Acquire) {
            match answered {
                Answered::Given => {
                    measured.calls += 1;
                    measured.latencies.saturating_record(took.as_nanos() as u64);
                }
                Answered::Short => measured.short += 1,
            }
        }
        made += 1;
        if made.is_multiple_of(yield_every) {
            tokio::task::yield_now().await;
        }
    }
    Ok(measured)
}
