//! The backlog: the records that came after the store's checkpoint, as of the start. Until recovery is through, states in the store
//! may lack them.
//!
//! Recovery writes states behind those who are served meanwhile. Whoever is asked for is *awake*: entered here before the stored
//! state is read, brought up to date with the customer's own records, and stored by the archive like everyone else.
//!
//! INVARIANT: recovery writes a state under the lock of its partition, and only one of a customer who is not awake. So what is read
//! after a customer was entered here is written by nobody but the archive from then on, and no older state overwrites a newer one.
//!
//! INVARIANT: a customer is *owed* from when they are entered until their state is in memory, and on the list of those that have
//! changed if the journal had more of them than the store. Recovery is through when every partition is closed and nobody is owed
//! anything: then every state is in the store as of the last record of the backlog, or on that list, or was stored since.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock, PoisonError};

use tokio::sync::oneshot;

use crate::domain::{CustomerId, Partition};
use crate::journal::{JournalError, StateStore, StateWrite};
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// How far recovery has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryProgress {
    /// Where it stands.
    pub stage: RecoveryStage,
    /// The record of the store's checkpoint when the engine started; recovery reads what came later.
    pub from: u64,
    /// How far it has come: as if it had read, and seen to everyone, up to this record.
    pub done: u64,
    /// The last record when the engine started.
    pub last: u64,
    /// Records that it has applied to states that are stored.
    pub records: u64,
}

/// Where recovery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryStage {
    /// It goes on, behind those who are served.
    UnderWay,
    /// It is through.
    Finished,
    /// It could not go on: nothing is decided any more.
    Failed(Arc<str>),
}

impl RecoveryProgress {
    /// Whether it goes on.
    pub fn is_under_way(&self) -> bool {
        self.stage == RecoveryStage::UnderWay
    }

    /// Why it could not go on, if that is so.
    pub fn failure(&self) -> Option<&str> {
        match &self.stage {
            RecoveryStage::Failed(reason) => Some(reason),
            RecoveryStage::UnderWay | RecoveryStage::Finished => None,
        }
    }
}

const UNDER_WAY: u8 = 0;
const FINISHED: u8 = 1;
const FAILED: u8 = 2;

/// What recovery still owes.
#[derive(Debug)]
pub(super) struct Backlog {
    /// The record of the store's checkpoint.
    after: u64,
    /// The last record when the engine started.
    until: u64,
    partitions: Box<[Mutex<Awake>]>,
    stage: AtomicU8,
    failure: OnceLock<Arc<str>>,
    done: AtomicU64,
    records: AtomicU64,
    is_abandoned: AtomicBool,
    is_checkpoint_due: AtomicBool,
    /// Those who wait until the accounts of global caps are known.
    waiting: Mutex<Vec<oneshot::Sender<()>>>,
}

/// One partition's customers who were asked for meanwhile.
#[derive(Debug, Default)]
struct Awake {
    customers: HashSet<CustomerId>,
    owed: HashSet<CustomerId>,
    /// Whether recovery has stored everyone else.
    is_closed: bool,
}

