//! How caps stand now: a customer's own, and those of all customers together.

use std::sync::Arc;

use serde::Serialize;

use super::cap_shown::{amount_of, datum};
use super::known::Known;
use super::{Answer, Engine};
use crate::actor::{GlobalCap, Shed};
use crate::bundle::{Cap, CapScope, Measure, Playbook};
use crate::context::{CapKey, CustomerState, Reservation};
use crate::domain::{Datum, Timestamp, Type, Value};
use crate::turn::own_room;

/// How one of a customer's caps stands.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct OwnCapView {
    /// Its id; `None` for one that nobody knows any more.
    pub cap: Option<String>,
    /// Whether a playbook in force has it. One that none has limits nothing.
    pub in_force: bool,
    /// The field whose sum is limited; `None` where decisions are counted.
    pub amount: Option<String>,
    /// How much there may be; `None` for a cap that nobody knows any more.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub max: Option<Datum>,
    /// Within which time; `None` for ever.
    pub over: Option<String>,
    /// What is taken of it.
    #[cfg_attr(feature = "http", schema(value_type = serde_json::Value))]
    pub taken: Datum,
    /// What it leaves.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub left: Option<Datum>,
    /// When it leaves more, if nothing else is decided or settled until then.
    pub more_from: Option<String>,
    /// What was reserved of it and counts, newest first.
    pub reservations: Vec<ReservationView>,
    /// How many reservations there are beyond those that are shown.
    #[serde(skip_serializing_if = "is_zero")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub more_reservations: usize,
}

/// What one decision took of a cap.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ReservationView {
    /// The decision. Of several that were merged, the latest.
    pub decision_id: String,
    /// How much.
    #[cfg_attr(feature = "http", schema(value_type = serde_json::Value))]
    pub taken: Datum,
    /// When.
    pub at: String,
    /// Until when it counts if nobody commits it; `None` once it is committed, or if it is final.
    pub held_until: Option<String>,
}

/// How a cap of all customers together stands.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct GlobalCapView {
    /// Its id.
    pub cap: String,
    /// The playbooks that share it.
    pub playbooks: Vec<String>,
    /// The field whose sum is limited; `None` where decisions are counted.
    pub amount: Option<String>,
    /// How much there may be.
    #[cfg_attr(feature = "http", schema(value_type = serde_json::Value))]
    pub max: Datum,
    /// Within which time; `None` for ever.
    pub over: Option<String>,
    /// What all customers' decisions took of it.
    #[cfg_attr(feature = "http", schema(value_type = serde_json::Value))]
    pub taken: Datum,
    /// What is not taken: what may still be lent out, and what is lent out and lies unused.
    #[cfg_attr(feature = "http", schema(value_type = serde_json::Value))]
    pub left: Datum,
    /// What of that is lent out to partitions of customers, which take from it without asking; called in when nothing else
    /// is left.
    #[cfg_attr(feature = "http", schema(value_type = serde_json::Value))]
    pub unused: Datum,
}

/// Reservations of one cap that are shown.
const RESERVATIONS_SHOWN: usize = 32;

