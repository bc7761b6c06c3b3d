//! The turn: one input for one customer, from door to record.
//!
//! Three steps: [`apply_input`] takes what happened into the state, [`decide`] judges without changing anything,
//! [`apply_outcome`] enters what was decided. The first and the last are the only code that changes a state; recovery calls
//! the same two with what the record says. Where several playbooks decide, each decision is entered before the next is made.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::circumstances::{circumstances, window_since};
use super::flow::{enter_repeated, flow_key, step};
use super::{ConsentsInput, EventInput, FactsInput, Input, Readings, Run, SettlementInput, Wanted};
use crate::bundle::{Bundle, CapScope, Playbook};
use crate::context::{
    Consent, CustomerState, Entry, Fact, FlowKey, Known, Ledger, Pending, PlaybookKey, Reservation, Settled,
    StateError, TypedEvent,
};
use crate::decider::{Asks, Decided, QuestionFor, Ruling, Seen, Sight, Workspace, joined_texts, question};
use crate::domain::{CustomerId, DecisionId, DecisionName, TenantId, Timestamp, Value};
use crate::guardrail::Circumstances;

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
    /// A settlement found nothing to settle, or nothing new; nothing changed.
    Unsettled(Settled),
    /// Slow models or agents must be asked first; nothing changed.
    Asks(Vec<Wanted>),
}

/// A turn that changed the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// When the input arrived, not before the customer's last arrival.
    pub arrival: Timestamp,
    /// What was decided, in the order of the playbooks.
    pub decisions: Vec<Made>,
    /// Decisions on the same event, or on others that count as the same, that were made before.
    pub repeated: Vec<(usize, DecisionId)>,
    /// Facts or consents that were not taken, because a later observation is held.
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
    /// What else it was made under.
    pub circumstances: Circumstances,
    /// Until when it can be settled; `None` if it is final.
    pub settle_by: Option<Timestamp>,
}

/// A decision as it is entered in the state.
#[derive(Clone, Copy, Debug)]
pub struct Entered<'a> {
    /// The number of the playbook in the bundle.
    pub playbook: usize,
    /// Its id.
    pub id: DecisionId,
    /// The values of its outcome.
    pub outcome: &'a [Value],
    /// Whether the rules were asked for it.
    pub is_asked: bool,
}

/// Takes a turn. Never waits, does no I/O, reads no clock. An error says that the state is damaged: nothing changed, and it is not to
/// be used.
pub fn take(
    state: &mut CustomerState,
    input: &Input,
    readings: &Readings,
    around: Surroundings<'_>,
    scratch: &mut Workspace,
) -> Result<Taken, StateError> {
    // What is answered late was answered under the arrival it had, and that names the decision.
    let arrival = if readings.is_late { readings.arrival } else { readings.arrival.max(state.last_arrival) };
    match input {
        Input::Facts(_) | Input::Consents(_) | Input::Feedback(_) | Input::LateAnswer(_) => {
            let outdated = apply_input(state, input, arrival, around)?;
            Ok(Taken::Turn(Turn { arrival, decisions: Vec::new(), repeated: Vec::new(), outdated }))
        }
        Input::Settlement(of) => match state.ledger.commitments.outlook(of.decision, of.settlement, arrival) {
            Settled::Now => {
                let outdated = apply_input(state, input, arrival, around)?;
                Ok(Taken::Turn(Turn { arrival, decisions: Vec::new(), repeated: Vec::new(), outdated }))
            }
            settled => Ok(Taken::Unsettled(settled)),
        },
        Input::Event(event) => take_event(state, event, input, Arrived { arrival, readings }, around, scratch),
    }
}

/// An arrival that never goes backwards, and what else was read.
#[derive(Clone, Copy)]
struct Arrived<'a> {
    arrival: Timestamp,
    readings: &'a Readings,
}

