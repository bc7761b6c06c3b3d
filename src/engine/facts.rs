//! Telling the engine facts about a customer.

use std::sync::Arc;

use super::answer::{FactFault, FactFaultReason};
use super::course::Course;
use super::{Answer, Engine, Error};
use crate::actor::{InForce, Request};
use crate::bundle::{Ack, Bundle, WhenDiskFull};
use crate::domain::{
    CustomerId, Durability, FUTURE_MAX, ID_BYTES_MAX, IdError, Raw, RawMap, Timestamp, Value, suggestion,
};
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

/// What became of something that was told.
pub(super) struct Told {
    /// The numbers of what was not taken, because a later word is held.
    outdated: Vec<usize>,
    pub(super) durability: Durability,
}

impl Told {
    /// Parts names by their numbers into those that are outdated and those that were taken.
    pub(super) fn parted(&self, names: Vec<(usize, String)>) -> (Vec<String>, Vec<String>) {
        let (outdated, taken): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|(number, _)| self.outdated.contains(number));
        let names = |named: Vec<(usize, String)>| named.into_iter().map(|(_, name)| name).collect();
        (names(outdated), names(taken))
    }
}

/// How long a caller waits at most for what is told to be kept.
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
        let bundle = self.0.customers.in_force();
        let input = self.facts_input(&bundle.bundle, customer, facts, arrival)?;
        let names = named(&bundle.bundle, &input);
        let told = match self.tell(Input::Facts(input), arrival, bundle).await? {
            Answer::Given(told) => told,
            Answer::Shed(shed) => return Ok(Answer::Shed(shed)),
        };
        let (outdated, taken) = told.parted(names);
        self.0.metrics.facts.add(taken.len() as u64);
        Ok(Answer::Given(FactsTaken { taken, outdated, durability: told.durability }))
    }

    /// Takes a turn on something that is told about a customer; waits until it is on disk.
    pub(super) async fn tell(
        &self,
        input: Input,
        arrival: Timestamp,
        bundle: Arc<InForce>,
    ) -> Result<Answer<Told>, Error> {
        let inner = &self.0;
        let started = inner.clock.instant();
        let deadline = Deadline::new(started, BUDGET);
        if inner.journal.is_full()
            && let Answer::Shed(shed) = self.room(WhenDiskFull::Shed, deadline).await?
        {
            return Ok(Answer::Shed(shed));
        }
        let request = Request { input, readings: Readings::at(arrival), bundle, deadline, span: tracing::Span::none() };
        let done = match self.turn(inner.customers.ask(request), deadline).await {
            Ok(done) => done,
            Err(refusal) => return self.refused(refusal),
        };
        let outdated = match &done.taken {
            Taken::Turn(turn) => turn.outdated.clone(),
            Taken::Repeated(_) | Taken::Conflict | Taken::Unsettled(_) | Taken::Asks(_) => Vec::new(),
        };
        let durability = match done.seq {
            Some(seq) => self.keep(seq, Ack::Disk, &mut Course::new(started), deadline).await?,
            None => Durability::Disk,
        };
        Ok(Answer::Given(Told { outdated, durability }))
    }

    /// Who tells something, and when they observed it.
    pub(super) fn origin(
        &self,
        source: &str,
        observed_at: Option<Timestamp>,
        arrival: Timestamp,
    ) -> Result<(Arc<str>, Timestamp), Error> {
        let source = if source.is_empty() { "unknown" } else { source };
        if source.len() > ID_BYTES_MAX {
            return Err(IdError::TooLong { length: source.len(), limit: ID_BYTES_MAX }.into());
        }
        let (observed_at, now) = (observed_at.unwrap_or(arrival), self.0.clock.wall());
        if observed_at > now.saturating_add(FUTURE_MAX) {
            return Err(Error::Future { member: "observed_at", time: observed_at, now });
        }
        Ok((Arc::from(source), observed_at))
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
        let origin = self.origin(&facts.source, facts.observed_at, arrival);
        let (source, observed_at) = origin.map_err(refused)?;
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
        Ok(FactsInput { customer, source, observed_at, facts: typed })
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
