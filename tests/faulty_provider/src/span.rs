//! Durations as text: `"50ms"`.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

/// A duration with its unit: `us`, `ms` or `s`.
struct Span(Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let fault = || D::Error::custom(format!("`{text}` is not a duration such as `200us`, `50ms` or `2s`"));
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let amount: u64 = text[..digits].parse().map_err(|_| fault())?;
        Ok(Self(match &text[digits..] {
            "us" => Duration::from_micros(amount),
            "ms" => Duration::from_millis(amount),
            "s" => Duration::from_secs(amount),
            _ => return Err(fault()),
        }))
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    Ok(Span::deserialize(from)?.0)
}

/// A duration that may be absent.
pub(crate) mod optional {
    use super::{Deserialize, Deserializer, Duration, Span};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Span>::deserialize(from)?.map(|span| span.0))
    }
}

/// Durations in a row.
pub(crate) mod list {
    use super::{Deserialize, Deserializer, Duration, Span};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Duration>, D::Error> {
        Ok(Vec::<Span>::deserialize(from)?.into_iter().map(|span| span.0).collect())
    }
}
