//! Points and lengths of time, in whole microseconds.

use std::fmt;
use std::str::FromStr;

/// How far ahead of our clock an event's time may be: clocks differ. What is further ahead is refused.
pub const FUTURE_MAX: TimeDelta = TimeDelta::from_micros(5 * TimeDelta::MINUTE.micros());

/// A point in time: microseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A length of time in microseconds; negative for "before".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TimeDelta(i64);

/// Why a text is not a [`Timestamp`] or a [`TimeDelta`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not an RFC 3339 date and time with an offset.
    #[error("not a date and time such as `2026-11-22T10:00:00Z` (RFC 3339, with a time zone)")]
    Timestamp,
    /// Not a duration.
    #[error("not a duration such as `50ms`, `90s`, `24h`, `7d` or `1h30m`")]
    Delta,
    /// Beyond what microseconds in 64 bits can hold.
    #[error("outside the range that can be represented")]
    OutOfRange,
}

impl Timestamp {
    /// The timestamp of `micros` microseconds since the Unix epoch.
    #[inline]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[inline]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved by `delta`, held at the ends of the range.
    #[inline]
    pub const fn saturating_add(self, delta: TimeDelta) -> Self {
        Self(self.0.saturating_add(delta.0))
    }

    /// This instant moved back by `delta`, held at the ends of the range.
    #[inline]
    pub const fn saturating_sub(self, delta: TimeDelta) -> Self {
        Self(self.0.saturating_sub(delta.0))
    }

    /// This instant moved by `delta`, or `None` beyond the range.
    pub const fn checked_add(self, delta: TimeDelta) -> Option<Self> {
        match self.0.checked_add(delta.0) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// The time that passed since `earlier`, held at the ends of the range.
    #[inline]
    pub const fn since(self, earlier: Self) -> TimeDelta {
        TimeDelta(self.0.saturating_sub(earlier.0))
    }
}

impl TimeDelta {
    /// A second.
    pub const SECOND: Self = Self(1_000_000);
    /// Sixty seconds.
    pub const MINUTE: Self = Self(60 * Self::SECOND.0);
    /// Sixty minutes.
    pub const HOUR: Self = Self(60 * Self::MINUTE.0);
    /// Twenty-four hours (a day in UTC, not a calendar day somewhere).
    pub const DAY: Self = Self(24 * Self::HOUR.0);

    /// The length of `micros` microseconds.
    #[inline]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The length in microseconds.
    #[inline]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This length as a standard duration; negative lengths become zero.
    pub const fn to_std(self) -> std::time::Duration {
        if self.0 < 0 { std::time::Duration::ZERO } else { std::time::Duration::from_micros(self.0 as u64) }
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| TimeError::Timestamp)?;
        Ok(Self(instant.as_microsecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            // Beyond the year 9999 there is no RFC 3339 text: the number says it exactly.
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

/// Units in the order in which they are written, with their length in microseconds.
const UNITS: [(&str, i64); 6] = [
    ("d", TimeDelta::DAY.0),
    ("h", TimeDelta::HOUR.0),
    ("m", TimeDelta::MINUTE.0),
    ("s", TimeDelta::SECOND.0),
    ("ms", 1_000),
    ("us", 1),
];

impl FromStr for TimeDelta {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut micros: i64 = 0;
        if rest.is_empty() {
            return Err(TimeError::Delta);
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or(TimeError::Delta)?;
            let (count, after) = rest.split_at(digits);
            let unit_end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, tail) = after.split_at(unit_end);
            let count: i64 = match count {
                "" => return Err(TimeError::Delta),
                count => count.parse().map_err(|_| TimeError::OutOfRange)?,
            };
            let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(TimeError::Delta)?;
            micros =
                count.checked_mul(*length).and_then(|part| micros.checked_add(part)).ok_or(TimeError::OutOfRange)?;
            rest = tail;
        }
        Ok(Self(if negative { -micros } else { micros }))
    }
}

impl fmt::Display for TimeDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.unsigned_abs();
        if rest == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        for (unit, length) in UNITS {
            let count = rest / length as u64;
            rest %= length as u64;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_rfc_3339_with_any_offset() {
        let utc: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let berlin: Timestamp = "2026-11-22T11:00:00.000001+01:00".parse().unwrap();
        assert_eq!(berlin.since(utc), TimeDelta::from_micros(1));
        assert_eq!(utc.to_string(), "2026-11-22T10:00:00Z");
        assert_eq!(berlin.to_string(), "2026-11-22T10:00:00.000001Z");
        for text in ["", "2026-11-22", "2026-11-22T10:00:00", "yesterday", "2026-13-01T00:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimeError::Timestamp), "{text}");
        }
    }

    #[test]
    fn reads_durations_and_refuses_bare_numbers() {
        let delta = |text: &str| text.parse::<TimeDelta>();
        assert_eq!(delta("24h"), Ok(TimeDelta::DAY));
        assert_eq!(delta("1h30m"), Ok(TimeDelta::from_micros(5_400_000_000)));
        assert_eq!(delta("50ms"), Ok(TimeDelta::from_micros(50_000)));
        assert_eq!(delta("-7d").map(|d| d.to_string()), Ok("-7d".to_owned()));
        for text in ["", "-", "5", "h", "5 h", "1.5h", "1y", "5h3"] {
            assert_eq!(delta(text), Err(TimeError::Delta), "{text}");
        }
        assert_eq!(delta("999999999999d"), Err(TimeError::OutOfRange));
    }

    proptest! {
        #[test]
        fn text_leads_back_to_the_same_time(micros in -62_000_000_000_000_000_i64..253_000_000_000_000_000, length in -i64::MAX..i64::MAX) {
            let t = Timestamp::from_micros(micros);
            prop_assert_eq!(t.to_string().parse::<Timestamp>(), Ok(t));
            let d = TimeDelta::from_micros(length);
            prop_assert_eq!(d.to_string().parse::<TimeDelta>(), Ok(d));
        }
    }
}
