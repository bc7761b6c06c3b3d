//! What one signal holds: buckets of totals, values with their times, or fingerprints of values.
//!
//! A content that has seen nothing owns no memory, and one that has seen one bucket of totals owns none beyond itself.

use smallvec::SmallVec;

use super::distinct::{Values, fingerprint};
use super::groups::Groups;
use super::latest::Latest;
use super::signal_definition::Brought;
use super::{Decay, SignalDefinition, SignalKind};
use crate::domain::{Datum, Decimal, TimeDelta, Timestamp, Type, Unavailable, Value, half_even};

/// The content of a signal or of one of its groups.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// Bucket and total, or smallest or largest value, ascending by bucket.
    Totals(SmallVec<[(i64, i64); 1]>),
    /// Bucket, total and number of values, ascending by bucket.
    Means(Vec<(i64, i64, i64)>),
    /// When and what.
    Last(Option<Box<(Timestamp, Value)>>),
    /// The latest values.
    Latest(Option<Box<Latest>>),
    /// The values seen.
    Values(Option<Box<Values>>),
    /// Contents by group.
    Groups(Option<Box<Groups>>),
}

/// What is asked of a content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) as_of: Timestamp,
    /// The bucket of `as_of`.
    pub(super) now: i64,
    /// The first bucket of the window of which something has not expired.
    pub(super) from: i64,
    /// What was observed then or before has expired.
    pub(super) expired_until: Option<Timestamp>,
    /// The latest bucket of which something may be missing; the smallest number if nothing is.
    pub(super) missing: i64,
}

/// Stands for a total that left the range of 64 bits.
const OVERFLOWED: i64 = i64::MIN;

impl Span {
    /// A window of a signal that ends at `as_of`, looked at when the time is `arrival`.
    pub(super) fn new(definition: &SignalDefinition, as_of: Timestamp, arrival: Timestamp) -> Self {
        let now = definition.bucket(as_of);
        let begins = if definition.over.is_some() { now - definition.reach() } else { i64::MIN };
        Self {
            as_of,
            now,
            from: begins.max(definition.first_retained(arrival)),
            expired_until: definition.tags.expired_until(arrival),
            missing: i64::MIN,
        }
    }

    /// Whether a value of this time lies behind the window's beginning, and has not expired.
    pub(super) fn reaches(&self, definition: &SignalDefinition, at: Timestamp) -> bool {
        definition.over.is_none_or(|over| self.as_of.since(at) <= over)
            && self.expired_until.is_none_or(|until| at > until)
    }

    /// Something may be missing from the window itself.
    pub(super) fn check_missing(&self) -> Result<(), Unavailable> {
        if self.missing != i64::MIN && self.missing >= self.from { Err(Unavailable::Late) } else { Ok(()) }
    }

    /// A window that begins before what is kept cannot be told any more.
    pub(super) fn check_remembered(
        &self,
        definition: &SignalDefinition,
        newest: Option<i64>,
    ) -> Result<(), Unavailable> {
        match newest {
            Some(newest) if self.from < definition.oldest_kept(newest) => Err(Unavailable::Late),
            _ => self.check_missing(),
        }
    }
}

impl Content {
    /// A content that has seen nothing.
    pub(super) fn empty(definition: &SignalDefinition) -> Self {
        if definition.by.is_some() { Self::Groups(None) } else { Self::of_kind(definition.kind) }
    }

    pub(super) fn of_kind(kind: SignalKind) -> Self {
        match kind {
            SignalKind::Count
            | SignalKind::Sum(_)
            | SignalKind::Min(_)
            | SignalKind::Max(_)
            | SignalKind::Decayed(_) => Self::Totals(SmallVec::new()),
            SignalKind::Mean(_) => Self::Means(Vec::new()),
            SignalKind::Last(_) => Self::Last(None),
            SignalKind::LastN { .. } => Self::Latest(None),
            SignalKind::Distinct(_) => Self::Values(None),
        }
    }