impl OwnCapView {
    /// The customer's caps of the playbooks in force, and those of which something is reserved.
    pub(super) fn keys(state: &CustomerState, known: &Known) -> Vec<CapKey> {
        let in_force = known.playbooks().iter().flat_map(|playbook| &playbook.caps);
        let declared = in_force.filter(|cap| cap.scope == CapScope::Customer).map(|cap| cap.key);
        let mut keys: Vec<CapKey> = Vec::new();
        for key in declared.chain(state.ledger.commitments.reservations().map(|reservation| reservation.cap)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    pub(super) fn of(key: CapKey, state: &CustomerState, known: &Known, now: Timestamp) -> Self {
        let of_cap = |reservation: &&Reservation| reservation.cap == key && reservation.counts(now);
        let mut reservations: Vec<&Reservation> = state.ledger.commitments.reservations().filter(of_cap).collect();
        reservations.reverse();
        let more_reservations = reservations.len().saturating_sub(RESERVATIONS_SHOWN);
        let found = known.cap(key);
        let shown = |amount: i64| match found {
            Some((cap, playbook)) => datum(cap, playbook, amount),
            None => Datum::new(&Type::Int, Value::Int(amount)),
        };
        let reserved = reservations.iter().fold(0_i64, |sum, of| sum.saturating_add(of.amount));
        let room = found.map(|(cap, _)| (cap, own_room(state, cap, now)));
        let taken = room.map_or(reserved, |(cap, room)| cap.max.saturating_sub(room.left));
        let reservation = |of: &Reservation| ReservationView::of(of, shown(of.amount));
        Self {
            cap: found.map(|(cap, _)| cap.id.to_string()),
            in_force: known.playbooks_with(key).next().is_some(),
            amount: found.and_then(|(cap, playbook)| amount(cap, playbook)),
            max: found.map(|(cap, _)| shown(cap.max)),
            over: found.and_then(|(cap, _)| cap.over).map(|over| over.to_string()),
            taken: shown(taken),
            left: room.map(|(_, room)| shown(room.left.max(0))),
            more_from: room.and_then(|(_, room)| room.again).map(|again| again.to_string()),
            reservations: reservations.into_iter().take(RESERVATIONS_SHOWN).map(reservation).collect(),
            more_reservations,
        }
    }
}

impl ReservationView {
    pub(super) fn of(reservation: &Reservation, taken: Datum) -> Self {
        Self {
            decision_id: reservation.decision.to_string(),
            taken,
            at: reservation.at.to_string(),
            held_until: reservation.held_until.map(|until| until.to_string()),
        }
    }
}

impl Engine {
    /// How the global caps of the bundle in force stand; shed as long as recovery has not read what was taken of them. Asks each
    /// partition of customers for what it holds: not for the way of an event.
    pub fn caps(&self) -> Answer<Vec<GlobalCapView>> {
        let Some(standings) = self.0.customers.global_caps() else { return self.shed(Shed::Recovering) };
        let bundle = self.bundle();
        let shown = |standing: &GlobalCap| {
            let has = |playbook: &&Playbook| playbook.caps.iter().any(|cap| cap.key == standing.cap.key);
            let sharing: Vec<&Playbook> = bundle.playbooks().iter().filter(has).collect();
            // The bundle may have been changed at this moment: a cap that it does not have is passed over.
            let playbook = sharing.first()?;
            let cap = playbook.caps.iter().find(|cap| cap.key == standing.cap.key)?;
            Some(GlobalCapView {
                cap: cap.id.to_string(),
                playbooks: sharing.iter().map(|playbook| playbook.name.to_string()).collect(),
                amount: amount(cap, playbook),
                max: datum(cap, playbook, cap.max),
                over: cap.over.map(|over| over.to_string()),
                taken: datum(cap, playbook, standing.taken),
                left: datum(cap, playbook, cap.max.saturating_sub(standing.taken).max(0)),
                unused: datum(cap, playbook, standing.unused),
            })
        };
        Answer::Given(standings.iter().filter_map(shown).collect())
    }
}

impl Engine {
    /// The global caps, as far as they are known, with what is taken of them and how much there may be, as metrics have it: times in seconds.
    pub(super) fn caps_in_numbers(&self) -> Vec<(Arc<str>, f64, f64)> {
        let standings = self.0.customers.global_caps().unwrap_or_default();
        if standings.is_empty() {
            return Vec::new();
        }
        let bundle = self.bundle();
        let number = |standing: GlobalCap| {
            let mut caps = bundle.playbooks().iter().flat_map(|of| of.caps.iter().map(move |cap| (cap, of)));
            let (cap, playbook) = caps.find(|(cap, _)| cap.key == standing.cap.key)?;
            let number = |amount: i64| match amount_of(cap, playbook, amount) {
                Value::Decimal(amount) => amount.to_f64(),
                Value::Duration(amount) => amount.micros() as f64 / 1e6,
                _ => amount as f64,
            };
            Some((Arc::clone(&cap.id), number(standing.taken), number(cap.max)))
        };
        standings.into_iter().filter_map(number).collect()
    }
}

fn amount(cap: &Cap, playbook: &Playbook) -> Option<String> {
    match cap.measure {
        Measure::Count => None,
        Measure::Amount(field) => playbook.outcome.fields().get(field).map(|field| field.name.to_string()),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
