//! Surveys: the leaves of many records, read from the segments side by side, everything checked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::leaves::lost_leaf;
use super::levels::{GROUP, GROUP_LEVEL};
use super::{Gap, JournalError, Reader, SegmentSpan};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{mpsc, thread};
use crate::tlog::{Frontier, Hash};

/// Records after which a survey tells how far it is.
const TELL_EVERY: u64 = 1 << 15;

/// What to survey, and how.
#[derive(Clone, Copy)]
pub(super) struct Survey<'a> {
    pub(super) journal: &'a Path,
    /// The segments to read.
    pub(super) segments: &'a [SegmentSpan],
    /// The first leaf that is wanted, and the one behind the last.
    pub(super) leaves: (u64, u64),
    /// Sizes at which the tree is looked at, ascending: groups that are cut by one are handed over leaf by leaf.
    pub(super) sizes: &'a [u64],
    pub(super) workers: usize,
}

/// The leaves of a segment, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Surveyed {
    /// The index of the first.
    pub(super) first: u64,
    pub(super) pieces: Vec<Piece>,
    /// Records that were lost to damage and are accounted for as lost. Their leaves are those of [`lost_leaf`].
    pub(super) gaps: Vec<Gap>,
}

/// Some leaves of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Leaves one by one.
    Leaves(Vec<Hash>),
    /// The root of a complete group.
    Group(Hash),
    /// The leaves of a complete group of which some were lost.
    Lost(Vec<Hash>),
}

impl Piece {
    /// Appends the leaves to a tree; `each` sees the tree after every step. `kept` says which root a group had, for one of which
    /// records were lost.
    pub(super) fn push_to(
        &self,
        tree: &mut Frontier,
        kept: impl FnOnce(u64) -> Option<Hash>,
        mut completed: impl FnMut(crate::tlog::Subtree, &Hash),
        mut each: impl FnMut(&Frontier),
    ) {
        let root = match self {
            Self::Group(root) => Some(*root),
            // Nobody can make this root again; the heads that were signed over it say whether it is the one.
            Self::Lost(_) => kept(tree.size() >> GROUP_LEVEL),
            Self::Leaves(_) => None,
        };
        match (self, root) {
            (_, Some(root)) => {
                tree.push_subtree(GROUP_LEVEL, root, &mut completed);
                each(tree);
            }
            (Self::Group(_), None) => {}
            (Self::Leaves(leaves) | Self::Lost(leaves), None) => {
                for leaf in leaves {
                    tree.push_subtree(0, *leaf, &mut completed);
                    each(tree);
                }
            }
        }
    }
}

enum Word {
    Read(u64),
    Done(usize, Result<Surveyed, JournalError>),
}

impl Survey<'_> {
    /// Reads all segments side by side and hands what came of each to `each`, in their order. `progress` is told how many records
    /// were read. Ends early when `each` is false.
    pub(super) fn run(
        &self,
        progress: &mut dyn FnMut(u64),
        each: &mut dyn FnMut(&SegmentSpan, Result<Surveyed, JournalError>) -> bool,
    ) {
        let next = AtomicUsize::new(0);
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..self.workers.clamp(1, self.segments.len().max(1)) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || self.work(next, &sender));
            }
            drop(sender);
            let (mut ready, mut due, mut read) = (BTreeMap::new(), 0, 0);
            while let Ok(word) = receiver.recv() {
                match word {
                    Word::Read(records) => {
                        read += records;
                        progress(read);
                    }
                    Word::Done(nth, surveyed) => {
                        ready.insert(nth, surveyed);
                    }
                }
                while let Some(surveyed) = ready.remove(&due) {
                    due += 1;
                    if !each(&self.segments[due - 1], surveyed) {
                        // Whoever works ends with the segment under way.
                        next.store(usize::MAX / 2, Ordering::Relaxed);
                        return;
                    }
                }
            }
        });
    }

    fn work(&self, next: &AtomicUsize, sender: &mpsc::Sender<Word>) {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let Some(span) = self.segments.get(nth) else { return };
            let surveyed = self.segment(span, sender);
            if sender.send(Word::Done(nth, surveyed)).is_err() {
                return;
            }
        }
    }

    fn segment(&self, span: &SegmentSpan, sender: &mpsc::Sender<Word>) -> Result<Surveyed, JournalError> {
        let (from, until) = self.leaves;
        let first = from.max(span.first_seq - 1);
        let mut pieces = Pieces {
            at: first,
            run: Vec::with_capacity(GROUP as usize),
            done: Vec::new(),
            sizes: self.sizes,
            has_lost: false,
        };
        let (mut reader, mut told) = (Reader::of_segment(self.journal, span.number), 0);
        let mut read = 0;
        while reader.next_batch(|record| {
            read += 1;
            if (first..until).contains(&(record.seq - 1)) {
                pieces.push(record.seq - 1, *record.leaf_hash);
            }
        })? {
            if read - told >= TELL_EVERY {
                // Nobody listens any more once enough is known.
                let _ = sender.send(Word::Read(read - told));
                told = read;
            }
        }
        let _ = sender.send(Word::Read(read - told));
        let gaps: Vec<Gap> = reader.gaps().to_vec();
        // Lost records at the segment's end: the next one goes on behind them.
        if let Some(last) = gaps.last() {
            pieces.lose(last.last_seq().min(until));
        }
        Ok(Surveyed { first, pieces: pieces.end(), gaps })
    }
}

