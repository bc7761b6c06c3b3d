//! What turns may take of global caps, and when that is known.

use tokio::sync::oneshot;

use super::cap_book::Drawing;
use super::house::House;
use super::{Refusal, Shed};
use crate::bundle::{Bundle, Playbook};
use crate::domain::Partition;
use crate::turn::{EventInput, Input, Readings, playbooks_of};

impl House {
    /// What the turn on an input may take of global caps; `None` for one that has nothing to do with them. While recovery has not
    /// read what was taken before, nobody may take anything.
    pub(super) fn draw(
        &self,
        input: &Input,
        readings: &Readings,
        bundle: &Bundle,
        partition: Partition,
    ) -> Result<Option<Drawing<'_>>, Refusal> {
        match input {
            // What was taken is entered before what becomes of it, also under a bundle that has no global caps any more.
            Input::Settlement(_) => Ok(Some(self.caps.draw(partition, std::iter::empty(), readings.arrival))),
            Input::Facts(_) | Input::Consents(_) | Input::Feedback(_) | Input::LateAnswer(_) => Ok(None),
            // A default takes nothing, and a synthetic customer nothing that is anybody's: it is lent what its readings say.
            Input::Event(_) if readings.is_late || input.customer().is_synthetic() => Ok(None),
            Input::Event(event) => {
                let mut capped = capped(event, bundle).peekable();
                if capped.peek().is_none() {
                    return Ok(None);
                }
                if !self.caps.is_known() {
                    return Err(Refusal::Shed(Shed::Recovering));
                }
                Ok(Some(self.caps.draw(partition, capped, readings.arrival)))
            }
        }
    }

    /// Resolves when the accounts that the turn on an event needs are known, or will never be; `None` if it needs none, or they are.
    pub(super) fn awaited_caps(&self, event: &EventInput, bundle: &Bundle) -> Option<oneshot::Receiver<()>> {
        if self.caps.is_known() || capped(event, bundle).next().is_none() {
            return None;
        }
        self.backlog.wait(|| self.caps.is_known())
    }

    /// The accounts of global caps are known: what the backlog has of them is entered.
    pub(super) fn know_caps(&self) {
        self.caps.open();
        self.backlog.tell_waiting();
    }
}

/// The playbooks with global caps that decide on an event.
fn capped<'a>(event: &'a EventInput, bundle: &'a Bundle) -> impl Iterator<Item = &'a Playbook> {
    let has_caps = bundle.has_global_caps();
    let playbooks = playbooks_of(event, bundle).filter(move |_| has_caps).map(|number| &bundle.playbooks()[number]);
    playbooks.filter(|playbook| playbook.has_global_caps())
}
