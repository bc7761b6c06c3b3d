//! Asking one model: what it is given, what it says of it, and what of that is permitted.

use std::sync::Arc;

use super::Sight;
use super::consulted::{AgentReply, Consulted};
use super::said::{Asked, Ranking, Said, Silence};
use crate::agents::Reply;
use crate::bundle::{Conversion, FeatureSource, IfMissing, ModelPermit, Playbook, Reads, SmallModel};
use crate::domain::{Decimal, Field, Type, Unavailable, Value};
use crate::inference::{Candidates, Probability, Ranked, Scores, Workspace, passage};
use crate::rules::{Ref, Slot, Values};

/// Where the word of a playbook's models comes from.
#[derive(Clone, Copy, Debug)]
pub enum Answers<'a> {
    /// From the models: the quick ones are asked, the slow ones have been.
    Live {
        /// The number of the playbook.
        playbook: usize,
        /// What slow models said, of this playbook and of others.
        slow: &'a [SlowAnswer],
        /// What agents replied, of this playbook and of others.
        replies: &'a [AgentReply],
        /// Which of the playbook's agents can be asked; none that is not listed.
        served: &'a [bool],
        /// Whether there is no time to ask one that has not been.
        is_last: bool,
    },
    /// From the record: nobody is asked.
    Recorded(&'a [Asked], &'a [Consulted]),
}

/// Whom a decision needs to be asked before it can be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    /// A slow model, by its number among the playbook's.
    Model(usize),
    /// An agent.
    Agent {
        /// Its number among the playbook's.
        agent: usize,
        /// The values that it may choose, for each field that it sets; `None` for whatever the field allows.
        choices: Vec<Option<Vec<Value>>>,
    },
}

/// What a slow model said, outside the turn.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowAnswer {
    /// The number of the playbook.
    pub playbook: usize,
    /// The number of the model among the playbook's.
    pub model: usize,
    /// The probability of each of its labels and the scope score; or why there is none.
    pub scores: Result<SlowScores, Silence>,
}

/// The scores of a slow model.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowScores {
    /// The probability of each label.
    pub probabilities: Arc<[f32]>,
    /// How much the input looks like what the model knows.
    pub scope: f32,
}

impl Answers<'_> {
    /// From quick models alone; a slow one counts as late.
    pub const QUICK: Answers<'static> =
        Answers::Live { playbook: 0, slow: &[], replies: &[], served: &[], is_last: true };
}

/// What agents have replied.
#[derive(Clone, Copy)]
pub(super) struct Replies<'a> {
    /// The number of the playbook that asks.
    pub(super) playbook: usize,
    pub(super) replies: &'a [AgentReply],
    pub(super) served: &'a [bool],
    /// Whether one that has not replied counts as late.
    pub(super) is_last: bool,
}

impl<'a> Replies<'a> {
    /// Whether the numbered agent can be asked.
    pub(super) fn is_served(&self, agent: usize) -> bool {
        self.served.get(agent).copied().unwrap_or(false)
    }

    /// What the numbered agent replied.
    pub(super) fn of(&self, agent: usize) -> Option<&'a Reply> {
        let is_its = |reply: &&AgentReply| reply.playbook == self.playbook && reply.agent == agent;
        self.replies.iter().find(is_its).map(|of| &of.reply)
    }
}

/// What slow models have said.
#[derive(Clone, Copy)]
pub(super) struct Slow<'a> {
    /// The number of the playbook that asks.
    pub(super) playbook: usize,
    pub(super) answers: &'a [SlowAnswer],
    /// Whether one that has not answered counts as late.
    pub(super) is_last: bool,
}

/// What became of asking.
pub(super) enum Question {
    /// The model said something.
    Said(Said),
    /// It is too slow to be asked now.
    Slow,
}

/// The texts that a model reads, on lines of their own, as a slow model is given them. What is not there is left out.
pub fn joined_texts(model: &SmallModel, sight: &Sight<'_>) -> String {
    let Reads::Texts(slots) = &model.reads else { return String::new() };
    passage(slots.iter().filter_map(|slot| match sight.value(*slot) {
        Ok(Ref::Text(part)) => Some(part),
        _ => None,
    }))
}

