//! The public engine: decide, observe, put facts, explain; admission and deadlines.
//!
//! What comes in is typed and checked here, against the bundle in force; then it is a turn of its customer's actor. The room
//! waits for what must be waited for (a busy customer, the disk), never longer than the deadline.
//!
//! | file | noun |
//! |---|---|
//! | `engine` | the engine: starting, stopping |
//! | `admission`, `admitting` | whether a call is taken on at all |
//! | `deciding`, `options`, `allowance` | decide, observe |
//! | `config` | what it is started with |
//! | `decision`, `reason` | what callers get, and why |
//! | `answer` | what else a call can come to |
//! | `facts`, `consents`, `settling`, `customer`, `explain`, `event_shown` | the other calls |
//! | `feedback`, `feedback_check`, `feedback_models`, `feedback_shown` | what is said of decisions afterwards |
//! | `consulting`, `slow_models`, `slow_model_loader` | asking slow models and agents between two tries of a turn |
//! | `model_shown`, `agent_shown`, `late_answers` | what models and agents said, in time or not |
//! | `model_metrics`, `recent_counts` | what models come to, and how far it has moved |
//! | `census`, `in_force` | what is looked up when metrics are read; which names in labels are in force |
//! | `metrics_reference` | all series as a document |
//! | `search`, `search_query` | decisions by what is in them |
//! | `fact_shown`, `signal_shown`, `recent_shown`, `ledger_shown`, `cap_standing` | what is shown of a customer |
//! | `viewer`, `known` | who looks, and what names are known |
//! | `export`, `export_state`, `export_record` | everything that is held about a customer |
//! | `proving`, `packet` | what is proved of the journal, of one decision |
//! | `liveness`, `vital`, `readiness` | whether the threads move that it cannot do without, and whether it should get traffic |
//! | `selfcheck` | synthetic customers on every way that a decision can take |
//! | `busiest` | who took the most turns lately |
//! | `set_aside` | inputs on which no turn is taken |
//! | `repair` | a data directory whose journal is damaged |
//! | `turning` | waiting for a turn, or answering without it |
//! | `course`, `told`, `giving` | how long each stage of a call took, its spans, and who hears of it |
//! | `slow_log` | decisions that took more than their share of the budget |
//! | `exercised` | when each fallback was last taken in earnest |
//! | `wait` | waiting no longer than to an alarm |

#[cfg_attr(not(feature = "http"), allow(dead_code, unused_imports, reason = "only HTTP has workers and bodies"))]
pub mod admission;
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only HTTP has workers"))]
mod admitting;
mod agent_shown;
mod allowance;
mod answer;
mod busiest;
mod cap_shown;
mod cap_standing;
#[cfg(test)]
mod cap_tests;
mod census;
mod config;
mod consents;
mod consulting;
mod course;
mod customer;
mod deciding;
mod decision;
#[cfg(test)]
mod decision_tests;
#[expect(clippy::module_inception, reason = "the file holds the engine, as its name says")]
mod engine;
mod event_shown;
mod exercised;
mod explain;
mod export;
mod export_record;
mod export_state;
mod fact_shown;
mod facts;
mod failures;
mod feedback;
mod feedback_check;
mod feedback_metrics;
mod feedback_models;
mod feedback_shown;
mod giving;
mod in_force;
mod known;
mod late_answers;
mod ledger_shown;
mod liveness;
mod metrics;
mod metrics_reference;
mod model_metrics;
mod model_shown;
mod options;
mod packet;
mod proving;
mod readiness;
mod reason;
mod recent_counts;
mod recent_shown;
mod repair;
mod rule_shown;
mod search;
mod search_query;
mod selfcheck;
mod set_aside;
mod settling;
mod signal_shown;
mod slow_log;
mod slow_model_loader;
mod slow_models;
mod switching;
#[cfg(test)]
mod tests;
mod told;
mod turning;
mod viewer;
mod vital;
mod wait;
mod why_not;

#[cfg(feature = "http")]
pub(crate) use admitting::Line;
pub use agent_shown::{AgentReason, AgentShown, CallShown};
pub use answer::{Answer, ConsentFault, ConsentFaultReason, Error, FactFault, FactFaultReason};
pub use busiest::{BusiestView, BusyView};
pub use cap_shown::CapShown;
pub use cap_standing::{GlobalCapView, OwnCapView, ReservationView};
pub use config::{Config, Data, STUCK_AFTER_DEFAULT};
pub use consents::{Consents, ConsentsTaken};
pub use customer::{ConsentView, CustomerView, PurposeView};
pub use deciding::Observed;
pub use decision::Decision;
pub use engine::{Engine, Migrated, StartError, Started, Stopped};
pub use event_shown::EventShown;
pub use explain::{Explanation, Named, explain_from, why_not_from};
pub use export::{EXPORT_FORMAT, Export};
pub use export_record::{
    ConsentsTold, DecisionRecorded, EventRecorded, FactsTold, LateAnswerTold, RecordShown, SetAsideTold, SettlementTold,
};
pub use export_state::{FactHeld, FlowHeld, PartView, ReservationsHeld, SignalHeld, StateShown};
pub use fact_shown::{FactView, ParkedFactView, TagsView};
pub use facts::{Facts, FactsTaken};
pub use feedback::{FEEDBACK_MAX, Feedback, FeedbackTaken};
pub use feedback_check::FeedbackFault;
pub use feedback_shown::{FeedbackShown, FeedbackTold};
pub use late_answers::LateAnswerShown;
pub use ledger_shown::{EntryView, FlowView, HeldBackView, PendingView, TallyView};
pub use liveness::Stuck;
pub use metrics_reference::metrics_reference;
pub use model_shown::{CutShown, ModelReason, ModelShown, ProposalShown, ThresholdShown};
pub use options::{Budget, Options, Timing};
pub use packet::{PACKET_FORMAT, Packet, PacketVerified, ProvedRecord, packet_from};
pub use proving::{
    ConsistencyShown, DecisionVerified, InclusionShown, Proved, keys_in, records_signed, verify_decision,
    verify_journal,
};
pub use readiness::{Readiness, Unready};
pub use reason::Reason;
pub use recent_shown::RecentEventView;
pub use repair::Repair;
pub use rule_shown::{ConditionShown, RuleShown, RuleVerdict};
pub use search::{Cursor, DecisionFound, DecisionPage, search_from};
pub use search_query::{Search, SearchFault};
pub use selfcheck::{CheckResult, Checked, Path as CheckedPath, Patrol, Schedule, SelfCheckReport};
pub use set_aside::{InputShown, SetAsideDetail, SetAsideView};
pub use settling::{SettledShown, SettlementFault};
pub use signal_shown::{GroupView, KeepsView, SignalView};
pub use slow_model_loader::slow_model_loader;
pub use slow_models::SlowModelLoader;
pub use switching::{BudgetView, LargeModelView, ProviderView, ProvidersView, SwitchView, Switching};
pub use why_not::{ChangeShown, WhyNot};

pub use crate::telemetry::Format as MetricsFormat;
