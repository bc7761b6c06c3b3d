//! What an event is allowed: how long its caller waits, and whether it is answered while the disk is full.

use std::time::Duration;

use super::{Budget, Options};
use crate::bundle::{Bundle, Playbook, WhenDiskFull};
use crate::context::TypedEvent;

/// How long a caller waits for what no playbook's budget governs.
const BUDGET_DEFAULT: Duration = Duration::from_millis(50);

/// What "as long as it takes" comes to: a disk that is silent for an hour will not speak again.
const UNLIMITED: Duration = Duration::from_secs(3_600);

/// What becomes of an event while the disk is full: it is answered if every playbook that decides on it says so.
pub(super) fn when_disk_full(bundle: &Bundle, playbook: Option<&Playbook>, event: &TypedEvent) -> WhenDiskFull {
    if let Some(playbook) = playbook {
        return playbook.when_disk_full;
    }
    let mut subscribed =
        bundle.playbooks().iter().filter(|playbook| playbook.position_of_event(event.kind).is_some()).peekable();
    let is_answered =
        subscribed.peek().is_some() && subscribed.all(|playbook| playbook.when_disk_full == WhenDiskFull::Answer);
    if is_answered { WhenDiskFull::Answer } else { WhenDiskFull::Shed }
}

/// The smallest of what the caller and the playbooks allow; without a playbook, those that decide on such events.
pub(super) fn budget(bundle: &Bundle, playbook: Option<&Playbook>, kind: Option<usize>, options: &Options) -> Duration {
    let own = match playbook {
        Some(playbook) => playbook.budget,
        None => {
            let is_subscribed = |of: &&Playbook| kind.is_some_and(|kind| of.position_of_event(kind).is_some());
            let subscribed = bundle.playbooks().iter().filter(is_subscribed);
            subscribed.map(|playbook| playbook.budget).max().unwrap_or(BUDGET_DEFAULT)
        }
    };
    match options.budget {
        Budget::Playbook => own,
        Budget::AtMost(budget) => budget.min(own),
        Budget::Unlimited => UNLIMITED,
    }
}
