//! Answers to repetitions: an event that was decided is not decided anew, as long as the engine remembers it.
//!
//! An engine remembers so many of a customer's decisions. Whether a repetition came too late for that is known only when all threads have
//! said whom they have heard of; so what was decided anew is in doubt until the end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use forthwith::bundle::Bundle;
use forthwith::{DecisionId, FallbackReason, TimeDelta};
use serde_json::{Value, json};

use super::ids::Ids;
use super::sample::{Sample, key};
use super::tally::Tally;
use crate::answers::{Answer, Came, Decided};
use crate::outcome::Check;

/// Repetitions in doubt that one thread keeps, each whole.
const DOUBTS_MAX: usize = 1_000;

/// A repetition that was decided anew.
#[derive(Clone, Debug)]
struct Doubt {
    sequence: u64,
    customer: u64,
    /// The first decision and the other one.
    first: DecisionId,
    again: DecisionId,
    whole: Value,
}

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
    doubts: Vec<Doubt>,
    /// Decisions of a customer after which it may have forgotten: half of what it remembers, because not all are heard of.
    remembered: u64,
    /// After which time it has forgotten.
    over: TimeDelta,
    /// Playbooks that repeat a decision for another event that has a key in common: there a new event may be a duplicate.
    deduplicate: HashSet<Arc<str>>,
    /// Whether a call that is no repetition has an event that nobody has sent before.
    are_events_new: bool,
    /// Answers that promised nothing, though the event had been decided: they are counted, and break nothing.
    promised_nothing: u64,
    tally: Tally,
}

impl Repeats {
    pub(super) fn new(cases_max: usize, are_events_new: bool, bundle: Option<&Bundle>) -> Self {
        let window = bundle.map(|bundle| bundle.layout().repetitions()).unwrap_or_default();
        let asks = "An event that is sent again while it is remembered gets the decision and the outcome of the first time, and is said to be \
                    a duplicate; one that is sent for the first time is not.";
        let tally = Tally::new("repeats", asks);
        let (remembered, over) = (window.entries as u64 / 2, window.over);
        let playbooks = bundle.into_iter().flat_map(Bundle::playbooks);
        let deduplicate = playbooks.filter(|of| of.flow.deduplicate.is_some()).map(|of| Arc::clone(&of.name)).collect();
        Self {
            first: Sample::new(cases_max),
            doubts: Vec::new(),
            remembered,
            over,
            deduplicate,
            are_events_new,
            promised_nothing: 0,
            tally,
        }
    }

    pub(super) fn see(&mut self, answer: &Answer<'_>) {
        let Came::Decided(decided) = &answer.came else { return };
        let event = key((answer.playbook, answer.customer, answer.source, answer.event));
        // Who asks again after these, or hears these when asking again, may hear something else.
        if decided.promises_nothing() || decided.fallback == Some(FallbackReason::InDoubt.as_str()) {
            self.promised_nothing += u64::from(answer.is_repeat || self.first.get(event).is_some());
            return;
        }
        let first = self.first.get(event).copied();
        // The event was lost: its customer was given what another event had come to.
        let is_false = decided.is_duplicate && !answer.is_repeat && self.are_events_new;
        if is_false && first.is_none() && !self.deduplicate.contains(answer.playbook) {
            self.tally.look(answer.sequence, false, || json!({ "answer": answer, "first_call": null }));
            return;
        }
        if let Some(first) = first {
            self.compare(first, answer, decided);
        }
        if first.is_none_or(|first| first.decision != decided.decision) {
            let (decision, outcome) = (decided.decision, key(decided.outcome));
            let latest = First { decision, outcome, sequence: answer.sequence };
            if let Some(known) = self.first.get_or(event, || latest) {
                *known = latest;
            }
        }
    }

    fn compare(&mut self, first: First, answer: &Answer<'_>, decided: &Decided<'_>) {
        let whole = || {
            let (decision, call) = (first.decision, first.sequence);
            json!({ "answer": answer, "first_decision": decision, "first_call": call })
        };
        if first.decision != decided.decision && !decided.is_duplicate {
            if self.doubts.len() < DOUBTS_MAX {
                let (customer, again) = (key(decided.customer), decided.decision);
                let sequence = answer.sequence;
                self.doubts.push(Doubt { sequence, customer, first: first.decision, again, whole: whole() });
            }
            return;
        }
        let is_same = first.decision == decided.decision && first.outcome == key(decided.outcome);
        self.tally.look(answer.sequence, is_same && (decided.is_duplicate || !answer.is_repeat), whole);
    }

    /// An event and its repetitions are seen by one thread, so what two have seen has nothing in common.
    pub(super) fn add(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.first.add(other.first, |_, _| {});
        self.doubts.extend(other.doubts);
        self.promised_nothing += other.promised_nothing;
    }

    /// What it came to; `ids` has all decisions that were heard of.
    pub(super) fn check(mut self, ids: &Ids) -> Check {
        let mut by_customer = HashMap::<u64, Vec<usize>>::new();
        for (number, doubt) in self.doubts.iter().enumerate() {
            by_customer.entry(doubt.customer).or_default().push(number);
        }
        let mut since = vec![0_u64; self.doubts.len()];
        ids.each_made(|customer, decision| {
            for &number in by_customer.get(&customer).into_iter().flatten() {
                let Doubt { first, again, .. } = &self.doubts[number];
                since[number] += u64::from(first.time() < decision.time() && decision.time() <= again.time());
            }
        });
        let mut forgotten = 0;
        for (doubt, since) in self.doubts.into_iter().zip(since) {
            let apart = doubt.again.time().micros() - doubt.first.time().micros();
            if since * ids.one_of() < self.remembered && apart < self.over.micros() {
                self.tally.look(doubt.sequence, false, || doubt.whole);
            } else {
                forgotten += 1;
            }
        }
        let mut remark = self.first.remark("event");
        if forgotten > 0 {
            remark.push_str(&format!(
                "{}{forgotten} events came again late, when their customers had had {} decisions since or more: they may have been \
                 forgotten.",
                if remark.is_empty() { "" } else { " " },
                self.remembered
            ));
        }
        if self.promised_nothing > 0 {
            remark.push_str(&format!(
                "{}{} repetitions were answered as `pending` or in doubt, which promises nothing: they may be another decision.",
                if remark.is_empty() { "" } else { " " },
                self.promised_nothing
            ));
        }
        self.tally.check(&remark)
    }
}
