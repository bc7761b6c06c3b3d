//! The zone of dates and times that bring none.

use std::str::FromStr;

use super::literal::zoned_time;
use crate::domain::Timestamp;

/// A fixed offset from UTC, as a person gave it: `Z`, `+01:00`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone(String);

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if zoned_time(&format!("2000-01-01T00:00:00{text}")).is_some() {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("expected an offset from UTC such as `Z` or `+01:00`, found `{text}`"))
    }
}

impl Zone {
    /// The point in time of a date and time without a zone.
    pub(super) fn place(zone: Option<&Self>, text: &str) -> Result<Timestamp, String> {
        if zoned_time(&format!("{text}Z")).is_none() {
            return Err(format!(
                "`{text}` is not a date and time of whole microseconds such as `2026-01-31T10:00:00Z`"
            ));
        }
        let Some(Self(offset)) = zone else {
            return Err(format!("`{text}` has no time zone; say which one is meant with `--zone`, such as `--zone Z`"));
        };
        zoned_time(&format!("{text}{offset}")).ok_or_else(|| format!("`{text}{offset}` is out of range"))
    }

    /// The point in time at which a date begins.
    pub(super) fn midnight(zone: Option<&Self>, date: &str) -> Result<Timestamp, String> {
        if date.len() != 10 || zoned_time(&format!("{date}T00:00:00Z")).is_none() {
            return Err(format!("`{date}` is not a date such as `2026-01-31`"));
        }
        if zone.is_none() {
            let why = "has no time and no zone; `--zone` makes it the midnight with which it begins there, such as `--zone Z`";
            return Err(format!("the date `{date}` {why}"));
        }
        Self::place(zone, &format!("{date}T00:00:00"))
    }
}
