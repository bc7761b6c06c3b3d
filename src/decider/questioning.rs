//! What an agent asks: its prompt, made of what the decision sees.

use super::Sight;
use crate::agents::Question;
use crate::bundle::{AgentUse, Playbook};
use crate::domain::Value;

/// What a question is made for.
#[derive(Clone, Copy, Debug)]
pub struct QuestionFor {
    /// Names the decision: a hash of tenant, customer, event and playbook.
    pub decision: u64,
    /// Names the customer and the consents that stand: whom a kept answer may be given to where the prompt holds anything of
    /// the customer's own.
    pub customer: u128,
}

/// The question of an agent of a playbook. The same values give the same question, byte for byte.
///
/// `choices` are the values that each of its fields may take: what the permit opens, narrowed to what earlier tiers left plausible.
pub fn question(
    playbook: &Playbook,
    agent: &AgentUse,
    sight: &Sight<'_>,
    choices: &[Option<Vec<Value>>],
    made_for: QuestionFor,
) -> Question {
    let _ = (playbook, agent, sight, choices, made_for);
    unreachable!("no bundle has an agent yet")
}
