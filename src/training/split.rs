//! Rows in parts, each of which is held out once while a model is trained on the others.

use super::chance::Chance;
use super::labelled::LabelledTexts;

/// Which part each row is in. Every label is spread evenly over the parts, and rows that read the same are in one.
pub(super) fn split(texts: &LabelledTexts, parts: u8, seed: u64) -> Vec<u8> {
    let mut chance = Chance::new(seed);
    let mut by_label: Vec<Vec<usize>> = vec![Vec::new(); texts.labels.len()];
    for (at, row) in texts.rows.iter().enumerate().filter(|(at, row)| row.same_as == *at) {
        by_label[usize::from(row.label)].push(at);
    }
    let mut part_of = vec![0; texts.rows.len()];
    let mut next = 0;
    for rows in &mut by_label {
        chance.shuffle(rows);
        for row in rows {
            part_of[*row] = next;
            next = (next + 1) % parts;
        }
    }
    for (at, row) in texts.rows.iter().enumerate() {
        part_of[at] = part_of[row.same_as];
    }
    part_of
}
