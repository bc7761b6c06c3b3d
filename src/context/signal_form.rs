//! Signals on disk: what is empty costs five bytes, buckets are told by their distances.

use std::cell::Cell;

use smallvec::SmallVec;

use super::content::Content;
use super::distinct::Values;
use super::groups::{Group, Groups};
use super::latest::Latest;
use super::packed::{Packer, TORN, Unpacker};
use super::{Signal, SignalDefinition, StateError, kept};
use crate::domain::{Timestamp, Value};

/// What follows a signal's key.
const EMPTY: u8 = 0;
const HELD: u8 = 1;
/// Its beginning is not that of the signal before it.
const OTHER_SINCE: u8 = 0x80;

/// Packs signals; times are relative to `near`.
pub(super) fn pack(signals: &[Signal], definitions: &[SignalDefinition], near: Timestamp, into: &mut Packer) {
    let mut since = near;
    for (signal, definition) in signals.iter().zip(definitions) {
        into.fixed(&definition.key().to_le_bytes());
        let other = if signal.since == since { 0 } else { OTHER_SINCE };
        let held = if signal.content.is_empty() { EMPTY } else { HELD };
        into.byte(held | other);
        if other != 0 {
            into.since(signal.since.micros(), near.micros());
            since = signal.since;
        }
        if held == HELD {
            into.block(|into| Form::new(definition, near).pack(&signal.content, into));
        }
    }
}

/// Reads signals into their places; those that no definition knows are passed over. Says whether nothing was.
pub(super) fn unpack(
    signals: &mut [Signal],
    definitions: &[SignalDefinition],
    near: Timestamp,
    mut from: Unpacker<'_>,
) -> Result<bool, StateError> {
    let mut since = near;
    let mut nth = 0;
    let mut is_whole = true;
    while !from.is_empty() {
        let key = u32::from_le_bytes(from.fixed()?);
        let head = from.byte()?;
        if head & OTHER_SINCE != 0 {
            since = Timestamp::from_micros(from.since(near.micros())?);
        }
        let held = match head & !OTHER_SINCE {
            EMPTY => None,
            HELD => Some(from.block()?),
            _ => return Err(TORN),
        };
        // Usually the bundle is the one that it was written under, and the signals stand in its order.
        let in_order = definitions.get(nth).filter(|definition| definition.key() == key).map(|_| nth);
        nth += 1;
        let Some(at) = in_order.or_else(|| definitions.iter().position(|definition| definition.key() == key)) else {
            is_whole = false;
            continue;
        };
        let content = match held {
            Some(mut held) => {
                let form = Form::new(&definitions[at], near);
                let content = form.unpack(definitions[at].by.is_some(), &mut held)?;
                is_whole &= !form.has_lost.get();
                content
            }
            None => Content::empty(&definitions[at]),
        };
        signals[at] = Signal { since, content };
    }
    Ok(is_whole)
}

/// The contents of one signal.
struct Form<'a> {
    definition: &'a SignalDefinition,
    near: Timestamp,
    /// Whether a value that was read is of another type than the definition's.
    has_lost: Cell<bool>,
}

impl<'a> Form<'a> {
    fn new(definition: &'a SignalDefinition, near: Timestamp) -> Self {
        Self { definition, near, has_lost: Cell::new(false) }
    }

    fn base(&self) -> i64 {
        self.definition.bucket(self.near)
    }

    fn pack(&self, content: &Content, into: &mut Packer) {
        let base = self.base();
        match content {
            Content::Totals(totals) => {
                into.number(totals.len() as u64);
                let mut before = base;
                for (bucket, total) in totals {
                    into.since(*bucket, before);
                    into.signed(*total);
                    before = *bucket;
                }
            }
            Content::Means(means) => {
                into.number(means.len() as u64);
                let mut before = base;
                for (bucket, total, values) in means {
                    into.since(*bucket, before);
                    into.signed(*total);
                    into.signed(*values);
                    before = *bucket;
                }
            }
            Content::Last(last) => {
                if let Some((at, value)) = last.as_deref() {
                    self.pack_value(*at, value, into);
                }
            }
            Content::Latest(latest) => {
                let Some(Latest { kept, dropped_at }) = latest.as_deref() else { return };
                pack_option(dropped_at.map(Timestamp::micros), self.near.micros(), into);
                into.number(kept.len() as u64);
                kept.iter().for_each(|(at, value)| self.pack_value(*at, value, into));
            }
            Content::Values(values) => {
                let Some(Values { seen, dropped_at }) = values.as_deref() else { return };
                pack_option(*dropped_at, base, into);
                into.number(seen.len() as u64);
                let mut before = base;
                for (bucket, value) in seen {
                    into.since(*bucket, before);
                    into.fixed(&value.to_le_bytes());
                    before = *bucket;
                }
            }
            Content::Groups(groups) => {
                let Some(groups) = groups.as_deref() else { return };
                self.pack_groups(groups, into);
            }
        }
    }

    fn pack_value(&self, at: Timestamp, value: &Value, into: &mut Packer) {
        let ty = self.definition.of.as_ref().unwrap_or(&self.definition.ty);
        into.since(at.micros(), self.near.micros());
        into.byte(kept::kind(value));
        kept::pack(value, ty, into);
    }

