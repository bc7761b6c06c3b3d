//! What a call can come to besides a decision.

use super::{FEEDBACK_MAX, FeedbackFault, SearchFault, SettlementFault};
use crate::actor::{Failure, Shed};
use crate::context::EventFault;
use crate::domain::{DecisionId, DecisionIdError, FieldFault, IdError, Timestamp};
use crate::journal::{JournalError, NotaryError};

/// What the engine gives: what was asked for, or the word that there was no room or time for it.
///
/// Shedding is an outcome of its own, not an error: nothing is wrong with the request, nothing changed, and it may be made
/// again.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Answer<T> {
    /// What was asked for.
    Given(T),
    /// Not taken on.
    Shed(Shed),
}

impl<T> Answer<T> {
    /// What was asked for, or why it was shed.
    pub fn into_result(self) -> Result<T, Shed> {
        match self {
            Self::Given(given) => Ok(given),
            Self::Shed(shed) => Err(shed),
        }
    }

    /// What was asked for, if it was given.
    pub fn given(self) -> Option<T> {
        self.into_result().ok()
    }
}

/// Why a request cannot be served. The first group is the caller's to mend, the second ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such playbook.
    #[error("there is no playbook `{name}`{hint}")]
    UnknownPlaybook {
        /// What was asked for.
        name: String,
        /// What was perhaps meant, or what there is.
        hint: String,
    },
    /// The playbook does not decide on events of this type.
    #[error("playbook `{playbook}` decides on {on}, not on `{found}`")]
    WrongEvent {
        /// The playbook.
        playbook: String,
        /// The event's type.
        found: String,
        /// What it decides on.
        on: String,
    },
    /// The event does not fit its schema.
    #[error("{}", listed(.0))]
    Event(Vec<EventFault>),
    /// A time lies too far ahead.
    #[error("`{member}` {time} is more than 5 minutes ahead of now, {now}")]
    Future {
        /// Which: `time` of an event, `observed_at` of facts and consents.
        member: &'static str,
        /// What it says.
        time: Timestamp,
        /// The engine's.
        now: Timestamp,
    },
    /// The event's id was used before with another content.
    #[error("an event with this `source` and `id` was received before with other data")]
    Conflict,
    /// A customer's id is empty or too long.
    #[error("the customer's id {0}")]
    Customer(#[from] IdError),
    /// Facts that do not fit their declarations.
    #[error("{}", listed_facts(.0))]
    Facts(Vec<FactFault>),
    /// Consents that cannot be given.
    #[error("{}", listed_consents(.0))]
    Consents(Vec<ConsentFault>),
    /// There is no such decision.
    #[error("there is no decision {0} on disk")]
    UnknownDecision(DecisionId),
    /// A decision that cannot be settled like this.
    #[error("decision {decision} cannot be settled: {fault}")]
    NotSettled {
        /// Which.
        decision: DecisionId,
        /// Why not.
        fault: SettlementFault,
    },
    /// Nothing can be said of a decision of the self-check: it is about nobody.
    #[error("decision {0} is one of the engine's own self-check, about a customer whom there is not")]
    Synthetic(DecisionId),
    /// A model of a bundle that was to be put in force.
    #[error("{0}")]
    Model(String),
    /// Feedback that does not fit its decision.
    #[error("{}", listed_feedback(.0))]
    Feedback(Vec<FeedbackFault>),
    /// The id of feedback was used before for other feedback on the decision.
    #[error("feedback `{id}` on decision {decision} was received before with other content")]
    FeedbackConflict {
        /// The decision.
        decision: DecisionId,
        /// The feedback's id.
        id: String,
    },
    /// As much was said of a decision as is kept.
    #[error("there are {FEEDBACK_MAX} feedbacks on decision {0}, the limit; no further one is taken")]
    FeedbackFull(DecisionId),
    /// Something is to be switched off that is not there.
    #[error("{0}")]
    UnknownSwitch(String),
    /// A switch cannot be turned like this.
    #[error("{0}")]
    SwitchRefused(String),
    /// A switch was not turned, or not for good: it could not be written down.
    #[error("{0}")]
    SwitchNotKept(String),
    /// There is no such purpose.
    #[error("there is no purpose `{name}`{hint}")]
    UnknownPurpose {
        /// What was asked for.
        name: String,
        /// What was perhaps meant, or what there is.
        hint: String,
    },
    /// As many exports as may be are under way.
    #[error("{0} exports are under way, the limit; ask again when one is done")]
    TooManyExports(usize),
    /// There is no such rule.
    #[error("playbook `{playbook}` has no rule `{name}`{hint}")]
    UnknownRule {
        /// What was asked for.
        name: String,
        /// The playbook.
        playbook: String,
        /// What was perhaps meant.
        hint: String,
    },
    /// A search that cannot be made.
    #[error("{}", listed_search(.0))]
    Search(Vec<SearchFault>),
    /// The text is not a decision id.
    #[error(transparent)]
    DecisionId(#[from] DecisionIdError),
    /// The engine failed.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// There is no room on the disk; the journal goes on when there is.
    #[error(transparent)]
    DiskFull(JournalError),
    /// The journal failed.
    #[error(transparent)]
    Journal(JournalError),
    /// The engine signs no tree heads.
    #[error("the data of this engine is temporary: no tree heads are signed over it")]
    NoTreeHeads,
    /// There is no such record or tree, or no tree head over it yet.
    #[error("{0}")]
    NotProvable(String),
    /// A tree head cannot be signed, or the journal is not the one that was signed.
    #[error(transparent)]
    Notary(NotaryError),
    /// A record is not under a tree head that is rightly signed.
    #[error("the record is not proved: {0}")]
    Unproved(String),
    /// A record cannot be read or does not account for its decision.
    #[error("{0}")]
    Record(String),
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::DiskFull => Self::DiskFull(error),
            error => Self::Journal(error),
        }
    }
}

impl From<NotaryError> for Error {
    fn from(error: NotaryError) -> Self {
        match error {
            NotaryError::Beyond { .. }
            | NotaryError::NoSuch(_)
            | NotaryError::Lost { .. }
            | NotaryError::NotSigned(_) => Self::NotProvable(error.to_string()),
            error => Self::Notary(error),
        }
    }
}

/// A fact that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`facts.{name}` {reason}")]
pub struct FactFault {
    /// Its name.
    pub name: String,
    /// Why not.
    pub reason: FactFaultReason,
}

/// Why a fact cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactFaultReason {
    /// No such fact is declared.
    #[error("is not declared in context.toml{0}")]
    Undeclared(String),
    /// Its value does not fit.
    #[error(transparent)]
    Value(#[from] FieldFault),
}

/// A consent that cannot be given or withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`consents.{name}` {reason}")]
pub struct ConsentFault {
    /// The purpose.
    pub name: String,
    /// Why not.
    pub reason: ConsentFaultReason,
}

/// Why a consent cannot be given or withdrawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsentFaultReason {
    /// No such purpose is declared.
    #[error("is not a purpose that context.toml declares{0}")]
    Undeclared(String),
    /// The purpose needs no consent.
    #[error(
        "is a purpose that needs no consent (`needs_consent = false` in context.toml), so there is none to give or withdraw"
    )]
    NotNeeded,
    /// The same purpose stands twice.
    #[error("is given twice")]
    Twice,
}

fn listed(faults: &[EventFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn listed_facts(faults: &[FactFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn listed_consents(faults: &[ConsentFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn listed_feedback(faults: &[FeedbackFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn listed_search(faults: &[SearchFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
