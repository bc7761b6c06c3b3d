//! The turn: one input for one customer, from door to record.
//!
//! Three steps: [`apply_input`] takes what happened into the state, [`decide`] judges without changing anything,
//! [`apply_outcome`] enters what was decided. The first and the last are the only code that changes a state; recovery calls
//! the same two with what the record says.

use super::{EventInput, FactsInput, Input, Readings, Run};
use crate::bundle::{Bundle, Playbook};
use crate::context::{CustomerState, Entry, Fact, Known, PlaybookKey, TypedEvent};
use crate::decider::{Decided, Seen, Sight};
use crate::domain::{DecisionId, DecisionName, TenantId, Timestamp};
use crate::rules::Scratch;

/// What a turn is taken in: everything that outlives it.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The bundle in force.
    pub bundle: &'a Bundle,
    /// Whose engine this is.
    pub tenant: &'a TenantId,
}

/// What became of an input.
#[derive(Clone, Debug, PartialEq)]
pub enum Taken {
    /// The state changed; the turn must be recorded.
    Turn(Turn),
    /// Everything was known already; nothing changed.
    Repeated(Vec<(usize, DecisionId)>),
    /// The event's id was used before with another content; nothing changed.
    Conflict,
}

/// A turn that changed the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// When the input arrived, not before the customer's last arrival.
    pub arrival: Timestamp,
    /// What was decided, in the order of the playbooks.
    pub decisions: Vec<Made>,
    /// Decisions on the same event that were made before.
    pub repeated: Vec<(usize, DecisionId)>,
    /// Facts that were not taken, because a later observation is held.
    pub outdated: Vec<usize>,
}

/// One decision as it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Its id.
    pub id: DecisionId,
    /// The number of the playbook in the bundle.
    pub playbook: usize,
    /// What was decided and why.
    pub decided: Decided,
    /// The context's values that were looked at, in the order of the playbook's sights.
    pub seen: Vec<Seen>,
}

/// Takes a turn. Never waits, does no I/O, reads no clock.
pub fn take(
    state: &mut CustomerState,
    input: &Input,
    readings: Readings,
    around: Surroundings<'_>,
    scratch: &mut Scratch,
) -> Taken {
    let arrival = readings.arrival.max(state.last_arrival);
    match input {
        Input::Facts(facts) => {
            let outdated = apply_input(state, input, arrival, around);
            debug_assert!(outdated.len() <= facts.facts.len());
            Taken::Turn(Turn { arrival, decisions: Vec::new(), repeated: Vec::new(), outdated })
        }
        Input::Event(event) => take_event(state, event, input, arrival, around, scratch),
    }
}

fn take_event(
    state: &mut CustomerState,
    event: &EventInput,
    input: &Input,
    arrival: Timestamp,
    around: Surroundings<'_>,
    scratch: &mut Scratch,
) -> Taken {
    let (fingerprint, body) = (event.event.key.fingerprint(), event.event.body);
    let since = around.bundle.layout().repetitions().since(arrival);
    let known = |playbook: Option<PlaybookKey>| state.ledger.known(fingerprint, body, playbook, since);
    let is_new = match known(None) {
        Known::Conflict => return Taken::Conflict,
        known => known == Known::New,
    };
    let (mut pending, mut repeated) = (Vec::new(), Vec::new());
    for number in playbooks_of(event, around.bundle) {
        match known(Some(around.bundle.playbooks()[number].key)) {
            Known::Decided(id) => repeated.push((number, id)),
            Known::Conflict | Known::New | Known::Folded => pending.push(number),
        }
    }
    if !is_new && pending.is_empty() {
        return Taken::Repeated(repeated);
    }
    apply_input(state, input, arrival, around);
    let decisions: Vec<Made> =
        pending.into_iter().filter_map(|number| decide(state, event, number, arrival, around, scratch)).collect();
    apply_outcome(state, event, arrival, decisions.iter().map(|made| (made.playbook, made.id)), around);
    Taken::Turn(Turn { arrival, decisions, repeated, outdated: Vec::new() })
}

fn playbooks_of(event: &EventInput, bundle: &Bundle) -> Vec<usize> {
    match event.run {
        Run::Playbook(number) => vec![number],
        Run::Subscribed => {
            let listens = |(_, playbook): &(usize, &Playbook)| playbook.position_of_event(event.event.kind).is_some();
            bundle.playbooks().iter().enumerate().filter(listens).map(|(number, _)| number).collect()
        }
    }
}

/// Takes an input into the state: folds an event that is new, sets facts that are not outdated. Returns the facts that are.
///
/// One of the two functions that change a state, live and in recovery.
pub fn apply_input(
    state: &mut CustomerState,
    input: &Input,
    arrival: Timestamp,
    around: Surroundings<'_>,
) -> Vec<usize> {
    state.conform(around.bundle.layout(), arrival);
    state.last_arrival = arrival;
    match input {
        Input::Event(EventInput { event, .. }) => {
            let since = around.bundle.layout().repetitions().since(arrival);
            if state.ledger.known(event.key.fingerprint(), event.body, None, since) == Known::New {
                state.fold(event, event.time.unwrap_or(arrival));
            }
            Vec::new()
        }
        Input::Facts(input) => apply_facts(state, input),
    }
}

fn apply_facts(state: &mut CustomerState, input: &FactsInput) -> Vec<usize> {
    let mut outdated = Vec::new();
    for (number, value) in &input.facts {
        let fact = Fact { value: value.clone(), source: input.source.clone(), observed_at: input.observed_at };
        if !state.put_fact(*number, fact) {
            outdated.push(*number);
        }
    }
    outdated
}

/// Judges an event by one playbook; `None` if the playbook does not decide on events of this type.
pub fn decide(
    state: &CustomerState,
    event: &EventInput,
    playbook: usize,
    arrival: Timestamp,
    around: Surroundings<'_>,
    scratch: &mut Scratch,
) -> Option<Made> {
    let rules = &around.bundle.playbooks()[playbook];
    let seen = Sight::look(rules, state, &event.event, arrival);
    let sight = Sight::new(rules, &event.event, arrival, &seen)?;
    let decided = crate::decider::decide(rules, &sight, scratch);
    let TypedEvent { customer, key, .. } = &event.event;
    let name = DecisionName { tenant: around.tenant, playbook: &rules.name, customer, event: key, arrival };
    Some(Made { id: DecisionId::of(name), playbook, decided, seen })
}

/// Enters the event and the decisions made on it.
///
/// One of the two functions that change a state, live and in recovery.
pub fn apply_outcome(
    state: &mut CustomerState,
    event: &EventInput,
    arrival: Timestamp,
    decisions: impl IntoIterator<Item = (usize, DecisionId)>,
    around: Surroundings<'_>,
) {
    let entry = |decision| Entry { event: event.event.key.fingerprint(), body: event.event.body, arrival, decision };
    let mut is_entered = false;
    for (playbook, id) in decisions {
        let key = around.bundle.playbooks()[playbook].key;
        state.ledger.enter(entry(Some((key, id))), around.bundle.layout().repetitions());
        is_entered = true;
    }
    if !is_entered {
        state.ledger.enter(entry(None), around.bundle.layout().repetitions());
    }
}
