//! Whether turns are taken on.

use super::house::House;
use super::{Failure, RecoveryError, Refusal, Shed};
use crate::sync::atomic::{AtomicU8, Ordering};

const ON: u8 = 0;
const STOPPING: u8 = 1;
const FAILED: u8 = 2;

/// Whether turns are taken on: they are until the engine stops, or recovery cannot go on.
#[derive(Debug, Default)]
pub(super) struct Taking(AtomicU8);

impl Taking {
    /// One atomic read.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Acquire) == ON
    }
}

impl House {
    pub(super) fn stop_taking(&self) {
        self.taking.0.store(STOPPING, Ordering::Release);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.taking.0.load(Ordering::Acquire) == STOPPING
    }

    /// Recovery cannot go on: the states of some customers cannot be told. Nothing is decided any more.
    pub(super) fn fail_recovery(&self, error: &RecoveryError) {
        tracing::error!(%error, "recovery cannot go on; nothing is decided any more, and nothing is lost");
        self.metrics.recovery_failed.set(1);
        self.backlog.fail(&error.to_string());
        // An engine that stops already goes on stopping.
        let _ = self.taking.0.compare_exchange(ON, FAILED, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Why no turn is taken on.
    pub(super) fn takes_none(&self) -> Refusal {
        match self.backlog.failure() {
            Some(reason) => Refusal::Failed(Failure::RecoveryFailed(reason)),
            None => Refusal::Shed(Shed::Stopping),
        }
    }
}
