//! The face of the room: one engine's customers, started, asked and stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::archivist::CheckpointNow;
use super::backlog::RecoveryProgress;
use super::busiest::Busiest;
use super::house::{House, InForce};
use super::opening::{Opened, enter_bundle, open_house};
use super::pulses::ActorPulses;
use super::recovery::{Recovered, Recovery};
use super::runtime::Runtime;
use super::set_aside::{InputId, SetAside};
use super::{Asked, Metrics, RecoveryError, Request, Resting, Shed, ShelfError};
use crate::bundle::{Bundle, Cap, CapScope};
use crate::context::CustomerState;
use crate::domain::{CustomerId, TenantId};
use crate::journal::{Journal, JournalError, StateStore};
use crate::sync::atomic::Ordering;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Mutex, cores, mpsc};
use crate::time::Clock;
use crate::turn::{EventInput, Made};

/// How customers are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Keepers, each on a thread of its own.
    pub keepers: usize,
    /// Turns that may wait for one customer.
    pub mailbox: usize,
    /// Customers in memory before those who come least often are put to rest.
    pub hot_customers_max: usize,
    /// Bytes that the customers in memory take before those who come least often are put to rest.
    pub hot_bytes: u64,
    /// How customers are chosen to rest.
    pub resting: Resting,
    /// What becomes of what has expired.
    pub expired: Expired,
    /// How long a customer stays in memory unseen.
    pub passivate_after: Duration,
    /// Bytes of encoded states of resting customers that are kept in memory.
    pub warm_bytes: u64,
    /// How long changed states may go unstored.
    pub checkpoint_every: Duration,
    /// Records after which changed states are stored. Bounds what recovery has to read.
    pub checkpoint_records: u64,
    /// Threads that bring the stored states up to date with the journal after a start.
    pub recovery_threads: usize,
    /// Bytes of states that they keep in memory.
    pub recovery_bytes: u64,
    /// Records after the store's checkpoint that are applied before anyone is served; more are applied behind those who are.
    pub recovery_ahead: u64,
}

impl Default for Config {
    /// Two keepers serve two cores; a thousand waiting turns of one customer are a fault, not a load; a gigabyte
    /// holds some million customers of a kilobyte, and the number of those who take less is bounded by their cells; ten minutes cover a conversation; recovery reads two million records in some seconds, keeps as much as
    /// customers may take, and need not be noticed where it takes a few tenths of a second.
    fn default() -> Self {
        Self {
            keepers: 2,
            mailbox: 1_024,
            hot_customers_max: 1_000_000,
            hot_bytes: 1 << 30,
            resting: Resting::ByUse,
            expired: Expired::Dropped,
            passivate_after: Duration::from_secs(600),
            warm_bytes: 256 << 20,
            checkpoint_every: Duration::from_secs(60),
            checkpoint_records: 2_000_000,
            recovery_threads: cores(),
            recovery_bytes: 1 << 30,
            recovery_ahead: 20_000,
        }
    }
}

/// What becomes of facts, and of what signals hold, when the time for which they may be kept is over. Nobody can use them from
/// then on in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expired {
    /// It is dropped from memory and from the store at the next checkpoint after that, by the machine's clock.
    #[default]
    Dropped,
    /// It is kept: for work in bulk on history, whose time is not the clock's.
    Kept,
}

/// What the customers are started with.
#[derive(Debug)]
pub struct Start<'a> {
    /// How they are kept.
    pub config: Config,
    /// Whose engine it is.
    pub tenant: TenantId,
    /// The clock.
    pub clock: Clock,
    /// The journal, open.
    pub journal: Journal,
    /// The state store, open.
    pub store: Arc<dyn StateStore>,
    /// The bundle to decide with.
    pub bundle: Arc<Bundle>,
    /// Series.
    pub metrics: Metrics,
    /// Told how far recovery has come: the record, and the last one.
    pub progress: Progress<'a>,
}

/// How a global cap stands.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalCap {
    /// The cap.
    pub cap: Cap,
    /// What all customers' decisions took of it.
    pub taken: i64,
    /// What is lent out to be taken, and lies unused.
    pub unused: i64,
}

/// Hears of progress.
pub struct Progress<'a>(pub &'a mut dyn FnMut(u64, u64));

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

/// All customers of one engine.
#[derive(Debug)]
pub struct Customers {
    house: Arc<House>,
    // Dropped first: it needs the actors.
    recovering: Mutex<Option<Recovering>>,
    runtime: Mutex<Runtime>,
    recovered: Recovered,
}

/// The thread that brings the stored states up to date. It ends soon after this is dropped.
#[derive(Debug)]
struct Recovering {
    house: Arc<House>,
    thread: Option<JoinHandle<()>>,
}

impl Customers {
    /// Notes the bundle in the journal and starts the actors. Blocks until turns can be taken: the stored states are brought up to
    /// date before, or, if the journal has many records that they lack, behind those who are served.
    pub fn start(start: Start<'_>) -> Result<Self, RecoveryError> {
        let (customers, recovery) = Self::start_held(start)?;
        if let Some(recovery) = recovery {
            customers.recover(recovery)?;
        }
        Ok(customers)
    }

