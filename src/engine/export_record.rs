//! What the journal has of a customer, as an export has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::explain::context;
use super::{Decision, FeedbackTold, LateAnswerShown, Named, Reason};
use crate::actor::{Recorded, RecordedWhat, SetAsideInput};
use crate::bundle::Bundle;
use crate::domain::{Datum, FallbackReason, Timestamp};
use crate::turn::{EventInput, Input, Record, RecordedDecision, TraceId, decode_input};

/// A record of the journal. Of `set_aside` only what can be read; else one of `event`, `facts`, `consents`, `settlement` and `feedback` is there.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct RecordShown {
    /// Its sequence in the journal.
    pub record: u64,
    /// When what it holds arrived.
    pub arrival: String,
    /// The bundle that was in force, if it can be read.
    pub bundle: Option<String>,
    /// Something that happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub event: Option<EventRecorded>,
    /// Something that was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub facts: Option<FactsTold>,
    /// Something that was allowed, or is so no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub consents: Option<ConsentsTold>,
    /// What became of a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub settlement: Option<SettlementTold>,
    /// What was said of a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub feedback: Option<FeedbackTold>,
    /// An answer of a large model that came too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub late_answer: Option<LateAnswerTold>,
    /// Why no turn was taken on it, if it was set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub set_aside: Option<SetAsideTold>,
    /// What was decided on the event.
    pub decisions: Vec<DecisionRecorded>,
}

/// An event that happened.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct EventRecorded {
    /// Its source.
    pub source: String,
    /// Its id within the source.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, if its sender said so.
    pub time: Option<String>,
    /// The caller's trace id, if there was one.
    pub trace_id: Option<String>,
    /// Its attributes, declared or not.
    #[serde(rename = "data")]
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub attributes: BTreeMap<String, Datum>,
}

/// Facts that were told.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FactsTold {
    /// Who told them.
    pub source: String,
    /// When they observed them.
    pub observed_at: String,
    /// The facts; a null withdraws one.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub facts: BTreeMap<String, Option<Datum>>,
}

/// Consents that were given or withdrawn.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ConsentsTold {
    /// Who told them.
    pub source: String,
    /// When it was said.
    pub observed_at: String,
    /// By purpose whether consent was given.
    pub consents: BTreeMap<String, bool>,
}

/// What became of a decision.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SettlementTold {
    /// The decision.
    pub decision_id: String,
    /// `commit` or `release`.
    pub settlement: &'static str,
}

/// The answer of a large model that came after its decision had been made.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LateAnswerTold {
    /// The decision.
    pub decision_id: String,
    /// What it said, and what was done for it.
    #[serde(flatten)]
    pub answer: LateAnswerShown,
}

/// Why an input was set aside: turns on it panicked.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SetAsideTold {
    /// The input's name.
    pub id: String,
    /// How often.
    pub panics: u32,
    /// What the last panic said.
    pub reason: String,
}

/// A decision that was made.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct DecisionRecorded {
    /// Its id.
    pub decision_id: String,
    /// The playbook that decided.
    pub playbook: String,
    /// The purpose that the playbook decides for.
    pub purpose: Option<String>,
    /// What was decided.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub outcome: BTreeMap<String, Datum>,
    /// What made it.
    pub tier: &'static str,
    /// The rule that matched.
    pub rule: Option<String>,
    /// Why the default was taken in place of a proposal.
    pub fallback: Option<&'static str>,
    /// Why it came out like this; empty if the record does not account for it any more.
    #[cfg_attr(feature = "http", schema(value_type = Vec<super::reason::ReasonShape>))]
    pub reasons: Vec<Reason>,
    /// Until when someone had to say what became of it.
    pub settle_by: Option<String>,
    /// The values of the customer's context that it looked at.
    pub context: Vec<Named>,
}

impl RecordShown {
    /// A record; `bundle_at` gives the bundle that the journal holds at a sequence.
    pub(super) fn of(recorded: &Recorded, bundle_at: impl FnOnce(u64) -> Option<Arc<Bundle>>) -> Self {
        match &recorded.what {
            RecordedWhat::Turn(record, bundle) => {
                let decisions = record.decisions.iter().map(|of| DecisionRecorded::of(record, of, bundle)).collect();
                Self {
                    decisions,
                    ..Self::empty(recorded.seq, record.arrival).with_input(&record.input, record.arrival, bundle)
                }
            }
            RecordedWhat::SetAside(SetAsideInput { aside, bundle_seq, bytes }) => {
                let at = Timestamp::from_micros(aside.at);
                let empty = Self::empty(recorded.seq, at);
                let input =
                    bundle_at(*bundle_seq).and_then(|bundle| Some((decode_input(bytes, &bundle).ok()?, bundle)));
                let shown = match &input {
                    Some((input, bundle)) => empty.with_input(input, at, bundle),
                    None => empty,
                };
                let (id, reason) = (aside.id.to_string(), aside.reason.clone());
                Self { set_aside: Some(SetAsideTold { id, panics: aside.panics, reason }), ..shown }
            }
        }
    }

