//! Everything that is held about a customer, for the person it is about.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::export_record::RecordShown;
use super::export_state::StateShown;
use super::{Answer, Engine, Error};
use crate::actor::{History, Recorded, RecoveryError, SET_ASIDE_MAX, Stretch};
use crate::context::CustomerState;
use crate::domain::CustomerId;

/// The name of the export's form. It changes when a reader of the form would have to.
pub const EXPORT_FORMAT: &str = "forthwith-export-1";

/// Everything that is held about a customer: the state, and what the journal has, a stretch at a time.
///
/// Nothing is withheld, whatever its tags say: it is for the person it is about.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Export {
    /// The form: `forthwith-export-1`.
    pub format: &'static str,
    /// Who.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub customer: CustomerId,
    /// When it was made.
    pub exported_at: String,
    /// The record of the journal from which on this answer has the person's records.
    pub from: u64,
    /// The record up to which it has them.
    pub until: u64,
    /// The `from` of the next answer; `None` if this is the last.
    pub next: Option<u64>,
    /// What is held in the state; `None` in answers that go on from an earlier one.
    pub state: Option<StateShown>,
    /// What the journal has, in its order.
    pub records: Vec<RecordShown>,
}

/// Exports that may be under way at once: each reads the disk as fast as it can.
pub(super) const EXPORTS_MAX: usize = 2;

/// What one answer has at most: a thousand records or eight megabytes of them fit into the memory of whoever reads them.
const STRETCH: Stretch = Stretch { records: 1_000, bytes: 8 << 20 };

/// An export of which the journal is yet to be read.
pub(crate) struct Exporting {
    engine: Engine,
    customer: CustomerId,
    state: Box<CustomerState>,
    from: u64,
    _permit: OwnedSemaphorePermit,
}

impl Engine {
    /// Everything that is held about a customer, from a record of the journal on; `None` for one the engine has never heard of.
    /// The first answer, from 0, has the state too. Go on with [`Export::next`] until it is `None`.
    ///
    /// Reads the customer's records and an index that leads to them, and is not for the way of an event. Two may be under way at
    /// once.
    pub async fn export(&self, customer: &str, from: u64) -> Result<Answer<Option<Export>>, Error> {
        match self.exporting(customer, from).await? {
            Answer::Given(Some(exporting)) => Ok(Answer::Given(Some(exporting.read()?))),
            Answer::Given(None) => Ok(Answer::Given(None)),
            Answer::Shed(shed) => Ok(Answer::Shed(shed)),
        }
    }

    /// The first step of [`Engine::export`]: the state.
    pub(crate) async fn exporting(&self, customer: &str, from: u64) -> Result<Answer<Option<Exporting>>, Error> {
        let customer = CustomerId::recorded(customer)?;
        let Ok(permit) = Arc::clone(&self.0.exports).try_acquire_owned() else {
            return Err(Error::TooManyExports(EXPORTS_MAX));
        };
        let state = match self.state_of(&customer).await? {
            Answer::Given(state) => state,
            Answer::Shed(shed) => return Ok(Answer::Shed(shed)),
        };
        // Of someone of whom there is no turn an input may have been set aside.
        let is_aside = || self.0.customers.set_aside(None, SET_ASIDE_MAX).iter().any(|of| of.customer == customer);
        if state.last_seq == 0 && !is_aside() {
            return Ok(Answer::Given(None));
        }
        // What the state has is in the journal by then, or the disk does not answer; a full one will not.
        if !self.is_disk_full() {
            let _ = self.caught_up().await;
        }
        let engine = self.clone();
        Ok(Answer::Given(Some(Exporting { engine, customer, state, from: from.max(1), _permit: permit })))
    }
}

impl Exporting {
    /// The second step of [`Engine::export`]: what the journal has. Blocks.
    pub(crate) fn read(self) -> Result<Export, Error> {
        let Self { engine, customer, state, from, _permit } = self;
        let inner = &engine.0;
        let history = inner.customers.history(&customer, from, STRETCH);
        let History { records, until, next } = history.map_err(|error| match error {
            RecoveryError::Journal(error) => error.into(),
            error => Error::Record(error.to_string()),
        })?;
        let shown = |of: &Recorded| RecordShown::of(of, |seq| inner.customers.bundle_at(seq).ok());
        let now = inner.clock.wall();
        Ok(Export {
            format: EXPORT_FORMAT,
            customer,
            exported_at: now.to_string(),
            from,
            until,
            next,
            // The bundles that the records were decided under are known by now, and with them more names.
            state: (from == 1).then(|| StateShown::of(&state, &engine.known(), now)),
            records: records.iter().map(shown).collect(),
        })
    }
}
