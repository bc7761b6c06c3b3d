//! What an agent asks: its prompt, made of what the decision sees.

use std::borrow::Cow;
use std::sync::Arc;

use super::Sight;
use crate::agents::{AnswerField, AnswerFormat, Question, Sharing, spoken};
use crate::bundle::{AgentUse, Playbook};
use crate::domain::{Decimal, TimeDelta, Timestamp, Type, Value};
use crate::rules::{Ref, Slot, Values};

/// What a question is made for.
#[derive(Clone, Copy, Debug)]
pub struct QuestionFor {
    /// Names the decision: a hash of tenant, customer, event and playbook.
    pub decision: u64,
    /// Names the customer and the consents that stand: whom a kept answer may be given to where the prompt holds anything of
    /// the customer's own.
    pub customer: u128,
    /// The hash that names the bundle.
    pub bundle: [u8; 32],
}

/// The question of an agent of a playbook. The same values give the same question, byte for byte.
///
/// `choices` are the values that each of its fields may take: what the permit opens, narrowed to what earlier tiers left plausible.
/// What the playbook's purpose may not see and what is not there is absent from the prompt.
pub fn question(
    playbook: &Playbook,
    agent: &AgentUse,
    sight: &Sight<'_>,
    choices: &[Option<Vec<Value>>],
    made_for: QuestionFor,
) -> Question {
    let given: Vec<Option<Cow<'_, str>>> = agent.reads.iter().map(|slot| said(playbook, sight, (*slot)?)).collect();
    let format = format(playbook, agent, choices);
    let messages = agent.prompt.messages(&given, &format);
    let asked = &agent.agent;
    Question {
        bundle: made_for.bundle,
        agent: Arc::clone(&agent.name),
        playbook: Arc::clone(&playbook.name),
        targets: Arc::clone(&asked.targets),
        choose: asked.choose,
        messages,
        format: Arc::new(format),
        answer_tokens: asked.answer_tokens,
        temperature_milli: asked.temperature_milli,
        cost_max: asked.cost_max,
        budgets: Arc::clone(&agent.budgets),
        chance_min_milli: asked.chance_min_milli,
        cache: asked.cache,
        sharing: if asked.is_shared { Sharing::Everyone } else { Sharing::Customer(made_for.customer) },
        spread: made_for.decision,
        trace: None,
        has_span: false,
    }
}

fn format(playbook: &Playbook, agent: &AgentUse, choices: &[Option<Vec<Value>>]) -> AnswerFormat {
    let mut choices = choices.iter();
    let field = |number: &usize| AnswerField {
        field: playbook.outcome.fields()[*number].clone(),
        choices: choices.next().and_then(|choices| choices.as_deref().map(Box::from)),
    };
    AnswerFormat::new(agent.sets.iter().map(field).collect(), agent.agent.reason_bytes_max)
}

/// What is seen of a name, in words; `None` if nothing is.
fn said<'s>(playbook: &Playbook, sight: &'s Sight<'_>, slot: Slot) -> Option<Cow<'s, str>> {
    let ty = &playbook.scope.declared(slot).ty;
    let value = match sight.value(slot).ok()? {
        Ref::Text(text) => return Some(Cow::Borrowed(text)),
        Ref::Bool(value) => Value::Bool(value),
        Ref::List(items) => Value::List(items.into()),
        Ref::Number(ordinal) => match ty {
            Type::OneOf(_) => Value::Symbol(u16::try_from(ordinal).ok()?),
            Type::Decimal => Value::Decimal(Decimal::from_units(ordinal)),
            Type::Time => Value::Time(Timestamp::from_micros(ordinal)),
            Type::Duration => Value::Duration(TimeDelta::from_micros(ordinal)),
            _ => Value::Int(ordinal),
        },
    };
    Some(Cow::Owned(spoken(ty, &value).into_owned()))
}
