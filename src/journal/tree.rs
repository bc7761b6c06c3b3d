//! The tree over all records: leaf n is record n + 1.
//!
//! Leaf hashes are not stored: they are made again from the segments. Roots of complete groups are ([`Levels`]), so that a proof
//! reads the records of two groups and some roots. The tree grows behind the commits' back, from what the committer hashed for
//! the chain anyway.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::fresh::FreshLeaves;
use super::leaves::{for_leaf_hashes, lost_leaf};
use super::levels::{GROUP, GROUP_LEVEL, Levels};
use super::segments;
use super::survey::{Survey, group_root};
use super::{Gap, JournalError};
use crate::domain::Timestamp;
use crate::sync::{Mutex, MutexGuard};
use crate::tlog::{Frontier, Hash, Subtree, Subtrees};

/// How long a leaf that was synced may take to be handed over.
const HAND_OVER_MAX: Duration = Duration::from_secs(5);

/// The tree of a journal that is written.
#[derive(Debug)]
pub(super) struct RecordTree {
    journal: PathBuf,
    fresh: Arc<FreshLeaves>,
    workers: usize,
    /// When it was opened.
    now: Timestamp,
    /// Roots that groups had, for those of which records were lost.
    kept: Vec<Hash>,
    grown: Mutex<Grown>,
}

#[derive(Debug)]
struct Grown {
    frontier: Frontier,
    levels: Levels,
    /// What was lost of the records that were read.
    gaps: Vec<Gap>,
}

/// Hashes of subtrees of a journal's tree, from the roots that are kept and from the records. Locks nothing.
#[derive(Debug)]
pub(super) struct TreeReader {
    journal: PathBuf,
    levels: Levels,
    /// Leaves of the groups that were asked for, by the group's number; `None` for those of lost records.
    groups: Vec<(u64, Vec<Option<Hash>>)>,
    /// Whether roots that are not kept are made from all records below them.
    reads_all: bool,
    /// Records that were lost and that a hash was asked for that depends on them.
    lost: Option<(u64, u64)>,
}

impl RecordTree {
    /// The tree as far as roots are kept that belong to the first `trusted` records. Nothing is read but those roots.
    pub(super) fn open(
        journal: &Path,
        fresh: Arc<FreshLeaves>,
        trusted: u64,
        workers: usize,
        now: Timestamp,
    ) -> Result<Self, JournalError> {
        // Without a head nothing says which roots are whole, and they are all there is of groups of which records were lost.
        let kept = Levels::look(journal, if trusted == 0 { u64::MAX } else { trusted }).groups();
        let known = Levels::look(journal, trusted).leaves();
        let is_all = trusted > 0 && known >> GROUP_LEVEL == kept.len() as u64;
        let grown = if is_all || kept.is_empty() {
            let levels = Levels::open(journal, known)?;
            let mut reader = TreeReader::new(journal, known);
            let frontier = Frontier::at(known, |subtree| reader.hash(subtree))?;
            Grown { frontier, levels, gaps: Vec::new() }
        } else {
            Grown::begin_next(journal)?
        };
        Ok(Self { journal: journal.to_owned(), fresh, workers, now, kept, grown: Mutex::new(grown) })
    }

    /// The tree without a record, to be made again. Of the roots that were kept, those of groups of which records were lost are taken
    /// as they are: nobody can make them again.
    pub(super) fn anew(self) -> Result<Self, JournalError> {
        let grown = Mutex::new(Grown::begin_next(&self.journal)?);
        Ok(Self { grown, ..self })
    }

    /// Whether records were lost of the group that a tree of some size ends within, so that nobody can make its root again.
    pub(super) fn has_lost_end(&self, size: u64) -> bool {
        self.lock().gaps.iter().any(|gap| gap.cuts_last_group(size))
    }

    /// Lets go of a tree that is not to be kept.
    pub(super) fn discard(self) {
        let grown = self.grown.into_inner().unwrap_or_else(PoisonError::into_inner);
        grown.levels.discard(&self.journal);
    }

    /// How many records it has.
    pub(super) fn size(&self) -> u64 {
        self.lock().frontier.size()
    }

