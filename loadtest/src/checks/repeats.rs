//! Answers to repetitions: an event that was decided is never decided anew.

use forthwith::{DecisionId, FallbackReason};
use serde_json::json;

use super::sample::{Sample, key};
use super::tally::Tally;
use crate::answers::{Answer, Came};
use crate::outcome::Check;

/// What was answered first.
#[derive(Clone, Copy, Debug)]
struct First {
    decision: DecisionId,
    /// The key of the outcome.
    outcome: u64,
    /// The call's number.
    sequence: u64,
}

/// The first answer to each event.
#[derive(Debug)]
pub(super) struct Repeats {
    first: Sample<First>,
    tally: Tally,
}

impl Repeats {
    pub(super) fn new(cases_max: usize) -> Self {
        let asks = "An event that is sent again gets the decision and the outcome of the first time, and is said to be a duplicate.";
        Self { first: Sample::new(cases_max), tally: Tally::new("repeats", asks) }
    }

    pub(super) fn see(&mut self, answer: &Answer<'_>) {
        let Came::Decided(decided) = &answer.came else { return };
        let event = key((answer.playbook, answer.customer, answer.source, answer.event));
        if let Some(first) = self.first.get(event).copied() {
            let is_same = first.decision == decided.decision && first.outcome == key(decided.outcome);
            let holds = is_same && (decided.is_duplicate || !answer.is_repeat);
            self.tally.look(answer.sequence, holds, || {
                let (decision, call) = (first.decision, first.sequence);
                json!({ "answer": answer, "first_decision": decision, "first_call": call, "same_decision_and_outcome": is_same })
            });
            return;
        }
        // Who asks again after these may hear something else.
        let is_final = decided.durability != "pending" && decided.fallback != Some(FallbackReason::InDoubt.as_str());
        if is_final {
            let (decision, outcome) = (decided.decision, key(decided.outcome));
            self.first.get_or(event, || First { decision, outcome, sequence: answer.sequence });
        }
    }

    /// An event and its repetitions are seen by one thread, so what two have seen has nothing in common.
    pub(super) fn add(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.first.add(other.first, |_, _| {});
    }

    pub(super) fn check(self) -> Check {
        let remark = self.first.remark("event");
        self.tally.check(&remark)
    }
}
