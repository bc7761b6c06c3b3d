//! The different values of an attribute, by their fingerprints.

use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

use super::SignalDefinition;
use super::content::Span;
use crate::domain::{Decimal, TimeDelta, Timestamp, Type, Unavailable, Value};

/// Bucket and fingerprint of a value, ascending, each once.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Values {
    pub(super) seen: SmallVec<[(i64, u64); 2]>,
    /// The latest bucket of a value that had to go.
    pub(super) dropped_at: Option<i64>,
}

/// Entries (bucket, value) that a distinct count keeps: bounds its memory at 8 KiB. Beyond it the count is unavailable
/// rather than wrong.
const DISTINCT_MAX: usize = 512;

impl Values {
    /// Takes a value's bucket and fingerprint.
    pub(super) fn fold(&mut self, definition: &SignalDefinition, entry: (i64, u64)) {
        if let Err(at) = self.seen.binary_search(&entry) {
            self.seen.insert(at, entry);
        }
        let oldest = self.seen.last().map_or(i64::MIN, |(newest, _)| definition.oldest_kept(*newest));
        let outdated = self.seen.iter().take_while(|(bucket, _)| *bucket < oldest).count();
        if outdated > 0 {
            self.seen.drain(..outdated);
        }
        if self.seen.len() > DISTINCT_MAX {
            let (bucket, _) = self.seen.remove(0);
            self.dropped_at = Some(self.dropped_at.map_or(bucket, |known| known.max(bucket)));
        }
    }

    /// How many different values there are within a span.
    pub(super) fn value(&self, definition: &SignalDefinition, span: &Span) -> Result<Value, Unavailable> {
        span.check_remembered(definition, self.seen.last().map(|(bucket, _)| *bucket))?;
        if self.dropped_at.is_some_and(|bucket| bucket >= span.from) {
            return Err(Unavailable::Overflow);
        }
        let within = self.seen.iter().filter(|(bucket, _)| (span.from..=span.now).contains(bucket));
        let mut values: SmallVec<[u64; 32]> = within.map(|(_, value)| *value).collect();
        values.sort_unstable();
        values.dedup();
        Ok(Value::Int(values.len() as i64))
    }
}

/// A fingerprint of a value; two different values share one with a chance of about 2⁻⁶⁴. Members of an enumeration go by
/// name, so that another order of the names in a later bundle makes no difference.
pub(super) fn fingerprint(value: &Value, ty: Option<&Type>) -> u64 {
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

/// The value of a fingerprint: numbers and the like are their own, names of an enumeration are tried; a text is lost.
pub(super) fn unfingerprinted(fingerprint: u64, ty: &Type) -> Option<Value> {
    match ty {
        Type::Bool => Some(Value::Bool(fingerprint != 0)),
        Type::Int => Some(Value::Int(fingerprint as i64)),
        Type::Decimal => Some(Value::Decimal(Decimal::from_units(fingerprint as i64))),
        Type::Time => Some(Value::Time(Timestamp::from_micros(fingerprint as i64))),
        Type::Duration => Some(Value::Duration(TimeDelta::from_micros(fingerprint as i64))),
        Type::OneOf(of) => {
            let is_it = |name: &str| xxh3_64(name.as_bytes()) == fingerprint;
            of.names().find(|name| is_it(name)).and_then(|name| of.symbol(name)).map(Value::Symbol)
        }
        Type::Text | Type::List(_) => None,
    }
}
