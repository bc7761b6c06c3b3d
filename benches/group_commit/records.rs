//! What is written: the records of the sample tickets.

use std::sync::Arc;

use forthwith::context::CustomerState;
use forthwith::domain::TenantId;
use forthwith::turn::Workspace;
use forthwith::turn::{EventInput, Input, Readings, RecordBuffer, Run, Surroundings, Taken, Written, take};

use crate::tickets;

/// A record and the decision it is found by.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) key: u128,
    pub(crate) payload: Vec<u8>,
}

impl Recorded {
    /// Bytes of its frame.
    pub(crate) fn frame_bytes(&self) -> usize {
        12 + 16 + self.payload.len()
    }
}

/// The records of the sample tickets' turns.
pub(crate) fn records() -> Vec<Recorded> {
    let bundle = tickets::bundle();
    let tenant = TenantId::default();
    let around = Surroundings { bundle: &bundle, tenant: &tenant };
    let readings = Readings::at("2026-11-22T10:00:00Z".parse().expect("a time"));
    let (mut scratch, mut buffer) = (Workspace::default(), RecordBuffer::default());
    let recorded = |event| {
        let input = Input::Event(EventInput { event, run: Run::Playbook(0), trace: None });
        let mut state = CustomerState::new(Arc::clone(bundle.layout()));
        let taken = take(&mut state, &input, &readings, around, &mut scratch).expect("a state of this layout");
        let Taken::Turn(turn) = taken else { unreachable!("a new event makes a turn") };
        let payload = buffer.write(Written { tenant: &tenant, bundle_seq: 1, input: &input, turn: &turn }).to_vec();
        Recorded { key: turn.decisions[0].id.to_u128(), payload }
    };
    tickets::typed(&bundle).into_iter().map(recorded).collect()
}