impl Backlog {
    /// The records after one, up to another.
    pub(super) fn new(after: u64, until: u64) -> Self {
        Self {
            after,
            until,
            partitions: Partition::all().map(|_| Mutex::default()).collect(),
            stage: AtomicU8::new(UNDER_WAY),
            failure: OnceLock::new(),
            done: AtomicU64::new(after),
            records: AtomicU64::new(0),
            is_abandoned: AtomicBool::new(false),
            is_checkpoint_due: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }

    /// The record of the store's checkpoint.
    pub(super) fn after(&self) -> u64 {
        self.after
    }

    /// The last record when the engine started.
    pub(super) fn until(&self) -> u64 {
        self.until
    }

    // === for those who bring states in ===

    /// Enters a customer whose stored state is about to be read. True if it may lack records of the backlog.
    pub(super) fn wake(&self, customer: &CustomerId, partition: Partition) -> bool {
        // One atomic read once recovery is through.
        if self.is_finished() {
            return false;
        }
        let mut awake = self.awake(partition);
        if awake.is_closed && !awake.owed.contains(customer) {
            return false;
        }
        awake.customers.insert(customer.clone());
        awake.owed.insert(customer.clone());
        true
    }

    /// A customer who was entered is in memory, and marked if the journal had more than the store.
    pub(super) fn settle(&self, customer: &CustomerId, partition: Partition) {
        if !self.is_finished() {
            self.awake(partition).owed.remove(customer);
        }
    }

    // === for recovery ===

    /// Takes those off a list who are awake.
    pub(super) fn retain_sleeping<T>(&self, partition: Partition, customers: &mut Vec<(CustomerId, T)>) {
        let awake = self.awake(partition);
        customers.retain(|(customer, _)| !awake.customers.contains(customer));
    }

    /// Stores states of a partition, except of those who are awake.
    pub(super) fn store_sleeping(
        &self,
        partition: Partition,
        store: &dyn StateStore,
        mut states: Vec<StateWrite>,
    ) -> Result<(), JournalError> {
        let awake = self.awake(partition);
        states.retain(|state| !awake.customers.contains(&state.customer));
        if states.is_empty() { Ok(()) } else { store.put(&states) }
    }

    /// Every state of a partition is stored but for those who are awake.
    pub(super) fn close(&self, partition: Partition) {
        self.awake(partition).is_closed = true;
    }

    /// Customers who are not in memory yet, and whose stored states may lack something, in one order.
    pub(super) fn owed(&self) -> Vec<CustomerId> {
        let of_partition = |partition| self.awake(partition).owed.iter().cloned().collect::<Vec<_>>();
        let mut owed: Vec<CustomerId> = Partition::all().flat_map(of_partition).collect();
        owed.sort_unstable();
        owed
    }

    /// Recovery has come as far as if it had read the journal up to a record; returns how far it has been told to have come. Never
    /// goes back.
    pub(super) fn advance(&self, done: u64) -> u64 {
        self.done.fetch_max(done, Ordering::Relaxed).max(done)
    }

    /// So many more records were applied to states that are stored now.
    pub(super) fn count(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Recovery is through: the archive may write a checkpoint, and is to.
    pub(super) fn finish(&self) {
        self.done.store(self.until, Ordering::Relaxed);
        self.is_checkpoint_due.store(true, Ordering::Release);
        self.stage.store(FINISHED, Ordering::Release);
        self.partitions.iter().for_each(|partition| *lock(partition) = Awake { is_closed: true, ..Awake::default() });
        self.tell_waiting();
    }

    /// Recovery cannot go on.
    pub(super) fn fail(&self, reason: &str) {
        // The first reason is the one that counts.
        let _ = self.failure.set(reason.into());
        self.stage.store(FAILED, Ordering::Release);
        self.tell_waiting();
    }

    /// Recovery is to stop where it is: the next start begins it again.
    pub(super) fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Release);
        self.tell_waiting();
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned.load(Ordering::Acquire)
    }

    // === for everyone ===

    pub(super) fn is_finished(&self) -> bool {
        self.stage.load(Ordering::Acquire) == FINISHED
    }

    /// Why recovery could not go on, if that is so.
    pub(super) fn failure(&self) -> Option<Arc<str>> {
        if self.stage.load(Ordering::Acquire) == FAILED { self.failure.get().cloned() } else { None }
    }

    pub(super) fn progress(&self) -> RecoveryProgress {
        let stage = match (self.stage.load(Ordering::Acquire), self.failure.get()) {
            (FINISHED, _) => RecoveryStage::Finished,
            (FAILED, Some(reason)) => RecoveryStage::Failed(Arc::clone(reason)),
            _ => RecoveryStage::UnderWay,
        };
        let (done, records) = (self.done.load(Ordering::Relaxed), self.records.load(Ordering::Relaxed));
        RecoveryProgress { stage, from: self.after, done, last: self.until, records }
    }

    /// Whether the checkpoint that ends recovery is yet to be written.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        self.is_checkpoint_due.load(Ordering::Acquire)
    }

    /// A checkpoint beyond the backlog was written.
    pub(super) fn note_checkpoint(&self) {
        self.is_checkpoint_due.store(false, Ordering::Release);
    }

    /// Resolves when the accounts of global caps are known, or will never be; `is_known` is asked once more with the list of those who
    /// wait locked, so that nobody waits for what has happened.
    pub(super) fn wait(&self, is_known: impl FnOnce() -> bool) -> Option<oneshot::Receiver<()>> {
        let mut waiting = lock(&self.waiting);
        if is_known() || self.is_abandoned() || self.failure().is_some() {
            return None;
        }
        // Whoever can wait no longer has dropped the other end.
        waiting.retain(|waiter| !waiter.is_closed());
        let (sender, receiver) = oneshot::channel();
        waiting.push(sender);
        Some(receiver)
    }

    /// Wakes those who wait.
    pub(super) fn tell_waiting(&self) {
        for waiter in std::mem::take(&mut *lock(&self.waiting)) {
            let _ = waiter.send(());
        }
    }

    fn awake(&self, partition: Partition) -> MutexGuard<'_, Awake> {
        lock(&self.partitions[usize::from(partition.number())])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
