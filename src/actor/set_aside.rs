//! Inputs that are set aside: a turn on each has panicked three times, and no further one is taken on it until it is released.
//!
//! What is set aside stands in the journal with its bytes, and the list of it in every checkpoint, so that neither a restart
//! nor a checkpoint loses it. Nothing is looked up on the way of a turn while nothing is set aside, but for one number.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::{Failure, Metrics, Refusal, Request};
use crate::domain::{CustomerId, Timestamp};
use crate::journal::{Entry, Found, Journal, JournalError, Kind};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::turn::{Input, encode_input};

/// Panics of the same input before it is set aside.
pub const PANICS_MAX: u32 = 3;

/// Inputs whose panics are counted at a time; the one that came first is forgotten first.
const COUNTED_MAX: usize = 1_024;

/// Inputs that may be set aside. Beyond it those that panic are tried again each time, which costs a rebuilt state.
pub const SET_ASIDE_MAX: usize = 1_024;

/// Characters of a panic's message that are kept.
const REASON_MAX: usize = 300;

/// The name of an input: what makes it the same as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InputId([u8; 16]);

/// An input that is set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Its name.
    pub id: InputId,
    /// The record that holds its bytes.
    pub seq: u64,
    /// Whom it is about.
    pub customer: CustomerId,
    /// When it was set aside.
    pub at: i64,
    /// How often a turn on it panicked.
    pub panics: u32,
    /// What the last panic said.
    pub reason: String,
}

/// An input that is set aside, with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAsideInput {
    /// What is known of it.
    pub aside: SetAside,
    /// The record of the bundle that it was typed by.
    pub bundle_seq: u64,
    /// The input, as a record has it.
    pub bytes: Vec<u8>,
}

/// The record of an input that is set aside, version 1; one of an input that is released holds nothing but its name.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    id: InputId,
    input: Option<StoredInput>,
}

#[derive(Serialize, Deserialize)]
struct StoredInput {
    customer: CustomerId,
    at: i64,
    panics: u32,
    reason: String,
    bundle_seq: u64,
    bytes: Vec<u8>,
}

/// All inputs of a house that panicked.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    table: Mutex<Table>,
    /// How many are set aside: what is looked at before the table is.
    held: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    counted: VecDeque<(InputId, u32)>,
    held: BTreeMap<InputId, SetAside>,
    /// What was released since the last checkpoint, by the records of the releases; the oldest is forgotten first.
    released: VecDeque<(u64, SetAside)>,
}

impl InputId {
    /// The name of an input: of an event by source, id and content, of everything else by its bytes.
    pub(super) fn of(input: &Input) -> Self {
        let customer = input.customer().as_str().as_bytes();
        let bytes = match input {
            Input::Event(event) => {
                let (key, body) = (event.event.key.fingerprint().to_be_bytes(), event.event.body.to_be_bytes());
                [customer, &[0], &key, &body].concat()
            }
            Input::Facts(_) | Input::Consents(_) | Input::Settlement(_) | Input::Feedback(_) | Input::LateAnswer(_) => {
                encode_input(input)
            }
        };
        Self(xxh3_128(&bytes).to_be_bytes())
    }

    fn key(self) -> u128 {
        u128::from_be_bytes(self.0)
    }
}

impl fmt::Display for InputId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.key())
    }
}

impl FromStr for InputId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(|key| Self(key.to_be_bytes()))
    }
}

impl Quarantine {
    /// Refuses an input that is set aside. One atomic read while there is none.
    #[inline]
    pub(super) fn check(&self, input: &Input) -> Result<(), Refusal> {
        if self.held.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let id = InputId::of(input);
        let is_held = self.table().held.contains_key(&id);
        if is_held { Err(Refusal::Failed(Failure::SetAside(id))) } else { Ok(()) }
    }

    /// Counts a panic; the third of the same input sets it aside: in the journal, then in the list.
    pub(super) fn panicked(
        &self,
        request: &Request,
        at: Timestamp,
        reason: &str,
        journal: &Journal,
        metrics: &Metrics,
    ) {
        let id = InputId::of(&request.input);
        let mut table = self.table();
        let panics = table.count(id);
        if panics < PANICS_MAX || table.held.contains_key(&id) {
            return;
        }
        if table.held.len() >= SET_ASIDE_MAX {
            return tracing::error!(%id, "too many inputs are set aside; release some, this one is tried again each time");
        }
        let customer = request.input.customer().clone();
        let reason: String = reason.chars().take(REASON_MAX).collect();
        let input = StoredInput {
            customer: customer.clone(),
            at: at.micros(),
            panics,
            reason: reason.clone(),
            bundle_seq: request.bundle.seq,
            bytes: encode_input(&request.input),
        };
        match append(journal, id, Some(input)) {
            Ok(seq) => {
                let aside = SetAside { id, seq, customer, at: at.micros(), panics, reason };
                self.hold(&mut table, aside, metrics);
                tracing::error!(%id, "an input is set aside: a turn on it has panicked {PANICS_MAX} times");
            }
            Err(error) => tracing::error!(%error, %id, "an input cannot be set aside; it is tried again"),
        }
    }

    /// Releases an input: it may be tried again. False if it was not set aside.
    pub(super) fn release(
        &self,
        id: InputId,
        journal: &Journal,
        metrics: &Metrics,
    ) -> Result<Option<u64>, JournalError> {
        let mut table = self.table();
        if !table.held.contains_key(&id) {
            return Ok(None);
        }
        let seq = append(journal, id, None)?;
        table.release(id, seq);
        self.tell(&table, metrics);
        Ok(Some(seq))
    }

