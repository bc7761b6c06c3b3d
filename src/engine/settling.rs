//! Settling decisions that are pending: someone says that they were carried out, or were not.

use std::time::Duration;

use serde::Serialize;

use super::course::Course;
use super::wait::within;
use super::{Answer, Engine, Error};
use crate::actor::{Request, Shed};
use crate::bundle::{Ack, Bundle, WhenDiskFull};
use crate::context::Settled;
use crate::domain::{CustomerId, DecisionId, Durability, Settlement, Timestamp};
use crate::time::Deadline;
use crate::turn::{Input, Readings, Record, SettlementInput, Taken};

/// What became of a decision. The same for every repetition of the settlement.
///
/// Serializes with the names of the HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SettledShown {
    /// The decision.
    #[serde(rename = "decision_id")]
    #[cfg_attr(feature = "http", schema(value_type = String, format = "uuid"))]
    pub decision: DecisionId,
    /// Whom it is about.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub customer: CustomerId,
    /// What became of it: `commit` or `release`.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub settlement: Settlement,
    /// How safely that is kept: `disk` or `pending`.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub durability: Durability,
}

/// Why a decision cannot be settled like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettlementFault {
    /// Decisions of its playbook do not wait for anyone.
    #[error("decisions of playbook `{playbook}` are final: it has no `settle_within`")]
    Final {
        /// The playbook.
        playbook: String,
    },
    /// It is the playbook's default.
    #[error("it is the playbook's default, which nobody carries out")]
    Default,
    /// Someone has said otherwise.
    #[error("it was settled as `{before}` before")]
    Otherwise {
        /// What was said.
        before: Settlement,
    },
    /// Its time is over.
    #[error("it could be settled until {until}; what it had reserved was given back then")]
    Expired {
        /// When its time was over.
        until: Timestamp,
    },
}

/// A settlement of a decision that waits, or waited, for one.
#[derive(Clone, Debug)]
pub(crate) struct Settling {
    input: SettlementInput,
    until: Timestamp,
}

/// How long a caller waits at most for a settlement to be kept.
const BUDGET: Duration = Duration::from_secs(5);

impl Engine {
    /// Says what became of a pending decision: `Commit` keeps what it reserved of caps, `Release` gives it back. Waits until
    /// that is on disk. The same settlement again gives the same answer and changes nothing.
    ///
    /// Reads the journal: for a decision that was not made of late, an index of some megabytes.
    pub async fn settle(&self, id: DecisionId, settlement: Settlement) -> Result<Answer<SettledShown>, Error> {
        let mut found = self.settling(id, settlement)?;
        if found.is_none() {
            if let Err(shed) = self.caught_up().await {
                return Ok(Answer::Shed(shed));
            }
            found = self.settling(id, settlement)?;
        }
        let Some(settling) = found else { return Err(Error::UnknownDecision(id)) };
        match self.settle_found(&settling).await? {
            Answer::Given(Some(settled)) => Ok(Answer::Given(settled)),
            Answer::Given(None) => self.settled_before(&settling).map(Answer::Given),
            Answer::Shed(shed) => Ok(Answer::Shed(shed)),
        }
    }

    /// The first step of [`Engine::settle`]: a decision on disk that waits or waited for a settlement. Reads the journal.
    pub(crate) fn settling(&self, id: DecisionId, settlement: Settlement) -> Result<Option<Settling>, Error> {
        let Some(found) = self.0.journal.find(id.to_u128(), id.time())? else { return Ok(None) };
        let (record, bundle) = self.record(&found)?;
        if record.input.customer().is_synthetic() {
            self.0.metrics.refused.settlement.inc();
            return Err(Error::Synthetic(id));
        }
        settling_of(&record, &bundle, id, settlement).map(Some).map_err(|fault| self.not_settled(id, fault))
    }

    /// Waits until every decision made so far is on disk, so that it can be found, no longer than a caller would.
    pub(crate) async fn caught_up(&self) -> Result<(), Shed> {
        let inner = &self.0;
        if inner.journal.is_disk_full() {
            inner.metrics.shed(Shed::DiskFull);
            return Err(Shed::DiskFull);
        }
        if let Some(synced) = inner.journal.wait_synced(inner.journal.last_seq()) {
            let deadline = Deadline::new(inner.clock.instant(), BUDGET);
            // What is not there by then is not found; the caller asks again.
            let _ = within(synced, inner.timer.at(deadline.instant())).await;
        }
        Ok(())
    }

