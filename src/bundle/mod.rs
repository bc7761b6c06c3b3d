//! Bundles: checked playbooks, tables and declarations, compiled, immutable, named by the hash of their files.
//!
//! Pure: texts go in, a [`Bundle`] or all faults come out. Files are read by whoever has them; the journal keeps the texts
//! of every bundle that ever decided, so that any decision can be explained and replayed.
//!
//! | file | noun |
//! |---|---|
//! | `sources` | the files and their hash |
//! | `compile` | the bundle |
//! | `playbook` | one kind of decision |
//! | `outcome` | the shape of what is decided, and a value of it |
//! | `permit`, `limit`, `cap` | what the guardrail lets out |
//! | `artifacts` | the files of models, and their hashes |
//! | `manifest`, `manifest_reader` | what is known of a model |
//! | `model`, `model_loader` | a model, and a playbook's use of it |
//! | `agent` | an agent, and a playbook's use of it |
//! | `model_permit` | what models may choose |
//! | `flow` | how often a playbook may decide |
//! | `schema_reader`, `context_reader`, `tags_reader`, `signal_reader`, `grouping_reader`, `list_reader`, `condition_reader`, `consent_reader`, `flow_reader`, `playbook_reader`, `rule_reader`, `limit_reader`, `cap_reader`, `model_reader`, `mapping_reader`, `accept_reader`, `agent_reader`, `agent_use_reader` | reading the files |

mod accept_reader;
mod ack_reader;
mod agent;
mod agent_reader;
#[cfg(test)]
pub(crate) mod agent_tests;
mod agent_use_reader;
mod artifacts;
mod cap;
mod cap_reader;
#[cfg(test)]
pub(crate) mod cap_tests;
mod compile;
mod condition_reader;
mod consent_reader;
#[cfg(test)]
mod consent_tests;
mod context_reader;
#[cfg(test)]
mod context_tests;
mod flow;
mod flow_reader;
mod grouping_reader;
mod hit_policy_reader;
mod limit;
mod limit_reader;
#[cfg(test)]
pub(crate) mod limit_tests;
mod list_reader;
mod manifest;
mod manifest_reader;
mod mapping_reader;
mod model;
mod model_loader;
mod model_permit;
mod model_reader;
#[cfg(test)]
pub(crate) mod model_tests;
mod outcome;
mod permit;
mod playbook;
mod playbook_reader;
mod rule_reader;
mod schema_reader;
mod signal_reader;
mod sources;
mod tags_reader;
#[cfg(test)]
pub(crate) mod tests;

pub use agent::{Agent, AgentExample, AgentInput, AgentKind, AgentUse, Choices};
pub use artifacts::{Artifacts, ContentHash};
pub use cap::{CAPS_MAX, Cap, CapScope, Measure, OnViolation, Share};
pub use compile::{
    AGENT_FOLDER, Bundle, CALIBRATION_FILE, CONTEXT_FILE, LIST_FOLDER, MANIFEST_FILE, MODEL_FOLDER, PLAYBOOK_FOLDER,
    PLAYBOOKS_PER_EVENT_MAX, TABLE_FOLDER,
};
pub use flow::{Flow, Throttle};
pub use limit::{Bound, LIMITS_MAX, Limit, LimitTest};
pub use manifest::{Feature, FeatureType, IfMissing, Manifest, ModelFile, ModelKind, ModelName, TrainingSet};
pub use model::{AcceptRule, Acceptance, Conversion, FeatureSource, Model, Reads, SmallModel};
pub use model_permit::ModelPermit;
pub use outcome::{Outcome, OutcomeSchema};
pub use permit::{Permit, Permitted};
pub use playbook::{
    Ack, AttributeAt, ContextSource, DefaultOutcome, Ordering, PRIORITY_DEFAULT, Playbook, RequiredConsent, SlotSource,
    WhenDiskFull,
};
pub use sources::{BundleId, Sources};
