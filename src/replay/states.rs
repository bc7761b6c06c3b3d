//! The customers of one partition while its turns are taken again.

use std::collections::HashMap;
use std::sync::Arc;

use crate::context::{CustomerState, Layout};
use crate::domain::CustomerId;

/// Bytes that a customer takes besides the state: the id, the entry, what the map leaves free.
const BESIDES: usize = 96;

/// States by customer, and what they weigh.
#[derive(Debug, Default)]
pub(super) struct States {
    known: HashMap<CustomerId, Followed, foldhash::fast::RandomState>,
    bytes: usize,
}

/// A customer's state, followed through the journal.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) state: CustomerState,
    /// Whether a turn came out otherwise than it was recorded, so that the state may not be what it was.
    pub(super) has_differed: bool,
    turns: u32,
    bytes: u32,
}

impl States {
    /// A customer as the last record left it, or new. A state is weighed when it comes in, after its first, second, fourth turn
    /// and so on, then after every 64th.
    pub(super) fn of(&mut self, customer: &CustomerId, layout: &Arc<Layout>) -> &mut Followed {
        // Not the entry's way: it would want the id to keep for a customer who is known already.
        if !self.known.contains_key(customer) {
            let state = CustomerState::new(Arc::clone(layout));
            let followed = Followed { state, has_differed: false, turns: 0, bytes: 0 };
            self.known.insert(customer.clone(), followed);
        }
        let followed = self.known.get_mut(customer);
        #[expect(clippy::expect_used, reason = "the lines above have put it there")]
        let followed = followed.expect("the customer was just put there");
        followed.turns = followed.turns.wrapping_add(1);
        if followed.turns.is_power_of_two() || followed.turns.is_multiple_of(64) {
            let bytes = followed.state.bytes() + customer.as_str().len() + BESIDES;
            self.bytes = self.bytes + bytes - followed.bytes as usize;
            followed.bytes = bytes as u32;
        }
        followed
    }

    /// How many customers there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Bytes that they take, as they were last weighed.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