    /// Those that are set aside, by name, after one of them.
    pub(super) fn list(&self, after: Option<InputId>, limit: usize) -> Vec<SetAside> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.table().held.range((from, Unbounded)).take(limit).map(|(_, aside)| aside.clone()).collect()
    }

    pub(super) fn find(&self, id: InputId) -> Option<SetAside> {
        self.table().held.get(&id).cloned()
    }

    /// The list as a checkpoint keeps it: as of a record. What came later recovery finds in the journal, if it got there.
    pub(super) fn checkpoint(&self, seq: u64) -> Vec<u8> {
        let mut table = self.table();
        // No later checkpoint is of an earlier record.
        table.released.retain(|(released, _)| *released > seq);
        let not_yet_released = table.released.iter().map(|(_, aside)| aside);
        let held: Vec<&SetAside> =
            table.held.values().chain(not_yet_released).filter(|aside| aside.seq <= seq).collect();
        if held.is_empty() {
            return Vec::new();
        }
        // Writing into memory cannot fail.
        rmp_serde::to_vec(&held).unwrap_or_default()
    }

    /// The list of a checkpoint.
    pub(super) fn restore(bytes: &[u8], metrics: &Metrics) -> Result<Self, rmp_serde::decode::Error> {
        let quarantine = Self::default();
        let held: Vec<SetAside> = if bytes.is_empty() { Vec::new() } else { rmp_serde::from_slice(bytes)? };
        let mut table = quarantine.table();
        held.into_iter().for_each(|aside| quarantine.hold(&mut table, aside, metrics));
        drop(table);
        Ok(quarantine)
    }

    /// Applies what a record says.
    pub(super) fn recover(&self, found: &Found, metrics: &Metrics) -> Result<(), rmp_serde::decode::Error> {
        let Stored { id, input, .. } = rmp_serde::from_slice(&found.payload)?;
        let mut table = self.table();
        match input {
            Some(input) => self.hold(&mut table, aside_of(id, found.seq, &input), metrics),
            None => {
                table.release(id, found.seq);
                self.tell(&table, metrics);
            }
        }
        Ok(())
    }

    fn hold(&self, table: &mut Table, aside: SetAside, metrics: &Metrics) {
        table.counted.retain(|(counted, _)| *counted != aside.id);
        table.held.insert(aside.id, aside);
        self.tell(table, metrics);
    }

    fn tell(&self, table: &Table, metrics: &Metrics) {
        self.held.store(table.held.len(), Ordering::Release);
        metrics.set_aside.set(table.held.len() as i64);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn release(&mut self, id: InputId, seq: u64) {
        let Some(aside) = self.held.remove(&id) else { return };
        if self.released.len() >= SET_ASIDE_MAX {
            self.released.pop_front();
        }
        self.released.push_back((seq, aside));
    }

    /// One more panic of an input; returns how many there were.
    fn count(&mut self, id: InputId) -> u32 {
        if let Some((_, panics)) = self.counted.iter_mut().find(|(counted, _)| *counted == id) {
            *panics += 1;
            return *panics;
        }
        if self.counted.len() >= COUNTED_MAX {
            self.counted.pop_front();
        }
        self.counted.push_back((id, 1));
        1
    }
}

fn append(journal: &Journal, id: InputId, input: Option<StoredInput>) -> Result<u64, JournalError> {
    // Writing into memory cannot fail.
    let payload = rmp_serde::to_vec(&Stored { version: 1, id, input }).unwrap_or_default();
    journal.append(&Entry { kind: Kind::SetAside, partition: 0, keys: &[id.key()], payload: &payload })
}

fn aside_of(id: InputId, seq: u64, input: &StoredInput) -> SetAside {
    let StoredInput { customer, at, panics, reason, .. } = input;
    SetAside { id, seq, customer: customer.clone(), at: *at, panics: *panics, reason: reason.clone() }
}

/// Reads the record of an input that was set aside; `None` for one of a release.
pub fn set_aside_of(found: &Found) -> Result<Option<SetAsideInput>, rmp_serde::decode::Error> {
    let Stored { id, input, .. } = rmp_serde::from_slice(&found.payload)?;
    Ok(input.map(|input| SetAsideInput {
        aside: aside_of(id, found.seq, &input),
        bundle_seq: input.bundle_seq,
        bytes: input.bytes,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Registry;

    fn aside(name: u8, seq: u64) -> SetAside {
        let customer = CustomerId::new("c").unwrap();
        SetAside { id: InputId([name; 16]), seq, customer, at: 0, panics: PANICS_MAX, reason: String::new() }
    }

    /// A crash may take what the disk had not confirmed: then neither an input nor its release may be in the list.
    #[test]
    fn a_checkpoint_has_the_list_as_of_its_record() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::discarding(folder.path());
        let metrics = Metrics::new(&Registry::default());
        let quarantine = Quarantine::default();
        let names = |seq: u64| {
            let restored = Quarantine::restore(&quarantine.checkpoint(seq), &metrics).unwrap();
            restored.list(None, 10).iter().map(|aside| aside.id.0[0]).collect::<Vec<_>>()
        };
        (0..9).for_each(|_| drop(append(&journal, aside(0, 0).id, None)));
        for (name, seq) in [(1, 3), (2, 4), (3, 8)] {
            quarantine.hold(&mut quarantine.table(), aside(name, seq), &metrics);
        }
        assert_eq!(quarantine.release(aside(1, 3).id, &journal, &metrics).unwrap(), Some(10));
        assert_eq!(names(7), [1, 2], "what came after it is not in it yet");
        assert_eq!(names(9), [1, 2, 3]);
        assert_eq!(names(10), [2, 3]);
        assert!(quarantine.table().released.is_empty());
    }
}
