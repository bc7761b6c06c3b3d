//! A customer's ledger, as someone who looks sees it: what was decided, what waits, what is held back.

use serde::Serialize;

use super::export_state::key_shown;
use super::known::Known;
use crate::bundle::Flow;
use crate::context::{Entry, Paced, Pending, Tally};
use crate::domain::{Settlement, Timestamp};

/// Decisions of one playbook.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct TallyView {
    /// The playbook.
    pub playbook: String,
    /// How many.
    pub count: u64,
    /// The last event decided on arrived then.
    pub last: String,
}

/// An event or decision in a customer's ledger.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct EntryView {
    /// When the event arrived.
    pub arrival: String,
    /// The playbook that decided, if one did.
    pub playbook: Option<String>,
    /// The decision, if one was made.
    pub decision_id: Option<String>,
}

/// A decision that waits to be settled, or did so a short while ago.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct PendingView {
    /// The decision.
    pub decision_id: String,
    /// Its playbook.
    pub playbook: String,
    /// When it was made.
    pub since: String,
    /// When it is released by itself.
    pub settle_by: String,
    /// What became of it: `open`, `committed`, `released`, or `lapsed` where nobody said anything in time.
    pub standing: &'static str,
}

/// What a playbook's flow control keeps of a key.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FlowView {
    /// The playbook.
    pub playbook: String,
    /// The fingerprint of the attribute's value that is told apart, `absent` for events without it; `None` for the customer as
    /// a whole.
    pub key: Option<String>,
    /// When the last event with this key arrived.
    pub last_event: String,
    /// The last decision that the rules were asked for.
    pub decision_id: Option<String>,
    /// When the event of that decision arrived.
    pub decided_at: Option<String>,
    /// Decisions that the rules were asked for, as far back as the throttle looks.
    pub asked: usize,
    /// Until when events with this key are held back, if no further ones come, and by what: `debounced` or `throttled`.
    pub held_back: Option<HeldBackView>,
}

/// Until when and by what events are held back.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct HeldBackView {
    /// Why: `debounced` or `throttled`.
    pub reason: &'static str,
    /// Until when.
    pub until: String,
}

impl TallyView {
    pub(super) fn of(tally: &Tally, known: &Known) -> Self {
        let playbook = known.playbook_name(tally.playbook);
        Self { playbook, count: tally.decisions, last: tally.last.to_string() }
    }
}

impl EntryView {
    pub(super) fn of(entry: &Entry, known: &Known) -> Self {
        Self {
            arrival: entry.arrival.to_string(),
            playbook: entry.decision.map(|(key, _)| known.playbook_name(key)),
            decision_id: entry.decision.map(|(_, id)| id.to_string()),
        }
    }
}

impl PendingView {
    pub(super) fn of(pending: &Pending, known: &Known, now: Timestamp) -> Self {
        Self {
            decision_id: pending.decision.to_string(),
            playbook: known.playbook_name(pending.playbook),
            since: pending.at.to_string(),
            settle_by: pending.until.to_string(),
            standing: match pending.settled {
                Some(Settlement::Commit) => "committed",
                Some(Settlement::Release) => "released",
                None if pending.is_open(now) => "open",
                None => "lapsed",
            },
        }
    }
}

impl FlowView {
    pub(super) fn of(paced: &Paced, known: &Known, now: Timestamp) -> Self {
        let flow = known.playbook(paced.playbook).map(|playbook| &playbook.flow);
        let asked = match flow.and_then(|flow| flow.throttle) {
            Some(throttle) => paced.asked_within(throttle.over, now),
            None => paced.asked.len(),
        };
        Self {
            playbook: known.playbook_name(paced.playbook),
            key: key_shown(paced.key),
            last_event: paced.last.to_string(),
            decision_id: paced.decided.map(|(_, id)| id.to_string()),
            decided_at: paced.decided.map(|(at, _)| at.to_string()),
            asked,
            held_back: flow.and_then(|flow| held_back(flow, paced, now)),
        }
    }
}

/// What holds an event back that arrives now, in the order in which a decision finds it.
fn held_back(flow: &Flow, paced: &Paced, now: Timestamp) -> Option<HeldBackView> {
    if let Some(quiet) = flow.debounce.filter(|quiet| now.since(paced.last) < *quiet) {
        let until = paced.last.saturating_add(quiet).to_string();
        return Some(HeldBackView { reason: "debounced", until });
    }
    let throttle = flow.throttle?;
    let asked = paced.asked_within(throttle.over, now);
    // There is room when so many of the oldest have left the window that fewer than `max` are in it.
    let leaves = asked.checked_sub(throttle.max as usize)?;
    let within = paced.asked.iter().filter(|at| now.since(**at) < throttle.over);
    let until = within.copied().nth(leaves)?.saturating_add(throttle.over).to_string();
    Some(HeldBackView { reason: "throttled", until })
}
