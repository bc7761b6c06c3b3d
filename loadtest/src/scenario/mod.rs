//! A scenario: what is asked of an engine, at what pace, and what happens to it meanwhile. As data, read from TOML.
//!
//! This room runs nothing. Its types can only be built by its reader, which finds all faults of a file at once, and be changed by
//! the options of the command.
//!
//! | file | noun |
//! |---|---|
//! | `reader` | a scenario from its file: the whole, the population, the calls |
//! | `course_reader` | phases, events, the promise |
//! | `engine_reader` | the engine of a scenario and its provider |
//! | `overriding` | options of the command over a scenario |
//! | `shipped` | the scenarios that the binary brings |

mod course_reader;
mod engine_reader;
mod overriding;
mod reader;
mod shipped;
#[cfg(test)]
mod tests;

pub(crate) use reader::read;
pub(crate) use shipped::{find, shipped};

use std::path::PathBuf;
use std::time::Duration;

use crate::population::Spread;

/// An answer has a way to go, and the driver shares the machine with the engine.
const GRACE: Duration = Duration::from_millis(50);

/// A scenario.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) transport: Transport,
    /// Driver threads, if the scenario says.
    pub(crate) threads: Option<usize>,
    /// Connections of all threads together.
    pub(crate) connections: usize,
    /// How long an answer is waited for.
    pub(crate) timeout: Duration,
    /// How long a call waits for a free connection before it is given up.
    pub(crate) give_up: Duration,
    pub(crate) engine: EngineSource,
    pub(crate) provider: Option<ProviderSource>,
    pub(crate) population: Population,
    pub(crate) calls: Vec<Call>,
    pub(crate) phases: Vec<Phase>,
    pub(crate) events: Vec<Event>,
    pub(crate) promise: Promise,
}

/// How the engine is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// In the driver's process.
    InProcess,
    /// Over HTTP in JSON.
    Json,
    /// Over HTTP in MessagePack.
    MessagePack,
}

/// The engine: a configuration folder and what is different in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct EngineSource {
    /// The folder; `None` for the one that is shipped.
    pub(crate) config: Option<PathBuf>,
    /// Settings of `forthwith.toml` as environment variables have them.
    pub(crate) settings: Vec<(String, String)>,
    /// Keys of playbooks with other values: the playbook, and lines of TOML.
    pub(crate) playbooks: Vec<(String, Vec<(String, String)>)>,
    /// Files that are added or replaced: paths and texts.
    pub(crate) files: Vec<(String, String)>,
    /// How large the disk is that the data is on, if it is one of its own.
    pub(crate) disk_bytes: Option<u64>,
}

/// A provider of large models that behaves as it is told.
#[derive(Clone, Debug)]
pub(crate) struct ProviderSource {
    /// Its name under `[providers]`.
    pub(crate) name: String,
    pub(crate) behaviour: Behaviour,
}

/// How a provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// It answers after so long.
    Healthy(Duration),
    /// It answers after 50 ms, but for a tenth of the questions after two seconds.
    Bimodal,
    /// It never answers.
    Hanging,
    /// Five seconds healthy, five seconds hanging.
    Flapping,
    /// It answers with 500.
    Failing,
}

/// Whom the events are about.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    pub(crate) spread: Spread,
    pub(crate) customers: u64,
    pub(crate) start: Start,
    /// The share of calls that repeat an earlier event.
    pub(crate) repeats: f64,
    pub(crate) seed: u64,
    /// Recorded events in place of all that.
    pub(crate) recorded: Option<Recorded>,
}

/// How customers are when the run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Nobody has heard of them.
    New,
    /// In memory.
    Warm,
    /// Known, and at rest: the engine was stopped and started again.
    Resting,
}

/// Recorded events.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// CloudEvents, one a line.
    pub(crate) lines: String,
    /// How much faster than they came; `None` for as fast as it goes.
    pub(crate) speed: Option<f64>,
}

/// A kind of call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) playbook: String,
    /// CloudEvents, one a line, whose types and data are sent.
    pub(crate) samples: String,
    /// How often it is made beside the others.
    pub(crate) share: f64,
    /// How long a caller waits; `None` for as long as the playbook says.
    pub(crate) budget: Option<Duration>,
}

/// A stretch of a run.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) seconds: f64,
    pub(crate) arrivals: Arrivals,
    pub(crate) is_counted: bool,
}

/// How calls arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Arrivals {
    /// So many callers, each of whom makes the next call when the last is answered.
    Closed {
        /// All threads' together.
        callers: usize,
        /// Whether what is answered in it is the peak that others are measured by.
        is_peak: bool,
    },
    /// Callers who do not wait for each other.
    Open {
        /// How many calls a second.
        rate: Rate,
        /// Whether gaps are drawn; otherwise they are all the same.
        is_poisson: bool,
    },
    /// As recorded.
    Recorded,
}

/// How many calls a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rate {
    PerSecond(f64),
    /// So many times the peak.
    OfPeak(f64),
}

/// Something that is done to the engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    /// How often again after that, to the end of the run.
    pub(crate) every: Option<Duration>,
    pub(crate) what: What,
}

/// What is done to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The configuration changes and is loaded again.
    Reload,
    /// The process is killed and started again on the same data.
    KillAndRestart,
    /// The engine is stopped in good order and started again.
    StopAndRestart,
    /// The disk is filled by somebody else.
    FillDisk,
    /// What filled it is removed.
    FreeDisk,
    /// The provider of large models behaves otherwise.
    Provider(Behaviour),
}

/// What must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Promise {
    pub(crate) p99_us: Option<f64>,
    pub(crate) late_share: Option<f64>,
    pub(crate) lost_share: Option<f64>,
    /// The share of calls that may fail otherwise than shed in words; those apart that the driver had no connection for.
    pub(crate) failed_share: Option<f64>,
    /// How much later than its deadline an answer may be heard before it is late.
    pub(crate) grace: Option<Duration>,
    /// Answers in time while more is offered than can be done, as a share of the peak.
    pub(crate) goodput_of_peak: Option<f64>,
    /// What the least lucky class of customers is answered of what the luckiest is.
    pub(crate) fairness: Option<f64>,
    /// Bytes of memory that an hour may add.
    pub(crate) memory_drift_per_hour: Option<f64>,
    /// Open files that an hour may add.
    pub(crate) file_drift_per_hour: Option<f64>,
    /// Every acknowledged decision is there in the end.
    pub(crate) verify: bool,
}

impl Transport {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::Json => "json",
            Self::MessagePack => "msgpack",
        }
    }
}

impl What {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Reload => "reload",
            Self::KillAndRestart => "kill_and_restart",
            Self::StopAndRestart => "stop_and_restart",
            Self::FillDisk => "fill_disk",
            Self::FreeDisk => "free_disk",
            Self::Provider(_) => "provider",
        }
    }

    /// Whether the engine must be a process of its own for it.
    pub(crate) const fn needs_process(self) -> bool {
        matches!(self, Self::KillAndRestart | Self::StopAndRestart | Self::FillDisk | Self::FreeDisk)
    }
}

impl Scenario {
    /// How long all phases take together.
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.phases.iter().map(|phase| phase.seconds).sum())
    }

    /// How much later than its deadline an answer may be heard before it is late.
    pub(crate) fn grace(&self) -> Duration {
        self.promise.grace.unwrap_or(GRACE)
    }

    /// Whether anything in it kills the engine.
    pub(crate) fn kills(&self) -> bool {
        self.events.iter().any(|event| event.what == What::KillAndRestart)
    }
}
