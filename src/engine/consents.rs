//! Telling the engine what a customer consents to.

use super::answer::{ConsentFault, ConsentFaultReason};
use super::{Answer, Engine, Error};
use crate::bundle::Bundle;
use crate::domain::{CustomerId, Durability, Timestamp, suggestion};
use crate::turn::{ConsentsInput, Input};

/// What a customer consents to, as someone tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consents {
    /// Who says so; `unknown` if empty.
    pub source: String,
    /// When it was said; now if absent.
    pub observed_at: Option<Timestamp>,
    /// Purposes by name, and whether consent to them is given or withdrawn.
    pub values: Vec<(String, bool)>,
}

/// What became of consents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentsTaken {
    /// Purposes whose consent was given or withdrawn.
    pub taken: Vec<String>,
    /// Purposes of which a later word is held, so that nothing changed.
    pub outdated: Vec<String>,
    /// How safely they were kept when this was given out.
    pub durability: Durability,
}

impl Engine {
    /// Gives and withdraws a customer's consents, each unless a later word is held; waits until they are on disk. They hold from
    /// the customer's next decision on, whatever becomes of the waiting.
    ///
    /// A word from a clock that is ahead of ours counts from its arrival, so that what is told after it is later.
    pub async fn put_consents(&self, customer: &str, consents: Consents) -> Result<Answer<ConsentsTaken>, Error> {
        let now = self.0.clock.wall();
        self.put_consents_as_of(customer, consents, now).await
    }

    /// Gives and withdraws consents as if they had been told at `arrival`: for deciding history as it was.
    pub async fn put_consents_as_of(
        &self,
        customer: &str,
        consents: Consents,
        arrival: Timestamp,
    ) -> Result<Answer<ConsentsTaken>, Error> {
        let bundle = self.0.customers.in_force();
        let input = self.consents_input(&bundle.bundle, customer, consents, arrival).inspect_err(|_| {
            self.0.metrics.refused.consents.inc();
        })?;
        let names = named(&bundle.bundle, &input);
        let told = match self.tell(Input::Consents(input), arrival, bundle).await? {
            Answer::Given(told) => told,
            Answer::Shed(shed) => return Ok(Answer::Shed(shed)),
        };
        let (outdated, taken) = told.parted(names);
        self.0.metrics.consents.add(taken.len() as u64);
        Ok(Answer::Given(ConsentsTaken { taken, outdated, durability: told.durability }))
    }

    fn consents_input(
        &self,
        bundle: &Bundle,
        customer: &str,
        consents: Consents,
        arrival: Timestamp,
    ) -> Result<ConsentsInput, Error> {
        let customer = CustomerId::new(customer)?;
        let (source, observed_at) = self.origin(&consents.source, consents.observed_at, arrival)?;
        let (mut numbered, mut faults) = (Vec::new(), Vec::new());
        for (name, is_given) in consents.values {
            match number(bundle, &name) {
                Ok(number) if numbered.iter().any(|(known, _)| *known == number) => {
                    faults.push(ConsentFault { name, reason: ConsentFaultReason::Twice });
                }
                Ok(number) => numbered.push((number, is_given)),
                Err(reason) => faults.push(ConsentFault { name, reason }),
            }
        }
        if faults.is_empty() {
            Ok(ConsentsInput { customer, source, observed_at, consents: numbered })
        } else {
            Err(Error::Consents(faults))
        }
    }
}

/// The number of a purpose that consent can be given to.
fn number(bundle: &Bundle, name: &str) -> Result<usize, ConsentFaultReason> {
    let layout = bundle.layout();
    let Some(number) = layout.purpose_number(name) else {
        let names = layout.purposes().iter().filter(|purpose| purpose.needs_consent).map(|purpose| &*purpose.name);
        return Err(ConsentFaultReason::Undeclared(suggestion(name, names)));
    };
    if layout.purposes()[number].needs_consent { Ok(number) } else { Err(ConsentFaultReason::NotNeeded) }
}

fn named(bundle: &Bundle, input: &ConsentsInput) -> Vec<(usize, String)> {
    let name = |number: usize| bundle.purpose(number).map(|purpose| (number, purpose.name.to_string()));
    input.consents.iter().filter_map(|(number, _)| name(*number)).collect()
}
