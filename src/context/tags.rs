//! What may be done with a value: for which purposes it may be used, how long it may be kept, which rule of law binds it.

use std::sync::Arc;

use super::Consents;
use crate::domain::{TimeDelta, Timestamp};

/// Purposes that a bundle may declare: a set of them is one word.
pub const PURPOSES_MAX: usize = 32;

/// A purpose for which values are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Its name, such as `service`.
    pub name: Arc<str>,
    /// Whether a customer has to agree to it.
    pub needs_consent: bool,
}

/// A set of purposes, by their numbers in the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Purposes(u32);

/// What may be done with a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The purposes it may be used for.
    pub purposes: Purposes,
    /// How long after it was observed it may be kept; `None` for ever.
    pub retain: Option<TimeDelta>,
    /// The regulation it falls under, in its author's words.
    pub regulation: Option<Arc<str>>,
}

/// How long a fact may be relied on after it was observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Beyond it the value is used and called stale.
    pub soft: Option<TimeDelta>,
    /// Beyond it the value is unavailable.
    pub hard: Option<TimeDelta>,
}

impl Default for Purposes {
    fn default() -> Self {
        Self::ALL
    }
}

impl Purposes {
    /// Every purpose, declared or not.
    pub const ALL: Self = Self(u32::MAX);

    /// No purpose.
    pub const NONE: Self = Self(0);

    /// The set with one more purpose; beyond [`PURPOSES_MAX`] there is none.
    #[must_use]
    pub fn with(self, number: usize) -> Self {
        Self(self.0 | u32::try_from(number).ok().and_then(|number| 1_u32.checked_shl(number)).unwrap_or(0))
    }

    /// Whether a purpose is in the set.
    pub fn contains(self, number: usize) -> bool {
        self.0 & Self::NONE.with(number).0 != 0
    }

    /// The purposes that are in both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether nothing is allowed.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl Purpose {
    /// Whether a customer's context may be opened for it.
    #[inline]
    pub fn is_allowed(&self, consents: &Consents) -> bool {
        !self.needs_consent || consents.is_given(&self.name)
    }
}

impl Tags {
    /// Whether a purpose, by its number, may see what has these tags. What names purposes is closed to those who name none.
    pub fn is_open_to(&self, purpose: Option<usize>) -> bool {
        match purpose {
            Some(number) => self.purposes.contains(number),
            None => self.purposes == Purposes::ALL,
        }
    }

    /// The tags of what is derived from this and another value: what both allow, as short as the shorter, under the
    /// regulations of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let retain = match (self.retain, other.retain) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let regulation = match (&self.regulation, &other.regulation) {
            (Some(a), Some(b)) if !a.split(", ").any(|known| *known == **b) => Some(format!("{a}, {b}").into()),
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        Self { purposes: self.purposes.and(other.purposes), retain, regulation }
    }

    /// The latest time of observation that has expired at `now`.
    #[inline]
    pub fn expired_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.retain.map(|retain| now.saturating_sub(retain))
    }

    /// Whether what was observed then has expired.
    #[inline]
    pub fn is_expired(&self, observed_at: Timestamp, now: Timestamp) -> bool {
        self.expired_until(now).is_some_and(|until| observed_at <= until)
    }

    /// When what was observed then expires.
    pub fn expiry(&self, observed_at: Timestamp) -> Option<Timestamp> {
        self.retain.map(|retain| observed_at.saturating_add(retain))
    }
}

impl Freshness {
    /// Relied on for this long, and not stale before.
    pub fn hard(limit: TimeDelta) -> Self {
        Self { soft: None, hard: Some(limit) }
    }

    /// Whether the value is beyond a limit.
    #[inline]
    pub(super) fn is_beyond(limit: Option<TimeDelta>, observed_at: Timestamp, now: Timestamp) -> bool {
        limit.is_some_and(|limit| now.since(observed_at) > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_derived_may_be_used_for_what_all_its_sources_may() {
        let tags = |purposes: &[usize], days: Option<i64>, regulation: Option<&str>| Tags {
            purposes: purposes.iter().fold(Purposes::NONE, |set, number| set.with(*number)),
            retain: days.map(|days| TimeDelta::from_micros(days * TimeDelta::DAY.micros())),
            regulation: regulation.map(Into::into),
        };
        let derived = tags(&[0, 1, 31], Some(3), Some("gdpr")).and(&tags(&[1, 31, 40], Some(2), Some("psd2")));
        assert_eq!(derived, tags(&[1, 31], Some(2), Some("gdpr, psd2")));
        assert_eq!(derived.and(&tags(&[31], None, Some("psd2"))), tags(&[31], Some(2), Some("gdpr, psd2")));
        assert_eq!(derived.and(&Tags::default()), derived);
        assert!(derived.purposes.and(tags(&[0], None, None).purposes).is_none());
        assert!(!Purposes::ALL.contains(PURPOSES_MAX), "a number beyond the bound is in no set");
    }

    #[test]
    fn a_value_expires_at_the_end_of_its_time_and_not_before() {
        let tags = Tags { retain: Some(TimeDelta::DAY), ..Tags::default() };
        let at = Timestamp::from_micros(1_763_800_000_000_000);
        let expiry = tags.expiry(at).unwrap();
        assert!(tags.is_expired(at, expiry) && !tags.is_expired(at, expiry.saturating_sub(TimeDelta::from_micros(1))));
    }
}
