//! Lends turns what is left of global caps where nobody else takes of them: in golden cases and backtests.

use std::collections::HashMap;

use super::{CapChange, Input, Lease, Made, Readings, Turn, cap_changes};
use crate::bundle::{Bundle, CapScope};
use crate::context::{CapAccount, CapKey};
use crate::domain::{TimeDelta, Timestamp};

/// What turns took of global caps that are theirs alone.
#[derive(Debug, Default)]
pub struct Lender {
    accounts: HashMap<CapKey, CapAccount>,
}

impl Lender {
    /// The readings of a turn: all that is left is lent to it.
    pub fn readings(&mut self, arrival: Timestamp, bundle: &Bundle) -> Readings {
        let mut readings = Readings::at(arrival);
        for (key, max, over) in global_caps(bundle) {
            if readings.leases.iter().all(|lease| lease.cap != key) {
                let taken = self.accounts.entry(key).or_default().taken(over, arrival);
                readings.leases.push(Lease { cap: key, room: max.saturating_sub(taken) });
            }
        }
        readings
    }

    /// Enters what a turn took, or what became of what an earlier one did.
    pub fn enter(&mut self, input: &Input, turn: &Turn, bundle: &Bundle) {
        for change in cap_changes(input, turn.decisions.iter().map(Made::entered), turn.arrival, bundle) {
            match change {
                CapChange::Took(take) => self.accounts.entry(take.cap).or_default().enter(take),
                CapChange::Settled(decision, settlement) => {
                    for account in self.accounts.values_mut() {
                        account.settle(decision, settlement);
                    }
                }
            }
        }
    }
}

fn global_caps(bundle: &Bundle) -> impl Iterator<Item = (CapKey, i64, Option<TimeDelta>)> {
    let caps = bundle.playbooks().iter().flat_map(|playbook| &playbook.caps);
    caps.filter(|cap| cap.scope == CapScope::Global).map(|cap| (cap.key, cap.max, cap.over))
}
