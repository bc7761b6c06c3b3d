//! Which questions go through to a model that looks hopeless, so that one that has recovered is found again.
//!
//! A question goes through now and then, whatever comes; and a small share of them, chosen by what they are. Once one was answered
//! in time, those that follow go through at once until one is not: so the model is found within an interval and an answer, and not
//! after as many intervals as the estimate wants observations. What is under way is bounded, so a model that hangs costs little.

use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::latency::Chance;
use crate::time::Instant;

/// How often hopeless models are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbingConfig {
    /// One question so often.
    pub every: Duration,
    /// This part of all questions besides.
    pub share: Chance,
    /// Probes that may be under way at a time.
    pub under_way_max: u32,
}

/// The probes of one model.
#[derive(Debug)]
pub(super) struct Probing {
    config: ProbingConfig,
    /// When the last one began.
    last: Option<Instant>,
    under_way: u32,
    trial: Option<Trial>,
}

/// A question that goes through though the model looks hopeless. To be handed back to [`Probing::ended`].
#[derive(Debug)]
#[must_use = "a probe that is not handed back is under way for ever"]
pub(super) struct Probe {
    began: Instant,
}

/// What follows a probe that was answered in time.
#[derive(Clone, Copy, Debug)]
struct Trial {
    left: u32,
    /// When the good probe began: one that began before it says nothing about what is now.
    began: Instant,
    until: Instant,
}

/// Questions that follow a good probe at once: as many as the estimate wants to believe in a change, and one.
const TRIAL: u32 = 4;

/// Told from every other use that is made of the same number.
const SEED: u64 = 0x7072_6f62_696e_6721;

impl Default for ProbingConfig {
    /// Four questions a second cost little beside those that a recovered model would have answered meanwhile, and one of a hundred
    /// finds it sooner where there are many.
    fn default() -> Self {
        Self { every: Duration::from_millis(250), share: Chance::from_milli(10), under_way_max: 2 }
    }
}

impl Probing {
    /// None is under way.
    pub(super) const fn new(config: ProbingConfig) -> Self {
        Self { config, last: None, under_way: 0, trial: None }
    }

    /// Whether a question goes through that would be skipped; `spread` names it.
    pub(super) fn lets_through(&mut self, spread: u64, now: Instant) -> Option<Probe> {
        let is_trial = self.takes_from_trial(now);
        let is_due = self.last.is_none_or(|last| now.since(last) >= self.config.every);
        let has_room = self.under_way < self.config.under_way_max;
        if !is_trial && !(has_room && (is_due || self.is_chosen(spread))) {
            return None;
        }
        self.last = Some(now);
        self.under_way += 1;
        Some(Probe { began: now })
    }

    /// A probe is over: answered in time, or not, or taken back.
    #[expect(clippy::needless_pass_by_value, reason = "what is handed back is gone")]
    pub(super) fn ended(&mut self, probe: Probe, is_in_time: bool, now: Instant) {
        let Probe { began } = probe;
        self.under_way = self.under_way.saturating_sub(1);
        if is_in_time {
            self.trial = Some(Trial { left: TRIAL, began, until: now.after(self.config.every) });
        } else if self.trial.is_some_and(|trial| began > trial.began) {
            self.trial = None;
        }
    }

    /// Probes that are under way.
    #[cfg(test)]
    pub(super) const fn under_way(&self) -> u32 {
        self.under_way
    }

    fn takes_from_trial(&mut self, now: Instant) -> bool {
        match &mut self.trial {
            Some(trial) if trial.left > 0 && now < trial.until => {
                trial.left -= 1;
                true
            }
            _ => false,
        }
    }

    fn is_chosen(&self, spread: u64) -> bool {
        let hash = xxh3_64_with_seed(&spread.to_le_bytes(), SEED);
        hash % u64::from(Chance::CERTAIN.ppm()) < u64::from(self.config.share.ppm())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::time::Clock;

    const MS: Duration = Duration::from_millis(1);

    fn start() -> Instant {
        Clock::manual(Timestamp::from_micros(1_000_000_000)).instant()
    }

    fn probing(share_milli: u16) -> Probing {
        Probing::new(ProbingConfig { share: Chance::from_milli(share_milli), ..ProbingConfig::default() })
    }

    #[test]
    fn one_question_goes_through_in_each_interval() {
        let (mut probing, start) = (probing(0), start());
        let mut through = Vec::new();
        for nth in 0..1_000_u32 {
            let now = start.after(nth * MS);
            if let Some(probe) = probing.lets_through(nth.into(), now) {
                probing.ended(probe, false, now);
                through.push(nth);
            }
        }
        assert_eq!(through, [0, 250, 500, 750]);
    }

    #[test]
    fn a_hang_holds_no_more_probes_than_may_be_under_way() {
        let (mut probing, start) = (probing(1_000), start());
        let under_way: Vec<Probe> =
            (0..10_000_u32).filter_map(|nth| probing.lets_through(nth.into(), start.after(nth * MS))).collect();
        assert_eq!(under_way.len(), 2);
        let now = start.after(20_000 * MS);
        under_way.into_iter().for_each(|probe| probing.ended(probe, false, now));
        assert_eq!(probing.under_way(), 0);
        assert!(probing.lets_through(0, now).is_some());
    }

    #[test]
    fn a_share_of_the_questions_goes_through_the_same_ones_each_time() {
        let chosen = || {
            let (mut probing, start) = (probing(10), start());
            let first = probing.lets_through(0, start).expect("the first is due");
            probing.ended(first, false, start);
            let mut lets_through = |spread: &u64| match probing.lets_through(*spread, start) {
                Some(probe) => {
                    probing.ended(probe, false, start);
                    true
                }
                None => false,
            };
            (1..100_001).filter(|spread| lets_through(spread)).collect::<Vec<u64>>()
        };
        let through = chosen();
        assert!((900..1_100).contains(&through.len()), "{} of 100,000", through.len());
        assert_eq!(through, chosen());
    }

    #[test]
    fn after_a_good_probe_others_follow_at_once_until_one_is_late() {
        let (mut probing, now) = (probing(0), start());
        let slow = probing.lets_through(0, now).expect("the first is due");
        let now = now.after(250 * MS);
        let probe = probing.lets_through(0, now).expect("one is due");
        assert!(probing.lets_through(1, now).is_none());
        let now = now.after(50 * MS);
        probing.ended(probe, true, now);
        probing.ended(slow, false, now);
        let trial: Vec<Probe> = (2..10).filter_map(|nth| probing.lets_through(nth, now)).collect();
        assert_eq!(trial.len(), TRIAL as usize, "so many and no more");
        let mut trial = trial.into_iter();
        probing.ended(trial.next().expect("it is one of four"), true, now);
        let later = now.after(10 * MS);
        let last = probing.lets_through(11, later).expect("there are four more");
        probing.ended(trial.next().expect("it is one of four"), true, later);
        probing.ended(last, false, later);
        assert!(probing.lets_through(12, later).is_none());
    }

    #[test]
    fn what_a_good_probe_allows_is_over_soon() {
        let (mut probing, now) = (probing(0), start());
        let probe = probing.lets_through(0, now).expect("the first is due");
        probing.ended(probe, true, now);
        let later = now.after(1_000 * MS);
        assert!(probing.lets_through(1, later).is_some(), "one is due");
        assert!(probing.lets_through(2, later).is_none());
    }
}
