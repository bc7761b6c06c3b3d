//! Which of the journal's records are taken again.

use std::fmt;
use std::str::FromStr;

use crate::domain::{CustomerId, Timestamp};

/// A place in the journal: a record, or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The record with this sequence.
    Record(u64),
    /// The records of inputs that arrived at this time.
    Time(Timestamp),
}

/// Which records are taken again. Those before it are applied, so that every customer stands as then; those behind it are
/// not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The first record, or the earliest arrival; `None` for the journal's beginning.
    pub from: Option<Place>,
    /// The last record, or the arrival from which on none is taken; `None` for the journal's end.
    pub to: Option<Place>,
    /// Whose; `None` for everyone's.
    pub customer: Option<CustomerId>,
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a record's number or a time such as 2026-11-22T10:00:00Z, found `{0}`")]
pub struct PlaceError(String);

impl FromStr for Place {
    type Err = PlaceError;

    /// A number is a record, a date alone is its beginning in UTC.
    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if let Ok(seq) = text.parse() {
            return Ok(Self::Record(seq));
        }
        let time = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
        time.map(Self::Time).map_err(|_| PlaceError(text.to_owned()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(seq) => write!(f, "record {seq}"),
            Self::Time(time) => write!(f, "{time}"),
        }
    }
}

impl Range {
    /// The last record that may be in it.
    pub(super) fn last_seq(&self) -> u64 {
        match self.to {
            Some(Place::Record(seq)) => seq,
            Some(Place::Time(_)) | None => u64::MAX,
        }
    }

    /// Whether a record is behind it.
    pub(super) fn is_behind(&self, seq: u64, arrival: Timestamp) -> bool {
        match self.to {
            Some(Place::Record(to)) => seq > to,
            Some(Place::Time(to)) => arrival >= to,
            None => false,
        }
    }

    /// Whether a record is before it.
    pub(super) fn is_before(&self, seq: u64, arrival: Timestamp) -> bool {
        match self.from {
            Some(Place::Record(from)) => seq < from,
            Some(Place::Time(from)) => arrival < from,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_record_or_a_time() {
        let time = |text: &str| Ok(Place::Time(text.parse().unwrap()));
        assert_eq!("812".parse(), Ok(Place::Record(812)));
        assert_eq!("2026-11-22T10:00:00Z".parse::<Place>(), time("2026-11-22T10:00:00Z"));
        assert_eq!("2026-11-22".parse::<Place>(), time("2026-11-22T00:00:00Z"));
        let error = "yesterday".parse::<Place>().unwrap_err().to_string();
        assert_eq!(error, "expected a record's number or a time such as 2026-11-22T10:00:00Z, found `yesterday`");
    }

    #[test]
    fn a_range_ends_with_a_record_and_before_a_time() {
        let at = |micros| Timestamp::from_micros(micros);
        let range = |from, to| Range { from: Some(from), to: Some(to), customer: None };
        let records = range(Place::Record(3), Place::Record(5));
        let taken = |range: &Range, seq, time| !range.is_before(seq, at(time)) && !range.is_behind(seq, at(time));
        assert_eq!([2, 3, 5, 6].map(|seq| taken(&records, seq, 0)), [false, true, true, false]);
        let times = range(Place::Time(at(3)), Place::Time(at(5)));
        assert_eq!([2, 3, 4, 5].map(|time| taken(&times, 0, time)), [false, true, true, false]);
    }
}
