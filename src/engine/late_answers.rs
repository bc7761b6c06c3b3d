//! Answers of large models that came after their decisions had been made without them.
//!
//! They change nothing. They are kept, so that it can be told what a little more time would have been worth, and they are found
//! by a search of the journal, so that no customer's state grows by them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::consulting::Again;
use super::explain::read_record;
use super::feedback_shown::SearchFrom;
use super::{CallShown, Engine, Error};
use crate::actor::{Asked, InForce, RecordTerms, Request};
use crate::bundle::{AgentUse, Bundle, Playbook};
use crate::domain::{CustomerId, Datum, DecisionId, Raw, RawMap, Term, Timestamp};
use crate::gateway::LateReply;
use crate::journal::{Found, Hear, Kind, TermIndex, journal_folder};
use crate::time::Deadline;
use crate::turn::{Input, LateAnswerInput, Made, Readings, Record, Termed};

/// How long a late answer may wait for a busy customer: nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer of a large model that came after the decision had been made without it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct LateAnswerShown {
    /// The agent's id and version.
    pub agent: String,
    /// When it came.
    pub received_at: String,
    /// What it proposed.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub proposed: BTreeMap<String, Datum>,
    /// Why it proposed nothing all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub silent: Option<&'static str>,
    /// Why, in the words of the model: a text that nobody has checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub reason: Option<String>,
    /// What was done for it.
    pub call: CallShown,
    /// The sequence of its record in the journal.
    pub record: u64,
}

impl Engine {
    /// Has the answers recorded that come after their decisions were made; those of a turn that came to no decision are dropped.
    pub(super) fn hear_late(&self, again: &mut Option<Box<Again>>, made: &[Made], bundle: &InForce, of: &CustomerId) {
        let Some(again) = again else { return };
        for (playbook, agent, pending) in again.late.drain(..) {
            let Some(made) = made.iter().find(|made| made.playbook == playbook) else { continue };
            let Some(agent) = bundle.bundle.playbooks()[playbook].agents.get(agent) else { continue };
            let (decision, customer, agent) = (made.id, of.clone(), Arc::clone(&agent.name));
            let (inner, bundle) = (Arc::downgrade(&self.0), Arc::clone(&bundle.bundle));
            pending.hear_late(move |late| {
                if let Some(inner) = inner.upgrade() {
                    Self(inner).record_late((customer, decision), (playbook, agent), &bundle, late);
                }
            });
        }
    }

    /// Records an answer that came late. While the journal has no room for it, it is only counted.
    fn record_late(
        &self,
        (customer, decision): (CustomerId, DecisionId),
        (playbook, agent): (usize, Arc<str>),
        bundle: &Bundle,
        LateReply { reply }: LateReply,
    ) {
        let inner = &self.0;
        if inner.journal.is_full() {
            return inner.metrics.late_answers_lost.inc();
        }
        let playbook = &bundle.playbooks()[playbook];
        let used = playbook.agents.iter().find(|used| used.name == agent);
        let (said, reason) = match reply.answer {
            Ok(answer) => (Ok(proposed(&answer.values, used, playbook)), answer.reason),
            Err(silence) => (Err(silence), None),
        };
        let input = LateAnswerInput { customer, decision, agent, said, reason, call: reply.call };
        let (now, bundle) = (inner.clock.instant(), inner.customers.in_force());
        let (readings, deadline) = (Readings::at(inner.clock.wall()), Deadline::new(now, PATIENCE));
        match inner.customers.ask(Request {
            input: Input::LateAnswer(input),
            readings,
            bundle,
            deadline,
            span: tracing::Span::none(),
        }) {
            // Where the customer is busy it waits its turn, and nobody waits for that.
            Asked::Done(Ok(_)) | Asked::Waiting(_) => inner.metrics.late_answers.inc(),
            Asked::Done(Err(_)) | Asked::Late(_) => inner.metrics.late_answers_lost.inc(),
        }
    }

