//! What came out otherwise, by field, as people read it.

use std::sync::Arc;

use serde::Serialize;

use super::chunk::Piece;
use crate::bundle::{Bundle, CapScope, ContextSource, Playbook};
use crate::context::StateError;
use crate::decider::Seen;
use crate::domain::{DecisionId, Timestamp, Type, Value};
use crate::guardrail::{CapRoom, Circumstances};
use crate::turn::{Record, RecordedDecision, Taken, Turn};

/// A turn that came out otherwise than it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What is to be made of it.
    pub kind: DifferenceKind,
    /// The record.
    pub record: u64,
    /// Whom it is about.
    pub customer: String,
    /// When the input arrived.
    pub arrival: String,
    /// The recorded decisions.
    pub decisions: Vec<String>,
    /// What differs, never empty.
    pub changed: Vec<Changed>,
}

/// What is to be made of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Nothing explains it: the journal was changed, or this release decides otherwise than the one that wrote it.
    Plain,
    /// A turn of the same customer differed before, and this may follow from it.
    AfterAnother,
    /// Records before it are lost, perhaps some of the same customer.
    AfterGap,
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// What: a field of a decision, by its path.
    pub what: String,
    /// What the journal says.
    pub recorded: String,
    /// What came out.
    pub came_out: String,
}

/// What came out of a turn that was taken again.
pub(super) enum Came<'a> {
    /// A turn, its record, and the customer's partition.
    Turn { bytes: &'a [u8], turn: &'a Turn, partition: u8 },
    /// Nothing that would be recorded.
    Nothing(&'a Taken),
    /// The state that the records before it made cannot be used.
    Failed(&'a StateError),
}

/// A record as it was read.
#[derive(Clone, Copy)]
pub(super) struct Recorded<'a> {
    pub(super) piece: &'a Piece<'a>,
    pub(super) record: &'a Record,
    pub(super) bundle: &'a Arc<Bundle>,
}

impl Recorded<'_> {
    /// Says what differs.
    pub(super) fn difference(self, kind: DifferenceKind, came: &Came<'_>) -> Difference {
        let Self { piece, record, bundle } = self;
        let ids = record.decisions.iter().filter_map(|decision| record.id_of(decision, bundle));
        let mut changes = Changes::default();
        match came {
            Came::Turn { bytes, turn, partition } => {
                self.compare(bytes, &mut changes);
                changes.add("partition", piece.partition.to_string(), partition.to_string());
                let made = turn.decisions.iter().map(|made| made.id.to_u128()).chain(record.input.key());
                changes.add("keys", keys(piece.keys()), keys(made));
                if changes.0.is_empty() {
                    changes.bytes(piece.payload, bytes);
                }
            }
            Came::Nothing(taken) => changes.add("turn", "a turn".to_owned(), nothing(taken)),
            Came::Failed(error) => changes.add("turn", "a turn".to_owned(), error.to_string()),
        }
        Difference {
            kind,
            record: piece.seq,
            customer: record.input.customer().to_string(),
            arrival: record.arrival.to_string(),
            decisions: ids.map(|id| id.to_string()).collect(),
            changed: changes.0,
        }
    }

    /// Compares what two records of the same form say.
    fn compare(self, bytes: &[u8], changes: &mut Changes) {
        let Self { record, bundle, .. } = self;
        // What was written a moment ago can be read.
        let Ok((came, _)) = Record::decode(bytes, |_| Some(Arc::clone(bundle))) else { return };
        changes.add("arrival", record.arrival.to_string(), came.arrival.to_string());
        if record.input != came.input {
            changes.add("input", "the recorded one".to_owned(), "another, read from the same bytes".to_owned());
        }
        let (then, now) = (&record.decisions, &came.decisions);
        changes.add("decisions", names(then, bundle), names(now, bundle));
        for (then, now) in then.iter().zip(now).filter(|(then, now)| then.playbook == now.playbook) {
            decision(then, now, bundle, changes);
        }
    }
}

/// What differs, in the order in which it is looked at.
#[derive(Default)]
struct Changes(Vec<Changed>);

impl Changes {
    /// Adds what differs, and nothing that does not.
    fn add(&mut self, what: &str, recorded: String, came_out: String) {
        if recorded != came_out {
            self.0.push(Changed { what: what.to_owned(), recorded, came_out });
        }
    }

    /// Says where bytes differ of which nothing else is known.
    fn bytes(&mut self, recorded: &[u8], came_out: &[u8]) {
        let at = recorded.iter().zip(came_out).take_while(|(a, b)| a == b).count();
        let shown = |bytes: &[u8]| match bytes.get(at) {
            Some(byte) => format!("{byte:#04x} of {} bytes", bytes.len()),
            None => format!("the end of {} bytes", bytes.len()),
        };
        self.add(&format!("byte {at}"), shown(recorded), shown(came_out));
    }
}

