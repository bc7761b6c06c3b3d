//! What a model said of a decision, as people and programs read it.

use std::sync::Arc;

use serde::Serialize;

use crate::bundle::{AcceptRule, Playbook, SmallModel};
use crate::decider::{Asked, Ranking, Said};
use crate::inference::{Probability, Score, Statistic};

/// A model that was asked for a decision: what it proposed, and what became of that.
#[derive(Clone, Debug, Serialize, PartialEq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ModelShown {
    /// The model's id and version.
    pub model: String,
    /// What its word came to: `accepted`, `unsure`, `out_of_scope`, `not_permitted`, `unavailable`, `late`, `shed`, `failed`.
    pub word: &'static str,
    /// Whether its proposal passed the guardrail and is the decision.
    pub decided: bool,
    /// The names that it was given.
    pub reads: Vec<String>,
    /// How sure it had to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub threshold: Option<ThresholdShown>,
    /// Its most likely permitted proposals, with their probabilities among what was permitted.
    pub proposals: Vec<ProposalShown>,
    /// How many of them remained plausible, and were all that the next tier could choose among; none if there was no such
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub candidates: Option<u8>,
    /// What was not permitted: the most likely of it, and the probability of all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub cut: Option<CutShown>,
    /// Why it said nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub silent: Option<String>,
}

/// How sure a model had to be.
#[derive(Clone, Debug, Serialize, PartialEq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ThresholdShown {
    /// What is compared: `confidence` or `margin`.
    pub of: &'static str,
    /// What it must reach.
    pub at_least: f64,
    /// What it was.
    pub was: f64,
    /// Where the threshold comes from.
    pub from: String,
}

/// One proposal of a model.
#[derive(Clone, Debug, Serialize, PartialEq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ProposalShown {
    /// What it says of the outcome.
    pub says: String,
    /// Its probability; none for a number, of which the model does not say how sure it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub probability: Option<f64>,
}

/// What was cut from a model's proposals, because the permit or an earlier model left no room for it.
#[derive(Clone, Debug, Serialize, PartialEq)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct CutShown {
    /// The most likely of it.
    pub says: String,
    /// The probability that the model gave it.
    pub probability: f64,
    /// The probability of everything that was cut.
    pub in_all: f64,
}

impl ModelShown {
    /// What the models said that were asked, in their order; `decided` is the number of the one that decided.
    pub(super) fn of(asked: &[Asked], decided: Option<u16>, playbook: &Playbook) -> Vec<Self> {
        let shown = |asked: &Asked| {
            let model = playbook.models.get(usize::from(asked.model))?;
            Some(one(&asked.said, model, decided == Some(asked.model), playbook))
        };
        asked.iter().filter_map(shown).collect()
    }
}

fn one(said: &Said, model: &SmallModel, decided: bool, playbook: &Playbook) -> ModelShown {
    let path = |slot| playbook.scope.declared(slot).path.to_string();
    let reads: Vec<String> = model.slots().map(path).collect();
    let mut shown = ModelShown {
        model: model.name.to_string(),
        word: said.word(model).as_str(),
        decided,
        threshold: None,
        proposals: Vec::new(),
        candidates: None,
        cut: None,
        silent: None,
        reads,
    };
    match said {
        Said::Ranked(ranking) => fill(&mut shown, ranking, model, playbook),
        Said::Number { value, .. } => {
            let field = model.sets.first().and_then(|set| playbook.outcome.fields().get(*set));
            let says = field.map(|field| format!("{} = {}", field.name, field.ty.show(value)));
            shown.proposals.extend(says.map(|says| ProposalShown { says, probability: None }));
        }
        Said::Unread { position, reason } => {
            let name = shown.reads.get(usize::from(*position)).cloned().unwrap_or_default();
            shown.silent = Some(format!("{name}: {reason}"));
        }
        Said::Silent(_) => shown.silent = Some(said.word(model).as_str().to_owned()),
    }
    shown
}

fn fill(shown: &mut ModelShown, ranking: &Ranking, model: &SmallModel, playbook: &Playbook) {
    let says = |score: &Score| model.show(usize::from(score.index), &playbook.outcome);
    shown.threshold = Some(ThresholdShown {
        of: statistic(model.accept.of),
        at_least: model.accept.threshold.as_f64(),
        was: ranking.statistic(&model.accept).as_f64(),
        from: origin(&model.accept.rule),
    });
    shown.proposals = ranking
        .best
        .iter()
        .map(|score| ProposalShown { says: says(score), probability: Some(score.probability.as_f64()) })
        .collect();
    shown.candidates = (ranking.plausible > 0).then_some(ranking.plausible);
    shown.cut = ranking.cut.map(|score| CutShown {
        says: says(&score),
        probability: score.probability.as_f64(),
        in_all: ranking.cut_in_all.as_f64(),
    });
}

/// What a threshold compares, in a word.
pub(super) fn statistic(of: Statistic) -> &'static str {
    match of {
        Statistic::Confidence => "confidence",
        Statistic::Margin => "margin",
    }
}

fn origin(rule: &AcceptRule) -> String {
    match rule {
        AcceptRule::Given => "given in the playbook".to_owned(),
        AcceptRule::Certified { target_precision, confidence, .. } => {
            format!("certified for a precision of {target_precision} with confidence {confidence}")
        }
        AcceptRule::Escalating { share_max, .. } => {
            format!("chosen so that at most {share_max} of the cases are unsure")
        }
        AcceptRule::Always => "whatever the model says is taken".to_owned(),
    }
}

/// Why a model's word was taken or was not, as a reason of the decision.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelReason {
    /// The model's id and version.
    pub model: Arc<str>,
    /// What its word came to.
    pub word: crate::decider::Word,
    /// How sure it was, if it said.
    pub confidence: Option<Probability>,
}