    /// Its root.
    pub(super) fn root(&self) -> Hash {
        self.lock().frontier.root()
    }

    /// Takes in what was handed over by the committer; what was dropped on the way is read from the segments. Returns the size
    /// and the root.
    pub(super) fn catch_up(&self) -> Result<(u64, Hash), JournalError> {
        let mut grown = self.lock();
        loop {
            let (first, leaves) = self.fresh.take();
            if first > grown.frontier.size() {
                self.read_in(&mut grown, first)?;
            }
            // What was read from the segments may have been handed over too.
            let known = (grown.frontier.size() - first) as usize;
            leaves.get(known..).unwrap_or_default().iter().for_each(|leaf| grown.push(*leaf));
            grown.levels.write()?;
            if leaves.is_empty() {
                return Ok((grown.frontier.size(), grown.frontier.root()));
            }
        }
    }

    /// As [`RecordTree::catch_up`], when the record is in it.
    pub(super) fn catch_up_to(&self, seq: u64) -> Result<(u64, Hash), JournalError> {
        if self.size() < seq && !self.fresh.wait_for(seq, HAND_OVER_MAX) {
            return Err(JournalError::Stopped("a record that is on disk did not get into the tree".into()));
        }
        self.catch_up()
    }

    /// Reads records from the segments until the tree has the first `until`.
    pub(super) fn read_until(&self, until: u64) -> Result<(), JournalError> {
        let mut grown = self.lock();
        self.read_in(&mut grown, until)
    }

    /// Reads records from the segments, as many at a time as there are workers.
    fn read_in(&self, grown: &mut Grown, until: u64) -> Result<(), JournalError> {
        let from = grown.frontier.size();
        if from >= until {
            return Ok(());
        }
        let mut segments = segments(&self.journal)?;
        segments.retain(|segment| segment.first_seq <= until);
        let before = segments.partition_point(|segment| segment.first_seq <= from + 1).saturating_sub(1);
        segments.drain(..before);
        let survey = Survey {
            journal: &self.journal,
            segments: &segments,
            leaves: (from, until),
            sizes: &[],
            workers: self.workers,
        };
        let mut failed = None;
        if until - from > MANY {
            tracing::info!(records = until - from, "the tree over the records is made from the segments");
        }
        survey.run(&mut |_| {}, &mut |_, surveyed| {
            let taken = surveyed.and_then(|surveyed| {
                let Grown { frontier, levels, gaps } = &mut *grown;
                gaps.extend_from_slice(&surveyed.gaps);
                for piece in &surveyed.pieces {
                    let kept = |group: u64| self.kept.get(group as usize).copied();
                    piece.push_to(frontier, kept, |subtree, hash| levels.push(subtree, hash), |_| {});
                }
                levels.write()
            });
            failed = taken.err();
            failed.is_none()
        });
        match failed {
            Some(error) => Err(error),
            None if grown.frontier.size() < until => {
                let found = grown.frontier.size();
                Err(JournalError::WrongSequence { expected: until, found })
            }
            None => Ok(()),
        }
    }

    /// Makes the roots durable, and in their place if they were made again.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        let mut grown = self.lock();
        grown.levels.sync()?;
        grown.levels.install(&self.journal, self.now)
    }

    /// Hashes of the tree's subtrees. Reads the records of groups that are asked for, and never more: roots of whole groups are at
    /// hand, whatever becomes of the folder they are kept in.
    pub(super) fn reader(&self) -> TreeReader {
        let levels = self.lock().levels.again();
        TreeReader { journal: self.journal.clone(), levels, groups: Vec::new(), reads_all: false, lost: None }
    }

    fn lock(&self) -> MutexGuard<'_, Grown> {
        self.grown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records whose reading is worth a line in the log.
const MANY: u64 = 100_000;

impl Grown {
    /// Nothing yet, with the roots that are made again in files of their own.
    fn begin_next(journal: &Path) -> Result<Self, JournalError> {
        let levels = Levels::begin_next(journal)?;
        Ok(Self { frontier: Frontier::default(), levels, gaps: Vec::new() })
    }

