//! Bit vectors: for every attribute and class of its values, the rows that the class does not rule out.

use super::super::value_set::Kleene;
use super::attribute::Reading;
use super::checks::{Checks, ChecksBuilder};
use super::classes::Classes;
use super::phrases::PhraseColumn;
use super::row::{Constraint, IndexRow};

/// Words of a block: what is looked at together, a cache line.
pub(super) const BLOCK: usize = 8;

/// The rows of a set, or of a part of it, in the order of their ranks.
#[derive(Debug)]
pub(super) struct Bits {
    /// The rank of each row.
    ranks: Box<[u32]>,
    /// Words of one bitmap; above one block a multiple of a block's.
    words: usize,
    /// The most selective first.
    pub(super) columns: Box<[Column]>,
    pub(super) phrases: Box<[PhraseColumn]>,
    pub(super) checks: Checks,
    bits: Box<[u64]>,
}

/// One attribute.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) attribute: u16,
    classes: Classes,
    /// Where its bitmaps begin: one per class, then those of [`Missing`].
    start: usize,
}

/// How an unavailable value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It rules out only what is false: all rules that cannot be told are found.
    Kept,
    /// It rules out what does not match: of the rules that cannot be told only those that then apply are found.
    RuledOut,
}

impl Bits {
    /// Builds the bitmaps of these rows, which stand in the order of their ranks. `settled` attributes are known to suit
    /// every row.
    pub(super) fn build(rows: &[&IndexRow<'_>], settled: &[u16]) -> Self {
        let words = match rows.len().div_ceil(64) {
            few @ 0..=BLOCK => few,
            many => many.next_multiple_of(BLOCK),
        };
        let mut building = Building { rows, words, bits: Vec::new() };
        let mut attributes: Vec<u16> =
            rows.iter().flat_map(|row| row.constraints.iter().map(|constraint| constraint.attribute)).collect();
        attributes.sort_unstable();
        attributes.dedup();
        attributes.retain(|attribute| !settled.contains(attribute));
        let mut columns: Vec<(f64, Column)> = attributes.into_iter().map(|a| building.column(a)).collect();
        columns.sort_by(|(left, _), (right, _)| left.total_cmp(right));
        let columns: Box<[Column]> = columns.into_iter().map(|(_, column)| column).collect();
        Self {
            ranks: rows.iter().map(|row| row.rank).collect(),
            words,
            checks: checks(rows, &columns),
            columns,
            phrases: PhraseColumn::of_rows(rows, words),
            bits: building.bits.into(),
        }
    }

    /// Words of one bitmap.
    #[inline]
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// The rank of a row; `None` behind the last.
    #[inline]
    pub(super) fn rank(&self, row: usize) -> Option<u32> {
        self.ranks.get(row).copied()
    }

    /// The bitmap of a column that fits the reading.
    #[inline]
    pub(super) fn bitmap(&self, column: &Column, reading: Reading, missing: Missing) -> &[u64] {
        let class = match reading {
            Reading::Number(n) => column.classes.of(n),
            Reading::Unavailable | Reading::Unread => column.classes.len() + missing as usize,
        };
        let start = column.start + class * self.words;
        &self.bits[start..start + self.words]
    }

    /// Bytes that the bitmaps hold.
    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| size_of::<Column>() + column.classes.bytes()).sum();
        let phrases: usize = self.phrases.iter().map(PhraseColumn::bytes).sum();
        let bits = size_of_val(&*self.ranks) + size_of_val(&*self.bits);
        size_of::<Self>() + bits + columns + phrases + self.checks.bytes()
    }
}

// === building ===

struct Building<'r, 'a> {
    rows: &'r [&'r IndexRow<'a>],
    words: usize,
    bits: Vec<u64>,
}

impl Building<'_, '_> {
    /// The column of an attribute, and the share of rows that it leaves on average.
    fn column(&mut self, attribute: u16) -> (f64, Column) {
        let constraints: Vec<(usize, &Constraint)> =
            self.rows.iter().enumerate().filter_map(|(at, row)| Some((at, row.constraint(attribute)?))).collect();
        let intervals = constraints.iter().flat_map(|(_, constraint)| &constraint.intervals).copied();
        let classes = Classes::new(intervals, self.rows.len());
        let (count, start, words) = (classes.len(), self.bits.len(), self.words);
        let open = open(words, constraints.iter().map(|(row, _)| *row));
        for _ in 0..count + 2 {
            self.bits.extend_from_slice(&open);
        }
        for (row, constraint) in constraints {
            let mut keep = |class: usize| self.bits[start + class * words + row / 64] |= 1 << (row % 64);
            for (low, high) in &constraint.intervals {
                (classes.of(*low)..=classes.of(*high)).for_each(&mut keep);
            }
            if constraint.when_unavailable != Kleene::False {
                keep(count + Missing::Kept as usize);
            }
            if self.rows[row].matches(constraint.when_unavailable) {
                keep(count + Missing::RuledOut as usize);
            }
        }
        let of_classes = &self.bits[start..start + count * words];
        let left: f64 = of_classes.iter().map(|word| f64::from(word.count_ones())).sum();
        (left / (count * self.rows.len()) as f64, Column { attribute, classes, start })
    }
}

/// All bits but those of the rows that are named.
pub(super) fn open(words: usize, rows: impl Iterator<Item = usize>) -> Vec<u64> {
    let mut open = vec![!0; words];
    rows.for_each(|row| open[row / 64] &= !(1 << (row % 64)));
    open
}

/// What the bitmaps do not tell exactly.
fn checks(rows: &[&IndexRow<'_>], columns: &[Column]) -> Checks {
    let mut checks = ChecksBuilder::default();
    for row in rows {
        let column = |constraint: &Constraint| columns.iter().find(|column| column.attribute == constraint.attribute);
        let is_open = |constraint: &&Constraint| {
            column(constraint).is_some_and(|column| {
                !constraint.intervals.iter().all(|interval| column.classes.are_exact_for(*interval))
            })
        };
        checks.add(row.is_whole, row.constraints.iter().filter(is_open));
    }
    checks.build()
}
