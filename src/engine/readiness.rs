//! Whether an engine should get traffic, and whether it should be started again.

use std::fmt;
use std::sync::Arc;

use super::{Engine, Stuck};

/// Whether an engine can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// The disk is full, and only playbooks are answered that do not wait for it. Traffic that goes elsewhere would not be answered:
    /// who is answered here has their state here.
    ReadyWithoutDisk,
    /// It cannot.
    NotReady(Unready),
}

/// Why an engine should get no traffic, the gravest first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unready {
    /// It has been told to stop.
    Stopping,
    /// The states could not be brought up to date with the journal.
    RecoveryFailed(Arc<str>),
    /// The journal acknowledges nothing any more.
    JournalStopped(Arc<str>),
    /// A thread that it cannot do without does not move.
    Stuck(Stuck),
    /// The journal waits for room on the disk.
    DiskFull,
    /// The journal has waited for the disk for too long: no write and no sync comes back.
    DiskStalled(Stuck),
    /// Requests of normal priority have been shed for longer than a burst: more is offered than can be done.
    Overloaded,
}

impl Unready {
    /// Its name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::RecoveryFailed(_) => "recovery_failed",
            Self::JournalStopped(_) => "journal_stopped",
            Self::Stuck(_) => "stuck",
            Self::DiskFull => "disk_full",
            Self::DiskStalled(_) => "disk_stalled",
            Self::Overloaded => "overloaded",
        }
    }
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping => f.write_str("the engine has been told to stop"),
            Self::RecoveryFailed(reason) | Self::JournalStopped(reason) => f.write_str(reason),
            Self::Stuck(stuck) => stuck.fmt(f),
            Self::DiskFull => f.write_str("the journal waits for room on the disk"),
            Self::DiskStalled(Stuck { still, .. }) => {
                write!(f, "the journal has waited for the disk for {} s", still.as_secs())
            }
            Self::Overloaded => {
                f.write_str("requests of normal priority are being shed: more is offered than can be done")
            }
        }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, still } = self;
        write!(f, "the thread `{thread}` has not moved for {} s though it had reason to", still.as_secs())
    }
}

impl Engine {
    /// Whether the engine should get traffic. It is ready while recovery goes on behind the decisions.
    pub fn readiness(&self) -> Readiness {
        match self.unready() {
            Some(Unready::DiskFull) if self.answers_without_disk() => Readiness::ReadyWithoutDisk,
            Some(unready) => Readiness::NotReady(unready),
            None => Readiness::Ready,
        }
    }

    /// The gravest reason for which it should not. A further kind of reason has its place here.
    fn unready(&self) -> Option<Unready> {
        let inner = &self.0;
        if inner.customers.is_stopping() {
            return Some(Unready::Stopping);
        }
        if let Some(reason) = self.recovery().failure() {
            return Some(Unready::RecoveryFailed(reason.into()));
        }
        let stopped = inner.journal.stopped().map(Unready::JournalStopped);
        let stuck = || self.stuck().map(Unready::Stuck);
        let full = || inner.journal.is_disk_full().then_some(Unready::DiskFull);
        let stalled = || inner.liveness.waits_for_disk().map(Unready::DiskStalled);
        let strained = || self.is_strained().then_some(Unready::Overloaded);
        stopped.or_else(stuck).or_else(full).or_else(stalled).or_else(strained)
    }

    /// A thread that the engine cannot do without and that has not moved for too long; then nothing helps but to start it again.
    /// `None` for an engine that waits for its disk, for a large model or for less to do, and for one that stops.
    pub fn stuck(&self) -> Option<Stuck> {
        self.0.liveness.stuck()
    }
}
