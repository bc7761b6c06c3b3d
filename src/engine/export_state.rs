//! What a customer's state holds, whole, as an export has it.

use serde::Serialize;

use super::cap_shown::datum;
use super::customer::ConsentView;
use super::known::Known;
use super::ledger_shown::{EntryView, PendingView, TallyView};
use super::recent_shown::RecentEventView;
use super::signal_shown::KeepsView;
use super::viewer::Viewer;
use super::{ReservationView, TagsView};
use crate::context::{CustomerState, FlowKey, Paced, ParkedFact, PartHeld, Reservation, SignalPart};
use crate::domain::{Datum, Timestamp, Type, Unavailable, Value};

/// What is held in a customer's state.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct StateShown {
    /// The last record that is in it.
    pub last_record: u64,
    /// The latest arrival of anything; `None` if no turn was ever taken.
    pub last_arrival: Option<String>,
    /// What was told about the customer, withdrawn and expired facts and those that are not declared any more included.
    pub facts: Vec<FactHeld>,
    /// What the customer said about purposes.
    pub consents: Vec<ConsentView>,
    /// What is kept of events, added up.
    pub signals: Vec<SignalHeld>,
    /// The latest events, newest first.
    pub recent_events: Vec<RecentEventView>,
    /// Decisions by playbook.
    pub decisions: Vec<TallyView>,
    /// What decisions took of the customer's caps, by cap, oldest first.
    pub reservations: Vec<ReservationsHeld>,
    /// Decisions that wait to be settled or did so a short while ago, oldest first.
    pub pending: Vec<PendingView>,
    /// What flow control keeps.
    pub flow: Vec<FlowHeld>,
    /// Events and decisions by which repetitions are recognised, newest first.
    pub recent: Vec<EntryView>,
}

/// A fact as it is held.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FactHeld {
    /// Its name; `None` where no bundle that is known declares it.
    pub name: Option<String>,
    /// How it stands: `current`; `stale`, too old to be relied on or nearly so; `expired`, beyond the time for which it may be
    /// kept; `withdrawn`; `parked`, not declared any more.
    pub standing: &'static str,
    /// Its value, used or not; `None` if it is withdrawn or gone.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// Who told it.
    pub source: Option<String>,
    /// When they observed it.
    pub observed_at: Option<String>,
    /// Until when it may be kept; `None` for ever.
    pub retain_until: Option<String>,
    /// What may be done with it; `None` for a fact that is not declared any more.
    pub tags: Option<TagsView>,
}

/// A signal as it is held.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SignalHeld {
    /// Its name.
    pub name: String,
    /// What it keeps.
    pub keeps: KeepsView,
    /// Since when.
    pub since: Option<String>,
    /// What may be done with it.
    pub tags: TagsView,
    /// Its value as of now.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// Why it has none.
    pub unavailable: Option<String>,
    /// Everything that it holds, oldest first within each group.
    pub parts: Vec<PartView>,
}

/// One thing that a signal holds.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct PartView {
    /// The value of the attribute that the signal is kept by, if it is and the value is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = false))]
    pub group: Option<Datum>,
    /// The fingerprint of that value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub group_key: Option<String>,
    /// When it happened, or when the time begins for which it is added up.
    pub from: String,
    /// When that time ends; `None` for what is held with its exact time.
    pub until: Option<String>,
    /// The number or value; `None` for one of which only the fingerprint is kept, and for a sum that left its range.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// How many values the sum of a mean is made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub values: Option<i64>,
    /// The fingerprint that is kept in place of a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub fingerprint: Option<String>,
}

/// What decisions took of one cap.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ReservationsHeld {
    /// The cap; `None` where no bundle that is known has it.
    pub cap: Option<String>,
    /// What was taken, oldest first.
    pub reservations: Vec<ReservationView>,
}

/// What flow control keeps of a key.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FlowHeld {
    /// The playbook.
    pub playbook: String,
    /// The fingerprint of the attribute's value that is told apart, `absent` for events without it; `None` for the customer as
    /// a whole.
    pub key: Option<String>,
    /// When the last event with this key arrived.
    pub last_event: String,
    /// The last decision that the rules were asked for.
    pub decision_id: Option<String>,
    /// When the events arrived that the rules were asked about, oldest first.
    pub asked_at: Vec<String>,
}

/// At this time nothing has expired: what is still held is shown, though no decision may use it any more.
const BEFORE_ALL: Timestamp = Timestamp::from_micros(i64::MIN);

impl StateShown {
    pub(super) fn of(state: &CustomerState, known: &Known, now: Timestamp) -> Self {
        let (layout, ledger) = (state.layout(), &state.ledger);
        let everyone = Viewer::operator();
        let declared = (0..layout.facts().len()).filter_map(|number| FactHeld::of(state, number, now));
        let parked = state.parked(BEFORE_ALL).map(|parked| FactHeld::parked(parked, known, now));
        let events = state.recent(BEFORE_ALL);
        Self {
            last_record: state.last_seq,
            last_arrival: (state.last_seq > 0).then(|| state.last_arrival.to_string()),
            facts: declared.chain(parked).collect(),
            consents: state.consents.iter().map(ConsentView::of).collect(),
            signals: (0..layout.signals().len()).map(|number| SignalHeld::of(state, number, now)).collect(),
            recent_events: events.map(|event| RecentEventView::of(event, layout, BEFORE_ALL, &everyone)).collect(),
            decisions: ledger.tallies().iter().map(|tally| TallyView::of(tally, known)).collect(),
            reservations: ReservationsHeld::all(state, known),
            pending: ledger.commitments.pending().map(|pending| PendingView::of(pending, known, now)).collect(),
            flow: ledger.pace.paced().iter().map(|paced| FlowHeld::of(paced, known)).collect(),
            recent: ledger.entries().map(|entry| EntryView::of(entry, known)).collect(),
        }
    }
}

