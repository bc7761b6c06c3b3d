//! Callers in a closed loop, and their clock.
//!
//! A caller prepares a handful of inputs, hands them in one after the other, waiting for each answer, and prepares again.
//! What preparing takes is taken off the time in which the calls were made: it is the door's work, the same for all. What
//! the loop itself costs (a reading of the clock and an entry in a histogram for each call) is a row of the table, and is
//! not taken off the others. The time of processors is the whole program's, its threads in the background included, less
//! that of a call of the loop alone: it means the same on a machine that has other work.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use forthwith::turn::{Input, Readings, Taken};
use forthwith::{TimeDelta, Timestamp};
use hdrhistogram::Histogram;
use tokio::sync::mpsc;

use super::draw::{Draw, Spread};
use super::ground::Ground;

/// Threads that callers share: the cores of the machine that the figures are from.
pub(crate) const THREADS: usize = 2;

/// Inputs that a caller prepares at a time; after them other callers on its thread go on.
const BATCH: usize = 64;

/// The longest latency that is told apart from longer ones.
const LATENCY_MAX: u64 = 60_000_000_000;

/// Has turns taken.
pub(crate) trait Taker: Clone + Send + 'static {
    /// Takes a turn and gives back what came of it; `None` if it was shed.
    fn take(&self, input: Input, readings: Readings) -> impl Future<Output = Option<Taken>> + Send;
}

/// The threads on which callers, and whoever answers them, live.
pub(crate) enum Threads {
    /// Of actix, one task at a time each; they live as long as their system.
    Arbiters(Vec<actix::Arbiter>, actix::SystemRunner),
    /// Of tokio, who share their tasks.
    Workers(tokio::runtime::Runtime),
}

impl Threads {
    /// Threads of actix.
    pub(crate) fn arbiters() -> Self {
        let system = actix::System::new();
        Self::Arbiters((0..THREADS).map(|_| actix::Arbiter::new()).collect(), system)
    }

    /// Threads of tokio.
    pub(crate) fn workers() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self::Workers(builder.worker_threads(THREADS).enable_all().build().expect("a runtime"))
    }

    /// Lets a task run on the nth thread, or on any.
    pub(crate) fn spawn(&self, nth: usize, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Arbiters(arbiters, _) => assert!(arbiters[nth % arbiters.len()].spawn(task), "the arbiter is alive"),
            Self::Workers(runtime) => drop(runtime.spawn(task)),
        }
    }

    /// Ends the threads and whatever lives on them.
    pub(crate) fn stop(self) {
        match self {
            Self::Arbiters(arbiters, _system) => {
                for arbiter in arbiters {
                    arbiter.stop();
                    let _ = arbiter.join();
                }
            }
            Self::Workers(runtime) => runtime.shutdown_timeout(Duration::from_secs(60)),
        }
    }
}

/// How callers call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) customers: u64,
    pub(crate) spread: Spread,
    pub(crate) callers: usize,
    pub(crate) time: Duration,
    /// Different for each time of driving: ids never meet again.
    pub(crate) series: u64,
}

/// What was seen.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Turns that were taken.
    pub(crate) calls: u64,
    /// Turns that were shed.
    pub(crate) shed: u64,
    /// Time in which they were made, without that of preparing.
    pub(crate) time: Duration,
    /// Time that passed.
    pub(crate) elapsed: Duration,
    /// Time of processors that the whole program took meanwhile, that of preparing included.
    pub(crate) processor: Duration,
    /// Nanoseconds of single calls.
    pub(crate) latencies: Histogram<u64>,
}

