//! Asking a playbook's models one after the other, until the word of one is taken.

use super::asking::{Answers, Asking, Question, Slow};
use super::cascade::Advice;
use super::said::{Asked, Said, Word};
use crate::bundle::SmallModel;
use crate::domain::{FallbackReason, Value};
use crate::inference::Workspace;

/// Asks the models in order; or says which slow one must be asked first.
///
/// Each chooses among what the permit opens and what the one before it left plausible. A model some of whose fields the permit
/// does not open is passed over.
pub(super) fn consult(asking: Asking<'_>, answers: Answers<'_>, workspace: &mut Workspace) -> Result<Advice, usize> {
    match answers {
        Answers::Live { playbook, slow, is_last } => live(asking, Slow { playbook, answers: slow, is_last }, workspace),
        Answers::Recorded(asked) => Ok(recorded(&asking, asked)),
    }
}

fn live(asking: Asking<'_>, slow: Slow<'_>, workspace: &mut Workspace) -> Result<Advice, usize> {
    let mut advice = Advice::default();
    let mut plausible: Vec<u16> = Vec::new();
    let mut by = None;
    for (number, model) in asking.playbook.models.iter().enumerate() {
        let Some(Some(allowed)) = model.permitted.get(usize::from(asking.permit)) else { continue };
        let asking = Asking { plausible: by.map(|by| (by, &*plausible)), ..asking };
        let said = match asking.ask(number, allowed, slow, workspace) {
            Question::Said(said) => said,
            Question::Slow => return Err(number),
        };
        let candidates: Option<Vec<u16>> = match &said {
            Said::Ranked(ranked) => ranked.candidates().map(Iterator::collect),
            _ => None,
        };
        if advice.enter(number as u16, said, model) == Word::Accepted {
            break;
        }
        if let Some(candidates) = candidates {
            (by, plausible) = (Some(model), candidates);
        }
    }
    Ok(advice)
}

/// What was said then comes to what it came to then, for a threshold is part of the bundle.
fn recorded(asking: &Asking<'_>, asked: &[Asked]) -> Advice {
    let mut advice = Advice::default();
    for Asked { model: number, said } in asked {
        let Some(model) = asking.playbook.models.get(usize::from(*number)) else { continue };
        if advice.enter(*number, said.clone(), model) == Word::Accepted {
            break;
        }
    }
    advice
}

impl Advice {
    /// Takes what a model said.
    fn enter(&mut self, number: u16, said: Said, model: &SmallModel) -> Word {
        let word = said.word(model);
        self.fallback = word.fallback();
        if word == Word::Accepted {
            self.taken = proposed(&said, model).map(|values| (number, values));
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