impl FactHeld {
    /// A declared fact; `None` if nothing was ever told, or nothing is left of it.
    fn of(state: &CustomerState, number: usize, now: Timestamp) -> Option<Self> {
        let definition = &state.layout().facts()[number];
        let (held, used) = (state.held_fact(number), state.fact(number, now));
        let value = held.and_then(|fact| fact.value.clone());
        let standing = match (&used, held) {
            (Err(Unavailable::Expired), _) => "expired",
            (_, None) => return None,
            (_, Some(fact)) if fact.value.is_none() => "withdrawn",
            (Err(_), Some(_)) => "stale",
            (Ok(_), Some(_)) if state.is_stale(number, now) => "stale",
            (Ok(_), Some(_)) => "current",
        };
        let expiry = held.filter(|fact| fact.value.is_some()).and_then(|fact| definition.tags.expiry(fact.observed_at));
        Some(Self {
            name: Some(definition.field.name.to_string()),
            standing,
            value: value.map(|value| Datum::new(&definition.field.ty, value)),
            source: held.map(|fact| fact.source.to_string()),
            observed_at: held.map(|fact| fact.observed_at.to_string()),
            retain_until: expiry.map(|until| until.to_string()),
            tags: Some(TagsView::of(&definition.tags, state.layout())),
        })
    }

    fn parked(parked: ParkedFact<'_>, known: &Known, now: Timestamp) -> Self {
        let standing = match &parked.value {
            Ok(None) => "withdrawn",
            Ok(Some(_)) if parked.retain_until.is_some_and(|until| until <= now) => "expired",
            Ok(Some(_)) => "parked",
            Err(_) => "expired",
        };
        Self {
            name: known.fact_name(&parked),
            standing,
            value: parked.value.ok().flatten(),
            source: parked.source.map(str::to_owned),
            observed_at: Some(parked.observed_at.to_string()),
            retain_until: parked.retain_until.map(|until| until.to_string()),
            tags: None,
        }
    }
}

impl SignalHeld {
    fn of(state: &CustomerState, number: usize, now: Timestamp) -> Self {
        let layout = state.layout();
        let definition = &layout.signals()[number];
        let keeps = KeepsView::of(definition, layout);
        let value = state.signal(number, now);
        Self {
            name: definition.name.to_string(),
            since: state.signal_since(number).map(|since| since.to_string()),
            tags: TagsView::of(&definition.tags, layout),
            unavailable: value.as_ref().err().map(|reason| keeps.unavailable(*reason)),
            value: value.ok().map(|value| Datum::new(&definition.ty, value)),
            parts: state.signal_parts(number).into_iter().map(PartView::of).collect(),
            keeps,
        }
    }
}

impl PartView {
    fn of(part: SignalPart) -> Self {
        let SignalPart { group, from, until, held } = part;
        let hex = |number: u64| format!("{number:016x}");
        let group_key = group.as_ref().map(|group| hex(group.key));
        let (value, values, fingerprint) = match held {
            PartHeld::Number(number) => (number, None, None),
            PartHeld::Mean(sum, values) => (sum, Some(values), None),
            PartHeld::Value(value) => (Some(value), None, None),
            PartHeld::Fingerprint(fingerprint, value) => (value, None, Some(hex(fingerprint))),
        };
        Self {
            group: group.and_then(|group| group.of),
            group_key,
            from: from.to_string(),
            until: until.map(|until| until.to_string()),
            value,
            values,
            fingerprint,
        }
    }
}

impl ReservationsHeld {
    fn all(state: &CustomerState, known: &Known) -> Vec<Self> {
        let mut by_cap: Vec<(crate::context::CapKey, Vec<&Reservation>)> = Vec::new();
        for reservation in state.ledger.commitments.reservations() {
            match by_cap.iter_mut().find(|(cap, _)| *cap == reservation.cap) {
                Some((_, held)) => held.push(reservation),
                None => by_cap.push((reservation.cap, vec![reservation])),
            }
        }
        let shown = |(key, held): (_, Vec<&Reservation>)| {
            let found = known.cap(key);
            let taken = |amount: i64| match found {
                Some((cap, playbook)) => datum(cap, playbook, amount),
                None => Datum::new(&Type::Int, Value::Int(amount)),
            };
            Self {
                cap: found.map(|(cap, _)| cap.id.to_string()),
                reservations: held.into_iter().map(|of| ReservationView::of(of, taken(of.amount))).collect(),
            }
        };
        by_cap.into_iter().map(shown).collect()
    }
}

impl FlowHeld {
    fn of(paced: &Paced, known: &Known) -> Self {
        Self {
            playbook: known.playbook_name(paced.playbook),
            key: key_shown(paced.key),
            last_event: paced.last.to_string(),
            decision_id: paced.decided.map(|(_, id)| id.to_string()),
            asked_at: paced.asked.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The key of a flow control as people see it.
pub(super) fn key_shown(key: FlowKey) -> Option<String> {
    match key {
        FlowKey::WHOLE => None,
        FlowKey::ABSENT => Some("absent".to_owned()),
        key => Some(format!("{:016x}", key.number())),
    }
}
