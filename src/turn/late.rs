//! What is answered when there is no time for a turn.

use super::take::playbooks_of;
use super::{Input, Made, Surroundings};
use crate::decider::fallen_back;
use crate::domain::{DecisionId, DecisionName, FallbackReason, Timestamp};
use crate::guardrail::Circumstances;

/// The default of every playbook that would decide on an event, made without the customer's state. A turn with
/// [`Readings::is_late`](super::Readings::is_late) records the same decisions under the same ids, unless it finds that the
/// event was decided before. Nothing for other inputs.
pub fn late(input: &Input, arrival: Timestamp, around: Surroundings<'_>) -> Vec<Made> {
    let Input::Event(event) = input else { return Vec::new() };
    let made = |number: usize| {
        let playbook = &around.bundle.playbooks()[number];
        let (customer, key) = (&event.event.customer, &event.event.key);
        let name = DecisionName { tenant: around.tenant, playbook: &playbook.name, customer, event: key, arrival };
        Made {
            id: DecisionId::of(name),
            playbook: number,
            decided: fallen_back(playbook, FallbackReason::Late),
            seen: Vec::new(),
            settle_by: None,
            circumstances: Circumstances { refusal: Some(FallbackReason::Late), ..Circumstances::default() },
        }
    };
    playbooks_of(event, around.bundle).map(made).collect()
}
