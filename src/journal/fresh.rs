//! Leaf hashes on their way from the committer to the tree: handed over with one copy, taken in behind the commits' back.

use std::sync::PoisonError;
use std::time::Duration;

use crate::sync::{Condvar, Mutex, MutexGuard, wait_while_at_most};
use crate::tlog::Hash;

/// Hashes that may wait: 32 MiB, some seconds of the fastest commits. What is more is made again from the segments.
const WAITING_MAX: usize = 1 << 20;

/// Hashes at which whoever takes them in is woken.
const WAITING_MANY: usize = 1 << 14;

/// Leaves of records that are synced and not yet in the tree.
#[derive(Debug, Default)]
pub(super) struct FreshLeaves {
    waiting: Mutex<Waiting>,
    /// For whoever takes them in, and for those who wait for a record's.
    news: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The index of the first leaf that waits; of the next one that will be, if none does.
    first: u64,
    leaves: Vec<Hash>,
    /// Whether anybody takes them in.
    is_wanted: bool,
    /// Callers that wait for a record.
    watched: usize,
    is_ending: bool,
}

impl FreshLeaves {
    /// Leaves of records after the `last`.
    pub(super) fn after(last_seq: u64) -> Self {
        Self { waiting: Mutex::new(Waiting { first: last_seq, ..Waiting::default() }), news: Condvar::new() }
    }

    /// Hands over the leaves of a batch, whose last record has this sequence. Called by the committer for each batch.
    pub(super) fn push(&self, last_seq: u64, leaves: &[Hash]) {
        let mut waiting = self.lock();
        let before = waiting.leaves.len();
        if !waiting.is_wanted || before + leaves.len() > WAITING_MAX {
            // Nobody takes them in, or not fast enough: they are made again when they are needed.
            waiting.leaves = Vec::new();
            waiting.first = last_seq;
        } else {
            waiting.leaves.extend_from_slice(leaves);
        }
        let must_wake = waiting.watched > 0 || (before < WAITING_MANY && waiting.leaves.len() >= WAITING_MANY);
        drop(waiting);
        if must_wake {
            self.news.notify_all();
        }
    }

    /// Wants the leaves from now on.
    pub(super) fn want(&self) {
        self.lock().is_wanted = true;
    }

    /// Wants them no more.
    pub(super) fn end(&self) {
        let mut waiting = self.lock();
        (waiting.is_wanted, waiting.is_ending) = (false, true);
        waiting.first += waiting.leaves.len() as u64;
        waiting.leaves = Vec::new();
        drop(waiting);
        self.news.notify_all();
    }

    /// Takes all that wait: the first's index and their hashes.
    pub(super) fn take(&self) -> (u64, Vec<Hash>) {
        let mut waiting = self.lock();
        let (first, leaves) = (waiting.first, std::mem::take(&mut waiting.leaves));
        waiting.first += leaves.len() as u64;
        (first, leaves)
    }

    /// Waits until many wait, at most so long; true at the end of the journal.
    pub(super) fn wait_for_many(&self, limit: Duration) -> bool {
        let waits = |waiting: &mut Waiting| waiting.leaves.len() < WAITING_MANY && !waiting.is_ending;
        wait_while_at_most(&self.news, self.lock(), limit, waits).is_ending
    }

    /// Waits until the leaf of a record was handed over, at most so long; false if it was not.
    pub(super) fn wait_for(&self, seq: u64, limit: Duration) -> bool {
        let is_missing = |waiting: &mut Waiting| waiting.first + (waiting.leaves.len() as u64) < seq;
        let mut waiting = self.lock();
        waiting.watched += 1;
        let mut waiting = wait_while_at_most(&self.news, waiting, limit, is_missing);
        waiting.watched -= 1;
        !is_missing(&mut waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_wants_is_counted_and_dropped() {
        let fresh = FreshLeaves::after(3);
        fresh.push(5, &[[1; 32], [2; 32]]);
        assert_eq!(fresh.take(), (5, Vec::new()));
        fresh.want();
        fresh.push(6, &[[3; 32]]);
        fresh.push(7, &[[4; 32]]);
        assert!(fresh.wait_for(7, Duration::ZERO));
        assert!(!fresh.wait_for(8, Duration::ZERO));
        assert_eq!(fresh.take(), (5, vec![[3; 32], [4; 32]]));
        assert_eq!(fresh.take(), (7, Vec::new()));
    }

    #[test]
    fn more_than_may_wait_leaves_a_hole_to_be_filled() {
        let fresh = FreshLeaves::after(0);
        fresh.want();
        fresh.push(WAITING_MAX as u64, &vec![[1; 32]; WAITING_MAX]);
        fresh.push(WAITING_MAX as u64 + 1, &[[2; 32]]);
        assert_eq!(fresh.take(), (WAITING_MAX as u64 + 1, Vec::new()));
    }
}