    fn push(&mut self, leaf: Hash) {
        let levels = &mut self.levels;
        self.frontier.push_subtree(0, leaf, |subtree, hash| levels.push(subtree, hash));
    }
}

impl TreeReader {
    /// A reader that trusts the roots that are kept of the first `trusted` records.
    pub(super) fn new(journal: &Path, trusted: u64) -> Self {
        let levels = Levels::look(journal, trusted);
        Self { journal: journal.to_owned(), levels, groups: Vec::new(), reads_all: true, lost: None }
    }

    /// The folder of the segments.
    pub(super) fn journal(&self) -> &Path {
        &self.journal
    }

    /// The hash of a leaf.
    pub(super) fn leaf(&mut self, index: u64) -> Result<Hash, JournalError> {
        self.hash(Subtree { level: 0, index })
    }

    /// The first and the last of some records that were lost, if a hash that was asked for since this was asked last depends on
    /// any. Such a hash is none that the tree ever had, unless it was lost records that were signed over.
    pub(super) fn take_lost(&mut self) -> Option<(u64, u64)> {
        self.lost.take()
    }

    /// Leaves of a group, as many as there are.
    fn group(&mut self, number: u64) -> Result<&[Option<Hash>], JournalError> {
        if let Some(at) = self.groups.iter().position(|(known, _)| *known == number) {
            return Ok(&self.groups[at].1);
        }
        let mut leaves = Vec::with_capacity(GROUP as usize);
        for_leaf_hashes(&self.journal, (number * GROUP + 1, (number + 1) * GROUP), |leaf| leaves.push(leaf))?;
        self.groups.push((number, leaves));
        Ok(self.groups.last().map_or(&[], |(_, leaves)| leaves))
    }
}

impl Subtrees for TreeReader {
    type Error = JournalError;

    fn hash(&mut self, subtree: Subtree) -> Result<Hash, JournalError> {
        if subtree.level < GROUP_LEVEL {
            let (first, count) = ((subtree.first_leaf() % GROUP) as usize, 1usize << subtree.level);
            let leaves = self.group(subtree.first_leaf() / GROUP)?;
            let asked = leaves.get(first..first + count).ok_or_else(|| missing(subtree))?;
            let hashes = asked.iter().map(|leaf| leaf.unwrap_or_else(lost_leaf)).collect();
            let lost = asked.iter().position(Option::is_none).map(|at| run_of_lost(leaves, first + at));
            let before = subtree.first_leaf() - first as u64;
            self.lost = self.lost.or(lost.map(|(from, behind)| (before + from as u64 + 1, before + behind as u64)));
            return Ok(group_root(hashes));
        }
        if let Some(parts) = self.levels.parts(subtree) {
            return Ok(group_root(parts));
        }
        if !self.reads_all {
            return Err(missing(subtree));
        }
        let (first, behind) = (subtree.first_leaf(), subtree.first_leaf() + (1 << subtree.level));
        let (mut tree, mut lost) = (Frontier::default(), None::<(u64, u64)>);
        for_leaf_hashes(&self.journal, (first + 1, behind), |leaf| {
            tree.push(leaf.unwrap_or_else(lost_leaf));
            let seq = first + tree.size();
            match &mut lost {
                _ if leaf.is_some() => {}
                None => lost = Some((seq, seq)),
                Some((_, last)) if *last + 1 == seq => *last = seq,
                Some(_) => {}
            }
        })?;
        self.lost = self.lost.or(lost);
        if tree.size() < behind - first { Err(missing(subtree)) } else { Ok(tree.root()) }
    }
}

/// From where to where leaves are lost around one that is.
fn run_of_lost(leaves: &[Option<Hash>], at: usize) -> (usize, usize) {
    let before = leaves[..at].iter().rev().take_while(|leaf| leaf.is_none()).count();
    let behind = leaves[at..].iter().take_while(|leaf| leaf.is_none()).count();
    (at - before, at + behind)
}

fn missing(subtree: Subtree) -> JournalError {
    let until = subtree.first_leaf() + (1 << subtree.level);
    JournalError::Stopped(format!("the journal ends before record {until}").into())
}
