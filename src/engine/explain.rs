//! Explaining a decision from its record: which rule, on which values, and why not the others.
//!
//! An explanation needs the record and its bundle, nothing else: what was seen stands in the record. So it can be made
//! beside a running engine, long after the customer's state has moved on.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::feedback_shown::feedback_beside;
use super::late_answers::late_answers_beside;
use super::rule_shown::{RuleShown, RuleVerdict, Standings};
use super::{
    AgentShown, CapShown, Decision, Engine, Error, EventShown, FeedbackShown, LateAnswerShown, ModelShown, Reason,
    WhyNot,
};
use crate::actor::bundle_of;
use crate::agents::{Silence, Source};
use crate::bundle::{Bundle, ContextSource, Playbook};
use crate::decider::Decided;
use crate::domain::{Datum, DecisionId, Durability, Timestamp, Unavailable};
use crate::journal::{Found, Kind, journal_folder, record_at, record_with_key};
use crate::rules::{PartTrace, Ref, Scope, Slot};
use crate::turn::{Input, Record, RecordedDecision};

/// Why a decision came out as it did.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// The sequence of its record in the journal.
    pub record: u64,
    /// When the event arrived.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(feature = "http", schema(value_type = String, format = DateTime))]
    pub arrival: Timestamp,
    /// The event it was decided on.
    pub event: EventShown,
    /// The values of the customer's context that the rules looked at.
    pub context: Vec<Named>,
    /// The playbook's caps, what each left and what the decision took of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub caps: Vec<CapShown>,
    /// Every rule of the playbook by rank, and how it stood.
    pub rules: Vec<RuleShown>,
    /// The models that were asked, what each proposed, and what became of that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub models: Vec<ModelShown>,
    /// The agents that were asked, what each proposed, what became of that and what it cost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub agents: Vec<AgentShown>,
    /// Answers of large models that came after the decision had been made, in the order in which they came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub late_answers: Vec<LateAnswerShown>,
    /// What is to be said of all that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub note: Option<String>,
    /// What was said of it afterwards, in the order in which it came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub feedback: Vec<FeedbackShown>,
    /// Why a rule that was asked about did not decide, and what would make it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub why_not: Option<WhyNot>,
}

/// A value by name, or why there was none.
#[derive(Clone, Debug, Serialize, PartialEq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Named {
    /// The value's name.
    pub name: String,
    /// The value.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// Whether it was past its soft limit of freshness: used, and old.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub stale: bool,
}

impl Engine {
    /// The record of a decision's turn.
    pub(super) fn turn_record(&self, id: DecisionId) -> Result<Option<Found>, Error> {
        let found = self.0.journal.find(id.to_u128(), id.time())?;
        Ok(found.filter(|found| found.kind == Kind::Turn))
    }

    /// A decision by its id, if it is on disk. Reads the journal: not for the way of an event.
    pub fn decision(&self, id: DecisionId) -> Result<Option<Decision>, Error> {
        let Some(found) = self.turn_record(id)? else { return Ok(None) };
        let (record, bundle) = self.record(&found)?;
        remade(&record, &bundle, id).map(|(.., decision)| Some(decision))
    }

    /// Explains a decision, if it is on disk. Reads the journal: not for the way of an event.
    pub fn explain(&self, id: DecisionId) -> Result<Option<Explanation>, Error> {
        let Some(found) = self.turn_record(id)? else { return Ok(None) };
        let (record, bundle) = self.record(&found)?;
        self.explanation(&record, &bundle, found.seq, id).map(Some)
    }

    /// Explains a decision, and why a rule of its playbook did not decide. Reads the journal: not for the way of an event.
    pub fn why_not(&self, id: DecisionId, rule: &str) -> Result<Option<Explanation>, Error> {
        let Some(found) = self.turn_record(id)? else { return Ok(None) };
        let (record, bundle) = self.record(&found)?;
        self.explanation(&record, &bundle, found.seq, id)?.with_why_not(rule, &record, &bundle).map(Some)
    }

    fn explanation(&self, record: &Record, bundle: &Bundle, seq: u64, id: DecisionId) -> Result<Explanation, Error> {
        let explanation = Explanation::of(record, bundle, seq, id)?;
        let explanation = explanation.with_feedback(self.feedback_shown(record, bundle, seq, id));
        Ok(explanation.with_late_answers(bundle, |playbook| self.late_answers_shown(id, seq, playbook)))
    }

    pub(super) fn record(&self, found: &Found) -> Result<(Record, Arc<Bundle>), Error> {
        read_record(found, |seq| self.0.customers.bundle_at(seq).map_err(|e| e.to_string()))
    }
}

/// Explains a decision from a data directory, which another process may have open: nothing is locked, nothing is written.
pub fn explain_from(data: &Path, id: DecisionId) -> Result<Option<Explanation>, Error> {
    let Some((found, record, bundle)) = read_from(data, id)? else { return Ok(None) };
    explanation_from(data, &record, &bundle, found.seq, id).map(Some)
}

