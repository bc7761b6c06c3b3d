//! The order of the tiers: the rules, then the models that the matching rule lets improve its answer.

use smallvec::SmallVec;

use super::asking::{Answers, Asking, Asks};
use super::consult::{consult, unneeded};
use super::consulted::Consulted;
use super::said::Asked;
use super::{Sight, Workspace};
use crate::bundle::{ModelPermit, Outcome, Playbook};
use crate::domain::{FallbackReason, Tier, Value};
use crate::guardrail::{
    Approved, Chosen, Circumstances, Grounds, Passed, Proposal, Refused, Violation, check, check_default,
};
use crate::inference::Probability;
use crate::rules::{HitViolation, Judgement, Miss, Scratch, Skipped};

/// What was decided, by whom and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The outcome, past the guardrail.
    pub outcome: Approved<Outcome>,
    /// Who decided.
    pub tier: Tier,
    /// The rule that decided, by rank; `None` for the playbook's default.
    pub rule: Option<usize>,
    /// Other rules that had their say, by rank.
    pub others: SmallVec<[u32; 2]>,
    /// Two rules that match where their table's hit policy does not allow it.
    pub violation: Option<HitViolation>,
    /// Why the default was taken in place of what the rule said, or the rule's answer in place of a model's.
    pub fallback: Option<FallbackReason>,
    /// What kept higher-ranked rules from being told.
    pub skipped: Skipped,
    /// What the guardrail refused of what the rules said, so that the default was taken.
    pub refused: Option<Refused>,
    /// What the guardrail refused of what a model said, so that the rules' answer was taken.
    pub model_refused: Option<Refused>,
    /// What kept the matched rule's outcome from being computed.
    pub not_computed: Option<Miss>,
    /// Limits and caps that left room only for another value than was proposed.
    pub clamped: Vec<Violation>,
    /// The models that were asked, in order, with what they said.
    pub asked: Vec<Asked>,
    /// The number of the model that decided.
    pub model: Option<u16>,
    /// The agents that were asked, in order, with what they said.
    pub agents: Vec<Consulted>,
    /// The number of the agent that decided.
    pub agent: Option<u16>,
}

impl Decided {
    /// How sure the tier that decided is: rules are, and so is a model that gives a number. A large model may say how sure it is, but
    /// it does not know: `None`.
    pub fn confidence(&self) -> Option<Probability> {
        if self.agent.is_some() {
            return None;
        }
        let by = self.model.and_then(|model| self.asked.iter().find(|asked| asked.model == model));
        Some(by.and_then(|asked| asked.said.confidence()).unwrap_or(Probability::ONE))
    }

    /// Whether the rules were asked. If not, the default holds for what the decision's circumstances say.
    pub fn is_asked(&self) -> bool {
        let is_told = self.rule.is_some() || self.violation.is_some() || self.refused.is_some();
        self.fallback.is_none() || is_told || !self.asked.is_empty() || self.agents.iter().any(|of| of.had_a_say)
    }
}

/// What deciding comes to.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a decision is the rule; a box would cost each an allocation")]
pub enum Ruling {
    /// It is decided.
    Decided(Decided),
    /// Somebody must be asked first.
    Asks(Asks),
}

/// Decides. There is an outcome whatever is missing: the rules' answer stands behind every model's, and the default behind
/// everything.
pub fn decide(
    playbook: &Playbook,
    sight: &Sight<'_>,
    circumstances: &Circumstances,
    answers: Answers<'_>,
    workspace: &mut Workspace,
) -> Ruling {
    if let Some(reason) = circumstances.refusal {
        // What was asked before it came to that has been paid for.
        let Advice { agents, .. } = unneeded(playbook, answers);
        return Ruling::Decided(Decided { agents, ..fallen_back(playbook, reason) });
    }
    let judgement = playbook.rules.judge(sight, &mut workspace.rules);
    let (proposal, not_computed) = match judgement.rule {
        Some(first) => propose(playbook, first, &judgement, sight, &mut workspace.rules),
        None => (default_proposal(playbook), None),
    };
    let permit = permit_of(playbook, &judgement).filter(|_| not_computed.is_none());
    let advice = match permit {
        Some(permit) => {
            let asking = Asking { playbook, sight, permit, plausible: None };
            match consult(asking, answers, &mut workspace.models) {
                Ok(advice) => advice,
                Err(asks) => return Ruling::Asks(asks),
            }
        }
        None => unneeded(playbook, answers),
    };
    let permit = permit.and_then(|number| playbook.model_permits.get(usize::from(number)));
    let grounds = Grounds { playbook, circumstances, values: sight };
    let guarded = guard(proposal, (&advice, permit), &grounds, &mut workspace.rules);
    let Guarded { outcome, clamped, refused, model_refused, taken } = guarded;
    let violated = judgement.violation.map(|_| FallbackReason::HitPolicyViolated);
    Ruling::Decided(Decided {
        outcome,
        tier: match taken {
            Some(By::Model(_)) => Tier::SmallModel,
            Some(By::Agent(_)) => Tier::LargeModel,
            None => Tier::Rules,
        },
        rule: judgement.rule,
        others: judgement.others,
        fallback: refused.as_ref().or(model_refused.as_ref()).map(Refused::reason).or(violated).or(advice.fallback),
        violation: judgement.violation,
        skipped: judgement.skipped,
        refused,
        model_refused,
        not_computed,
        clamped,
        asked: advice.asked,
        model: taken.and_then(By::model),
        agents: advice.agents,
        agent: taken.and_then(By::agent),
    })
}

