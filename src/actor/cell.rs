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
use crate::context::CustomerState;
use crate::domain::{CustomerId, Partition};
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use crate::sync::{Mutex, MutexGuard};

const IDLE: u8 = 0;
const RUN: u8 = 1;
const RUNQ: u8 = 2;
const GONE: u8 = 3;

/// One customer in memory.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) customer: CustomerId,
    pub(super) partition: Partition,
    status: AtomicU8,
    /// The sweep's clock at the last turn.
    touched: AtomicU32,
    /// Whether the state has changed since it was last stored. Changed by the owner only.
    is_dirty: AtomicBool,
    state: Mutex<Option<CustomerState>>,
    queue: Mutex<Mailbox>,
}

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
            partition,
            status: AtomicU8::new(RUN),
            touched: AtomicU32::new(0),
            is_dirty: AtomicBool::new(false),
            state: Mutex::new(None),
            queue: Mutex::default(),
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
                    queue.push(job);
                    return Entered::Queued(0, None);
                }
                RUNQ => {
                    return match queue.put(job, mailbox) {
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

    pub(super) fn is_idle(&self) -> bool {
        self.status.load(Ordering::Acquire) == IDLE
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue().len()
    }

    pub(super) fn touched(&self) -> u32 {
        self.touched.load(Ordering::Relaxed)
    }

    fn swap(&self, from: u8, to: u8) -> bool {
        self.status.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn queue(&self) -> MutexGuard<'_, Mailbox> {
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

    pub(super) fn touch(&self, tick: u32) {
        self.0.touched.store(tick, Ordering::Relaxed);
    }

    /// Marks the state as changed; true if it was not marked before.
    pub(super) fn mark_dirty(&self) -> bool {
        !self.0.is_dirty.swap(true, Ordering::Relaxed)
    }

    pub(super) fn mark_clean(&self) {
        self.0.is_dirty.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.0.is_dirty.load(Ordering::Relaxed)
    }

    /// Queues a job behind those that wait, while the cell is owned.
    pub(super) fn push(&self, job: Job) {
        let mut queue = self.0.queue();
        self.0.status.store(RUNQ, Ordering::Release);
        queue.push(job);
    }

    /// Does up to `limit` of the jobs that wait, in order, and gives the cell back if none is left. `each` may break off.
    pub(super) fn leave(self, limit: usize, mut each: impl FnMut(&Self, Job) -> ControlFlow<()>) -> Left {
        if self.0.swap(RUN, IDLE) {
            return Left::Idle;
        }
        for _ in 0..limit {
            let job = {
                let mut queue = self.0.queue();
                let Some(job) = queue.pop() else {
                    // Under the queue lock nobody pushes, so IDLE is set with the queue empty.
                    self.0.status.store(IDLE, Ordering::Release);
                    return Left::Idle;
                };
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
        // Under the queue lock nobody pushes, so IDLE is set with the queue empty.
        self.0.status.store(IDLE, Ordering::Release);
        queue.take()
    }

    /// Takes the cell out of use whatever waits, and hands out what waits.
    pub(super) fn abandon(self) -> (Arc<Cell>, impl Iterator<Item = Job> + use<>) {
        let mut queue = self.0.queue();
        self.0.status.store(GONE, Ordering::Release);
        let jobs = queue.take();
        drop(queue);
        (self.0, jobs)
    }
}
