//! Inputs that are set aside, for someone to look at and to release.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Engine, Error};
use crate::actor::{InputId, SetAside, SetAsideInput, set_aside_of};
use crate::bundle::Bundle;
use crate::domain::{Datum, Raw, RawMap, Timestamp};
use crate::journal::JournalError;
use crate::turn::{FeedbackInput, Input, decode_input};

/// An input that is set aside: turns on it have panicked, and none is taken any more.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SetAsideView {
    /// Its name.
    pub id: String,
    /// Whom it is about.
    pub customer: String,
    /// When it was set aside.
    pub at: String,
    /// How often a turn on it panicked.
    pub panics: u32,
    /// What the last panic said.
    pub reason: String,
    /// The record of the journal that holds it.
    pub record: u64,
}

/// An input that is set aside, with what it holds.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SetAsideDetail {
    /// What is known of it.
    pub set_aside: SetAsideView,
    /// The hash of the bundle that it was typed by, if that can be read.
    pub bundle: Option<String>,
    /// The input, if it can be read.
    pub input: Option<InputShown>,
    /// Its bytes, as a record has them (MessagePack).
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// An input, for people.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct InputShown {
    /// `event`, `facts`, `consents`, `settlement` or `feedback`.
    pub kind: &'static str,
    /// Who sent it.
    pub source: Option<String>,
    /// The event's id, or the decision that is settled or judged.
    pub id: Option<String>,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// When it happened or was observed.
    pub time: Option<String>,
    /// Attributes, facts or purposes by name.
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    pub data: BTreeMap<String, Option<Datum>>,
}

impl Engine {
    /// Inputs that are set aside, in the order of their names, after one of them.
    pub fn set_aside(&self, after: Option<InputId>, limit: usize) -> Vec<SetAsideView> {
        self.0.customers.set_aside(after, limit).iter().map(SetAsideView::of).collect()
    }

    /// An input that is set aside, with its bytes. Reads the journal.
    pub fn set_aside_detail(&self, id: InputId) -> Result<Option<SetAsideDetail>, Error> {
        let Some(aside) = self.0.customers.set_aside_one(id) else { return Ok(None) };
        self.0.journal.wait_synced_unless_full(aside.seq)?;
        let Some(found) = self.0.journal.record_at(aside.seq)? else { return Ok(None) };
        let read = set_aside_of(&found).map_err(|error| Error::Record(error.to_string()))?;
        Ok(read.map(|read| self.detail(read)))
    }

    /// Releases an input, so that it may be tried again. False if it was not set aside.
    pub fn release_set_aside(&self, id: InputId) -> Result<bool, Error> {
        if self.0.journal.is_disk_full() {
            return Err(JournalError::DiskFull.into());
        }
        let Some(seq) = self.0.customers.release_set_aside(id)? else { return Ok(false) };
        self.0.journal.wait_synced_blocking(seq)?;
        Ok(true)
    }

    fn detail(&self, read: SetAsideInput) -> SetAsideDetail {
        let SetAsideInput { aside, bundle_seq, bytes } = read;
        let bundle = self.0.customers.bundle_at(bundle_seq).ok();
        let input =
            bundle.as_ref().and_then(|bundle| decode_input(&bytes, bundle).ok().map(|input| shown(&input, bundle)));
        let bundle = bundle.map(|bundle| bundle.id().to_string());
        SetAsideDetail { set_aside: SetAsideView::of(&aside), bundle, input, bytes }
    }
}

/// What feedback says, by member.
fn feedback(input: &FeedbackInput) -> BTreeMap<String, Option<Datum>> {
    let text = |name: &str, text: &str| (name.to_owned(), Raw::from(text));
    let verdict = input.verdict.map(|verdict| text("verdict", verdict.as_str()));
    let label = input.label.as_deref().map(|label| text("label", label));
    let named = |of: &str, map: &RawMap| {
        let entries = map.iter().map(|(name, raw)| (format!("{of}.{name}"), raw.clone()));
        entries.collect::<Vec<_>>()
    };
    let maps = [named("corrected", &input.corrected), named("outcome", &input.outcome)];
    let said = verdict.into_iter().chain(label).chain(maps.into_iter().flatten());
    said.map(|(name, raw)| (name, Some(Datum::untyped(raw)))).collect()
}

impl SetAsideView {
    fn of(aside: &SetAside) -> Self {
        let SetAside { id, seq, customer, at, panics, reason } = aside;
        Self {
            id: id.to_string(),
            customer: customer.to_string(),
            at: Timestamp::from_micros(*at).to_string(),
            panics: *panics,
            reason: reason.clone(),
            record: *seq,
        }
    }
}

fn shown(input: &Input, bundle: &Bundle) -> InputShown {
    let layout = bundle.layout();
    match input {
        Input::Event(input) => {
            let (event, ty) = (&input.event, &layout.events()[input.event.kind]);
            let datum = |(field, value): (&crate::domain::Field, &Option<_>)| {
                (field.name.to_string(), value.clone().map(|value| Datum::new(&field.ty, value)))
            };
            InputShown {
                kind: "event",
                source: Some(event.key.source().to_owned()),
                id: Some(event.key.id().to_owned()),
                event_type: Some(ty.name.to_string()),
                time: event.time.map(|time| time.to_string()),
                data: ty.attributes.iter().zip(&event.attributes).map(datum).collect(),
            }
        }
        Input::Facts(input) => {
            let fact = |(number, value): &(usize, Option<_>)| {
                let field = &layout.facts()[*number].field;
                (field.name.to_string(), value.clone().map(|value| Datum::new(&field.ty, value)))
            };
            InputShown {
                kind: "facts",
                source: Some(input.source.to_string()),
                time: Some(input.observed_at.to_string()),
                data: input.facts.iter().map(fact).collect(),
                ..InputShown::default()
            }
        }
        Input::Consents(input) => {
            let given = |given: bool| Datum::new(&crate::domain::Type::Bool, crate::domain::Value::Bool(given));
            let consent = |(number, is_given): &(usize, bool)| {
                Some((bundle.purpose(*number)?.name.to_string(), Some(given(*is_given))))
            };
            InputShown {
                kind: "consents",
                source: Some(input.source.to_string()),
                time: Some(input.observed_at.to_string()),
                data: input.consents.iter().filter_map(consent).collect(),
                ..InputShown::default()
            }
        }
        Input::Settlement(input) => InputShown {
            kind: "settlement",
            id: Some(format!("{} {}", input.decision, input.settlement)),
            ..InputShown::default()
        },
        Input::Feedback(input) => InputShown {
            kind: "feedback",
            source: Some(input.source.to_string()),
            id: Some(format!("{} {}", input.decision, input.id)),
            time: input.time.map(|time| time.to_string()),
            data: feedback(input),
            ..InputShown::default()
        },
        Input::LateAnswer(input) => InputShown {
            kind: "late_answer",
            source: Some(input.agent.to_string()),
            id: Some(input.decision.to_string()),
            ..InputShown::default()
        },
    }
}
