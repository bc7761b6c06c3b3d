//! What a request is worth.

use std::time::Duration;

/// A request, as far as it matters whether it is taken on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight {
    /// Its priority: 0 to 9 as in playbooks, or [`LEVEL_TOLD`].
    pub(crate) level: u8,
    /// How long its caller waits at most.
    pub(crate) budget: Duration,
    /// The customer, as a hash; `None` where it is not known yet.
    pub(crate) customer: Option<u64>,
}

/// Above every priority of a playbook: what was told cannot be made up for by a default.
pub(crate) const LEVEL_TOLD: u8 = 10;

/// How many levels there are.
pub(super) const LEVELS: usize = LEVEL_TOLD as usize + 1;

/// By how much work in bulk is lower than single calls, unless its caller says otherwise.
pub(crate) const BULK_LOWER: u8 = 3;

/// Levels in a word, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// 0 to 3.
    Low,
    /// 4 to 6.
    Normal,
    /// 7 to 9.
    High,
    /// What is told: facts, consents, feedback.
    Told,
}

/// The lowest normal level: readiness is about what is worth as much as this or more.
pub(super) const LEVEL_NORMAL: u8 = 4;

impl Class {
    pub(super) const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Told];

    pub(super) fn of(level: u8) -> Self {
        match level {
            0..LEVEL_NORMAL => Self::Low,
            LEVEL_NORMAL..=6 => Self::Normal,
            7..LEVEL_TOLD => Self::High,
            _ => Self::Told,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Told => "told",
        }
    }
}
