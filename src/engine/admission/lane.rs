//! Where requests line up: in process, or at one worker of the HTTP server.
//!
//! While nothing waits, a request reads one word here. While something does, it is counted, with one addition for its level and
//! one for its customer's bucket.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ShedFor;
use super::census::{BUCKETS, Census, Hot};
use super::control::Control;
use super::strain::Strain;
use super::verdict::{OPEN, Verdict, WHOLE, is_chosen, mixed};
use super::weight::{LEVEL_NORMAL, LEVELS};
use crate::time::Instant;

/// Requests that wait in one line.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Who is admitted.
    verdict: AtomicU64,
    /// The buckets of those who ask far more than others.
    hot: [AtomicU64; BUCKETS / 64],
    /// By which customers are dealt out to buckets.
    salt: AtomicU64,
    /// Requests whose customer is not known.
    unknown: AtomicU32,
    levels: [AtomicU32; LEVELS],
    buckets: [AtomicU32; BUCKETS],
    /// The smallest delay since the last look: what waits for longer than that is no burst.
    delay_min: AtomicU64,
    /// The delay at the last look.
    delay: AtomicU64,
    /// The part of it that was told: what is behind the lane still lies ahead of whoever comes out of it.
    told: AtomicU64,
    /// When to look next.
    look_at: AtomicU64,
    state: Mutex<State>,
}

/// What is known at the last look.
#[derive(Debug, Default)]
struct State {
    control: Control,
    census: Census,
    strain: Strain,
    at: Option<Instant>,
    shuffled: Option<Instant>,
    /// What the buckets had counted.
    counted: Counted,
}

/// Buckets count on and on, so that no customer has the same luck with every look.
#[derive(Debug)]
struct Counted([u32; BUCKETS]);

impl Default for Counted {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

/// How long a look holds.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often customers are dealt out anew, so that nobody shares a bucket with a flood for long.
const SHUFFLE_EVERY: Duration = Duration::from_secs(1);

/// From this part of the target on requests are counted.
const COUNT_FROM: u32 = 4;

/// No delay was told.
const UNTOLD: u64 = u64::MAX;

impl Default for Lane {
    fn default() -> Self {
        Self {
            verdict: AtomicU64::new(OPEN),
            hot: Default::default(),
            salt: AtomicU64::new(0),
            unknown: AtomicU32::new(0),
            levels: Default::default(),
            buckets: [const { AtomicU32::new(0) }; BUCKETS],
            delay_min: AtomicU64::new(UNTOLD),
            delay: AtomicU64::new(0),
            told: AtomicU64::new(0),
            look_at: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }
}

impl Lane {
    // === for every request ===

    /// Whether everyone is admitted. One relaxed read.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.verdict.load(Ordering::Relaxed) == OPEN
    }

    /// Whether a request is let through, or why it is not. `customer` is a hash.
    pub(super) fn lets_through(&self, level: u8, customer: Option<u64>) -> Result<(), ShedFor> {
        let word = self.verdict.load(Ordering::Relaxed);
        if word == OPEN {
            return Ok(());
        }
        let verdict = Verdict::of(word);
        if let Some(count) = self.levels.get(usize::from(level)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let Some(customer) = customer else {
            let nth = self.unknown.fetch_add(1, Ordering::Relaxed);
            let is_chosen = is_chosen(nth, self.salt.load(Ordering::Relaxed), verdict.chance(level, false));
            return if is_chosen { Ok(()) } else { Err(ShedFor::Delay) };
        };
        let (nth, is_hot) = self.count(customer);
        let is_chosen = |is_hot| is_chosen(nth, customer, verdict.chance(level, is_hot));
        if is_chosen(is_hot) {
            return Ok(());
        }
        // Any other customer's would have been let through.
        Err(if is_hot && is_chosen(false) { ShedFor::Customer } else { ShedFor::Delay })
    }

    /// The same for a request that was let through before its customer was known: what is left to be asked is whether its
    /// customer asks far more than others.
    pub(super) fn lets_customer_through(&self, level: u8, customer: u64) -> bool {
        let word = self.verdict.load(Ordering::Relaxed);
        if word == OPEN {
            return true;
        }
        let verdict = Verdict::of(word);
        let (nth, is_hot) = self.count(customer);
        let (rest, hot) = (verdict.chance(level, false), verdict.chance(level, true));
        !is_hot || hot >= rest || is_chosen(nth, customer, (u64::from(hot) * u64::from(WHOLE) / u64::from(rest)) as u32)
    }

    /// Counts a request of a customer: how many there were in the bucket, and whether it is a hot one.
    fn count(&self, customer: u64) -> (u32, bool) {
        let bucket = mixed(customer ^ self.salt.load(Ordering::Relaxed)) as usize % BUCKETS;
        let nth = self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        (nth, self.hot[bucket / 64].load(Ordering::Relaxed) & (1 << (bucket % 64)) != 0)
    }

    /// Notes how long a request has waited, or would have.
    #[inline]
    pub(super) fn note(&self, delay: Duration) {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(UNTOLD - 1);
        if nanos < self.delay_min.load(Ordering::Relaxed) {
            self.delay_min.fetch_min(nanos, Ordering::Relaxed);
        }
    }

    /// Whether it is time for a look. True for one caller only. One relaxed read while it is not.
    #[inline]
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let at = self.look_at.load(Ordering::Relaxed);
        now.nanos() >= at && {
            let next = now.after(LOOK_EVERY).nanos();
            self.look_at.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        }
    }

