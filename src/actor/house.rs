//! All customers of one engine: finding a cell, taking turns in it, bringing states in and putting them to rest.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::backlog::Backlog;
use super::busiest::Crowd;
use super::cap_book::CapBook;
use super::cell::{Cell, Entered, Left, Owner};
use super::held::{Held, holds};
use super::job::{Claim, Claimed, Counted, Job, TurnJob, Worth};
use super::keeper::Keepers;
use super::lateness::TurnTime;
use super::latest_feedback::LatestFeedback;
use super::looks::Looks;
use super::occupancy::{Bounds, Occupancy};
use super::pulses::Pulses;
use super::registry::Registry;
use super::set_aside::Quarantine;
use super::shelf::Shelf;
use super::span;
use super::taking::Taking;
use super::warm::WarmCache;
use super::{Asked, Config, Metrics, Refusal, Request, Shed, TurnDone, Waiting};
use crate::bundle::{Bundle, PLAYBOOKS_PER_EVENT_MAX};
use crate::context::CustomerState;
use crate::domain::{CustomerId, Partition, TenantId};
use crate::journal::{Journal, KEYS_MAX, StateStore};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::time::Clock;
use crate::turn::{Made, Served, Surroundings, late};

/// Turns that a caller takes for others before a keeper goes on with them.
pub(super) const DRAIN_MAX: usize = 32;

// A turn's decisions are the keys of its record.
const _: () = assert!(PLAYBOOKS_PER_EVENT_MAX <= KEYS_MAX);

/// The engine's customers.
#[derive(Debug)]
pub(super) struct House {
    pub(super) config: Config,
    pub(super) tenant: TenantId,
    pub(super) clock: Clock,
    pub(super) journal: Journal,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) metrics: Metrics,
    pub(super) current: ArcSwap<InForce>,
    pub(super) shelf: Shelf,
    pub(super) caps: CapBook,
    /// Inputs on which no turn is taken.
    pub(super) quarantine: Quarantine,
    pub(super) latest_feedback: LatestFeedback,
    pub(super) warm: WarmCache,
    pub(super) keepers: Keepers,
    /// The keepers' signs of life, and the archivist's.
    pub(super) pulses: Pulses,
    pub(super) cells: Registry,
    pub(super) occupancy: Occupancy,
    /// The record up to which the store has every state.
    pub(super) stored_seq: AtomicU64,
    /// What states in the store may lack until recovery is through.
    pub(super) backlog: Backlog,
    pub(super) looks: Looks,
    /// Cells whose state has changed since it was stored.
    pub(super) dirty: Mutex<Vec<Arc<Cell>>>,
    /// Seconds since the engine started, for the sweep.
    pub(super) tick: AtomicU32,
    pub(super) taking: Taking,
    pub(super) crowd: Crowd,
    /// Turns that wait in mailboxes.
    waiting: Arc<AtomicUsize>,
    /// What a turn that waited took, lately.
    turn_time: TurnTime,
}

/// A bundle in force and the record that holds it.
#[derive(Debug)]
pub struct InForce {
    /// The bundle.
    pub bundle: Arc<Bundle>,
    /// The sequence of its record.
    pub seq: u64,
    /// Which of its agents can be asked, once somebody has found out.
    pub served: OnceLock<Arc<Served>>,
}

impl InForce {
    pub(super) fn new(bundle: Arc<Bundle>, seq: u64) -> Self {
        Self { bundle, seq, served: OnceLock::new() }
    }
}

/// A turn whose customer is to be held, and who is to hold.
struct Holding {
    reply: oneshot::Sender<Result<TurnDone, Refusal>>,
    done: TurnDone,
}

/// Everything a house is built from.
pub(super) struct Foundations {
    pub(super) config: Config,
    pub(super) tenant: TenantId,
    pub(super) clock: Clock,
    pub(super) journal: Journal,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) metrics: Metrics,
    pub(super) current: InForce,
    pub(super) shelf: Shelf,
    pub(super) caps: CapBook,
    pub(super) quarantine: Quarantine,
    pub(super) backlog: Backlog,
}

impl House {
    pub(super) fn new(foundations: Foundations) -> Self {
        let Foundations { config, tenant, clock, journal, store, metrics, current, shelf, caps, quarantine, backlog } =
            foundations;
        let bounds = Bounds { cells: config.hot_customers_max as u64, bytes: config.hot_bytes };
        Self {
            occupancy: Occupancy::new(bounds),
            looks: Looks::default(),
            latest_feedback: LatestFeedback::default(),
            stored_seq: AtomicU64::new(backlog.after()),
            backlog,
            warm: WarmCache::new(config.warm_bytes),
            keepers: Keepers::default(),
            pulses: Pulses::of(config.keepers),
            current: ArcSwap::from_pointee(current),
            cells: Registry::default(),
            dirty: Mutex::default(),
            tick: AtomicU32::new(0),
            taking: Taking::default(),
            crowd: Crowd::default(),
            waiting: Arc::default(),
            turn_time: TurnTime::default(),
            config,
            tenant,
            clock,
            journal,
            store,
            metrics,
            shelf,
            caps,
            quarantine,
        }
    }

