//! A customer's cell: the state, a mailbox that is bypassed while it is empty, and the protocol that lets one turn run at a
//! time.
//!
//! ```text
//!            enter                     a caller finds it busy
//!   IDLE ───────────▶ RUN ────────────────────────────▶ RUNQ
//!    ▲                 │  ▲                               │
//!    │     leave       │  └── (only under the queue lock) ┤
//!    ├─────────────────┤                                  │ leave: the queue is drained in order,
//!    │                 ▼ retire                           │ and IDLE is set under its lock when empty
//!    │               GONE                                 │
//!    └────────────────────────────────────────────────────┘
//! ```
//!
//! INVARIANT: IDLE implies an empty queue, so whoever enters from IDLE overtakes nobody. GONE is terminal: a caller that
//! meets it removes that very cell from the registry and looks again.
//!
//! The state lies behind a mutex that is never contended, since only the owner locks it: the price is one uncontended
//! lock per turn, the gain is that the room needs no unsafe code.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use super::job::{Job, TurnJob};
use super::mailbox::{Mailbox, Put};
use super::sweep::Glance;
use super::watch;
use crate::context::CustomerState;
use crate::domain::{CustomerId, Partition, Timestamp};
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::sync::quiet;
use crate::sync::{Mutex, MutexGuard};

/// Where a cell is in the protocol.
pub(super) type Status = u8;

pub(super) const IDLE: Status = 0;
pub(super) const RUN: Status = 1;
pub(super) const RUNQ: Status = 2;
pub(super) const GONE: Status = 3;

/// Passes of the sweep's hand that a customer can have to come: it forgets more turns than that.
const USES_MAX: u8 = 4;

/// Turns after which a state is weighed again; one that is young is weighed after the first, the second, the fourth and so on.
const WEIGHED_EVERY: u8 = 64;

/// One customer in memory.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) customer: CustomerId,
    /// The sweep's clock at the last turn.
    touched: quiet::AtomicU32,
    /// What the store has on its list of what expires, of this customer; the end of time for nothing.
    expiry: quiet::AtomicI64,
    /// What the customer takes in memory, as last weighed; 0 before the first time.
    bytes: quiet::AtomicU32,
    pub(super) partition: Partition,
    status: AtomicU8,
    /// Whether the state has changed since it was last stored. Set by the owner, and by the archive when it could not store what
    /// it had taken for stored; cleared by the owner.
    is_dirty: AtomicBool,
    /// Turns since the hand passed, up to a few. The hand and the owner may miss one another's step: it is an estimate.
    uses: quiet::AtomicU8,
    /// Turns, counted up to twice [`WEIGHED_EVERY`] and down again.
    turns: quiet::AtomicU8,
    state: Mutex<Option<CustomerState>>,
    queue: Mutex<Queue>,
}

/// What waits. A cell that nobody waits for has no memory for it: that is nearly all of them, nearly always.
type Queue = Option<Box<Mailbox>>;

/// The right to take the cell's turns. Passed on or given back, never dropped with work left.
#[derive(Debug)]
#[must_use = "a cell that is owned and forgotten never takes a turn again"]
pub(super) struct Owner(Arc<Cell>);

/// What a caller meets.
#[derive(Debug)]
pub(super) enum Entered {
    /// The cell was idle: the caller owns it, and has its job to do.
    Owner(Owner, Job),
    /// The job waits its turn, behind so many. Another may have lost its place to it.
    Queued(usize, Option<Box<TurnJob>>),
    /// Too many jobs wait already, and each is worth as much.
    Full,
    /// The cell is gone from memory.
    Gone(Job),
}

/// What is left when an owner stops.
#[derive(Debug)]
pub(super) enum Left {
    /// Nothing: the cell is idle.
    Idle,
    /// More jobs than the owner would do: someone else must go on.
    More(Owner),
}

impl Cell {
    /// A cell whose state is yet to be loaded, and the right to load it. Callers wait in its queue meanwhile.
    pub(super) fn loading(customer: CustomerId, partition: Partition) -> Owner {
        Owner(Arc::new(Self {
            customer,
            touched: quiet::AtomicU32::new(0),
            expiry: quiet::AtomicI64::new(i64::MAX),
            bytes: quiet::AtomicU32::new(0),
            partition,
            status: AtomicU8::new(RUN),
            is_dirty: AtomicBool::new(false),
            uses: quiet::AtomicU8::new(0),
            turns: quiet::AtomicU8::new(0),
            state: Mutex::new(None),
            queue: Mutex::new(None),
        }))
    }

