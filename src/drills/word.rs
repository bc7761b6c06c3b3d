//! What models and agents say in a drill.

use crate::agents::{self, Call};
use crate::bundle::{AgentKind, AgentUse, Playbook, SmallModel};
use crate::decider::{AgentSaid, AgentWord, Asked, Consulted, Ranking, Said, Silence, Word};
use crate::domain::{Unavailable, Value};
use crate::inference::{Probability, ScopeCheck, Score};
use crate::turn::{ModelReadings, RecordedModels};

/// What is said to a decision.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Says {
    /// Nobody is asked.
    Nobody,
    /// Every model that is asked says this, as far as it can, or that it is not sure.
    Models(Word),
    /// No model is sure, and the word of every agent that is asked comes to this, as far as it can, or to silence.
    Agents(AgentWord),
    /// No model is sure, and the numbered agent proposes these values, which it may choose.
    Agent(usize, Box<[Value]>),
    /// The numbered model is sure of the numbered proposal.
    Model(usize, u16),
}

impl Says {
    /// What is read of it by a turn of the numbered playbook, whose permit in force has this number; `None` if it cannot be said
    /// under that permit.
    pub(super) fn readings(&self, number: usize, playbook: &Playbook, permit: Option<u16>) -> Option<ModelReadings> {
        if *self == Self::Nobody {
            return Some(ModelReadings::Recorded(Vec::new()));
        }
        let permit = usize::from(permit?);
        let models = || playbook.models.iter().enumerate().filter(move |(_, model)| is_open(model, permit));
        let agents = || playbook.agents.iter().enumerate().filter(move |(_, agent)| is_choosing(agent, permit));
        let says = |model, word| said_by(model, playbook, permit, word);
        let unsure = || models().map(|(nth, model)| asked(nth, says(model, Word::Unsure)?)).collect();
        let (asked, agents): (Option<Vec<Asked>>, Vec<Consulted>) = match self {
            Self::Nobody => (Some(Vec::new()), Vec::new()),
            Self::Models(word) => {
                let said = |model| says(model, *word).or_else(|| says(model, Word::Unsure));
                (models().map(|(nth, model)| asked(nth, said(model)?)).collect(), Vec::new())
            }
            Self::Agents(word) => {
                let said = agents().map(|(nth, agent)| consulted(nth, said_by_agent(agent, playbook, *word)));
                (unsure(), said.collect())
            }
            Self::Agent(nth, values) => {
                agents().find(|(of, _)| of == nth)?;
                let said = AgentSaid::Proposed { values: values.clone(), reason: None, is_permitted: true };
                (unsure(), vec![consulted(*nth, said)])
            }
            Self::Model(nth, proposal) => {
                let (_, model) = models().find(|(of, _)| of == nth)?;
                if !is_permitted(model, permit, *proposal) {
                    return None;
                }
                let sure = Score { index: *proposal, probability: Probability::ONE };
                let ranking =
                    Ranking { best: [sure].into_iter().collect(), uncut: Probability::ONE, ..Ranking::default() };
                (Some(vec![asked(*nth, Said::Ranked(ranking))?]), Vec::new())
            }
        };
        let asked = asked?;
        if asked.is_empty() && agents.is_empty() {
            return None;
        }
        Some(ModelReadings::Recorded(vec![RecordedModels { playbook: number, asked, agents }]))
    }

    /// Everything that models and agents of a playbook may propose, up to a bound for each.
    pub(super) fn proposals(playbook: &Playbook) -> Vec<Self> {
        let mut says = vec![Self::Nobody];
        for (nth, model) in playbook.models.iter().enumerate() {
            says.extend((0..model.proposals.len().min(PROPOSALS_MAX) as u16).map(|of| Self::Model(nth, of)));
        }
        for (nth, agent) in playbook.agents.iter().enumerate() {
            for choices in agent.choices.iter().flatten() {
                let most = choices.iter().flatten().map(|of| of.len()).max().unwrap_or(0);
                let pick = |at: usize| {
                    let values = agent.sets.iter().zip(choices).map(|(field, choices)| match choices {
                        Some(choices) => choices.get(at).or_else(|| choices.last()).cloned(),
                        None => playbook.default.values.get(*field).cloned(),
                    });
                    values.collect::<Option<Box<[Value]>>>()
                };
                says.extend((0..most.min(PROPOSALS_MAX)).filter_map(pick).map(|values| Self::Agent(nth, values)));
            }
        }
        says
    }
}

