//! The whole real way of one decision about a synthetic customer.

use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use super::super::wait::within;
use super::super::{Engine, Error};
use crate::actor::{InForce, Request, TurnDone};
use crate::bundle::{CapScope, Playbook};
use crate::domain::{CustomerId, DecisionId, Timestamp};
use crate::drills;
use crate::time::{Deadline, Instant};
use crate::turn::{ConsentsInput, EventInput, Input, Lease, Readings, Run, Taken};

/// How long one step may take. Whether decisions come in time is for others to measure; this asks whether they come.
const STEP_MAX: Duration = Duration::from_secs(5);

/// Customers whom a playbook's decisions are about by turns: so that a customer at rest is woken now and then.
const CUSTOMERS: i64 = 4;

impl Engine {
    /// Goes it for a numbered playbook: typed, decided, kept, explained, asked again.
    pub(super) fn go_the_way(&self, in_force: &Arc<InForce>, number: usize) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| format!("no runtime to wait in: {error}"))?;
        runtime.block_on(self.go(in_force, number))
    }

    async fn go(&self, in_force: &Arc<InForce>, number: usize) -> Result<(), String> {
        let (inner, now) = (&self.0, self.0.clock.wall());
        let playbook = &in_force.bundle.playbooks()[number];
        let nth = now.micros().div_euclid(60_000_000).rem_euclid(CUSTOMERS) as u32;
        let customer = CustomerId::synthetic(&playbook.name, nth).map_err(|fault| format!("its name {fault}"))?;
        if inner.journal.is_full() {
            return Err(no_room(self));
        }
        self.consent(in_force, playbook, &customer, now).await?;
        let id = format!("selfcheck-{}", now.micros());
        let event = drills::specimen(&in_force.bundle, playbook, &id, customer)?;
        let event = EventInput { event, run: Run::Playbook(number), trace: None };
        let input = Input::Event(event);
        let readings = readings(playbook, now);
        let done = self.take(in_force, &input, readings.clone()).await?;
        let (decision, outcome) = match &done.taken {
            Taken::Turn(turn) => match (turn.decisions.first(), turn.repeated.first()) {
                (Some(made), _) => (made.id, Some(made.decided.outcome.get().clone())),
                // Flow control took it for one that was decided before it.
                (None, Some((_, id))) => (*id, None),
                (None, None) => return Err("its turn came to no decision".to_owned()),
            },
            taken => return Err(format!("its turn came to {taken:?}")),
        };
        self.kept(done.last_seq).await?;
        self.explained(decision, outcome.as_ref())?;
        let again = self.take(in_force, &input, readings).await?;
        match again.taken {
            Taken::Repeated(repeated) if repeated.iter().any(|(of, id)| (*of, *id) == (number, decision)) => Ok(()),
            taken => Err(format!("the same event again was not recognised: {taken:?}")),
        }
    }

    /// Gives the consents that the playbook asks for, if they are not given.
    async fn consent(
        &self,
        in_force: &Arc<InForce>,
        playbook: &Playbook,
        customer: &CustomerId,
        now: Timestamp,
    ) -> Result<(), String> {
        let layout = in_force.bundle.layout();
        let own = playbook.purpose.iter().filter(|purpose| purpose.needs_consent).map(|purpose| &purpose.name);
        let needed = own.chain(playbook.consents.iter().map(|required| &required.purpose));
        let numbers = needed.filter_map(|name| layout.purpose_number(name));
        let mut consents: Vec<(usize, bool)> = numbers.map(|number| (number, true)).collect();
        consents.sort_unstable();
        consents.dedup();
        if consents.is_empty() {
            return Ok(());
        }
        let state = self.0.customers.view(customer).map_err(|shed| shed.to_string())?;
        let state = state.await.ok().flatten().ok_or("its customer's state cannot be read")?;
        let is_given = |(number, _): &(usize, bool)| state.consents.is_given(&layout.purposes()[*number].name);
        if consents.iter().all(is_given) {
            return Ok(());
        }
        let (customer, source) = (customer.clone(), drills::SOURCE.into());
        let input = Input::Consents(ConsentsInput { customer, source, observed_at: now, consents });
        self.take(in_force, &input, Readings::at(now)).await.map(drop)
    }

    async fn take(&self, in_force: &Arc<InForce>, input: &Input, readings: Readings) -> Result<TurnDone, String> {
        let deadline = self.step();
        let (input, bundle, span) = (input.clone(), Arc::clone(in_force), Span::none());
        let request = Request { input, readings, bundle, deadline, span };
        match self.turn(self.0.customers.ask(request), deadline).await {
            Ok(done) => Ok(done),
            Err(refusal) => Err(format!("its turn was not taken: {refusal}")),
        }
    }

    /// Waits until a record is on disk, whatever the playbook asks for: it is read back.
    async fn kept(&self, seq: u64) -> Result<(), String> {
        let Some(synced) = self.0.journal.wait_synced(seq) else { return Ok(()) };
        match within(synced, self.0.timer.at(self.step().instant())).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(reason))) => Err(format!("the journal has stopped: {reason}")),
            Ok(Err(_)) => Err("the journal is closed".to_owned()),
            Err(_) => Err(no_room(self)),
        }
    }

    /// Explains the decision from the journal: that makes it again from its record.
    fn explained(&self, id: DecisionId, outcome: Option<&crate::bundle::Outcome>) -> Result<(), String> {
        let explanation = match self.explain(id) {
            Ok(Some(explanation)) => explanation,
            Ok(None) => return Err(format!("decision {id} is not in the journal")),
            Err(error @ (Error::Record(_) | Error::Journal(_))) => return Err(error.to_string()),
            Err(error) => return Err(format!("it cannot be explained: {error}")),
        };
        match outcome {
            Some(outcome) if explanation.decision.outcome() != outcome => {
                Err(format!("decision {id} is explained with another outcome than it was given"))
            }
            _ => Ok(()),
        }
    }

    fn step(&self) -> Deadline {
        let now: Instant = self.0.clock.instant();
        Deadline::new(now, STEP_MAX)
    }
}

fn no_room(engine: &Engine) -> String {
    if let Some(reason) = engine.0.journal.stopped() {
        return format!("the journal has stopped: {reason}");
    }
    if engine.is_disk_full() { "the disk is full".to_owned() } else { "the journal does not keep up".to_owned() }
}

/// All of every global cap is there to be taken, and none of it is: what nobody gets is not drawn on. Slow models and agents are not
/// asked: they count as late.
fn readings(playbook: &Playbook, now: Timestamp) -> Readings {
    let global = playbook.caps.iter().filter(|cap| cap.scope == CapScope::Global);
    let leases = global.map(|cap| Lease { cap: cap.key, room: cap.max }).collect();
    Readings { leases, ..Readings::at(now) }
}
