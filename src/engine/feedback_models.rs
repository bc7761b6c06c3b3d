//! Whether what models proposed was right, as far as feedback says: of those whose word was taken, and of those whose was not.

use std::sync::Arc;

use super::feedback_check::Judged;
use crate::bundle::SmallModel;
use crate::decider::{Asked, Said};
use crate::domain::{FeedbackVerdict, Value};
use crate::turn::FeedbackInput;

/// The models that proposed something, and whether it was right; those of which that cannot be told are left out.
///
/// What would have been right is what the label means, if the model has such a label; else the corrected fields, with those that
/// are not named as they were decided; else, if the decision was accepted, all that was decided.
pub(super) fn judged_models(input: &FeedbackInput, judged: Judged<'_>, asked: &[Asked]) -> Vec<(Arc<str>, bool)> {
    let models = &judged.playbook.models;
    let of = |asked: &Asked| {
        let model = models.get(usize::from(asked.model))?;
        let Said::Ranked(ranking) = &asked.said else { return None };
        let proposed = ranking.best.first().filter(|_| !ranking.is_out_of_scope)?.index;
        let is_correct = match right_label(input, model) {
            Some(right) => right == Some(proposed),
            None => {
                let right = right_fields(input, model, judged)?;
                model.proposals.get(usize::from(proposed)).is_some_and(|values| **values == right[..])
            }
        };
        Some((Arc::clone(&model.name), is_correct))
    };
    asked.iter().filter_map(of).collect()
}

/// The proposal that the label means, if any; `None` if there is no label, or the model does not know it.
fn right_label(input: &FeedbackInput, model: &SmallModel) -> Option<Option<u16>> {
    let symbol = model.model.manifest.labels.symbol(input.label.as_deref()?)?;
    Some(model.proposal_of.get(usize::from(symbol)).copied().flatten())
}

/// The values that the fields of a model should have had, in its order.
fn right_fields(input: &FeedbackInput, model: &SmallModel, judged: Judged<'_>) -> Option<Vec<Value>> {
    let is_told = !input.corrected.is_empty() || input.verdict == Some(FeedbackVerdict::Accepted);
    let right = |number: &usize| {
        let field = &judged.playbook.outcome.fields()[*number];
        match input.corrected.iter().find(|(name, _)| **name == *field.name) {
            Some((_, raw)) => field.ty.accept(raw.clone()).ok(),
            None => judged.outcome.get(*number).cloned(),
        }
    };
    if is_told { model.sets.iter().map(right).collect() } else { None }
}
