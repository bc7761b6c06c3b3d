//! Feedback on a decision as it is shown, and how the journal is searched for it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::Error;
use super::explain::read_record;
use super::feedback::{decision_of, judged};
use super::feedback_check::{Judged, is_correct};
use crate::actor::RecordTerms;
use crate::bundle::Bundle;
use crate::domain::{Datum, DecisionId, FeedbackVerdict, RawMap, Term, Timestamp};
use crate::journal::{Found, Hear, JournalError, Kind, TermIndex, journal_folder};
use crate::turn::{FeedbackInput, Input, Record, Termed};

/// What someone said of a decision when looking back at it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FeedbackShown {
    /// Tells it from other feedback on the decision.
    pub id: String,
    /// Who said it.
    pub source: String,
    /// When it was received.
    pub received_at: String,
    /// When it was said, if its sender told.
    pub time: Option<String>,
    /// `accepted`, `edited` or `rejected`.
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub verdict: Option<FeedbackVerdict>,
    /// Fields of the outcome as they should have been.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub corrected: BTreeMap<String, Datum>,
    /// What a classifier should have told.
    pub label: Option<String>,
    /// What became of it in the end.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub outcome: BTreeMap<String, Datum>,
    /// Whether the decision was right: it was accepted, or the corrected fields are what was decided. `None` where it does not say.
    #[serde(rename = "correct")]
    pub is_correct: Option<bool>,
    /// The sequence of its record in the journal.
    pub record: u64,
}

/// What was said of a decision, as an export has it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FeedbackTold {
    /// The decision.
    pub decision_id: String,
    /// Tells it from other feedback on the decision.
    pub id: String,
    /// Who said it.
    pub source: String,
    /// When it was said, if its sender told.
    pub time: Option<String>,
    /// `accepted`, `edited` or `rejected`.
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub verdict: Option<FeedbackVerdict>,
    /// Fields of the outcome as they should have been.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub corrected: BTreeMap<String, Datum>,
    /// What a classifier should have told.
    pub label: Option<String>,
    /// What became of it in the end.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub outcome: BTreeMap<String, Datum>,
}

/// Feedback that the journal has.
#[derive(Clone, Debug)]
pub(super) struct FeedbackFound {
    pub(super) seq: u64,
    arrival: Timestamp,
    pub(super) input: FeedbackInput,
}

/// A search of a journal: for records that may have any of some terms, from one on.
pub(super) type SearchFrom<'a> = &'a mut dyn FnMut(&[Term], u64, Hear<'_>) -> Result<(), JournalError>;

/// What a journal has of feedback on a decision, from a record on, in the order in which it came.
pub(super) fn feedback_in(
    decision: DecisionId,
    from: u64,
    search: SearchFrom<'_>,
    bundle_at: &mut dyn FnMut(u64) -> Result<Arc<Bundle>, String>,
) -> Result<Vec<FeedbackFound>, Error> {
    let (mut all, mut failed) = (Vec::new(), None);
    search(&[Termed::Feedback(decision).term()], from, &mut |found| {
        match feedback_of(&found, decision, bundle_at) {
            Ok(feedback) => all.extend(feedback),
            Err(error) => failed = Some(error),
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map_or(Ok(all), Err)
}

/// What was said of a decision of a data directory, which another process may have open: nothing is locked, nothing is written.
pub(super) fn feedback_beside(
    data: &Path,
    record: &Record,
    bundle: &Bundle,
    seq: u64,
    id: DecisionId,
) -> Result<Vec<FeedbackShown>, Error> {
    let Some(recorded) = decision_of(record, bundle, id) else { return Ok(Vec::new()) };
    let folder = journal_folder(data);
    let terms = RecordTerms::new(&folder);
    let describer = Arc::clone(&terms) as Arc<dyn crate::journal::Terms>;
    let Some(index) = TermIndex::beside(&folder, describer)? else { return Ok(Vec::new()) };
    let mut search = |any: &[Term], from: u64, hear: Hear<'_>| index.records_beside(any, from, hear);
    let found = feedback_in(id, seq + 1, &mut search, &mut |seq| terms.bundle_at(seq).map_err(|e| e.to_string()))?;
    let judged = judged(record, recorded, bundle, id);
    Ok(found.iter().map(|found| FeedbackShown::of(found, judged)).collect())
}

/// The feedback on a decision that a record holds. Two terms may share a number, so it may hold something else.
fn feedback_of(
    found: &Found,
    decision: DecisionId,
    bundle_at: &mut dyn FnMut(u64) -> Result<Arc<Bundle>, String>,
) -> Result<Option<FeedbackFound>, Error> {
    if found.kind != Kind::Turn {
        return Ok(None);
    }
    let (Record { input, arrival, .. }, _) = read_record(found, bundle_at)?;
    Ok(match input {
        Input::Feedback(input) if input.decision == decision => Some(FeedbackFound { seq: found.seq, arrival, input }),
        _ => None,
    })
}

impl FeedbackShown {
    pub(super) fn of(found: &FeedbackFound, judged: Judged<'_>) -> Self {
        let FeedbackFound { seq, arrival, input } = found;
        let schema = &judged.playbook.outcome;
        let typed = |(name, raw): &(String, _)| {
            let field = schema.field_number(name).map(|number| &schema.fields()[number]);
            let value = field.and_then(|field| Some(Datum::new(&field.ty, field.ty.accept(Clone::clone(raw)).ok()?)));
            (name.clone(), value.unwrap_or_else(|| Datum::untyped(raw.clone())))
        };
        Self {
            id: input.id.to_string(),
            source: input.source.to_string(),
            received_at: arrival.to_string(),
            time: input.time.map(|time| time.to_string()),
            verdict: input.verdict,
            corrected: input.corrected.iter().map(typed).collect(),
            label: input.label.as_deref().map(str::to_owned),
            outcome: untyped(&input.outcome),
            is_correct: is_correct(input, judged),
            record: *seq,
        }
    }
}

impl FeedbackTold {
    pub(super) fn of(input: &FeedbackInput) -> Self {
        Self {
            decision_id: input.decision.to_string(),
            id: input.id.to_string(),
            source: input.source.to_string(),
            time: input.time.map(|time| time.to_string()),
            verdict: input.verdict,
            corrected: untyped(&input.corrected),
            label: input.label.as_deref().map(str::to_owned),
            outcome: untyped(&input.outcome),
        }
    }
}

fn untyped(map: &RawMap) -> BTreeMap<String, Datum> {
    map.iter().map(|(name, raw)| (name.clone(), Datum::untyped(raw.clone()))).collect()
}
