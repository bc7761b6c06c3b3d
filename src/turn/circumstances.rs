//! What consents, flow control and caps leave a decision, looked up in the state before it is made.

use super::{EventInput, Readings};
use crate::bundle::{Cap, CapScope, Playbook};
use crate::context::{CustomerState, FlowKey, Layout};
use crate::domain::{DecisionId, FallbackReason, Timestamp};
use crate::guardrail::Circumstances;

/// When a cap's window begins: what was reserved at this instant or before counts no more.
pub(super) fn window_since(cap: &Cap, now: Timestamp) -> Timestamp {
    cap.over.map_or(Timestamp::from_micros(i64::MIN), |over| now.saturating_sub(over))
}

/// Looks up the circumstances of a decision. A playbook without purpose, caps and flow control costs a comparison each.
pub(super) fn circumstances(
    state: &CustomerState,
    event: &EventInput,
    playbook: &Playbook,
    arrival: Timestamp,
    readings: &Readings,
) -> Circumstances {
    let mut circumstances =
        Circumstances { refusal: refusal(state, event, playbook, (arrival, readings)), ..Default::default() };
    for (number, required) in playbook.consents.iter().enumerate() {
        if state.consents.is_given(&required.purpose) {
            circumstances.consents |= 1 << number;
        }
    }
    circumstances.room.extend(playbook.caps.iter().map(|cap| room(state, cap, arrival, readings)));
    circumstances
}

/// What a playbook's flow control takes an event for.
pub(super) fn flow_key(playbook: &Playbook, event: &EventInput, layout: &Layout) -> FlowKey {
    let position = playbook.position_of_event(event.event.kind);
    position.map_or(FlowKey::WHOLE, |position| playbook.flow.key_of(position, &event.event, layout))
}

/// The earlier decision that an event repeats, because another with the same key was decided a short while ago.
pub(super) fn deduplicated(
    state: &CustomerState,
    event: &EventInput,
    playbook: &Playbook,
    arrival: Timestamp,
) -> Option<DecisionId> {
    let over = playbook.flow.deduplicate?;
    let key = flow_key(playbook, event, state.layout());
    // Events of which nobody knows what they are about have nothing in common.
    let paced = if key == FlowKey::ABSENT { None } else { state.ledger.pace.of(playbook.key, key) };
    paced?.decided_within(over, arrival)
}

fn refusal(
    state: &CustomerState,
    event: &EventInput,
    playbook: &Playbook,
    (arrival, readings): (Timestamp, &Readings),
) -> Option<FallbackReason> {
    if readings.is_late {
        return Some(FallbackReason::Late);
    }
    let purpose = playbook.purpose.as_ref();
    if purpose.is_some_and(|purpose| purpose.needs_consent && !state.consents.is_given(&purpose.name)) {
        return Some(FallbackReason::ConsentMissing);
    }
    if playbook.settle_within.is_some() && !state.ledger.commitments.has_room(arrival) {
        return Some(FallbackReason::TooManyPending);
    }
    if playbook.flow.is_free() { None } else { held_back(state, event, playbook, arrival) }
}

/// Why flow control lets the rules not be asked.
fn held_back(
    state: &CustomerState,
    event: &EventInput,
    playbook: &Playbook,
    arrival: Timestamp,
) -> Option<FallbackReason> {
    let flow = &playbook.flow;
    let key = flow_key(playbook, event, state.layout());
    if let Some(paced) = state.ledger.pace.of(playbook.key, key) {
        if flow.debounce.is_some_and(|quiet| arrival.since(paced.last) < quiet) {
            return Some(FallbackReason::Debounced);
        }
        if flow.throttle.is_some_and(|throttle| paced.asked_within(throttle.over, arrival) >= throttle.max as usize) {
            return Some(FallbackReason::Throttled);
        }
    }
    let pending = || state.ledger.commitments.pending_of(playbook.key, key, arrival);
    flow.pending_max.filter(|max| pending() >= *max as usize).map(|_| FallbackReason::TooManyPending)
}

/// What a cap leaves. A global one leaves what the turn was lent of it, and nothing if it was lent nothing.
fn room(state: &CustomerState, cap: &Cap, arrival: Timestamp, readings: &Readings) -> i64 {
    match cap.scope {
        CapScope::Customer => {
            let taken = state.ledger.commitments.taken(cap.key, window_since(cap, arrival), arrival);
            cap.max.saturating_sub(taken)
        }
        CapScope::Global => readings.leases.iter().find(|lease| lease.cap == cap.key).map_or(0, |lease| lease.room),
    }
}
