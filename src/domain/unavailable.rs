//! The third truth value's reason.

use std::fmt;

/// Why a value cannot be used. Never null, never zero: a rule that needs it does not match and says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Unavailable {
    /// The event does not carry the attribute.
    Absent,
    /// The fact has not been observed for this customer.
    Unknown,
    /// The fact was observed longer ago than it stays fresh.
    Stale,
    /// The signal is younger than its window, so it may have missed events.
    Warming,
    /// Nothing of the kind has happened yet.
    Never,
    /// The arithmetic left the range of the type.
    Overflow,
    /// Something was divided by zero.
    DivisionByZero,
    /// A text does not have the form that the expression needs.
    Malformed,
    /// The event is older than what the signal remembers.
    Late,
    /// Working it out would have cost more than a judgement may.
    TooCostly,
    /// A list or a text has no such place.
    OutOfRange,
    /// It was observed longer ago than it may be kept.
    Expired,
    /// The purpose of the decision may not see it.
    Withheld,
}

impl Unavailable {
    /// All reasons, in the order of their stored codes.
    const ALL: [Self; 13] = [
        Self::Absent,
        Self::Unknown,
        Self::Stale,
        Self::Warming,
        Self::Never,
        Self::Overflow,
        Self::DivisionByZero,
        Self::Malformed,
        Self::Late,
        Self::TooCostly,
        Self::OutOfRange,
        Self::Expired,
        Self::Withheld,
    ];

    /// The number under which records store the reason (format v1).
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The reason stored as `code`.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// A short name for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Unknown => "unknown",
            Self::Stale => "stale",
            Self::Warming => "warming",
            Self::Never => "never",
            Self::Overflow => "overflow",
            Self::DivisionByZero => "division_by_zero",
            Self::Malformed => "malformed",
            Self::Late => "late",
            Self::TooCostly => "too_costly",
            Self::OutOfRange => "out_of_range",
            Self::Expired => "expired",
            Self::Withheld => "withheld",
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "not in the event",
            Self::Unknown => "not known of this customer",
            Self::Stale => "observed too long ago to be relied on",
            Self::Warming => "younger than its window",
            Self::Never => "has not happened yet",
            Self::Overflow => "arithmetic overflow",
            Self::DivisionByZero => "division by zero",
            Self::Malformed => "text of the wrong form",
            Self::TooCostly => "cost more steps than allowed",
            Self::OutOfRange => "no such place in a list or text",
            Self::Expired => "observed longer ago than it may be kept",
            Self::Withheld => "withheld: the decision's purpose may not see it",
            Self::Late => "further back than the signal remembers",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_codes_lead_back_to_their_reason() {
        for (code, reason) in (0_u8..).zip(Unavailable::ALL) {
            assert_eq!((reason.code(), Unavailable::from_code(code)), (code, Some(reason)));
        }
        assert_eq!(Unavailable::from_code(200), None);
    }
}