/// Pieces while they are gathered.
struct Pieces<'a> {
    /// The index of the next leaf.
    at: u64,
    /// Leaves since the last piece.
    run: Vec<Hash>,
    done: Vec<Piece>,
    sizes: &'a [u64],
    /// Whether a record of the run was lost.
    has_lost: bool,
}

impl Pieces<'_> {
    /// The leaf of a record. Those between the last one and this were lost: the reader has seen to it that a gap accounts for them.
    fn push(&mut self, index: u64, leaf: Hash) {
        self.lose(index);
        self.take(leaf);
    }

    /// Records until an index were lost.
    fn lose(&mut self, until: u64) {
        while self.at < until {
            self.has_lost = true;
            self.take(lost_leaf());
        }
    }

    fn take(&mut self, leaf: Hash) {
        self.run.push(leaf);
        self.at += 1;
        if self.at.is_multiple_of(GROUP) {
            let leaves = std::mem::replace(&mut self.run, Vec::with_capacity(GROUP as usize));
            let is_looked_at = is_cut(self.sizes, self.at - leaves.len() as u64..self.at);
            let is_whole = leaves.len() as u64 == GROUP;
            self.done.push(match std::mem::take(&mut self.has_lost) {
                true if is_whole => Piece::Lost(leaves),
                false if is_whole && !is_looked_at => Piece::Group(group_root(leaves)),
                _ => Piece::Leaves(leaves),
            });
        }
    }

    fn end(mut self) -> Vec<Piece> {
        if !self.run.is_empty() {
            self.done.push(Piece::Leaves(self.run));
        }
        self.done
    }
}

/// Whether one of the sizes lies within a range, its ends apart.
fn is_cut(sizes: &[u64], range: Range<u64>) -> bool {
    let next = sizes.partition_point(|size| *size <= range.start);
    sizes.get(next).is_some_and(|size| *size < range.end)
}

/// The root of complete leaves.
pub(super) fn group_root(mut leaves: Vec<Hash>) -> Hash {
    debug_assert!(leaves.len().is_power_of_two(), "a group is complete");
    let mut width = leaves.len();
    while width > 1 {
        width /= 2;
        for at in 0..width {
            leaves[at] = crate::tlog::node_hash(&leaves[2 * at], &leaves[2 * at + 1]);
        }
    }
    leaves[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;

    #[test]
    fn groups_are_joined_unless_someone_looks_into_them() {
        let leaf = |n: u64| leaf_hash(&n.to_le_bytes());
        let (from, until) = (GROUP / 2, 4 * GROUP + 3);
        let mut pieces =
            Pieces { at: from, run: Vec::new(), done: Vec::new(), sizes: &[GROUP, 2 * GROUP + 9], has_lost: false };
        (from..until).for_each(|index| pieces.push(index, leaf(index)));
        let pieces = pieces.end();
        let shape: Vec<usize> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Group(_) => 0,
                Piece::Leaves(leaves) | Piece::Lost(leaves) => leaves.len(),
            })
            .collect();
        assert_eq!(shape, [128, 0, 256, 0, 3]);
        let (mut tree, mut one_by_one) = (Frontier::default(), Frontier::default());
        (0..from).for_each(|index| tree.push(leaf(index)));
        (0..until).for_each(|index| one_by_one.push(leaf(index)));
        pieces.iter().for_each(|piece| piece.push_to(&mut tree, |_| None, |_, _| {}, |_| {}));
        assert_eq!(tree, one_by_one);
    }
}
