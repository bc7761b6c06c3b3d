//! The floor: rules lowered to flat predicates, asked one after the other. What a careful author of a plain loop gets.
//!
//! Its events carry texts, as everyone's do; looking them up is part of its decision.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::event::EventSpec;
use super::family::{RuleSpec, Test};
use super::field::FIELDS;

/// An event as it comes from outside: texts by field, numbers and truths as numbers.
#[derive(Debug)]
pub(crate) struct WordedEvent {
    texts: Vec<String>,
    numbers: Vec<i64>,
}

/// Rules as predicates over numbers, one after the other in memory.
#[derive(Debug)]
pub(crate) struct LoweredRules {
    symbols: Vec<HashMap<String, i64, BuildHasherDefault<Fnv>>>,
    predicates: Vec<Lowered>,
    /// For each rule where its predicates end.
    ends: Vec<u32>,
}

/// A predicate: everything that is no list is a range.
#[derive(Debug)]
enum Lowered {
    Range { field: u8, from: i64, to: i64 },
    OneOf { field: u8, wanted: [i32; 4] },
}

/// No text of any rule.
const UNKNOWN: i64 = -1;

impl WordedEvent {
    /// The event in words. Texts come first among the fields.
    pub(crate) fn new(event: &EventSpec) -> Self {
        let texts = FIELDS.iter().take_while(|field| field.is_text()).count();
        let numbers = event.0[texts..].to_vec();
        Self { texts: (0..texts).map(|field| event.show(field)).collect(), numbers }
    }
}

impl LoweredRules {
    /// Lowers the rules.
    pub(crate) fn new(rules: &[RuleSpec]) -> Self {
        let mut lowered = Self {
            symbols: FIELDS.iter().filter(|field| field.is_text()).map(|_| HashMap::default()).collect(),
            predicates: Vec::new(),
            ends: Vec::new(),
        };
        for rule in rules {
            for predicate in &rule.tests {
                let predicate = lowered.lower(predicate.field, &predicate.test);
                lowered.predicates.push(predicate);
            }
            lowered.ends.push(lowered.predicates.len() as u32);
        }
        lowered
    }

    fn lower(&mut self, field: usize, test: &Test) -> Lowered {
        let position = field as u8;
        match test {
            Test::Is(wanted) => {
                let wanted = self.symbol(field, *wanted);
                Lowered::Range { field: position, from: wanted, to: wanted + 1 }
            }
            Test::OneOf(all) => {
                let mut wanted = [self.symbol(field, all[0]) as i32; 4];
                for (slot, value) in wanted.iter_mut().zip(all) {
                    *slot = self.symbol(field, *value) as i32;
                }
                Lowered::OneOf { field: position, wanted }
            }
            Test::Range(from, to) => Lowered::Range { field: position, from: *from, to: *to },
        }
    }

    /// The number of a text; a value that is no text is its own.
    fn symbol(&mut self, field: usize, value: i64) -> i64 {
        let Some(symbols) = self.symbols.get_mut(field) else { return value };
        let next = symbols.len() as i64;
        *symbols.entry(FIELDS[field].show(value)).or_insert(next)
    }

    /// The first rule that matches.
    pub(crate) fn first(&self, event: &WordedEvent) -> Option<usize> {
        let mut values = [0; FIELDS.len()];
        for ((value, symbols), text) in values.iter_mut().zip(&self.symbols).zip(&event.texts) {
            *value = symbols.get(text.as_str()).copied().unwrap_or(UNKNOWN);
        }
        values[event.texts.len()..].copy_from_slice(&event.numbers);
        let mut start = 0;
        self.ends.iter().position(|end| {
            let predicates = &self.predicates[start..*end as usize];
            start = *end as usize;
            predicates.iter().all(|predicate| predicate.holds(&values))
        })
    }
}

impl Lowered {
    #[inline]
    fn holds(&self, values: &[i64; FIELDS.len()]) -> bool {
        match self {
            Self::Range { field, from, to } => (*from..*to).contains(&values[usize::from(*field)]),
            Self::OneOf { field, wanted } => wanted.contains(&(values[usize::from(*field)] as i32)),
        }
    }
}

/// FNV-1a: quick on short keys and three lines long.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
