//! What a signal keeps: its declaration, checked.

use xxhash_rust::xxh3::xxh3_64;

use super::{Decay, Tags, TypedEvent};
use crate::domain::{FUTURE_MAX, TimeDelta, Timestamp, Type, Value};

/// A declared signal.
#[derive(Debug, Clone)]
pub struct SignalDefinition {
    /// Its name.
    pub name: Box<str>,
    /// What it keeps.
    pub kind: SignalKind,
    /// The number of the event type it watches.
    pub event: usize,
    /// How far back it looks; `None` for ever (only [`SignalKind::Last`] and [`SignalKind::LastN`]).
    pub over: Option<TimeDelta>,
    /// The width of its buckets.
    pub resolution: TimeDelta,
    /// The weights of [`SignalKind::Decayed`].
    pub decay: Option<Decay>,
    /// What it is kept by, if it is kept apart for each value of an attribute.
    pub by: Option<Grouping>,
    /// Whether it may be used while it is younger than its window.
    pub partial: bool,
    /// The type of its value.
    pub ty: Type,
    /// The type of the attribute it looks at, if it looks at one.
    pub of: Option<Type>,
    /// Whether nobody can change it: what is suggested to make a rule decide leaves it alone.
    pub immutable: bool,
    /// What may be done with it: what may be done with what it is made from.
    pub tags: Tags,
    /// Changes when the definition changes its meaning, so that old contents are not taken for new ones.
    pub fingerprint: u64,
}

/// What a signal keeps. Numbers are attributes of its event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalKind {
    /// How many events.
    Count,
    /// The sum of an attribute.
    Sum(usize),
    /// The smallest value of an attribute.
    Min(usize),
    /// The largest value of an attribute.
    Max(usize),
    /// The mean of an attribute.
    Mean(usize),
    /// The latest value of an attribute.
    Last(usize),
    /// The latest values of an attribute, newest first.
    LastN {
        /// The attribute.
        of: usize,
        /// How many.
        n: usize,
    },
    /// How many different values of an attribute.
    Distinct(usize),
    /// A sum that forgets: of an attribute, or of one for each event.
    Decayed(Option<usize>),
}

/// What a signal is kept by: each value of an attribute has a content of its own, and a decision sees the one of its event.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// The attribute of the watched event.
    pub by: usize,
    /// Its type.
    pub of: Type,
    /// The attribute of the event decided on and its type, by the number of its event type.
    pub asked: Box<[Option<(usize, Type)>]>,
    /// Groups that a customer has at most.
    pub groups_max: usize,
}

/// Buckets that a window may have.
pub const BUCKETS_MAX: i64 = 1_024;

/// Values that a [`SignalKind::LastN`] may have.
pub const LAST_N_MAX: i64 = 64;

/// Groups that a signal may have.
pub const GROUPS_MAX: i64 = 1_024;

/// Groups that a signal has if it does not say. A customer buys in a few categories and from a few countries.
pub const GROUPS_DEFAULT: usize = 32;

impl SignalKind {
    /// The attribute that is looked at.
    pub fn attribute(self) -> Option<usize> {
        match self {
            Self::Count | Self::Decayed(None) => None,
            Self::Sum(of)
            | Self::Min(of)
            | Self::Max(of)
            | Self::Mean(of)
            | Self::Last(of)
            | Self::LastN { of, .. }
            | Self::Distinct(of)
            | Self::Decayed(Some(of)) => Some(of),
        }
    }

    /// Whether it keeps values with their exact times instead of buckets.
    pub(super) fn is_exact(self) -> bool {
        matches!(self, Self::Last(_) | Self::LastN { .. })
    }
}

impl SignalDefinition {
    /// The resolution of a window that does not declare one: the largest round width of which 24 fit into it.
    pub fn default_resolution(over: TimeDelta) -> TimeDelta {
        Self::resolutions(over).next().unwrap_or(TimeDelta::SECOND)
    }

    /// Round widths of which 24 fit into a time, the largest first.
    pub fn resolutions(over: TimeDelta) -> impl Iterator<Item = TimeDelta> {
        const WIDTHS: [i64; 10] = [1, 5, 15, 60, 300, 900, 3_600, 6 * 3_600, 86_400, 7 * 86_400];
        let widest = over.micros() / 24;
        let widths = WIDTHS.into_iter().rev().map(|seconds| seconds * 1_000_000);
        widths.filter(move |width| *width <= widest).map(TimeDelta::from_micros)
    }

    /// The fingerprint of a definition whose parts are written out.
    pub fn fingerprint_of(description: &str) -> u64 {
        xxh3_64(description.as_bytes())
    }

    /// The definition's name in a stored state: half of its fingerprint. Two signals of one bundle never share one unless
    /// they mean the same; the bundle refuses that.
    pub fn key(&self) -> u32 {
        self.fingerprint as u32
    }

    #[inline]
    pub(super) fn bucket(&self, time: Timestamp) -> i64 {
        time.micros().div_euclid(self.resolution.micros())
    }

    /// Buckets that a window reaches back beyond the current one, rounded up.
    #[inline]
    pub(super) fn reach(&self) -> i64 {
        let over = self.over.unwrap_or_default().micros();
        over.div_euclid(self.resolution.micros()) + i64::from(over % self.resolution.micros() != 0)
    }

    /// The oldest bucket that is kept once there is a newest one.
    #[inline]
    pub(super) fn oldest_kept(&self, newest: i64) -> i64 {
        // An event may be a little ahead of the clock; what it outdates before its time would be missed until then.
        let ahead = FUTURE_MAX.micros().div_euclid(self.resolution.micros()) + 1;
        newest.saturating_sub(2 * self.reach() + ahead)
    }

    /// The first bucket of which something has not expired at `now`: a bucket expires with its beginning, a value with its
    /// exact time.
    #[inline]
    pub(super) fn first_retained(&self, now: Timestamp) -> i64 {
        let first = |until| self.bucket(until) + i64::from(!self.kind.is_exact());
        self.tags.expired_until(now).map_or(i64::MIN, first)
    }

    /// Whether an event of this time has expired at `now`: contents of its bucket, or its value.
    pub(super) fn is_expired(&self, time: Timestamp, now: Timestamp) -> bool {
        match self.tags.expired_until(now) {
            None => false,
            Some(until) if self.kind.is_exact() => time <= until,
            Some(until) => self.bucket(time) <= self.bucket(until),
        }
    }

    /// What an event brings to the signal; `None` if it has nothing of what is kept.
    #[inline]
    pub(super) fn brought<'e>(&self, event: &'e TypedEvent) -> Option<Brought<'e>> {
        let Some(number) = self.kind.attribute() else { return Some(Brought { value: None, amount: 1 }) };
        let value = event.attributes.get(number)?.as_ref()?;
        let amount = match self.kind {
            SignalKind::Last(_) | SignalKind::LastN { .. } | SignalKind::Distinct(_) => 0,
            _ => value.ordinal()?,
        };
        Some(Brought { value: Some(value), amount })
    }
}

/// What an event brings to a signal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Brought<'e> {
    /// The attribute's value.
    pub(super) value: Option<&'e Value>,
    /// Its number, or one for the event itself.
    pub(super) amount: i64,
}