/// One model asked for one decision.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) playbook: &'a Playbook,
    pub(super) sight: &'a Sight<'a>,
    /// The number of the permit in force.
    pub(super) permit: u16,
    /// What earlier models left plausible: the model that said so, and its proposals.
    pub(super) plausible: Option<(&'a SmallModel, &'a [u16])>,
}

impl Asking<'_> {
    /// Asks a quick model, or takes what a slow one has said. Allocates nothing but what is recorded.
    pub(super) fn ask(&self, number: usize, allowed: &[bool], slow: Slow<'_>, workspace: &mut Workspace) -> Question {
        let model = &self.playbook.models[number];
        if model.is_slow() {
            if let Reads::Texts(slots) = &model.reads
                && let Some(unread) = self.unread(slots)
            {
                return Question::Said(unread);
            }
            let is_asked = |answer: &&SlowAnswer| answer.playbook == slow.playbook && answer.model == number;
            return match slow.answers.iter().find(is_asked).map(|answer| &answer.scores) {
                Some(Ok(SlowScores { probabilities, scope })) => {
                    let scores = Scores { values: probabilities, scope: *scope };
                    Question::Said(Said::Ranked(self.rank(model, allowed, scores)))
                }
                Some(Err(silence)) => Question::Said(Said::Silent(*silence)),
                None if slow.is_last => Question::Said(Said::Silent(Silence::Late)),
                None => Question::Slow,
            };
        }
        Question::Said(self.ask_now(model, allowed, workspace))
    }

    fn ask_now(&self, model: &SmallModel, allowed: &[bool], workspace: &mut Workspace) -> Said {
        // INVARIANT: a bundle that decides has every model that its playbooks use (`compile`).
        let Some(kernel) = &model.model.kernel else { return Said::Silent(Silence::Failed) };
        let Workspace { kernels, features } = workspace;
        let temperature = model.model.manifest.temperature;
        let scores = match &model.reads {
            Reads::Texts(slots) => {
                if let Some(unread) = self.unread(slots) {
                    return unread;
                }
                kernel.score_texts(slots.iter().filter_map(|slot| self.text(*slot)), temperature, kernels)
            }
            Reads::Features(sources) => {
                if let Err(unread) = self.read(model, sources, features) {
                    return unread;
                }
                kernel.score_features(features, temperature, kernels)
            }
        };
        let Some(scores) = scores else { return Said::Silent(Silence::Failed) };
        match scores.values {
            [value] if model.model.manifest.is_regressor() => self.number(model, *value),
            _ => Said::Ranked(self.rank(model, allowed, scores)),
        }
    }

    fn text(&self, slot: Slot) -> Option<&str> {
        match self.sight.value(slot) {
            Ok(Ref::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Texts that are not there are left out; if none is there, the model is not asked.
    fn unread(&self, slots: &[Slot]) -> Option<Said> {
        let mut first = None;
        for (position, slot) in (0..).zip(slots) {
            match self.sight.value(*slot) {
                Ok(_) => return None,
                Err(reason) => first = first.or(Some(Said::Unread { position, reason })),
            }
        }
        first
    }

    fn read(&self, model: &SmallModel, sources: &[FeatureSource], row: &mut Vec<f32>) -> Result<(), Said> {
        row.clear();
        for ((position, source), feature) in (0..).zip(sources).zip(&model.model.manifest.features) {
            let value = self.sight.value(source.slot).and_then(|value| {
                // A text that the feature does not know is as good as none.
                source.conversion.feature(value).ok_or(Unavailable::Unknown)
            });
            row.push(match (value, feature.unavailable) {
                (Ok(value), _) => value,
                (Err(reason), IfMissing::Refuse) => return Err(Said::Unread { position, reason }),
                (Err(_), IfMissing::Missing) => f32::NAN,
                (Err(_), IfMissing::Number(number)) => number,
            });
        }
        Ok(())
    }

    /// What a regressor gives, as a value of the field that it sets.
    fn number(&self, model: &SmallModel, number: f32) -> Said {
        let [set] = *model.sets else { return Said::Silent(Silence::Failed) };
        let field = &self.playbook.outcome.fields()[set];
        let Some(value) = value_of(number, field) else { return Said::Silent(Silence::Failed) };
        let permit = self.model_permit();
        let is_permitted = permit.is_some_and(|permit| permit.allows(set, field, &value, &self.playbook.permit));
        Said::Number { value, is_permitted }
    }

    fn model_permit(&self) -> Option<&ModelPermit> {
        self.playbook.model_permits.get(usize::from(self.permit))
    }

    /// What the model finds likely, by proposal; what of it may be proposed.
    fn rank(&self, model: &SmallModel, allowed: &[bool], scores: Scores<'_>) -> Ranking {
        let labels = Ranked::of(scores.values);
        let proposals = labels.by_proposal(&model.proposal_of);
        let is_open = |number: u16| {
            let number = usize::from(number);
            allowed.get(number).is_some_and(|allowed| *allowed) && self.is_plausible(model, number)
        };
        let (kept, cut_in_all) = proposals.among(is_open);
        let is_best_open = proposals.best().is_some_and(|best| is_open(best.index));
        let is_out_of_scope = model.model.manifest.out_of_scope.is_out_of_scope(scores.scope, &labels);
        // Candidates are fitted on what is in scope: of anything else they say nothing.
        let candidates = model.candidates.filter(|_| !is_out_of_scope);
        Ranking {
            best: kept.scores().iter().take(Ranking::MAX).copied().collect(),
            plausible: candidates.map_or(0, |candidates| plausible(candidates, &proposals, is_open)),
            cut: proposals.scores().iter().find(|score| !is_open(score.index)).copied(),
            cut_in_all,
            uncut: if is_best_open { proposals.statistic(model.accept.of) } else { Probability::ZERO },
            is_out_of_scope,
        }
    }

    /// Whether an earlier model left a proposal of this one plausible: one of its own that says the same of the fields that
    /// both set.
    fn is_plausible(&self, model: &SmallModel, number: usize) -> bool {
        let Some((earlier, candidates)) = self.plausible else { return true };
        candidates.iter().any(|candidate| agrees((model, number), (earlier, usize::from(*candidate))))
    }
}

/// Whether two models' proposals say the same of the fields that both set.
fn agrees((model, number): (&SmallModel, usize), (earlier, candidate): (&SmallModel, usize)) -> bool {
    let said = earlier.sets.iter().zip(&earlier.proposals[candidate]);
    said.into_iter().all(|(field, value)| {
        let own = model.sets.iter().position(|set| set == field);
        own.is_none_or(|at| model.proposals[number][at] == *value)
    })
}

/// How many of the permitted remain plausible; 0 if they are more than are recorded, or if all that is plausible was cut: then
/// the model has nothing to say of the rest.
fn plausible(candidates: Candidates, proposals: &Ranked, is_open: impl Fn(u16) -> bool) -> u8 {
    let count = candidates.of(proposals).iter().filter(|score| is_open(score.index)).count();
    if count > Ranking::MAX { 0 } else { count as u8 }
}

/// A number as a value of a field: rounded to what the field's type can hold, half away from zero.
fn value_of(number: f32, field: &Field) -> Option<Value> {
    let number = f64::from(number);
    if !number.is_finite() {
        return None;
    }
    match field.ty {
        Type::Int if number.abs() < 9e15 => Some(Value::Int(number.round() as i64)),
        Type::Decimal if number.abs() < 9e11 => {
            Some(Value::Decimal(Decimal::from_units((number * 10_000.0).round() as i64)))
        }
        _ => None,
    }
}

impl Conversion {
    /// A value as a feature; `None` for one that the feature does not know.
    fn feature(&self, value: Ref<'_>) -> Option<f32> {
        let feature = match (self, value) {
            (Self::Scaled(_), Ref::Bool(value)) => f32::from(u8::from(value)),
            (Self::Scaled(factor), Ref::Number(ordinal)) => (ordinal as f64 * factor) as f32,
            (Self::Symbols(positions), Ref::Number(symbol)) => *positions.get(usize::try_from(symbol).ok()?)?,
            (Self::Texts(of), Ref::Text(text)) => f32::from(of.symbol(text)?),
            _ => return None,
        };
        (!feature.is_nan()).then_some(feature)
    }
}