fn take_event(
    state: &mut CustomerState,
    event: &EventInput,
    input: &Input,
    arrived: Arrived<'_>,
    around: Surroundings<'_>,
    scratch: &mut Workspace,
) -> Result<Taken, StateError> {
    let arrival = arrived.arrival;
    let (fingerprint, body) = (event.event.key.fingerprint(), event.event.body);
    let since = around.bundle.layout().repetitions().since(arrival);
    let known = |playbook: Option<PlaybookKey>| state.ledger.known(fingerprint, body, playbook, since);
    let is_new = match known(None) {
        Known::Conflict => return Ok(Taken::Conflict),
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
        return Ok(Taken::Repeated(repeated));
    }
    // What a slow model is asked about is not decided yet: the turn is tried on a copy, and taken when it says nothing more.
    let playbooks = around.bundle.playbooks();
    let may_ask = pending.iter().any(|number| arrived.readings.may_ask(*number, &playbooks[*number]));
    if !may_ask {
        let event = Entering { event, input, pending, repeated };
        return Ok(decided(state, event, arrived, around, scratch)?.map_or_else(Taken::Asks, Taken::Turn));
    }
    let mut draft = state.clone();
    let event = Entering { event, input, pending, repeated };
    Ok(match decided(&mut draft, event, arrived, around, scratch)? {
        Ok(turn) => {
            *state = draft;
            Taken::Turn(turn)
        }
        Err(wanted) => Taken::Asks(wanted),
    })
}

/// An event that is entered, the playbooks that decide on it, and the decisions that were made before.
struct Entering<'a> {
    event: &'a EventInput,
    input: &'a Input,
    pending: Vec<usize>,
    repeated: Vec<(usize, DecisionId)>,
}

/// Takes the event into the state and decides; or says which slow models must be asked first, and then the state is not to be
/// used.
fn decided(
    state: &mut CustomerState,
    Entering { event, input, mut pending, mut repeated }: Entering<'_>,
    arrived: Arrived<'_>,
    around: Surroundings<'_>,
    scratch: &mut Workspace,
) -> Result<Result<Turn, Vec<Wanted>>, StateError> {
    let arrival = arrived.arrival;
    apply_input(state, input, arrival, around)?;
    // Who was answered late was told the id of a decision of its own: it must be recorded, whatever was decided before.
    let same = if arrived.readings.is_late { Vec::new() } else { enter_repeated(state, event, arrival, around) };
    pending.retain(|number| same.iter().all(|(of, _)| of != number));
    let decisions = match decide_each(state, event, &pending, arrived, around, scratch) {
        Ok(decisions) => decisions,
        Err(wanted) => return Ok(Err(wanted)),
    };
    if decisions.is_empty() && same.is_empty() {
        enter_event(state, event, arrival, None, around);
    }
    repeated.extend(same);
    Ok(Ok(Turn { arrival, decisions, repeated, outdated: Vec::new() }))
}

/// Decides by one playbook after the other: what one takes of a cap is not there for the next.
fn decide_each(
    state: &mut CustomerState,
    event: &EventInput,
    playbooks: &[usize],
    arrived: Arrived<'_>,
    around: Surroundings<'_>,
    scratch: &mut Workspace,
) -> Result<Vec<Made>, Vec<Wanted>> {
    let arrival = arrived.arrival;
    let (mut left, mut wanted) = (None, Vec::new());
    let mut decisions: Vec<Made> = Vec::with_capacity(playbooks.len());
    for playbook in playbooks {
        let readings = left.as_ref().unwrap_or(arrived.readings);
        let made = match decide(state, event, *playbook, (arrival, readings), around, scratch) {
            Some(Ok(made)) => made,
            Some(Err(asked)) => {
                wanted.push(asked);
                continue;
            }
            None => continue,
        };
        enter_decision(state, event, arrival, made.entered(), around);
        if !readings.leases.is_empty() && playbooks.len() > 1 {
            left = Some(readings.without(made.entered(), &around.bundle.playbooks()[*playbook].caps));
        }
        decisions.push(made);
    }
    if wanted.is_empty() { Ok(decisions) } else { Err(wanted) }
}

