//! How a rule stood to a decision, as an explanation shows it.

use serde::Serialize;

use super::explain::Named;
use crate::bundle::{Playbook, SlotSource};
use crate::decider::Decided;
use crate::rules::{Group, HitPolicy, IfUnavailable, PartTrace, RuleTrace, Slot, Truth};

/// What is said of a rule that matched for want of a value.
const APPLIED: &str = "applied because it could not be told";

/// What is said of a rule that is not enabled.
pub(super) const SWITCHED_OFF: &str = "switched off (`enabled = false`)";

/// How a rule stood to the event.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct RuleShown {
    /// Its id.
    pub rule: String,
    /// The file and line where it is written.
    pub origin: String,
    /// How it stood.
    pub verdict: RuleVerdict,
    /// Whether it was asked, before or beside the rules that decided; what was not asked is shown as it would have stood.
    pub asked: bool,
    /// What its conditions do not say: that it applied because it could not be told, that it ran out of steps in the decision, or
    /// that it is switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(required = false))]
    pub note: Option<String>,
    /// Its condition, part by part.
    pub conditions: Vec<ConditionShown>,
}

/// How a rule stood to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RuleVerdict {
    /// It decided; where several have their say, it had it first.
    Fired,
    /// It had its say beside the one that had it first.
    Contributed,
    /// It matched together with another rule, which the hit policy of their table does not allow.
    Conflicted,
    /// It matches, but another rule decided.
    AlsoMatches,
    /// Its condition did not hold.
    DidNotMatch,
    /// Its condition could not be told.
    CouldNotBeTold,
    /// No rule was asked: a consent, the flow or the time did not allow it.
    NotAsked,
}

impl RuleVerdict {
    /// Whether the rule was among those that the decision was made by.
    pub fn had_its_say(self) -> bool {
        matches!(self, Self::Fired | Self::Contributed)
    }
}

/// A part of a condition in an explanation.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct ConditionShown {
    /// As its author wrote it.
    pub condition: String,
    /// Whether it held; `None` if that could not be told.
    pub holds: Option<bool>,
    /// The values it looked at.
    pub values: Vec<Named>,
}

/// Where the rules of a playbook stood to a decision.
pub(super) struct Standings<'a> {
    pub(super) playbook: &'a Playbook,
    pub(super) decided: &'a Decided,
    /// The sights that were past their soft limit of freshness.
    pub(super) stale: &'a [u16],
}

impl Standings<'_> {
    pub(super) fn of(&self, trace: RuleTrace<'_>) -> RuleShown {
        let rule = &self.playbook.rules.rules()[trace.rank];
        let verdict = self.verdict(&trace);
        let note = self.note(&trace, verdict).map(str::to_owned);
        let asked = trace.rank < self.asked();
        let conditions = trace.parts.into_iter().map(|part| self.condition(part)).collect();
        RuleShown { rule: rule.id.to_string(), origin: rule.origin.to_string(), verdict, asked, note, conditions }
    }

    fn verdict(&self, trace: &RuleTrace<'_>) -> RuleVerdict {
        let rank = trace.rank;
        let others = &self.decided.others;
        match (trace.truth, self.decided.violation) {
            _ if !self.decided.is_asked() => RuleVerdict::NotAsked,
            _ if self.decided.rule == Some(rank) => RuleVerdict::Fired,
            _ if others.iter().any(|other| *other as usize == rank) => RuleVerdict::Contributed,
            (_, Some(violation)) if [violation.rules.0, violation.rules.1].contains(&rank) => RuleVerdict::Conflicted,
            _ if self.ran_out(trace) => RuleVerdict::CouldNotBeTold,
            (Truth::True, _) => RuleVerdict::AlsoMatches,
            (Truth::Unavailable(_), _) if self.applies(rank) => RuleVerdict::AlsoMatches,
            (Truth::False, _) => RuleVerdict::DidNotMatch,
            (Truth::Unavailable(_), _) => RuleVerdict::CouldNotBeTold,
        }
    }

    fn note(&self, trace: &RuleTrace<'_>, verdict: RuleVerdict) -> Option<&'static str> {
        let is_matched =
            !matches!(verdict, RuleVerdict::DidNotMatch | RuleVerdict::CouldNotBeTold | RuleVerdict::NotAsked);
        if self.playbook.rules.rules()[trace.rank].condition.is_switched_off() {
            Some(SWITCHED_OFF)
        } else if is_matched && trace.truth != Truth::True {
            Some(APPLIED)
        } else if self.ran_out(trace) {
            Some("ran out of steps in the decision; by itself it matches")
        } else {
            None
        }
    }

    fn applies(&self, rank: usize) -> bool {
        self.playbook.rules.rules()[rank].if_unavailable == IfUnavailable::Apply
    }

    /// The number of rules that were asked: those of all groups up to the one that decided, of which a rule of `first` needs no
    /// more than those above it.
    fn asked(&self) -> usize {
        if !self.decided.is_asked() {
            return 0;
        }
        match (self.deciding_group(), self.decided.rule) {
            (Some(Group { policy: HitPolicy::First, .. }), Some(rank)) => rank + 1,
            (Some(group), _) => group.ranks.end,
            (None, _) => self.playbook.rules.rules().len(),
        }
    }

    fn deciding_group(&self) -> Option<&Group> {
        let groups = self.playbook.rules.groups();
        match (self.decided.rule, self.decided.violation) {
            (Some(rank), _) => groups.iter().find(|group| group.ranks.contains(&rank)),
            (None, violation) => groups.get(violation?.group),
        }
    }

    /// Whether a rule matches by itself that would have had its say, had it been told in the decision. Only the steps of the
    /// decision can have kept it from that: all else is recorded.
    fn ran_out(&self, trace: &RuleTrace<'_>) -> bool {
        let would_have_its_say = match self.deciding_group() {
            Some(group) if group.ranks.contains(&trace.rank) => {
                let may_match_unheard = matches!(group.policy, HitPolicy::Any | HitPolicy::Priority(_));
                self.decided.violation.is_none() && !may_match_unheard
            }
            _ => true,
        };
        let decided = self.decided;
        let had_its_say =
            decided.rule == Some(trace.rank) || decided.others.iter().any(|other| *other as usize == trace.rank);
        trace.truth == Truth::True && trace.rank < self.asked() && would_have_its_say && !had_its_say
    }

    fn condition(&self, part: PartTrace<'_>) -> ConditionShown {
        let holds = match part.truth {
            Truth::True => Some(true),
            Truth::False => Some(false),
            Truth::Unavailable(_) => None,
        };
        let is_stale = |slot: Slot| match self.playbook.sources[slot.index()] {
            SlotSource::Sight(sight) => self.stale.iter().any(|stale| usize::from(*stale) == sight),
            _ => false,
        };
        let values = part.values.into_iter().map(|(slot, seen)| {
            let named = Named::seen(&self.playbook.scope, slot, seen);
            Named { stale: is_stale(slot), ..named }
        });
        ConditionShown { condition: part.text.to_owned(), holds, values: values.collect() }
    }
}
