//! Where the turns of a drill are taken, and their records proved.

use std::sync::Arc;

use crate::bundle::{Bundle, CapScope, Playbook};
use crate::context::{CustomerState, TypedEvent};
use crate::decider::Workspace;
use crate::domain::{CustomerId, TenantId, TimeDelta, Timestamp, Value};
use crate::turn::{
    ConsentsInput, EventInput, FactsInput, Input, Lease, Made, ModelReadings, Readings, Record, RecordBuffer, Run,
    Surroundings, Taken, Turn, Written, apply, take,
};

/// A customer whom there is not, and everything that a turn about them is taken with.
pub(super) struct Stage<'a> {
    pub(super) bundle: &'a Arc<Bundle>,
    pub(super) tenant: &'a TenantId,
    /// The number of the playbook that decides.
    pub(super) playbook: usize,
    pub(super) customer: CustomerId,
    pub(super) state: CustomerState,
    pub(super) now: Timestamp,
    /// Whether global caps have no room.
    pub(super) is_exhausted: bool,
    bench: (Workspace, RecordBuffer),
}

/// What a turn of a drill is taken with.
pub(super) struct Cue<'e> {
    pub(super) event: &'e TypedEvent,
    pub(super) models: ModelReadings,
    pub(super) is_late: bool,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        (bundle, tenant): (&'a Arc<Bundle>, &'a TenantId),
        playbook: usize,
        customer: &CustomerId,
        now: Timestamp,
    ) -> Self {
        let state = CustomerState::new(Arc::clone(bundle.layout()));
        let bench = (Workspace::default(), RecordBuffer::default());
        Self { bundle, tenant, playbook, customer: customer.clone(), state, now, is_exhausted: false, bench }
    }

    pub(super) fn rules(&self) -> &'a Playbook {
        &self.bundle.playbooks()[self.playbook]
    }

    /// Gives every consent that the playbook needs, but for one purpose.
    pub(super) fn consent(&mut self, but: Option<&str>) -> Result<(), String> {
        let purposes = self.bundle.layout().purposes();
        let consents = purposes.iter().enumerate().filter(|(_, of)| of.needs_consent && Some(&*of.name) != but);
        let consents: Vec<(usize, bool)> = consents.map(|(number, _)| (number, true)).collect();
        if consents.is_empty() {
            return Ok(());
        }
        let customer = self.customer.clone();
        let source = super::SOURCE.into();
        let input = Input::Consents(ConsentsInput { customer, source, observed_at: self.now, consents });
        self.turn(&input, &Readings::at(self.now)).map(drop)
    }

    /// Tells facts about the customer.
    pub(super) fn know(&mut self, facts: &[(usize, Option<Value>)]) -> Result<(), String> {
        if facts.is_empty() {
            return Ok(());
        }
        let (customer, facts) = (self.customer.clone(), facts.to_vec());
        let source = super::SOURCE.into();
        let input = Input::Facts(FactsInput { customer, source, observed_at: self.now, facts });
        self.turn(&input, &Readings::at(self.now)).map(drop)
    }

    /// Time goes by.
    pub(super) fn wait(&mut self, time: TimeDelta) {
        self.now = self.now.saturating_add(time);
    }

    /// Decides on an event; `None` if it repeats what was decided before.
    pub(super) fn decide(&mut self, cue: Cue<'_>) -> Result<Option<Made>, String> {
        let input = self.input(cue.event);
        let readings = Readings { is_late: cue.is_late, models: cue.models, ..self.readings() };
        let turn = self.turn(&input, &readings)?;
        Ok(turn.decisions.into_iter().find(|made| made.playbook == self.playbook))
    }

    pub(super) fn input(&self, event: &TypedEvent) -> Input {
        Input::Event(EventInput { event: event.clone(), run: Run::Playbook(self.playbook), trace: None })
    }

    /// What is read but for the models: all of each global cap is there to be taken, or nothing.
    fn readings(&self) -> Readings {
        let mut readings = Readings::at(self.now);
        for cap in self.rules().caps.iter().filter(|cap| cap.scope == CapScope::Global) {
            let room = if self.is_exhausted { 0 } else { cap.max };
            readings.leases.push(Lease { cap: cap.key, room });
        }
        readings
    }

    /// Takes a turn, and proves that its record says all of it: read back, it changes a state as the turn did; taken again, it comes
    /// out the same byte for byte; and each decision can be accounted for.
    fn turn(&mut self, input: &Input, readings: &Readings) -> Result<Turn, String> {
        let (scratch, buffer) = &mut self.bench;
        let around = Surroundings { bundle: self.bundle, tenant: self.tenant };
        let before = self.state.clone();
        let turn = match take(&mut self.state, input, readings, around, scratch) {
            Ok(Taken::Turn(turn)) => turn,
            Ok(taken) => return Err(format!("the turn came to no decision: {taken:?}")),
            Err(error) => return Err(format!("the turn broke off: {error}")),
        };
        let write = |buffer: &mut RecordBuffer, input: &Input, turn: &Turn| {
            buffer.write(Written { tenant: self.tenant, bundle_seq: 1, input, turn }).to_vec()
        };
        let bytes = write(buffer, input, &turn);
        let read = Record::decode(&bytes, |_| Some(Arc::clone(self.bundle)));
        let (record, _) = read.map_err(|error| format!("its record cannot be read back: {error}"))?;

        let mut followed = before.clone();
        apply(&mut followed, &record, 0, self.bundle)
            .map_err(|error| format!("its record cannot be applied: {error}"))?;
        if followed.encode() != self.state.encode() {
            return Err("its record, applied, makes another state than the turn did".to_owned());
        }
        let mut again = before;
        let readings = record.readings(self.bundle, again.last_arrival);
        let same = match take(&mut again, &record.input, &readings, around, scratch) {
            Ok(Taken::Turn(turn)) => write(buffer, &record.input, &turn) == bytes,
            _ => false,
        };
        if !same {
            return Err("its record, taken again, comes out otherwise".to_owned());
        }
        for decision in &record.decisions {
            record.remake(decision, self.bundle).map_err(|error| error.to_string())?;
        }
        Ok(turn)
    }
}
