//! Whether feedback fits the decision that it is on.

use std::sync::Arc;

use crate::bundle::Playbook;
use crate::domain::{
    CustomerId, DecisionId, FUTURE_MAX, FeedbackVerdict, ID_BYTES_MAX, Raw, RawMap, Timestamp, Value, suggestion,
};
use crate::turn::FeedbackInput;

use super::Feedback;

/// What may stand in `outcome`: what became of a decision is a handful of numbers and words, not a document.
const OUTCOME_MEMBERS_MAX: usize = 32;
const OUTCOME_NAME_BYTES_MAX: usize = 64;
const OUTCOME_TEXT_BYTES_MAX: usize = 1_024;

/// Something that is wrong with feedback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedbackFault {
    /// The members that lead to it, from the outside in; empty for the feedback as a whole.
    pub path: Vec<String>,
    /// What is wrong, to follow the path.
    pub reason: String,
}

impl FeedbackFault {
    /// A fault of a member.
    pub fn new(member: &str, reason: impl Into<String>) -> Self {
        Self { path: vec![member.to_owned()], reason: reason.into() }
    }

    fn of(member: &str, name: &str, reason: impl Into<String>) -> Self {
        Self { path: vec![member.to_owned(), name.to_owned()], reason: reason.into() }
    }

    /// Where it stands, as a JSON Pointer.
    pub fn pointer(&self) -> String {
        self.path.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
    }
}

impl std::fmt::Display for FeedbackFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.path[..] {
            [] => write!(f, "the feedback {}", self.reason),
            _ => write!(f, "`{}` {}", self.path.join("."), self.reason),
        }
    }
}

/// The decision that feedback is on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged<'a> {
    pub(super) decision: DecisionId,
    pub(super) customer: &'a CustomerId,
    pub(super) playbook: &'a Playbook,
    /// The values of its outcome.
    pub(super) outcome: &'a [Value],
}

/// Checks feedback on a decision at a time, and adds whatever is wrong with it to the faults.
pub(super) fn checked(
    feedback: Feedback,
    judged: Judged<'_>,
    now: Timestamp,
    faults: &mut Vec<FeedbackFault>,
) -> FeedbackInput {
    let is_readable = faults.is_empty();
    let Feedback { id, source, time, verdict, corrected, label, outcome } = feedback;
    let says_nothing = verdict.is_none() && label.is_none() && corrected.is_empty() && outcome.is_empty();
    // What could not be read may be what it says.
    if says_nothing && is_readable {
        let reason = "says nothing: give at least one of `verdict`, `corrected`, `label` and `outcome`";
        faults.push(FeedbackFault { path: Vec::new(), reason: reason.to_owned() });
    }
    if let Some(id) = &id {
        check_text("id", id, faults);
    }
    if !source.is_empty() {
        check_text("source", &source, faults);
    }
    if let Some(label) = &label {
        check_text("label", label, faults);
    }
    if let Some(time) = time.filter(|time| *time > now.saturating_add(FUTURE_MAX)) {
        faults.push(FeedbackFault::new("time", format!("{time} is more than 5 minutes ahead of now, {now}")));
    }
    let corrected = fields(corrected, judged.playbook, faults);
    if verdict == Some(FeedbackVerdict::Accepted) && !is_as_decided(&corrected, judged) {
        let reason = "is `accepted`, but `corrected` puts something else in the decision's place";
        faults.push(FeedbackFault::new("verdict", reason));
    }
    let mut input = FeedbackInput {
        customer: judged.customer.clone(),
        decision: judged.decision,
        id: Box::default(),
        source: Arc::from(if source.is_empty() { "unknown" } else { &source }),
        time,
        verdict,
        corrected,
        label: label.map(String::into_boxed_str),
        outcome: members(outcome, faults),
    };
    input.id = id.map_or_else(|| input.name_of_content(), String::into_boxed_str);
    input
}

/// Whether a decision was right, as far as feedback says so.
pub(super) fn is_correct(input: &FeedbackInput, judged: Judged<'_>) -> Option<bool> {
    if !input.corrected.is_empty() {
        return Some(is_as_decided(&input.corrected, judged));
    }
    input.verdict.map(|verdict| verdict == FeedbackVerdict::Accepted)
}

