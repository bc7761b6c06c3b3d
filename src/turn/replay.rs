//! Records applied and decisions made again: recovery, explanations, replay.

use super::{
    Entered, Input, Lease, Made, ModelReadings, Readings, Record, RecordedDecision, RecordedModels, Surroundings,
    apply_input, apply_outcome,
};
use crate::bundle::{Bundle, CapScope};
use crate::context::{CustomerState, StateError, TypedEvent};
use crate::decider::{Answers, Ruling, Sight, Workspace, decide};
use crate::domain::{DecisionId, DecisionName, FallbackReason, Timestamp};
use crate::rules::{RuleTrace, Scratch};

/// A decision that a record cannot account for: its rules and what was seen now give something else. Never expected; a
/// sign of damage or of a change of meaning without a change of the semantics version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record of decision {id} does not account for it: {difference}")]
pub struct Unaccounted {
    /// The decision.
    pub id: DecisionId,
    /// What differs.
    pub difference: String,
}

/// Applies a record to a customer's state, as the live turn did. Decides nothing. An error says that the state is damaged.
pub fn apply(state: &mut CustomerState, record: &Record, seq: u64, bundle: &Bundle) -> Result<(), StateError> {
    let around = Surroundings { bundle, tenant: &record.tenant };
    apply_input(state, &record.input, record.arrival, around)?;
    if let Input::Event(event) = &record.input {
        let decisions = record.decisions.iter().map(|decision| {
            let playbook = &bundle.playbooks()[decision.playbook];
            let id = record.decision_id(&playbook.name, &event.event);
            let is_asked = decision.circumstances.refusal.is_none();
            Entered { playbook: decision.playbook, id, outcome: &decision.outcome, is_asked }
        });
        apply_outcome(state, event, record.arrival, (decisions, record.is_late()), around);
    }
    state.last_seq = seq;
    Ok(())
}

impl Record {
    /// The readings that its turn was taken with, made again from what it made of them, for a customer whose last arrival was
    /// `last_arrival` before it.
    ///
    /// What a turn was lent of a global cap is what the first decision that looked at the cap found left. Of a cap that no
    /// decision looked at it does not matter what was lent. An arrival before the customer's last one is that of an event that
    /// was answered late.
    pub fn readings(&self, bundle: &Bundle, last_arrival: Timestamp) -> Readings {
        let is_late = self.is_late() || self.arrival < last_arrival;
        let said = |decision: &RecordedDecision| {
            let RecordedDecision { playbook, asked, agents, .. } = decision;
            let is_any = !asked.is_empty() || !agents.is_empty();
            is_any.then(|| RecordedModels { playbook: *playbook, asked: asked.clone(), agents: agents.clone() })
        };
        let said = self.decisions.iter().filter_map(said).collect();
        let models = ModelReadings::Recorded(said);
        let mut readings = Readings { is_late, models, ..Readings::at(self.arrival) };
        if !bundle.has_global_caps() {
            return readings;
        }
        for decision in &self.decisions {
            let caps = bundle.playbooks()[decision.playbook].caps.iter();
            for (cap, room) in caps.zip(&decision.circumstances.room) {
                if cap.scope == CapScope::Global && readings.leases.iter().all(|lease| lease.cap != cap.key) {
                    readings.leases.push(Lease { cap: cap.key, room: room.left });
                }
            }
        }
        readings
    }

    /// Whether its event was answered late. Then every decision on it was.
    fn is_late(&self) -> bool {
        let is_late = |of: &RecordedDecision| of.circumstances.refusal == Some(FallbackReason::Late);
        self.decisions.iter().any(is_late)
    }

    fn decision_id(&self, playbook: &str, event: &TypedEvent) -> DecisionId {
        let TypedEvent { customer, key, .. } = event;
        DecisionId::of(DecisionName { tenant: &self.tenant, playbook, customer, event: key, arrival: self.arrival })
    }

    /// The id of one of the record's decisions.
    pub fn id_of(&self, decision: &RecordedDecision, bundle: &Bundle) -> Option<DecisionId> {
        let Input::Event(event) = &self.input else { return None };
        let playbook = bundle.playbooks().get(decision.playbook)?;
        Some(self.decision_id(&playbook.name, &event.event))
    }

    /// Makes one of the record's decisions again, from what was seen then, and checks that it comes out the same.
    pub fn remake(&self, decision: &RecordedDecision, bundle: &Bundle) -> Result<Made, Unaccounted> {
        let id = self.id_of(decision, bundle).unwrap_or(DecisionId::from_u128(0));
        let unaccounted = |difference: String| Unaccounted { id, difference };
        let Some(sight) = self.sight(decision, bundle) else {
            return Err(unaccounted("its playbook does not decide on such events".to_owned()));
        };
        let playbook = &bundle.playbooks()[decision.playbook];
        let answers = Answers::Recorded(&decision.asked, &decision.agents);
        let ruling = decide(playbook, &sight, &decision.circumstances, answers, &mut Workspace::default());
        let Ruling::Decided(decided) = ruling else {
            return Err(unaccounted("a model is asked that had nothing to say then".to_owned()));
        };
        let same_values = decided.outcome.get().values() == decision.outcome;
        if !same_values
            || decided.rule != decision.rule
            || decided.tier != decision.tier
            || decided.fallback != decision.fallback
        {
            let then = format!("rule {:?}, {:?}, {:?}", decision.rule, decision.fallback, decision.outcome);
            let now = format!("rule {:?}, {:?}, {:?}", decided.rule, decided.fallback, decided.outcome.get().values());
            return Err(unaccounted(format!("then {then}, now {now}")));
        }
        let (seen, circumstances) = (decision.seen.clone(), decision.circumstances.clone());
        let settle_by = playbook.settle_by(&decision.outcome, self.arrival);
        Ok(Made { id, playbook: decision.playbook, decided, seen, circumstances, settle_by })
    }

    /// Hands on how every rule of the playbook stood to one of the record's decisions, by rank.
    pub fn trace(&self, decision: &RecordedDecision, bundle: &Bundle, mut each: impl FnMut(RuleTrace<'_>)) {
        let playbook = &bundle.playbooks()[decision.playbook];
        let Some(sight) = self.sight(decision, bundle) else { return };
        playbook.rules.explain(&sight, &mut Scratch::default()).into_iter().for_each(&mut each);
    }

    /// What one of the record's decisions saw.
    pub fn sight<'a>(&'a self, decision: &'a RecordedDecision, bundle: &'a Bundle) -> Option<Sight<'a>> {
        let Input::Event(event) = &self.input else { return None };
        let playbook = bundle.playbooks().get(decision.playbook)?;
        let sight = Sight::new(playbook, &event.event, self.arrival, &decision.seen)?;
        // Who explains the decision sees no more than it did.
        Some(if decision.circumstances.is_context_open(playbook) { sight } else { sight.withholding() })
    }
}
