//! Asking a playbook's models and then its agents one after the other, until the word of one is taken.

use super::asking::{Answers, Asking, Asks, Question, Replies, Slow};
use super::cascade::{Advice, By};
use super::consult_agents::{Left, consult_agents, recorded_agents, take_down};
use super::said::{Asked, Said, Word};
use crate::bundle::{Playbook, SmallModel};
use crate::domain::{FallbackReason, Value};
use crate::inference::Workspace;

/// Asks the models in order, then the agents; or says who must be asked first.
///
/// Each model chooses among what the permit opens and what the one before it left plausible, if that leaves a choice. A model or an
/// agent some of whose fields the permit does not open is passed over.
pub(super) fn consult(asking: Asking<'_>, answers: Answers<'_>, workspace: &mut Workspace) -> Result<Advice, Asks> {
    let mut advice = Advice::default();
    match answers {
        Answers::Live { playbook, slow, replies, served, is_last } => {
            let slow = Slow { playbook, answers: slow, is_last };
            let replies = Replies { playbook, replies, served, is_last };
            live(asking, (slow, replies), workspace, &mut advice)?;
            take_down(asking.playbook, replies, &mut advice);
        }
        Answers::Recorded(asked, agents) => {
            recorded(&asking, asked, &mut advice);
            recorded_agents(asking.playbook, agents, &mut advice);
        }
    }
    Ok(advice)
}

/// What was asked for a decision that asks nobody any more, for its rule permits nothing: it is taken down and changes nothing.
pub(super) fn unneeded(playbook: &Playbook, answers: Answers<'_>) -> Advice {
    let mut advice = Advice::default();
    match answers {
        Answers::Live { playbook: number, replies, served, is_last, .. } => {
            take_down(playbook, Replies { playbook: number, replies, served, is_last }, &mut advice);
        }
        Answers::Recorded(_, agents) => advice.agents = agents.to_vec(),
    }
    advice
}

fn live(
    asking: Asking<'_>,
    (slow, replies): (Slow<'_>, Replies<'_>),
    workspace: &mut Workspace,
    advice: &mut Advice,
) -> Result<(), Asks> {
    let mut plausible: Vec<u16> = Vec::new();
    let mut by = None;
    for (number, model) in asking.playbook.models.iter().enumerate() {
        let Some(Some(allowed)) = model.permitted.get(usize::from(asking.permit)) else { continue };
        // One candidate alone would be certain of itself, whatever the next model thinks of it.
        let asking = Asking { plausible: by.map(|by| (by, &*plausible)).filter(|(_, of)| of.len() > 1), ..asking };
        let said = match asking.ask(number, allowed, slow, workspace) {
            Question::Said(said) => said,
            Question::Slow => return Err(Asks::Model(number)),
        };
        let candidates: Option<Vec<u16>> = match &said {
            Said::Ranked(ranked) => ranked.candidates().map(Iterator::collect),
            _ => None,
        };
        if advice.enter(number as u16, said, model) == Word::Accepted {
            return Ok(());
        }
        if let Some(candidates) = candidates {
            (by, plausible) = (Some(model), candidates);
        }
    }
    let left = Left { permit: asking.permit, plausible: by.map(|by| (by, &*plausible)) };
    consult_agents(asking.playbook, (asking.sight, left), replies, advice)
}

/// What was said then comes to what it came to then, for a threshold is part of the bundle.
fn recorded(asking: &Asking<'_>, asked: &[Asked], advice: &mut Advice) {
    for Asked { model: number, said } in asked {
        let Some(model) = asking.playbook.models.get(usize::from(*number)) else { continue };
        if advice.enter(*number, said.clone(), model) == Word::Accepted {
            break;
        }
    }
}

impl Advice {
    /// Takes what a model said.
    fn enter(&mut self, number: u16, said: Said, model: &SmallModel) -> Word {
        let word = said.word(model);
        self.fallback = word.fallback();
        if word == Word::Accepted {
            self.taken = proposed(&said, model).map(|values| (By::Model(number), values));
        }
        if word == Word::Accepted && self.taken.is_none() {
            self.fallback = Some(FallbackReason::ModelFailed);
        }
        self.asked.push(Asked { model: number, said });
        word
    }
}

/// The fields that a model sets, with the values that it proposes.
fn proposed(said: &Said, model: &SmallModel) -> Option<Vec<(usize, Value)>> {
    match said {
        Said::Ranked(ranked) => {
            let best = ranked.best.first()?;
            let values = model.proposals.get(usize::from(best.index))?;
            Some(model.sets.iter().copied().zip(values.iter().cloned()).collect())
        }
        Said::Number { value, .. } => Some(vec![(*model.sets.first()?, value.clone())]),
        Said::Unread { .. } | Said::Silent(_) => None,
    }
}
