//! How often a check looked, and what it found.

use serde_json::Value;

use crate::outcome::Check;

/// A check under way.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    name: &'static str,
    asks: &'static str,
    pub(super) checked: u64,
    pub(super) violations: u64,
    /// The first case: its place in the run, and all of it.
    first: Option<(u64, Value)>,
}

impl Tally {
    pub(super) fn new(name: &'static str, asks: &'static str) -> Self {
        Self { name, asks, checked: 0, violations: 0, first: None }
    }

    /// Looks at a case; where it breaks the check, it is told whole.
    pub(super) fn look(&mut self, place: u64, holds: bool, whole: impl FnOnce() -> Value) {
        self.checked += 1;
        if !holds {
            self.broken(place, whole);
        }
    }

    /// Something that was looked at breaks the check.
    pub(super) fn broken(&mut self, place: u64, whole: impl FnOnce() -> Value) {
        self.violations += 1;
        if self.first.as_ref().is_none_or(|(first, _)| place < *first) {
            self.first = Some((place, whole()));
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.violations += other.violations;
        if let Some((place, whole)) = other.first
            && self.first.as_ref().is_none_or(|(first, _)| place < *first)
        {
            self.first = Some((place, whole));
        }
    }

    /// What it came to; `remark` says what it did not look at.
    pub(super) fn check(self, remark: &str) -> Check {
        let Self { name, asks, checked, violations, first } = self;
        let asks = format!("{asks}{}{remark}", if remark.is_empty() { "" } else { " " });
        Check { name: name.to_owned(), asks, checked, violations, first: first.map(|(_, whole)| whole) }
    }
}