/// Proposals of one model or agent that are tried at most.
const PROPOSALS_MAX: usize = 16;

fn asked(nth: usize, said: Said) -> Option<Asked> {
    Some(Asked { model: u16::try_from(nth).ok()?, said })
}

fn consulted(nth: usize, said: AgentSaid) -> Consulted {
    Consulted { agent: nth as u16, said, had_a_say: true, call: Call::default() }
}

/// Whether a model is asked under a permit.
fn is_open(model: &SmallModel, permit: usize) -> bool {
    matches!(model.permitted.get(permit), Some(Some(_)))
}

fn is_permitted(model: &SmallModel, permit: usize, proposal: u16) -> bool {
    let permitted = model.permitted.get(permit).and_then(Option::as_ref);
    permitted.and_then(|of| of.get(usize::from(proposal))).copied().unwrap_or(false)
}

/// Whether an agent is asked under a permit.
fn is_choosing(agent: &AgentUse, permit: usize) -> bool {
    matches!(agent.choices.get(permit), Some(Some(_)))
}

/// How an agent says a word. Only one that advises can be heard as advice: others are silent.
fn said_by_agent(agent: &AgentUse, playbook: &Playbook, word: AgentWord) -> AgentSaid {
    let is_advisory = agent.agent.kind == AgentKind::Advisory;
    let is_permitted = match word {
        AgentWord::Silent(silence) => return AgentSaid::Silent(silence),
        AgentWord::Advised if is_advisory => true,
        AgentWord::NotPermitted => false,
        AgentWord::Accepted | AgentWord::Advised | AgentWord::Unneeded => {
            return AgentSaid::Silent(agents::Silence::Late);
        }
    };
    let values = agent.sets.iter().filter_map(|field| playbook.default.values.get(*field).cloned());
    AgentSaid::Proposed { values: values.collect(), reason: None, is_permitted }
}

/// How a model says a word; `None` if it never does.
fn said_by(model: &SmallModel, playbook: &Playbook, permit: usize, word: Word) -> Option<Said> {
    let first = (0..model.proposals.len() as u16).find(|proposal| is_permitted(model, permit, *proposal));
    let unlikely = first.map(|index| Score { index, probability: Probability::ZERO });
    let ranking = Ranking { best: unlikely.into_iter().collect(), ..Ranking::default() };
    let is_regressor = model.model.manifest.is_regressor();
    let said = match word {
        Word::Accepted => return None,
        Word::Unsure => Said::Ranked(ranking),
        Word::OutOfScope => Said::Ranked(Ranking { is_out_of_scope: true, ..ranking }),
        Word::NotPermitted if is_regressor => {
            let value = playbook.default.values.get(*model.sets.first()?)?.clone();
            Said::Number { value, is_permitted: false }
        }
        Word::NotPermitted => Said::Ranked(Ranking::default()),
        Word::Unread => Said::Unread { position: 0, reason: Unavailable::Absent },
        Word::Late if model.is_slow() => Said::Silent(Silence::Late),
        Word::Shed if model.is_slow() => Said::Silent(Silence::Shed),
        Word::Late | Word::Shed => return None,
        Word::Failed => Said::Silent(Silence::Failed),
    };
    (said.word(model) == word).then_some(said)
}

/// The words that can make the models of a playbook end in a fallback.
pub(super) fn model_words(playbook: &Playbook) -> impl Iterator<Item = Word> + '_ {
    let can = |model: &SmallModel, word| match word {
        Word::Accepted => false,
        Word::OutOfScope => model.model.manifest.out_of_scope != ScopeCheck::Off,
        Word::Unsure => !model.model.manifest.is_regressor() && model.accept.threshold > Probability::ZERO,
        Word::Late | Word::Shed => model.is_slow(),
        Word::NotPermitted | Word::Unread | Word::Failed => true,
    };
    Word::ALL.into_iter().filter(move |word| playbook.models.iter().any(|model| can(model, *word)))
}

/// The words that can make the agents of a playbook end in a fallback.
pub(super) fn agent_words(playbook: &Playbook) -> impl Iterator<Item = AgentWord> + '_ {
    let is_advisory = |agent: &AgentUse| agent.agent.kind == AgentKind::Advisory;
    AgentWord::all().filter(move |word| match word {
        AgentWord::Accepted | AgentWord::Unneeded => false,
        AgentWord::Advised => playbook.agents.iter().any(is_advisory),
        AgentWord::NotPermitted | AgentWord::Silent(_) => !playbook.agents.is_empty(),
    })
}
