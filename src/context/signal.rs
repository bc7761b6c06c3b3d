//! Signals: what happened to a customer lately, kept incrementally while events pass by.
//!
//! Time is cut into buckets of the signal's resolution. A window reaches back at least as far as declared: its beginning
//! is rounded down to the resolution, so a signal never misses an event that lies within its window, and counts none
//! that is older by more than one resolution. Late events fall into the bucket of their own time; buckets are kept for
//! twice the window and what an event may be ahead of the clock, so an event that is late by up to a window is judged as it
//! would have been on time.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{Tags, TypedEvent};
use crate::domain::{Decimal, FUTURE_MAX, Raw, TimeDelta, Timestamp, Type, Unavailable, Value};

/// A declared signal.
#[derive(Debug, Clone)]
pub struct SignalDefinition {
    /// Its name.
    pub name: Box<str>,
    /// What it keeps.
    pub kind: SignalKind,
    /// The number of the event type it watches.
    pub event: usize,
    /// How far back it looks; `None` for ever (only [`SignalKind::Last`]).
    pub over: Option<TimeDelta>,
    /// The width of its buckets.
    pub resolution: TimeDelta,
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
    /// The latest value of an attribute.
    Last(usize),
    /// How many different values of an attribute.
    Distinct(usize),
}

/// One signal of one customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// When it began to watch.
    since: Timestamp,
    content: Content,
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    /// Bucket and total, ascending by bucket.
    Totals(Vec<(i64, i64)>),
    /// When and what.
    Last(Option<(Timestamp, Value)>),
    /// Bucket and fingerprint of a value, ascending, each once.
    Values { seen: Vec<(i64, u64)>, dropped_at: Option<i64> },
}

/// The stored form of a signal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredSignal {
    since: i64,
    totals: Vec<(i64, i64)>,
    last: Option<(i64, Raw)>,
    values: Vec<(i64, u64)>,
    dropped_at: Option<i64>,
}

/// Buckets that a window may have.
pub const BUCKETS_MAX: i64 = 1_024;

/// Entries (bucket, value) that a distinct count keeps: bounds its memory at 8 KiB. Beyond it the count is unavailable
/// rather than wrong.
const DISTINCT_MAX: usize = 512;

/// Stands for a total that left the range of 64 bits.
const OVERFLOWED: i64 = i64::MIN;

impl SignalKind {
    /// The attribute that is looked at.
    pub fn attribute(self) -> Option<usize> {
        match self {
            Self::Count => None,
            Self::Sum(number) | Self::Last(number) | Self::Distinct(number) => Some(number),
        }
    }
}

impl SignalDefinition {
    /// The resolution of a window that does not declare one: the largest round width of which 24 fit into it.
    pub fn default_resolution(over: TimeDelta) -> TimeDelta {
        const WIDTHS: [i64; 10] = [1, 5, 15, 60, 300, 900, 3_600, 6 * 3_600, 86_400, 7 * 86_400];
        let widest = over.micros() / 24;
        let seconds = WIDTHS.into_iter().rev().find(|seconds| seconds * 1_000_000 <= widest).unwrap_or(1);
        TimeDelta::from_micros(seconds * 1_000_000)
    }

    /// The fingerprint of a definition whose parts are written out.
    pub fn fingerprint_of(description: &str) -> u64 {
        xxh3_64(description.as_bytes())
    }

    fn bucket(&self, time: Timestamp) -> i64 {
        time.micros().div_euclid(self.resolution.micros())
    }

    /// Buckets that a window reaches back beyond the current one, rounded up.
    fn reach(&self) -> i64 {
        let over = self.over.unwrap_or_default().micros();
        over.div_euclid(self.resolution.micros()) + i64::from(over % self.resolution.micros() != 0)
    }
}

/// Stands for a beginning that the next turn will settle.
const UNSETTLED: Timestamp = Timestamp::from_micros(i64::MAX);

impl Signal {
    /// A signal that begins to watch at a customer's next turn.
    pub fn unsettled(definition: &SignalDefinition) -> Self {
        Self::new(definition, UNSETTLED)
    }

    /// Begins to watch, unless it does already.
    pub fn settle(&mut self, now: Timestamp) {
        if self.since == UNSETTLED {
            self.since = now;
        }
    }

