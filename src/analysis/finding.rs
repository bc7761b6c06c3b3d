//! What the analysis says of a rule base.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::witness::Witness;
use crate::bundle::Playbook;
use crate::domain::Datum;
use crate::rules::{Origin, Slot};

/// Something that an author of rules should know.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The ranks of the rules that it is about, the one it is said of first.
    pub ranks: Vec<usize>,
    /// Where to look.
    pub origin: Option<Origin>,
    /// What was found, in a sentence.
    pub message: String,
    /// An input that shows it; the engine was asked and agrees.
    pub example: Option<Example>,
}

/// An input that shows a finding.
#[derive(Clone, Debug)]
pub struct Example {
    /// The event type's position in the playbook's `on`.
    pub position: usize,
    /// The values.
    pub witness: Witness,
}

/// What a finding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The rule can never match, whatever is known.
    Contradictory,
    /// The rule needs values that no event of the playbook has together.
    AlwaysUnavailable,
    /// Two rows of a table match the same input, and the table's hit policy forbids it.
    Conflict,
    /// The rule has the same condition as a rule above it.
    Duplicate,
    /// Whatever the rule matches is decided above it.
    Shadowed,
    /// There are inputs that no rule matches.
    Gap,
    /// It could not be decided.
    Undecided,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// A rule has no effect.
    Warning,
    /// A mistake for certain.
    Error,
}

impl Example {
    /// The values that the conditions of these rules look at, by name; of no rules, those that any rule does.
    pub fn values(&self, playbook: &Playbook, ranks: &[usize]) -> Vec<(Arc<str>, Option<Datum>)> {
        let rules = playbook.rules.rules();
        let looked_at = |rank: usize| rules[rank].condition.slots().iter().copied();
        let slots: BTreeSet<Slot> = match ranks {
            [] => (0..rules.len()).flat_map(looked_at).collect(),
            some => some.iter().copied().flat_map(looked_at).collect(),
        };
        let value = |slot: Slot| {
            let declared = playbook.scope.declared(slot);
            (Arc::clone(&declared.path), self.witness.datum(&playbook.scope, slot))
        };
        slots.into_iter().map(value).collect()
    }

    /// The whole input: every value that there is, and the names that a rule looks at and that are unavailable.
    pub fn whole(&self, playbook: &Playbook) -> Vec<(Arc<str>, Option<Datum>)> {
        let mut values = self.values(playbook, &[]);
        let scope = &playbook.scope;
        let known: BTreeSet<Arc<str>> = values.iter().map(|(name, _)| Arc::clone(name)).collect();
        let rest = scope.slots().filter(|slot| !known.contains(&scope.declared(*slot).path));
        values.extend(rest.filter_map(|slot| {
            let value = self.witness.datum(scope, slot)?;
            Some((Arc::clone(&scope.declared(slot).path), Some(value)))
        }));
        values
    }
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Contradictory,
        Self::AlwaysUnavailable,
        Self::Conflict,
        Self::Duplicate,
        Self::Shadowed,
        Self::Gap,
        Self::Undecided,
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contradictory => "contradictory",
            Self::AlwaysUnavailable => "always_unavailable",
            Self::Conflict => "conflict",
            Self::Duplicate => "duplicate",
            Self::Shadowed => "shadowed",
            Self::Gap => "gap",
            Self::Undecided => "undecided",
        }
    }

    /// How much it matters.
    pub fn severity(self) -> Severity {
        match self {
            Self::Contradictory | Self::AlwaysUnavailable | Self::Conflict => Severity::Error,
            Self::Duplicate | Self::Shadowed => Severity::Warning,
            Self::Gap | Self::Undecided => Severity::Note,
        }
    }
}

impl Severity {
    /// All severities.
    pub const ALL: [Self; 3] = [Self::Note, Self::Warning, Self::Error];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