    // === taking turns ===

    /// Takes a turn on the caller's thread if the customer is idle and in memory, otherwise queues it.
    pub(super) fn ask(self: &Arc<Self>, request: Request) -> Asked {
        if !self.taking.is_on() {
            return Asked::Done(Err(self.takes_none()));
        }
        if let Some(cell) = self.cells.find(request.input.customer())
            && let Some(owner) = cell.try_own()
        {
            return self.ask_owned(owner, &request);
        }
        self.ask_in_turn(request)
    }

    /// Takes a turn for whoever owns the cell, and gives the cell back unless it is to be held.
    pub(super) fn ask_owned(self: &Arc<Self>, owner: Owner, request: &Request) -> Asked {
        if !self.taking.is_on() {
            self.drive(owner, DRAIN_MAX);
            return Asked::Done(Err(self.takes_none()));
        }
        let result = self.guarded_turn(&owner, request, false);
        match result {
            Ok(done) if holds(&done, request) => {
                Asked::Done(Ok(TurnDone { held: Some(Held::new(self, owner)), ..done }))
            }
            result => {
                self.drive(owner, DRAIN_MAX);
                Asked::Done(result)
            }
        }
    }

    /// The way of a turn whose customer is busy or not in memory.
    fn ask_in_turn(self: &Arc<Self>, request: Request) -> Asked {
        // What is set aside need not wait to be told so.
        if let Err(refusal) = self.quarantine.check(&request.input) {
            return Asked::Done(Err(refusal));
        }
        let customer = request.input.customer().clone();
        let (reply, received) = oneshot::channel();
        let (worth, request) = (Worth::of(&request), Arc::new(request));
        let waiting = Waiting { request: Arc::clone(&request), claim: Claim::default(), reply: received };
        let (claim, counted) = (waiting.claim.clone(), Counted::new(&self.waiting));
        let queue = span::queue(&request.span);
        match self.hand_in(&customer, Job::Turn(Box::new(TurnJob { request, worth, claim, reply, counted, queue }))) {
            Ok(ahead) if self.comes_too_late(&waiting, ahead) => Asked::Late(waiting.request),
            Ok(_) => Asked::Waiting(waiting).settled(),
            Err(shed) => Asked::Done(Err(Refusal::Shed(shed))),
        }
    }

    /// What a caller is told of an event whose turn will be taken too late.
    pub(super) fn late(&self, request: &Request) -> Vec<Made> {
        let around = Surroundings { bundle: &request.bundle.bundle, tenant: &self.tenant };
        late(&request.input, request.readings.arrival, around)
    }

    /// How long so many turns will take, one after the other.
    pub(super) fn turns_take(&self, turns: usize) -> std::time::Duration {
        self.turn_time.of(turns)
    }

    /// Whether a turn behind so many cannot begin before its deadline: then its caller need not wait for that.
    fn comes_too_late(&self, waiting: &Waiting, ahead: usize) -> bool {
        let Waiting { request, claim, .. } = waiting;
        let left = || request.deadline.instant().since(self.clock.instant());
        ahead > 0 && request.is_event() && self.turn_time.of(ahead) > left() && claim.answer()
    }

    /// Has a job done, now or in its turn; says how many wait before it.
    fn hand_in(self: &Arc<Self>, customer: &CustomerId, mut job: Job) -> Result<usize, Shed> {
        loop {
            let cell = match self.cells.find_or_enter(customer, || self.vacant(customer)) {
                Ok(cell) => cell,
                Err(loading) => {
                    loading.push(job);
                    self.load(loading);
                    return Ok(0);
                }
            };
            match cell.enter(job, self.config.mailbox) {
                Entered::Owner(owner, job) => {
                    owner.push(job);
                    self.drive(owner, DRAIN_MAX);
                    return Ok(0);
                }
                Entered::Queued(ahead, shed) => {
                    self.metrics.queued.inc();
                    if let Some(shed) = shed {
                        let _ = shed.reply.send(Err(Refusal::Shed(Shed::MailboxFull)));
                    }
                    return Ok(ahead);
                }
                Entered::Full => return Err(Shed::MailboxFull),
                Entered::Gone(back) => {
                    self.cells.forget(&cell);
                    job = back;
                }
            }
        }
    }

    /// A copy of a customer's state, for someone to look at.
    pub(super) fn view(
        self: &Arc<Self>,
        customer: &CustomerId,
    ) -> Result<oneshot::Receiver<Option<Box<CustomerState>>>, Shed> {
        let (reply, received) = oneshot::channel();
        self.hand_in(customer, Job::View(reply)).map(|_| received)
    }

