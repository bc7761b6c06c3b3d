//! The pool, its handle, its threads.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{info, warn};

use super::answer::{Answer, Pending};
use super::config::Config;
use super::metrics::{Metrics, ModelMetrics};
use super::model::{ModelFault, Scores, SlowModel};
use super::queue::{Question, Turned};
use super::roster::{Batch, Health, Hopeless, Next, Roster, Seat};
use crate::sync::{Condvar, Mutex, MutexGuard, thread, wait_while_at_most};
use crate::time::{Clock, Deadline, Instant, Timer};

/// The inference pool. Dropping it shuts it down.
pub struct Pool(Arc<Shared>);

/// A model of a pool, to be asked. Cheap to clone; when the last one is dropped, the pool lets the model go.
#[derive(Clone)]
pub struct ModelHandle(Arc<Registered>);

struct Registered {
    shared: Arc<Shared>,
    id: u64,
    name: Arc<str>,
}

struct Shared {
    roster: Mutex<Roster>,
    changed: Condvar,
    /// A thread has ended.
    ended: Condvar,
    config: Config,
    clock: Clock,
    timer: Timer,
    metrics: Metrics,
}

/// How long a shutdown waits for models that are being asked. What takes longer is left behind: its thread ends when the model
/// comes back, and whoever asked it is answered at the deadline.
const GRACE: Duration = Duration::from_secs(2);

/// How long a model that could not be rebuilt is left alone: rebuilding may read files and take a core for a while.
const REBUILD_AFTER: Duration = Duration::from_secs(1);

// === impl Pool ===

impl Pool {
    /// Starts the threads.
    pub fn start(config: Config, clock: Clock, timer: Timer, metrics: Metrics) -> std::io::Result<Self> {
        let (changed, ended) = (Condvar::new(), Condvar::new());
        let roster = Mutex::new(Roster::default());
        let pool = Self(Arc::new(Shared { roster, changed, ended, config, clock, timer, metrics }));
        for nth in 0..pool.0.config.threads.max(1) {
            let shared = Arc::clone(&pool.0);
            pool.0.lock().running += 1;
            let thread = thread::Builder::new().name(format!("forthwith-inference-{nth}"));
            if let Err(e) = thread.spawn(move || shared.run()) {
                pool.0.lock().running -= 1;
                return Err(e);
            }
        }
        Ok(pool)
    }

    /// Takes a model in, under the name that its series carry.
    pub fn register(&self, name: &str, model: Box<dyn SlowModel>) -> ModelHandle {
        let shared = Arc::clone(&self.0);
        let name: Arc<str> = name.into();
        let seat = Seat { name: Arc::clone(&name), model, health: Health::Sound };
        let id = shared.lock().enter(seat, shared.metrics.of(&name), &shared.config, shared.clock.instant());
        ModelHandle(Arc::new(Registered { shared, id, name }))
    }

    /// Answers whoever waits that the pool has stopped, and lets batches that are being asked come to their end, for two seconds
    /// at most. Whoever asks from now on is told the same.
    pub fn shutdown(&self) {
        let shared = &self.0;
        let mut roster = shared.lock();
        roster.is_closing = true;
        roster.changes += 1;
        let waiting: Hopeless =
            roster.entries().map(|entry| (Arc::clone(&entry.metrics), entry.queue.drain().collect())).collect();
        drop(roster);
        shared.changed.notify_all();
        for (metrics, questions) in waiting {
            shared.metrics.waiting.add(-(questions.len() as i64));
            for question in questions {
                metrics.stopped.inc();
                // Nobody may wait for it any more.
                let _ = question.answer.send(Answer::Stopped);
            }
        }
        let left = wait_while_at_most(&shared.ended, shared.lock(), GRACE, |roster| roster.running > 0).running;
        if left > 0 {
            warn!(threads = left, "slow models did not come back; they are left behind");
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", &self.0.config).finish_non_exhaustive()
    }
}

// === impl ModelHandle ===

impl ModelHandle {
    /// The name under which the model was registered.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Asks the model about a text. The answer is there by the deadline, whatever the model does; at once if there is no
    /// time or no room.
    pub fn ask(&self, text: impl Into<Arc<str>>, deadline: Deadline) -> Pending {
        let Registered { shared, id, .. } = &*self.0;
        let (answer, receiver) = oneshot::channel();
        let asked = shared.clock.instant();
        let question = Question { text: text.into(), asked, deadline, answer };
        let mut hopeless = Vec::new();
        let mut roster = shared.lock();
        let is_closing = roster.is_closing;
        // INVARIANT: a model is registered as long as it has a handle.
        let Some(entry) = roster.entry(*id) else { return Pending::known(Answer::Stopped) };
        let metrics = Arc::clone(&entry.metrics);
        if is_closing {
            metrics.stopped.inc();
            return Pending::known(Answer::Stopped);
        }
        let pushed = entry.queue.push(question, &mut hopeless);
        roster.changes += 1;
        shared.metrics.waiting.add(i64::from(pushed.is_ok()));
        drop(roster);
        shared.turn_away(&metrics, hopeless, asked);
        match pushed {
            Ok(()) => {
                shared.changed.notify_one();
                Pending::waiting(receiver, shared.timer.at(deadline.instant()))
            }
            Err((Turned::Late, _)) => {
                metrics.late.inc();
                Pending::known(Answer::Late)
            }
            Err((Turned::Shed, _)) => {
                metrics.shed.inc();
                Pending::known(Answer::Shed)
            }
        }
    }
}

impl fmt::Debug for ModelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ModelHandle").field(&self.name()).finish()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // The model is dropped here, without the lock.
        let seat = self.shared.lock().leave(self.id);
        drop(seat);
    }
}

