//! What one driver thread has seen.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::answers::{Answer, Came};
use crate::outcome::Curve;

/// Classes into which customers fall by their names, to see whether some are treated worse.
pub(crate) const CLASSES: usize = 8;

/// One second of one thread.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Which second of the run.
    pub(crate) second: u64,
    pub(crate) offered: u64,
    pub(crate) answered: u64,
    pub(crate) late: u64,
    pub(crate) shed: u64,
    pub(crate) failed: u64,
    /// Whether counted calls were due in it.
    is_counted: bool,
    /// Calls without an answer at its end.
    pub(crate) in_flight: u64,
    pub(crate) latency: Curve,
    pub(crate) tiers: Words,
    pub(crate) fallbacks: Words,
}

/// The calls of one phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PhaseCount {
    pub(crate) offered: u64,
    pub(crate) answered: u64,
    pub(crate) in_time: u64,
    pub(crate) shed: u64,
    pub(crate) failed: u64,
}

/// How often words were heard. There are few of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    known: Vec<(Box<str>, u64)>,
    others: u64,
}

/// Words that are told apart; whatever else a broken engine says is one more.
const WORDS_MAX: usize = 64;
/// What that one is called: no engine says it, as its words have no spaces.
const OTHERS: &str = "other words";

/// Everything that one thread has seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) phases: Vec<PhaseCount>,
    pub(crate) latency: Curve,
    pub(crate) service: Curve,
    pub(crate) tiers: Words,
    pub(crate) fallbacks: Words,
    pub(crate) shed: Words,
    pub(crate) failed: Words,
    pub(crate) late: u64,
    pub(crate) pending: u64,
    pub(crate) duplicates: u64,
    /// By class of customers: calls, and those that were answered in time.
    pub(crate) classes: [(u64, u64); CLASSES],
    pub(crate) lag: Curve,
    pub(crate) waited: Curve,
    pub(crate) reconnects: u64,
    /// Recorded events that were not sent, because their phase was over.
    pub(crate) unsent: u64,
    /// Answers a second in the peak phase.
    pub(crate) peak: f64,
    /// The largest share of a second, in which counted calls were due, for which a thread was busy.
    pub(crate) busiest: f64,
    /// Processor time that the thread took.
    pub(crate) busy: Duration,
    /// How long it was at it.
    pub(crate) elapsed: Duration,
    /// The first failure, whole.
    pub(crate) first_failure: Option<String>,
    /// The second that is under way.
    now: Part,
}

impl Words {
    pub(crate) fn count(&mut self, word: &str) {
        self.count_many(word, 1);
    }

    fn count_many(&mut self, word: &str, times: u64) {
        if let Some((_, count)) = self.known.iter_mut().find(|(known, _)| **known == *word) {
            *count += times;
        } else if self.known.len() < WORDS_MAX {
            self.known.push((word.into(), times));
        } else {
            self.others += times;
        }
    }

    pub(crate) fn add_to(&self, sum: &mut BTreeMap<String, u64>) {
        for (word, count) in &self.known {
            *sum.entry(word.to_string()).or_default() += count;
        }
        if self.others > 0 {
            *sum.entry(OTHERS.to_owned()).or_default() += self.others;
        }
    }

    fn add(&mut self, other: &Self) {
        for (word, count) in &other.known {
            self.count_many(word, *count);
        }
        self.others += other.others;
    }
}

/// The class of a customer: a hash of the name, so that busy and idle customers are in all of them.
fn class(customer: &str) -> usize {
    let hash = customer
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) as usize % CLASSES
}

impl Tally {
    pub(super) fn new(phases: usize) -> Self {
        Self { phases: vec![PhaseCount::default(); phases], ..Self::default() }
    }

    /// A call is due.
    pub(super) fn offered(&mut self, phase: usize, customer: &str, is_counted: bool) {
        self.now.offered += 1;
        self.phases[phase].offered += 1;
        if is_counted {
            self.now.is_counted = true;
            self.classes[class(customer)].0 += 1;
        }
    }

    /// A call has come to something.
    pub(super) fn heard(&mut self, phase: usize, answer: &Answer<'_>, is_late: bool) {
        let count = &mut self.phases[phase];
        match answer.came {
            Came::Decided(decided) => {
                count.answered += 1;
                count.in_time += u64::from(!is_late);
                self.now.answered += 1;
                self.now.late += u64::from(is_late);
                self.now.latency.record(answer.latency());
                self.now.tiers.count(decided.tier);
                if let Some(fallback) = decided.fallback {
                    self.now.fallbacks.count(fallback);
                }
                if answer.is_counted {
                    self.count_decided(answer, is_late, decided.durability, decided.is_duplicate);
                    self.tiers.count(decided.tier);
                    if let Some(fallback) = decided.fallback {
                        self.fallbacks.count(fallback);
                    }
                }
            }
            Came::Shed(word) => {
                count.shed += 1;
                self.now.shed += 1;
                if answer.is_counted {
                    self.shed.count(word);
                }
            }
            Came::Failed { how, said } => {
                count.failed += 1;
                self.now.failed += 1;
                if answer.is_counted {
                    self.failed.count(how);
                }
                self.first_failure.get_or_insert_with(|| format!("{how}: {said}"));
            }
        }
    }