    /// Has a job done in a cell, now or in its turn; one that is gone drops it.
    pub(super) fn in_turn(self: &Arc<Self>, cell: &Arc<Cell>, job: Job) {
        if let Entered::Owner(owner, job) = cell.enter(job, usize::MAX) {
            owner.push(job);
            self.drive(owner, DRAIN_MAX);
        }
    }

    /// A cell for a customer who is not in memory.
    pub(super) fn vacant(&self, customer: &CustomerId) -> Owner {
        Cell::loading(customer.clone(), Partition::of(&self.tenant, customer.as_str()))
    }

    /// Does what waits, up to a limit; then a keeper goes on. A state that is broken goes to a keeper to be rebuilt.
    ///
    /// While the keeper cannot take it, whoever drives goes on, so that nothing that waits is forgotten, and asks again after
    /// each batch: nobody is held longer than the keeper is full.
    pub(super) fn drive(self: &Arc<Self>, mut owner: Owner, mut limit: usize) {
        while owner.state().is_some() {
            let mut holding = None;
            let left = owner.leave(limit, |owner, job| self.perform(owner, job, &mut holding));
            let Left::More(busy) = left else { return };
            owner = busy;
            if let Some(Holding { reply, done }) = holding {
                let held = Some(Held::new(self, owner));
                match reply.send(Ok(TurnDone { held, ..done })) {
                    Err(Ok(TurnDone { held: Some(held), .. })) => match held.let_go() {
                        // Nobody listens any more: nothing was decided, and who comes next is served.
                        Some(back) => owner = back,
                        None => return,
                    },
                    _ => return,
                }
                continue;
            }
            if owner.state().is_some() {
                match self.keepers.drive(owner) {
                    Ok(()) => return self.metrics.handovers.inc(),
                    Err(back) => (owner, limit) = (back, DRAIN_MAX),
                }
            }
        }
        self.keepers.load(self, owner, true);
    }

    /// Does one job. Breaks off when the state is broken and must be rebuilt, or when the customer is to be held.
    fn perform(&self, owner: &Owner, job: Job, holding: &mut Option<Holding>) -> ControlFlow<()> {
        match job {
            Job::Turn(job) => self.perform_turn(owner, *job, holding),
            Job::Snapshot(reply) => {
                if let Some(snapshot) = self.snapshot(owner) {
                    let _ = reply.send(snapshot);
                }
                ControlFlow::Continue(())
            }
            Job::View(reply) => {
                let _ = reply.send(owner.state().clone().map(Box::new));
                ControlFlow::Continue(())
            }
        }
    }

    fn perform_turn(&self, owner: &Owner, job: TurnJob, holding: &mut Option<Holding>) -> ControlFlow<()> {
        let begun = self.clock.instant();
        let is_late = match job.claim.take() {
            // A caller that has given up must not find later that it was decided after all.
            Claimed::GivenUp => return ControlFlow::Continue(()),
            Claimed::Answered => true,
            Claimed::Waiting => job.request.deadline.is_past(begun),
        };
        if is_late && !job.request.is_event() {
            let _ = job.reply.send(Err(Refusal::Shed(Shed::Late)));
            return ControlFlow::Continue(());
        }
        let TurnJob { reply, counted, request, queue, .. } = job;
        drop(queue);
        let mut result = self.guarded_turn(owner, &request, is_late);
        let ended = self.clock.instant();
        self.turn_time.learn(ended.since(begun));
        if let Ok(done) = &mut result {
            done.waited = Some((begun, ended));
        }
        drop(counted);
        let result = match result {
            Ok(done) if holds(&done, &request) => {
                *holding = Some(Holding { reply, done });
                return ControlFlow::Break(());
            }
            result => result,
        };
        // A caller who has been answered already does not listen.
        let _ = reply.send(result);
        if owner.state().is_none() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    pub(super) fn hot_customers(&self) -> usize {
        self.cells.len()
    }

    /// Turns that wait in mailboxes.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Acquire)
    }

    pub(super) fn tick(&self) -> u32 {
        self.tick.load(Ordering::Relaxed)
    }

    pub(super) fn advance_tick(&self) {
        self.tick.fetch_add(1, Ordering::Relaxed);
    }

    /// A test door: a turn that waited took so long.
    #[cfg(test)]
    pub(super) fn learn_turn_time(&self, took: std::time::Duration) {
        self.turn_time.learn(took);
    }

    /// A test door: how many jobs wait for a customer.
    #[cfg(test)]
    pub(super) fn mailbox_of(&self, customer: &str) -> usize {
        self.cells.find(&CustomerId::new(customer).unwrap()).map_or(0, |cell| cell.waiting())
    }

    /// A test door: owns the cell of a customer who is in memory and idle.
    #[cfg(test)]
    pub(super) fn hold(&self, customer: &str) -> Owner {
        loop {
            // Whoever took the last turn may not have left yet.
            if let Some(owner) = self.cells.find(&CustomerId::new(customer).unwrap()).unwrap().try_own() {
                return owner;
            }
        }
    }
}