/// Whether the corrected fields are what was decided. A field that the playbook does not have is not.
fn is_as_decided(corrected: &RawMap, judged: Judged<'_>) -> bool {
    let schema = &judged.playbook.outcome;
    corrected.iter().all(|(name, raw)| {
        let Some(number) = schema.field_number(name) else { return false };
        let value = schema.fields()[number].ty.accept(raw.clone()).ok();
        value.is_some() && value.as_ref() == judged.outcome.get(number)
    })
}

/// Fields of an outcome, checked, in the order of the playbook.
fn fields(corrected: RawMap, playbook: &Playbook, faults: &mut Vec<FeedbackFault>) -> RawMap {
    let schema = playbook.outcome.fields();
    let mut numbered: Vec<(usize, Raw)> = Vec::new();
    for (name, raw) in corrected {
        let fault = |reason: String| FeedbackFault::of("corrected", &name, reason);
        let Some(number) = playbook.outcome.field_number(&name) else {
            let hint = suggestion(&name, schema.iter().map(|field| &*field.name));
            let playbook = &playbook.name;
            faults.push(fault(format!("is not a field of the outcome of playbook `{playbook}`{hint}")));
            continue;
        };
        let field = &schema[number];
        match raw {
            Raw::Null => faults.push(fault("is null: leave out what stays as it was decided".to_owned())),
            raw => match field.ty.accept(raw).map_err(|error| error.to_string()) {
                Ok(value) => match field.check(&value) {
                    Ok(()) => numbered.push((number, stored(field.ty.to_raw(&value)))),
                    Err(reason) => faults.push(fault(reason.to_string())),
                },
                Err(reason) => faults.push(fault(reason)),
            },
        }
    }
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(number, raw)| (schema[number].name.to_string(), raw)).collect()
}

/// A value as it is read back from a record, where an exact decimal is a text.
fn stored(raw: Raw) -> Raw {
    match raw {
        Raw::Decimal(decimal) => Raw::Text(decimal.to_string()),
        Raw::List(items) => Raw::List(items.into_iter().map(stored).collect()),
        raw => raw,
    }
}

/// What became of a decision, checked, by name.
fn members(outcome: RawMap, faults: &mut Vec<FeedbackFault>) -> RawMap {
    if outcome.len() > OUTCOME_MEMBERS_MAX {
        let reason = format!("has {} members, the limit is {OUTCOME_MEMBERS_MAX}", outcome.len());
        faults.push(FeedbackFault::new("outcome", reason));
        return RawMap::new();
    }
    let mut kept = RawMap::new();
    for (name, raw) in outcome {
        match member(&name, raw) {
            Ok(raw) => kept.push((name, raw)),
            Err(reason) => faults.push(FeedbackFault::of("outcome", &name, reason)),
        }
    }
    kept.sort_by(|(a, _), (b, _)| a.cmp(b));
    if let Some(name) = crate::domain::key_twice(&kept).map(str::to_owned) {
        faults.push(FeedbackFault::of("outcome", &name, "is given twice"));
    }
    kept
}

fn member(name: &str, raw: Raw) -> Result<Raw, String> {
    if name.is_empty() || name.len() > OUTCOME_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(format!("is not a name: 1 to {OUTCOME_NAME_BYTES_MAX} bytes without control characters"));
    }
    match raw {
        Raw::Float(number) if !number.is_finite() => Err("is not a finite number".to_owned()),
        Raw::Text(text) if text.len() > OUTCOME_TEXT_BYTES_MAX => {
            Err(format!("has {} bytes, the limit is {OUTCOME_TEXT_BYTES_MAX}", text.len()))
        }
        Raw::Bool(_) | Raw::Int(_) | Raw::Float(_) | Raw::Text(_) | Raw::Decimal(_) => Ok(stored(raw)),
        Raw::Null | Raw::List(_) | Raw::Map(_) => {
            Err(format!("expected a number, a text, true or false, found `{raw}`"))
        }
    }
}

fn check_text(member: &str, text: &str, faults: &mut Vec<FeedbackFault>) {
    if text.is_empty() {
        faults.push(FeedbackFault::new(member, "must not be empty"));
    } else if text.len() > ID_BYTES_MAX {
        let reason = format!("is {} bytes long, the limit is {ID_BYTES_MAX}", text.len());
        faults.push(FeedbackFault::new(member, reason));
    } else if let Some(control) = text.chars().find(|c| c.is_control()) {
        let reason = format!("contains the control character U+{:04X}", control as u32);
        faults.push(FeedbackFault::new(member, reason));
    }
}
