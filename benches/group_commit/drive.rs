//! Callers that append, wait until it is on disk and append again: a task each, on two threads with a runtime of their own.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime::Builder;
use tokio::task::{JoinSet, yield_now};

/// Threads that callers share: one for each of the two cores that the figures are made on.
const THREADS: usize = 2;

/// The longest latency that is told apart, in nanoseconds.
const LATENCY_MAX: u64 = 60_000_000_000;

/// Someone who writes one record and waits until it is on disk.
pub(crate) trait Write: Send + 'static {
    /// Writes the next one.
    fn write(&mut self) -> impl Future<Output = ()> + Send;
}

/// What was seen of callers.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Records that were written.
    pub(crate) written: u64,
    elapsed: Duration,
    latencies: Histogram<u64>,
}

impl Seen {
    fn nothing() -> Self {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("the bounds are sound");
        Self { written: 0, elapsed: Duration::ZERO, latencies }
    }

    /// What was seen one after the other.
    pub(crate) fn merged<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        all.into_iter().fold(Self::nothing(), |mut sum, seen| {
            sum.elapsed += seen.elapsed;
            sum.add(seen);
            sum
        })
    }

    fn add(&mut self, other: &Self) {
        self.written += other.written;
        self.latencies.add(&other.latencies).expect("histograms of one kind");
    }

    /// Records a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.written as f64 / self.elapsed.as_secs_f64()
    }

    /// A percentile of the time until a record was on disk, in nanoseconds.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        self.latencies.value_at_percentile(percent) as f64
    }
}

/// Lets so many callers write for some time.
pub(crate) fn drive<W: Write>(waiting: usize, seconds: f64, writer: impl Fn(usize) -> W) -> Seen {
    let is_over = Arc::new(AtomicBool::new(false));
    let started = Instant::now();
    let share = |thread: usize| (thread..waiting).step_by(THREADS).map(&writer).collect::<Vec<W>>();
    let start = |share: Vec<W>| {
        let is_over = Arc::clone(&is_over);
        std::thread::spawn(move || write_all(share, &is_over))
    };
    let threads: Vec<_> = (0..THREADS.min(waiting)).map(share).map(start).collect();
    std::thread::sleep(Duration::from_secs_f64(seconds));
    is_over.store(true, Ordering::Release);
    let mut all = Seen { elapsed: started.elapsed(), ..Seen::nothing() };
    threads.into_iter().for_each(|thread| all.add(&thread.join().expect("callers do not break off")));
    all
}

fn write_all<W: Write>(writers: Vec<W>, is_over: &Arc<AtomicBool>) -> Seen {
    Builder::new_current_thread().build().expect("a runtime").block_on(async {
        let mut tasks = JoinSet::new();
        for writer in writers {
            tasks.spawn(write_until(writer, Arc::clone(is_over)));
        }
        let mut all = Seen::nothing();
        while let Some(seen) = tasks.join_next().await {
            all.add(&seen.expect("a caller does not break off"));
        }
        all
    })
}

async fn write_until<W: Write>(mut writer: W, is_over: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::nothing();
    while !is_over.load(Ordering::Acquire) {
        let started = Instant::now();
        writer.write().await;
        seen.latencies.saturating_record(started.elapsed().as_nanos() as u64);
        seen.written += 1;
        if seen.written.is_multiple_of(64) {
            yield_now().await;
        }
    }
    seen
}