    /// Takes the cell if it is idle, otherwise queues the job. The uncontended way is one compare-and-swap.
    pub(super) fn enter(self: &Arc<Self>, job: Job, mailbox: usize) -> Entered {
        if self.swap(IDLE, RUN) {
            return Entered::Owner(Owner(Arc::clone(self)), job);
        }
        let mut queue = self.queue();
        loop {
            match self.status.load(Ordering::Acquire) {
                IDLE if self.swap(IDLE, RUN) => return Entered::Owner(Owner(Arc::clone(self)), job),
                RUN if self.swap(RUN, RUNQ) => {
                    // Empty, or a drain under way left it so.
                    let mailbox = queue.get_or_insert_default();
                    mailbox.push(job);
                    watch::waiting(self, mailbox.len());
                    return Entered::Queued(0, None);
                }
                RUNQ => {
                    let jobs = queue.get_or_insert_default();
                    let put = jobs.put(job, mailbox);
                    watch::waiting(self, jobs.len());
                    return match put {
                        Put::Waits(ahead) => Entered::Queued(ahead, None),
                        Put::InPlaceOf(shed, ahead) => Entered::Queued(ahead, Some(shed)),
                        Put::Refused => Entered::Full,
                    };
                }
                GONE => return Entered::Gone(job),
                // The status moved between the look and the swap.
                _ => {}
            }
        }
    }

    /// Takes the cell only if it is idle.
    pub(super) fn try_own(self: &Arc<Self>) -> Option<Owner> {
        self.swap(IDLE, RUN).then(|| Owner(Arc::clone(self)))
    }

    pub(super) fn is_gone(&self) -> bool {
        self.status.load(Ordering::Acquire) == GONE
    }

    /// What a sweep goes by.
    pub(super) fn glance(&self) -> Glance {
        Glance {
            touched: self.touched.load(Ordering::Relaxed),
            uses: self.uses.load(Ordering::Relaxed),
            is_busy: self.status.load(Ordering::Acquire) != IDLE,
        }
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue().as_ref().map_or(0, |mailbox| mailbox.len())
    }

