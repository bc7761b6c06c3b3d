//! What the index knows of a rule: rows of constraints. Needed only while the index is built.

use std::collections::HashMap;

use super::super::Slot;
use super::super::expr::{Expr, Test};
use super::super::normal::{self, Residue};
use super::super::rule::{IfUnavailable, Rule};
use super::super::text::AnyPhrase;
use super::super::value_set::Kleene;
use super::attribute::Attribute;

/// A conjunction of constraints that a rule's condition implies; a rule has several, one of which must hold.
#[derive(Debug)]
pub(super) struct IndexRow<'a> {
    pub(super) rank: u32,
    /// At most one per attribute.
    pub(super) constraints: Box<[Constraint]>,
    /// Texts that must mention one of the phrases; at most one per name.
    pub(super) phrases: Vec<(Slot, &'a AnyPhrase)>,
    /// Whether constraints and phrases are all that the row asks.
    pub(super) is_whole: bool,
    /// Whether the rule also matches where its condition cannot be told.
    pub(super) applies_unavailable: bool,
}

/// The values of one attribute that a row does not rule out.
#[derive(Debug)]
pub(super) struct Constraint {
    pub(super) attribute: u16,
    pub(super) intervals: Box<[(i64, i64)]>,
    pub(super) when_unavailable: Kleene,
}

/// Intervals that the index keeps of one constraint: a long list is held once, by the rules that ask it.
const INTERVALS_MAX: usize = 64;

/// Reads rules into rows.
#[derive(Debug, Default)]
pub(super) struct RowReader {
    pub(super) attributes: Vec<Attribute>,
    numbers: HashMap<Slot, u16>,
}

impl RowReader {
    pub(super) fn read<'a>(&mut self, rank: u32, rule: &'a Rule, rows: &mut Vec<IndexRow<'a>>) {
        let applies_unavailable = rule.if_unavailable == IfUnavailable::Apply;
        for row in normal::rows(&rule.condition) {
            let mut are_exact = true;
            let constraints = row.sets.iter().map(|(slot, set)| {
                let attribute = self.attribute(*slot);
                let exact = self.attributes[usize::from(attribute)].intervals(&set.extent);
                are_exact &= exact.len() <= INTERVALS_MAX;
                let intervals = coarser(&exact);
                Constraint { attribute, intervals: intervals.into(), when_unavailable: set.when_unavailable }
            });
            let constraints = constraints.collect();
            let phrases = phrases(&row.residue);
            let is_whole = are_exact && phrases.len() == row.residue.len();
            rows.push(IndexRow { rank, constraints, phrases, is_whole, applies_unavailable });
        }
    }

    fn attribute(&mut self, slot: Slot) -> u16 {
        *self.numbers.entry(slot).or_insert_with(|| {
            self.attributes.push(Attribute::new(slot));
            // A scope has no more names than that.
            (self.attributes.len() - 1) as u16
        })
    }
}

/// At most [`INTERVALS_MAX`] intervals in which all of these lie.
fn coarser(intervals: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let each = intervals.len().div_ceil(INTERVALS_MAX).max(1);
    intervals.chunks(each).map(|some| (some[0].0, some[some.len() - 1].1)).collect()
}

fn phrases<'a>(residue: &[Residue<'a>]) -> Vec<(Slot, &'a AnyPhrase)> {
    let mut phrases: Vec<(Slot, &AnyPhrase)> = Vec::new();
    for part in residue {
        if let (Expr::Test(slot, Test::Mentions(any)), false) = (part.expr, part.is_negated)
            && !phrases.iter().any(|(known, _)| known == slot)
        {
            phrases.push((*slot, any));
        }
    }
    phrases
}

impl IndexRow<'_> {
    pub(super) fn constraint(&self, attribute: u16) -> Option<&Constraint> {
        self.constraints.iter().find(|constraint| constraint.attribute == attribute)
    }

    /// Whether a rule whose condition stands so matches.
    pub(super) fn matches(&self, truth: Kleene) -> bool {
        truth == Kleene::True || truth == Kleene::Unavailable && self.applies_unavailable
    }
}

impl Constraint {
    /// Points that a row may name to be found under each of them.
    const POINTS_MAX: usize = 8;

    /// The few numbers that the row wants the attribute to be, if that is what it wants and it cannot do without.
    pub(super) fn points(&self) -> Option<impl Iterator<Item = i64>> {
        let is_few = self.intervals.len() <= Self::POINTS_MAX && self.when_unavailable != Kleene::True;
        // Symbols that follow one another are one interval.
        let count: i128 = self.intervals.iter().map(|(low, high)| i128::from(*high) - i128::from(*low) + 1).sum();
        (is_few && count <= Self::POINTS_MAX as i128)
            .then(|| self.intervals.iter().flat_map(|(low, high)| *low..=*high))
    }
}
