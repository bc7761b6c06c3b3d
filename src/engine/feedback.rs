//! Looking back at decisions: someone says whether one was right, what it should have been, what became of it.
//!
//! Feedback changes no decision. It may come months later, and more than once: each is a record of its own, and all on a
//! decision are found by a search of the journal, so that no customer's state grows by them. What is sent again is known by
//! its id; a search before the turn finds it, and the turn is not taken if something came in between.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::course::Course;
use super::feedback_check::{Judged, checked, is_correct};
use super::feedback_models::judged_models;
use super::feedback_shown::{FeedbackFound, feedback_in};
use super::wait::within;
use super::{Answer, Engine, Error, FeedbackFault, FeedbackShown};
use crate::actor::{Refusal, Request, Shed};
use crate::bundle::{Ack, Bundle, WhenDiskFull};
use crate::domain::{CustomerId, DecisionId, Durability, FeedbackVerdict, RawMap, Tier, Timestamp};
use crate::time::Deadline;
use crate::turn::{FeedbackInput, Input, Readings, Record, RecordedDecision};

/// Feedbacks on one decision: a handful of people and systems look back at it, each a few times.
pub const FEEDBACK_MAX: usize = 64;

/// How long a caller waits at most for feedback to be kept.
const BUDGET: Duration = Duration::from_secs(5);

/// Feedback on a decision, as someone gives it: at least one of verdict, corrected, label and outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feedback {
    /// Tells it from other feedback on the decision, and is known when it is sent again; made of the content if absent.
    pub id: Option<String>,
    /// Who says so; `unknown` if empty.
    pub source: String,
    /// When it was said.
    pub time: Option<Timestamp>,
    /// Whether the decision was right.
    pub verdict: Option<FeedbackVerdict>,
    /// Fields of the outcome as they should have been.
    pub corrected: RawMap,
    /// What a classifier should have told.
    pub label: Option<String>,
    /// What became of the decision in the end: numbers, texts, true or false by name.
    pub outcome: RawMap,
}

/// What became of feedback.
///
/// Serializes with the names of the HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FeedbackTaken {
    /// The decision.
    #[serde(rename = "decision_id")]
    #[cfg_attr(feature = "http", schema(value_type = String, format = "uuid"))]
    pub decision: DecisionId,
    /// Whom it is about.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub customer: CustomerId,
    /// The feedback's id.
    pub id: String,
    /// How safely it is kept: `disk` or `pending`.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub durability: Durability,
    /// Whether the very same was received before.
    #[serde(rename = "duplicate")]
    pub is_duplicate: bool,
}

/// Feedback that fits its decision, on its way into the journal.
#[derive(Clone, Debug)]
pub(crate) struct Telling {
    input: FeedbackInput,
    /// What the journal has on the decision, as far as it was searched.
    before: Vec<FeedbackFound>,
    searched_to: u64,
    deadline: Deadline,
    counted: CountedAs,
}

/// What feedback is counted under.
#[derive(Clone, Debug)]
pub(super) struct CountedAs {
    pub(super) playbook: Arc<str>,
    pub(super) tier: Tier,
    /// The model or the agent that decided.
    pub(super) model: Option<Arc<str>>,
    /// Models that were asked and proposed something, and whether that was right, as far as can be told.
    pub(super) models: Vec<(Arc<str>, bool)>,
    pub(super) verdict: Option<FeedbackVerdict>,
    pub(super) is_correct: Option<bool>,
}

impl Engine {
    /// Keeps what someone says of a decision when looking back at it; waits until that is on disk. The same under the same id
    /// is known and changes nothing, whenever it comes.
    ///
    /// Reads the journal: not for the way of an event.
    pub async fn feedback(&self, id: DecisionId, feedback: Feedback) -> Result<Answer<FeedbackTaken>, Error> {
        let mut found = self.telling(id, &feedback, &[])?;
        if found.is_none() {
            if let Err(shed) = self.caught_up().await {
                return Ok(Answer::Shed(shed));
            }
            found = self.telling(id, &feedback, &[])?;
        }
        let Some(mut telling) = found else { return Err(Error::UnknownDecision(id)) };
        loop {
            if let Some(taken) = self.said_before(&mut telling)? {
                return Ok(Answer::Given(taken));
            }
            match self.tell_feedback(&telling).await? {
                Answer::Given(Some(taken)) => return Ok(Answer::Given(taken)),
                Answer::Given(None) => {}
                Answer::Shed(shed) => return Ok(Answer::Shed(shed)),
            }
        }
    }

