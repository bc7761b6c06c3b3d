//! All customers of one engine: finding a cell, taking turns in it, bringing states in and putting them to rest.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arc_swap::ArcSwap;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::backlog::Backlog;
use super::cap_book::CapBook;
use super::cell::{Cell, Entered, Left, Owner};
use super::job::{Claim, Claimed, Counted, Job, TurnJob, Worth};
use super::keeper::Keepers;
use super::lateness::TurnTime;
use super::latest_feedback::LatestFeedback;
use super::looks::Looks;
use super::occupancy::{Bounds, Occupancy};
use super::registry::Registry;
use super::set_aside::Quarantine;
use super::shelf::Shelf;
use super::taking::Taking;
use super::warm::WarmCache;
use super::{Asked, Config, Failure, Metrics, Refusal, Request, Shed, TurnDone, Waiting};
use crate::bundle::{Bundle, PLAYBOOKS_PER_EVENT_MAX};
use crate::context::CustomerState;
use crate::domain::{CustomerId, Partition, TenantId};
use crate::journal::{Entry, Journal, JournalError, KEYS_MAX, Kind, StateStore};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::time::Clock;
use crate::turn::{
    Input, Made, Readings, RecordBuffer, Surroundings, Taken, Workspace, Written, cap_changes, late, take,
};

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
    latest_feedback: LatestFeedback,
    pub(super) warm: WarmCache,
    pub(super) keepers: Keepers,
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
    tick: AtomicU32,
    pub(super) taking: Taking,
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
}

