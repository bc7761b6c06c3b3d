//! An event in a playbook's flow control: what it is held back by, what it repeats, how it is taken in.

use super::take::playbooks_of;
use super::{EventInput, Surroundings};
use crate::bundle::Playbook;
use crate::context::{CustomerState, Entry, FlowKey, Known, Layout, Ledger, Step};
use crate::domain::{DecisionId, FallbackReason, Timestamp};

/// What a playbook's flow control takes an event for.
pub(super) fn flow_key(playbook: &Playbook, event: &EventInput, layout: &Layout) -> FlowKey {
    if playbook.flow.is_free() {
        return FlowKey::WHOLE;
    }
    let position = playbook.position_of_event(event.event.kind);
    position.map_or(FlowKey::WHOLE, |position| playbook.flow.key_of(position, &event.event, layout))
}

/// Why flow control lets the rules not be asked.
pub(super) fn held_back(
    state: &CustomerState,
    event: &EventInput,
    playbook: &Playbook,
    arrival: Timestamp,
) -> Option<FallbackReason> {
    let flow = &playbook.flow;
    if flow.is_free() {
        return None;
    }
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

/// Takes a decision in its playbook's flow control, or an event that repeats an earlier one (`asked` is `None`).
pub(super) fn step(
    ledger: &mut Ledger,
    playbook: &Playbook,
    (key, at): (FlowKey, Timestamp),
    asked: Option<DecisionId>,
) {
    if let Some(memory) = playbook.flow.memory() {
        ledger.pace.enter(Step { playbook: playbook.key, key, at, asked }, memory);
    }
}

/// Enters the decisions that the event repeats because others with the same key were decided a short while ago, and returns
/// them by playbook. What they are follows from the state, so that a record need not say.
pub(super) fn enter_repeated(
    state: &mut CustomerState,
    event: &EventInput,
    arrival: Timestamp,
    around: Surroundings<'_>,
) -> Vec<(usize, DecisionId)> {
    let mut repeated = Vec::new();
    let window = around.bundle.layout().repetitions();
    let (fingerprint, body) = (event.event.key.fingerprint(), event.event.body);
    for number in playbooks_of(event, around.bundle) {
        let playbook = &around.bundle.playbooks()[number];
        let Some(id) = deduplicated(state, event, playbook, arrival) else { continue };
        let known = state.ledger.known(fingerprint, body, Some(playbook.key), window.since(arrival));
        if matches!(known, Known::Decided(_)) {
            continue;
        }
        let key = flow_key(playbook, event, state.layout());
        let entry = Entry { event: fingerprint, body, arrival, decision: Some((playbook.key, id)) };
        state.ledger.enter_repeated(entry, window);
        step(&mut state.ledger, playbook, (key, arrival), None);
        repeated.push((number, id));
    }
    repeated
}

/// The earlier decision that an event repeats, because another with the same key was decided a short while ago.
fn deduplicated(
    state: &CustomerState,
    event: &EventInput,
    playbook: &Playbook,
    arrival: Timestamp,
) -> Option<DecisionId> {
    // An offer is repeated while it stands: not when its time is over, or when it was released.
    let over = playbook.flow.deduplicate?;
    let over = playbook.settle_within.map_or(over, |within| over.min(within));
    // What an earlier decision let out, a withdrawn consent lets out no more. The state does not say which consents that
    // decision needed: whichever is missing, the event is decided anew.
    if !is_consented(state, playbook) {
        return None;
    }
    let key = flow_key(playbook, event, state.layout());
    // Events of which nobody knows what they are about have nothing in common.
    let paced = if key == FlowKey::ABSENT { None } else { state.ledger.pace.of(playbook.key, key) };
    let id = paced?.decided_within(over, arrival)?;
    (!state.ledger.commitments.is_released(id)).then_some(id)
}

/// Whether all consents are given that the playbook needs for anything.
fn is_consented(state: &CustomerState, playbook: &Playbook) -> bool {
    playbook.purpose.as_ref().is_none_or(|purpose| purpose.is_allowed(&state.consents))
        && playbook.consents.iter().all(|required| state.consents.is_given(&required.purpose))
}