    /// The first step of [`Engine::feedback`]: a decision on disk that the feedback fits; `faults` are those that are known
    /// already. Reads the journal.
    pub(crate) fn telling(
        &self,
        id: DecisionId,
        feedback: &Feedback,
        faults: &[FeedbackFault],
    ) -> Result<Option<Telling>, Error> {
        let inner = &self.0;
        let Some(found) = self.turn_record(id)? else { return Ok(None) };
        let (record, bundle) = self.record(&found)?;
        let Some(recorded) = decision_of(&record, &bundle, id) else { return Ok(None) };
        if record.input.customer().is_synthetic() {
            inner.metrics.refused.feedback.inc();
            return Err(Error::Synthetic(id));
        }
        let judged = judged(&record, recorded, &bundle, id);
        let mut faults = faults.to_vec();
        let input = checked(feedback.clone(), judged, inner.clock.wall(), &mut faults);
        if !faults.is_empty() {
            inner.metrics.refused.feedback.inc();
            return Err(Error::Feedback(faults));
        }
        let counted = CountedAs {
            playbook: Arc::clone(&judged.playbook.name),
            tier: recorded.tier,
            model: model_of(&record, recorded, &bundle),
            models: judged_models(&input, judged, &recorded.asked),
            verdict: input.verdict,
            is_correct: is_correct(&input, judged),
        };
        let deadline = Deadline::new(inner.clock.instant(), BUDGET);
        Ok(Some(Telling { input, before: Vec::new(), searched_to: found.seq, deadline, counted }))
    }

    /// The second step of [`Engine::feedback`]: whether the very same was received before. Reads the journal.
    pub(crate) fn said_before(&self, telling: &mut Telling) -> Result<Option<FeedbackTaken>, Error> {
        // What is synced later may or may not be found.
        let searched_to = self.0.journal.synced_seq();
        let decision = telling.input.decision;
        let further = self.feedback_from(decision, telling.searched_to + 1)?;
        telling.before.extend(further.into_iter().filter(|found| found.seq <= searched_to));
        telling.searched_to = telling.searched_to.max(searched_to);
        let refused = |error: Error| {
            self.0.metrics.refused.feedback.inc();
            Err(error)
        };
        match telling.before.iter().find(|found| found.input.id == telling.input.id) {
            Some(same) if same.input.is_same_as(&telling.input) => Ok(Some(telling.taken(Durability::Disk, true))),
            Some(_) => refused(Error::FeedbackConflict { decision, id: telling.input.id.to_string() }),
            None if telling.before.len() >= FEEDBACK_MAX => refused(Error::FeedbackFull(decision)),
            None => Ok(None),
        }
    }

    /// The third step of [`Engine::feedback`]: the turn. `None` if something came in between: then the second step is due again.
    pub(crate) async fn tell_feedback(&self, telling: &Telling) -> Result<Answer<Option<FeedbackTaken>>, Error> {
        let inner = &self.0;
        let (started, deadline) = (inner.clock.instant(), telling.deadline);
        if inner.journal.is_full()
            && let Answer::Shed(shed) = self.room(WhenDiskFull::Shed, deadline).await?
        {
            return Ok(Answer::Shed(shed));
        }
        let readings = Readings { searched_to: telling.searched_to, ..Readings::at(inner.clock.wall()) };
        let input = Input::Feedback(telling.input.clone());
        let request =
            Request { input, readings, bundle: inner.customers.in_force(), deadline, span: tracing::Span::none() };
        let done = match self.turn(inner.customers.ask(request), deadline).await {
            Ok(done) => done,
            Err(Refusal::Overtaken { by }) => return self.synced_up_to(by, deadline).await,
            Err(refusal) => return self.refused(refusal),
        };
        let durability = self.keep(done.last_seq, Ack::Disk, &mut Course::new(started), deadline).await?;
        let series = inner.series.load();
        series.feedback.count(&telling.counted, &series.bundle);
        Ok(Answer::Given(Some(telling.taken(durability, false))))
    }