    /// The delay at the last look.
    #[inline]
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_nanos(self.delay.load(Ordering::Relaxed))
    }

    /// How long requests had waited in the lane itself, at the last look.
    #[inline]
    pub(crate) fn told(&self) -> Duration {
        Duration::from_nanos(self.told.load(Ordering::Relaxed))
    }

    // === now and then ===

    /// Looks how it stands: the delay is what waits behind the lane or what waits in it, whichever is longer.
    pub(super) fn look(&self, now: Instant, behind: Duration, target: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let told = self.delay_min.swap(UNTOLD, Ordering::Relaxed);
        let told = if told == UNTOLD { 0 } else { told };
        self.told.store(told, Ordering::Relaxed);
        let delay = behind.max(Duration::from_nanos(told));
        self.delay.store(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let passed = state.at.replace(now).map_or(LOOK_EVERY, |at| now.since(at));
        let share = state.control.step(passed, delay, target);
        let is_counting = self.verdict.load(Ordering::Relaxed) != OPEN;
        if is_counting {
            let levels = std::array::from_fn(|level| self.levels[level].swap(0, Ordering::Relaxed));
            let State { census, counted, .. } = &mut *state;
            let buckets = self.buckets.iter().zip(&mut counted.0).map(|(count, before)| {
                let now = count.load(Ordering::Relaxed);
                now.wrapping_sub(std::mem::replace(before, now))
            });
            census.learn(passed, levels, buckets);
        }
        if share >= 1.0 && delay < target / COUNT_FROM {
            if is_counting {
                state.census = Census::default();
                self.put(OPEN, Hot::default());
            }
        } else {
            let (verdict, hot) = state.census.divide(share);
            self.put(verdict.word(), hot);
            self.shuffle(&mut state, now);
        }
        let word = self.verdict.load(Ordering::Relaxed);
        state.strain.note(word != OPEN && Verdict::of(word).cuts(LEVEL_NORMAL), now);
    }

    fn put(&self, word: u64, hot: Hot) {
        for (to, from) in self.hot.iter().zip(hot) {
            to.store(from, Ordering::Relaxed);
        }
        self.verdict.store(word, Ordering::Relaxed);
    }

    fn shuffle(&self, state: &mut State, now: Instant) {
        if state.shuffled.is_none_or(|at| now.since(at) >= SHUFFLE_EVERY) {
            state.shuffled = Some(now);
            state.census.shuffle();
            self.salt.store(mixed(now.nanos()), Ordering::Relaxed);
        }
    }

    /// Nobody comes any more: whoever is next finds the lane open.
    pub(crate) fn rest(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.control, state.census, state.at) = (Control::default(), Census::default(), None);
        self.delay.store(0, Ordering::Relaxed);
        self.told.store(0, Ordering::Relaxed);
        self.delay_min.store(UNTOLD, Ordering::Relaxed);
        self.put(OPEN, Hot::default());
    }

    /// The share that is admitted, and whether shedding has lasted for so long.
    pub(super) fn stands(&self, long: Duration, now: Instant) -> (f64, bool) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let share = if self.is_open() { 1.0 } else { state.control.share() };
        (share, state.strain.lasts(long, now))
    }
}
