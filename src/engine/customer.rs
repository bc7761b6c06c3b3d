//! What the engine knows about a customer, for someone to look at.

use serde::Serialize;

use super::{Answer, Engine, Error};
use crate::actor::Failure;
use crate::context::{Consent, CustomerState, PlaybookKey};
use crate::domain::{CustomerId, Datum, Timestamp};

/// What the engine knows about a customer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CustomerView {
    /// Who.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub customer: CustomerId,
    /// The last record that changed anything.
    pub last_record: u64,
    /// What the customer said about purposes that need consent; of those not listed nothing was said, and none is given.
    pub consents: Vec<ConsentView>,
    /// Facts, as they may be relied on now.
    pub facts: Vec<FactView>,
    /// Signals as of now.
    pub signals: Vec<SignalView>,
    /// Decisions by playbook.
    pub decisions: Vec<TallyView>,
    /// The latest decisions and events, newest first.
    pub recent: Vec<EntryView>,
}

/// What a customer said about a purpose.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ConsentView {
    /// The purpose.
    pub purpose: String,
    /// Whether consent to it is given, or was withdrawn.
    pub given: bool,
    /// Who told it.
    pub source: String,
    /// When it was said.
    pub observed_at: String,
}

/// A fact about a customer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct FactView {
    /// Its name.
    pub name: String,
    /// Its value.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// Why it cannot be used now.
    pub unavailable: Option<String>,
    /// Whether it is beyond its soft limit: used, and old.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub stale: bool,
    /// Who told it.
    pub source: Option<String>,
    /// When they observed it.
    pub observed_at: Option<String>,
}

/// A signal of a customer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SignalView {
    /// Its name.
    pub name: String,
    /// Its value.
    #[cfg_attr(feature = "http", schema(value_type = Option<serde_json::Value>, required = true))]
    pub value: Option<Datum>,
    /// Why it cannot be used now.
    pub unavailable: Option<String>,
}

/// Decisions of one playbook.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct TallyView {
    /// The playbook.
    pub playbook: String,
    /// How many.
    pub count: u64,
    /// The last event decided on arrived then.
    pub last: String,
}

/// An event or decision in a customer's ledger.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct EntryView {
    /// When the event arrived.
    pub arrival: String,
    /// The playbook that decided, if one did.
    pub playbook: Option<String>,
    /// The decision, if one was made.
    pub decision_id: Option<String>,
}

/// Entries of the ledger that are shown.
const RECENT_MAX: usize = 20;

impl Engine {
    /// What the engine knows about a customer; `None` for one it has never heard of.
    pub async fn customer(&self, customer: &str) -> Result<Answer<Option<CustomerView>>, Error> {
        let customer = CustomerId::new(customer)?;
        let asked = match self.0.customers.view(&customer) {
            Ok(asked) => asked,
            Err(shed) => return Ok(self.shed(shed)),
        };
        let Ok(Some(state)) = asked.await else { return Err(Error::Failed(Failure::StateUnreadable)) };
        Ok(Answer::Given((state.last_seq > 0).then(|| self.shown(customer, &state))))
    }

    fn shown(&self, customer: CustomerId, state: &CustomerState) -> CustomerView {
        let now = self.0.clock.wall();
        let layout = state.layout();
        let bundle = self.bundle();
        let name_of = |key: PlaybookKey| {
            let playbook = bundle.playbooks().iter().find(|playbook| playbook.key == key);
            playbook.map_or_else(|| "(no longer in force)".to_owned(), |playbook| playbook.name.to_string())
        };
        let tallies = bundle.playbooks().iter().filter_map(|playbook| state.ledger.tally(playbook.key));
        CustomerView {
            customer,
            last_record: state.last_seq,
            consents: state.consents.iter().map(consent).collect(),
            facts: (0..layout.facts().len()).map(|number| fact(state, number, now)).collect(),
            signals: (0..layout.signals().len()).map(|number| signal(state, number, now)).collect(),
            decisions: tallies
                .map(|t| TallyView { playbook: name_of(t.playbook), count: t.decisions, last: t.last.to_string() })
                .collect(),
            recent: state
                .ledger
                .entries()
                .take(RECENT_MAX)
                .map(|entry| EntryView {
                    arrival: entry.arrival.to_string(),
                    playbook: entry.decision.map(|(key, _)| name_of(key)),
                    decision_id: entry.decision.map(|(_, id)| id.to_string()),
                })
                .collect(),
        }
    }
}

fn consent(consent: &Consent) -> ConsentView {
    ConsentView {
        purpose: consent.purpose.to_string(),
        given: consent.is_given,
        source: consent.source.to_string(),
        observed_at: consent.observed_at.to_string(),
    }
}

fn fact(state: &CustomerState, number: usize, now: Timestamp) -> FactView {
    let field = &state.layout().facts()[number].field;
    let (value, held) = (state.fact(number, now), state.held_fact(number));
    FactView {
        name: field.name.to_string(),
        value: value.ok().map(|value| Datum::new(&field.ty, value.clone())),
        unavailable: value.err().map(|reason| reason.to_string()),
        stale: state.is_stale(number, now),
        source: held.map(|fact| fact.source.to_string()),
        observed_at: held.map(|fact| fact.observed_at.to_string()),
    }
}

fn signal(state: &CustomerState, number: usize, now: Timestamp) -> SignalView {
    let definition = &state.layout().signals()[number];
    let value = state.signal(number, now);
    SignalView {
        name: definition.name.to_string(),
        unavailable: value.as_ref().err().map(ToString::to_string),
        value: value.ok().map(|value| Datum::new(&definition.ty, value)),
    }
}
