//! What a proposal is checked on.

use super::Circumstances;
use crate::bundle::{ModelPermit, Playbook};
use crate::domain::{Field, Unavailable, Value};
use crate::rules::{Ref, Slot, Values};

/// What a proposal is checked on: its playbook, what consents and caps leave it, and what the decision sees. The same grounds
/// give the same answer.
#[derive(Debug)]
pub struct Grounds<'a, V> {
    /// The playbook that decides.
    pub playbook: &'a Playbook,
    /// What consents, flow control and caps leave.
    pub circumstances: &'a Circumstances,
    /// The values that the playbook's conditions see, and its limits with them.
    pub values: &'a V,
}

/// What of a proposal a model has chosen. A value of these that is moved must still be one that the model may choose: where
/// that does not let it out, the proposal is refused and the rules' own answer has its turn.
#[derive(Clone, Copy, Debug)]
pub struct Chosen<'a> {
    /// What the model may choose.
    pub permit: &'a ModelPermit,
    /// The fields that it has chosen, by number, with their values.
    pub values: &'a [(usize, Value)],
}

/// What limits see: what the playbook's conditions see, and behind those names what is proposed.
pub(super) struct WithProposal<'a, V> {
    pub(super) values: &'a V,
    /// How many names the playbook's conditions have.
    pub(super) names: usize,
    /// A value for each field of the outcome.
    pub(super) proposed: &'a [Value],
}

/// Nothing to be seen, for what passes whatever is seen.
pub(super) struct Nothing;

impl Chosen<'_> {
    /// Whether a value of the numbered field may be let out in place of the one that was chosen.
    pub(super) fn allows(&self, number: usize, field: &Field, value: &Value, playbook: &Playbook) -> bool {
        let is_chosen = self.values.iter().any(|(chosen, _)| *chosen == number);
        !is_chosen || self.permit.allows(number, field, value, &playbook.permit)
    }
}

impl<V: Values> Values for WithProposal<'_, V> {
    fn value(&self, slot: Slot) -> Result<Ref<'_>, Unavailable> {
        match slot.index().checked_sub(self.names) {
            Some(field) => self.proposed.get(field).map(Ref::from).ok_or(Unavailable::Unknown),
            None => self.values.value(slot),
        }
    }
}

impl Values for Nothing {
    fn value(&self, _: Slot) -> Result<Ref<'_>, Unavailable> {
        Err(Unavailable::Unknown)
    }
}
