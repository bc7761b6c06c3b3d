//! The engine's admission: bounds, lanes, what is told of them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::metrics::Metrics;
use super::{Config, Lane, ShedFor, Weight};
use crate::telemetry::Registry;
use crate::time::Instant;

/// Decides what is taken on.
#[derive(Debug)]
pub(crate) struct Admission {
    config: Config,
    under_way: Alone<AtomicUsize>,
    bodies: Alone<AtomicUsize>,
    /// The delay that is aimed at, in nanoseconds.
    target: AtomicU64,
    /// How long a request has waited for room in the journal, and when.
    room: (AtomicU64, AtomicU64),
    /// What waits behind every lane, at its last look.
    behind: AtomicU64,
    /// Of callers in process.
    own: Arc<Lane>,
    /// Of workers of HTTP servers.
    lanes: Mutex<Vec<Weak<Lane>>>,
    metrics: Metrics,
}

/// What has a line of the processor's cache to itself, because many write it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Alone<T>(T);

/// One more request that is under way, until this is dropped.
#[derive(Debug)]
pub(crate) struct UnderWay<'a>(Option<&'a AtomicUsize>);

/// Bytes of a body that is under way, until this is dropped.
#[derive(Debug)]
pub(crate) struct Bodies<'a>(&'a AtomicUsize, usize);

/// One part in so many of a budget is left for the work itself.
const WORK_PART: u32 = 8;

/// A target that is not set is found within these.
const TARGETS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// How long a wait for room in the journal is news.
const ROOM_IS_NEWS: Duration = Duration::from_millis(100);

/// Lanes that have gone are forgotten when there are more than so many.
const LANES_MAX: usize = 1_024;

impl Admission {
    pub(crate) fn new(config: Config, registry: &Registry) -> Self {
        let metrics = Metrics::new(registry);
        Self {
            config,
            under_way: Alone::default(),
            bodies: Alone::default(),
            target: AtomicU64::new(0),
            room: Default::default(),
            behind: AtomicU64::new(0),
            own: Arc::default(),
            lanes: Mutex::default(),
            metrics,
        }
    }

