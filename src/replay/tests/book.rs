//! A journal that a test writes turn by turn, and may falsify on the way.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::bundle::Bundle;
use crate::context::CustomerState;
use crate::domain::{CustomerId, Event, Partition, TenantId, Timestamp};
use crate::journal::{self, Entry, Journal, Kind};
use crate::telemetry::Registry;
use crate::time::Clock;
use crate::turn::Workspace;
use crate::turn::{EventInput, Input, Readings, RecordBuffer, Run, Surroundings, Taken, Written, encode_bundle, take};

/// A journal that is being written: its turns are taken as an engine takes them.
pub(crate) struct Book {
    folder: TempDir,
    journal: Journal,
    bundle: Arc<Bundle>,
    bundle_seq: u64,
    states: HashMap<CustomerId, CustomerState>,
    tenant: TenantId,
}

/// What becomes of a record's bytes before they are journaled.
pub(crate) type Falsified<'a> = &'a dyn Fn(&mut Vec<u8>);

/// When a test's inputs arrive: so many seconds after a fixed time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    Timestamp::from_micros(begin.micros() + seconds * 1_000_000)
}

impl Book {
    /// A journal that begins with a bundle.
    pub(crate) fn of(bundle: Bundle) -> Self {
        Self::of_falsified(bundle, &|_| {})
    }

    /// A journal that begins with a bundle whose bytes are changed.
    pub(crate) fn of_falsified(bundle: Bundle, falsify: Falsified<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = journal::Config { segment_bytes: 64 << 10, queue_bytes: 16 << 10, ..journal::Config::default() };
        let metrics = journal::Metrics::new(&Registry::default());
        let (journal, _) = Journal::open(folder.path(), &config, Clock::system(), metrics).unwrap();
        let (states, tenant) = (HashMap::new(), TenantId::default());
        let mut book = Self { folder, journal, bundle: Arc::new(bundle), bundle_seq: 0, states, tenant };
        book.enter_bundle(falsify);
        book
    }

    /// Puts another bundle in force.
    pub(crate) fn change_bundle(&mut self, bundle: Bundle) {
        self.bundle = Arc::new(bundle);
        self.enter_bundle(&|_| {});
    }

    fn enter_bundle(&mut self, falsify: Falsified<'_>) {
        let mut payload = encode_bundle(&self.bundle);
        falsify(&mut payload);
        let entry = Entry { kind: Kind::Bundle, partition: 0, keys: &[], payload: &payload };
        self.bundle_seq = self.journal.append(&entry).unwrap();
    }

    /// Takes a turn on an event of all playbooks that listen, and journals it.
    pub(crate) fn observe(&mut self, event: Event, arrival: Timestamp) -> u64 {
        self.observe_falsified(event, &Readings::at(arrival), &|_| {})
    }

    /// Takes a turn on an event and journals something else.
    pub(crate) fn observe_falsified(&mut self, event: Event, readings: &Readings, falsify: Falsified<'_>) -> u64 {
        let event = self.bundle.layout().accept(event).unwrap();
        let input = Input::Event(EventInput { event, run: Run::Subscribed, trace: None });
        self.take(&input, readings, falsify)
    }

    /// Takes a turn on any input.
    pub(crate) fn take(&mut self, input: &Input, readings: &Readings, falsify: Falsified<'_>) -> u64 {
        let around = Surroundings { bundle: &self.bundle, tenant: &self.tenant };
        let new = || CustomerState::new(Arc::clone(self.bundle.layout()));
        let state = self.states.entry(input.customer().clone()).or_insert_with(new);
        let taken = take(state, input, readings, around, &mut Workspace::default()).unwrap();
        let Taken::Turn(turn) = &taken else { panic!("a test's inputs are new: {taken:?}") };
        let mut buffer = RecordBuffer::default();
        let written = Written { tenant: &self.tenant, bundle_seq: self.bundle_seq, input, turn };
        let mut payload = buffer.write(written).to_vec();
        falsify(&mut payload);
        let keys: Vec<u128> = turn.decisions.iter().map(|made| made.id.to_u128()).chain(input.key()).collect();
        let partition = Partition::of(&self.tenant, input.customer().as_str()).number();
        let seq = self.journal.append(&Entry { kind: Kind::Turn, partition, keys: &keys, payload: &payload }).unwrap();
        state.last_seq = seq;
        self.journal.wait_synced_blocking(seq).unwrap();
        seq
    }

    /// The folder of the journal, which has everything on disk.
    pub(crate) fn folder(&self) -> &Path {
        self.journal.wait_synced_blocking(self.journal.last_seq()).unwrap();
        self.folder.path()
    }
}

/// Replaces a text once by another of the same length, as somebody would who changes a file in place.
pub(crate) fn replaced(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.unwrap_or_else(|| panic!("there is no `{from}`"));
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
}
