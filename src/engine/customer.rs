//! What the engine knows about a customer, for someone to look at.

use std::sync::Arc;

use serde::Serialize;

use super::cap_standing::OwnCapView;
use super::fact_shown::{FactView, ParkedFactView};
use super::known::Known;
use super::ledger_shown::{EntryView, FlowView, PendingView, TallyView};
use super::recent_shown::RecentEventView;
use super::signal_shown::SignalView;
use super::viewer::Viewer;
use super::{Answer, Engine, Error};
use crate::actor::Failure;
use crate::context::{Consent, CustomerState};
use crate::domain::{CustomerId, Timestamp};

/// What the engine knows about a customer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CustomerView {
    /// Who.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub customer: CustomerId,
    /// The last record that changed anything.
    pub last_record: u64,
    /// The purpose that the customer is looked at for, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub purpose: Option<PurposeView>,
    /// The members of this view of which the purpose may not see all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub withheld: Vec<&'static str>,
    /// What the customer said about purposes that need consent; of those not listed nothing was said, and none is given.
    pub consents: Vec<ConsentView>,
    /// The facts that the bundle in force declares, as they may be relied on now.
    pub facts: Vec<FactView>,
    /// Facts that are held and have no place in the bundle in force.
    pub parked_facts: Vec<ParkedFactView>,
    /// Signals as of now.
    pub signals: Vec<SignalView>,
    /// The latest events, newest first, with the attributes that are kept of them.
    pub recent_events: Vec<RecentEventView>,
    /// Decisions by playbook.
    pub decisions: Vec<TallyView>,
    /// Caps that hold for each customer, and what is taken of them.
    pub caps: Vec<OwnCapView>,
    /// Decisions that wait to be settled or did so a short while ago, oldest first.
    pub pending: Vec<PendingView>,
    /// What flow control keeps, the latest first.
    pub flow: Vec<FlowView>,
    /// The latest decisions and events, newest first.
    pub recent: Vec<EntryView>,
}

/// A purpose that a customer is looked at for.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct PurposeView {
    /// The purpose.
    pub purpose: String,
    /// Whether the customer's context is open for it: it needs no consent, or the customer gave it.
    pub open: bool,
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

/// Entries of the ledger that are shown.
const RECENT_MAX: usize = 20;

impl Engine {
    /// What the engine knows about a customer; `None` for one it has never heard of.
    pub async fn customer(&self, customer: &str) -> Result<Answer<Option<CustomerView>>, Error> {
        self.customer_seen_by(customer, None).await
    }

    /// What a purpose may see of a customer, as its decisions would: what is not tagged for it is withheld, and everything is
    /// without the consent that it needs.
    pub async fn customer_for(&self, customer: &str, purpose: &str) -> Result<Answer<Option<CustomerView>>, Error> {
        self.customer_seen_by(customer, Some(purpose)).await
    }

    async fn customer_seen_by(
        &self,
        customer: &str,
        purpose: Option<&str>,
    ) -> Result<Answer<Option<CustomerView>>, Error> {
        let customer = CustomerId::recorded(customer)?;
        let state = match self.state_of(&customer).await? {
            Answer::Given(state) => state,
            Answer::Shed(shed) => return Ok(Answer::Shed(shed)),
        };
        let viewer = Viewer::of(purpose, state.layout(), &state.consents)?;
        Ok(Answer::Given((state.last_seq > 0).then(|| self.shown(customer, &state, viewer))))
    }

    /// A copy of a customer's state as the bundle in force has it; a new one for a customer nobody has heard of.
    pub(super) async fn state_of(&self, customer: &CustomerId) -> Result<Answer<Box<CustomerState>>, Error> {
        let asked = match self.0.customers.view(customer) {
            Ok(asked) => asked,
            Err(shed) => return Ok(self.shed(shed)),
        };
        let unreadable = || Error::Failed(Failure::StateUnreadable);
        let Ok(Some(state)) = asked.await else { return Err(unreadable()) };
        let bundle = self.bundle();
        if Arc::ptr_eq(state.layout(), bundle.layout()) {
            return Ok(Answer::Given(state));
        }
        // Another bundle is in force since the customer's last turn. A signal that is new in it watches from the next one on.
        let conformed = CustomerState::decode(&state.encode(), bundle.layout()).map_err(|_| unreadable())?;
        Ok(Answer::Given(Box::new(conformed)))
    }

