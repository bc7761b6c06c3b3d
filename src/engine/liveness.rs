//! Whether the threads move that the engine cannot do without.
//!
//! A thread that watches looks at each of them once a second. What it adds up is the time that it was awake itself, so that a machine
//! that stood still is not taken for an engine that does. A thread that waits for work, or for the disk, need not move.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::vital::{Sign, Vital};
use crate::telemetry::Level;
use crate::time::{Clock, Instant};

/// How often the threads are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What one look may add to the time that a thread stood still: more has passed where the machine itself stood still.
const PASSED_MAX: Duration = Duration::from_secs(2);

/// The name of the thread that watches.
const WATCHER: &str = "watch";

/// A thread that does not move though it has reason to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Which.
    pub thread: String,
    /// For how long.
    pub still: Duration,
}

/// Watches the threads of one engine.
#[derive(Debug)]
pub(super) struct Liveness {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    bound: Duration,
    clock: Clock,
    /// How often had been looked when somebody asked first after a look, and when that was.
    asked: Mutex<(u64, Instant)>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Seen>,
    wake: Condvar,
    is_stopped: AtomicBool,
    looks: AtomicU64,
}

/// What the last look found.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Who has stood still longest.
    still: Option<Stuck>,
    /// Who has been at the disk longest, the journal before all others.
    at_disk: Option<Stuck>,
}

/// The threads, and since when each has not moved.
pub(super) struct Round(Vec<Watched>);

struct Watched {
    vital: Vital,
    still: Duration,
    at_disk: Duration,
    level: Level,
}

impl Round {
    pub(super) fn new(vitals: Vec<Vital>, level: impl Fn(&str) -> Level) -> Self {
        let watched = |vital: Vital| {
            let level = level(&vital.name);
            Watched { vital, still: Duration::ZERO, at_disk: Duration::ZERO, level }
        };
        Self(vitals.into_iter().map(watched).collect())
    }

    /// Looks at each thread, so long after the look before.
    fn look(&mut self, passed: Duration) -> Seen {
        let passed = passed.min(PASSED_MAX);
        for Watched { vital, still, at_disk, level } in &mut self.0 {
            match (vital.look)() {
                Sign::Moved => (*still, *at_disk) = (Duration::ZERO, Duration::ZERO),
                Sign::AtDisk => (*still, *at_disk) = (Duration::ZERO, *at_disk + passed),
                Sign::Still => (*still, *at_disk) = (*still + passed, Duration::ZERO),
            }
            level.set(still.as_secs_f64());
        }
        let longest = |of: &dyn Fn(&Watched) -> Duration| {
            let longest = self.0.iter().filter(|one| !of(one).is_zero()).max_by_key(|one| of(one))?;
            Some(Stuck { thread: longest.vital.name.clone(), still: of(longest) })
        };
        let of_journal = |watched: &Watched| if watched.vital.is_journal { watched.at_disk } else { Duration::ZERO };
        Seen { still: longest(&|one| one.still), at_disk: longest(&of_journal) }
    }
}

impl Liveness {
    /// Starts the thread. A thread counts as stuck that has not moved for `bound`.
    pub(super) fn start(mut round: Round, bound: Duration, clock: Clock) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (of_thread, clock_of_thread) = (Arc::clone(&shared), clock.clone());
        let watch = move || {
            let mut last = clock_of_thread.instant();
            while !of_thread.is_stopped.load(Ordering::Acquire) {
                let now = clock_of_thread.instant();
                let seen = round.look(now.since(last));
                last = now;
                of_thread.note(seen, bound);
                of_thread.pause();
            }
        };
        let thread = std::thread::Builder::new().name("forthwith-watch".to_owned()).spawn(watch)?;
        let asked = Mutex::new((0, clock.instant()));
        Ok(Self { shared, thread: Mutex::new(Some(thread)), bound, clock, asked })
    }

    /// The thread that has not moved for longest, if that is for too long. Never waits for a thread that is watched.
    pub(super) fn stuck(&self) -> Option<Stuck> {
        if self.shared.is_stopped.load(Ordering::Acquire) {
            return None;
        }
        self.watcher_stuck().or_else(|| self.too_long(self.shared.lock().still.clone()))
    }

    /// Whether the journal has been at the disk for too long: not the engine is stuck then, but it acknowledges nothing.
    pub(super) fn waits_for_disk(&self) -> Option<Stuck> {
        self.too_long(self.shared.lock().at_disk.clone())
    }

    fn too_long(&self, found: Option<Stuck>) -> Option<Stuck> {
        found.filter(|stuck| stuck.still > self.bound)
    }

    /// The watcher asks others how they are, and might be kept waiting for ever.
    fn watcher_stuck(&self) -> Option<Stuck> {
        let (looks, now) = (self.shared.looks.load(Ordering::Acquire), self.clock.instant());
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.0 != looks {
            *asked = (looks, now);
        }
        self.too_long(Some(Stuck { thread: WATCHER.to_owned(), still: now.since(asked.1) }))
    }

    /// Watches no more: the threads are about to end.
    pub(super) fn stop(&self) {
        self.shared.is_stopped.store(true, Ordering::Release);
        // Under the lock: the thread looks at the flag before it sleeps.
        drop(self.shared.lock());
        self.shared.wake.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic of it is seen in that it looks no more.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, seen: Seen, bound: Duration) {
        let mut held = self.lock();
        let before = std::mem::replace(&mut *held, seen).still;
        let now = held.still.clone();
        drop(held);
        self.looks.fetch_add(1, Ordering::AcqRel);
        let is_stuck = |of: &Option<Stuck>| of.as_ref().is_some_and(|stuck| stuck.still > bound);
        match (is_stuck(&before), now) {
            (false, Some(Stuck { thread, still })) if still > bound => {
                tracing::error!(thread, still_s = still.as_secs(), "a thread does not move: the engine is stuck");
            }
            (true, now) if !is_stuck(&now) => tracing::warn!("every thread moves again"),
            _ => {}
        }
    }

    fn pause(&self) {
        let held = self.lock();
        let is_on = |_: &mut Seen| !self.is_stopped.load(Ordering::Acquire);
        drop(self.wake.wait_timeout_while(held, LOOK_EVERY, is_on));
    }
}