    fn count_decided(&mut self, answer: &Answer<'_>, is_late: bool, durability: &str, is_duplicate: bool) {
        self.latency.record(answer.latency());
        self.service.record(answer.service());
        self.late += u64::from(is_late);
        self.pending += u64::from(durability == "pending");
        self.duplicates += u64::from(is_duplicate);
        self.classes[class(answer.customer)].1 += u64::from(!is_late);
    }

    /// Calls that nobody will hear of any more.
    pub(super) fn unanswered(&mut self, phase: usize, calls: u64, is_counted: bool) {
        self.phases[phase].failed += calls;
        self.now.failed += calls;
        if is_counted && calls > 0 {
            self.failed.count_many("unanswered", calls);
        }
    }

    /// The thread was busy for this share of the second that is over.
    pub(super) fn was_busy(&mut self, share: f64) {
        if self.now.is_counted {
            self.busiest = self.busiest.max(share);
        }
    }

    /// The second that is under way.
    pub(super) fn second(&self) -> u64 {
        self.now.second
    }

    /// The second has passed: what was seen in it.
    pub(super) fn end_second(&mut self, in_flight: usize) -> Part {
        self.now.in_flight = in_flight as u64;
        let next = Part { second: self.now.second + 1, ..Part::default() };
        std::mem::replace(&mut self.now, next)
    }

    /// Takes in all that another thread has seen.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, phase) in self.phases.iter_mut().zip(&other.phases) {
            sum.offered += phase.offered;
            sum.answered += phase.answered;
            sum.in_time += phase.in_time;
            sum.shed += phase.shed;
            sum.failed += phase.failed;
        }
        for (sum, words) in [
            (&mut self.tiers, &other.tiers),
            (&mut self.fallbacks, &other.fallbacks),
            (&mut self.shed, &other.shed),
            (&mut self.failed, &other.failed),
        ] {
            sum.add(words);
        }
        for (sum, curve) in [
            (&mut self.latency, &other.latency),
            (&mut self.service, &other.service),
            (&mut self.lag, &other.lag),
            (&mut self.waited, &other.waited),
        ] {
            sum.add(curve);
        }
        for (sum, class) in self.classes.iter_mut().zip(&other.classes) {
            sum.0 += class.0;
            sum.1 += class.1;
        }
        self.late += other.late;
        self.pending += other.pending;
        self.duplicates += other.duplicates;
        self.reconnects += other.reconnects;
        self.unsent += other.unsent;
        self.peak += other.peak;
        self.busiest = self.busiest.max(other.busiest);
        self.busy += other.busy;
        self.elapsed = self.elapsed.max(other.elapsed);
        if self.first_failure.is_none() {
            self.first_failure.clone_from(&other.first_failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_beyond_those_that_are_told_apart_are_one_of_their_own() {
        let heard = |from: usize, to: usize| {
            let mut words = Words::default();
            (from..to).for_each(|nth| words.count(&format!("word_{nth}")));
            words
        };
        let mut all = heard(0, WORDS_MAX + 3);
        all.add(&heard(WORDS_MAX - 1, WORDS_MAX + 5));
        let mut told = BTreeMap::new();
        all.add_to(&mut told);
        assert_eq!(told.len(), WORDS_MAX + 1);
        assert_eq!(told[&format!("word_{}", WORDS_MAX - 1)], 2, "the last that is told apart is not the others");
        assert_eq!((told[OTHERS], told.values().sum::<u64>()), (8, WORDS_MAX as u64 + 9));
    }

    #[test]
    fn calls_that_nobody_hears_of_are_their_own_phases() {
        let mut tally = Tally::new(3);
        tally.unanswered(0, 5, false);
        tally.unanswered(1, 3, true);
        tally.unanswered(2, 0, true);
        assert_eq!(tally.phases.iter().map(|phase| phase.failed).collect::<Vec<_>>(), [5, 3, 0]);
        let mut failed = BTreeMap::new();
        tally.failed.add_to(&mut failed);
        assert_eq!(failed, BTreeMap::from([("unanswered".to_owned(), 3)]));
        assert_eq!(tally.end_second(0).failed, 8, "they are in a second too");
    }

    #[test]
    fn the_busiest_second_is_one_in_which_counted_calls_were_due() {
        let mut tally = Tally::new(2);
        tally.offered(0, "a", false);
        tally.was_busy(0.99);
        tally.end_second(0);
        for share in [0.2, 0.95, 0.1] {
            tally.offered(1, "a", true);
            tally.was_busy(share);
            tally.end_second(0);
        }
        tally.was_busy(1.0);
        assert_eq!(tally.busiest, 0.95);
        let mut sum = Tally::new(2);
        sum.add(&tally);
        sum.add(&Tally::new(2));
        assert_eq!(sum.busiest, 0.95);
    }
}