fn decision(then: &RecordedDecision, now: &RecordedDecision, bundle: &Bundle, changes: &mut Changes) {
    let playbook = &bundle.playbooks()[then.playbook];
    let mut add = |what: &str, then: String, now: String| changes.add(&format!("{}.{what}", playbook.name), then, now);
    add("tier", then.tier.to_string(), now.tier.to_string());
    add("rule", rule(then, playbook), rule(now, playbook));
    let fallback = |of: &RecordedDecision| of.fallback.map_or_else(|| "none".to_owned(), |reason| reason.to_string());
    add("fallback", fallback(then), fallback(now));
    for (field, (a, b)) in playbook.outcome.fields().iter().zip(then.outcome.iter().zip(&now.outcome)) {
        add(&format!("outcome.{}", field.name), shown(&field.ty, a), shown(&field.ty, b));
    }
    for (source, (a, b)) in playbook.sights.iter().zip(then.seen.iter().zip(&now.seen)) {
        let ty = source.ty(bundle.layout());
        add(&format!("seen {}", sight_name(*source, bundle)), seen(ty, a), seen(ty, b));
    }
    circumstances(&then.circumstances, &now.circumstances, playbook, &mut add);
}

fn circumstances(
    then: &Circumstances,
    now: &Circumstances,
    playbook: &Playbook,
    add: &mut impl FnMut(&str, String, String),
) {
    let refusal = |of: &Circumstances| of.refusal.map_or_else(|| "nothing".to_owned(), |reason| reason.to_string());
    add("held back by", refusal(then), refusal(now));
    for (number, required) in playbook.consents.iter().enumerate() {
        let given = |of: &Circumstances| if of.is_consented(number) { "given" } else { "not given" }.to_owned();
        add(&format!("consent to {}", required.purpose), given(then), given(now));
    }
    for (number, cap) in playbook.caps.iter().enumerate() {
        let shared = if cap.scope == CapScope::Global { "global cap" } else { "cap" };
        let room = |of: &Circumstances| match of.room.get(number) {
            Some(CapRoom { left, again }) => {
                let again = again.map_or_else(String::new, |again: Timestamp| format!(", more from {again}"));
                format!("{} left{again}", cap.show(*left, &playbook.outcome))
            }
            None => "not looked at".to_owned(),
        };
        add(&format!("{shared} {}", cap.id), room(then), room(now));
    }
    add("stale values", format!("{:?}", then.stale), format!("{:?}", now.stale));
}

fn rule(decision: &RecordedDecision, playbook: &Playbook) -> String {
    let rule = decision.rule.and_then(|rank| playbook.rules.rules().get(rank));
    rule.map_or_else(|| "(default)".to_owned(), |rule| rule.id.to_string())
}

fn names(decisions: &[RecordedDecision], bundle: &Bundle) -> String {
    if decisions.is_empty() {
        return "none".to_owned();
    }
    let names = decisions.iter().map(|decision| &*bundle.playbooks()[decision.playbook].name);
    names.collect::<Vec<_>>().join(", ")
}

fn shown(ty: &Type, value: &Value) -> String {
    ty.show(value).to_string()
}

fn seen(ty: &Type, seen: &Seen) -> String {
    match seen {
        Ok(value) => shown(ty, value),
        Err(reason) => format!("unavailable: {reason}"),
    }
}

fn sight_name(source: ContextSource, bundle: &Bundle) -> String {
    let layout = bundle.layout();
    match source {
        ContextSource::Fact(number) => format!("customer.{}", layout.facts()[number].field.name),
        ContextSource::Signal(number) => format!("signal.{}", layout.signals()[number].name),
        ContextSource::Decisions => "ledger.decisions".to_owned(),
        ContextSource::LastDecided => "ledger.last_decided".to_owned(),
    }
}

fn keys(keys: impl Iterator<Item = u128>) -> String {
    let shown = keys.map(|key| DecisionId::from_u128(key).to_string());
    shown.collect::<Vec<_>>().join(", ")
}

fn nothing(taken: &Taken) -> String {
    match taken {
        Taken::Turn(_) => "a turn",
        Taken::Repeated(_) => "nothing: the event had been decided before",
        Taken::Conflict => "nothing: the event's id had been used with another content",
        Taken::Unsettled(_) => "nothing: there was nothing to settle",
        Taken::Asks(_) => "a question to a model that nobody asks in a replay",
    }
    .to_owned()
}
