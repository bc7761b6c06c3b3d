//! The questions: which rule matches first, and which match at all?

use super::super::Values;
use super::super::eval::{Evaluation, Miss, Truth};
use super::super::judgement::Skipped;
use super::super::rule::{IfUnavailable, Rule};
use super::attribute::Reading;
use super::bits::{Bits, Missing};
use super::tree::{Index, Node};

/// Reusable memory of one search at a time.
#[derive(Debug, Default)]
pub(in crate::rules) struct IndexScratch {
    readings: Vec<Reading>,
    /// The rows that the phrases found in a text do not rule out.
    phrase_rows: Vec<u64>,
    joined_phrase_rows: Vec<u64>,
    /// Nodes that are still to be searched.
    nodes: Vec<u32>,
    /// Rules that could not be told, by rank.
    pub(in crate::rules) untold: Vec<(u32, Miss)>,
    /// Rules that match, by rank.
    pub(in crate::rules) matched: Vec<u32>,
}

/// One question to an index.
pub(in crate::rules) struct Search<'s, 'a, V> {
    pub(in crate::rules) index: &'a Index,
    pub(in crate::rules) rules: &'a [Rule],
    pub(in crate::rules) evaluation: &'s mut Evaluation<'a, V>,
    pub(in crate::rules) scratch: &'s mut IndexScratch,
    /// Whether every match is wanted, not only the first.
    pub(in crate::rules) wants_all: bool,
    /// The rank from which on nothing is wanted any more.
    pub(in crate::rules) end: u32,
}

impl<'a, V: Values> Search<'_, 'a, V> {
    /// Leaves the ranks that match and those that could not be told in the scratch, in order; of the matches only the first
    /// unless all are wanted, of the untold only those before it, and never more than [`Skipped::RULES_MAX`].
    pub(in crate::rules) fn run(mut self) {
        let index = self.index;
        self.scratch.readings.clear();
        self.scratch.readings.resize(index.attributes.len(), Reading::Unread);
        self.scratch.untold.clear();
        self.scratch.matched.clear();
        match &index.whole {
            Some(whole) if index.split_by.iter().any(|by| self.read(*by) == Reading::Unavailable) => self.bits(whole),
            _ => self.nodes(),
        }
        let IndexScratch { untold, matched, .. } = self.scratch;
        matched.sort_unstable();
        matched.dedup();
        untold.retain(|(rank, _)| *rank < self.end);
        untold.sort_unstable_by_key(|(rank, _)| *rank);
        untold.dedup_by_key(|(rank, _)| *rank);
        untold.truncate(Skipped::RULES_MAX);
    }

    fn nodes(&mut self) {
        let index = self.index;
        self.scratch.nodes.clear();
        self.scratch.nodes.push(index.root as u32);
        while let Some(node) = self.scratch.nodes.pop() {
            match index.nodes.get(node as usize) {
                Some(Node::Few(ranks)) => {
                    for rank in ranks {
                        if *rank >= self.end {
                            break;
                        }
                        self.verify(*rank);
                    }
                }
                Some(Node::Bits(bits)) => self.bits(bits),
                Some(Node::Split(split)) => {
                    self.scratch.nodes.extend(split.rest.map(|rest| rest as u32));
                    if let Reading::Number(n) = self.read(split.attribute) {
                        self.scratch.nodes.extend(split.named.get(&n).copied());
                    }
                }
                None => {}
            }
        }
    }

    #[inline]
    fn read(&mut self, attribute: u16) -> Reading {
        let attribute = usize::from(attribute);
        let reading = &mut self.scratch.readings[attribute];
        if *reading == Reading::Unread {
            *reading = self.index.attributes[attribute].read(self.evaluation.values);
        }
        *reading
    }

    fn bits(&mut self, bits: &'a Bits) {
        for attribute in bits.attributes() {
            self.read(attribute);
        }
        let untold_before = self.scratch.untold.len();
        let mut chosen = bits.choose(&self.scratch.readings, Missing::Kept);
        let mut missing = Missing::Kept;
        let mut has_phrases = false;
        let mut from = 0;
        let mut last_rank = u32::MAX;
        while let Some(word) = bits.next_word(&chosen, from) {
            from = word + 1;
            let mut left = bits.word(&chosen, word);
            if left != 0 && !bits.phrases.is_empty() {
                if !has_phrases {
                    self.phrases(bits, missing);
                    has_phrases = true;
                }
                left &= self.scratch.joined_phrase_rows[word];
            }
            while left != 0 {
                let row = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let rank = bits.rank(row);
                if rank >= self.end {
                    return;
                }
                // Rows of one rule follow one another.
                if rank == last_rank {
                    continue;
                }
                last_rank = rank;
                self.verify(rank);
                if missing == Missing::Kept && self.scratch.untold.len() - untold_before >= Skipped::RULES_MAX {
                    // Enough of them are known; from here on only what matches is looked for.
                    missing = Missing::RuledOut;
                    chosen = bits.choose(&self.scratch.readings, missing);
                    has_phrases = false;
                }
            }
        }
    }

    /// Finds the phrases that rows look for, and the rows that are left by them.
    fn phrases(&mut self, bits: &Bits, missing: Missing) {
        self.scratch.joined_phrase_rows.clear();
        self.scratch.joined_phrase_rows.resize(bits.words(), !0);
        for column in &bits.phrases {
            match self.evaluation.phrases_in(column.slot) {
                Some(found) => column.rows_of(found, &mut self.scratch.phrase_rows),
                None => column.rows_without(missing, &mut self.scratch.phrase_rows),
            }
            for (joined, rows) in self.scratch.joined_phrase_rows.iter_mut().zip(&self.scratch.phrase_rows) {
                *joined &= rows;
            }
        }
    }

    /// Asks a rule itself.
    #[inline]
    fn verify(&mut self, rank: u32) {
        let rule = &self.rules[rank as usize];
        match rule.condition.truth(self.evaluation) {
            Truth::False => {}
            Truth::Unavailable(miss) if rule.if_unavailable == IfUnavailable::Skip => {
                self.scratch.untold.push((rank, miss));
            }
            Truth::True | Truth::Unavailable(_) => {
                self.scratch.matched.push(rank);
                if !self.wants_all {
                    self.scratch.matched.clear();
                    self.scratch.matched.push(rank);
                    self.end = rank;
                }
            }
        }
    }
}