    /// The second step of [`Engine::settle`]: the turn. `None` if the customer's ledger has forgotten the decision.
    pub(crate) async fn settle_found(&self, settling: &Settling) -> Result<Answer<Option<SettledShown>>, Error> {
        let inner = &self.0;
        let started = inner.clock.instant();
        let deadline = Deadline::new(started, BUDGET);
        if inner.journal.is_full()
            && let Answer::Shed(shed) = self.room(WhenDiskFull::Shed, deadline).await?
        {
            return Ok(Answer::Shed(shed));
        }
        let (input, readings) = (Input::Settlement(settling.input.clone()), Readings::at(inner.clock.wall()));
        let request =
            Request { input, readings, bundle: inner.customers.in_force(), deadline, span: tracing::Span::none() };
        let done = match self.turn(inner.customers.ask(request), deadline).await {
            Ok(done) => done,
            Err(refusal) => return self.refused(refusal),
        };
        let SettlementInput { decision, settlement, .. } = settling.input;
        let is_new = match done.taken {
            Taken::Turn(_) => true,
            Taken::Unsettled(Settled::Before) => false,
            Taken::Unsettled(Settled::Unknown) => return Ok(Answer::Given(None)),
            Taken::Unsettled(Settled::Otherwise) => return Err(self.not_settled(decision, otherwise(settlement))),
            Taken::Unsettled(Settled::Expired) => return Err(self.not_settled(decision, settling.expired())),
            Taken::Unsettled(Settled::Now) | Taken::Repeated(_) | Taken::Conflict | Taken::Asks(_) => {
                return Err(Error::Record("a settlement was taken for an event".to_owned()));
            }
        };
        // A repetition rests on a record that may not be on disk yet.
        let durability = self.keep(done.last_seq, Ack::Disk, &mut Course::new(started), deadline).await?;
        if is_new {
            inner.metrics.settled(settlement);
        }
        Ok(Answer::Given(Some(settling.shown(durability))))
    }

    /// The last step of [`Engine::settle`], for a decision that is forgotten: what the journal says of it. Reads the journal.
    pub(crate) fn settled_before(&self, settling: &Settling) -> Result<SettledShown, Error> {
        let SettlementInput { decision, settlement, .. } = settling.input;
        let found = self.0.journal.find(settling.input.key(), settling.until)?;
        let Some(found) = found else { return Err(self.not_settled(decision, settling.expired())) };
        match self.record(&found)?.0.input {
            Input::Settlement(before) if before.settlement == settlement => Ok(settling.shown(Durability::Disk)),
            Input::Settlement(before) => {
                Err(self.not_settled(decision, SettlementFault::Otherwise { before: before.settlement }))
            }
            _ => Err(Error::Record(format!("record {} is not the settlement that its key says", found.seq))),
        }
    }

    fn not_settled(&self, decision: DecisionId, fault: SettlementFault) -> Error {
        self.0.metrics.refused.settlement.inc();
        Error::NotSettled { decision, fault }
    }
}

fn settling_of(
    record: &Record,
    bundle: &Bundle,
    id: DecisionId,
    settlement: Settlement,
) -> Result<Settling, SettlementFault> {
    let recorded = record.decisions.iter().find(|decision| record.id_of(decision, bundle) == Some(id));
    // The journal's index finds a record by its decisions.
    let Some(recorded) = recorded else { return Err(SettlementFault::Default) };
    let playbook = &bundle.playbooks()[recorded.playbook];
    if playbook.settle_within.is_none() {
        return Err(SettlementFault::Final { playbook: playbook.name.to_string() });
    }
    let until = playbook.settle_by(&recorded.outcome, record.arrival).ok_or(SettlementFault::Default)?;
    let customer = record.input.customer().clone();
    Ok(Settling { input: SettlementInput { customer, decision: id, settlement }, until })
}

/// There are two settlements; what was said before is the other.
fn otherwise(settlement: Settlement) -> SettlementFault {
    let before = match settlement {
        Settlement::Commit => Settlement::Release,
        Settlement::Release => Settlement::Commit,
    };
    SettlementFault::Otherwise { before }
}

impl Settling {
    fn expired(&self) -> SettlementFault {
        SettlementFault::Expired { until: self.until }
    }

    fn shown(&self, durability: Durability) -> SettledShown {
        let SettlementInput { customer, decision, settlement } = self.input.clone();
        SettledShown { decision, customer, settlement, durability }
    }
}
