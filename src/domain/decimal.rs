//! Fixed-point decimals: exact in rules, bit for bit the same on every machine.

use std::fmt;
use std::str::FromStr;

/// A fixed-point decimal with four places, stored as `i64 × 10⁻⁴`.
///
/// The range is ±922,337,203,685,477.5807. Arithmetic is checked; nothing wraps and nothing is rounded silently,
/// except multiplication and division, which round half to even at the fourth place.
///
/// ```
/// use forthwith::Decimal;
/// let price: Decimal = "10.55".parse().unwrap();
/// assert_eq!(price.units(), 105_500);
/// assert_eq!(price.to_string(), "10.55");
/// assert!("1.00001".parse::<Decimal>().is_err(), "a fifth place is refused, not rounded");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i64);

/// Why a text or number is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is not of the form `-12.3456`.
    #[error("not a decimal number")]
    Malformed,
    /// More than four decimal places.
    #[error("more than 4 decimal places")]
    TooPrecise,
    /// Outside ±922,337,203,685,477.5807.
    #[error("outside the range of ±922337203685477.5807")]
    OutOfRange,
    /// A binary floating-point number too large to stand for exact decimal places.
    #[error("too large to be exact as a floating-point number (send it as a string)")]
    Inexact,
}

impl Decimal {
    /// Decimal places that are kept.
    pub const PLACES: u32 = 4;
    const ONE: i64 = 10_000;

    /// The decimal of `units × 10⁻⁴`.
    #[inline]
    pub const fn from_units(units: i64) -> Self {
        Self(units)
    }

    /// The number of ten-thousandths.
    #[inline]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// The decimal of a whole number, or `None` outside the range.
    pub const fn from_int(whole: i64) -> Option<Self> {
        match whole.checked_mul(Self::ONE) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// The decimal whose shortest text is that of `number`.
    ///
    /// JSON numbers arrive as binary floating point. Below 2⁵⁰ ten-thousandths (some 112 thousand million) the rounding
    /// errors of the number and of the multiplication stay under a quarter of a unit, so the way back is exact; above it
    /// the number is refused.
    pub fn from_f64(number: f64) -> Result<Self, DecimalError> {
        const EXACT: f64 = 1_125_899_906_842_624.0; // 2^50
        if !number.is_finite() {
            return Err(DecimalError::Malformed);
        }
        let units = (number * Self::ONE as f64).round();
        if units.abs() >= EXACT {
            return Err(DecimalError::Inexact);
        }
        // Division is correctly rounded, so this is the very number that the decimal's text parses to.
        if units / Self::ONE as f64 == number { Ok(Self(units as i64)) } else { Err(DecimalError::TooPrecise) }
    }

    /// The nearest floating-point number, for display and charts only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::ONE as f64
    }

    /// The whole number, if there are no decimal places.
    pub const fn to_int(self) -> Option<i64> {
        if self.0 % Self::ONE == 0 { Some(self.0 / Self::ONE) } else { None }
    }

    /// Sum, or `None` on overflow.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// Difference, or `None` on overflow.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }

    /// Product rounded half to even at the fourth place, or `None` on overflow.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let wide = i128::from(self.0) * i128::from(other.0);
        half_even(wide, i128::from(Self::ONE)).map(Self)
    }

    /// The largest whole number that is not above it.
    pub const fn floor(self) -> i64 {
        self.0.div_euclid(Self::ONE)
    }

    /// The smallest whole number that is not below it.
    pub const fn ceil(self) -> i64 {
        let is_between = self.0.rem_euclid(Self::ONE) > 0;
        self.floor() + is_between as i64
    }

    /// Quotient rounded half to even at the fourth place, or `None` on overflow or division by zero.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        if other.0 == 0 {
            return None;
        }
        let wide = i128::from(self.0) * i128::from(Self::ONE);
        half_even(wide, i128::from(other.0)).map(Self)
    }

    /// The negated decimal, or `None` for the smallest one.
    pub const fn checked_neg(self) -> Option<Self> {
        match self.0.checked_neg() {
            Some(units) => Some(Self(units)),
            None => None,
        }
    }
}

