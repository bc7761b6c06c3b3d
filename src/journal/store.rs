//! The store of customer states: a key-value store written behind the journal, which can be thrown away and rebuilt.
//!
//! The journal is the only synced way. The store is synced at checkpoints only; a checkpoint says up to which record every
//! state in it is current, and recovery applies what came later.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fjall::config::PinningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch as WriteBatch, PersistMode};

use super::JournalError;
use crate::domain::{CustomerId, Timestamp};
use crate::sync::thread;

/// Where passivated states rest. Behind a trait, so that another store can take the place of the embedded one.
pub trait StateStore: Send + Sync + std::fmt::Debug {
    /// The stored state of a customer.
    fn get(&self, customer: &str) -> Result<Option<Vec<u8>>, JournalError>;

    /// Whether no state was ever stored.
    fn is_empty(&self) -> Result<bool, JournalError>;

    /// Stores states. Durable after the next checkpoint.
    fn put(&self, states: &[StateWrite]) -> Result<(), JournalError>;

    /// Customers whose states hold what has expired by `now`, the longest expired first, at most so many. What the list says may
    /// have been overtaken by a later state; nobody whose state holds something expired is missing from it.
    fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<Expiry>, JournalError>;

    /// Strikes off the list what was seen to.
    fn strike(&self, expiries: &[Expiry]) -> Result<(), JournalError>;

    /// Makes durable what was put so far, and notes that every state is current up to the checkpoint.
    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), JournalError>;

    /// The last checkpoint, if there was one.
    fn last_checkpoint(&self) -> Result<Option<Checkpoint>, JournalError>;

    /// Waits until the store has done what would make the next opening slow, half a minute at most. Loses nothing if it is cut
    /// short. Blocks.
    fn wind_down(&self) {}
}

/// A state as it is put into the store.
#[derive(Clone, Debug)]
pub struct StateWrite {
    /// Whose.
    pub customer: CustomerId,
    /// Its stored form, shared with whoever else keeps it.
    pub bytes: Arc<[u8]>,
    /// When the first of what it holds expires.
    pub expiry: Option<Timestamp>,
    /// What was said of that when the customer's state was last put.
    pub expiry_before: Option<Timestamp>,
}

/// An entry of the list of what expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// When.
    pub at: Timestamp,
    /// In whose state.
    pub customer: CustomerId,
}

/// How far the store has followed the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Every state is current up to this record.
    pub seq: u64,
    /// The record of the bundle in force; 0 for none.
    pub bundle_seq: u64,
    /// The accounts of global caps as of the record, encoded; empty if there are none.
    pub caps: Vec<u8>,
    /// The list of inputs that are set aside, encoded; empty if there are none.
    pub set_aside: Vec<u8>,
}

/// The embedded store.
pub struct FjallStore {
    database: Database,
    states: Keyspace,
    /// What expires, by time and customer. No values.
    expiries: Keyspace,
    meta: Keyspace,
    folder: PathBuf,
    /// Bytes that must be free where the store is.
    room_min: u64,
}

const CHECKPOINT_KEY: &str = "checkpoint";

/// Memory for the store's blocks. Hot and warm states are kept by the engine itself; this serves the cold ones.
const CACHE_BYTES: u64 = 32 << 20;

/// What the store's own log may grow to before it writes out the keyspaces that hold it up: all of it is read when the store is
/// opened, some 100 MiB a second. The least that the store takes.
const JOURNALING_BYTES: u64 = 64 << 20;

/// What must be free on the disk before the store is written to. A store that runs out of room in the middle of a write takes no
/// other until it is opened again; this much it may write unasked: its own log, and what it holds in memory.
const ROOM_MIN: u64 = 128 << 20;

/// How often, and after which pauses, a store that winds down looks whether it is done: half a minute in all.
const WIND_DOWN_LOOKS: usize = 1_500;
const WIND_DOWN_PAUSE: Duration = Duration::from_millis(20);

impl FjallStore {
    /// Opens the store in a folder, making it if need be.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNALING_BYTES)
            .worker_threads(1)
            .open()
            .map_err(failed)?;
        let states = database.keyspace("states", of_states).map_err(failed)?;
        let meta = database.keyspace("meta", KeyspaceCreateOptions::default).map_err(failed)?;
        let expiries = database.keyspace("expiries", KeyspaceCreateOptions::default).map_err(failed)?;
        Ok(Self { database, states, expiries, meta, folder: folder.to_owned(), room_min: ROOM_MIN })
    }

    /// Fails while there is too little room to write without running out of it.
    fn look_for_room(&self) -> Result<(), JournalError> {
        // Where the system cannot say, writing finds out.
        let Ok(found) = rustix::fs::statvfs(&self.folder) else { return Ok(()) };
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        if free >= self.room_min {
            return Ok(());
        }
        let (free, needed) = (free >> 20, self.room_min >> 20);
        Err(JournalError::Store(format!(
            "only {free} MiB of the disk are free, and it needs {needed} MiB to write safely"
        )))
    }
}