    /// The hand has passed: one pass less to come.
    pub(super) fn spare(&self) {
        self.uses.store(self.uses.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
    }

    /// What the customer takes in memory, as last weighed.
    pub(super) fn bytes(&self) -> u32 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Lets go of the state of a cell that is gone. Lists may name the cell for a while, but nobody asks it for the state.
    pub(super) fn clear(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Notes what the store's list of what expires says, where it says it of what the bundle in force does not know.
    pub(super) fn note_listed(&self, expiry: Timestamp) {
        self.expiry.store(expiry.micros(), Ordering::Relaxed);
    }

    /// What was taken for stored is not: it counts as changed.
    pub(super) fn count_as_changed(&self) {
        self.is_dirty.store(true, Ordering::Release);
    }

    fn swap(&self, from: Status, to: Status) -> bool {
        let is_swapped = self.status.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if is_swapped {
            watch::moved(self, to);
        }
        is_swapped
    }

    fn set(&self, to: Status) {
        self.status.store(to, Ordering::Release);
        watch::moved(self, to);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owner {
    pub(super) fn cell(&self) -> &Arc<Cell> {
        &self.0
    }

    /// The state; `None` while it is being loaded.
    pub(super) fn state(&self) -> MutexGuard<'_, Option<CustomerState>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a loaded state into the cell.
    pub(super) fn install(&self, state: CustomerState) {
        *self.state() = Some(state);
    }

    /// Notes a turn at a tick of the sweep's clock.
    pub(super) fn touch(&self, tick: u32) {
        self.0.touched.store(tick, Ordering::Relaxed);
        let uses = self.0.uses.load(Ordering::Relaxed);
        if uses < USES_MAX {
            self.0.uses.store(uses + 1, Ordering::Relaxed);
        }
    }

    /// Gives the customer a use more: it was put to rest a while ago, and is back.
    pub(super) fn welcome_back(&self) {
        self.0.uses.store(1, Ordering::Relaxed);
    }

    /// Counts a turn; true now and then, when the state is to be weighed.
    pub(super) fn is_to_be_weighed(&self) -> bool {
        let turns = self.0.turns.load(Ordering::Relaxed) + 1;
        let counted = if turns == 2 * WEIGHED_EVERY { WEIGHED_EVERY } else { turns };
        self.0.turns.store(counted, Ordering::Relaxed);
        turns.is_power_of_two()
    }

    /// Notes what the customer takes in memory; returns what was noted before.
    pub(super) fn weigh(&self, bytes: u32) -> u32 {
        // Only the owner writes: no need for a swap.
        let before = self.0.bytes();
        self.0.bytes.store(bytes, Ordering::Relaxed);
        before
    }

    /// Notes that the state is not young: it has been weighed, and need not be for a while.
    pub(super) fn count_as_grown(&self) {
        self.0.turns.store(WEIGHED_EVERY, Ordering::Relaxed);
    }

    /// Marks the state as changed; true if it was not marked before.
    pub(super) fn mark_dirty(&self) -> bool {
        !self.0.is_dirty.swap(true, Ordering::Relaxed)
    }

    /// Marks the state as unchanged; true if it was not.
    pub(super) fn mark_clean(&self) -> bool {
        self.0.is_dirty.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.0.is_dirty.load(Ordering::Acquire)
    }

    /// Notes what the store's list of what expires says, or is about to say; returns what it said before.
    pub(super) fn list_expiry(&self, expiry: Option<Timestamp>) -> Option<Timestamp> {
        let before = self.0.expiry.swap(expiry.map_or(i64::MAX, Timestamp::micros), Ordering::Relaxed);
        (before != i64::MAX).then(|| Timestamp::from_micros(before))
    }

    /// Whether something in the store has expired at a time.
    pub(super) fn is_expiry_due(&self, now: Timestamp) -> bool {
        self.0.expiry.load(Ordering::Relaxed) <= now.micros()
    }

    /// Queues a job behind those that wait, while the cell is owned.
    pub(super) fn push(&self, job: Job) {
        let mut queue = self.0.queue();
        self.0.set(RUNQ);
        let mailbox = queue.get_or_insert_default();
        mailbox.push(job);
        watch::waiting(&self.0, mailbox.len());
    }

    /// Does up to `limit` of the jobs that wait, in order, and gives the cell back if none is left. `each` may break off.
    pub(super) fn leave(self, limit: usize, mut each: impl FnMut(&Self, Job) -> ControlFlow<()>) -> Left {
        if self.0.swap(RUN, IDLE) {
            return Left::Idle;
        }
        for _ in 0..limit {
            let job = {
                let mut queue = self.0.queue();
                let Some(job) = queue.as_mut().and_then(|mailbox| mailbox.pop()) else {
                    *queue = None;
                    // Under the queue lock nobody pushes, so IDLE is set with the queue empty.
                    self.0.set(IDLE);
                    return Left::Idle;
                };
                watch::waiting(&self.0, queue.as_ref().map_or(0, |mailbox| mailbox.len()));
                job
            };
            if each(&self, job).is_break() {
                break;
            }
        }
        Left::More(self)
    }

    /// Takes the cell out of use, unless jobs wait: then it stays owned.
    pub(super) fn retire(self) -> Result<Arc<Cell>, Self> {
        // RUN means an empty queue, and whoever would fill it must first win this very swap.
        if self.0.swap(RUN, GONE) { Ok(self.0) } else { Err(self) }
    }

    /// Gives the cell back without a state, and hands out what waits.
    pub(super) fn leave_broken(self) -> impl Iterator<Item = Job> + use<> {
        let mut queue = self.0.queue();
        let jobs = queue.take().unwrap_or_default().take();
        watch::waiting(&self.0, 0);
        // Under the queue lock nobody pushes, so IDLE is set with the queue empty.
        self.0.set(IDLE);
        jobs
    }

    /// Takes the cell out of use whatever waits, and hands out what waits.
    pub(super) fn abandon(self) -> (Arc<Cell>, impl Iterator<Item = Job> + use<>) {
        let mut queue = self.0.queue();
        self.0.set(GONE);
        let jobs = queue.take().unwrap_or_default().take();
        watch::waiting(&self.0, 0);
        drop(queue);
        (self.0, jobs)
    }
}