/// Explains a decision from a data directory as [`explain_from`] does, and why a rule of its playbook did not decide.
pub fn why_not_from(data: &Path, id: DecisionId, rule: &str) -> Result<Option<Explanation>, Error> {
    let Some((found, record, bundle)) = read_from(data, id)? else { return Ok(None) };
    explanation_from(data, &record, &bundle, found.seq, id)?.with_why_not(rule, &record, &bundle).map(Some)
}

fn explanation_from(
    data: &Path,
    record: &Record,
    bundle: &Bundle,
    seq: u64,
    id: DecisionId,
) -> Result<Explanation, Error> {
    let explanation = Explanation::of(record, bundle, seq, id)?;
    let explanation = explanation.with_feedback(feedback_beside(data, record, bundle, seq, id));
    Ok(explanation.with_late_answers(bundle, |playbook| late_answers_beside(data, id, seq, playbook)))
}

fn read_from(data: &Path, id: DecisionId) -> Result<Option<(Found, Record, Arc<Bundle>)>, Error> {
    let folder = journal_folder(data);
    let Some(found) = record_with_key(&folder, id.to_u128())? else { return Ok(None) };
    let (record, bundle) = read_record(&found, |seq| {
        let found = record_at(&folder, seq).map_err(|e| e.to_string())?;
        let found = found.ok_or_else(|| format!("the journal has no record {seq}"))?;
        bundle_of(&found).map(Arc::new).map_err(|e| e.to_string())
    })?;
    Ok(Some((found, record, bundle)))
}

pub(super) fn read_record(
    found: &Found,
    bundle_at: impl FnOnce(u64) -> Result<Arc<Bundle>, String>,
) -> Result<(Record, Arc<Bundle>), Error> {
    let mut failed = None;
    let decoded = Record::decode(&found.payload, |seq| bundle_at(seq).map_err(|error| failed = Some(error)).ok());
    match (decoded, failed) {
        (_, Some(error)) => Err(Error::Record(format!("record {}: {error}", found.seq))),
        (Ok(read), None) => Ok(read),
        (Err(error), None) => Err(Error::Record(format!("record {}: {error}", found.seq))),
    }
}

/// The decision of a record with this id, made again: as it is recorded, as it was made, and as callers get it.
pub(super) fn remade<'a>(
    record: &'a Record,
    bundle: &Bundle,
    id: DecisionId,
) -> Result<(&'a RecordedDecision, Decided, Decision), Error> {
    let recorded = record.decisions.iter().find(|decision| record.id_of(decision, bundle) == Some(id));
    let recorded = recorded.ok_or_else(|| Error::Record(format!("the record found does not hold decision {id}")))?;
    let made = record.remake(recorded, bundle).map_err(|e| Error::Record(e.to_string()))?;
    let decided = made.decided.clone();
    let mut decision = Decision::of(made, bundle, record.input.customer().clone());
    decision.durability = Durability::Disk;
    Ok((recorded, decided, decision))
}

impl Explanation {
    pub(super) fn of(record: &Record, bundle: &Bundle, seq: u64, id: DecisionId) -> Result<Self, Error> {
        let (recorded, decided, decision) = remade(record, bundle, id)?;
        let playbook = &bundle.playbooks()[recorded.playbook];
        let mut rules = Vec::with_capacity(playbook.rules.rules().len());
        let standings = Standings { playbook, decided: &decided, stale: &recorded.circumstances.stale };
        record.trace(recorded, bundle, |trace| rules.push(standings.of(trace)));
        let synthetic = decision.customer.is_synthetic().then(|| SYNTHETIC.to_owned());
        let notes: Vec<String> = synthetic.into_iter().chain(too_costly(&decision)).collect();
        Ok(Self {
            record: seq,
            arrival: record.arrival,
            event: EventShown::of(record, recorded, bundle),
            context: context(recorded, playbook, bundle),
            caps: CapShown::of(recorded, playbook),
            rules,
            models: ModelShown::of(&decided.asked, decided.model, playbook),
            agents: AgentShown::of(&decided.agents, decided.agent, playbook),
            late_answers: Vec::new(),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            feedback: Vec::new(),
            why_not: None,
            decision,
        })
    }

    /// What was said of the decision; or that it cannot be told, for a decision is explained whatever became of later records.
    fn with_feedback(mut self, feedback: Result<Vec<FeedbackShown>, Error>) -> Self {
        match feedback {
            Ok(feedback) => self.feedback = feedback,
            Err(error) => self.add_note(format!("what was said of it afterwards cannot be read: {error}")),
        }
        self
    }

