//! One turn in a cell that is owned: taken, and recorded before the cell is given back.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::SmallVec;

use super::cell::Owner;
use super::house::House;
use super::span;
use super::{Failure, Refusal, Request, TurnDone};
use crate::journal::{Entry, JournalError, Kind};
use crate::sync::atomic::Ordering;
use crate::turn::{Input, Made, Readings, RecordBuffer, Surroundings, Taken, Workspace, Written, cap_changes, take};

crate::sync::thread_local! {
    /// Memory that every turn on this thread uses again.
    static WORKBENCH: RefCell<(Workspace, RecordBuffer)> = RefCell::default();
}

impl House {
    /// A turn that cannot leave a half-changed state behind: if it breaks off, the state is taken away, to be rebuilt.
    pub(super) fn guarded_turn(&self, owner: &Owner, request: &Request, is_late: bool) -> Result<TurnDone, Refusal> {
        // At once, or when it was set aside while it waited.
        self.quarantine.check(&request.input)?;
        let _span = span::turn(&request.span, is_late);
        let turn = catch_unwind(AssertUnwindSafe(|| self.turn(owner, request, is_late)));
        let result = turn.unwrap_or_else(|panic| {
            self.metrics.panics.inc();
            let (now, reason) = (self.clock.wall(), message_of(&*panic));
            self.quarantine.panicked(request, now, reason, &self.journal, &self.metrics);
            let partition = owner.cell().partition.number();
            tracing::error!(partition, "a turn panicked; the customer's state is rebuilt from the journal");
            Err(Refusal::Failed(Failure::Panicked))
        });
        if matches!(&result, Err(Refusal::Failed(failure)) if failure.breaks_the_state()) {
            *owner.state() = None;
        }
        result
    }

    /// One turn: take it, record it while the cell is still owned, so that the journal's order is the turns' order.
    fn turn(&self, owner: &Owner, request: &Request, is_late: bool) -> Result<TurnDone, Refusal> {
        let mut state = owner.state();
        let Some(state) = state.as_mut() else {
            return Err(Refusal::Failed(Failure::StateUnreadable));
        };
        let Request { input, readings, bundle, .. } = request;
        let late;
        let readings = if is_late {
            self.metrics.late.inc();
            late = Readings { is_late, ..readings.clone() };
            &late
        } else {
            readings
        };
        let around = Surroundings { bundle: &bundle.bundle, tenant: &self.tenant };
        self.check_overtaken(input, readings)?;
        owner.touch(self.tick.load(Ordering::Relaxed));
        if owner.is_to_be_weighed() {
            self.weigh(owner, state);
        }
        let partition = owner.cell().partition;
        let mut drawing = self.draw(input, readings, &bundle.bundle, partition)?;
        let drawn = drawing.as_ref().map(|drawing| Readings { leases: drawing.leases(), ..readings.clone() });
        WORKBENCH.with(|workbench| {
            let (scratch, buffer) = &mut *workbench.borrow_mut();
            let taken = take(state, input, drawn.as_ref().unwrap_or(readings), around, scratch).map_err(|error| {
                tracing::error!(%error, partition = partition.number(), "a customer's state is damaged; it is rebuilt from the journal");
                Refusal::Failed(Failure::StateUnreadable)
            })?;
            #[cfg(test)]
            super::tests::panic_if_told(input);
            #[cfg(simulation)]
            super::simulation::panic_if_told(input);
            // What asks is no turn yet: it comes again with the answers.
            if !matches!(taken, Taken::Asks(_)) {
                self.metrics.turns.inc();
                self.crowd.note(&owner.cell().customer, self.tick());
            }
            let Taken::Turn(turn) = &taken else {
                return Ok(TurnDone { taken, seq: None, last_seq: state.last_seq, held: None, waited: None });
            };
            self.mark(owner);
            let payload = buffer.write(Written { tenant: &self.tenant, bundle_seq: bundle.seq, input, turn });
            let of_decisions = turn.decisions.iter().map(|made| made.id.to_u128());
            let keys: SmallVec<[u128; 2]> = of_decisions.chain(input.key()).collect();
            let entry = Entry { kind: Kind::Turn, partition: partition.number(), keys: &keys, payload };
            match self.journal.append(&entry) {
                Ok(seq) => {
                    if let Some(drawing) = &mut drawing {
                        let made = turn.decisions.iter().map(Made::entered);
                        drawing.enter(seq, cap_changes(input, made, turn.arrival, &bundle.bundle));
                    }
                    if let Input::Feedback(of) = input {
                        self.latest_feedback.note(of.decision, seq);
                    }
                    state.last_seq = seq;
                    Ok(TurnDone { taken, seq: Some(seq), last_seq: seq, held: None, waited: None })
                }
                Err(error @ JournalError::TooLarge { .. }) => {
                    Err(Refusal::Failed(Failure::RecordTooLarge(error.to_string().into())))
                }
                Err(error) => Err(Refusal::Failed(Failure::JournalStopped(error.to_string().into()))),
            }
        })
    }

    /// Refuses feedback if some was recorded since the journal was searched for it.
    fn check_overtaken(&self, input: &Input, readings: &Readings) -> Result<(), Refusal> {
        let Input::Feedback(of) = input else { return Ok(()) };
        let by = self.latest_feedback.of(of.decision);
        if by <= readings.searched_to { Ok(()) } else { Err(Refusal::Overtaken { by }) }
    }
}

/// What a panic said.
fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "a panic without a message",
    }
}
