//! Splitting a large set of rows by a name that most of them want to be equal to something.
//!
//! Every row stands under each of the few values that it names, or among the rest if it names none. An event then meets the
//! rows of its own value and the rest; both are split again while that pays. Where the value by which rows are split is
//! unavailable no part may be left out, and the whole set is asked in one piece.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::super::rule::Rule;
use super::attribute::Attribute;
use super::bits::Bits;
use super::checks::{Checks, ChecksBuilder};
use super::row::{Constraint, IndexRow, RowReader};

/// An index over the conditions of ranked rules.
#[derive(Debug, Default)]
pub(in crate::rules) struct Index {
    pub(super) attributes: Vec<Attribute>,
    pub(super) nodes: Vec<Node>,
    /// The node at which a search begins.
    pub(super) root: usize,
    /// All rows in one piece, if they are split elsewhere.
    pub(super) whole: Option<Box<Bits>>,
    /// The attributes by which rows are split.
    pub(super) split_by: Vec<u16>,
}

/// A part of the rows.
#[derive(Debug)]
pub(super) enum Node {
    /// So few that each is asked.
    Few(Few),
    Bits(Box<Bits>),
    Split(Split),
}

/// A few rows.
#[derive(Debug)]
pub(super) struct Few {
    pub(super) ranks: Box<[u32]>,
    pub(super) checks: Checks,
}

/// Rows by the value of an attribute.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) attribute: u16,
    /// The node of the rows that name a value.
    pub(super) named: HashMap<i64, u32, FixedState>,
    /// The node of the rows that name none, if there are any.
    pub(super) rest: Option<usize>,
}

/// Rows up to which each is asked.
const FEW: usize = 32;

/// How often rows are split at most.
const DEPTH_MAX: usize = 6;

/// How many times as many rows as there are may stand in all parts together, for a row that names several values stands
/// under each of them.
const COPIES_MAX: usize = 8;

/// What decides how an index is laid out. Whatever it says, answers are the same.
#[derive(Clone, Copy, Debug)]
pub(in crate::rules) struct Tuning {
    /// Rows from which on a split is thought about.
    pub(in crate::rules) split_from: usize,
    /// What it costs to choose the bitmaps of one piece, in nanoseconds; a word of them costs [`WORD_NS`].
    pub(in crate::rules) piece_ns: f64,
}

/// Measured by `benches/rules.rs`; only comparisons rest on it.
const WORD_NS: f64 = 7.0;

impl Default for Tuning {
    fn default() -> Self {
        Self { split_from: 512, piece_ns: 90.0 }
    }
}

impl Index {
    /// Builds the index of rules whose ranks begin at `first_rank`.
    pub(in crate::rules) fn build(rules: &[Rule], first_rank: usize, tuning: Tuning) -> Self {
        let mut reader = RowReader::default();
        let mut rows = Vec::with_capacity(rules.len());
        for (rank, rule) in (first_rank as u32..).zip(rules) {
            reader.read(rank, rule, &mut rows);
        }
        let attributes = reader.attributes.len() as u16;
        let mut index = Self { attributes: reader.attributes, ..Self::default() };
        let all: Vec<&IndexRow<'_>> = rows.iter().collect();
        let mut planting = Planting { index: &mut index, tuning, attributes, copies_left: COPIES_MAX * all.len() };
        let root = planting.node(&all, &mut Vec::new());
        index.root = root;
        if !index.split_by.is_empty() {
            index.whole = Some(Box::new(Bits::build(&all, &[])));
            index.split_by.sort_unstable();
            index.split_by.dedup();
        }
        index
    }

    /// Bytes that the index holds.
    pub(in crate::rules) fn bytes(&self) -> usize {
        let of_node = |node: &Node| match node {
            Node::Few(few) => size_of_val(&*few.ranks) + few.checks.bytes(),
            Node::Bits(bits) => bits.bytes(),
            Node::Split(split) => split.named.capacity() * (size_of::<(i64, u32)>() + 1),
        };
        let nodes: usize = self.nodes.iter().map(|node| size_of::<Node>() + of_node(node)).sum();
        let attributes: usize = self.attributes.iter().map(Attribute::bytes).sum();
        nodes + attributes + self.whole.as_ref().map_or(0, |whole| whole.bytes())
    }
}

