//! The face of the room.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::config::Config;
use super::course;
use super::desk::{Desk, Furniture, Takeoff};
use super::kept_file::KeptFile;
use super::metrics::Metrics;
use super::pending::Pending;
use super::roster::Roster;
use super::standing::ProviderStanding;
use super::switches::{SwitchBoard, SwitchError, SwitchKind, SwitchedOff};
use super::till::Till;
use crate::agents::{Question, Target};
use crate::domain::{Money, Timestamp};
use crate::telemetry::Registry;
use crate::time::{Clock, Deadline, Timer};

/// Calls large models. Cheap to clone; its thread ends when the last clone is dropped.
#[derive(Clone)]
pub struct Gateway(Arc<Running>);

struct Running {
    desk: Arc<Desk>,
    board: SwitchBoard,
    /// To the thread; none without providers, and once it is to end.
    calls: Mutex<Option<mpsc::Sender<Order>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the thread is told to do.
#[expect(clippy::large_enum_variant, reason = "a call is the rule; a box would cost each an allocation")]
enum Order {
    /// To drive a call.
    Fly(Takeoff),
    /// To say that it has come so far.
    Answer(oneshot::Sender<()>),
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings of a provider cannot be.
    #[error("provider `{name}`: {problem}")]
    Provider {
        /// Its name.
        name: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// What must outlive a restart cannot be read.
    #[error("{0}")]
    Folder(String),
    /// The system gives no thread.
    #[error("failed to start the gateway's thread: {0}")]
    Thread(#[from] io::Error),
}

/// How long a stop waits for what cannot be interrupted, such as a look-up of a name.
const GRACE: Duration = Duration::from_secs(1);

/// Threads for what must wait: looks-up of names, writes to the disk.
const WAITING_THREADS_MAX: usize = 8;

impl Gateway {
    /// Starts its thread, if there are providers. `folder` is where it keeps what must outlive it: what was spent, and what is
    /// switched off.
    pub fn start(
        config: Config,
        folder: &Path,
        (clock, timer): (Clock, Timer),
        registry: &Registry,
    ) -> Result<Self, StartError> {
        let metrics = Metrics::new(registry);
        let roster = Roster::new(&config, &metrics, clock.instant())
            .map_err(|(name, problem)| StartError::Provider { name, problem })?;
        let told = |e: &dyn fmt::Display| StartError::Folder(e.to_string());
        let till = Till::open(Box::new(KeptFile::new(folder, "spending.json"))).map_err(|e| told(&e))?;
        let board = SwitchBoard::open(Box::new(KeptFile::new(folder, "switches.json"))).map_err(|e| told(&e))?;
        let (switches, calls_max, is_idle) = (board.switches(), config.calls_max.max(1), roster.is_empty());
        let desk = Arc::new(Desk::new(Furniture { config, roster, switches, till, metrics, clock, timer }));
        let (calls, thread) = match is_idle {
            true => (None, None),
            false => {
                let (calls, thread) = drive(&desk, calls_max)?;
                (Some(calls), Some(thread))
            }
        };
        let (calls, thread) = (Mutex::new(calls), Mutex::new(thread));
        Ok(Self(Arc::new(Running { desk, board, calls, thread })))
    }

    /// Declares the series of a gateway, without starting one.
    pub fn declare(registry: &Registry) {
        let _ = Metrics::new(registry);
    }

    /// Whether any of these is a model of a provider that is configured.
    pub fn serves(&self, targets: &[Target]) -> bool {
        targets.iter().any(|target| self.0.desk.roster.find(target).is_some())
    }

    /// Asks. The reply is there by the deadline; at once where asking is of no use. Waits for nothing.
    #[expect(clippy::needless_pass_by_value, reason = "a question that is asked belongs to the call")]
    pub fn ask(&self, question: Arc<Question>, deadline: Deadline) -> Pending {
        self.0.desk.ask(&question, deadline, |takeoff| self.0.take_off(takeoff))
    }

    /// How every provider stands, by name.
    pub fn providers(&self) -> Vec<ProviderStanding> {
        self.0.desk.roster.stand(self.0.desk.clock.instant())
    }

    /// Everything that is switched off, by kind and name.
    pub fn switches(&self) -> Vec<Arc<SwitchedOff>> {
        self.0.desk.switches.list()
    }

    /// Switches something off: nobody asks it from now on, and what it says to those who have asked is not used. That holds at
    /// once, and after a restart when this returns well. Waits for the disk.
    pub fn switch_off(&self, kind: SwitchKind, name: &str, reason: &str, who: &str) -> Result<(), SwitchError> {
        let since = self.0.desk.clock.wall();
        let off = SwitchedOff { kind, name: name.into(), reason: reason.into(), who: who.into(), since };
        self.0.board.turn_off(off, || self.0.desk.look())
    }

    /// Switches it on again; whether it was off. Waits for the disk.
    pub fn switch_on(&self, kind: SwitchKind, name: &str) -> Result<bool, SwitchError> {
        self.0.board.turn_on(kind, name)
    }

    /// What was spent of a budget on the day of `wall`, with what is reserved for calls under way.
    pub fn spent(&self, budget: &str, wall: Timestamp) -> Money {
        self.0.desk.till.gone(budget, wall)
    }

    /// Resolves when its thread has come to the end of what waits for it now: a sign of life. `None` where it has no thread; one whose
    /// queue is full says nothing.
    pub fn sign_of_life(&self) -> Option<oneshot::Receiver<()>> {
        let calls = lock(&self.0.calls).clone()?;
        let (reply, answer) = oneshot::channel();
        match calls.try_send(Order::Answer(reply)) {
            Err(mpsc::error::TrySendError::Closed(_)) => None,
            // The answer of a queue without room fails: nobody will give it.
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Some(answer),
        }
    }

    /// Ends its thread; who waits is told that the model failed. What was spent is written down.
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl Running {
    fn take_off(&self, takeoff: Takeoff) -> Result<(), Box<Takeoff>> {
        let Some(calls) = lock(&self.calls).clone() else { return Err(Box::new(takeoff)) };
        calls.try_send(Order::Fly(takeoff)).or_else(|e| match e.into_inner() {
            Order::Fly(takeoff) => Err(Box::new(takeoff)),
            Order::Answer(_) => Ok(()),
        })
    }

    fn stop(&self) {
        self.desk.stop();
        drop(lock(&self.calls).take());
        let Some(thread) = lock(&self.thread).take() else { return };
        // The last clone may be dropped by somebody who heard a late reply there.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("config", &self.0.desk.config).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that drives the calls.
fn drive(desk: &Arc<Desk>, calls_max: usize) -> io::Result<(mpsc::Sender<Order>, JoinHandle<()>)> {
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(WAITING_THREADS_MAX).build()?;
    let (calls, mut taken) = mpsc::channel::<Order>(calls_max);
    let desk = Arc::clone(desk);
    let thread = thread::Builder::new().name("forthwith-gateway".to_owned()).spawn(move || {
        runtime.block_on(async {
            while let Some(order) = taken.recv().await {
                match order {
                    Order::Fly(takeoff) => drop(tokio::spawn(course::fly(Arc::clone(&desk), takeoff))),
                    // Who has asked may not wait any more.
                    Order::Answer(reply) => drop(reply.send(())),
                }
            }
        });
        end(runtime);
        desk.till.close();
    })?;
    Ok((calls, thread))
}

/// Ends the calls that are under way: each tells those who wait for it.
fn end(runtime: Runtime) {
    runtime.shutdown_timeout(GRACE);
}
