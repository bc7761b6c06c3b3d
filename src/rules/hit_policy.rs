//! What becomes of several rules that match: the hit policies of decision tables.
//!
//! Names and meanings are those of DMN (Object Management Group, "Decision Model and Notation", 1.5, section 8.2.8).

use std::ops::Range;
use std::sync::Arc;

/// What a group of rules says if several of them match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HitPolicy {
    /// The first in rank decides.
    #[default]
    First,
    /// Only one may match.
    Unique,
    /// Several may match if they say the same.
    Any,
    /// The one with the most important outcome decides.
    Priority(OutputOrder),
    /// All outcomes as a list, the most important first.
    OutputOrder(OutputOrder),
    /// All outcomes as a list, by rank.
    RuleOrder,
    /// All outcomes as a list, by rank, or as one number.
    Collect(Option<Aggregation>),
}

/// How outcomes that are collected become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// Their sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// How many rules match.
    Count,
}

/// What makes one outcome more important than another: by field, the importance of each of its symbols.
///
/// Fields are compared in their order; of two symbols the one that stands earlier is more important.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputOrder(pub Arc<[(usize, Box<[u16]>)]>);

/// Rules that share a hit policy: the rules of a playbook, or one of its tables. Groups are asked in order; the first in
/// which a rule matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `rules`, or the table's file.
    pub name: Arc<str>,
    /// What several matches mean.
    pub policy: HitPolicy,
    /// The ranks of its rules.
    pub ranks: Range<usize>,
}

impl HitPolicy {
    /// Names in configuration.
    pub const NAMES: [&str; 7] = ["first", "unique", "any", "priority", "output_order", "rule_order", "collect"];

    /// The name in configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Unique => "unique",
            Self::Any => "any",
            Self::Priority(_) => "priority",
            Self::OutputOrder(_) => "output_order",
            Self::RuleOrder => "rule_order",
            Self::Collect(_) => "collect",
        }
    }

    /// Whether every rule that matches has its say.
    pub fn is_multiple(&self) -> bool {
        matches!(self, Self::OutputOrder(_) | Self::RuleOrder | Self::Collect(_))
    }
}

impl Aggregation {
    /// Names in configuration.
    pub const NAMES: [&str; 4] = ["sum", "min", "max", "count"];

    /// The aggregation of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sum, Self::Min, Self::Max, Self::Count].into_iter().find(|known| known.name() == name)
    }

    /// The name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
        }
    }
}
