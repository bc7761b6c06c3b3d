//! The engine: the one front door.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use super::admission::Admission;
use super::census::Census;
use super::export::EXPORTS_MAX;
use super::in_force::is_in_force;
use super::liveness::{Liveness, Round};
use super::metrics::{BundleSeries, Metrics};
use super::selfcheck::Board;
use super::slow_log::SlowLog;
use super::slow_models::SlowModels;
use super::vital::Anatomy;
use super::{Config, Data, Error};
use crate::actor::{self, Customers, Failure, Progress, Recovered, RecoveryError, RecoveryProgress, Start};
use crate::bundle::{Bundle, Playbook, WhenDiskFull};
use crate::gateway::{self, Gateway};
use crate::journal::{
    self, Cut, DataDirectory, FORMAT, FjallStore, Gap, Journal, JournalError, Notary, NotaryError, Opening, StateStore,
};
use crate::telemetry::{Format, Registry, Sampling};
use crate::time::{Clock, Timer};

/// How long a stop waits for turns that are still in mailboxes.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// A running engine. Cheap to clone; usable from any async runtime, for it brings its own threads.
///
/// See the [crate's front page](crate) for an example.
#[derive(Clone, Debug)]
pub struct Engine(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    // Dropped first: it looks at threads that end with the others.
    pub(super) liveness: Liveness,
    pub(super) customers: Customers,
    pub(super) slow_models: SlowModels,
    pub(super) gateway: Gateway,
    pub(super) journal: Journal,
    pub(super) admission: Admission,
    /// Signs tree heads; not over data that vanishes with the engine.
    pub(super) notary: Option<Notary>,
    pub(super) clock: Clock,
    pub(super) timer: Timer,
    pub(super) metrics: Metrics,
    census: Census,
    pub(super) spans: Sampling,
    pub(super) slow: SlowLog,
    pub(super) registry: Registry,
    /// What came of the self-check.
    pub(super) board: Board,
    pub(super) series: ArcSwap<BundleSeries>,
    /// Held by whoever puts another bundle in force.
    changing: Mutex<()>,
    /// Exports that may begin.
    pub(super) exports: Arc<Semaphore>,
    started: Started,
    // Dropped last: the lock, then the folder.
    pub(super) directory: DataDirectory,
    _temporary: Option<TempDir>,
}

/// How a journal is opened.
type OpenJournal =
    dyn Fn(&Path, &journal::Config, Clock, journal::Metrics, u64) -> Result<(Journal, Opening), JournalError>;

/// What an engine found when it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// What recovery did before anyone was served, and what it left to be done behind. [`Engine::recovery`] says how that goes on.
    pub recovered: Recovered,
    /// The torn end of an interrupted write that was cut off the journal, if there was one.
    pub cut: Option<Cut>,
    /// What the journal has lost to damage, accounted for by `forthwith repair`.
    pub gaps: Vec<Gap>,
    /// What became of a data directory of an older format, if it was one.
    pub migrated: Option<Migrated>,
}

/// A data directory that an older release has written, and this one goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The format it had.
    pub from: u32,
    /// The format it has now: older releases refuse it.
    pub to: u32,
    /// Segments of the journal that stay as they were written. Full ones are sealed in the background.
    pub segments: u64,
}

/// What an engine did when it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The last record in the journal.
    pub last_seq: u64,
    /// Turns that were still waiting when their time was up; none was begun.
    pub dropped: usize,
}