    /// The answers that came too late, where there was one to come: the journal is searched for no others.
    fn with_late_answers(
        mut self,
        bundle: &Bundle,
        read: impl FnOnce(&Playbook) -> Result<Vec<LateAnswerShown>, Error>,
    ) -> Self {
        let is_late =
            |agent: &AgentShown| agent.word == Silence::Late.as_str() || agent.call.source == Source::Stale.as_str();
        let is_any = self.agents.iter().any(|agent| agent.unneeded || is_late(agent));
        let number = bundle.playbook_number(&self.decision.playbook).filter(|_| is_any);
        match number.map(|number| read(&bundle.playbooks()[number])) {
            None => {}
            Some(Ok(late)) => self.late_answers = late,
            Some(Err(error)) => self.add_note(format!("whether answers came too late cannot be read: {error}")),
        }
        self
    }

    fn add_note(&mut self, further: String) {
        self.note = Some(match self.note.take() {
            Some(note) => format!("{note}; {further}"),
            None => further,
        });
    }

    pub(super) fn with_why_not(mut self, rule: &str, record: &Record, bundle: &Bundle) -> Result<Self, Error> {
        let recorded = record.decisions.iter().find(|of| record.id_of(of, bundle) == Some(self.decision.id));
        let recorded = recorded.ok_or_else(|| Error::Record("the record lost its decision".to_owned()))?;
        let playbook = &bundle.playbooks()[recorded.playbook];
        let place = match &record.input {
            Input::Event(input) => playbook.position_of_event(input.event.kind),
            _ => None,
        };
        let (Some(sight), Some(position)) = (record.sight(recorded, bundle), place) else {
            return Err(Error::Record("its playbook does not decide on such events".to_owned()));
        };
        self.why_not = Some(WhyNot::of(rule, playbook, bundle, &self, (&sight, position))?);
        Ok(self)
    }

    /// The rule that decided, with its conditions; `None` for the default.
    pub fn fired(&self) -> Option<&RuleShown> {
        self.rules.iter().find(|rule| rule.verdict == RuleVerdict::Fired)
    }

    /// Why the playbook's default was taken; `None` if what a rule says was.
    pub fn default_because(&self) -> Option<String> {
        let refused = || {
            let said = self.decision.reasons.iter().filter_map(|reason| match reason {
                Reason::GuardrailRefused(violation) => Some(violation.to_string()),
                _ => None,
            });
            let said: Vec<String> = said.collect();
            (!said.is_empty()).then(|| format!("the guardrail refused {}", said.join("; ")))
        };
        let by_rules = |reason: &Reason| match reason {
            Reason::HitPolicyViolated { policy, group, rules: [first, second] } => Some(format!(
                "rules `{first}` and `{second}` both match, which the hit policy `{policy}` of {group} does not allow"
            )),
            Reason::DefaultApplied => Some("no rule matched".to_owned()),
            Reason::NotAsked { .. } => Some(reason.to_string()),
            _ => None,
        };
        refused().or_else(|| self.decision.reasons.iter().find_map(by_rules))
    }
}

pub(super) fn context(recorded: &RecordedDecision, playbook: &Playbook, bundle: &Bundle) -> Vec<Named> {
    let layout = bundle.layout();
    let named = |source: &ContextSource| match source {
        ContextSource::Fact(number) => format!("customer.{}", layout.facts()[*number].field.name),
        ContextSource::Signal(number) => format!("signal.{}", layout.signals()[*number].name),
        ContextSource::Decisions => "ledger.decisions".to_owned(),
        ContextSource::LastDecided => "ledger.last_decided".to_owned(),
    };
    let is_stale = |sight: u16| recorded.circumstances.stale.contains(&sight);
    let shown = (0..).zip(playbook.sights.iter().zip(&recorded.seen)).map(|(sight, (source, seen))| Named {
        stale: is_stale(sight),
        name: named(source),
        value: seen.as_ref().ok().map(|value| Datum::new(source.ty(layout), value.clone())),
        unavailable: seen.as_ref().err().map(ToString::to_string),
    });
    shown.collect()
}

impl Named {
    /// A value as a condition saw it.
    pub(super) fn seen(scope: &Scope, slot: Slot, seen: Result<Ref<'_>, Unavailable>) -> Self {
        Self {
            name: scope.declared(slot).path.to_string(),
            value: seen.ok().map(|seen| PartTrace::datum(scope, slot, seen)),
            unavailable: seen.as_ref().err().map(ToString::to_string),
            stale: false,
        }
    }
}

/// What is said of a decision about a customer whom there is not.
const SYNTHETIC: &str = "synthetic: the engine's self-check decided it, for nobody; it counts in no statistics";

/// An explanation judges each rule by itself, a decision all of them with the same steps.
fn too_costly(decision: &Decision) -> Option<String> {
    let of_reason = |reason: &Reason| match reason {
        Reason::ValueUnavailable { reason: Unavailable::TooCostly, rules, or_more, .. } => Some((*rules, *or_more)),
        _ => None,
    };
    let (rules, or_more) = decision.reasons.iter().find_map(of_reason)?;
    let at_least = if or_more { "at least " } else { "" };
    let ran = if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") };
    Some(format!("{at_least}{ran} ran out of steps in the decision; what is shown is how each rule stands by itself"))
}

fn as_text<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