// === impl Shared: what a thread does ===

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut hopeless = Hopeless::new();
        let mut roster = self.lock();
        while !roster.is_closing {
            let now = self.clock.instant();
            let next = roster.next(now, &mut hopeless);
            let seen = roster.changes;
            if !hopeless.is_empty() || matches!(next, Next::Ask(_)) {
                drop(roster);
                for (metrics, questions) in hopeless.drain(..) {
                    self.turn_away(&metrics, questions, now);
                }
                if let Next::Ask(batch) = next {
                    // Another model may be due as well.
                    self.changed.notify_one();
                    self.ask(batch, now);
                }
                roster = self.lock();
                continue;
            }
            let is_unchanged = |roster: &mut Roster| roster.changes == seen;
            roster = match next {
                Next::WaitUntil(instant) => wait_while_at_most(&self.changed, roster, instant.since(now), is_unchanged),
                Next::Wait | Next::Ask(_) => self.changed.wait(roster).unwrap_or_else(PoisonError::into_inner),
            };
        }
        roster.running -= 1;
        drop(roster);
        self.ended.notify_all();
    }

    /// Puts a batch to its model, answers those in it and puts the model back.
    fn ask(&self, batch: Batch, closed: Instant) {
        let Batch { id, mut seat, metrics, questions, closed_by } = batch;
        let size = questions.len();
        self.metrics.waiting.add(-(size as i64));
        metrics.closed(closed_by);
        metrics.batch_texts.observe(size as f64);
        for question in &questions {
            metrics.wait_seconds.observe_duration(closed.since(question.asked));
        }
        let texts: Vec<&str> = questions.iter().map(|question| &*question.text).collect();
        let started = self.clock.instant();
        let scored = seat.score(&texts, started);
        let ended = self.clock.instant();
        let took = ended.since(started);
        metrics.service_seconds.observe_duration(took);
        let is_scored = scored.is_ok();
        answer(questions, scored, &metrics, ended);
        let mut roster = self.lock();
        if let Some(entry) = roster.entry(id) {
            entry.queue.done(size, took, is_scored, ended);
        }
        let gone = roster.sit(id, seat);
        drop(roster);
        drop(gone);
    }

    /// Answers questions that there is no time for.
    fn turn_away(&self, metrics: &ModelMetrics, questions: Vec<Question>, now: Instant) {
        self.metrics.waiting.add(-(questions.len() as i64));
        for question in questions {
            // Past its deadline nobody waits for it, which is not the same as to take it back.
            let is_late = question.deadline.is_past(now) || !question.answer.is_closed();
            let counter = if is_late { &metrics.late } else { &metrics.taken_back };
            counter.inc();
            let _ = question.answer.send(Answer::Late);
        }
    }
}

/// Answers everybody in a batch, once. Counted before it is sent, so that who has an answer finds it counted.
fn answer(questions: Vec<Question>, scored: Result<Vec<Scores>, ModelFault>, metrics: &ModelMetrics, ended: Instant) {
    match scored {
        Ok(scores) => {
            for (question, scores) in questions.into_iter().zip(scores) {
                let is_overdue = question.deadline.is_past(ended);
                let counter = match question.answer.is_closed() {
                    _ if is_overdue => &metrics.overdue,
                    true => &metrics.taken_back,
                    false => &metrics.scored,
                };
                counter.inc();
                let _ = question.answer.send(if is_overdue { Answer::Late } else { Answer::Scored(scores) });
            }
        }
        Err(fault) => {
            for question in questions {
                metrics.failed.inc();
                let _ = question.answer.send(Answer::Failed(Arc::clone(fault.reason())));
            }
        }
    }
}

// === impl Seat ===

impl Seat {
    /// Asks the model, rebuilding it before if it must be. Notes how it is afterwards.
    fn score(&mut self, texts: &[&str], now: Instant) -> Result<Vec<Scores>, ModelFault> {
        if let Health::Broken { retry_at, reason } = &self.health {
            if now < *retry_at {
                return Err(ModelFault::of_model(Arc::clone(reason)));
            }
            if let Err(fault) = unpanicked(|| self.model.rebuild()) {
                let reason: Arc<str> = format!("it could not be rebuilt: {fault}").into();
                self.health = Health::Broken { retry_at: now.after(REBUILD_AFTER), reason: Arc::clone(&reason) };
                return Err(ModelFault::of_model(reason));
            }
        }
        let scored = unpanicked(|| self.model.score(texts)).and_then(|scores| complete(scores, texts.len()));
        let health = match &scored {
            Ok(_) => Health::Sound,
            Err(fault) if fault.is_broken() => Health::Broken { retry_at: now, reason: Arc::clone(fault.reason()) },
            Err(_) => Health::Failing,
        };
        match (&self.health, &scored) {
            (Health::Sound, Err(fault)) => warn!(model = %self.name, reason = %fault, "a slow model failed"),
            (Health::Failing | Health::Broken { .. }, Ok(_)) => info!(model = %self.name, "a slow model is well again"),
            _ => {}
        }
        self.health = health;
        scored
    }
}

/// What the call gives; a panic is a fault of the model.
fn unpanicked<T>(call: impl FnOnce() -> Result<T, ModelFault>) -> Result<T, ModelFault> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|panic| Err(ModelFault::of_model(format!("it panicked: {}", said(&*panic)))))
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}

/// As many scores as texts, or a fault.
fn complete(scores: Vec<Scores>, texts: usize) -> Result<Vec<Scores>, ModelFault> {
    if scores.len() == texts {
        return Ok(scores);
    }
    Err(ModelFault::of_batch(format!("it gave {} scores for {texts} texts", scores.len())))
}