impl Few {
    fn new(rows: &[&IndexRow<'_>], settled: &[u16]) -> Self {
        let mut checks = ChecksBuilder::default();
        for row in rows {
            let is_open = |constraint: &&Constraint| !settled.contains(&constraint.attribute);
            // There is no bitmap here that knows phrases.
            checks.add(row.is_whole && row.phrases.is_empty(), row.constraints.iter().filter(is_open));
        }
        Self { ranks: rows.iter().map(|row| row.rank).collect(), checks: checks.build() }
    }
}

/// The tree while it grows.
struct Planting<'i> {
    index: &'i mut Index,
    tuning: Tuning,
    attributes: u16,
    copies_left: usize,
}

/// A way to split rows, and what a question would cost then.
struct Plan {
    attribute: u16,
    cost_ns: f64,
    /// The rows of all parts together.
    copies: usize,
}

impl Planting<'_> {
    /// Adds the node of these rows. `settled` attributes are known to suit every row.
    fn node(&mut self, rows: &[&IndexRow<'_>], settled: &mut Vec<u16>) -> usize {
        let node = if rows.len() <= FEW {
            Node::Few(Few::new(rows, settled))
        } else {
            match self.best_plan(rows, settled) {
                Some(plan) => self.split(rows, &plan, settled),
                None => Node::Bits(Box::new(Bits::build(rows, settled))),
            }
        };
        self.index.nodes.push(node);
        self.index.nodes.len() - 1
    }

    fn split(&mut self, rows: &[&IndexRow<'_>], plan: &Plan, settled: &mut Vec<u16>) -> Node {
        let mut named: HashMap<i64, Vec<&IndexRow<'_>>, FixedState> = HashMap::default();
        let mut rest = Vec::new();
        for row in rows {
            match row.constraint(plan.attribute).and_then(|constraint| constraint.points()) {
                Some(points) => points.for_each(|point| named.entry(point).or_default().push(row)),
                None => rest.push(*row),
            }
        }
        self.copies_left = self.copies_left.saturating_sub(plan.copies);
        self.index.split_by.push(plan.attribute);
        let rest = (!rest.is_empty()).then(|| self.node(&rest, settled));
        settled.push(plan.attribute);
        let mut parts: Vec<(i64, Vec<&IndexRow<'_>>)> = named.into_iter().collect();
        parts.sort_unstable_by_key(|(value, _)| *value);
        let named = parts.into_iter().map(|(value, rows)| (value, self.node(&rows, settled) as u32)).collect();
        settled.pop();
        Node::Split(Split { attribute: plan.attribute, named, rest })
    }

    /// The best way to split the rows, if any is worth it.
    fn best_plan(&self, rows: &[&IndexRow<'_>], settled: &[u16]) -> Option<Plan> {
        if rows.len() < self.tuning.split_from || settled.len() == DEPTH_MAX {
            return None;
        }
        let plans = (0..self.attributes).filter(|attribute| !settled.contains(attribute));
        let best = plans.filter_map(|attribute| self.plan(rows, attribute));
        let best = best.min_by(|l, r| l.cost_ns.total_cmp(&r.cost_ns))?;
        (best.cost_ns < 0.8 * self.cost_ns(rows.len())).then_some(best)
    }

    /// What a question costs with the rows split by the attribute: values are asked for as often as rows name them.
    fn plan(&self, rows: &[&IndexRow<'_>], attribute: u16) -> Option<Plan> {
        const LOOK_UP_NS: f64 = 15.0;
        let mut counts: HashMap<i64, usize, FixedState> = HashMap::default();
        let mut rest = 0;
        for row in rows {
            match row.constraint(attribute).and_then(|constraint| constraint.points()) {
                Some(points) => points.for_each(|point| *counts.entry(point).or_default() += 1),
                None => rest += 1,
            }
        }
        let named: usize = counts.values().sum();
        let copies = named + rest;
        if counts.len() < 2 || copies > self.copies_left {
            return None;
        }
        // Summed in the order of size, so that the same rules always make the same index.
        let mut sizes: Vec<usize> = counts.into_values().collect();
        sizes.sort_unstable();
        let expected: f64 = sizes.iter().map(|size| *size as f64 / named as f64 * self.cost_ns(*size)).sum();
        let of_rest = if rest > 0 { self.cost_ns(rest) } else { 0.0 };
        Some(Plan { attribute, cost_ns: LOOK_UP_NS + expected + of_rest, copies })
    }

    /// Roughly what it costs to ask so many rows in one piece.
    fn cost_ns(&self, rows: usize) -> f64 {
        match rows {
            0..=FEW => 20.0 + 4.0 * rows as f64,
            _ => self.tuning.piece_ns + WORD_NS * rows as f64 / 64.0,
        }
    }
}
