//! What moves from where to where, counted, with a few examples.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::{CustomerId, DecisionId};

/// Ways that are told apart. Amounts and texts may have any number of them.
const WAYS_MAX: usize = 4_096;

/// Examples that are kept of each.
const EXAMPLES_MAX: usize = 3;

/// From what to what, and how often.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves {
    ways: BTreeMap<(String, String), Way>,
    /// Moves on ways that are not told apart.
    others: u64,
}

#[derive(Clone, Debug, Default)]
struct Way {
    count: u64,
    examples: Vec<Example>,
}

/// What moved, how often, and where that can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// What was recorded.
    pub from: String,
    /// What comes out now.
    pub to: String,
    /// How often.
    pub count: u64,
    /// The first decisions with it.
    pub examples: Vec<Example>,
}

/// A decision that comes out otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Example {
    /// Its record.
    pub record: u64,
    /// Its id.
    pub decision: String,
    /// Whom it is about.
    pub customer: String,
}

impl Example {
    pub(super) fn new(record: u64, decision: DecisionId, customer: &CustomerId) -> Self {
        Self { record, decision: decision.to_string(), customer: customer.to_string() }
    }
}

impl Moves {
    /// Counts a move; nothing where nothing moved.
    pub(super) fn count(&mut self, from: String, to: String, example: impl FnOnce() -> Example) -> bool {
        if from == to {
            return false;
        }
        let way = (from, to);
        if self.ways.len() >= WAYS_MAX && !self.ways.contains_key(&way) {
            self.others += 1;
            return true;
        }
        let Way { count, examples } = self.ways.entry(way).or_default();
        *count += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(example());
        }
        true
    }

    /// Adds those of another partition.
    pub(super) fn add(&mut self, other: Self) {
        self.others += other.others;
        for (way, Way { count, examples }) in other.ways {
            if self.ways.len() >= WAYS_MAX && !self.ways.contains_key(&way) {
                self.others += count;
                continue;
            }
            let known = self.ways.entry(way).or_default();
            known.count += count;
            known.examples.extend(examples);
            known.examples.sort();
            known.examples.truncate(EXAMPLES_MAX);
        }
    }

    /// The moves, the most frequent first.
    pub(super) fn listed(self) -> Vec<Move> {
        let listed = |((from, to), Way { count, examples })| Move { from, to, count, examples };
        let mut moves: Vec<Move> = self.ways.into_iter().map(listed).collect();
        moves.sort_by_key(|one| std::cmp::Reverse(one.count));
        if self.others > 0 {
            let (from, to) = ("(others)".to_owned(), "(others)".to_owned());
            moves.push(Move { from, to, count: self.others, examples: Vec::new() });
        }
        moves
    }
}
