//! The names that rows constrain. Every value becomes a number: ordinals and symbols as they are, texts by interning.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::super::value_set::Extent;
use super::super::{Ref, Slot, Values};

/// A name that rows constrain.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) slot: Slot,
    kind: Kind,
    /// The number of every text that a row names, counted from 1.
    symbols: HashMap<Box<str>, i64, FixedState>,
}

/// What values an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Rows ask only whether there is one.
    Any,
    Number,
    Text,
}

/// What an event brings for an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Reading {
    /// Nobody has looked yet.
    #[default]
    Unread,
    Unavailable,
    Number(i64),
}

/// The number of every text that no row names.
const OTHER: i64 = 0;

impl Attribute {
    pub(super) fn new(slot: Slot) -> Self {
        Self { slot, kind: Kind::Any, symbols: HashMap::default() }
    }

    /// The value of the attribute as a number.
    #[inline]
    pub(super) fn read<V: Values>(&self, values: &V) -> Reading {
        match (values.value(self.slot), self.kind) {
            (Ok(Ref::Number(n)), Kind::Number) => Reading::Number(n),
            (Ok(Ref::Bool(value)), Kind::Number) => Reading::Number(i64::from(value)),
            (Ok(Ref::Text(text)), Kind::Text) => Reading::Number(self.symbols.get(text).copied().unwrap_or(OTHER)),
            (Ok(_), Kind::Any) => Reading::Number(OTHER),
            // A value of another type than the scope declares is for the rule to judge.
            (Ok(_) | Err(_), _) => Reading::Unavailable,
        }
    }

    /// The extent as intervals of numbers.
    pub(super) fn intervals(&mut self, extent: &Extent) -> Vec<(i64, i64)> {
        match extent {
            Extent::Any(true) => vec![(i64::MIN, i64::MAX)],
            Extent::Any(false) => Vec::new(),
            Extent::Numbers(intervals) => {
                self.kind = Kind::Number;
                intervals.clone()
            }
            Extent::Texts { named, is_complement } => {
                self.kind = Kind::Text;
                let points = Extent::points(self.symbols_of(named));
                match if *is_complement { points.complement() } else { points } {
                    Extent::Numbers(symbols) => symbols,
                    _ => Vec::new(),
                }
            }
        }
    }

    fn symbols_of(&mut self, named: &[Box<str>]) -> Vec<i64> {
        let symbol = |text: &str| {
            let next = self.symbols.len() as i64 + 1;
            match self.symbols.get(text) {
                Some(known) => *known,
                None => *self.symbols.entry(text.into()).or_insert(next),
            }
        };
        named.iter().map(AsRef::as_ref).map(symbol).collect()
    }

    /// Bytes that the attribute holds.
    pub(super) fn bytes(&self) -> usize {
        let entry = size_of::<(Box<str>, i64)>() + 1;
        self.symbols.capacity() * entry + self.symbols.keys().map(|text| text.len()).sum::<usize>()
    }
}
