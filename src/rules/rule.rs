//! One rule: when it matches and what it then says.

use std::sync::Arc;

use super::eval::Evaluation;
use super::{Computation, Condition, Miss, Values};
use crate::domain::Value;

/// A checked rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The rule's id, unique within its playbook.
    pub id: Arc<str>,
    /// Where it is written.
    pub origin: Origin,
    /// What it is for, in its author's words.
    pub description: Option<Arc<str>>,
    /// When it matches.
    pub condition: Condition,
    /// What it says about the outcome.
    pub then: Then,
    /// What happens when the condition cannot be told.
    pub if_unavailable: IfUnavailable,
    /// Whether no later tier may change what it says.
    pub is_final: bool,
    /// The number of what later tiers may choose in place of what it says; `None`: nothing.
    pub permit: Option<u16>,
}

/// Where in the configuration something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, relative to the configuration folder.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: u32,
}

/// What a rule does when its condition is unavailable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfUnavailable {
    /// It does not match.
    #[default]
    Skip,
    /// It matches: for restrictive rules, whose skipping would fail open.
    Apply,
}

/// What a rule says about each field of the outcome; a field it does not speak of is `None`.
#[derive(Debug, Clone)]
pub struct Then(Box<[Option<Setting>]>);

/// The value of one field.
#[derive(Debug, Clone)]
pub enum Setting {
    /// Always this.
    Literal(Value),
    /// Computed from the event and the context.
    Computed(Box<Computation>),
}

impl Then {
    /// What is said, field by field in the order of the outcome's schema.
    pub fn new(settings: Vec<Option<Setting>>) -> Self {
        Self(settings.into())
    }

    /// The settings in the order of the outcome's schema.
    pub fn settings(&self) -> &[Option<Setting>] {
        &self.0
    }

    /// The values said, with `None` where nothing is said. Computes what has to be computed.
    pub(super) fn values<'a, V: Values>(
        &'a self,
        evaluation: &mut Evaluation<'a, V>,
    ) -> Result<Vec<Option<Value>>, Miss> {
        let value = |setting: &'a Option<Setting>| match setting {
            None => Ok(None),
            Some(Setting::Literal(value)) => Ok(Some(value.clone())),
            Some(Setting::Computed(computation)) => computation.value(evaluation).map(Some),
        };
        self.0.iter().map(value).collect()
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
