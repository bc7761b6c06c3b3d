//! Lends a case what is left of the global caps, as if its customer were the only one.

use std::collections::HashMap;

use crate::bundle::{Bundle, CapScope};
use crate::context::{CapAccount, CapKey};
use crate::domain::{TimeDelta, Timestamp};
use crate::turn::{CapChange, Input, Lease, Made, Readings, Turn, cap_changes};

/// What the turns of one case took of global caps.
#[derive(Debug, Default)]
pub(super) struct Lender {
    accounts: HashMap<CapKey, CapAccount>,
}

impl Lender {
    /// The readings of a turn: all that is left is lent to it.
    pub(super) fn readings(&mut self, arrival: Timestamp, bundle: &Bundle) -> Readings {
        let mut readings = Readings::at(arrival);
        for (key, max, over) in global_caps(bundle) {
            if readings.leases.iter().all(|lease| lease.cap != key) {
                let taken = self.accounts.entry(key).or_default().taken(over, arrival);
                readings.leases.push(Lease { cap: key, room: max.saturating_sub(taken) });
            }
        }
        readings
    }

    /// Enters what a turn took.
    pub(super) fn enter(&mut self, input: &Input, turn: &Turn, bundle: &Bundle) {
        for change in cap_changes(input, turn.decisions.iter().map(Made::entered), turn.arrival, bundle) {
            if let CapChange::Took(take) = change {
                self.accounts.entry(take.cap).or_default().enter(take);
            }
        }
    }
}

fn global_caps(bundle: &Bundle) -> impl Iterator<Item = (CapKey, i64, Option<TimeDelta>)> {
    let caps = bundle.playbooks().iter().flat_map(|playbook| &playbook.caps);
    caps.filter(|cap| cap.scope == CapScope::Global).map(|cap| (cap.key, cap.max, cap.over))
}
