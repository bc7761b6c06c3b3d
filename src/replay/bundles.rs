//! The bundles of a journal, compiled when the first turn on each is met.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bundle::Bundle;
use crate::turn::decode_bundle;

/// The bundles that were met, by the records that hold them.
#[derive(Debug, Default)]
pub(super) struct Bundles(Mutex<HashMap<u64, Shelved>>);

/// A bundle, or why it cannot be used.
type Compiled = Result<Arc<Bundle>, Arc<str>>;

#[derive(Clone, Debug)]
enum Shelved {
    /// The record.
    Record(Arc<[u8]>),
    /// What it holds.
    Compiled(Compiled),
}

/// The bundles that one thread has asked for: looked up without a lock.
#[derive(Debug)]
pub(super) struct Nearby<'a> {
    all: &'a Bundles,
    known: Vec<(u64, Compiled)>,
}

impl Bundles {
    /// A bundle's record was read. Every turn on it comes later.
    pub(super) fn put(&self, seq: u64, payload: &[u8]) {
        self.lock().entry(seq).or_insert_with(|| Shelved::Record(payload.into()));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The bundle of a record. Whoever asks first compiles it, while others that ask for any wait: there are few.
    fn get(&self, seq: u64) -> Compiled {
        let mut shelved = self.lock();
        let compiled = match shelved.get(&seq) {
            Some(Shelved::Compiled(compiled)) => return compiled.clone(),
            Some(Shelved::Record(payload)) => decode_bundle(payload).map(Arc::new).map_err(Arc::from),
            None => Err("the journal has no such record".into()),
        };
        shelved.insert(seq, Shelved::Compiled(compiled.clone()));
        compiled
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Shelved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Nearby<'a> {
    pub(super) fn new(all: &'a Bundles) -> Self {
        Self { all, known: Vec::new() }
    }

    /// The bundle of a record, or why it cannot be used.
    pub(super) fn get(&mut self, seq: u64) -> Result<&Arc<Bundle>, Arc<str>> {
        // The latest is the likeliest.
        let at = self.known.iter().rposition(|(known, _)| *known == seq).unwrap_or_else(|| {
            self.known.push((seq, self.all.get(seq)));
            self.known.len() - 1
        });
        self.known[at].1.as_ref().map_err(Arc::clone)
    }
}
