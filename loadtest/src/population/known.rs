//! Events that may be repeated: a safe decision on them was heard.

use super::stream::Outgoing;

/// How many one thread remembers; the oldest are forgotten.
const KEPT: usize = 4_096;

/// The last events with a safe decision.
#[derive(Debug, Default)]
pub(super) struct Known {
    events: Vec<Outgoing>,
    next: usize,
}

impl Known {
    pub(super) fn keep(&mut self, event: Outgoing) {
        if self.events.len() < KEPT {
            self.events.push(event);
        } else {
            self.events[self.next] = event;
            self.next = (self.next + 1) % KEPT;
        }
    }

    /// One of them, by any number.
    pub(super) fn any(&self, number: u64) -> Option<&Outgoing> {
        let length = self.events.len() as u64;
        (length > 0).then(|| &self.events[(number % length) as usize])
    }
}
