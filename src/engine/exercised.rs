//! When each fallback of a playbook was last taken in earnest.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::{FallbackReason, Timestamp};

/// When each fallback of a playbook was last taken for somebody, in microseconds; 0 for never since the engine started.
#[derive(Debug, Default)]
pub(super) struct Exercised([AtomicI64; FallbackReason::ALL.len()]);

impl Exercised {
    /// One is taken. One store.
    pub(super) fn note(&self, reason: FallbackReason, now: Timestamp) {
        self.0.get(usize::from(reason.code())).into_iter().for_each(|of| of.store(now.micros(), Ordering::Relaxed));
    }

    /// When one was last taken.
    pub(super) fn last(&self, reason: FallbackReason) -> Option<Timestamp> {
        let micros = self.0.get(usize::from(reason.code()))?.load(Ordering::Relaxed);
        (micros != 0).then(|| Timestamp::from_micros(micros))
    }
}
