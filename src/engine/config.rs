//! What an engine is started with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{SlowModelLoader, admission, slow_model_loader};
use crate::actor;
use crate::bundle::Bundle;
use crate::domain::TenantId;
use crate::gateway;
use crate::journal;
use crate::serving;
use crate::telemetry::Sampling;
use crate::time::Clock;

/// What an engine is started with. Plain data: any value is fine.
pub struct Config {
    /// What it decides with.
    pub bundle: Bundle,
    /// Where its journal and states are kept.
    pub data: Data,
    /// Whose engine it is; part of every key.
    pub tenant: TenantId,
    /// How the journal is kept.
    pub journal: journal::Config,
    /// How tree heads over the journal are signed.
    pub notary: journal::NotaryConfig,
    /// How customers are kept.
    pub customers: actor::Config,
    /// How slow models are asked.
    pub inference: serving::Config,
    /// How slow models are made from their files. By default [`slow_model_loader`] without a
    /// library.
    pub slow_models: Arc<SlowModelLoader>,
    /// The providers of large models, and how they are called.
    pub gateway: gateway::Config,
    /// How much is taken on.
    pub admission: admission::Config,
    /// How long a thread that the engine cannot do without may stand still before the engine counts as stuck.
    pub stuck_after: Duration,
    /// Which calls have `tracing` spans: by default none. Whoever has them exported says how many.
    pub spans: Sampling,
    /// The share of its budget, in millionths, above which a decision counts as slow and has a line in the log; 0 for never.
    pub slow_share_ppm: u32,
    /// The clock: the machine's, unless a test brings its own.
    pub clock: Clock,
}

/// Longer than anything takes that a thread does between two signs of life on a machine that is overloaded, and short enough that a
/// supervisor who asks every ten seconds has an engine that is stuck restarted within a minute.
pub const STUCK_AFTER_DEFAULT: Duration = Duration::from_secs(30);

/// Where an engine keeps its journal and states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// In a directory, which is made if need be. One engine at a time.
    Directory(PathBuf),
    /// In a directory of the system's for temporary files, which is removed with the engine.
    Temporary,
}

impl Config {
    /// A bundle with defaults for everything else, kept in a temporary directory.
    pub fn new(bundle: Bundle) -> Self {
        Self {
            bundle,
            data: Data::Temporary,
            tenant: TenantId::default(),
            journal: journal::Config::default(),
            notary: journal::NotaryConfig::default(),
            customers: actor::Config::default(),
            inference: serving::Config::default(),
            slow_models: slow_model_loader(None, 1),
            gateway: gateway::Config::default(),
            admission: admission::Config::default(),
            stuck_after: STUCK_AFTER_DEFAULT,
            spans: Sampling::off(),
            slow_share_ppm: super::slow_log::SLOW_PPM,
            clock: Clock::system(),
        }
    }

    /// The same with the data in a directory.
    #[must_use]
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data = Data::Directory(directory.into());
        self
    }

    /// The same for work in bulk on history ([`Timing::EventTime`](super::Timing::EventTime)): what has expired by the clock stays
    /// in the states, since it had not at the time that is decided as of.
    #[must_use]
    pub fn for_history(mut self) -> Self {
        self.customers.expired = actor::Expired::Kept;
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("bundle", &self.bundle.id()).field("data", &self.data).finish_non_exhaustive()
    }
}
