//! The latest events of a customer, as someone who looks sees them.

use serde::Serialize;

use super::Named;
use super::viewer::Viewer;
use crate::context::{Layout, RecentEvent};
use crate::domain::{Datum, Timestamp, Unavailable};

/// One of a customer's latest events, with the attributes that are kept of it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct RecentEventView {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened; its arrival if its sender did not say so.
    pub time: String,
    /// When it arrived.
    pub arrival: String,
    /// The attributes that are kept of it and have not expired.
    #[serde(rename = "data")]
    pub attributes: Vec<Named>,
}

impl RecentEventView {
    pub(super) fn of(event: &RecentEvent, layout: &Layout, now: Timestamp, viewer: &Viewer) -> Self {
        let ty = &layout.events()[event.kind];
        let attribute = |(number, value): (usize, &crate::domain::Value)| {
            let field = &ty.attributes[number];
            let is_seen = viewer.sees(ty.tags_of(number));
            Named {
                name: field.name.to_string(),
                value: is_seen.then(|| Datum::new(&field.ty, value.clone())),
                unavailable: (!is_seen).then(|| Unavailable::Withheld.to_string()),
                stale: false,
            }
        };
        Self {
            kind: ty.name.to_string(),
            time: event.time.to_string(),
            arrival: event.arrival.to_string(),
            attributes: event.values(layout, now).map(attribute).collect(),
        }
    }
}
