//! The face of the room.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::config::Config;
use crate::agents::{Call, Question, Reply, Silence, Target};
use crate::telemetry::Registry;
use crate::time::{Clock, Deadline, Timer};

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {}

/// Calls large models. Cheap to clone; its threads end when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Gateway {}

/// A reply that is waited for, on any runtime or none; at the deadline at the latest it is there.
#[derive(Debug)]
#[must_use = "a question whose reply nobody waits for is taken back"]
pub struct Pending {}

/// The answer of a model that came after the deadline of its question.
#[derive(Clone, Debug, PartialEq)]
pub struct LateReply {
    /// What it said, and what was done for it.
    pub reply: Reply,
}

impl Gateway {
    /// Starts its threads, if there are providers. `folder` is where it keeps what must outlive it: what was spent, and what is
    /// switched off.
    pub fn start(
        _config: Config,
        _folder: &Path,
        (_clock, _timer): (Clock, Timer),
        _registry: &Registry,
    ) -> Result<Self, StartError> {
        Ok(Self {})
    }

    /// Whether any of these is a model of a provider that is configured.
    pub fn serves(&self, _targets: &[Target]) -> bool {
        false
    }

    /// Asks. The reply is there by the deadline; at once where asking is of no use.
    pub fn ask(&self, _question: Arc<Question>, _deadline: Deadline) -> Pending {
        Pending {}
    }

    /// Ends its threads; who waits is told that the model failed.
    pub fn stop(&self) {}
}

impl Pending {
    /// Hands a reply that comes after the deadline to `hear`, on one of the gateway's threads. Of no effect once a reply is there.
    pub fn hear_late(&self, _hear: impl FnOnce(LateReply) + Send + 'static) {}
}

impl Future for Pending {
    type Output = Reply;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Reply> {
        Poll::Ready(Reply { answer: Err(Silence::Down), call: Call::default() })
    }
}
