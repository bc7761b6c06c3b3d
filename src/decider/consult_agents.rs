//! Asking a playbook's agents one after the other, once its models have not decided.

use super::Sight;
use super::asking::{Asks, Replies};
use super::cascade::{Advice, By};
use super::consulted::{AgentSaid, AgentWord, Consulted};
use crate::agents::{Call, Reply, Silence};
use crate::bundle::{AgentUse, Choices, Playbook, SmallModel};
use crate::domain::Value;
use crate::rules::Values;

/// What is left to choose among: the number of the permit in force, and what the last model that could tell left plausible.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) permit: u16,
    pub(super) plausible: Option<(&'a SmallModel, &'a [u16])>,
}

/// Asks the agents in order, as far as there are replies; or says which must be asked first.
pub(super) fn consult_agents(
    playbook: &Playbook,
    (sight, left): (&Sight<'_>, Left<'_>),
    replies: Replies<'_>,
    advice: &mut Advice,
) -> Result<(), Asks> {
    for (number, agent) in playbook.agents.iter().enumerate().filter(|(number, _)| replies.is_served(*number)) {
        let Some(Some(choices)) = agent.choices.get(usize::from(left.permit)) else { continue };
        let consulted = match replies.of(number) {
            Some(reply) => consulted(number, agent, Some(left.permit), reply, playbook),
            None if is_blind(agent, sight) => {
                let said = AgentSaid::Silent(Silence::InputUnavailable);
                Consulted { agent: number as u16, said, had_a_say: true, call: Call::default() }
            }
            None if replies.is_last => {
                let said = AgentSaid::Silent(Silence::Late);
                Consulted { agent: number as u16, said, had_a_say: true, call: Call::default() }
            }
            None => {
                let choices = narrowed(agent, choices, left.plausible);
                return Err(Asks::Agent { agent: number, choices });
            }
        };
        if advice.enter_agent(consulted, agent) == AgentWord::Accepted {
            break;
        }
    }
    Ok(())
}

/// Takes down what agents replied whose word is not needed any more: it has been paid for.
pub(super) fn take_down(playbook: &Playbook, replies: Replies<'_>, advice: &mut Advice) {
    for (number, agent) in playbook.agents.iter().enumerate() {
        let is_known = |known: &Consulted| usize::from(known.agent) == number;
        if let Some(reply) = replies.of(number).filter(|_| !advice.agents.iter().any(is_known)) {
            advice.agents.push(consulted(number, agent, None, reply, playbook));
        }
    }
}

/// What agents said then comes to what it came to then.
pub(super) fn recorded_agents(playbook: &Playbook, recorded: &[Consulted], advice: &mut Advice) {
    for consulted in recorded {
        let Some(agent) = playbook.agents.get(usize::from(consulted.agent)) else { continue };
        if consulted.had_a_say {
            advice.enter_agent(consulted.clone(), agent);
        } else {
            advice.agents.push(consulted.clone());
        }
    }
}

/// A reply as it is recorded; without a permit nothing of it is permitted.
fn consulted(number: usize, agent: &AgentUse, permit: Option<u16>, reply: &Reply, playbook: &Playbook) -> Consulted {
    let said = match &reply.answer {
        Ok(answer) => AgentSaid::Proposed {
            is_permitted: permit.is_some_and(|permit| is_permitted(agent, permit, &answer.values, playbook)),
            values: answer.values.clone(),
            reason: answer.reason.clone(),
        },
        Err(silence) => AgentSaid::Silent(*silence),
    };
    Consulted { agent: number as u16, said, had_a_say: permit.is_some(), call: reply.call.clone() }
}

/// Whether an agent may choose these values: by what it may choose under the permit, and by the permit itself. What a model says
/// widens nothing.
fn is_permitted(agent: &AgentUse, permit: u16, values: &[Value], playbook: &Playbook) -> bool {
    let number = usize::from(permit);
    let (Some(Some(choices)), Some(permit)) = (agent.choices.get(number), playbook.model_permits.get(number)) else {
        return false;
    };
    let is_open = |((set, value), choices): ((&usize, &Value), &Option<Box<[Value]>>)| {
        let Some(field) = playbook.outcome.fields().get(*set) else { return false };
        // Of a list the choices are what each of its items may be.
        let items = if let Value::List(items) = value { &**items } else { std::slice::from_ref(value) };
        let is_choice = choices.as_ref().is_none_or(|choices| items.iter().all(|item| choices.contains(item)));
        is_choice && permit.allows(*set, field, value, &playbook.permit)
    };
    values.len() == agent.sets.len() && agent.sets.iter().zip(values).zip(choices).all(is_open)
}

/// Whether nothing is there of all that an agent reads.
fn is_blind(agent: &AgentUse, sight: &Sight<'_>) -> bool {
    !agent.reads.is_empty() && !agent.slots().any(|slot| sight.value(slot).is_ok())
}

/// What an agent may choose, less what an earlier model has left no chance, the likeliest first. A model that leaves but one value
/// of a field has not been believed, so it narrows nothing.
fn narrowed(agent: &AgentUse, choices: &Choices, plausible: Option<(&SmallModel, &[u16])>) -> Vec<Option<Vec<Value>>> {
    let of_field = |(set, choices): (&usize, &Option<Box<[Value]>>)| {
        let choices = choices.as_ref()?;
        let likely = plausible.and_then(|(model, candidates)| {
            let at = model.sets.iter().position(|of| of == set)?;
            let mut likely: Vec<Value> = Vec::with_capacity(candidates.len());
            for value in candidates.iter().filter_map(|number| model.proposals.get(usize::from(*number))?.get(at)) {
                if choices.contains(value) && !likely.contains(value) {
                    likely.push(value.clone());
                }
            }
            (likely.len() > 1).then_some(likely)
        });
        Some(likely.unwrap_or_else(|| choices.to_vec()))
    };
    agent.sets.iter().zip(choices).map(of_field).collect()
}

impl Advice {
    /// Takes what an agent said.
    fn enter_agent(&mut self, consulted: Consulted, agent: &AgentUse) -> AgentWord {
        let word = consulted.said.word(agent);
        self.fallback = word.fallback();
        if let (AgentWord::Accepted, AgentSaid::Proposed { values, .. }) = (word, &consulted.said) {
            let proposed = agent.sets.iter().copied().zip(values.iter().cloned());
            self.taken = Some((By::Agent(consulted.agent), proposed.collect()));
        }
        self.agents.push(consulted);
        word
    }
}