    /// Whether nothing was seen, or nothing of it is left.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Totals(totals) => totals.is_empty(),
            Self::Means(means) => means.is_empty(),
            Self::Last(last) => last.is_none(),
            Self::Latest(latest) => latest.is_none(),
            Self::Values(values) => values.is_none(),
            Self::Groups(groups) => groups.is_none(),
        }
    }

    /// Takes what an event brings; of the kinds of contents all but groups.
    pub(super) fn fold(&mut self, definition: &SignalDefinition, brought: Brought<'_>, time: Timestamp) {
        let bucket = definition.bucket(time);
        let Brought { value, amount } = brought;
        match self {
            Self::Totals(totals) => {
                match definition.kind {
                    SignalKind::Min(_) => enter(totals, bucket, amount, i64::min),
                    SignalKind::Max(_) => enter(totals, bucket, amount, i64::max),
                    _ => enter(totals, bucket, amount, total),
                }
                let oldest = totals.last().map_or(i64::MIN, |(newest, _)| definition.oldest_kept(*newest));
                let outdated = totals.iter().take_while(|(bucket, _)| *bucket < oldest).count();
                if outdated > 0 {
                    totals.drain(..outdated);
                }
            }
            Self::Means(means) => fold_mean(means, definition, bucket, amount),
            Self::Last(last) => {
                let Some(value) = value else { return };
                match last {
                    Some(last) if last.0 > time => {}
                    Some(last) => **last = (time, value.clone()),
                    None => *last = Some(Box::new((time, value.clone()))),
                }
            }
            Self::Latest(latest) => {
                if let (Some(value), SignalKind::LastN { n, .. }) = (value, definition.kind) {
                    latest.get_or_insert_default().fold(n, time, value);
                }
            }
            Self::Values(values) => {
                if let Some(value) = value {
                    let value = fingerprint(value, definition.of.as_ref());
                    values.get_or_insert_default().fold(definition, (bucket, value));
                }
            }
            Self::Groups(_) => {}
        }
    }

    /// The value within a span; of the kinds of contents all but groups.
    pub(super) fn value(&self, definition: &SignalDefinition, span: &Span) -> Result<Value, Unavailable> {
        match self {
            Self::Totals(totals) => totals_value(totals, definition, span),
            Self::Means(means) => mean(means, definition, span),
            Self::Last(last) => match last.as_deref() {
                Some((at, value)) if *at <= span.as_of && span.reaches(definition, *at) => {
                    // A value that is later than all that is missing is the latest whatever is missing.
                    if definition.bucket(*at) <= span.missing {
                        span.check_missing()?;
                    }
                    Ok(value.clone())
                }
                _ => span.check_missing().and(Err(Unavailable::Never)),
            },
            Self::Latest(latest) => latest.as_deref().unwrap_or(&Latest::default()).value(definition, span),
            Self::Values(values) => values.as_deref().unwrap_or(&Values::default()).value(definition, span),
            Self::Groups(_) => Err(Unavailable::Absent),
        }
    }

    /// The time of the newest of what is held: of its bucket's beginning, or of its value.
    pub(super) fn newest(&self, definition: &SignalDefinition) -> Option<Timestamp> {
        let begins = |bucket: i64| Timestamp::from_micros(bucket.saturating_mul(definition.resolution.micros()));
        match self {
            Self::Totals(totals) => totals.last().map(|(bucket, _)| begins(*bucket)),
            Self::Means(means) => means.last().map(|(bucket, ..)| begins(*bucket)),
            Self::Last(last) => last.as_ref().map(|last| last.0),
            Self::Latest(latest) => latest.as_ref()?.kept.last().map(|(at, _)| *at),
            Self::Values(values) => values.as_ref()?.seen.last().map(|(bucket, _)| begins(*bucket)),
            Self::Groups(groups) => groups.as_ref()?.each(|content| content.newest(definition)).max(),
        }
    }

    /// The time of the oldest of what is held.
    pub(super) fn oldest(&self, definition: &SignalDefinition) -> Option<Timestamp> {
        let begins = |bucket: i64| Timestamp::from_micros(bucket.saturating_mul(definition.resolution.micros()));
        match self {
            Self::Totals(totals) => totals.first().map(|(bucket, _)| begins(*bucket)),
            Self::Means(means) => means.first().map(|(bucket, ..)| begins(*bucket)),
            Self::Last(last) => last.as_ref().map(|last| last.0),
            Self::Latest(latest) => latest.as_ref()?.kept.first().map(|(at, _)| *at),
            Self::Values(values) => values.as_ref()?.seen.first().map(|(bucket, _)| begins(*bucket)),
            Self::Groups(groups) => groups.as_ref()?.each(|content| content.oldest(definition)).min(),
        }
    }

    /// Drops what has expired at `now` and gives back the memory.
    pub(super) fn purge(&mut self, definition: &SignalDefinition, now: Timestamp) {
        let first = definition.first_retained(now);
        let is_expired = |at: Timestamp| definition.tags.is_expired(at, now);
        match self {
            Self::Totals(totals) => {
                totals.retain(|(bucket, _)| *bucket >= first);
                totals.shrink_to_fit();
            }
            Self::Means(means) => {
                means.retain(|(bucket, ..)| *bucket >= first);
                means.shrink_to_fit();
            }
            Self::Last(last) => *last = last.take().filter(|last| !is_expired(last.0)),
            Self::Latest(latest) => {
                if let Some(held) = latest {
                    held.kept.retain(|(at, _)| !is_expired(*at));
                    held.kept.shrink_to_fit();
                    held.dropped_at = held.dropped_at.filter(|at| !is_expired(*at));
                }
                *latest = latest.take().filter(|latest| **latest != Latest::default());
            }
            Self::Values(values) => {
                if let Some(held) = values {
                    held.seen.retain(|(bucket, _)| *bucket >= first);
                    held.seen.shrink_to_fit();
                    held.dropped_at = held.dropped_at.filter(|bucket| *bucket >= first);
                }
                *values = values.take().filter(|values| **values != Values::default());
            }
            Self::Groups(groups) => {
                if let Some(held) = groups {
                    held.purge(definition, now);
                }
                *groups = groups.take().filter(|groups| !groups.is_forgotten());
            }
        }
    }

    /// A bucket's total in the type of what is added up; `None` for one that left its range.
    pub(super) fn total(ty: &Type, total: i64) -> Option<Datum> {
        (total != OVERFLOWED).then(|| Datum::new(ty, number(ty, total)))
    }

    /// Bytes held beyond the content's own size.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Totals(totals) if totals.spilled() => totals.capacity() * size_of::<(i64, i64)>(),
            Self::Totals(_) => 0,
            Self::Means(means) => means.capacity() * size_of::<(i64, i64, i64)>(),
            Self::Last(last) => last.as_ref().map_or(0, |last| size_of::<(Timestamp, Value)>() + last.1.heap_bytes()),
            Self::Latest(latest) => latest.as_ref().map_or(0, |latest| {
                let values: usize = latest.kept.iter().map(|(_, value)| value.heap_bytes()).sum();
                size_of::<Latest>() + latest.kept.capacity() * size_of::<(Timestamp, Value)>() + values
            }),
            Self::Values(values) => values.as_ref().map_or(0, |values| {
                let spilled = if values.seen.spilled() { values.seen.capacity() } else { 0 };
                size_of::<Values>() + spilled * size_of::<(i64, u64)>()
            }),
            Self::Groups(groups) => groups.as_ref().map_or(0, |groups| groups.bytes()),
        }
    }
}

