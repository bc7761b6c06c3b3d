//! The order of the tiers. Today there is one: the rules.

use smallvec::SmallVec;

use super::Sight;
use crate::bundle::{Outcome, Playbook};
use crate::domain::{FallbackReason, Tier};
use crate::guardrail::{Approved, Circumstances, Passed, Proposal, Refused, Violation, check};
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
    /// Why the default was taken in place of what the rule said.
    pub fallback: Option<FallbackReason>,
    /// What kept higher-ranked rules from being told.
    pub skipped: Skipped,
    /// What the guardrail refused.
    pub refused: Option<Refused>,
    /// What kept the matched rule's outcome from being computed.
    pub not_computed: Option<Miss>,
    /// Caps that left room only for less than was proposed.
    pub clamped: Vec<Violation>,
}

impl Decided {
    /// Whether the rules were asked. If not, the default holds for what the decision's circumstances say.
    pub fn is_asked(&self) -> bool {
        self.fallback.is_none() || self.rule.is_some() || self.violation.is_some() || self.refused.is_some()
    }
}

/// Decides. There is an outcome whatever is missing: the default stands behind everything.
pub fn decide(playbook: &Playbook, sight: &Sight<'_>, circumstances: &Circumstances, scratch: &mut Scratch) -> Decided {
    if let Some(reason) = circumstances.refusal {
        return fallen_back(playbook, reason);
    }
    let judgement = playbook.rules.judge(sight, scratch);
    let (proposal, not_computed) = match judgement.rule {
        Some(first) => propose(playbook, first, &judgement, sight, scratch),
        None => (default_proposal(playbook), None),
    };
    let (outcome, clamped, refused) = match check(proposal, playbook, circumstances) {
        Ok(Passed { outcome, clamped }) => (outcome, clamped, None),
        Err(refused) => (default_outcome(playbook), Vec::new(), Some(refused)),
    };
    Decided {
        outcome,
        tier: Tier::Rules,
        rule: judgement.rule,
        others: judgement.others,
        fallback: match (&refused, &judgement.violation) {
            (Some(refused), _) => Some(refused.reason()),
            (None, Some(_)) => Some(FallbackReason::HitPolicyViolated),
            (None, None) => None,
        },
        violation: judgement.violation,
        skipped: judgement.skipped,
        refused,
        not_computed,
        clamped,
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
        not_computed: None,
        clamped: Vec::new(),
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
/// compiled (`playbook_reader`).
#[expect(
    clippy::expect_used,
    reason = "the bundle's compiler has checked the default against the same schema, permit, consents and caps"
)]
fn default_outcome(playbook: &Playbook) -> Approved<Outcome> {
    let checked = check(default_proposal(playbook), playbook, &Circumstances::default());
    checked.expect("the default of a compiled playbook passes its guardrail").outcome
}
