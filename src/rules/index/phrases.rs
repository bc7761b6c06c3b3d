//! Rows by the phrases that they look for in a text: which phrases a text has is found out for all rows at once.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::super::Slot;
use super::super::value_set::Kleene;
use super::bits::{Missing, open};
use super::row::IndexRow;

/// The phrases that rows look for in one text.
#[derive(Debug)]
pub(super) struct PhraseColumn {
    pub(super) slot: Slot,
    /// Rows that look for none.
    open: Box<[u64]>,
    /// Rows that look for a phrase.
    rows: HashMap<u32, Box<[u32]>, FixedState>,
    /// Rows that the missing text does not rule out though rules that cannot be told are.
    applying: Box<[u64]>,
}

impl PhraseColumn {
    /// The columns of all texts that the rows look at.
    pub(super) fn of_rows(rows: &[&IndexRow<'_>], words: usize) -> Box<[Self]> {
        let mut slots: Vec<Slot> = rows.iter().flat_map(|row| row.phrases.iter().map(|(slot, _)| *slot)).collect();
        slots.sort_unstable();
        slots.dedup();
        slots.into_iter().map(|slot| Self::new(slot, rows, words)).collect()
    }

    fn new(slot: Slot, rows: &[&IndexRow<'_>], words: usize) -> Self {
        let looking = |row: &IndexRow<'_>| row.phrases.iter().any(|(known, _)| *known == slot);
        let numbers = |keep: &dyn Fn(&IndexRow<'_>) -> bool| {
            let kept = rows.iter().enumerate().filter(|(_, row)| looking(row) && keep(row));
            open(words, kept.map(|(number, _)| number)).into_boxed_slice()
        };
        let mut by_phrase: HashMap<u32, Vec<u32>, FixedState> = HashMap::default();
        for (number, row) in rows.iter().enumerate() {
            for (_, phrases) in row.phrases.iter().filter(|(known, _)| *known == slot) {
                phrases.numbers().for_each(|phrase| by_phrase.entry(phrase).or_default().push(number as u32));
            }
        }
        Self {
            slot,
            open: numbers(&|_| true),
            rows: by_phrase.into_iter().map(|(phrase, rows)| (phrase, rows.into())).collect(),
            applying: numbers(&|row| !row.matches(Kleene::Unavailable)),
        }
    }

    /// Keeps the rows that the found phrases do not rule out. `scratch` is overwritten.
    pub(super) fn keep_found(&self, found: &[u64], kept: &mut [u64], scratch: &mut Vec<u64>) {
        scratch.clear();
        scratch.extend_from_slice(&self.open);
        for (word, bits) in found.iter().enumerate() {
            let mut left = *bits;
            while left != 0 {
                let phrase = word as u32 * 64 + left.trailing_zeros();
                left &= left - 1;
                for row in self.rows.get(&phrase).into_iter().flatten() {
                    scratch[*row as usize / 64] |= 1 << (row % 64);
                }
            }
        }
        kept.iter_mut().zip(&*scratch).for_each(|(kept, rows)| *kept &= rows);
    }

    /// Keeps the rows that a missing text does not rule out.
    pub(super) fn keep_without(&self, missing: Missing, kept: &mut [u64]) {
        if missing == Missing::RuledOut {
            kept.iter_mut().zip(&*self.applying).for_each(|(kept, rows)| *kept &= rows);
        }
    }

    /// Bytes that the column holds.
    pub(super) fn bytes(&self) -> usize {
        let rows: usize = self.rows.values().map(|rows| size_of::<(u32, Box<[u32]>)>() + size_of_val(&**rows)).sum();
        size_of::<Self>() + 2 * size_of_val(&*self.open) + rows
    }
}