/// What the models made of it.
#[derive(Default)]
pub(super) struct Advice {
    /// Every model that was asked, in order.
    pub(super) asked: Vec<Asked>,
    /// Every agent that was asked, in order.
    pub(super) agents: Vec<Consulted>,
    /// The one whose word is taken, and what it says of which fields.
    pub(super) taken: Option<(By, Vec<(usize, Value)>)>,
    /// Why none is, if any was asked.
    pub(super) fallback: Option<FallbackReason>,
}

/// Who proposes in place of the rules, by number among the playbook's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Model(u16),
    Agent(u16),
}

impl By {
    fn model(self) -> Option<u16> {
        if let Self::Model(number) = self { Some(number) } else { None }
    }

    fn agent(self) -> Option<u16> {
        if let Self::Agent(number) = self { Some(number) } else { None }
    }
}

/// A proposal past the guardrail, or what stands in for it.
struct Guarded {
    outcome: Approved<Outcome>,
    clamped: Vec<Violation>,
    refused: Option<Refused>,
    model_refused: Option<Refused>,
    /// Whose proposal it is, if it is not the rules'.
    taken: Option<By>,
}

/// The first that passes the guardrail: what the model says, what the rules say, the default. What was refused is told.
fn guard(
    rules: Proposal,
    (advice, permit): (&Advice, Option<&ModelPermit>),
    grounds: &Grounds<'_, Sight<'_>>,
    scratch: &mut Scratch,
) -> Guarded {
    let mut model_refused = None;
    if let Some((by, values)) = &advice.taken {
        let mut proposal = rules.clone();
        for (field, value) in values {
            proposal.values[*field] = Some(value.clone());
        }
        let chosen = permit.map(|permit| Chosen { permit, values });
        match check(proposal, chosen, grounds, scratch) {
            Ok(Passed { outcome, clamped }) => {
                return Guarded { outcome, clamped, refused: None, model_refused, taken: Some(*by) };
            }
            Err(refused) => model_refused = Some(refused),
        }
    }
    match check(rules, None, grounds, scratch) {
        Ok(Passed { outcome, clamped }) => Guarded { outcome, clamped, refused: None, model_refused, taken: None },
        Err(refused) => {
            let (outcome, refused) = (default_outcome(grounds.playbook), Some(refused));
            Guarded { outcome, clamped: Vec::new(), refused, model_refused, taken: None }
        }
    }
}

/// The permit of the rule that has the first say, or of the default; `None` if models may choose nothing.
fn permit_of(playbook: &Playbook, judgement: &Judgement) -> Option<u16> {
    let has_models = !playbook.models.is_empty() || !playbook.agents.is_empty();
    if !has_models || judgement.violation.is_some() {
        return None;
    }
    match judgement.rule {
        Some(rank) => playbook.rules.rules()[rank].permit,
        None => playbook.default.permit,
    }
}

/// The playbook's default, without asking any tier.
pub fn fallen_back(playbook: &Playbook, reason: FallbackReason) -> Decided {
    Decided {
        outcome: default_outcome(playbook),
        tier: Tier::Rules,
        rule: None,
        others: SmallVec::new(),
        violation: None,
        fallback: Some(reason),
        skipped: Skipped::default(),
        refused: None,
        model_refused: None,
        not_computed: None,
        clamped: Vec::new(),
        asked: Vec::new(),
        model: None,
        agents: Vec::new(),
        agent: None,
    }
}

/// What the rules say, with the default filling what they do not speak of. If a field cannot be computed, those that the
/// first rule speaks of stay empty, which the guardrail refuses.
fn propose(
    playbook: &Playbook,
    first: usize,
    judgement: &Judgement,
    sight: &Sight<'_>,
    scratch: &mut Scratch,
) -> (Proposal, Option<Miss>) {
    let defaults = &playbook.default.values;
    match playbook.rules.said(judgement, sight, scratch) {
        Ok(said) => {
            let filled =
                said.into_iter().zip(defaults).map(|(value, default)| Some(value.unwrap_or_else(|| default.clone())));
            (Proposal { values: filled.collect() }, None)
        }
        Err(miss) => {
            let silent = |(setting, default): (&Option<_>, &_)| {
                if setting.is_none() { Some(Clone::clone(default)) } else { None }
            };
            let settings = playbook.rules.rules()[first].then.settings();
            (Proposal { values: settings.iter().zip(defaults).map(silent).collect() }, Some(miss))
        }
    }
}

fn default_proposal(playbook: &Playbook) -> Proposal {
    Proposal { values: playbook.default.values.iter().cloned().map(Some).collect() }
}

/// INVARIANT: a bundle whose default does not pass its own schema and permit, needs a consent or counts against a cap is not
/// compiled (`playbook_reader`), and limits leave it alone.
#[expect(
    clippy::expect_used,
    reason = "the bundle's compiler has checked the default against the same schema, permit, consents and caps"
)]
fn default_outcome(playbook: &Playbook) -> Approved<Outcome> {
    check_default(playbook).expect("the default of a compiled playbook passes its guardrail")
}
