//! The event of a decision, as an explanation shows it: no more of it than the decision was allowed to see.

use serde::Serialize;

use super::Named;
use super::export_record::trace_shown;
use crate::bundle::Bundle;
use crate::domain::{Datum, Unavailable};
use crate::turn::{EventInput, Input, Record, RecordedDecision};

/// An event in an explanation.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct EventShown {
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
    /// Its attributes.
    pub data: Vec<Named>,
}

impl EventShown {
    /// The event of a record's decision. Who reads the explanation sees no more than the decision did: what is withheld is
    /// shown as withheld whether the event has it or not.
    pub(super) fn of(record: &Record, decision: &RecordedDecision, bundle: &Bundle) -> Self {
        let mut shown = Self {
            source: String::new(),
            id: String::new(),
            kind: String::new(),
            time: None,
            trace_id: None,
            data: Vec::new(),
        };
        let Input::Event(input) = &record.input else { return shown };
        let event = &input.event;
        (shown.source, shown.id) = (event.key.source().to_owned(), event.key.id().to_owned());
        shown.kind = bundle.layout().events()[event.kind].name.to_string();
        shown.time = event.time.map(|time| time.to_string());
        shown.trace_id = input.trace.map(trace_shown);
        shown.data = attributes(input, decision, bundle);
        shown
    }
}

fn attributes(input: &EventInput, decision: &RecordedDecision, bundle: &Bundle) -> Vec<Named> {
    let (event, layout) = (&input.event, bundle.layout());
    let playbook = &bundle.playbooks()[decision.playbook];
    let (ty, is_open) = (&layout.events()[event.kind], decision.circumstances.is_context_open(playbook));
    let mut shown = Vec::new();
    for (number, (field, value)) in ty.attributes.iter().zip(&event.attributes).enumerate() {
        let value = if is_open && playbook.may_see(ty.tags_of(number), layout) {
            let Some(value) = value else { continue };
            Ok(Datum::new(&field.ty, value.clone()))
        } else {
            Err(Unavailable::Withheld.to_string())
        };
        let (value, unavailable) = (value.as_ref().ok().cloned(), value.err());
        shown.push(Named { name: field.name.to_string(), value, unavailable, stale: false });
    }
    // What is not declared is tagged as its event; its very names are data, so nothing stands for it where it is withheld.
    if is_open && playbook.may_see(&ty.tags, layout) {
        let undeclared = event.undeclared.iter().map(|(name, raw)| Named {
            name: name.clone(),
            value: Some(Datum::untyped(raw.clone())),
            unavailable: Some("not declared, so no rule sees it".to_owned()),
            stale: false,
        });
        shown.extend(undeclared);
    }
    shown
}
