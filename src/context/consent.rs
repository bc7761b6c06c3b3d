//! Consents: what a customer allows personal data to be used for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;

/// What a customer said about the purposes that need consent. A purpose nobody spoke of has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consents(Vec<Consent>);

/// What was said about one purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct Consent {
    /// The purpose's name: a later bundle may number it otherwise.
    pub purpose: Arc<str>,
    /// Whether it was given, or withdrawn.
    pub is_given: bool,
    /// Who says so.
    pub source: Arc<str>,
    /// When it was said.
    pub observed_at: Timestamp,
}

/// Purpose, given, source, observed-at.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct StoredConsents(Vec<(String, bool, String, i64)>);

impl Consents {
    /// Whether consent to a purpose is given.
    #[inline]
    pub fn is_given(&self, purpose: &str) -> bool {
        self.0.iter().any(|consent| consent.is_given && *consent.purpose == *purpose)
    }

    /// Takes what was said, unless something was said later. Of two sayings of the same instant the withdrawal counts. Says
    /// whether it holds now.
    pub fn put(&mut self, consent: Consent) -> bool {
        let Some(held) = self.0.iter_mut().find(|held| held.purpose == consent.purpose) else {
            self.0.push(consent);
            return true;
        };
        if (consent.observed_at, consent.is_given) == (held.observed_at, held.is_given) {
            return true;
        }
        let is_newer = consent.observed_at > held.observed_at;
        let is_withdrawn_at_once = consent.observed_at == held.observed_at && !consent.is_given;
        if is_newer || is_withdrawn_at_once {
            *held = consent;
        }
        is_newer || is_withdrawn_at_once
    }

    /// What was said about a purpose.
    pub fn get(&self, purpose: &str) -> Option<&Consent> {
        self.0.iter().find(|consent| *consent.purpose == *purpose)
    }

    /// Everything that was said.
    pub fn iter(&self) -> impl Iterator<Item = &Consent> {
        self.0.iter()
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes held beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Consent>()
    }

    /// The stored form; `None` if nothing was said.
    pub(super) fn store(&self) -> Option<StoredConsents> {
        let stored = |consent: &Consent| {
            (consent.purpose.to_string(), consent.is_given, consent.source.to_string(), consent.observed_at.micros())
        };
        (!self.0.is_empty()).then(|| StoredConsents(self.0.iter().map(stored).collect()))
    }

    pub(super) fn restore(stored: StoredConsents) -> Self {
        let consent = |(purpose, is_given, source, at): (String, bool, String, i64)| Consent {
            purpose: purpose.into(),
            is_given,
            source: source.into(),
            observed_at: Timestamp::from_micros(at),
        };
        Self(stored.0.into_iter().map(consent).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(is_given: bool, at: i64) -> Consent {
        Consent {
            purpose: "marketing".into(),
            is_given,
            source: "form".into(),
            observed_at: Timestamp::from_micros(at),
        }
    }

    #[test]
    fn the_latest_word_counts_and_a_withdrawal_wins_a_tie() {
        let mut consents = Consents::default();
        assert!(!consents.is_given("marketing"), "nobody spoke of it");
        assert!(consents.put(said(true, 2)) && consents.is_given("marketing"));
        assert!(!consents.put(said(false, 1)), "older");
        assert!(consents.put(said(false, 2)) && !consents.is_given("marketing"));
        assert!(!consents.put(said(true, 2)), "a tie is for the withdrawal");
        assert!(consents.put(said(false, 2)), "the same again is not outdated");
        assert!(consents.put(said(true, 3)) && consents.is_given("marketing"));
    }
}
