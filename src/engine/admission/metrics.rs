//! The series of admission.

use super::weight::Class;
use crate::telemetry::{Counter, GaugeFamily, Level, Registry};

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
    // Families live as long as their numbers.
    _families: [GaugeFamily; 5],
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let shed = registry.counters(
            "forthwith_admission_shed_total",
            "Requests that were shed before work was done for them, by why (delay, deadline, customer, under_way, bodies) and by what \
             they were worth (low, normal, high, told).",
            &["reason", "priority"],
        );
        let gauge = |name: &str, help: &str| registry.gauges(name, help, &[]);
        let families = [
            gauge(
                "forthwith_admission_delay_seconds",
                "How long requests wait before work on them begins; the longest line.",
            ),
            gauge("forthwith_admission_delay_target_seconds", "The delay that is aimed at under overload."),
            gauge(
                "forthwith_admission_share_ratio",
                "What part of what is offered is admitted; the line that admits the least.",
            ),
            gauge("forthwith_admission_under_way", "Requests that are under way."),
            gauge("forthwith_admission_body_bytes", "Bytes of bodies of requests that are under way over HTTP."),
        ];
        let [delay, target, share, under_way, bodies] = &families;
        let level = |family: &GaugeFamily| family.with(&[]);
        Self {
            shed: ShedFor::ALL.map(|reason| Class::ALL.map(|class| shed.with(&[reason.as_str(), class.as_str()]))),
            delay: level(delay),
            target: level(target),
            share: level(share),
            under_way: level(under_way),
            bodies: level(bodies),
            _families: families,
        }
    }

    pub(super) fn shed(&self, reason: ShedFor, level: u8) {
        self.shed[reason as usize][Class::of(level) as usize].inc();
    }
}