/// The playbooks that are to decide on an event, by number.
pub fn playbooks_of<'a>(event: &EventInput, bundle: &'a Bundle) -> impl Iterator<Item = usize> + use<'a> {
    let kind = event.event.kind;
    let (asked, subscribed) = match event.run {
        Run::Playbook(number) => (Some(number), 0..0),
        Run::Subscribed => (None, 0..bundle.playbooks().len()),
    };
    let listens = move |number: &usize| bundle.playbooks()[*number].position_of_event(kind).is_some();
    asked.into_iter().chain(subscribed.filter(listens))
}

/// Takes an input into the state: folds an event that is new, sets facts that are not outdated. Returns the facts that are; an error
/// if the state is damaged, and then changes nothing.
///
/// One of the two functions that change a state, live and in recovery.
pub fn apply_input(
    state: &mut CustomerState,
    input: &Input,
    arrival: Timestamp,
    around: Surroundings<'_>,
) -> Result<Vec<usize>, StateError> {
    state.conform(around.bundle.layout(), arrival)?;
    state.last_arrival = state.last_arrival.max(arrival);
    let outdated = match input {
        Input::Event(EventInput { event, .. }) => {
            let since = around.bundle.layout().repetitions().since(arrival);
            if state.ledger.known(event.key.fingerprint(), event.body, None, since) == Known::New {
                state.fold(event, event.time.unwrap_or(arrival));
            }
            Vec::new()
        }
        Input::Facts(input) => apply_facts(state, input),
        Input::Consents(input) => apply_consents(state, input, arrival, around),
        Input::Settlement(SettlementInput { decision, settlement, .. }) => {
            state.ledger.commitments.settle(*decision, *settlement, arrival);
            Vec::new()
        }
        Input::Feedback(_) | Input::LateAnswer(_) => Vec::new(),
    };
    Ok(outdated)
}

/// A word from a clock that is ahead counts from its arrival: else a withdrawal told right after it would be the older one.
fn apply_consents(
    state: &mut CustomerState,
    input: &ConsentsInput,
    arrival: Timestamp,
    around: Surroundings<'_>,
) -> Vec<usize> {
    let observed_at = input.observed_at.min(arrival);
    let mut outdated = Vec::new();
    for (number, is_given) in &input.consents {
        let Some(purpose) = around.bundle.purpose(*number) else { continue };
        let source = Arc::clone(&input.source);
        let consent = Consent { purpose: Arc::clone(&purpose.name), is_given: *is_given, source, observed_at };
        if !state.consents.put(consent) {
            outdated.push(*number);
        }
    }
    outdated
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

/// Judges an event by one playbook, unless a slow model must be asked first; `None` if the playbook does not decide on events
/// of this type.
pub fn decide(
    state: &CustomerState,
    event: &EventInput,
    playbook: usize,
    (arrival, readings): (Timestamp, &Readings),
    around: Surroundings<'_>,
    scratch: &mut Workspace,
) -> Option<Result<Made, Wanted>> {
    let rules = &around.bundle.playbooks()[playbook];
    let circumstances = circumstances(state, event, rules, arrival, readings);
    let is_open = circumstances.is_context_open(rules);
    let seen = if is_open { Sight::look(rules, state, &event.event, arrival) } else { Sight::withheld(rules) };
    let sight = Sight::new(rules, &event.event, arrival, &seen)?;
    let sight = if is_open { sight } else { sight.withholding() };
    let TypedEvent { customer, key, .. } = &event.event;
    let name = DecisionName { tenant: around.tenant, playbook: &rules.name, customer, event: key, arrival };
    let decided = match crate::decider::decide(rules, &sight, &circumstances, readings.answers(playbook), scratch) {
        Ruling::Decided(decided) => decided,
        Ruling::Asks(Asks::Model(model)) => {
            let text = joined_texts(&rules.models[model], &sight);
            return Some(Err(Wanted::Model { playbook, model, text }));
        }
        Ruling::Asks(Asks::Agent { agent, choices }) => {
            let decision = DecisionId::of(name).to_u128() as u64;
            let customer = sharers(around.tenant, customer, rules, state);
            let made_for = QuestionFor { decision, customer, bundle: around.bundle.id().bytes() };
            let question = question(rules, &rules.agents[agent], &sight, &choices, made_for);
            return Some(Err(Wanted::Agent { playbook, agent, question: Arc::new(question) }));
        }
    };
    let settle_by = rules.settle_by(decided.outcome.get().values(), arrival);
    Some(Ok(Made { id: DecisionId::of(name), playbook, decided, seen, circumstances, settle_by }))
}

/// Names those whom an answer may be given to again that was made of what is the customer's own: the same customer, under the very
/// same consents. SHA-256, so that nobody can choose an id that makes it another's.
fn sharers(tenant: &TenantId, customer: &CustomerId, playbook: &Playbook, state: &CustomerState) -> u128 {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(tenant.as_str().as_bytes());
    add(customer.as_str().as_bytes());
    let purpose = playbook.purpose.iter().map(|purpose| &purpose.name);
    for purpose in purpose.chain(playbook.consents.iter().map(|required| &required.purpose)) {
        add(purpose.as_bytes());
        match state.consents.get(purpose) {
            Some(consent) => {
                add(&[u8::from(consent.is_given)]);
                add(&consent.observed_at.micros().to_le_bytes());
            }
            None => add(&[2]),
        }
    }
    u128::from_le_bytes(std::array::from_fn({
        let digest = hash.finalize();
        move |at| digest[at]
    }))
}

impl Made {
    /// The decision as it is entered in the state.
    pub fn entered(&self) -> Entered<'_> {
        let is_asked = self.circumstances.refusal.is_none();
        Entered { playbook: self.playbook, id: self.id, outcome: self.decided.outcome.get().values(), is_asked }
    }
}

