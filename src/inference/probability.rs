//! Probabilities in parts per million: exact, ordered, and the same in a record, a file and a threshold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One million parts: certainty.
const ONE: u32 = 1_000_000;

/// A probability or a share between 0 and 1, in whole parts per million.
///
/// Models compute in floating point; what is compared with a threshold, recorded and certified is this, so that there is one
/// answer to the question whether a score reached its threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Probability(u32);

/// A text or a number that is no probability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbabilityError {
    /// Above certainty.
    #[error("`{0}` parts per million is above 1")]
    AboveOne(u32),
    /// Not a decimal between 0 and 1 with at most six places.
    #[error("`{0}` is not a decimal between 0 and 1 with at most six places")]
    NotADecimal(String),
}

impl Probability {
    /// Impossible.
    pub const ZERO: Self = Self(0);
    /// The least that is not impossible.
    pub const LEAST: Self = Self(1);
    /// Certain.
    pub const ONE: Self = Self(ONE);

    /// A probability of so many parts per million.
    ///
    /// # Errors
    /// When there are more than a million.
    pub const fn from_ppm(ppm: u32) -> Result<Self, ProbabilityError> {
        if ppm > ONE { Err(ProbabilityError::AboveOne(ppm)) } else { Ok(Self(ppm)) }
    }

    /// What a model computed, rounded to the nearest part per million, halves upwards.
    ///
    /// What is below 0 becomes 0, what is above 1 becomes 1, and what is not a number becomes 0: it reaches no threshold. The
    /// product is exact in double precision, so the rounding is the same everywhere.
    pub fn from_f32(value: f32) -> Self {
        Self::from_f64(f64::from(value))
    }

    /// As [`Probability::from_f32`], of a double.
    pub fn from_f64(value: f64) -> Self {
        Self(Self::clamped(libm::floor(value * f64::from(ONE) + 0.5)))
    }

    /// A bound, rounded downwards, so that it promises nothing that was not computed.
    pub fn at_least(value: f64) -> Self {
        Self(Self::clamped(libm::floor(value * f64::from(ONE))))
    }

    /// So many of so many, rounded to the nearest, halves upwards; 0 of 0 is 0.
    pub fn share(part: usize, whole: usize) -> Self {
        let (part, whole) = (part.min(whole) as u128, whole as u128);
        match whole {
            0 => Self::ZERO,
            _ => Self(((part * u128::from(ONE) * 2 + whole) / (whole * 2)) as u32),
        }
    }

    /// The parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// As a double.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(ONE)
    }

    /// What is missing to certainty.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(ONE - self.0)
    }

    /// The sum, at most 1: rounded parts may add up to a few millionths more.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let sum = self.0 + other.0;
        Self(if sum > ONE { ONE } else { sum })
    }

    /// The difference, at least 0.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This part of a whole: rounded to the nearest, halves upwards, at most 1; 0 of a whole that is 0.
    #[must_use]
    pub const fn out_of(self, whole: Self) -> Self {
        if whole.0 == 0 {
            return Self::ZERO;
        }
        let (part, whole) = (self.0 as u64, whole.0 as u64);
        let ppm = (part * ONE as u64 * 2 + whole) / (whole * 2);
        if ppm > ONE as u64 { Self::ONE } else { Self(ppm as u32) }
    }

    /// As a percentage with one place, for people: `97.0 %`. Rounded downwards, so that nothing looks better than it is.
    pub fn percent(self) -> impl fmt::Display {
        struct Percent(u32);
        impl fmt::Display for Percent {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}.{} %", self.0 / 10_000, self.0 / 1_000 % 10)
            }
        }
        Percent(self.0)
    }

    fn clamped(ppm: f64) -> u32 {
        // A cast saturates, and makes 0 of what is not a number.
        (ppm as u32).min(ONE)
    }
}

impl TryFrom<u32> for Probability {
    type Error = ProbabilityError;

    fn try_from(ppm: u32) -> Result<Self, ProbabilityError> {
        Self::from_ppm(ppm)
    }
}

impl From<Probability> for u32 {
    fn from(probability: Probability) -> Self {
        probability.0
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / ONE, self.0 % ONE)
    }
}

impl FromStr for Probability {
    type Err = ProbabilityError;

    fn from_str(text: &str) -> Result<Self, ProbabilityError> {
        let fault = || ProbabilityError::NotADecimal(text.to_owned());
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !matches!(whole, "0" | "1") || !is_digits(places) || places.len() > 6 {
            return Err(fault());
        }
        let places: u32 = format!("{places:0<6}").parse().map_err(|_| fault())?;
        let ppm = if whole == "1" { ONE + places } else { places };
        Self::from_ppm(ppm).map_err(|_| fault())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rounds_to_the_nearest_part_and_keeps_within_its_bounds() {
        assert_eq!(Probability::from_f64(0.934_216_5).ppm(), 934_217);
        assert_eq!(Probability::from_f64(0.934_216_4).ppm(), 934_216);
        assert_eq!(Probability::from_f32(f32::NAN), Probability::ZERO);
        assert_eq!(Probability::from_f32(-0.1), Probability::ZERO);
        assert_eq!(Probability::from_f32(1.000_001), Probability::ONE);
        assert_eq!(Probability::from_f32(f32::INFINITY), Probability::ONE);
        assert_eq!(Probability::share(1, 3).ppm(), 333_333);
        assert_eq!(Probability::share(2, 3).ppm(), 666_667);
        assert_eq!(Probability::share(0, 0), Probability::ZERO);
    }

    #[test]
    fn says_what_is_no_probability() {
        for wrong in ["", "1.", ".5", "1.000001", "0.1234567", "-0.1", "2", "0,5", "nan", "1e-3", "٠.٥"] {
            let fault = wrong.parse::<Probability>().unwrap_err();
            assert_eq!(
                fault.to_string(),
                format!("`{wrong}` is not a decimal between 0 and 1 with at most six places")
            );
        }
        assert_eq!(Probability::from_ppm(1_000_001).unwrap_err().to_string(), "`1000001` parts per million is above 1");
    }

    #[test]
    fn percentages_are_rounded_downwards() {
        let shown = |ppm| Probability::from_ppm(ppm).unwrap().percent().to_string();
        assert_eq!(shown(969_999), "96.9 %");
        assert_eq!(shown(1_000_000), "100.0 %");
        assert_eq!(shown(999), "0.0 %");
    }

    proptest! {
        #[test]
        fn a_text_reads_back_as_the_same_probability(ppm in 0..=1_000_000u32) {
            let probability = Probability::from_ppm(ppm).unwrap();
            prop_assert_eq!(probability.to_string().parse(), Ok(probability));
            prop_assert_eq!(Probability::from_f64(probability.as_f64()), probability);
        }

        #[test]
        fn a_higher_score_is_never_a_lower_probability(a in 0f32..=1.0, b in 0f32..=1.0) {
            prop_assert_eq!(a.total_cmp(&b).is_lt() && Probability::from_f32(a) > Probability::from_f32(b), false);
        }

        #[test]
        fn parts_of_a_whole_stay_in_order(whole in 1..=1_000_000u32, a in 0..=1_000_000u32, b in 0..=1_000_000u32) {
            let [whole, a, b] = [whole, a.min(whole), b.min(whole)].map(|ppm| Probability::from_ppm(ppm).unwrap());
            prop_assert!(a > b || a.out_of(whole) <= b.out_of(whole));
            prop_assert!(a <= a.out_of(whole));
            prop_assert_eq!(whole.out_of(whole), Probability::ONE);
        }
    }
}