    fn empty(record: u64, arrival: Timestamp) -> Self {
        Self {
            record,
            arrival: arrival.to_string(),
            bundle: None,
            event: None,
            facts: None,
            consents: None,
            settlement: None,
            feedback: None,
            late_answer: None,
            set_aside: None,
            decisions: Vec::new(),
        }
    }

    fn with_input(mut self, input: &Input, arrival: Timestamp, bundle: &Bundle) -> Self {
        self.bundle = Some(bundle.id().to_string());
        match input {
            Input::Event(input) => self.event = Some(EventRecorded::of(input, bundle)),
            Input::Facts(input) => {
                let fields = bundle.layout().facts();
                let told = |(number, value): &(usize, Option<crate::domain::Value>)| {
                    let field = &fields[*number].field;
                    (field.name.to_string(), value.clone().map(|value| Datum::new(&field.ty, value)))
                };
                let facts = input.facts.iter().map(told).collect();
                let (source, observed_at) = (input.source.to_string(), input.observed_at.to_string());
                self.facts = Some(FactsTold { source, observed_at, facts });
            }
            Input::Consents(input) => {
                let said = |(number, given): &(usize, bool)| Some((bundle.purpose(*number)?.name.to_string(), *given));
                let consents = input.consents.iter().filter_map(said).collect();
                let (source, observed_at) = (input.source.to_string(), input.observed_at.to_string());
                self.consents = Some(ConsentsTold { source, observed_at, consents });
            }
            Input::Settlement(input) => {
                let (decision_id, settlement) = (input.decision.to_string(), input.settlement.as_str());
                self.settlement = Some(SettlementTold { decision_id, settlement });
            }
            Input::Feedback(input) => self.feedback = Some(FeedbackTold::of(input)),
            Input::LateAnswer(input) => {
                let answer = LateAnswerShown::told(input, arrival, self.record);
                self.late_answer = Some(LateAnswerTold { decision_id: input.decision.to_string(), answer });
            }
        }
        self
    }
}

impl EventRecorded {
    fn of(input: &EventInput, bundle: &Bundle) -> Self {
        let event = &input.event;
        let ty = &bundle.layout().events()[event.kind];
        let declared = ty
            .attributes
            .iter()
            .zip(&event.attributes)
            .filter_map(|(field, value)| Some((field.name.to_string(), Datum::new(&field.ty, value.clone()?))));
        let undeclared = event.undeclared.iter().map(|(name, raw)| (name.clone(), Datum::untyped(raw.clone())));
        Self {
            source: event.key.source().to_owned(),
            id: event.key.id().to_owned(),
            kind: ty.name.to_string(),
            time: event.time.map(|time| time.to_string()),
            trace_id: input.trace.map(trace_shown),
            attributes: declared.chain(undeclared).collect(),
        }
    }
}

/// A trace id in the digits of its standard.
pub(super) fn trace_shown(trace: TraceId) -> String {
    trace.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl DecisionRecorded {
    fn of(record: &Record, decision: &RecordedDecision, bundle: &Bundle) -> Self {
        let playbook = &bundle.playbooks()[decision.playbook];
        let fields = playbook.outcome.fields().iter().zip(&decision.outcome);
        let made = record.remake(decision, bundle).ok();
        let customer = record.input.customer().clone();
        let reasons = made.map(|made| Decision::of(made, bundle, customer).reasons.into_vec());
        let settle_by = playbook.settle_by(&decision.outcome, record.arrival);
        Self {
            decision_id: record.id_of(decision, bundle).map(|id| id.to_string()).unwrap_or_default(),
            playbook: playbook.name.to_string(),
            purpose: playbook.purpose.as_ref().map(|purpose| purpose.name.to_string()),
            outcome: fields
                .map(|(field, value)| (field.name.to_string(), Datum::new(&field.ty, value.clone())))
                .collect(),
            tier: decision.tier.as_str(),
            rule: decision.rule.map(|rank| playbook.rules.rules()[rank].id.to_string()),
            fallback: decision.fallback.map(FallbackReason::as_str),
            reasons: reasons.unwrap_or_default(),
            settle_by: settle_by.as_ref().map(Timestamp::to_string),
            context: context(decision, playbook, bundle),
        }
    }
}