    /// Aims at a delay that fits these budgets.
    pub(crate) fn fit(&self, budgets: impl Iterator<Item = Duration>) {
        let found = || budgets.min().map_or(TARGETS.0, |least| (least / 2).clamp(TARGETS.0, TARGETS.1));
        let target = self.config.delay_target.unwrap_or_else(found);
        self.target.store(u64::try_from(target.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn target(&self) -> Duration {
        Duration::from_nanos(self.target.load(Ordering::Relaxed))
    }

    /// The lane of callers in process.
    #[inline]
    pub(crate) fn own(&self) -> &Lane {
        &self.own
    }

    /// A lane of a worker of an HTTP server. It is known as long as somebody holds it.
    pub(crate) fn lane(&self) -> Arc<Lane> {
        let lane = Arc::new(Lane::default());
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= LANES_MAX {
            lanes.retain(|lane| lane.strong_count() > 0);
        }
        lanes.push(Arc::downgrade(&lane));
        lane
    }

    // === for every request ===

    /// Whether a request need not be weighed: nothing waits that is known of. Two relaxed reads.
    #[inline]
    pub(crate) fn is_calm(&self, lane: &Lane) -> bool {
        !self.config.is_on || (lane.is_open() && self.behind.load(Ordering::Relaxed) == 0)
    }

    /// Weighs a request that has waited so long: why it is shed, if it is.
    pub(crate) fn weigh(&self, lane: &Lane, waited: Duration, weight: Weight) -> Result<(), ShedFor> {
        if !self.config.is_on {
            return Ok(());
        }
        let behind = Duration::from_nanos(self.behind.load(Ordering::Relaxed));
        // Counted in any case: what is shed for its deadline was offered too.
        let let_through = lane.lets_through(weight.level, weight.customer);
        if waited.saturating_add(behind) >= weight.budget - weight.budget / WORK_PART {
            return Err(self.shed(ShedFor::Deadline, weight.level));
        }
        let_through.map_err(|reason| self.shed(reason, weight.level))
    }

    /// Weighs a request anew that was let through before its customer was known.
    pub(crate) fn weigh_customer(&self, lane: &Lane, level: u8, customer: u64) -> Result<(), ShedFor> {
        if !self.config.is_on || lane.lets_customer_through(level, customer) {
            return Ok(());
        }
        Err(self.shed(ShedFor::Customer, level))
    }

    /// Takes a request on, unless too many are under way.
    #[inline]
    pub(crate) fn enter(&self, level: impl FnOnce() -> u8) -> Result<UnderWay<'_>, ShedFor> {
        let count = &self.under_way.0;
        let under_way = UnderWay(Some(count));
        if count.fetch_add(1, Ordering::Relaxed) < self.config.under_way_max {
            return Ok(under_way);
        }
        drop(under_way);
        Err(self.shed(ShedFor::UnderWay, level()))
    }

    /// Takes a body on, unless too many bytes are under way. One body alone is always taken on, and so is a request without one.
    pub(crate) fn enter_body(&self, bytes: usize, level: u8) -> Result<Bodies<'_>, ShedFor> {
        let count = &self.bodies.0;
        let before = count.fetch_add(bytes, Ordering::Relaxed);
        let bodies = Bodies(count, bytes);
        if bytes == 0 || before == 0 || before.saturating_add(bytes) <= self.config.bodies_bytes_max {
            return Ok(bodies);
        }
        drop(bodies);
        Err(self.shed(ShedFor::Bodies, level))
    }

    /// Notes how long a request in process has waited before it was handed in.
    pub(crate) fn note_waited(&self, waited: Duration) {
        self.own.note(waited);
    }

    /// Notes how long a request has waited for room in the journal.
    pub(crate) fn note_room(&self, waited: Duration, now: Instant) {
        self.room.0.store(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.room.1.store(now.nanos(), Ordering::Relaxed);
    }

    fn shed(&self, reason: ShedFor, level: u8) -> ShedFor {
        self.metrics.shed(reason, level);
        reason
    }

    // === now and then ===

    /// Looks how it stands with a lane, given how long what waits for turns will take.
    pub(crate) fn look(&self, lane: &Lane, now: Instant, turns: Duration) {
        let (room, at) = (self.room.0.load(Ordering::Relaxed), self.room.1.load(Ordering::Relaxed));
        let is_news = now.nanos().saturating_sub(at) < u64::try_from(ROOM_IS_NEWS.as_nanos()).unwrap_or(u64::MAX);
        let behind = if is_news { turns.max(Duration::from_nanos(room)) } else { turns };
        self.behind.store(u64::try_from(behind.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        lane.look(now, behind, self.target());
    }

    /// Hears how late a worker of an HTTP server is, and looks how it stands if it is time for that.
    pub(crate) fn hear(&self, lane: &Lane, lateness: Duration, now: Instant, turns: impl FnOnce() -> Duration) {
        lane.note(lateness);
        if lane.is_due(now) {
            self.look(lane, now, turns());
        }
    }

    /// Whether requests of normal priority have been shed for so long that traffic should go elsewhere.
    pub(crate) fn is_strained(&self, now: Instant) -> bool {
        self.all().iter().any(|lane| lane.stands(self.config.unready_after, now).1)
    }

    /// Tells the metrics how it stands.
    pub(crate) fn tell(&self, now: Instant) {
        let lanes = self.all();
        let share = lanes.iter().map(|lane| lane.stands(self.config.unready_after, now).0).fold(1.0, f64::min);
        let delay = lanes.iter().map(|lane| lane.delay()).max().unwrap_or_default();
        self.metrics.delay.set(delay.as_secs_f64());
        self.metrics.target.set(self.target().as_secs_f64());
        self.metrics.share.set(share);
        self.metrics.under_way.set(self.under_way.0.load(Ordering::Relaxed) as f64);
        self.metrics.bodies.set(self.bodies.0.load(Ordering::Relaxed) as f64);
    }

    fn all(&self) -> Vec<Arc<Lane>> {
        let lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lanes.iter().filter_map(Weak::upgrade);
        known.chain([Arc::clone(&self.own)]).collect()
    }
}

impl UnderWay<'_> {
    /// One that is not counted: for work that nobody waits for, and that waits for room itself.
    pub(crate) fn uncounted() -> Self {
        Self(None)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Bodies<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}
