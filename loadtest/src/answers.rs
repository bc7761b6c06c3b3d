//! What a check sees of each answer.
//!
//! Every driver thread has a [`Checker`] of its own and shows it each call that has come to something, in the order in which
//! answers are heard: nothing is shared while the load goes on. When it is over the checkers are added up in one, which says what
//! it saw. What a checker keeps must be bounded, however long the run is.
//!
//! An event is repeated by the thread that sent it first, and only when its decision was heard and was safe (`disk`, or `memory`
//! where nothing is killed). So the first answer to an event and those to its repetitions are seen by the same checker. Customers
//! are not divided among threads: what counts by customer counts when the checkers are added up.

use std::time::Duration;

use forthwith::DecisionId;
use serde::Serialize;

use crate::outcome::Check;

/// A call and what came of it. Times are since the first call of the run was due.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Answer<'a> {
    /// The call's number in the run, from 0, unique over all threads.
    pub(crate) sequence: u64,
    /// The driver thread that made it.
    pub(crate) thread: usize,
    /// Whether its phase counts.
    pub(crate) is_counted: bool,
    /// The event's id.
    pub(crate) event: &'a str,
    /// Where the event comes from; with its id it is the event's name.
    pub(crate) source: &'a str,
    /// Whom it is about.
    pub(crate) customer: &'a str,
    /// The playbook that was to decide.
    pub(crate) playbook: &'a str,
    /// Whether a safe decision on the same event was heard before.
    pub(crate) is_repeat: bool,
    /// When the call was due.
    pub(crate) intended: Duration,
    /// When it was made.
    pub(crate) started: Duration,
    /// When its answer was heard.
    pub(crate) ended: Duration,
    /// How long it had, counted from when it was made; `None` where it had as long as it takes.
    pub(crate) budget: Option<Duration>,
    /// What came of it.
    pub(crate) came: Came<'a>,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Came<'a> {
    /// A decision.
    Decided(Decided<'a>),
    /// It was not taken on, by why: a word such as `mailbox_full`.
    Shed(&'a str),
    /// It failed.
    Failed {
        /// How: a word such as `connection`, `conflict` or `unreadable`.
        how: &'a str,
        /// What was said.
        said: &'a str,
    },
}

/// A decision as its caller heard it: what the answer says, whether or not that is right.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Decided<'a> {
    /// Its id.
    pub(crate) decision: DecisionId,
    /// The customer it names.
    pub(crate) customer: &'a str,
    /// The playbook it names.
    pub(crate) playbook: &'a str,
    /// The bundle it names.
    pub(crate) bundle: &'a str,
    /// The outcome as JSON: the same bytes for the same outcome, over one transport.
    pub(crate) outcome: &'a str,
    /// `rules`, `small_model`, `large_model`.
    pub(crate) tier: &'a str,
    /// Why the rules' default took the place of a proposal.
    pub(crate) fallback: Option<&'a str>,
    /// `disk`, `memory`, `pending`.
    pub(crate) durability: &'a str,
    /// Whether it is said to repeat an earlier one.
    pub(crate) is_duplicate: bool,
    /// How long the engine says that it took.
    pub(crate) elapsed_us: u64,
}

impl Decided<'_> {
    /// Whether it is one that the machine may still lose: another decision may stand on the same event afterwards.
    pub(crate) fn promises_nothing(&self) -> bool {
        self.durability == "pending"
    }
}

impl Answer<'_> {
    /// When the engine should have answered: it knows nothing of a call before that is made.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        Some(self.started + self.budget?)
    }

    /// Whether it is a decision that came too late for its caller, who has waited since the call was due, whenever it was made.
    pub(crate) fn is_late(&self, grace: Duration) -> bool {
        let is_over = |budget| self.ended > self.intended + budget + grace;
        matches!(self.came, Came::Decided(_)) && self.budget.is_some_and(is_over)
    }

    /// From when it was due to when its answer was heard.
    pub(crate) fn latency(&self) -> Duration {
        self.ended.saturating_sub(self.intended)
    }

    /// From when it was made to when its answer was heard.
    pub(crate) fn service(&self) -> Duration {
        self.ended.saturating_sub(self.started)
    }
}

/// Looks at every answer that one driver thread hears.
pub(crate) trait Checker: Send + 'static {
    /// Looks at an answer.
    fn see(&mut self, answer: &Answer<'_>);

    /// Takes in all that another thread's has seen.
    fn add(&mut self, other: Self)
    where
        Self: Sized;

    /// What was seen.
    fn checks(self) -> Vec<Check>
    where
        Self: Sized;
}
