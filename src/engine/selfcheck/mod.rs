//! The self-check: synthetic customers go every way that a decision can take, before somebody real has to.
//!
//! Two kinds of ways are gone for each playbook. The whole real way, through this very engine: an event is typed, its turn taken, its
//! record kept as the playbook demands, the decision explained from the journal, and the same event asked again. And each fallback, as
//! a [drill](crate::drills), which leaves no record.
//!
//! | file | noun |
//! |---|---|
//! | `way` | the whole real way of one decision |
//! | `board` | what came of it last, in numbers and for whoever asks |
//! | `patrol` | the schedule |

mod board;
mod patrol;
mod way;

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{Decision, Engine};
use crate::domain::{CustomerId, Durability, FallbackReason, Timestamp};
use crate::drills::{self, Came};

pub(super) use board::Board;
pub use patrol::{Patrol, Schedule};

/// A way that the self-check goes for a playbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// A whole decision, kept and explained.
    Decide,
    /// A fallback.
    Fallback(FallbackReason),
}

/// What came of going one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckResult {
    /// It leads where it should.
    Passed,
    /// It does not.
    Failed,
    /// It could not be gone: no event that can be made up from the playbook's declarations alone leads to it.
    Unreached,
}

/// One way that was gone, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Checked {
    /// The playbook.
    pub playbook: String,
    /// `decide` for a whole decision, or the fallback.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub path: Path,
    /// `passed`, `failed`, or `unreached` where no event that can be made up from the declarations leads to the fallback.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub result: CheckResult,
    /// What differed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub fault: Option<String>,
}

/// Everything that was gone at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct SelfCheckReport {
    /// Whether nothing failed.
    pub passed: bool,
    /// Each way, playbook by playbook.
    pub checks: Vec<Checked>,
}

impl SelfCheckReport {
    fn of(checks: Vec<Checked>) -> Self {
        Self { passed: checks.iter().all(|check| check.result != CheckResult::Failed), checks }
    }
}

impl Path {
    /// Its name in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Fallback(reason) => reason.as_str(),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl CheckResult {
    const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Unreached];

    /// Its name in answers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unreached => "unreached",
        }
    }
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn as_text<T: fmt::Display, S: Serializer>(of: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(of)
}

impl Engine {
    /// Goes every way of every playbook in force, now. Blocks for some writes to the disk: not for a thread that runs an async runtime,
    /// and not for the way of an event.
    ///
    /// One decision for each playbook goes into the journal, about a customer of the playbook's own whom there is not; the fallbacks
    /// leave no trace. Nothing of it counts in what is told of decisions, and no global cap is drawn on.
    /// `None` while another call of this is under way.
    pub fn selfcheck(&self) -> Option<SelfCheckReport> {
        let _checking = self.0.board.begin()?;
        let count = self.bundle().playbooks().len();
        let checks = (0..count).flat_map(|number| {
            let decided = self.check_way(number);
            decided.into_iter().chain(self.check_fallbacks(number))
        });
        Some(SelfCheckReport::of(checks.collect()))
    }

    /// What failed when it was last gone, for people: nothing that keeps the engine from deciding, but somebody should look at it.
    pub fn selfcheck_failures(&self) -> Vec<String> {
        self.0.board.failures()
    }

    /// Goes the whole real way of a numbered playbook; `None` if there is none.
    fn check_way(&self, number: usize) -> Option<Checked> {
        let in_force = self.0.customers.in_force();
        let playbook = in_force.bundle.playbooks().get(number)?;
        let gone = self.go_the_way(&in_force, number);
        Some(self.checked(&playbook.name, Path::Decide, gone.map(|()| true)))
    }

    /// Goes every fallback of a numbered playbook.
    fn check_fallbacks(&self, number: usize) -> Vec<Checked> {
        let bundle = self.bundle();
        let Some(playbook) = bundle.playbooks().get(number) else { return Vec::new() };
        let (tenant, now) = (self.0.customers.tenant(), self.0.clock.wall());
        let Ok(customer) = CustomerId::synthetic(&playbook.name, 0) else { return Vec::new() };
        let rehearsed = drills::rehearse((&bundle, tenant), number, &customer, now);
        let of_rehearsed = rehearsed.into_iter().map(|of| {
            let came = match of.came {
                Came::Held => Ok(true),
                Came::Unreached => Ok(false),
                Came::Failed(fault) => Err(fault),
            };
            (of.reason, came)
        });
        let in_doubt = self.check_in_doubt(&bundle, number, (&customer, now));
        let checks = of_rehearsed.chain(in_doubt.map(|came| (FallbackReason::InDoubt, came)));
        checks.map(|(reason, came)| self.checked(&playbook.name, Path::Fallback(reason), came)).collect()
    }

    /// What a caller is told of a decision that takes of a cap, when the disk has not confirmed it. `None` for a playbook without caps.
    fn check_in_doubt(
        &self,
        bundle: &Arc<crate::bundle::Bundle>,
        number: usize,
        (customer, now): (&CustomerId, Timestamp),
    ) -> Option<Result<bool, String>> {
        let playbook = &bundle.playbooks()[number];
        if playbook.caps.is_empty() {
            return None;
        }
        let Some(made) = drills::capped((bundle, self.0.customers.tenant()), number, customer, now) else {
            return Some(Ok(false));
        };
        let given = Decision::given(made, Durability::Pending, bundle, customer.clone());
        let is_default = *given.outcome().values() == *playbook.default.values;
        Some(match given.fallback {
            Some(FallbackReason::InDoubt) if is_default => Ok(true),
            _ => Err("a decision that the disk has not confirmed is granted all the same".to_owned()),
        })
    }

    /// Notes what came of one way.
    fn checked(&self, playbook: &str, path: Path, came: Result<bool, String>) -> Checked {
        let (result, fault) = match came {
            Ok(true) => (CheckResult::Passed, None),
            Ok(false) => (CheckResult::Unreached, None),
            Err(fault) => (CheckResult::Failed, Some(fault)),
        };
        if let Some(fault) = &fault {
            tracing::error!(playbook, path = path.as_str(), fault, "the self-check failed");
        }
        let checked = Checked { playbook: playbook.to_owned(), path, result, fault };
        self.0.board.note(&checked, self.0.clock.wall());
        checked
    }
}