    /// Groups stand in the order in which they were seen: it says which one goes next.
    fn pack_groups(&self, groups: &Groups, into: &mut Packer) {
        pack_option(some_bucket(groups.forgotten), self.base(), into);
        into.number(groups.list.len() as u64);
        let mut order: Vec<&Group> = groups.list.iter().collect();
        order.sort_unstable_by_key(|group| group.seen);
        for group in order {
            into.fixed(&group.key.to_le_bytes());
            pack_option(some_bucket(group.missing), self.base(), into);
            self.pack(&group.content, into);
        }
    }

    fn unpack(&self, is_grouped: bool, from: &mut Unpacker<'_>) -> Result<Content, StateError> {
        if is_grouped {
            return self.unpack_groups(from).map(|groups| Content::Groups(Some(Box::new(groups))));
        }
        Ok(match Content::of_kind(self.definition.kind) {
            Content::Totals(_) => {
                Content::Totals(self.unpack_buckets(from, |from, bucket| Ok((bucket, from.signed()?)))?)
            }
            Content::Means(_) => {
                let mean = |from: &mut Unpacker<'_>, bucket| Ok((bucket, from.signed()?, from.signed()?));
                Content::Means(self.unpack_buckets(from, mean)?)
            }
            Content::Last(_) => Content::Last(self.unpack_value(from)?.map(Box::new)),
            Content::Latest(_) => {
                let dropped_at = unpack_option(self.near.micros(), from)?.map(Timestamp::from_micros);
                let count = from.count()?;
                let mut kept = Vec::with_capacity(count.min(128));
                for _ in 0..count {
                    kept.extend(self.unpack_value(from)?);
                }
                Content::Latest(Some(Box::new(Latest { kept, dropped_at })))
            }
            Content::Values(_) => {
                let dropped_at = unpack_option(self.base(), from)?;
                let value = |from: &mut Unpacker<'_>, bucket| Ok((bucket, u64::from_le_bytes(from.fixed()?)));
                let seen: SmallVec<[(i64, u64); 2]> = self.unpack_buckets(from, value)?;
                Content::Values(Some(Box::new(Values { seen, dropped_at })))
            }
            Content::Groups(_) => return Err(TORN),
        })
    }

    fn unpack_buckets<T, C: Extend<T> + Default>(
        &self,
        from: &mut Unpacker<'_>,
        entry: impl Fn(&mut Unpacker<'_>, i64) -> Result<T, StateError>,
    ) -> Result<C, StateError> {
        let count = from.count()?;
        let mut before = self.base();
        let mut failed = None;
        let mut entries = C::default();
        // One call, so that the collection takes no more memory than the entries need.
        entries.extend(Counted {
            left: count,
            next: || {
                let made = from.since(before).and_then(|bucket| {
                    before = bucket;
                    entry(from, bucket)
                });
                made.map_err(|error| failed = Some(error)).ok()
            },
        });
        failed.map_or(Ok(entries), Err)
    }

    fn unpack_value(&self, from: &mut Unpacker<'_>) -> Result<Option<(Timestamp, Value)>, StateError> {
        let at = Timestamp::from_micros(from.since(self.near.micros())?);
        let kept = kept::unpack(from.byte()?, from)?;
        let ty = self.definition.of.as_ref().unwrap_or(&self.definition.ty);
        let value = kept.value(ty);
        self.has_lost.set(self.has_lost.get() || value.is_none());
        Ok(value.map(|value| (at, value)))
    }

    fn unpack_groups(&self, from: &mut Unpacker<'_>) -> Result<Groups, StateError> {
        let forgotten = unpack_option(self.base(), from)?.unwrap_or(i64::MIN);
        let count = from.count()?;
        let mut list = Vec::with_capacity(count.min(1_024));
        for seen in 1..=count as u64 {
            let key = u64::from_le_bytes(from.fixed()?);
            let missing = unpack_option(self.base(), from)?.unwrap_or(i64::MIN);
            list.push(Group { key, seen, missing, content: self.unpack(false, from)? });
        }
        list.sort_unstable_by_key(|group| group.key);
        Ok(Groups { list, forgotten, ticks: count as u64 })
    }
}

fn some_bucket(bucket: i64) -> Option<i64> {
    Some(bucket).filter(|bucket| *bucket != i64::MIN)
}

fn pack_option(number: Option<i64>, near: i64, into: &mut Packer) {
    into.byte(u8::from(number.is_some()));
    if let Some(number) = number {
        into.since(number, near);
    }
}

fn unpack_option(near: i64, from: &mut Unpacker<'_>) -> Result<Option<i64>, StateError> {
    match from.byte()? {
        0 => Ok(None),
        1 => from.since(near).map(Some),
        _ => Err(TORN),
    }
}

/// Calls a function a known number of times, or until it has nothing more.
struct Counted<F> {
    left: usize,
    next: F,
}

impl<T, F: FnMut() -> Option<T>> Iterator for Counted<F> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        (self.next)()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}
