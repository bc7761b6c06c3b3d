//! What consents, flow control and caps leave a decision, looked up in the state before it is made.

use super::flow::held_back;
use super::{EventInput, Readings};
use crate::bundle::{Cap, CapScope, Playbook};
use crate::context::CustomerState;
use crate::domain::{FallbackReason, Timestamp};
use crate::guardrail::{CapRoom, Circumstances};

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
    if circumstances.is_context_open(playbook) {
        let is_stale = |(_, fact): &&(u16, usize)| state.is_stale(*fact, arrival);
        circumstances.stale.extend(playbook.aging.iter().filter(is_stale).map(|(sight, _)| *sight));
    }
    // Without consent, and for what was answered already, no rule is asked: what caps leave is nobody's business.
    if !matches!(circumstances.refusal, Some(FallbackReason::ConsentMissing | FallbackReason::Late)) {
        circumstances.room.extend(playbook.caps.iter().map(|cap| room(state, cap, arrival, readings)));
    }
    circumstances
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
    // Consent comes before everything that is known of the customer, and before all that a decision may use up.
    let purpose = playbook.purpose.as_ref();
    if purpose.is_some_and(|purpose| !purpose.is_allowed(&state.consents)) {
        return Some(FallbackReason::ConsentMissing);
    }
    if playbook.settle_within.is_some() && !state.ledger.commitments.has_room(arrival) {
        return Some(FallbackReason::TooManyPending);
    }
    held_back(state, event, playbook, arrival)
}

/// What a cap of the customer's own leaves.
pub fn own_room(state: &CustomerState, cap: &Cap, now: Timestamp) -> CapRoom {
    let commitments = &state.ledger.commitments;
    let left = cap.max.saturating_sub(commitments.taken(cap.key, window_since(cap, now), now));
    CapRoom { left, again: commitments.more_room_at(cap.key, cap.over, cap.max, now) }
}

/// What a cap leaves. A global one leaves what the turn was lent of it, and nothing if it was lent nothing.
fn room(state: &CustomerState, cap: &Cap, arrival: Timestamp, readings: &Readings) -> CapRoom {
    match cap.scope {
        CapScope::Customer => own_room(state, cap, arrival),
        CapScope::Global => {
            let lease = readings.leases.iter().find(|lease| lease.cap == cap.key);
            CapRoom { left: lease.map_or(0, |lease| lease.room), again: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::cap_tests::{ONE_A_QUARTER, offers};
    use crate::domain::Event;
    use crate::turn::Run;

    #[test]
    fn a_decision_that_is_answered_late_looks_at_no_cap() {
        let bundle = offers("", ONE_A_QUARTER);
        let state = CustomerState::new(std::sync::Arc::clone(bundle.layout()));
        let event = Event::new("1", "shop", "cart.left", "c-1").with("worth", "10");
        let event = EventInput { event: bundle.layout().accept(event).unwrap(), run: Run::Subscribed, trace: None };
        let arrival: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let rooms = |is_late| {
            let readings = Readings { is_late, ..Readings::at(arrival) };
            circumstances(&state, &event, &bundle.playbooks()[0], arrival, &readings).room.len()
        };
        assert_eq!((rooms(false), rooms(true)), (1, 0));
    }
}