    /// Starts, and hands out the recovery that is to go on behind those who are served.
    pub(super) fn start_held(start: Start<'_>) -> Result<(Self, Option<Recovery>), RecoveryError> {
        let Opened { house, recovered, recovery } = open_house(start)?;
        let stored_seq = house.stored_seq.load(Ordering::Acquire);
        let runtime = Runtime::start(&house, stored_seq).map_err(RecoveryError::Runtime)?;
        Ok((Self { house, recovering: Mutex::default(), runtime: Mutex::new(runtime), recovered }, recovery))
    }

    /// Has a thread of its own go on with recovery.
    pub(super) fn recover(&self, mut recovery: Recovery) -> Result<(), RecoveryError> {
        let house = Arc::clone(&self.house);
        let thread = thread::Builder::new().name("forthwith-recovery".to_owned()).spawn(move || {
            // A panic must not leave those waiting who wait for the end.
            if catch_unwind(AssertUnwindSafe(|| recovery.run())).is_err() {
                house.fail_recovery(&RecoveryError::Panicked);
            }
        });
        let recovering =
            Recovering { house: Arc::clone(&self.house), thread: Some(thread.map_err(RecoveryError::Runtime)?) };
        *self.recovering.lock().unwrap_or_else(PoisonError::into_inner) = Some(recovering);
        Ok(())
    }

    /// How far recovery has come.
    pub fn recovery(&self) -> RecoveryProgress {
        self.house.backlog.progress()
    }

    /// Resolves when what is left of the global caps that an event's decisions need is known, or will never be; `None` if it is known.
    pub fn awaited_caps(&self, event: &EventInput, bundle: &Bundle) -> Option<oneshot::Receiver<()>> {
        self.house.awaited_caps(event, bundle)
    }

    /// Whose customers they are.
    pub fn tenant(&self) -> &TenantId {
        &self.house.tenant
    }

    /// The actors' signs of life.
    pub fn pulses(&self) -> ActorPulses {
        ActorPulses::of(&self.house)
    }

    pub(super) fn house(&self) -> &House {
        &self.house
    }

    /// The bundles that are known without reading the journal, the one in force among them.
    pub fn known_bundles(&self) -> Vec<Arc<Bundle>> {
        self.house.shelf.known()
    }

    /// What recovery found before anyone was served.
    pub fn recovered(&self) -> Recovered {
        self.recovered
    }

    /// Takes a turn at once if the customer is idle and in memory; otherwise it waits its turn.
    #[inline]
    pub fn ask(&self, request: Request) -> Asked {
        self.house.ask(request)
    }

    /// What a caller is told of an event whose turn will be taken too late: the defaults, as that turn will record them.
    pub fn late(&self, request: &Request) -> Vec<Made> {
        self.house.late(request)
    }

    /// Inputs that are set aside, in the order of their names, after one of them.
    pub fn set_aside(&self, after: Option<InputId>, limit: usize) -> Vec<SetAside> {
        self.house.quarantine.list(after, limit)
    }

    /// An input that is set aside.
    pub fn set_aside_one(&self, id: InputId) -> Option<SetAside> {
        self.house.quarantine.find(id)
    }

    /// Releases an input that is set aside, so that it may be tried again; returns the record that says so, or `None` if it was
    /// not set aside.
    pub fn release_set_aside(&self, id: InputId) -> Result<Option<u64>, JournalError> {
        self.house.quarantine.release(id, &self.house.journal, &self.house.metrics)
    }

    /// A copy of a customer's state; the receiver fails for one that cannot be read.
    pub fn view(&self, customer: &CustomerId) -> Result<oneshot::Receiver<Option<Box<CustomerState>>>, Shed> {
        self.house.view(customer)
    }

    /// The bundle in force.
    #[inline]
    pub fn in_force(&self) -> Arc<InForce> {
        self.house.current.load_full()
    }

    /// The bundle that a record of the journal holds. May read the journal.
    pub fn bundle_at(&self, seq: u64) -> Result<Arc<Bundle>, ShelfError> {
        self.house.bundle_at(seq)
    }

    /// Puts another bundle in force: turns that have begun end on theirs, every later turn takes this one.
    pub fn change_bundle(&self, bundle: Arc<Bundle>) -> Result<(), RecoveryError> {
        let in_force = self.house.current.load().seq;
        let current = enter_bundle(&self.house.journal, &self.house.shelf, bundle, in_force)?;
        self.house.current.store(Arc::new(current));
        Ok(())
    }

