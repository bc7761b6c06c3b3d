//! Ids of decisions: that no two are the same, and which the journal has to have.

use forthwith::DecisionId;
use serde_json::json;

use super::sample::{Sample, key};
use super::tally::Tally;
use crate::answers::{Answer, Came};
use crate::outcome::Check;

/// A decision that was heard of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) decision: DecisionId,
    /// The key of the event.
    event: u64,
    /// The key of the customer.
    customer: u64,
    /// The key of the outcome.
    pub(super) outcome: u64,
    /// The call's number.
    pub(super) sequence: u64,
    /// Whether it is a decision on this event, not one that was given for another before.
    is_own: bool,
    is_acknowledged: bool,
}

/// The ids that were heard.
#[derive(Debug)]
pub(super) struct Ids {
    known: Sample<Known>,
    is_memory_safe: bool,
    /// Answers that promised nothing: they are counted, and break nothing.
    promised_nothing: u64,
    tally: Tally,
}

/// Decisions that were acknowledged as safe: the journal must have them.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(super) decisions: Vec<Known>,
    /// What is to be said of decisions that were too many to keep.
    pub(super) remark: String,
}

impl Ids {
    pub(super) fn new(cases_max: usize, is_memory_safe: bool) -> Self {
        let tally = Tally::new("ids", "Decisions on different events have different ids.");
        Self { known: Sample::new(cases_max), is_memory_safe, promised_nothing: 0, tally }
    }

    pub(super) fn see(&mut self, answer: &Answer<'_>) {
        let Came::Decided(decided) = &answer.came else { return };
        let seen = Known {
            decision: decided.decision,
            event: key((answer.playbook, answer.customer, answer.source, answer.event)),
            customer: key(decided.customer),
            outcome: key(decided.outcome),
            sequence: answer.sequence,
            // What may be gone with the machine holds no id.
            is_own: !decided.is_duplicate && !decided.promises_nothing(),
            is_acknowledged: decided.durability == "disk" || self.is_memory_safe && decided.durability == "memory",
        };
        let id = key(decided.decision.to_u128());
        if !self.known.admits(id) {
            return;
        }
        if decided.promises_nothing() {
            self.promised_nothing += 1;
        } else {
            let first = self.known.get(id).copied();
            let is_other = first.is_some_and(|first| first.is_own && seen.is_own && first.event != seen.event);
            self.tally.look(
                answer.sequence,
                !is_other,
                || json!({ "answer": answer, "first_call": first.map(|first| first.sequence) }),
            );
        }
        if let Some(known) = self.known.get_or(id, || seen) {
            known.take_in(seen);
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.promised_nothing += other.promised_nothing;
        let tally = &mut self.tally;
        self.known.add(other.known, |known, other| {
            if known.is_own && other.is_own && known.event != other.event {
                let (first, second) = (known.sequence.min(other.sequence), known.sequence.max(other.sequence));
                tally.broken(
                    second,
                    || json!({ "decision": known.decision, "first_call": first, "second_call": second }),
                );
            }
            known.take_in(other);
        });
    }

    pub(super) fn acknowledged(&self) -> Acknowledged {
        let mut decisions: Vec<Known> = self.known.values().filter(|known| known.is_acknowledged).copied().collect();
        decisions.sort_unstable_by_key(|known| known.sequence);
        Acknowledged { decisions, remark: self.known.remark("decision") }
    }

    /// Visits every decision that was heard of: its customer's key, and its id.
    pub(super) fn each_made(&self, mut visit: impl FnMut(u64, DecisionId)) {
        self.known.values().for_each(|known| visit(known.customer, known.decision));
    }

    /// One of so many decisions is known.
    pub(super) fn one_of(&self) -> u64 {
        self.known.one_of()
    }

    pub(super) fn check(self) -> Check {
        let mut remark = self.known.remark("decision");
        if self.promised_nothing > 0 {
            remark.push_str(&format!(
                "{}{} answers were `pending`, which promises nothing: not looked at.",
                if remark.is_empty() { "" } else { " " },
                self.promised_nothing
            ));
        }
        self.tally.check(&remark)
    }
}

impl Known {
    /// Takes in what another answer says of the same decision.
    fn take_in(&mut self, other: Self) {
        if !self.is_own && other.is_own {
            self.event = other.event;
        }
        self.is_own |= other.is_own;
        self.is_acknowledged |= other.is_acknowledged;
    }
}

#[cfg(test)]
impl Acknowledged {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.decisions.len()
    }
}