fn enter(totals: &mut SmallVec<[(i64, i64); 1]>, bucket: i64, amount: i64, join: impl Fn(i64, i64) -> i64) {
    match totals.binary_search_by_key(&bucket, |(known, _)| *known) {
        Ok(at) => totals[at].1 = join(totals[at].1, amount),
        Err(at) => totals.insert(at, (bucket, amount)),
    }
}

fn total(known: i64, amount: i64) -> i64 {
    if known == OVERFLOWED { OVERFLOWED } else { known.checked_add(amount).unwrap_or(OVERFLOWED) }
}

fn fold_mean(means: &mut Vec<(i64, i64, i64)>, definition: &SignalDefinition, bucket: i64, amount: i64) {
    match means.binary_search_by_key(&bucket, |(known, ..)| *known) {
        Ok(at) => means[at] = (bucket, total(means[at].1, amount), means[at].2 + 1),
        Err(at) => {
            if means.is_empty() {
                means.reserve_exact(1);
            }
            means.insert(at, (bucket, amount, 1));
        }
    }
    let oldest = means.last().map_or(i64::MIN, |(newest, ..)| definition.oldest_kept(*newest));
    means.drain(..means.partition_point(|(bucket, ..)| *bucket < oldest));
}

/// A number of a signal's type.
fn number(ty: &Type, number: i64) -> Value {
    match ty {
        Type::Decimal => Value::Decimal(Decimal::from_units(number)),
        Type::Duration => Value::Duration(TimeDelta::from_micros(number)),
        Type::Time => Value::Time(Timestamp::from_micros(number)),
        _ => Value::Int(number),
    }
}

