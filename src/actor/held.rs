//! A customer who is held while somebody is asked, so that nothing of the customer's overtakes what is decided.
//!
//! A playbook that orders strictly keeps its customer's cell from the first try of a turn to the last. Whoever comes meanwhile finds
//! the customer busy and waits in the mailbox, under the mailbox's bound and no longer than to a deadline, as for any other turn.

use std::fmt;
use std::sync::Arc;

use super::cell::Owner;
use super::house::{DRAIN_MAX, House};
use super::{Asked, Request, TurnDone};
use crate::bundle::Ordering;
use crate::turn::{Input, Taken, playbooks_of};

/// A customer who is held. Dropped, it lets whoever waits be served.
#[must_use = "a customer who is not held is overtaken"]
pub struct Held {
    house: Arc<House>,
    /// There until it is let go.
    owner: Option<Owner>,
}

impl Held {
    pub(super) fn new(house: &Arc<House>, owner: Owner) -> Self {
        Self { house: Arc::clone(house), owner: Some(owner) }
    }

    /// Takes the next try of the turn for which the customer is held, at once.
    pub fn ask(mut self, request: Request) -> Asked {
        match self.owner.take() {
            Some(owner) => self.house.ask_owned(owner, &request),
            None => self.house.ask(request),
        }
    }

    pub(super) fn let_go(mut self) -> Option<Owner> {
        self.owner.take()
    }
}

/// Whether the customer of a turn is to be held until those have answered whom it wants to ask: where any playbook that decides on
/// the event orders strictly, whoever of them asks. They decide in one turn.
pub(super) fn holds(done: &TurnDone, request: &Request) -> bool {
    let (Taken::Asks(_), Input::Event(event)) = (&done.taken, &request.input) else { return false };
    let bundle = &request.bundle.bundle;
    playbooks_of(event, bundle).any(|number| bundle.playbooks()[number].ordering == Ordering::Strict)
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.take() {
            self.house.drive(owner, DRAIN_MAX);
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("owner", &self.owner).finish_non_exhaustive()
    }
}