    /// How the global caps of the bundle in force stand; `None` as long as recovery has not read what was taken. Not for the way of
    /// an event.
    pub fn global_caps(&self) -> Option<Vec<GlobalCap>> {
        if !self.house.caps.is_known() {
            return None;
        }
        let in_force = self.in_force();
        let now = self.house.clock.wall();
        let caps = in_force.bundle.playbooks().iter().flat_map(|playbook| &playbook.caps);
        let mut standings: Vec<GlobalCap> = Vec::new();
        for cap in caps.filter(|cap| cap.scope == CapScope::Global) {
            if standings.iter().all(|known| known.cap.key != cap.key) {
                let (taken, unused) = self.house.caps.standing(cap, now);
                standings.push(GlobalCap { cap: cap.clone(), taken, unused });
            }
        }
        Some(standings)
    }

    /// Customers in memory.
    pub fn hot_customers(&self) -> usize {
        self.house.hot_customers()
    }

    /// Bytes that the customers in memory take, as they were last weighed.
    pub fn hot_bytes(&self) -> u64 {
        self.house.occupancy.bytes()
    }

    /// The busiest customers of about the last minute.
    pub fn busiest(&self, limit: usize) -> Busiest {
        self.house.crowd.busiest(limit, self.house.tick())
    }

    /// Turns that wait in mailboxes.
    pub fn waiting(&self) -> usize {
        self.house.waiting()
    }

    /// How long the keepers will take for the turns that wait. What one customer's mailbox holds does not count: it waits for
    /// that customer alone.
    pub fn backlog(&self) -> Duration {
        self.house.turns_take(self.house.waiting().saturating_sub(self.house.config.mailbox)) / self.keepers()
    }

    fn keepers(&self) -> u32 {
        u32::try_from(self.house.config.keepers).unwrap_or(u32::MAX).max(1)
    }

    /// Whether further turns are refused because the engine stops.
    pub fn is_stopping(&self) -> bool {
        self.house.is_stopping()
    }

    /// Takes no further turns.
    pub fn stop_taking(&self) {
        self.house.stop_taking();
    }

    /// Stores all changed states. Blocks; returns the record up to which all stored states are current.
    pub fn checkpoint(&self) -> Result<u64, JournalError> {
        let gone = || JournalError::Store("the archivist is gone".to_owned());
        let (reply, received) = mpsc::channel();
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.archivist.try_send(CheckpointNow(reply)).map_err(|_| gone())?;
        drop(runtime);
        received.recv().map_err(|_| gone())?
    }

    /// Stops the actors. What waits is dropped: take no further turns first, and let those that wait be taken.
    pub fn stop(&self) {
        drop(self.recovering.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner).stop();
        self.house.store.wind_down();
    }
}

#[cfg(test)]
impl Customers {
    /// A test door: a customer is busy until what is returned is called.
    pub(crate) fn keep_busy(&self, customer: &str) -> impl FnOnce() + use<> {
        let (house, owner) = (Arc::clone(&self.house), self.house.hold(customer));
        move || house.drive(owner, usize::MAX)
    }

    /// A test door: the numbered keeper does nothing until told to go on. What is returned hears when that begins.
    pub(crate) fn hold_keeper(&self, nth: usize, until: mpsc::Receiver<()>) -> mpsc::Receiver<()> {
        let (begun, hears) = mpsc::channel();
        self.house.keepers.hand_in(nth, super::keeper::Errand::Hold(begun, until));
        hears
    }

    /// A test door: owns a customer's cell, so that everyone else finds it busy.
    pub(super) fn hold(&self, customer: &str) -> super::cell::Owner {
        self.house.hold(customer)
    }

    /// A test door: a customer's state breaks, and the attempt to rebuild it fails.
    pub(super) fn break_state(&self, customer: &str) {
        let owner = self.house.hold(customer);
        *owner.state() = None;
        self.house.turn_away(owner, true, &super::Refusal::Failed(super::Failure::StateUnreadable));
    }

    /// A test door: everyone who is not busy is to be put to rest, whether it is time or not. Returns how many were asked.
    pub(super) fn rest_everyone(&self) -> usize {
        let cells = self.house.cells.all();
        let asked = cells.len();
        let archivist = self.runtime.lock().unwrap().archivist.clone();
        // An archivist that is behind has enough to do.
        let Some(leaving) = super::leaving::Leaving::of(&self.house, cells) else { return 0 };
        let is_taken = archivist.try_send(super::archivist::Retire(leaving)).is_ok();
        if is_taken { asked } else { 0 }
    }

    /// A test door: customers put to rest so far.
    pub(super) fn passivations(&self) -> u64 {
        self.house.metrics.passivations.get()
    }

    /// A test door: states written to the store so far.
    pub(super) fn saved(&self) -> u64 {
        self.house.metrics.saved.get()
    }

    /// A test door: how many jobs wait for a customer.
    pub(crate) fn mailbox_of(&self, customer: &str) -> usize {
        self.house.mailbox_of(customer)
    }

    /// Gives a cell back.
    pub(super) fn release(&self, owner: super::cell::Owner) {
        self.house.drive(owner, usize::MAX);
    }
}

impl Drop for Recovering {
    fn drop(&mut self) {
        self.house.backlog.abandon();
        if let Some(thread) = self.thread.take() {
            // A panic was noted where it happened.
            let _ = thread.join();
        }
    }
}