/// A quotient rounded half to even; `None` if it does not fit. The denominator is not zero.
pub fn half_even(numerator: i128, denominator: i128) -> Option<i64> {
    let quotient = numerator / denominator;
    let remainder = (numerator % denominator).unsigned_abs() * 2;
    let away = if (numerator < 0) == (denominator < 0) { 1 } else { -1 };
    let rounded = match remainder.cmp(&denominator.unsigned_abs()) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + away,
        std::cmp::Ordering::Equal if quotient % 2 == 0 => quotient,
        std::cmp::Ordering::Equal => quotient + away,
    };
    i64::try_from(rounded).ok()
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, places) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(places) {
            return Err(DecimalError::Malformed);
        }
        let places = places.trim_end_matches('0');
        if places.len() > Self::PLACES as usize {
            return Err(DecimalError::TooPrecise);
        }
        let mut units: i128 = 0;
        for digit in whole.bytes().chain(places.bytes()) {
            units = units * 10 + i128::from(digit - b'0');
            if units > i128::from(u64::MAX) {
                return Err(DecimalError::OutOfRange);
            }
        }
        units *= 10_i128.pow(Self::PLACES - places.len() as u32);
        let signed = if negative { -units } else { units };
        i64::try_from(signed).map(Self).map_err(|_| DecimalError::OutOfRange)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        let (whole, mut places) = (units / Self::ONE as u64, units % Self::ONE as u64);
        if places == 0 {
            return write!(f, "{sign}{whole}");
        }
        let mut width = Self::PLACES as usize;
        while places.is_multiple_of(10) {
            places /= 10;
            width -= 1;
        }
        write!(f, "{sign}{whole}.{places:0width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn reads_and_writes_the_usual_forms() {
        for (text, units, shown) in [
            ("0", 0, "0"),
            ("-0.5", -5_000, "-0.5"),
            ("+12.3400", 123_400, "12.34"),
            ("922337203685477.5807", i64::MAX, "922337203685477.5807"),
            ("-922337203685477.5808", i64::MIN, "-922337203685477.5808"),
            ("1.00000", 10_000, "1"),
        ] {
            assert_eq!(decimal(text).units(), units, "{text}");
            assert_eq!(decimal(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_hold_exactly() {
        let fault = |text: &str| text.parse::<Decimal>().unwrap_err();
        for text in ["", "-", ".", "1.", ".5", "1e3", "1,5", "0x10", "NaN", "1_000", "--1"] {
            assert_eq!(fault(text), DecimalError::Malformed, "{text}");
        }
        assert_eq!(fault("0.00001"), DecimalError::TooPrecise);
        assert_eq!(fault("922337203685477.5808"), DecimalError::OutOfRange);
        assert_eq!(fault(&"9".repeat(60)), DecimalError::OutOfRange);
        assert_eq!(Decimal::from_f64(0.00001), Err(DecimalError::TooPrecise));
        assert_eq!(Decimal::from_f64(1e12), Err(DecimalError::Inexact));
        assert_eq!(Decimal::from_f64(f64::NAN), Err(DecimalError::Malformed));
    }

    #[test]
    fn rounds_half_to_even_and_refuses_overflow() {
        assert_eq!(decimal("0.0001").checked_mul(decimal("0.5")), Some(decimal("0")));
        assert_eq!(decimal("0.0003").checked_mul(decimal("0.5")), Some(decimal("0.0002")));
        assert_eq!(decimal("-0.0003").checked_mul(decimal("0.5")), Some(decimal("-0.0002")));
        assert_eq!(decimal("1").checked_div(decimal("3")), Some(decimal("0.3333")));
        assert_eq!(decimal("2").checked_div(decimal("-3")), Some(decimal("-0.6667")));
        assert_eq!(decimal("1").checked_div(decimal("0")), None);
        assert_eq!(Decimal::from_units(i64::MAX).checked_add(Decimal::from_units(1)), None);
        assert_eq!(Decimal::from_units(i64::MIN).checked_neg(), None);
    }

    proptest! {
        #[test]
        fn text_and_float_lead_back_to_the_same_decimal(units in any::<i64>(), exact in -(1_i64 << 50) + 1..1_i64 << 50) {
            let d = Decimal::from_units(units);
            prop_assert_eq!(d.to_string().parse::<Decimal>(), Ok(d));
            let e = Decimal::from_units(exact);
            prop_assert_eq!(Decimal::from_f64(e.to_string().parse::<f64>().unwrap()), Ok(e));
        }
    }
}
