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
    #[expect(clippy::needless_pass_by_value, reason = "what is handed back is gone")]
    pub(super) fn give_back(&mut self, hedge: Hedge) {
        let Hedge(()) = hedge;
        self.level += u64::from(Chance::CERTAIN.ppm());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Timestamp;
    use crate::time::Clock;

    const MS: Duration = Duration::from_millis(1);

    fn start() -> Instant {
        Clock::manual(Timestamp::from_micros(1_000_000_000)).instant()
    }

    /// Of thirty answers one takes `straggler`, the others between 40 and 58 ms.
    fn with_stragglers(straggler: Duration) -> Latency {
        let mut latency = Latency::new(Duration::from_secs(2));
        for nth in 0..60_u32 {
            let took = if nth % 30 == 7 { straggler } else { 40 * MS + (nth * 7 % 19) * MS };
            latency.observe(took, start());
        }
        latency
    }

    fn slow(latency: &Latency, waited: Duration, left: Duration) -> Slow<'_> {
        Slow { asked: latency, waited, other: latency, left }
    }

    #[test]
    fn a_straggler_is_worth_a_second_request() {
        let (config, latency, now) = (HedgeConfig::default(), with_stragglers(2_000 * MS), start());
        let delay = config.delay(&latency, now).expect("it knows");
        assert!((55 * MS..=58 * MS).contains(&delay), "{delay:?}");
        assert!(config.is_worth_it(slow(&latency, delay, 240 * MS), now));
    }

    #[test]
    fn no_hedge_where_it_could_not_answer_in_time_either() {
        let (config, latency, now) = (HedgeConfig::default(), with_stragglers(2_000 * MS), start());
        assert!(!config.is_worth_it(slow(&latency, 280 * MS, 20 * MS), now));
    }

    #[test]
    fn no_hedge_where_the_first_will_most_likely_answer_all_the_same() {
        let (config, latency, now) = (HedgeConfig::default(), with_stragglers(80 * MS), start());
        assert!(!config.is_worth_it(slow(&latency, 60 * MS, 240 * MS), now));
    }

    #[test]
    fn no_hedge_to_what_is_not_known_nor_to_what_hangs() {
        let (config, asked, now) = (HedgeConfig::default(), with_stragglers(2_000 * MS), start());
        let unknown = Latency::new(Duration::from_secs(2));
        assert_eq!(config.delay(&unknown, now), None);
        let mut hangs = Latency::new(Duration::from_secs(2));
        (0..10).for_each(|_| hangs.censor(300 * MS, now));
        assert_eq!(config.delay(&hangs, now), None);
        for other in [&unknown, &hangs] {
            assert!(!config.is_worth_it(Slow { asked: &asked, waited: 60 * MS, other, left: 240 * MS }, now));
        }
    }

    proptest! {
        #[test]
        fn hedges_are_at_most_a_share_of_all_calls_and_a_burst(
            steps in prop::collection::vec(0_u8..3, 0..3_000),
            share in 0_u16..300,
            burst in 1_u32..10,
        ) {
            let config = HedgeConfig { share: Chance::from_milli(share), burst, ..HedgeConfig::default() };
            let mut budget = HedgeBudget::new(config);
            let (mut calls, mut sent) = (0_u64, Vec::new());
            for step in steps {
                match step {
                    0 => {
                        budget.earn();
                        calls += 1;
                    }
                    1 if budget.try_spend().is_some() => sent.push(calls),
                    2 => {
                        if let Some(hedge) = budget.try_spend() {
                            budget.give_back(hedge);
                        }
                    }
                    _ => {}
                }
                prop_assert!(sent.len() as u64 * 1_000 <= calls * u64::from(share));
            }
            // Within any run of calls as well.
            for (nth, from) in sent.iter().enumerate() {
                for (more, to) in sent[nth..].iter().enumerate() {
                    prop_assert!((more + 1) as u64 * 1_000 <= (to - from) * u64::from(share) + u64::from(burst) * 1_000);
                }
            }
        }
    }
}