/// Enters the event and the decisions made on it, with what they take of caps. One that was answered late repeats nothing.
///
/// One of the two functions that change a state; a live turn enters each decision as it is made.
pub fn apply_outcome<'a>(
    state: &mut CustomerState,
    event: &EventInput,
    arrival: Timestamp,
    (decisions, is_late): (impl IntoIterator<Item = Entered<'a>>, bool),
    around: Surroundings<'_>,
) {
    let mut is_entered = !is_late && !enter_repeated(state, event, arrival, around).is_empty();
    for entered in decisions {
        enter_decision(state, event, arrival, entered, around);
        is_entered = true;
    }
    if !is_entered {
        enter_event(state, event, arrival, None, around);
    }
}

fn enter_decision(
    state: &mut CustomerState,
    event: &EventInput,
    arrival: Timestamp,
    entered: Entered<'_>,
    around: Surroundings<'_>,
) {
    let playbook = &around.bundle.playbooks()[entered.playbook];
    enter_event(state, event, arrival, Some((playbook.key, entered.id)), around);
    let key = flow_key(playbook, event, state.layout());
    commit(&mut state.ledger, playbook, entered, (key, arrival));
}

fn enter_event(
    state: &mut CustomerState,
    event: &EventInput,
    arrival: Timestamp,
    decision: Option<(PlaybookKey, DecisionId)>,
    around: Surroundings<'_>,
) {
    let EventInput { event: TypedEvent { key, body, .. }, .. } = event;
    let entry = Entry { event: key.fingerprint(), body: *body, arrival, decision };
    state.ledger.enter(entry, around.bundle.layout().repetitions());
}

/// Takes a decision in flow control, reserves what it takes of caps, and holds it if it waits to be settled.
fn commit(ledger: &mut Ledger, playbook: &Playbook, entered: Entered<'_>, (key, at): (FlowKey, Timestamp)) {
    let Entered { id: decision, outcome, is_asked, .. } = entered;
    step(ledger, playbook, (key, at), is_asked.then_some(decision));
    let commitments = &mut ledger.commitments;
    let held_until = playbook.settle_by(outcome, at);
    // What all customers together took of a cap stands in the cap's own account.
    for cap in playbook.caps.iter().filter(|cap| cap.scope == CapScope::Customer) {
        if let Some(amount) = cap.takes(outcome).filter(|amount| *amount > 0) {
            let reservation = Reservation { cap: cap.key, decision, amount, at, held_until };
            commitments.reserve(reservation, window_since(cap, at));
        }
    }
    if let Some(until) = held_until {
        commitments.hold(Pending { decision, playbook: playbook.key, key, at, until, settled: None });
    }
}
