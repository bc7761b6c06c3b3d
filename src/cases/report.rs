//! What came of cases: passed, or what differs and why.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::Coverage;
use super::expectation::DEFAULT;
use crate::bundle::{Outcome, Playbook};
use crate::decider::Decided;
use crate::domain::{Datum, FallbackReason};
use crate::rules::{PartTrace, RuleTrace, Truth};

/// What came of the cases of one file. Shows as a difference of what was expected and what was decided.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The file.
    #[serde(serialize_with = "text")]
    pub file: Arc<str>,
    /// The playbook that decided.
    #[serde(serialize_with = "text")]
    pub playbook: Arc<str>,
    /// The cases in the order of the file.
    pub cases: Vec<CaseReport>,
    /// Which rules decided a case.
    #[serde(skip)]
    pub coverage: Coverage,
}

/// What came of one case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// The line of the file on which it begins.
    pub line: u32,
    /// Whether everything came as expected.
    #[serde(rename = "passed")]
    pub is_passed: bool,
    /// The rule that decided.
    pub rule: RuleNamed,
    /// What was decided.
    pub outcome: Outcome,
    /// What came otherwise than expected.
    pub differences: Vec<Difference>,
    /// Where another rule was expected: how that one stood, and if it matches too, or if no rule was expected, how the one
    /// stood that decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<RuleSeen>,
}

/// A rule, or the playbook's default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleNamed {
    /// Its id, or `default`.
    pub rule: String,
    /// Where it is written; `None` for the default.
    pub origin: Option<String>,
}

/// Something that came otherwise than expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Difference {
    /// Another rule decided.
    Rule {
        /// The rule that should have.
        expected: RuleNamed,
        /// The rule that did.
        decided: RuleNamed,
    },
    /// Other rules had their say.
    Rules {
        /// The rules that should have.
        expected: Vec<String>,
        /// The rules that did.
        decided: Vec<String>,
    },
    /// Other rules match where their hit policy does not allow it.
    Violated {
        /// The rules that should.
        expected: Vec<String>,
        /// The rules that do.
        violated: Vec<String>,
        /// The hit policy that they violate, and of what.
        policy: Option<String>,
    },
    /// Another model decided, or none, or one where none should have.
    Model {
        /// The model that should have.
        expected: Option<String>,
        /// The model that did.
        decided: Option<String>,
    },
    /// A field of the outcome has another value.
    Outcome {
        /// The field.
        field: String,
        /// The value it should have.
        expected: Datum,
        /// The value it has.
        decided: Datum,
    },
    /// The guardrail refused other fields of what the rule said.
    Refused {
        /// The fields it should have refused.
        expected: Vec<String>,
        /// What it refused, with value and limit.
        refused: Vec<String>,
    },
    /// The default was taken for another reason, or in place of a proposal that was used.
    Fallback {
        /// The reason that should have been.
        expected: Option<FallbackReason>,
        /// The reason that was.
        decided: Option<FallbackReason>,
    },
    /// A value kept no rule from being told.
    Unavailable {
        /// The value that should have been missing.
        expected: String,
        /// The values that were.
        missed: Vec<String>,
    },
}

/// How a rule stood to a case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleSeen {
    /// The rule.
    pub rule: RuleNamed,
    /// How it stood.
    pub standing: Standing,
    /// The parts of its condition that made it stand so; none for one that matches too.
    pub conditions: Vec<ConditionSeen>,
}

/// How a rule stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It decided.
    Decided,
    /// It decided because its condition cannot be told.
    Applied,
    /// It had its say, but another rule had it first.
    Contributed,
    /// It matches, and so does another rule that may not match beside it: the default decided.
    Conflicted,
    /// Its condition holds too, but another rule decided.
    HoldsToo,
    /// It is not enabled.
    SwitchedOff,
    /// Its condition does not hold.
    DoesNotHold,
    /// Its condition cannot be told.
    CannotBeTold,
    /// No rule was asked.
    NotAsked,
}