crate::sync::thread_local! {
    /// Memory that every turn on this thread uses again.
    static WORKBENCH: RefCell<(Workspace, RecordBuffer)> = RefCell::default();
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
            current: ArcSwap::from_pointee(current),
            cells: Registry::default(),
            dirty: Mutex::default(),
            tick: AtomicU32::new(0),
            taking: Taking::default(),
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
            let result = self.guarded_turn(&owner, &request, false);
            self.drive(owner, DRAIN_MAX);
            return Asked::Done(result);
        }
        self.ask_in_turn(request)
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
        match self.hand_in(&customer, Job::Turn(Box::new(TurnJob { request, worth, claim, reply, counted }))) {
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
            let Left::More(busy) = owner.leave(limit, |owner, job| self.perform(owner, job)) else { return };
            owner = busy;
            if owner.state().is_some() {
                match self.keepers.drive(owner) {
                    Ok(()) => return self.metrics.handovers.inc(),
                    Err(back) => (owner, limit) = (back, DRAIN_MAX),
                }
            }
        }
        self.keepers.load(self, owner, true);
    }

    /// Does one job. Breaks off when the state is broken and must be rebuilt.
    fn perform(&self, owner: &Owner, job: Job) -> ControlFlow<()> {
        match job {
            Job::Turn(job) => self.perform_turn(owner, *job),
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

    fn perform_turn(&self, owner: &Owner, job: TurnJob) -> ControlFlow<()> {
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
        let result = self.guarded_turn(owner, &job.request, is_late);
        self.turn_time.learn(self.clock.instant().since(begun));
        let TurnJob { reply, counted, .. } = job;
        drop(counted);
        // A caller who has been answered already does not listen.
        let _ = reply.send(result);
        if owner.state().is_none() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// A turn that cannot leave a half-changed state behind: if it breaks off, the state is taken away, to be rebuilt.
    fn guarded_turn(&self, owner: &Owner, request: &Request, is_late: bool) -> Result<TurnDone, Refusal> {
        // At once, or when it was set aside while it waited.
        self.quarantine.check(&request.input)?;
        let turn = catch_unwind(AssertUnwindSafe(|| self.turn(owner, request, is_late)));
        let result = turn.unwrap_or_else(|panic| {
            self.metrics.panics.inc();
            let (now, reason) = (self.clock.wall(), message_of(&*panic));
            self.quarantine.panicked(request, now, reason, &self.journal, &self.metrics);
            let partition = owner.cell().partition.number();
            tracing::error!(partition, "a turn panicked; the customer's state is rebuilt from the journal");
            Err(Refusal::Failed(Failure::Panicked))
        });
        if matches!(&result, Err(Refusal::Failed(failure)) if failure.breaks_the_state()) {
            *owner.state() = None;
        }
        result
    }

    /// One turn: take it, record it while the cell is still owned, so that the journal's order is the turns' order.
    fn turn(&self, owner: &Owner, request: &Request, is_late: bool) -> Result<TurnDone, Refusal> {
        let mut state = owner.state();
        let Some(state) = state.as_mut() else {
            return Err(Refusal::Failed(Failure::StateUnreadable));
        };
        let Request { input, readings, bundle, .. } = request;
        let late;
        let readings = if is_late {
            self.metrics.late.inc();
            late = Readings { is_late, ..readings.clone() };
            &late
        } else {
            readings
        };
        let around = Surroundings { bundle: &bundle.bundle, tenant: &self.tenant };
        self.check_overtaken(input, readings)?;
        owner.touch(self.tick.load(Ordering::Relaxed));
        if owner.is_to_be_weighed() {
            self.weigh(owner, state);
        }
        let partition = owner.cell().partition;
        let mut drawing = self.draw(input, readings, &bundle.bundle, partition)?;
        let drawn = drawing.as_ref().map(|drawing| Readings { leases: drawing.leases(), ..readings.clone() });
        WORKBENCH.with(|workbench| {
            let (scratch, buffer) = &mut *workbench.borrow_mut();
            let taken = take(state, input, drawn.as_ref().unwrap_or(readings), around, scratch).map_err(|error| {
                tracing::error!(%error, partition = partition.number(), "a customer's state is damaged; it is rebuilt from the journal");
                Refusal::Failed(Failure::StateUnreadable)
            })?;
            #[cfg(test)]
            super::tests::panic_if_told(input);
            #[cfg(simulation)]
            super::simulation::panic_if_told(input);
            // What asks is no turn yet: it comes again with the answers.
            if !matches!(taken, Taken::Asks(_)) {
                self.metrics.turns.inc();
            }
            let Taken::Turn(turn) = &taken else {
                return Ok(TurnDone { taken, seq: None, last_seq: state.last_seq });
            };
            self.mark(owner);
            let payload = buffer.write(Written { tenant: &self.tenant, bundle_seq: bundle.seq, input, turn });
            let of_decisions = turn.decisions.iter().map(|made| made.id.to_u128());
            let keys: SmallVec<[u128; 2]> = of_decisions.chain(input.key()).collect();
            let entry = Entry { kind: Kind::Turn, partition: partition.number(), keys: &keys, payload };
            match self.journal.append(&entry) {
                Ok(seq) => {
                    if let Some(drawing) = &mut drawing {
                        let made = turn.decisions.iter().map(Made::entered);
                        drawing.enter(seq, cap_changes(input, made, turn.arrival, &bundle.bundle));
                    }
                    if let Input::Feedback(of) = input {
                        self.latest_feedback.note(of.decision, seq);
                    }
                    state.last_seq = seq;
                    Ok(TurnDone { taken, seq: Some(seq), last_seq: seq })
                }
                Err(error @ JournalError::TooLarge { .. }) => {
                    Err(Refusal::Failed(Failure::RecordTooLarge(error.to_string().into())))
                }
                Err(error) => Err(Refusal::Failed(Failure::JournalStopped(error.to_string().into()))),
            }
        })
    }

    /// Refuses feedback if some was recorded since the journal was searched for it.
    fn check_overtaken(&self, input: &Input, readings: &Readings) -> Result<(), Refusal> {
        let Input::Feedback(of) = input else { return Ok(()) };
        let by = self.latest_feedback.of(of.decision);
        if by <= readings.searched_to { Ok(()) } else { Err(Refusal::Overtaken { by }) }
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

/// What a panic said.
fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "a panic without a message",
    }
}
