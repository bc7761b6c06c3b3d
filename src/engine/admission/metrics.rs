//! The series of admission.

use super::weight::Class;
use crate::telemetry::{Counter, Label, Level, Registry};

/// Why a request was shed before work was done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShedFor {
    /// More is offered than can be done.
    Delay,
    /// What waits before it takes longer than its caller will wait.
    Deadline,
    /// Its customer asks far more than others.
    Customer,
    /// Too many requests are under way.
    UnderWay,
    /// Too many bytes of bodies are under way.
    Bodies,
}

impl ShedFor {
    const ALL: [Self; 5] = [Self::Delay, Self::Deadline, Self::Customer, Self::UnderWay, Self::Bodies];

    fn as_str(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Deadline => "deadline",
            Self::Customer => "customer",
            Self::UnderWay => "under_way",
            Self::Bodies => "bodies",
        }
    }
}

/// What operators see of admission.
#[derive(Debug)]
pub(super) struct Metrics {
    /// By reason, then by class.
    shed: [[Counter; Class::ALL.len()]; ShedFor::ALL.len()],
    pub(super) delay: Level,
    pub(super) target: Level,
    pub(super) share: Level,
    pub(super) under_way: Level,
    pub(super) bodies: Level,
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let shed = registry.counters(
            "forthwith_admission_shed_total",
            (
                "Requests that were shed before work was done for them, by why and by what they were worth.",
                "Look when callers are told that the engine is overloaded: more is offered than can be done, or one customer asks far more than \
                 others.",
            ),
            &[
                Label::words("reason", ShedFor::ALL.map(ShedFor::as_str)),
                Label::words("priority", Class::ALL.map(Class::as_str)),
            ],
        );
        Self {
            shed: ShedFor::ALL.map(|reason| Class::ALL.map(|class| shed.with(&[reason.as_str(), class.as_str()]))),
            delay: registry.level(
                "forthwith_admission_delay_seconds",
                (
                    "How long requests wait before work on them begins, in seconds; the longest line.",
                    "Above `forthwith_admission_delay_target_seconds` requests are shed.",
                ),
            ),
            target: registry.level(
                "forthwith_admission_delay_target_seconds",
                "The delay that is aimed at under overload, in seconds.",
            ),
            share: registry.level(
                "forthwith_admission_share_ratio",
                "What part of what is offered is admitted, from 0 to 1; the line that admits the least.",
            ),
            under_way: registry.level("forthwith_admission_under_way", "Requests that are under way."),
            bodies: registry
                .level("forthwith_admission_body_bytes", "Bytes of bodies of requests that are under way over HTTP."),
        }
    }

    pub(super) fn shed(&self, reason: ShedFor, level: u8) {
        self.shed[reason as usize][Class::of(level) as usize].inc();
    }
}
