//! Facts of a customer, and what may be done with a value, as someone who looks sees them.

use serde::Serialize;

use super::known::Known;
use super::viewer::Viewer;
use crate::context::{CustomerState, Layout, ParkedFact, Purposes, Tags};
use crate::domain::{Datum, Timestamp, Unavailable};

/// A fact about a customer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FactView {
    /// Its name.
    pub name: String,
    /// Its value.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// Why it cannot be used now.
    pub unavailable: Option<String>,
    /// Whether it is beyond its soft limit: used, and old.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub stale: bool,
    /// Who told it.
    pub source: Option<String>,
    /// When they observed it.
    pub observed_at: Option<String>,
    /// Until when it may be kept; `None` for ever, or where nothing is held.
    pub retain_until: Option<String>,
    /// What may be done with it.
    pub tags: TagsView,
}

/// A fact that is held and that the bundle in force does not declare, or types so that it does not fit. No decision sees it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ParkedFactView {
    /// Its name, if a bundle that was in force since the start declares it.
    pub name: Option<String>,
    /// The fingerprint of its name.
    pub key: String,
    /// Its value.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// Why it cannot be used.
    pub unavailable: String,
    /// Who told it.
    pub source: Option<String>,
    /// When they observed it.
    pub observed_at: String,
    /// Until when it may be kept; `None` for ever.
    pub retain_until: Option<String>,
}

/// What may be done with a value.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct TagsView {
    /// The purposes it may be used for; `None` for every purpose.
    pub purposes: Option<Vec<String>>,
    /// How long it may be kept; `None` for ever.
    pub retain: Option<String>,
    /// The regulation it falls under.
    pub regulation: Option<String>,
}

impl TagsView {
    pub(super) fn of(tags: &Tags, layout: &Layout) -> Self {
        let named = || {
            let purposes = layout.purposes().iter().enumerate();
            purposes.filter(|(number, _)| tags.purposes.contains(*number)).map(|(_, of)| of.name.to_string()).collect()
        };
        Self {
            purposes: (tags.purposes != Purposes::ALL).then(named),
            retain: tags.retain.map(|retain| retain.to_string()),
            regulation: tags.regulation.as_deref().map(str::to_owned),
        }
    }
}

impl FactView {
    /// A declared fact.
    pub(super) fn of(state: &CustomerState, number: usize, now: Timestamp, viewer: &Viewer) -> Self {
        let layout = state.layout();
        let definition = &layout.facts()[number];
        let (field, is_seen) = (&definition.field, viewer.sees(&definition.tags));
        let value = if is_seen { state.fact(number, now) } else { Err(Unavailable::Withheld) };
        let held = state.held_fact(number).filter(|_| is_seen);
        let expiry = held.filter(|fact| fact.value.is_some()).and_then(|fact| definition.tags.expiry(fact.observed_at));
        Self {
            name: field.name.to_string(),
            value: value.ok().map(|value| Datum::new(&field.ty, value.clone())),
            unavailable: value.err().map(|reason| reason.to_string()),
            stale: is_seen && state.is_stale(number, now),
            source: held.map(|fact| fact.source.to_string()),
            observed_at: held.map(|fact| fact.observed_at.to_string()),
            retain_until: expiry.map(|until| until.to_string()),
            tags: TagsView::of(&definition.tags, layout),
        }
    }
}

impl ParkedFactView {
    pub(super) fn of(parked: ParkedFact<'_>, known: &Known) -> Self {
        let name = known.fact_name(&parked);
        let ParkedFact { key, value, source, observed_at, retain_until } = parked;
        let unavailable = match &value {
            Ok(Some(_)) => "not declared by the bundle in force, or not so that it fits".to_owned(),
            Ok(None) => "withdrawn".to_owned(),
            Err(reason) => reason.to_string(),
        };
        Self {
            name,
            key: format!("{key:08x}"),
            value: value.ok().flatten(),
            unavailable,
            source: source.map(str::to_owned),
            observed_at: observed_at.to_string(),
            retain_until: retain_until.map(|until| until.to_string()),
        }
    }
}
