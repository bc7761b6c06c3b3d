//! Telling the engine facts about a customer.

use std::sync::Arc;

use super::answer::{FactFault, FactFaultReason};
use super::wait::Expired;
use super::{Answer, Engine, Error};
use crate::actor::{Request, Shed};
use crate::bundle::{Ack, Bundle};
use crate::domain::{CustomerId, Durability, FUTURE_MAX, IdError, Raw, RawMap, Timestamp, Value, suggestion};
use crate::time::Deadline;
use crate::turn::{FactsInput, Input, Readings, Taken};

/// Facts about a customer, as someone tells them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Who says so; `unknown` if empty.
    pub source: String,
    /// When it was observed; now if absent.
    pub observed_at: Option<Timestamp>,
    /// The facts by name; a null withdraws one.
    pub values: RawMap,
}

/// What became of facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactsTaken {
    /// Facts that were set or withdrawn.
    pub taken: Vec<String>,
    /// Facts that were not, because a later observation is held.
    pub outdated: Vec<String>,
    /// How safely they were kept when this was given out.
    pub durability: Durability,
}

/// How long a caller waits at most for facts to be kept.
const BUDGET: std::time::Duration = std::time::Duration::from_secs(5);

impl Engine {
    /// Sets facts about a customer, each unless a later observation of it is held; waits until they are on disk.
    pub async fn put_facts(&self, customer: &str, facts: Facts) -> Result<Answer<FactsTaken>, Error> {
        let now = self.0.clock.wall();
        self.put_facts_as_of(customer, facts, now).await
    }

    /// Sets facts about a customer as if they had been told at `arrival`: for deciding history as it was.
    pub async fn put_facts_as_of(
        &self,
        customer: &str,
        facts: Facts,
        arrival: Timestamp,
    ) -> Result<Answer<FactsTaken>, Error> {
        let inner = &self.0;
        let started = inner.clock.instant();
        let deadline = Deadline::new(started, BUDGET);
        let bundle = inner.customers.in_force();
        let input = self.facts_input(&bundle.bundle, customer, facts, arrival)?;
        if inner.journal.is_full() && self.room(deadline).await == Err(Expired) {
            return Ok(self.shed(Shed::JournalBehind));
        }
        let names: Vec<(usize, String)> = named(&bundle.bundle, &input);
        let request = Request { input: Input::Facts(input), readings: Readings::at(arrival), bundle, deadline };
        let done = match self.turn(inner.customers.ask(request), deadline).await {
            Ok(done) => done,
            Err(refusal) => return self.refused(refusal),
        };
        let outdated = match &done.taken {
            Taken::Turn(turn) => turn.outdated.clone(),
            Taken::Repeated(_) | Taken::Conflict | Taken::Unsettled(_) => Vec::new(),
        };
        let durability = match done.seq {
            Some(seq) => self.keep(seq, Ack::Disk, started, deadline).await?,
            None => Durability::Disk,
        };
        inner.metrics.facts.add((names.len() - outdated.len()) as u64);
        let (outdated, taken): (Vec<_>, Vec<_>) = names.into_iter().partition(|(number, _)| outdated.contains(number));
        let names = |facts: Vec<(usize, String)>| facts.into_iter().map(|(_, name)| name).collect();
        Ok(Answer::Given(FactsTaken { taken: names(taken), outdated: names(outdated), durability }))
    }

    fn facts_input(
        &self,
        bundle: &Bundle,
        customer: &str,
        facts: Facts,
        arrival: Timestamp,
    ) -> Result<FactsInput, Error> {
        let refused = |error: Error| {
            self.0.metrics.refused.facts.inc();
            error
        };
        let customer = CustomerId::new(customer).map_err(|e| refused(e.into()))?;
        let source = if facts.source.is_empty() { "unknown" } else { &facts.source };
        if source.len() > crate::domain::ID_BYTES_MAX {
            let limit = crate::domain::ID_BYTES_MAX;
            return Err(refused(IdError::TooLong { length: source.len(), limit }.into()));
        }
        let observed_at = facts.observed_at.unwrap_or(arrival);
        let now = self.0.clock.wall();
        if observed_at > now.saturating_add(FUTURE_MAX) {
            return Err(refused(Error::Future { time: observed_at, now }));
        }
        let (mut typed, mut faults) = (Vec::new(), Vec::new());
        for (name, raw) in facts.values {
            match typed_fact(bundle, &name, raw) {
                Ok(fact) => typed.push(fact),
                Err(reason) => faults.push(FactFault { name, reason }),
            }
        }
        if !faults.is_empty() {
            return Err(refused(Error::Facts(faults)));
        }
        Ok(FactsInput { customer, source: Arc::from(source), observed_at, facts: typed })
    }
}

fn typed_fact(bundle: &Bundle, name: &str, raw: Raw) -> Result<(usize, Option<Value>), FactFaultReason> {
    let layout = bundle.layout();
    let Some(number) = layout.fact_number(name) else {
        let names = layout.facts().iter().map(|fact| &*fact.field.name);
        return Err(FactFaultReason::Undeclared(suggestion(name, names)));
    };
    if raw == Raw::Null {
        return Ok((number, None));
    }
    Ok((number, layout.facts()[number].field.accept(raw)?))
}

fn named(bundle: &Bundle, input: &FactsInput) -> Vec<(usize, String)> {
    let facts = bundle.layout().facts();
    input.facts.iter().map(|(number, _)| (*number, facts[*number].field.name.to_string())).collect()
}
