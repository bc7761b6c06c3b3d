//! The decider: asks the tiers in order and brings one approved outcome, always.
//!
//! The rules are asked first and their answer is always at hand. Where the rule that matches permits it, the playbook's models
//! are asked in their order; the first whose word is taken has its say, within the permit. A proposal that the guardrail
//! refuses gives way to the rules' answer, and that to the playbook's default, which was checked when the bundle was loaded.
//! The room knows no runtime, no clock and no I/O: what a slow model says comes in as a reading, and what any model said is
//! recorded, so that a replay asks nobody.
//!
//! | file | noun |
//! |---|---|
//! | `cascade` | the order of the tiers |
//! | `consult` | the models asked one after the other |
//! | `asking` | one model asked |
//! | `consult_agents` | the agents asked one after the other |
//! | `consulted` | what an agent said, and what that comes to |
//! | `questioning` | what an agent asks |
//! | `said` | what it said, and what that comes to |
//! | `sight` | what a decision sees |

mod asking;
mod cascade;
mod consult;
mod consult_agents;
mod consulted;
mod questioning;
#[cfg(test)]
mod questioning_tests;
mod said;
mod sight;
#[cfg(test)]
pub(crate) mod tests;

pub use asking::{Answers, Asks, SlowAnswer, SlowScores, joined_texts};
pub use cascade::{Decided, Ruling, decide, fallen_back};
pub use consulted::{AgentReply, AgentSaid, AgentWord, Consulted};
pub use questioning::{QuestionFor, question};
pub use said::{Asked, Ranking, Said, Silence, Word};
pub use sight::{Seen, Sight};

/// Reusable memory for decisions. Keep one per thread.
#[derive(Debug, Default)]
pub struct Workspace {
    /// What the rules need.
    pub rules: crate::rules::Scratch,
    /// What the models need.
    pub models: crate::inference::Workspace,
}
