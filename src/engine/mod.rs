//! The public engine: decide, observe, put facts, explain; admission and deadlines.
//!
//! What comes in is typed and checked here, against the bundle in force; then it is a turn of its customer's actor. The room
//! waits for what must be waited for (a busy customer, the disk), never longer than the deadline.
//!
//! | file | noun |
//! |---|---|
//! | `engine` | the engine: starting, stopping |
//! | `deciding`, `options` | decide, observe |
//! | `config` | what it is started with |
//! | `decision` | what callers get |
//! | `answer` | what else a call can come to |
//! | `facts`, `consents`, `settling`, `customer`, `explain`, `event_shown` | the other calls |
//! | `set_aside` | inputs on which no turn is taken |
//! | `turning` | waiting for a turn, or answering without it |
//! | `wait` | waiting no longer than to an alarm |

mod answer;
mod cap_shown;
#[cfg(test)]
mod cap_tests;
mod config;
mod consents;
mod customer;
mod deciding;
mod decision;
#[cfg(test)]
mod decision_tests;
#[expect(clippy::module_inception, reason = "the file holds the engine, as its name says")]
mod engine;
mod event_shown;
mod explain;
mod facts;
mod metrics;
mod options;
mod rule_shown;
mod set_aside;
mod settling;
#[cfg(test)]
mod tests;
mod turning;
mod wait;
mod why_not;

pub use answer::{Answer, ConsentFault, ConsentFaultReason, Error, FactFault, FactFaultReason};
pub use cap_shown::CapShown;
pub use config::{Config, Data};
pub use consents::{Consents, ConsentsTaken};
pub use customer::{ConsentView, CustomerView, EntryView, FactView, SignalView, TallyView};
pub use deciding::Observed;
pub use decision::{Decision, Reason};
pub use engine::{Engine, StartError, Started, Stopped};
pub use event_shown::EventShown;
pub use explain::{Explanation, Named, explain_from, why_not_from};
pub use facts::{Facts, FactsTaken};
pub use options::{Budget, Options, Timing};
pub use rule_shown::{ConditionShown, RuleShown, RuleVerdict};
pub use set_aside::{InputShown, SetAsideDetail, SetAsideView};
pub use settling::{SettledShown, SettlementFault};
pub use why_not::{ChangeShown, WhyNot};
