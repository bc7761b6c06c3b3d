//! Which record was the last feedback: so that none is recorded twice, though states do not remember it.
//!
//! Whoever gives feedback on a decision has searched the journal for what was said of that decision before, up to a record.
//! Feedback that was recorded after that record may say the same under the same name, so the turn is not taken, and the
//! journal is searched again. All feedback on a decision is about one customer, whose cell is owned while the turn looks here
//! and appends: nothing comes in between.

use crate::domain::DecisionId;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Decisions share a place by their id. Two that share one cost a search more now and then, and nothing else.
const PLACES: usize = 64;

/// The last feedback that was recorded, by places that decisions share.
#[derive(Debug)]
pub(super) struct LatestFeedback([AtomicU64; PLACES]);

impl Default for LatestFeedback {
    /// What was recorded before the engine started is on disk, where a search finds it.
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl LatestFeedback {
    /// The record of the last feedback on a decision, or of later feedback on another; 0 if there was none.
    pub(super) fn of(&self, decision: DecisionId) -> u64 {
        self.place(decision).load(Ordering::Acquire)
    }

    /// Feedback on a decision was recorded.
    pub(super) fn note(&self, decision: DecisionId, seq: u64) {
        self.place(decision).fetch_max(seq, Ordering::AcqRel);
    }

    fn place(&self, decision: DecisionId) -> &AtomicU64 {
        // The lower half of an id is a hash.
        &self.0[decision.to_u128() as usize % PLACES]
    }
}
