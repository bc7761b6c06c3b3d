//! Bit vectors: for every attribute and class of its values, the rows that the class does not rule out.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use smallvec::SmallVec;

use super::super::Slot;
use super::super::value_set::Kleene;
use super::attribute::Reading;
use super::classes::Classes;
use super::row::{Constraint, IndexRow};

/// Words from which on a summary, one bit a word, tells which words are worth looking at.
const SUMMARY_FROM: usize = 8;

/// The rows of a set, or of a part of it, in the order of their ranks.
#[derive(Debug)]
pub(super) struct Bits {
    /// The rank of each row.
    ranks: Box<[u32]>,
    /// Words of one bitmap.
    words: usize,
    /// Words of one bitmap's summary, which stands before it.
    summary: usize,
    columns: Box<[Column]>,
    pub(super) phrases: Box<[PhraseColumn]>,
    bits: Box<[u64]>,
}

/// One attribute.
#[derive(Debug)]
struct Column {
    attribute: u16,
    classes: Classes,
    /// Where its bitmaps begin: one per class, then those of [`Missing`].
    start: usize,
}

/// The phrases that rows look for in one text.
#[derive(Debug)]
pub(super) struct PhraseColumn {
    pub(super) slot: Slot,
    /// Rows that look for none.
    open: Box<[u64]>,
    /// Rows that look for a phrase.
    rows: HashMap<u32, Box<[u32]>, FixedState>,
    /// Rows that the missing text does not rule out, by [`Missing`].
    missing: [Box<[u64]>; 2],
}

/// How an unavailable value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It rules out only what is false: all rules that cannot be told are found.
    Kept,
    /// It rules out what does not match: of the rules that cannot be told only those that then apply are found.
    RuledOut,
}

/// The bitmaps of one question.
pub(super) type Chosen<'a> = SmallVec<[&'a [u64]; 16]>;

impl Bits {
    /// Builds the bitmaps of these rows, which stand in the order of their ranks. `settled` attributes are known to suit
    /// every row.
    pub(super) fn build(rows: &[&IndexRow<'_>], settled: &[u16]) -> Self {
        let words = rows.len().div_ceil(64);
        let summary = if words >= SUMMARY_FROM { words.div_ceil(64) } else { 0 };
        let mut building = Building { rows, words, summary, bits: Vec::new() };
        let mut attributes: Vec<u16> =
            rows.iter().flat_map(|row| row.constraints.iter().map(|constraint| constraint.attribute)).collect();
        attributes.sort_unstable();
        attributes.dedup();
        attributes.retain(|attribute| !settled.contains(attribute));
        let mut columns: Vec<(f64, Column)> = attributes.into_iter().map(|a| building.column(a)).collect();
        columns.sort_by(|(left, _), (right, _)| left.total_cmp(right));
        Self {
            ranks: rows.iter().map(|row| row.rank).collect(),
            words,
            summary,
            columns: columns.into_iter().map(|(_, column)| column).collect(),
            phrases: building.phrase_columns(),
            bits: building.bits.into(),
        }
    }

    /// The attributes whose readings a question needs.
    pub(super) fn attributes(&self) -> impl Iterator<Item = u16> {
        self.columns.iter().map(|column| column.attribute)
    }

    /// The bitmaps that fit the readings, summaries included.
    #[inline]
    pub(super) fn choose(&self, readings: &[Reading], missing: Missing) -> Chosen<'_> {
        let stride = self.summary + self.words;
        let choose = |column: &Column| {
            let class = match readings[usize::from(column.attribute)] {
                Reading::Number(n) => column.classes.of(n),
                Reading::Unavailable | Reading::Unread => column.classes.len() + missing as usize,
            };
            let start = column.start + class * stride;
            &self.bits[start..start + stride]
        };
        self.columns.iter().map(choose).collect()
    }

    /// The first word from `from` on in which a row may be left.
    #[inline]
    pub(super) fn next_word(&self, chosen: &Chosen<'_>, from: usize) -> Option<usize> {
        if self.summary == 0 {
            return (from < self.words).then_some(from);
        }
        let mut mask = !0 << (from % 64);
        for at in from / 64..self.summary {
            let joined = chosen.iter().fold(mask, |joined, bitmap| joined & bitmap[at]);
            if joined != 0 {
                let word = at * 64 + joined.trailing_zeros() as usize;
                return (word < self.words).then_some(word);
            }
            mask = !0;
        }
        None
    }

    /// The rows that are left in a word.
    #[inline]
    pub(super) fn word(&self, chosen: &Chosen<'_>, word: usize) -> u64 {
        let mut left = self.valid(word);
        for bitmap in chosen {
            left &= bitmap[self.summary + word];
            if left == 0 {
                break;
            }
        }
        left
    }

    /// The bits of a word that stand for rows.
    fn valid(&self, word: usize) -> u64 {
        let rows = self.ranks.len() - word * 64;
        if rows >= 64 { !0 } else { !(!0 << rows) }
    }

    /// The rank of a row.
    #[inline]
    pub(super) fn rank(&self, row: usize) -> u32 {
        self.ranks[row]
    }

    /// Words of one bitmap.
    pub(super) fn words(&self) -> usize {
        self.words
    }