impl Seen {
    pub(crate) fn none() -> Self {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("the bounds are sound");
        Self { calls: 0, shed: 0, time: Duration::ZERO, elapsed: Duration::ZERO, processor: Duration::ZERO, latencies }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.calls as f64 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The part of the callers' processors that this program had.
    pub(crate) fn share(&self) -> f64 {
        self.processor.as_secs_f64() / (self.elapsed.as_secs_f64() * THREADS as f64).max(f64::MIN_POSITIVE)
    }

    /// Nanoseconds of processors for each call.
    pub(crate) fn processor_nanos(&self) -> f64 {
        self.processor.as_nanos() as f64 / self.calls.max(1) as f64
    }
}

const WARMING: u8 = 0;
const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// Lets callers call for some time, after a fifth of it that is not counted.
pub(crate) fn drive<T: Taker>(ground: &'static Ground, threads: &Threads, taker: &T, plan: Plan) -> Seen {
    let phase = Arc::new(AtomicU8::new(WARMING));
    let (report, mut reports) = mpsc::unbounded_channel();
    for nth in 0..plan.callers {
        let caller = Caller {
            ground,
            draw: Draw::new(plan.spread, plan.customers, plan.series << 16 | nth as u64),
            series: plan.series << 16 | nth as u64,
            nth: 0,
            prepared: Vec::with_capacity(BATCH),
            seen: Seen::none(),
            preparing: Duration::ZERO,
        };
        let (taker, phase, report) = (taker.clone(), Arc::clone(&phase), report.clone());
        threads.spawn(nth, async move {
            let _ = report.send(caller.call(taker, &phase).await);
        });
    }
    drop(report);
    std::thread::sleep(plan.time / 5);
    phase.store(COUNTING, Ordering::Release);
    let (start, processor) = (Instant::now(), processor_time());
    std::thread::sleep(plan.time);
    phase.store(OVER, Ordering::Release);
    let (elapsed, processor) = (start.elapsed(), processor_time().saturating_sub(processor));
    let (mut all, mut preparing) = (Seen::none(), Duration::ZERO);
    while let Some((seen, prepared)) = reports.blocking_recv() {
        all.calls += seen.calls;
        all.shed += seen.shed;
        all.latencies.add(&seen.latencies).expect("histograms of one kind");
        preparing += prepared;
    }
    all.processor = processor;
    all.elapsed = elapsed;
    all.time = elapsed.saturating_sub(preparing / plan.callers.min(THREADS) as u32);
    all
}

/// Time of processors that this program has taken, in hundredths of a second; zero where the system does not say.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program stands in brackets and may hold anything.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Someone who calls.
struct Caller {
    ground: &'static Ground,
    draw: Draw,
    series: u64,
    nth: u64,
    prepared: Vec<Input>,
    seen: Seen,
    preparing: Duration,
}

impl Caller {
    /// Calls until it is over; what was seen, and the time that went into preparing.
    async fn call<T: Taker>(mut self, taker: T, phase: &AtomicU8) -> (Seen, Duration) {
        loop {
            let before = Instant::now();
            let is_counting = match phase.load(Ordering::Acquire) {
                OVER => return (self.seen, self.preparing),
                phase => phase == COUNTING,
            };
            let readings = self.prepare();
            let mut last = Instant::now();
            if is_counting {
                self.preparing += last - before;
            }
            for input in std::mem::take(&mut self.prepared) {
                let is_taken = taker.take(input, readings.clone()).await.is_some();
                let now = Instant::now();
                if is_counting && is_taken {
                    self.seen.calls += 1;
                    self.seen.latencies.saturating_record((now - last).as_nanos() as u64);
                } else if is_counting {
                    self.seen.shed += 1;
                }
                last = now;
            }
            tokio::task::yield_now().await;
        }
    }

    fn prepare(&mut self) -> Readings {
        for _ in 0..BATCH {
            self.nth += 1;
            self.prepared.push(self.ground.input(self.draw.next(), self.series, self.nth));
        }
        Readings::at(self.arrival())
    }

    /// A time that goes on with the calls, so that signals have more than one moment to look at.
    fn arrival(&self) -> Timestamp {
        self.ground.now.saturating_add(TimeDelta::from_micros(self.nth as i64))
    }
}
