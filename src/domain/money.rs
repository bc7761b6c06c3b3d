//! What calls cost, in parts small enough for one token.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount of money in thousand-millionths of the currency's unit: one token of a cheap model costs some hundred of them.
///
/// The range is ±9,223,372,036 units of the currency. Sums saturate: they are compared with limits, which lie far below.
///
/// ```
/// use forthwith::domain::Money;
/// let price: Money = "0.15".parse().unwrap();
/// assert_eq!(price.nanos(), 150_000_000);
/// assert_eq!(price.to_string(), "0.15");
/// assert_eq!(price.per_million(20), Money::from_nanos(3_000), "20 tokens at 0.15 a million");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(i64);

/// A text that is no amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an amount of money, such as `0.15`, with at most 9 decimal places")]
pub struct MoneyError;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    const ONE: i64 = 1_000_000_000;

    /// So many thousand-millionths of the currency's unit.
    #[inline]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The number of thousand-millionths.
    #[inline]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// What so many tokens cost where a million of them cost this; rounded up, so that no call is free that is not.
    pub const fn per_million(self, tokens: u64) -> Self {
        let nanos = self.0 as i128 * tokens as i128;
        let up = (nanos + 999_999).div_euclid(1_000_000);
        Self(if up > i64::MAX as i128 { i64::MAX } else { up as i64 })
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// This without the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// In units of the currency, for metrics and displays.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::ONE as f64
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(places) || places.len() > 9 {
            return Err(MoneyError);
        }
        let units: i64 = whole.parse().map_err(|_| MoneyError)?;
        let places: i64 = format!("{places:0<9}").parse().map_err(|_| MoneyError)?;
        let nanos = units.checked_mul(Self::ONE).and_then(|nanos| nanos.checked_add(places));
        nanos.map(Self).ok_or(MoneyError)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, nanos) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, places) = (nanos / Self::ONE as u64, nanos % Self::ONE as u64);
        let places = format!("{places:09}");
        match places.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            places => write!(f, "{sign}{whole}.{places}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_what_it_writes(nanos in 0_i64..) {
            prop_assert_eq!(Money::from_nanos(nanos).to_string().parse(), Ok(Money::from_nanos(nanos)));
        }
    }

    #[test]
    fn refuses_what_is_no_amount() {
        for text in ["", ".", "1.", ".5", "-1", "1e3", "1,5", "0.0000000001", "99999999999"] {
            assert_eq!(text.parse::<Money>(), Err(MoneyError), "{text}");
        }
    }

    #[test]
    fn a_token_is_never_free_where_it_has_a_price() {
        assert_eq!(Money::from_nanos(1).per_million(1), Money::from_nanos(1));
        assert_eq!(Money::ZERO.per_million(1_000), Money::ZERO);
    }
}
