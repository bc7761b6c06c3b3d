//! A second request beside one that is slow: when it is worth it, and how many there may be.
//!
//! A hedge is sent once a request has taken longer than all but a few do ("The tail at scale", Dean and Barroso 2013), at most one
//! for a question, and hedges are at most a share of all calls: where everything is slow, more requests make it slower.

use std::time::Duration;

use super::latency::{Chance, Latency};
use crate::time::Instant;

/// When hedges are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HedgeConfig {
    /// A hedge may be sent once a request has taken longer than so many do.
    pub after: Chance,
    /// Hedges are at most this part of all calls.
    pub share: Chance,
    /// So many may be saved up.
    pub burst: u32,
    /// A hedge is sent only where it makes an answer in time likelier by so much.
    pub gain_min: Chance,
}

/// The hedges that may be sent to one provider.
#[derive(Debug)]
pub(super) struct HedgeBudget {
    config: HedgeConfig,
    /// In parts of a million of one.
    level: u64,
}

/// The right to send one.
#[derive(Debug)]
#[must_use = "a hedge that is not sent is given back"]
pub(super) struct Hedge(());

/// What is known when a request is slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow<'a> {
    /// Of the model that was asked.
    pub(super) asked: &'a Latency,
    /// So long ago.
    pub(super) waited: Duration,
    /// Of the model that the hedge would go to; the same, or another.
    pub(super) other: &'a Latency,
    /// What is left.
    pub(super) left: Duration,
}

impl Default for HedgeConfig {
    /// The 95th percentile catches stragglers and leaves one call of twenty, which is what hedges may be. A gain of a tenth pays for
    /// a call where an answer is worth ten.
    fn default() -> Self {
        Self {
            after: Chance::from_milli(950),
            share: Chance::from_milli(50),
            burst: 10,
            gain_min: Chance::from_milli(100),
        }
    }
}

impl HedgeConfig {
    /// How long after a request was sent a hedge is thought of; `None` where too little is known.
    pub(super) fn delay(&self, latency: &Latency, now: Instant) -> Option<Duration> {
        latency.quantile(self.after, now)
    }

    /// Whether a hedge makes enough of a difference. Where nothing is known of the other model it does not: a hedge is no probe.
    pub(super) fn is_worth_it(&self, slow: Slow<'_>, now: Instant) -> bool {
        let Some(fresh) = slow.other.chance_within(slow.left, now) else { return false };
        let stays = slow.asked.chance_within_after(slow.waited, slow.left, now).unwrap_or(Chance::NONE);
        // The hedge counts where the first request fails.
        let gain = u64::from(fresh.ppm()) * u64::from(Chance::CERTAIN.ppm() - stays.ppm());
        gain >= u64::from(self.gain_min.ppm()) * u64::from(Chance::CERTAIN.ppm())
    }
}

impl HedgeBudget {
    /// Empty: hedges are earned.
    pub(super) const fn new(config: HedgeConfig) -> Self {
        Self { config, level: 0 }
    }

    /// A call was made, other than a hedge.
    pub(super) fn earn(&mut self) {
        let most = u64::from(self.config.burst) * u64::from(Chance::CERTAIN.ppm());
        self.level = (self.level + u64::from(self.config.share.ppm())).min(most);
    }

    /// The right to send a hedge, if there is one.
    pub(super) fn try_spend(&mut self) -> Option<Hedge> {
        self.level = self.level.checked_sub(u64::from(Chance::CERTAIN.ppm()))?;
        Some(Hedge(()))
    }

    /// A hedge was not sent after all.
    pub(super) fn give_back(&mut self, hedge: Hedge) {
        let Hedge(()) = hedge;
        self.level += u64::from(Chance::CERTAIN.ppm());
    }
}
