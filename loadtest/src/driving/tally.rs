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
pub(crate) struct Words(Vec<(Box<str>, u64)>);

/// Words that are told apart; whatever else a broken engine says is one more.
const WORDS_MAX: usize = 64;

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
        if let Some((_, count)) = self.0.iter_mut().find(|(known, _)| **known == *word) {
            *count += 1;
        } else if self.0.len() < WORDS_MAX {
            self.0.push((word.into(), 1));
        } else if let Some((_, count)) = self.0.last_mut() {
            *count += 1;
        }
    }

    pub(crate) fn add_to(&self, sum: &mut BTreeMap<String, u64>) {
        for (word, count) in &self.0 {
            *sum.entry(word.to_string()).or_default() += count;
        }
    }

    fn add(&mut self, other: &Self) {
        for (word, count) in &other.0 {
            match self.0.iter_mut().find(|(known, _)| known == word) {
                Some((_, sum)) => *sum += count,
                None => self.0.push((word.clone(), *count)),
            }
        }
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
            self.classes[class(customer)].0 += 1;
        }
    }

    /// A call has come to something.
    pub(super) fn heard(&mut self, phase: usize, answer: &Answer<'_>) {
        let is_late = answer.is_late();
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
                    self.count_decided(answer, decided.durability, decided.is_duplicate);
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

    fn count_decided(&mut self, answer: &Answer<'_>, durability: &str, is_duplicate: bool) {
        let is_late = answer.is_late();
        self.latency.record(answer.latency());
        self.service.record(answer.service());
        self.late += u64::from(is_late);
        self.pending += u64::from(durability == "pending");
        self.duplicates += u64::from(is_duplicate);
        self.classes[class(answer.customer)].1 += u64::from(!is_late);
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
        self.busy += other.busy;
        self.elapsed = self.elapsed.max(other.elapsed);
        if self.first_failure.is_none() {
            self.first_failure.clone_from(&other.first_failure);
        }
    }
}
