//! The warm cache of a simulation: a plain bounded list, since moka keeps a clock and threads of its own.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use crate::domain::CustomerId;
use crate::sync::{Mutex, MutexGuard};
use crate::time::Instant;

/// Encoded states by customer, the oldest dropped first.
#[derive(Clone, Debug)]
pub(super) struct WarmCache {
    bytes_max: usize,
    states: Arc<Mutex<VecDeque<State>>>,
}

type State = (CustomerId, Resting);

/// The state of a customer who rests.
#[derive(Clone, Debug)]
pub(super) struct Resting {
    /// Encoded, as it is in the store.
    pub(super) bytes: Arc<[u8]>,
    /// When the customer was put to rest.
    pub(super) since: Instant,
}

impl WarmCache {
    pub(super) fn new(bytes_max: u64) -> Self {
        Self { bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX), states: Arc::default() }
    }

    pub(super) fn put(&self, customer: &CustomerId, bytes: Arc<[u8]>, since: Instant) {
        let mut states = self.states();
        states.retain(|(known, _)| known != customer);
        states.push_back((customer.clone(), Resting { bytes, since }));
        while weight(&states) > self.bytes_max {
            states.pop_front();
        }
    }

    pub(super) fn take(&self, customer: &str) -> Option<Resting> {
        let mut states = self.states();
        let at = states.iter().position(|(known, _)| known.as_str() == customer)?;
        states.remove(at).map(|(_, resting)| resting)
    }

    pub(super) fn bytes(&self) -> u64 {
        weight(&self.states()) as u64
    }

    fn states(&self) -> MutexGuard<'_, VecDeque<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(states: &VecDeque<State>) -> usize {
    states.iter().map(|(customer, resting)| customer.as_str().len() + resting.bytes.len()).sum()
}