/// A part of a condition, and the values it looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConditionSeen {
    /// As its author wrote it.
    pub condition: String,
    /// Whether it holds; `None` if that cannot be told.
    pub holds: Option<bool>,
    /// The values it looked at.
    pub values: Vec<ValueSeen>,
}

/// A value by name, or why there was none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueSeen {
    /// Its name.
    pub name: String,
    /// The value.
    pub value: Option<Datum>,
    /// Why there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
}

/// Parts of a condition that are shown: the first say enough.
const CONDITIONS_SHOWN: usize = 4;

impl Report {
    /// How many cases passed.
    pub fn passed(&self) -> usize {
        self.cases.iter().filter(|case| case.is_passed).count()
    }

    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.cases.len() - self.passed()
    }

    /// Whether all cases passed.
    pub fn is_passed(&self) -> bool {
        self.failed() == 0
    }
}

impl RuleNamed {
    /// The rule of a rank, or the default.
    pub(super) fn of(rank: Option<usize>, playbook: &Playbook) -> Self {
        match rank.and_then(|rank| playbook.rules.rules().get(rank)) {
            Some(rule) => Self { rule: rule.id.to_string(), origin: Some(rule.origin.to_string()) },
            None => Self { rule: DEFAULT.to_owned(), origin: None },
        }
    }
}

impl RuleSeen {
    /// A rule of a decision that no rule was asked for: nothing it would have looked at is shown.
    pub(super) fn not_asked(rank: usize, playbook: &Playbook) -> Self {
        let rule = RuleNamed::of(Some(rank), playbook);
        Self { rule, standing: Standing::NotAsked, conditions: Vec::new() }
    }

    /// How the rule of a trace stood to a decision.
    pub(super) fn of(trace: RuleTrace<'_>, decided: &Decided, playbook: &Playbook) -> Self {
        let rank = trace.rank;
        let is_conflicted =
            decided.violation.is_some_and(|violation| [violation.rules.0, violation.rules.1].contains(&rank));
        let standing = match trace.truth {
            Truth::True if decided.rule == Some(rank) => Standing::Decided,
            _ if decided.rule == Some(rank) => Standing::Applied,
            _ if decided.others.iter().any(|other| *other as usize == rank) => Standing::Contributed,
            _ if is_conflicted => Standing::Conflicted,
            _ if playbook.rules.rules()[rank].condition.is_switched_off() => Standing::SwitchedOff,
            Truth::True => Standing::HoldsToo,
            Truth::False => Standing::DoesNotHold,
            Truth::Unavailable(_) => Standing::CannotBeTold,
        };
        let is_telling = |part: &PartTrace<'_>| match standing {
            Standing::Decided => true,
            Standing::HoldsToo
            | Standing::Contributed
            | Standing::Conflicted
            | Standing::SwitchedOff
            | Standing::NotAsked => false,
            Standing::DoesNotHold => part.truth == Truth::False,
            Standing::CannotBeTold | Standing::Applied => matches!(part.truth, Truth::Unavailable(_)),
        };
        let telling = trace.parts.into_iter().filter(is_telling).take(CONDITIONS_SHOWN);
        let conditions = telling.map(|part| ConditionSeen::of(part, playbook)).collect();
        Self { rule: RuleNamed::of(Some(trace.rank), playbook), standing, conditions }
    }
}

impl ConditionSeen {
    fn of(part: PartTrace<'_>, playbook: &Playbook) -> Self {
        let holds = match part.truth {
            Truth::True => Some(true),
            Truth::False => Some(false),
            Truth::Unavailable(_) => None,
        };
        let values = part.values.into_iter().map(|(slot, seen)| ValueSeen {
            name: playbook.scope.declared(slot).path.to_string(),
            value: seen.ok().map(|seen| PartTrace::datum(&playbook.scope, slot, seen)),
            unavailable: seen.as_ref().err().map(ToString::to_string),
        });
        Self { condition: part.text.to_owned(), holds, values: values.collect() }
    }
}

pub(super) fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
