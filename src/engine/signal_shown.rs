//! Signals of a customer, as someone who looks sees them.

use serde::Serialize;

use super::TagsView;
use super::viewer::Viewer;
use crate::context::{CustomerState, GroupLabel, Layout, SignalDefinition, SignalKind};
use crate::domain::{Datum, Timestamp, Unavailable};

/// A signal of a customer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SignalView {
    /// Its name.
    pub name: String,
    /// Its value.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// Why it cannot be used now.
    pub unavailable: Option<String>,
    /// What it keeps.
    pub keeps: KeepsView,
    /// Since when it watches; `None` before the customer's first turn with it, and where it is withheld.
    pub since: Option<String>,
    /// What may be done with it: what may be done with what it is made from.
    pub tags: TagsView,
    /// Its groups, those of the latest events first, for one that is kept by an attribute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub groups: Vec<GroupView>,
    /// How many groups there are beyond those that are shown.
    #[serde(skip_serializing_if = "is_zero")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub more_groups: usize,
}

/// What a signal keeps.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct KeepsView {
    /// The word of its declaration, such as `count` or `sum`.
    pub kind: &'static str,
    /// The event that it watches.
    pub event: String,
    /// The attribute that it looks at.
    pub of: Option<String>,
    /// The attribute that it is kept by.
    pub by: Option<String>,
    /// Its window; `None` for one that looks back for ever.
    pub over: Option<String>,
    /// The width of its buckets: how exact the window's beginning is.
    pub resolution: String,
}

/// One group of a signal.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct GroupView {
    /// The value of the attribute that the signal is kept by; `None` where only its fingerprint is known.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub group: Option<Datum>,
    /// The fingerprint of that value.
    pub key: String,
    /// The signal's value for it.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// Why it cannot be used now.
    pub unavailable: Option<String>,
}

/// Groups that are shown: as many as a signal has if it does not say.
const GROUPS_SHOWN: usize = crate::context::GROUPS_DEFAULT;

impl SignalView {
    pub(super) fn of(state: &CustomerState, number: usize, now: Timestamp, viewer: &Viewer) -> Self {
        let layout = state.layout();
        let definition = &layout.signals()[number];
        let is_seen = viewer.sees(&definition.tags);
        let keeps = KeepsView::of(definition, layout);
        let value = if is_seen { state.signal(number, now) } else { Err(Unavailable::Withheld) };
        let unavailable = value.as_ref().err().map(|reason| keeps.unavailable(*reason));
        let mut groups = if is_seen { state.signal_groups(number, now) } else { Vec::new() };
        let more_groups = groups.len().saturating_sub(GROUPS_SHOWN);
        groups.truncate(GROUPS_SHOWN);
        let group = |standing: crate::context::GroupStanding| {
            let GroupLabel { key, of } = standing.group;
            let value = standing.value.map(|value| Datum::new(&definition.ty, value));
            let unavailable = value.as_ref().err().map(ToString::to_string);
            GroupView { group: of, key: format!("{key:016x}"), value: value.ok(), unavailable }
        };
        Self {
            name: definition.name.to_string(),
            unavailable,
            value: value.ok().map(|value| Datum::new(&definition.ty, value)),
            keeps,
            since: state.signal_since(number).filter(|_| is_seen).map(|since| since.to_string()),
            tags: TagsView::of(&definition.tags, layout),
            groups: groups.into_iter().map(group).collect(),
            more_groups,
        }
    }
}

impl KeepsView {
    pub(super) fn of(definition: &SignalDefinition, layout: &Layout) -> Self {
        let event = &layout.events()[definition.event];
        let attribute = |number: usize| event.attributes[number].name.to_string();
        Self {
            kind: word(definition.kind),
            event: event.name.to_string(),
            of: definition.kind.attribute().map(attribute),
            by: definition.by.as_ref().map(|grouping| attribute(grouping.by)),
            over: definition.over.map(|over| over.to_string()),
            resolution: definition.resolution.to_string(),
        }
    }

    /// Why the signal has no value where nobody asks for a group.
    pub(super) fn unavailable(&self, reason: Unavailable) -> String {
        match (&self.by, reason) {
            (Some(by), Unavailable::Absent) => format!("kept by `{by}`: each group has its own"),
            (_, reason) => reason.to_string(),
        }
    }
}

fn word(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::Count => "count",
        SignalKind::Sum(_) => "sum",
        SignalKind::Min(_) => "min",
        SignalKind::Max(_) => "max",
        SignalKind::Mean(_) => "mean",
        SignalKind::Last(_) => "last",
        SignalKind::LastN { .. } => "last_n",
        SignalKind::Distinct(_) => "distinct",
        SignalKind::Decayed(_) => "decayed",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