    /// Waits until a record can be found.
    async fn synced_up_to<T>(&self, seq: u64, deadline: Deadline) -> Result<Answer<Option<T>>, Error> {
        let inner = &self.0;
        let late = |shed: Shed| {
            inner.metrics.shed(shed);
            Ok(Answer::Shed(shed))
        };
        if inner.journal.is_disk_full() {
            return late(Shed::DiskFull);
        }
        let Some(synced) = inner.journal.wait_synced(seq) else { return Ok(Answer::Given(None)) };
        match within(synced, inner.timer.at(deadline.instant())).await {
            Ok(Ok(Ok(()))) => Ok(Answer::Given(None)),
            Ok(Ok(Err(reason))) => Err(crate::journal::JournalError::Stopped(reason).into()),
            Ok(Err(_)) => late(Shed::Stopping),
            Err(_) => late(Shed::Late),
        }
    }

    /// What was said of a decision, in the order in which it came; `None` if there is no such decision on disk. Reads the
    /// journal: not for the way of an event.
    pub fn feedback_on(&self, id: DecisionId) -> Result<Option<Vec<FeedbackShown>>, Error> {
        let Some(found) = self.turn_record(id)? else { return Ok(None) };
        let (record, bundle) = self.record(&found)?;
        self.feedback_shown(&record, &bundle, found.seq, id).map(Some)
    }

    pub(super) fn feedback_shown(
        &self,
        record: &Record,
        bundle: &Bundle,
        seq: u64,
        id: DecisionId,
    ) -> Result<Vec<FeedbackShown>, Error> {
        let Some(recorded) = decision_of(record, bundle, id) else { return Ok(Vec::new()) };
        let judged = judged(record, recorded, bundle, id);
        let found = self.feedback_from(id, seq + 1)?;
        Ok(found.iter().map(|found| FeedbackShown::of(found, judged)).collect())
    }

    fn feedback_from(&self, id: DecisionId, from: u64) -> Result<Vec<FeedbackFound>, Error> {
        let inner = &self.0;
        let mut search =
            |any: &[_], from: u64, hear: crate::journal::Hear<'_>| inner.journal.records_with(any, from, hear);
        feedback_in(id, from, &mut search, &mut |seq| inner.customers.bundle_at(seq).map_err(|e| e.to_string()))
    }
}

/// The model or the agent that made a decision.
fn model_of(record: &Record, recorded: &RecordedDecision, bundle: &Bundle) -> Option<Arc<str>> {
    let decided = record.remake(recorded, bundle).ok()?.decided;
    let playbook = &bundle.playbooks()[recorded.playbook];
    if let Some(agent) = decided.agent {
        return playbook.agents.get(usize::from(agent)).map(|agent| Arc::clone(&agent.name));
    }
    let model = playbook.models.get(usize::from(decided.model?))?;
    Some(Arc::clone(&model.name))
}

/// The decision of a record with this id.
pub(super) fn decision_of<'a>(record: &'a Record, bundle: &Bundle, id: DecisionId) -> Option<&'a RecordedDecision> {
    record.decisions.iter().find(|decision| record.id_of(decision, bundle) == Some(id))
}

/// A recorded decision, to be judged.
pub(super) fn judged<'a>(
    record: &'a Record,
    recorded: &'a RecordedDecision,
    bundle: &'a Bundle,
    decision: DecisionId,
) -> Judged<'a> {
    let playbook = &bundle.playbooks()[recorded.playbook];
    Judged { decision, customer: record.input.customer(), playbook, outcome: &recorded.outcome }
}

impl Telling {
    fn taken(&self, durability: Durability, is_duplicate: bool) -> FeedbackTaken {
        let FeedbackInput { decision, customer, id, .. } = &self.input;
        let (customer, id) = (customer.clone(), id.to_string());
        FeedbackTaken { decision: *decision, customer, id, durability, is_duplicate }
    }
}