/// Why an engine cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data directory or the journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The signed tree heads, or the key that signs them.
    #[error(transparent)]
    Notary(#[from] NotaryError),
    /// The states.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// A model of the bundle.
    #[error("{0}")]
    Model(String),
    /// The calls of large models.
    #[error(transparent)]
    Gateway(#[from] gateway::StartError),
    /// A temporary directory or a thread.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

impl Engine {
    /// Starts an engine: opens the data, brings the stored states up to date with the journal, starts its threads. Blocks until
    /// decisions can be given, which is before that if there is much to do: then it goes on behind, and whoever is asked for is brought
    /// up to date first.
    pub fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with(config, &mut |_, _| {})
    }

    /// Starts an engine and tells how far it has come with what must be read before decisions can be given: the record, and the last
    /// one.
    pub fn start_with(config: Config, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, StartError> {
        Self::start_by(config, progress, &Journal::open_behind)
    }

    fn start_by(config: Config, progress: &mut dyn FnMut(u64, u64), open: &OpenJournal) -> Result<Self, StartError> {
        let slow = SlowLog::new(&config);
        let Config { bundle, data, tenant, journal: journal_config, notary, customers, clock, spans, .. } = config;
        let (inference, slow_models, stuck_after) = (config.inference, config.slow_models, config.stuck_after);
        let failed = |action| move |source| StartError::System { action, source };
        let (path, temporary) = match data {
            Data::Directory(path) => (path, None),
            Data::Temporary => {
                let folder = tempfile::Builder::new().prefix("forthwith-").tempdir();
                let folder = folder.map_err(failed("make a temporary directory"))?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let registry = Registry::default();
        let census = Census::new(&registry, clock.wall());
        census.bounded_by(&journal_config, &customers);
        let timer = Timer::start(clock.clone()).map_err(failed("start the timer's thread"))?;
        // Before the data is touched: a bundle that cannot decide is refused.
        let slow_models = SlowModels::new((inference, slow_models), &registry, (clock.clone(), timer.clone()));
        slow_models.put(slow_models.load(&bundle).map_err(StartError::Model)?);
        let directory = DataDirectory::open(&path)?;
        let gateway = Gateway::start(config.gateway, directory.path(), (clock.clone(), timer.clone()), &registry)?;
        let journal_metrics = journal::Metrics::new(&registry);
        // Before the journal: it tells an end that was lost from the end of an interrupted write.
        let store = Arc::new(FjallStore::open(&directory.store())?);
        let stored = store.last_checkpoint()?.map_or(0, |checkpoint| checkpoint.seq);
        let (journal, opening) = open(&directory.journal(), &journal_config, clock.clone(), journal_metrics, stored)?;
        let migrated = directory.migrated_from().map(|from| Migrated { from, to: FORMAT, segments: opening.segments });
        tell(&opening, migrated);
        // Before anything is appended: a journal that does not fit what was signed over it is left as it is.
        let notary = match &temporary {
            None => Some(Notary::start(&directory, &journal, &notary, clock.clone())?),
            Some(_) => None,
        };
        if opening.gaps.iter().any(|gap| gap.last_seq() > stored) {
            tracing::warn!(
                stored,
                "the store did not have what the journal has lost: states are brought up to date without it"
            );
        }
        let customers = Customers::start(Start {
            config: customers,
            tenant,
            clock: clock.clone(),
            journal: journal.clone(),
            store,
            bundle: Arc::new(bundle),
            metrics: actor::Metrics::new(&registry),
            progress: Progress(progress),
        })?;
        let metrics = Metrics::new(&registry);
        let admission = Admission::new(config.admission, &registry);
        admission.fit(budgets(&customers.in_force().bundle));
        let series = metrics.of_bundle(Arc::clone(&customers.in_force().bundle), None, clock.instant());
        census.put_in_force(&series.bundle, clock.wall());
        let board = Board::new(&registry);
        board.follow(&customers.in_force().bundle, clock.wall());
        let anatomy = Anatomy {
            journal: journal.clone(),
            actors: customers.pulses(),
            gateway: gateway.clone(),
            timer: timer.clone(),
            clock: clock.clone(),
        };
        let round = Round::new(anatomy.vitals(), |thread| metrics.thread_still.with(&[thread]));
        // By the machine's clock, whatever the engine's is: threads move in real time.
        let liveness = Liveness::start(round, stuck_after, Clock::system());
        let liveness = liveness.map_err(failed("start the thread that watches the others"))?;
        let Opening { cut, gaps, .. } = opening;
        let started = Started { recovered: customers.recovered(), cut, gaps, migrated };
        Ok(Self(Arc::new(Inner {
            liveness,
            customers,
            slow_models,
            gateway,
            journal,
            admission,
            notary,
            clock,
            timer,
            metrics,
            census,
            spans,
            slow,
            registry,
            board,
            series: ArcSwap::from_pointee(series),
            changing: Mutex::default(),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            started,
            directory,
            _temporary: temporary,
        })))
    }

    /// What the engine found when it started.
    pub fn started(&self) -> &Started {
        &self.0.started
    }

    /// The folder that its data is in.
    pub fn data(&self) -> &Path {
        self.0.directory.path()
    }

    /// How far recovery has come. It goes on behind the decisions that are given.
    pub fn recovery(&self) -> RecoveryProgress {
        self.0.customers.recovery()
    }

    /// The bundle in force.
    pub fn bundle(&self) -> Arc<Bundle> {
        Arc::clone(&self.0.customers.in_force().bundle)
    }

    /// Puts another bundle in force, all or nothing: it is written to the journal first, decisions under way end on theirs,
    /// every later one is made on this. Blocks for one write to the disk; fails while the disk is full.
    pub fn change_bundle(&self, bundle: Bundle) -> Result<(), Error> {
        self.try_change_bundle(bundle).inspect_err(|_| self.refuse_bundle())
    }

    /// Counts a bundle that was to be put in force and was not: it cannot be read, or cannot decide.
    pub fn refuse_bundle(&self) {
        self.0.census.bundles_refused.inc();
    }

    fn try_change_bundle(&self, bundle: Bundle) -> Result<(), Error> {
        if self.is_disk_full() {
            return Err(JournalError::DiskFull.into());
        }
        // One after the other: the slow models in force must be those of the bundle in force.
        let _changing = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let slow_models = self.0.slow_models.load(&bundle).map_err(Error::Model)?;
        // Turns on the new bundle may begin before anybody hears that it is in force.
        let before = self.0.slow_models.loaded();
        self.0.slow_models.put_beside(&slow_models);
        let changed = self.0.customers.change_bundle(Arc::new(bundle));
        self.0.slow_models.put(if changed.is_ok() { slow_models } else { before });
        if changed.is_err() {
            // The slow models of the bundle that was refused have series already.
            let series = self.0.series.load();
            self.0.registry.keep(&|labels| is_in_force(&series, labels));
        }
        changed.map_err(|error| match error {
            RecoveryError::Journal(error @ JournalError::TooLarge { .. }) => {
                Error::Failed(Failure::RecordTooLarge(error.to_string().into()))
            }
            RecoveryError::Journal(error) => error.into(),
            error => Error::Record(error.to_string()),
        })?;
        let bundle = self.bundle();
        self.0.admission.fit(budgets(&bundle));
        tracing::info!(bundle = %bundle.id(), "another bundle is in force");
        self.0.board.follow(&bundle, self.0.clock.wall());
        let (before, now) = (self.0.series.load(), self.0.clock.instant());
        self.0.census.put_in_force(&bundle, self.0.clock.wall());
        let series = Arc::new(self.0.metrics.of_bundle(bundle, Some(&before), now));
        self.0.series.store(Arc::clone(&series));
        // Series of names that have gone would add up from one reload to the next.
        self.0.registry.keep(&|labels| is_in_force(&series, labels));
        self.0.metrics.reloads.inc();
        Ok(())
    }

    /// The metrics page in Prometheus' text format.
    ///
    /// Asks each partition of customers how the global caps stand, where there are any: not for the way of an event.
    pub fn metrics(&self) -> String {
        self.metrics_in(Format::Text)
    }

    /// The metrics page in a format. What a page costs is a few tenths of a millisecond.
    pub fn metrics_in(&self, format: Format) -> String {
        let inner = &self.0;
        inner.census.read(inner.customers.waiting(), inner.journal.synced_seq());
        inner.admission.tell(inner.clock.instant());
        inner.metrics.caps_stand(&self.caps_in_numbers());
        inner.metrics.budgets_stand(&self.budgets_in_numbers());
        let series = inner.series.load();
        inner.metrics.models_stand(&series, inner.clock.instant());
        inner.board.stand(inner.clock.wall(), |name, reason| {
            series.playbooks.get(series.bundle.playbook_number(name)?)?.exercised.last(reason)
        });
        inner.registry.page(format)
    }

    /// Which calls have spans.
    pub fn spans(&self) -> &Sampling {
        &self.0.spans
    }

    /// Why the engine acknowledges nothing any more, if that is so.
    pub fn stopped_because(&self) -> Option<Arc<str>> {
        self.0.journal.stopped().or_else(|| self.recovery().failure().map(Arc::from))
    }

    /// Whether the engine has been told to stop.
    #[cfg(feature = "cli")]
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.customers.is_stopping()
    }

    /// Whether the engine waits for room on the disk.
    pub fn is_disk_full(&self) -> bool {
        self.0.journal.is_disk_full()
    }

    /// Whether some playbook goes on being answered while the disk is full, and there is memory left for it.
    pub fn answers_without_disk(&self) -> bool {
        let answers = |playbook: &Playbook| playbook.when_disk_full == WhenDiskFull::Answer;
        self.0.journal.has_overflow_room() && self.bundle().playbooks().iter().any(answers)
    }

    /// Customers in memory.
    pub fn hot_customers(&self) -> usize {
        self.0.customers.hot_customers()
    }

    /// Stops: takes nothing more, lets what waits be decided, stores all states, ends the journal in good order. Blocks.
    /// Calls that come later are shed.
    pub fn shutdown(&self) -> Result<Stopped, Error> {
        let inner = &self.0;
        inner.liveness.stop();
        inner.customers.stop_taking();
        inner.journal.leave();
        let start = inner.clock.instant();
        while inner.customers.waiting() > 0 && inner.clock.instant().since(start) < DRAIN_MAX {
            std::thread::sleep(Duration::from_millis(1));
        }
        let dropped = inner.customers.waiting();
        inner.slow_models.stop();
        inner.gateway.stop();
        // States that are not stored are found in the journal again, so a failure here loses nothing; nor does a recovery that has
        // not come to its end.
        if let Err(error) = inner.customers.checkpoint() {
            tracing::warn!(%error, "the states were not all stored; the next start reads them from the journal");
        }
        inner.customers.stop();
        inner.journal.close()?;
        if let Some(Err(error)) = inner.notary.as_ref().map(Notary::close) {
            tracing::error!(%error, "no tree head was signed over the last records; the next start signs one");
        }
        Ok(Stopped { last_seq: inner.journal.synced_seq(), dropped })
    }
}

/// How long the callers of a bundle's playbooks wait.
fn budgets(bundle: &Bundle) -> impl Iterator<Item = Duration> {
    bundle.playbooks().iter().map(|playbook| playbook.budget)
}

/// Says in the log what was found when the journal was opened.
fn tell(opening: &Opening, migrated: Option<Migrated>) {
    if let Some(Migrated { from, to, segments }) = migrated {
        tracing::info!(
            from,
            to,
            segments,
            "the data directory was of an older format; its segments stay as they are, and full ones are sealed in the background"
        );
    }
    if let Some(cut) = &opening.cut {
        tracing::warn!(
            file = %cut.path.display(), offset = cut.offset, bytes = cut.bytes,
            "cut off the torn end of the journal, as an interrupted write leaves it; no tree head and no checkpoint of the store knows of \
             anything in it"
        );
    }
    for gap in &opening.gaps {
        tracing::warn!(
            first = gap.first_seq, last = gap.last_seq(), repaired_at = %gap.repaired_at,
            "records were lost to damage before the journal was repaired"
        );
    }
}

#[cfg(test)]
impl Engine {
    /// A test door: an engine whose journal is on a disk with faults.
    pub(crate) fn start_on(disk: &Arc<journal::FaultyDisk>, config: Config) -> Result<Self, StartError> {
        let disk = Arc::clone(disk);
        Self::start_by(config, &mut |_, _| {}, &move |folder, config, clock, metrics, stored| {
            Journal::open_behind_on(Arc::clone(&disk) as _, folder, config, clock, metrics, stored)
        })
    }

    /// A test door: how many turns wait for a customer.
    pub(crate) fn waiting_for(&self, customer: &str) -> usize {
        self.0.customers.mailbox_of(customer)
    }

    /// A test door: a customer is busy until what is returned is called.
    pub(crate) fn keep_busy(&self, customer: &str) -> impl FnOnce() + use<> {
        self.0.customers.keep_busy(customer)
    }
}
