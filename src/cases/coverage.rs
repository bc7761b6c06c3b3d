//! Which rules of a playbook decided a case.

use std::sync::Arc;

use serde::Serialize;

use super::report::text;
use crate::bundle::Playbook;
use crate::decider::Decided;

/// How many cases each rule of a playbook decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The playbook.
    #[serde(serialize_with = "text")]
    pub playbook: Arc<str>,
    /// Its rules by rank, tables included; without those that are switched off.
    pub rules: Vec<RuleCovered>,
    /// Cases that no rule decided.
    pub default_cases: u32,
}

/// A rule and the cases it decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCovered {
    /// Its rank.
    #[serde(skip)]
    rank: usize,
    /// Its id.
    #[serde(serialize_with = "text")]
    pub rule: Arc<str>,
    /// Where it is written.
    pub origin: String,
    /// Cases that it decided.
    pub cases: u32,
}

impl Coverage {
    /// The coverage of a playbook by no case.
    pub fn none(playbook: &Playbook) -> Self {
        let covered = |(rank, rule): (usize, &crate::rules::Rule)| RuleCovered {
            rank,
            rule: Arc::clone(&rule.id),
            origin: rule.origin.to_string(),
            cases: 0,
        };
        let is_on = |(_, rule): &(usize, &crate::rules::Rule)| !rule.condition.is_switched_off();
        let rules = (0..).zip(playbook.rules.rules()).filter(is_on).map(covered).collect();
        Self { playbook: Arc::clone(&playbook.name), rules, default_cases: 0 }
    }

    /// Counts a case for every rule that had its say, or for the default.
    pub(super) fn count(&mut self, decided: &Decided) {
        let others = decided.others.iter().map(|rank| *rank as usize);
        for rank in decided.rule.into_iter().chain(others) {
            if let Ok(at) = self.rules.binary_search_by_key(&rank, |rule| rule.rank) {
                self.rules[at].cases += 1;
            }
        }
        self.default_cases += u32::from(decided.rule.is_none());
    }

    /// Adds the cases of another file of the same playbook and bundle.
    pub fn add(&mut self, other: &Self) {
        for (rule, other) in self.rules.iter_mut().zip(&other.rules) {
            rule.cases += other.cases;
        }
        self.default_cases += other.default_cases;
    }

    /// How many cases there were.
    pub fn cases(&self) -> u32 {
        self.rules.iter().map(|rule| rule.cases).sum::<u32>() + self.default_cases
    }

    /// How many rules decided at least one case.
    pub fn fired(&self) -> usize {
        self.rules.iter().filter(|rule| rule.cases > 0).count()
    }

    /// The rules that decided no case.
    pub fn never_fired(&self) -> impl Iterator<Item = &RuleCovered> {
        self.rules.iter().filter(|rule| rule.cases == 0)
    }

    /// The share of rules that decided a case, in percent, rounded; 100 only for all of them. A playbook without rules is
    /// covered.
    pub fn percent(&self) -> u8 {
        let (fired, all) = (self.fired(), self.rules.len());
        if fired == all {
            return 100;
        }
        ((fired * 200 + all) / (all * 2)).min(99) as u8
    }

    /// How many rules must decide a case to reach a share of them.
    pub fn rules_for(&self, percent: u8) -> usize {
        (self.rules.len() * usize::from(percent)).div_ceil(100)
    }
}