    pub(super) fn known(&self) -> Known {
        Known::new(self.bundle(), self.0.customers.known_bundles())
    }

    fn shown(&self, customer: CustomerId, state: &CustomerState, mut viewer: Viewer) -> CustomerView {
        let now = self.0.clock.wall();
        let known = self.known();
        let layout = state.layout();
        let facts = (0..layout.facts().len()).map(|number| FactView::of(state, number, now, &viewer)).collect();
        let signals = (0..layout.signals().len()).map(|number| SignalView::of(state, number, now, &viewer)).collect();
        let is_operator = |viewer: &Viewer| viewer.purpose().is_none();
        let is_its_own = |viewer: &Viewer, consent: &&Consent| {
            viewer.purpose().is_none_or(|purpose| purpose.name == consent.purpose)
        };
        let consents = viewer.pick("consents", state.consents.iter(), is_its_own);
        let parked = viewer.pick("parked_facts", state.parked(now), |viewer, _| is_operator(viewer));
        let events = viewer
            .pick("recent_events", state.recent(now), |viewer, event| viewer.sees(&layout.events()[event.kind].tags));
        let recent_events = events.into_iter().map(|event| RecentEventView::of(event, layout, now, &viewer)).collect();
        let purpose = viewer.purpose();
        let purpose = purpose.map(|of| PurposeView { purpose: of.name.to_string(), open: of.is_allowed });
        let ledger = LedgerShown::of(state, &known, now, &mut viewer);
        let LedgerShown { decisions, caps, pending, flow, recent } = ledger;
        CustomerView {
            customer,
            last_record: state.last_seq,
            purpose,
            withheld: viewer.left_out(),
            consents: consents.into_iter().map(ConsentView::of).collect(),
            facts,
            parked_facts: parked.into_iter().map(|parked| ParkedFactView::of(parked, &known)).collect(),
            signals,
            recent_events,
            decisions,
            caps,
            pending,
            flow,
            recent,
        }
    }
}

/// The part of a view that comes from the ledger.
struct LedgerShown {
    decisions: Vec<TallyView>,
    caps: Vec<OwnCapView>,
    pending: Vec<PendingView>,
    flow: Vec<FlowView>,
    recent: Vec<EntryView>,
}

impl LedgerShown {
    fn of(state: &CustomerState, known: &Known, now: Timestamp, viewer: &mut Viewer) -> Self {
        let ledger = &state.ledger;
        let sees = |viewer: &Viewer, key| viewer.sees_ledger_of(known.playbook(key));
        let tallies = viewer.pick("decisions", ledger.tallies(), |viewer, of| sees(viewer, of.playbook));
        let caps = viewer.pick("caps", OwnCapView::keys(state, known), |viewer, key| {
            let mut playbooks = known.playbooks_with(*key).peekable();
            if playbooks.peek().is_none() {
                return viewer.sees_ledger_of(None);
            }
            playbooks.any(|playbook| viewer.sees_ledger_of(Some(playbook)))
        });
        let pending = viewer.pick("pending", ledger.commitments.pending(), |viewer, of| sees(viewer, of.playbook));
        let flow = viewer.pick("flow", ledger.pace.paced().iter().rev(), |viewer, of| sees(viewer, of.playbook));
        let recent = viewer.pick("recent", ledger.entries().take(RECENT_MAX), |viewer, entry| match entry.decision {
            Some((key, _)) => sees(viewer, key),
            None => viewer.purpose().is_none(),
        });
        Self {
            decisions: tallies.into_iter().map(|tally| TallyView::of(tally, known)).collect(),
            caps: caps.into_iter().map(|key| OwnCapView::of(key, state, known, now)).collect(),
            pending: pending.into_iter().map(|pending| PendingView::of(pending, known, now)).collect(),
            flow: flow.into_iter().map(|paced| FlowView::of(paced, known, now)).collect(),
            recent: recent.into_iter().map(|entry| EntryView::of(entry, known)).collect(),
        }
    }
}

impl ConsentView {
    pub(super) fn of(consent: &Consent) -> Self {
        Self {
            purpose: consent.purpose.to_string(),
            given: consent.is_given,
            source: consent.source.to_string(),
            observed_at: consent.observed_at.to_string(),
        }
    }
}
