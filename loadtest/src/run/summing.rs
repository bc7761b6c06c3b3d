//! What all driver threads have seen, as the run's phases and totals.

use crate::driving::{PhaseCount, Tally};
use crate::outcome::{Phase, Run, Totals};
use crate::scenario::{Arrivals, Rate, Scenario};

/// The phases with their times; those in times of the peak have their rates from it.
pub(super) fn phases(scenario: &Scenario, peak: f64) -> Vec<Phase> {
    let mut to_s = 0.0;
    let phase = |phase: &crate::scenario::Phase| {
        let from_s = to_s;
        to_s += phase.seconds;
        let offered_per_second = match phase.arrivals {
            Arrivals::Open { rate: Rate::PerSecond(rate), .. } => Some(rate),
            Arrivals::Open { rate: Rate::OfPeak(times), .. } => Some(times * peak).filter(|rate| *rate > 0.0),
            Arrivals::Closed { .. } | Arrivals::Recorded => None,
        };
        Phase { name: phase.name.clone(), from_s, to_s, offered_per_second, is_counted: phase.is_counted }
    };
    scenario.phases.iter().map(phase).collect()
}

/// A run of what all threads have seen.
pub(super) fn summed(scenario: &Scenario, tally: &Tally) -> Run {
    let counted = || scenario.phases.iter().zip(&tally.phases).filter(|(phase, _)| phase.is_counted);
    let sum = |of: fn(&PhaseCount) -> u64| counted().map(|(_, count)| of(count)).sum::<u64>();
    let seconds: f64 = counted().map(|(phase, _)| phase.seconds).sum();
    let mut run = Run {
        phases: phases(scenario, tally.peak),
        totals: Totals {
            seconds,
            offered: sum(|count| count.offered),
            answered: sum(|count| count.answered),
            late: tally.late,
            pending: tally.pending,
            duplicates: tally.duplicates,
            shed: sum(|count| count.shed),
            failed: sum(|count| count.failed),
            unsent: tally.unsent,
            goodput: sum(|count| count.in_time) as f64 / seconds.max(f64::MIN_POSITIVE),
        },
        latency: tally.latency.clone(),
        service: tally.service.clone(),
        ..Run::default()
    };
    tally.tiers.add_to(&mut run.tiers);
    tally.fallbacks.add_to(&mut run.fallbacks);
    tally.shed.add_to(&mut run.shed);
    tally.failed.add_to(&mut run.failed);
    run
}