impl FjallStore {
    /// The last record that any state knows of. `of` reads that from a state. Looks at every state.
    pub fn last_record(&self, of: impl Fn(&[u8]) -> Option<u64>) -> Result<u64, JournalError> {
        let unreadable = || {
            let what =
                "a state is not readable, so the records it knows of cannot be told; move the folder of the store away";
            JournalError::Store(what.to_owned())
        };
        let mut last = 0;
        for entry in self.states.iter() {
            let state = entry.value().map_err(failed)?;
            last = last.max(of(&state).ok_or_else(unreadable)?);
        }
        Ok(last)
    }
}

/// A customer who comes back costs one read of the disk: what tells where a state lies stays in memory, some six bytes for each.
fn of_states() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .filter_block_pinning_policy(PinningPolicy::all(true))
        .index_block_pinning_policy(PinningPolicy::all(true))
}

fn failed(error: impl std::fmt::Display) -> JournalError {
    JournalError::Store(error.to_string())
}

impl StateStore for FjallStore {
    fn get(&self, customer: &str) -> Result<Option<Vec<u8>>, JournalError> {
        Ok(self.states.get(customer).map_err(failed)?.map(|bytes| bytes.to_vec()))
    }

    fn is_empty(&self) -> Result<bool, JournalError> {
        self.states.is_empty().map_err(failed)
    }

    fn put(&self, states: &[StateWrite]) -> Result<(), JournalError> {
        self.look_for_room()?;
        let mut batch = WriteBatch::with_capacity(self.database.clone(), states.len());
        for StateWrite { customer, bytes, expiry, expiry_before } in states {
            batch.insert(&self.states, customer.as_str(), &**bytes);
            if let Some(before) = expiry_before.filter(|before| Some(*before) != *expiry) {
                batch.remove(&self.expiries, expiry_key(before, customer));
            }
            if let Some(expiry) = expiry {
                batch.insert(&self.expiries, expiry_key(*expiry, customer), []);
            }
        }
        batch.commit().map_err(failed)
    }

    fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<Expiry>, JournalError> {
        let entries = match ordered(now).checked_add(1) {
            Some(after) => self.expiries.range(..after.to_be_bytes()),
            None => self.expiries.iter(),
        };
        entries.take(limit).map(|entry| read_expiry(&entry.key().map_err(failed)?)).collect()
    }

    fn strike(&self, expiries: &[Expiry]) -> Result<(), JournalError> {
        self.look_for_room()?;
        let mut batch = WriteBatch::with_capacity(self.database.clone(), expiries.len());
        for Expiry { at, customer } in expiries {
            batch.remove(&self.expiries, expiry_key(*at, customer));
        }
        batch.commit().map_err(failed)
    }

    fn checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), JournalError> {
        self.look_for_room()?;
        // States first: a checkpoint that is durable before them would promise what is not there.
        self.database.persist(PersistMode::SyncAll).map_err(failed)?;
        let mut bytes = Vec::with_capacity(16 + checkpoint.caps.len());
        bytes.extend_from_slice(&checkpoint.seq.to_le_bytes());
        bytes.extend_from_slice(&checkpoint.bundle_seq.to_le_bytes());
        if !(checkpoint.caps.is_empty() && checkpoint.set_aside.is_empty()) {
            bytes.extend_from_slice(&(checkpoint.caps.len() as u64).to_le_bytes());
            bytes.extend_from_slice(&checkpoint.caps);
            bytes.extend_from_slice(&checkpoint.set_aside);
        }
        self.meta.insert(CHECKPOINT_KEY, bytes).map_err(failed)?;
        self.database.persist(PersistMode::SyncAll).map_err(failed)
    }

    fn wind_down(&self) {
        // What is not written out yet is read from the store's own log again.
        for _ in 0..WIND_DOWN_LOOKS {
            if self.database.outstanding_flushes() == 0 {
                return;
            }
            thread::sleep(WIND_DOWN_PAUSE);
        }
    }

    fn last_checkpoint(&self) -> Result<Option<Checkpoint>, JournalError> {
        let Some(bytes) = self.meta.get(CHECKPOINT_KEY).map_err(failed)? else { return Ok(None) };
        let unreadable = || JournalError::Store("the checkpoint is not readable".to_owned());
        let (caps, set_aside) = match bytes.len() {
            // One that knows of nothing but records.
            16 => (&[][..], &[][..]),
            24.. => {
                let length = usize::try_from(super::batch::u64_at(&bytes, 16)).map_err(|_| unreadable())?;
                bytes[24..].split_at_checked(length).ok_or_else(unreadable)?
            }
            _ => return Err(unreadable()),
        };
        let (seq, bundle_seq) = (super::batch::u64_at(&bytes, 0), super::batch::u64_at(&bytes, 8));
        Ok(Some(Checkpoint { seq, bundle_seq, caps: caps.to_vec(), set_aside: set_aside.to_vec() }))
    }
}

