//! What a turn changes in the accounts of global caps: told live, and read from records in recovery.

use super::{Entered, Input, Record};
use crate::bundle::{Bundle, CapScope, Playbook};
use crate::context::Take;
use crate::domain::{DecisionId, Settlement, Timestamp};

/// A change of the accounts of global caps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapChange {
    /// A decision took something.
    Took(Take),
    /// A decision was settled.
    Settled(DecisionId, Settlement),
}

/// What a turn that was taken changes, in the order of its decisions. Nothing for a bundle without global caps, nor for a synthetic
/// customer: what nobody was given is still there to be given.
pub fn cap_changes<'a>(
    input: &'a Input,
    decisions: impl Iterator<Item = Entered<'a>> + 'a,
    arrival: Timestamp,
    bundle: &'a Bundle,
) -> impl Iterator<Item = CapChange> + 'a {
    let settled = match input {
        Input::Settlement(of) => Some(CapChange::Settled(of.decision, of.settlement)),
        Input::Event(_) | Input::Facts(_) | Input::Consents(_) | Input::Feedback(_) | Input::LateAnswer(_) => None,
    };
    let is_somebody = !input.customer().is_synthetic();
    let settled = settled.filter(|_| is_somebody);
    let took = decisions
        .filter(move |_| is_somebody)
        .flat_map(move |entered| took(&bundle.playbooks()[entered.playbook], entered, arrival));
    settled.into_iter().chain(took)
}

fn took<'a>(playbook: &'a Playbook, entered: Entered<'a>, at: Timestamp) -> impl Iterator<Item = CapChange> + 'a {
    let held_until = playbook.settle_by(entered.outcome, at);
    let global = playbook.caps.iter().filter(|cap| cap.scope == CapScope::Global);
    global.filter_map(move |cap| {
        let amount = cap.takes(entered.outcome).filter(|amount| *amount > 0)?;
        Some(CapChange::Took(Take { cap: cap.key, over: cap.over, decision: entered.id, amount, at, held_until }))
    })
}

impl Record {
    /// What the record's turn changed in the accounts of global caps.
    pub fn cap_changes<'a>(&'a self, bundle: &'a Bundle) -> impl Iterator<Item = CapChange> + 'a {
        let entered = self.decisions.iter().filter_map(|decision| {
            let id = self.id_of(decision, bundle)?;
            let is_asked = decision.circumstances.refusal.is_none();
            Some(Entered { playbook: decision.playbook, id, outcome: &decision.outcome, is_asked })
        });
        cap_changes(&self.input, entered, self.arrival, bundle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::cap_tests::offers;
    use crate::domain::{CustomerId, Value};
    use crate::turn::SettlementInput;

    const BUDGET: &str = r#"
[[caps]]
id     = "budget"
action = "offer_discount"
amount = "discount"
max    = 50
scope  = "global"
"#;

    #[test]
    fn what_takes_nothing_of_a_cap_holds_nothing_of_it() {
        let bundle = offers("settle_within = \"15m\"", BUDGET);
        let (decision, settlement) = (DecisionId::from_u128(7), Settlement::Commit);
        let input =
            Input::Settlement(SettlementInput { customer: CustomerId::new("c").unwrap(), decision, settlement });
        let changes = |discount: &str| {
            let outcome = [Value::Symbol(1), Value::Decimal(discount.parse().unwrap())];
            let entered = Entered { playbook: 0, id: decision, outcome: &outcome, is_asked: true };
            cap_changes(&input, std::iter::once(entered), Timestamp::from_micros(0), &bundle).count()
        };
        assert_eq!((changes("0"), changes("0.5")), (1, 2), "the settlement, and what was taken");
    }
}