fn totals_value(totals: &[(i64, i64)], definition: &SignalDefinition, span: &Span) -> Result<Value, Unavailable> {
    span.check_remembered(definition, totals.last().map(|(bucket, _)| *bucket))?;
    let within = totals.iter().filter(|(bucket, _)| (span.from..=span.now).contains(bucket));
    match definition.kind {
        SignalKind::Min(_) | SignalKind::Max(_) => {
            let values = within.map(|(_, value)| *value);
            let found = if matches!(definition.kind, SignalKind::Min(_)) { values.min() } else { values.max() };
            found.map(|value| number(&definition.ty, value)).ok_or(Unavailable::Never)
        }
        SignalKind::Decayed(_) => {
            let Some(decay) = &definition.decay else { return Err(Unavailable::Unknown) };
            let mut sum = 0_i128;
            for (bucket, total) in within {
                if *total == OVERFLOWED {
                    return Err(Unavailable::Overflow);
                }
                let left = decay.left_of(*total, span.now.abs_diff(*bucket));
                sum = sum.checked_add(left).ok_or(Unavailable::Overflow)?;
            }
            let is_whole = matches!(definition.of, None | Some(Type::Int));
            let value = if is_whole {
                Decay::decimal(sum).map(Value::Decimal)
            } else {
                Decay::whole(sum).map(|sum| number(&definition.ty, sum))
            };
            value.ok_or(Unavailable::Overflow)
        }
        _ => {
            let mut sum: i64 = 0;
            for (_, total) in within {
                let total = if *total == OVERFLOWED { None } else { Some(*total) };
                sum = total.and_then(|total| sum.checked_add(total)).ok_or(Unavailable::Overflow)?;
            }
            Ok(number(&definition.ty, sum))
        }
    }
}

fn mean(means: &[(i64, i64, i64)], definition: &SignalDefinition, span: &Span) -> Result<Value, Unavailable> {
    span.check_remembered(definition, means.last().map(|(bucket, ..)| *bucket))?;
    let (mut sum, mut count) = (0_i128, 0_i128);
    for (_, total, values) in means.iter().filter(|(bucket, ..)| (span.from..=span.now).contains(bucket)) {
        if *total == OVERFLOWED {
            return Err(Unavailable::Overflow);
        }
        sum += i128::from(*total);
        count += i128::from(*values);
    }
    if count == 0 {
        return Err(Unavailable::Never);
    }
    // The mean of whole numbers is a decimal; that of decimals and durations is one of their units.
    let units = if definition.of == Some(Type::Int) { 10_i128.pow(Decimal::PLACES) } else { 1 };
    half_even(sum * units, count).map(|mean| number(&definition.ty, mean)).ok_or(Unavailable::Overflow)
}
