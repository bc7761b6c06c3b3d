//! In place of the spans' way to a collector, where the command is built without it.

use super::log::AnyLayer;
use crate::config::LogSettings;
use crate::telemetry::Sampling;

/// Nobody.
pub(crate) enum Spans {}

impl Spans {
    /// None: the settings cannot name a collector in such a build.
    #[expect(clippy::unnecessary_wraps, reason = "as where there are spans")]
    pub(super) fn start(_: &LogSettings) -> Result<Option<Self>, String> {
        Ok(None)
    }

    pub(crate) fn sampling(&self) -> Sampling {
        match *self {}
    }

    pub(super) fn layer(&self) -> AnyLayer {
        match *self {}
    }
}