impl Drop for Liveness {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU8;

    use super::*;
    use crate::telemetry::Registry;

    const SECOND: Duration = Duration::from_secs(1);

    /// A round over threads that say what the test has them say: 0 moved, 1 at the disk, 2 still.
    fn round<const N: usize>(names: [&str; N], registry: &Registry) -> (Round, [Arc<AtomicU8>; N]) {
        let signs: [Arc<AtomicU8>; N] = std::array::from_fn(|_| Arc::default());
        let vitals = names.iter().zip(&signs).map(|(name, sign)| {
            let sign = Arc::clone(sign);
            let look = move || match sign.load(Ordering::SeqCst) {
                0 => Sign::Moved,
                1 => Sign::AtDisk,
                _ => Sign::Still,
            };
            Vital { name: (*name).to_owned(), is_journal: *name == "journal", look: Box::new(look) }
        });
        let family = registry.gauges("forthwith_thread_still_seconds", "Still.", &["thread"]);
        (Round::new(vitals.collect(), |name| family.with(&[name])), signs)
    }

    #[test]
    fn a_thread_is_still_for_as_long_as_it_was_watched() {
        let registry = Registry::default();
        let (mut round, [journal, timer]) = round(["journal", "timer"], &registry);
        assert_eq!(round.look(SECOND).still, None);
        timer.store(2, Ordering::SeqCst);
        let still = |seen: Seen| seen.still.map(|stuck| (stuck.thread, stuck.still.as_secs()));
        assert_eq!(still(round.look(SECOND)), Some(("timer".to_owned(), 1)));
        assert_eq!(still(round.look(SECOND)), Some(("timer".to_owned(), 2)));
        assert!(registry.render().contains("forthwith_thread_still_seconds{thread=\"timer\"} 2"));
        // The machine was asleep for an hour: that is not the thread's fault.
        assert_eq!(still(round.look(3_600 * SECOND)), Some(("timer".to_owned(), 4)));
        journal.store(1, Ordering::SeqCst);
        timer.store(0, Ordering::SeqCst);
        let seen = round.look(SECOND);
        assert_eq!((seen.still, seen.at_disk.map(|of| of.thread)), (None, Some("journal".to_owned())));
    }

    #[test]
    fn the_disk_excuses_whoever_waits_for_it() {
        let registry = Registry::default();
        let (mut round, [journal, keeper]) = round(["journal", "keeper-0"], &registry);
        journal.store(1, Ordering::SeqCst);
        keeper.store(1, Ordering::SeqCst);
        let mut last = Seen::default();
        for _ in 0..1_000 {
            last = round.look(SECOND);
        }
        assert_eq!(last.still, None, "no slow disk makes a thread stuck");
        let waits = Stuck { thread: "journal".to_owned(), still: 1_000 * SECOND };
        assert_eq!(last.at_disk, Some(waits), "the journal's wait is told, for nothing is acknowledged meanwhile");
    }

    /// The thread really looks, and ends when it is told to.
    #[test]
    fn who_stands_still_for_too_long_is_named() {
        let registry = Registry::default();
        let (round, [_, keeper]) = round(["journal", "keeper-1"], &registry);
        keeper.store(2, Ordering::SeqCst);
        // No time passes on this clock, so that nobody is stuck however slow the machine is.
        let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
        let liveness = Liveness::start(round, Duration::ZERO, clock.clone()).unwrap();
        while liveness.shared.looks.load(Ordering::Acquire) == 0 {
            std::thread::yield_now();
        }
        assert_eq!(liveness.stuck(), None);
        clock.advance("5s".parse().unwrap());
        // Either the watcher has looked since, and names the keeper, or it has not, and is named itself.
        let named = liveness.stuck().unwrap();
        assert!(["keeper-1", WATCHER].contains(&named.thread.as_str()), "{named:?}");
        liveness.stop();
        assert_eq!(liveness.stuck(), None, "an engine that stops is not stuck");
    }
}