    pub(super) fn late_answers_shown(
        &self,
        id: DecisionId,
        seq: u64,
        playbook: &Playbook,
    ) -> Result<Vec<LateAnswerShown>, Error> {
        let inner = &self.0;
        let mut search = |any: &[Term], from: u64, hear: Hear<'_>| inner.journal.records_with(any, from, hear);
        late_answers_in((id, playbook), seq + 1, &mut search, &mut |seq| {
            inner.customers.bundle_at(seq).map_err(|e| e.to_string())
        })
    }
}

/// The late answers to what was asked for a decision of a data directory, which another process may have open.
pub(super) fn late_answers_beside(
    data: &Path,
    id: DecisionId,
    seq: u64,
    playbook: &Playbook,
) -> Result<Vec<LateAnswerShown>, Error> {
    let folder = journal_folder(data);
    let terms = RecordTerms::new(&folder);
    let describer = Arc::clone(&terms) as Arc<dyn crate::journal::Terms>;
    let Some(index) = TermIndex::beside(&folder, describer)? else { return Ok(Vec::new()) };
    let mut search = |any: &[Term], from: u64, hear: Hear<'_>| index.records_beside(any, from, hear);
    late_answers_in((id, playbook), seq + 1, &mut search, &mut |seq| terms.bundle_at(seq).map_err(|e| e.to_string()))
}

fn late_answers_in(
    (decision, playbook): (DecisionId, &Playbook),
    from: u64,
    search: SearchFrom<'_>,
    bundle_at: &mut dyn FnMut(u64) -> Result<Arc<Bundle>, String>,
) -> Result<Vec<LateAnswerShown>, Error> {
    let (mut all, mut failed) = (Vec::new(), None);
    search(&[Termed::LateAnswer(decision).term()], from, &mut |found| {
        match late_answer_of(&found, decision, bundle_at) {
            // Two terms may share a number, so the record may hold something else.
            Ok(None) => {}
            Ok(Some((input, arrival))) => all.push(LateAnswerShown::of(&input, arrival, found.seq, playbook)),
            Err(error) => failed = Some(error),
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map_or(Ok(all), Err)
}

fn late_answer_of(
    found: &Found,
    decision: DecisionId,
    bundle_at: &mut dyn FnMut(u64) -> Result<Arc<Bundle>, String>,
) -> Result<Option<(LateAnswerInput, Timestamp)>, Error> {
    if found.kind != Kind::Turn {
        return Ok(None);
    }
    let (Record { input, arrival, .. }, _) = read_record(found, bundle_at)?;
    Ok(match input {
        Input::LateAnswer(input) if input.decision == decision => Some((input, arrival)),
        _ => None,
    })
}

/// What was proposed, by the names of the fields.
fn proposed(values: &[crate::domain::Value], agent: Option<&AgentUse>, playbook: &Playbook) -> RawMap {
    let Some(agent) = agent else { return RawMap::new() };
    let named = agent.sets.iter().zip(values).filter_map(|(set, value)| {
        let field = playbook.outcome.fields().get(*set)?;
        Some((field.name.to_string(), field.ty.raw(value)))
    });
    named.collect()
}

impl LateAnswerShown {
    /// A late answer by itself, its fields without their types.
    pub(super) fn told(input: &LateAnswerInput, arrival: Timestamp, record: u64) -> Self {
        let untyped = |(name, raw): &(String, Raw)| (name.clone(), Datum::untyped(raw.clone()));
        Self {
            agent: input.agent.to_string(),
            received_at: arrival.to_string(),
            proposed: input.said.iter().flatten().map(untyped).collect(),
            silent: input.said.as_ref().err().map(|silence| silence.as_str()),
            reason: input.reason.as_deref().map(str::to_owned),
            call: CallShown::of(&input.call),
            record,
        }
    }

    fn of(input: &LateAnswerInput, arrival: Timestamp, record: u64, playbook: &Playbook) -> Self {
        let schema = &playbook.outcome;
        let typed = |(name, raw): &(String, Raw)| {
            let field = schema.field_number(name).map(|number| &schema.fields()[number]);
            let value = field.and_then(|field| Some(Datum::new(&field.ty, field.ty.accept(raw.clone()).ok()?)));
            (name.clone(), value.unwrap_or_else(|| Datum::untyped(raw.clone())))
        };
        let proposed = input.said.iter().flatten().map(typed).collect();
        Self { proposed, ..Self::told(input, arrival, record) }
    }
}