    /// A signal that begins to watch.
    pub fn new(definition: &SignalDefinition, since: Timestamp) -> Self {
        let content = match definition.kind {
            SignalKind::Count | SignalKind::Sum(_) => Content::Totals(Vec::new()),
            SignalKind::Last(_) => Content::Last(None),
            SignalKind::Distinct(_) => Content::Values { seen: Vec::new(), dropped_at: None },
        };
        Self { since, content }
    }

    /// Takes an event of the type that the definition watches.
    pub fn fold(&mut self, definition: &SignalDefinition, event: &TypedEvent, time: Timestamp) {
        let bucket = definition.bucket(time);
        let attribute = |number: usize| event.attributes.get(number).and_then(Option::as_ref);
        match (&mut self.content, definition.kind) {
            (Content::Totals(totals), SignalKind::Count) => add(totals, definition, bucket, 1),
            (Content::Totals(totals), SignalKind::Sum(of)) => {
                if let Some(amount) = attribute(of).and_then(Value::ordinal) {
                    add(totals, definition, bucket, amount);
                }
            }
            (Content::Last(last), SignalKind::Last(of)) => {
                let is_newer = last.as_ref().is_none_or(|(at, _)| *at <= time);
                if let (Some(value), true) = (attribute(of), is_newer) {
                    *last = Some((time, value.clone()));
                }
            }
            (Content::Values { seen, dropped_at }, SignalKind::Distinct(of)) => {
                if let Some(value) = attribute(of) {
                    insert(seen, dropped_at, definition, (bucket, fingerprint(value, definition.of.as_ref())));
                }
            }
            // Contents are made from their definition and remade when it changes.
            _ => {}
        }
    }

    /// The signal's value as of a time.
    pub fn value(&self, definition: &SignalDefinition, as_of: Timestamp) -> Result<Value, Unavailable> {
        let over = definition.over.unwrap_or_default();
        // One that looks back for ever has no window to be too young for.
        if !definition.partial && definition.over.is_some() && as_of.since(self.since) < over {
            return Err(Unavailable::Warming);
        }
        let now = definition.bucket(as_of);
        let from = now - definition.reach();
        match &self.content {
            Content::Totals(totals) => {
                is_remembered(totals.last().map(|(bucket, _)| *bucket), from, definition)?;
                let within = totals.iter().filter(|(bucket, _)| (from..=now).contains(bucket));
                let mut sum: i64 = 0;
                for (_, total) in within {
                    let total = if *total == OVERFLOWED { None } else { Some(*total) };
                    sum = total.and_then(|total| sum.checked_add(total)).ok_or(Unavailable::Overflow)?;
                }
                Ok(match definition.ty {
                    Type::Decimal => Value::Decimal(Decimal::from_units(sum)),
                    Type::Duration => Value::Duration(TimeDelta::from_micros(sum)),
                    _ => Value::Int(sum),
                })
            }
            Content::Last(last) => match last {
                Some((at, value)) if *at <= as_of && (definition.over.is_none() || as_of.since(*at) <= over) => {
                    Ok(value.clone())
                }
                _ => Err(Unavailable::Never),
            },
            Content::Values { seen, dropped_at } => {
                is_remembered(seen.last().map(|(bucket, _)| *bucket), from, definition)?;
                if dropped_at.is_some_and(|bucket| bucket >= from) {
                    return Err(Unavailable::Overflow);
                }
                let within = seen.iter().filter(|(bucket, _)| (from..=now).contains(bucket));
                let mut values: Vec<u64> = within.map(|(_, value)| *value).collect();
                values.sort_unstable();
                values.dedup();
                Ok(Value::Int(values.len() as i64))
            }
        }
    }

    /// Bytes held beyond the signal's own size.
    pub fn heap_bytes(&self) -> usize {
        match &self.content {
            Content::Totals(totals) => totals.capacity() * 16,
            Content::Last(last) => last.as_ref().map_or(0, |(_, value)| value.heap_bytes()),
            Content::Values { seen, .. } => seen.capacity() * 16,
        }
    }