    /// Bytes that the bitmaps hold.
    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| size_of::<Column>() + column.classes.bytes()).sum();
        let phrases: usize = self.phrases.iter().map(PhraseColumn::bytes).sum();
        size_of::<Self>() + size_of_val(&*self.ranks) + size_of_val(&*self.bits) + columns + phrases
    }
}

impl PhraseColumn {
    /// Sets the rows that the found phrases do not rule out.
    pub(super) fn rows_of(&self, found: &[u64], rows: &mut Vec<u64>) {
        rows.clear();
        rows.extend_from_slice(&self.open);
        for (word, bits) in found.iter().enumerate() {
            let mut left = *bits;
            while left != 0 {
                let phrase = word as u32 * 64 + left.trailing_zeros();
                left &= left - 1;
                for row in self.rows.get(&phrase).into_iter().flatten() {
                    rows[*row as usize / 64] |= 1 << (row % 64);
                }
            }
        }
    }

    /// Sets the rows that a missing text does not rule out.
    pub(super) fn rows_without(&self, missing: Missing, rows: &mut Vec<u64>) {
        rows.clear();
        rows.extend_from_slice(&self.missing[missing as usize]);
    }

    fn bytes(&self) -> usize {
        let rows: usize = self.rows.values().map(|rows| size_of::<(u32, Box<[u32]>)>() + size_of_val(&**rows)).sum();
        size_of::<Self>() + 3 * size_of_val(&*self.open) + rows
    }
}

// === building ===

struct Building<'r, 'a> {
    rows: &'r [&'r IndexRow<'a>],
    words: usize,
    summary: usize,
    bits: Vec<u64>,
}

impl Building<'_, '_> {
    /// The column of an attribute, and the share of rows that it leaves on average.
    fn column(&mut self, attribute: u16) -> (f64, Column) {
        let constraints: Vec<(usize, &Constraint)> =
            self.rows.iter().enumerate().filter_map(|(at, row)| Some((at, row.constraint(attribute)?))).collect();
        let intervals = constraints.iter().flat_map(|(_, constraint)| &constraint.intervals).copied();
        let classes = Classes::new(intervals, self.rows.len());
        let (count, start, stride) = (classes.len(), self.bits.len(), self.summary + self.words);
        self.bits.resize(start + (count + 2) * stride, 0);
        let open = self.open(&constraints);
        for bitmap in self.bits[start..].chunks_exact_mut(stride) {
            bitmap[self.summary..].copy_from_slice(&open);
        }
        for (row, constraint) in constraints {
            let mut keep =
                |class: usize| self.bits[start + class * stride + self.summary + row / 64] |= 1 << (row % 64);
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
        let mut left = 0;
        for (class, bitmap) in self.bits[start..].chunks_exact_mut(stride).enumerate() {
            let (summary, words) = bitmap.split_at_mut(self.summary);
            summarise(words, summary);
            left += if class < count { words.iter().map(|word| word.count_ones()).sum() } else { 0 };
        }
        let share = f64::from(left) / (count * self.rows.len()) as f64;
        (share, Column { attribute, classes, start })
    }

    /// The rows that the attribute does not constrain.
    fn open(&self, constraints: &[(usize, &Constraint)]) -> Vec<u64> {
        let mut open = vec![!0; self.words];
        for (row, _) in constraints {
            open[row / 64] &= !(1 << (row % 64));
        }
        open
    }

    fn phrase_columns(&self) -> Box<[PhraseColumn]> {
        let mut slots: Vec<Slot> = self.rows.iter().flat_map(|row| row.phrases.iter().map(|(slot, _)| *slot)).collect();
        slots.sort_unstable();
        slots.dedup();
        slots.into_iter().map(|slot| self.phrase_column(slot)).collect()
    }

    fn phrase_column(&self, slot: Slot) -> PhraseColumn {
        let all = vec![!0_u64; self.words];
        let (mut open, mut applying) = (all.clone(), all.clone());
        let mut rows: HashMap<u32, Vec<u32>, FixedState> = HashMap::default();
        for (at, row) in self.rows.iter().enumerate() {
            let Some((_, phrases)) = row.phrases.iter().find(|(known, _)| *known == slot) else { continue };
            open[at / 64] &= !(1 << (at % 64));
            if !row.matches(Kleene::Unavailable) {
                applying[at / 64] &= !(1 << (at % 64));
            }
            phrases.numbers().for_each(|phrase| rows.entry(phrase).or_default().push(at as u32));
        }
        let rows = rows.into_iter().map(|(phrase, rows)| (phrase, rows.into())).collect();
        PhraseColumn { slot, open: open.into(), rows, missing: [all.into(), applying.into()] }
    }
}

impl IndexRow<'_> {
    /// Whether a rule whose condition stands so matches.
    fn matches(&self, truth: Kleene) -> bool {
        truth == Kleene::True || truth == Kleene::Unavailable && self.applies_unavailable
    }
}

/// One bit for each word that is not empty.
fn summarise(words: &[u64], summary: &mut [u64]) {
    if summary.is_empty() {
        return;
    }
    for (at, word) in words.iter().enumerate() {
        summary[at / 64] |= u64::from(*word != 0) << (at % 64);
    }
}
