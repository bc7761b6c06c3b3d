//! The warm cache: states of customers who rest, encoded, between memory and disk.
//!
//! The door of moka for states. Bounded by bytes; W-TinyLFU keeps those who are likely to come back. Entries are immutable
//! copies of what the store has, so losing one costs a read and never an update.

use std::sync::Arc;

use moka::sync::Cache;

use crate::domain::CustomerId;
use crate::time::Instant;

/// Encoded states by customer.
#[derive(Clone, Debug)]
pub(super) struct WarmCache(Cache<CustomerId, Resting, foldhash::fast::RandomState>);

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
        let weigh = |key: &CustomerId, value: &Resting| {
            u32::try_from(key.as_str().len() + value.bytes.len()).unwrap_or(u32::MAX)
        };
        Self(
            Cache::builder()
                .max_capacity(bytes_max)
                .weigher(weigh)
                .build_with_hasher(foldhash::fast::RandomState::default()),
        )
    }

    pub(super) fn put(&self, customer: &CustomerId, bytes: Arc<[u8]>, since: Instant) {
        self.0.insert(customer.clone(), Resting { bytes, since });
    }

    /// Takes a state out: it is about to be hot, and would be stale here after its first turn.
    pub(super) fn take(&self, customer: &str) -> Option<Resting> {
        self.0.remove(customer)
    }

    /// Bytes held, as of the cache's last housekeeping.
    pub(super) fn bytes(&self) -> u64 {
        self.0.weighted_size()
    }
}