/// A time as a number whose big-endian bytes are in the order of times.
fn ordered(time: Timestamp) -> u64 {
    time.micros() as u64 ^ 1 << 63
}

fn expiry_key(at: Timestamp, customer: &CustomerId) -> Vec<u8> {
    [&ordered(at).to_be_bytes(), customer.as_str().as_bytes()].concat()
}

fn read_expiry(key: &[u8]) -> Result<Expiry, JournalError> {
    let unreadable = || JournalError::Store("an entry of the list of what expires is not readable".to_owned());
    let (at, customer) = key.split_first_chunk::<8>().ok_or_else(unreadable)?;
    let customer = std::str::from_utf8(customer).ok().and_then(|name| CustomerId::recorded(name).ok());
    Ok(Expiry {
        at: Timestamp::from_micros((u64::from_be_bytes(*at) ^ 1 << 63) as i64),
        customer: customer.ok_or_else(unreadable)?,
    })
}

impl std::fmt::Debug for FjallStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FjallStore")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(customer: &str, bytes: &[u8]) -> StateWrite {
        StateWrite {
            customer: CustomerId::new(customer).unwrap(),
            bytes: bytes.into(),
            expiry: None,
            expiry_before: None,
        }
    }

    fn at(micros: i64) -> Option<Timestamp> {
        Some(Timestamp::from_micros(micros))
    }

    fn expired(store: &FjallStore, now: i64, limit: usize) -> Vec<(i64, String)> {
        let expiries = store.expired(Timestamp::from_micros(now), limit).unwrap();
        expiries.iter().map(|expiry| (expiry.at.micros(), expiry.customer.to_string())).collect()
    }

    #[test]
    fn lists_what_has_expired_in_its_order_across_openings() {
        let folder = tempfile::tempdir().unwrap();
        {
            let store = FjallStore::open(folder.path()).unwrap();
            let expiring =
                |customer, expiry, expiry_before| StateWrite { expiry, expiry_before, ..write(customer, b"x") };
            store
                .put(&[expiring("late", at(30), None), expiring("early", at(-5), None), expiring("same", at(30), None)])
                .unwrap();
            store.put(&[write("never", b"x"), expiring("moved", at(7), None)]).unwrap();
            store.put(&[expiring("moved", at(31), at(7))]).unwrap();
            store.checkpoint(&Checkpoint::default()).unwrap();
        }
        let store = FjallStore::open(folder.path()).unwrap();
        assert_eq!(expired(&store, -6, 9), []);
        assert_eq!(expired(&store, -5, 9), [(-5, "early".to_owned())], "what expires now has expired");
        let all = [(-5, "early".to_owned()), (30, "late".to_owned()), (30, "same".to_owned())];
        assert_eq!(expired(&store, 30, 9), all);
        assert_eq!(expired(&store, 30, 2), all[..2], "at most so many, the longest expired first");
        assert_eq!(expired(&store, i64::MAX, 9).len(), 4);
        store.strike(&store.expired(Timestamp::from_micros(30), 2).unwrap()).unwrap();
        assert_eq!(expired(&store, 31, 9), [(30, "same".to_owned()), (31, "moved".to_owned())]);
    }

    #[test]
    fn keeps_states_and_checkpoints_across_openings() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint { seq: 7, bundle_seq: 1, caps: vec![1, 2, 3], set_aside: vec![4, 5] };
        {
            let store = FjallStore::open(folder.path()).unwrap();
            assert_eq!(store.last_checkpoint().unwrap(), None);
            store.put(&[write("c-1", b"one"), write("c-2", b"two")]).unwrap();
            store.put(&[write("c-1", b"newer")]).unwrap();
            store.checkpoint(&checkpoint).unwrap();
        }
        let store = FjallStore::open(folder.path()).unwrap();
        assert_eq!(store.get("c-1").unwrap(), Some(b"newer".to_vec()));
        assert_eq!(store.get("c-3").unwrap(), None);
        assert!(
            !store.is_empty().unwrap() && FjallStore::open(&folder.path().join("new")).unwrap().is_empty().unwrap()
        );
        assert_eq!(store.last_checkpoint().unwrap(), Some(checkpoint));
    }
}
