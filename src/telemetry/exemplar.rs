//! Exemplars: for each bucket of a histogram the latest observation that belongs to a trace, so that whoever sees a slow bucket finds a
//! slow decision.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The trace that an observation belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exemplar {
    /// Its id, as W3C trace context has it.
    pub trace: [u8; 16],
    /// When it was observed, in microseconds since 1970.
    pub at_us: i64,
}

/// An observation with its trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Traced {
    pub(super) value: f64,
    pub(super) exemplar: Exemplar,
}

/// The latest traces in the buckets of one histogram. Takes memory once there is a first one.
#[derive(Debug)]
pub(super) struct Buckets {
    /// Upper bounds, ascending; what is above the last has a place of its own.
    bounds: Arc<[f64]>,
    latest: OnceLock<Box<[Mutex<Option<Traced>>]>>,
}

/// The latest traces in the buckets of a family of histograms, by the values of its labels in the order of their declaration.
#[derive(Clone, Debug, Default)]
pub(super) struct Traces(Arc<Mutex<BTreeMap<Vec<String>, Arc<Buckets>>>>);

impl Buckets {
    /// Notes a trace in the bucket of its value. Never waits: while the page is read, or another thread notes one, this one is
    /// passed over, for one of many is as good as another.
    pub(super) fn note(&self, value: f64, exemplar: Exemplar) {
        let empty = || (0..=self.bounds.len()).map(|_| Mutex::new(None)).collect();
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(slot) = self.latest.get_or_init(empty).get(place)
            && let Ok(mut slot) = slot.try_lock()
        {
            *slot = Some(Traced { value, exemplar });
        }
    }

    /// The latest trace in a bucket.
    pub(super) fn latest(&self, place: usize) -> Option<Traced> {
        *self.latest.get()?.get(place)?.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traces {
    /// The buckets of these label values.
    pub(super) fn with(&self, values: &[&str], bounds: &Arc<[f64]>) -> Arc<Buckets> {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = || Arc::new(Buckets { bounds: Arc::clone(bounds), latest: OnceLock::new() });
        Arc::clone(all.entry(values).or_insert_with(empty))
    }

    /// The buckets of these label values, if there are any.
    pub(super) fn get(&self, values: &[String]) -> Option<Arc<Buckets>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(values).cloned()
    }

    /// Forgets those of these label values.
    pub(super) fn remove(&self, values: &[String]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(values);
    }
}