    pub(super) fn store(&self, definition: &SignalDefinition) -> StoredSignal {
        let mut stored =
            StoredSignal { since: self.since.micros(), totals: vec![], last: None, values: vec![], dropped_at: None };
        match &self.content {
            Content::Totals(totals) => stored.totals.clone_from(totals),
            Content::Last(last) => {
                stored.last =
                    last.as_ref().map(|(at, value)| (at.micros(), super::codec::to_raw(&definition.ty, value)));
            }
            Content::Values { seen, dropped_at } => {
                stored.values.clone_from(seen);
                stored.dropped_at = *dropped_at;
            }
        }
        stored
    }

    pub(super) fn restore(definition: &SignalDefinition, stored: StoredSignal) -> Self {
        let mut signal = Self::new(definition, Timestamp::from_micros(stored.since));
        match &mut signal.content {
            Content::Totals(totals) => *totals = stored.totals,
            Content::Last(last) => {
                let value = stored.last.and_then(|(at, raw)| Some((at, definition.ty.accept(raw).ok()?)));
                *last = value.map(|(at, value)| (Timestamp::from_micros(at), value));
            }
            Content::Values { seen, dropped_at } => {
                *seen = stored.values;
                *dropped_at = stored.dropped_at;
            }
        }
        signal
    }
}

/// A window that begins before what is kept cannot be told any more.
fn is_remembered(newest: Option<i64>, from: i64, definition: &SignalDefinition) -> Result<(), Unavailable> {
    match newest {
        Some(newest) if from < oldest_kept(newest, definition) => Err(Unavailable::Late),
        _ => Ok(()),
    }
}

fn oldest_kept(newest: i64, definition: &SignalDefinition) -> i64 {
    // An event may be a little ahead of the clock; what it outdates before its time would be missed until then.
    let ahead = FUTURE_MAX.micros().div_euclid(definition.resolution.micros()) + 1;
    newest - 2 * definition.reach() - ahead
}

fn add(totals: &mut Vec<(i64, i64)>, definition: &SignalDefinition, bucket: i64, amount: i64) {
    match totals.binary_search_by_key(&bucket, |(known, _)| *known) {
        Ok(at) => {
            let total = &mut totals[at].1;
            *total = match (*total, total.checked_add(amount)) {
                (OVERFLOWED, _) | (_, None) => OVERFLOWED,
                (_, Some(sum)) => sum,
            };
        }
        Err(at) => totals.insert(at, (bucket, amount)),
    }
    if let Some((newest, _)) = totals.last() {
        let oldest = oldest_kept(*newest, definition);
        totals.drain(..totals.partition_point(|(bucket, _)| *bucket < oldest));
    }
}

fn insert(seen: &mut Vec<(i64, u64)>, dropped_at: &mut Option<i64>, definition: &SignalDefinition, entry: (i64, u64)) {
    if let Err(at) = seen.binary_search(&entry) {
        seen.insert(at, entry);
    }
    if let Some((newest, _)) = seen.last() {
        let oldest = oldest_kept(*newest, definition);
        seen.drain(..seen.partition_point(|(bucket, _)| *bucket < oldest));
    }
    if seen.len() > DISTINCT_MAX {
        let (bucket, _) = seen.remove(0);
        *dropped_at = Some(dropped_at.map_or(bucket, |known| known.max(bucket)));
    }
}

/// A fingerprint of a value; two different values share one with a chance of about 2⁻⁶⁴. Members of an enumeration go by
/// name, so that another order of the names in a later bundle makes no difference.
fn fingerprint(value: &Value, ty: Option<&Type>) -> u64 {
    match (value, ty) {
        (Value::Text(text), _) => xxh3_64(text.as_bytes()),
        (Value::Bool(v), _) => u64::from(*v),
        (Value::Symbol(v), Some(Type::OneOf(of))) => xxh3_64(of.name(*v).as_bytes()),
        (Value::Symbol(v), _) => u64::from(*v),
        (Value::List(items), ty) => items.iter().fold(items.len() as u64, |hash, item| {
            let of = if let Some(Type::List(of)) = ty { Some(&**of) } else { None };
            xxh3_64(&[hash.to_le_bytes(), fingerprint(item, of).to_le_bytes()].concat())
        }),
        (ordered, _) => ordered.ordinal().unwrap_or_default() as u64,
    }
}
