//! How far apart two lists of numbers are, and how sure that is: Welch's interval.

use super::CONFIDENCE;
use super::observed::Observed;

/// B over A as a logarithm, or B minus A, and how far the truth may lie from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    middle: f64,
    half: f64,
    is_log: bool,
}

impl Interval {
    /// None where a side has fewer than two values, or where a ratio has nothing to stand on.
    pub(super) fn between(a: &Observed, b: &Observed, is_difference: bool) -> Option<Self> {
        if a.values.len() < 2 || b.values.len() < 2 {
            return None;
        }
        if is_difference {
            return Self::welch(a, b, &a.values, &b.values, false);
        }
        if a.values.iter().chain(&b.values).all(|value| *value > 0.0) {
            let logs = |side: &Observed| side.values.iter().map(|value| value.ln()).collect::<Vec<_>>();
            return Self::welch(a, b, &logs(a), &logs(b), true);
        }
        // A block without a single answer has no logarithm: as shares of A's mean instead.
        let scale = mean(&a.values);
        if scale <= 0.0 {
            return None;
        }
        let scaled = |side: &Observed| side.values.iter().map(|value| value / scale).collect::<Vec<_>>();
        Self::welch(a, b, &scaled(a), &scaled(b), false).map(Self::as_log)
    }

    fn welch(a: &Observed, b: &Observed, of_a: &[f64], of_b: &[f64], is_log: bool) -> Option<Self> {
        let spread = |values: &[f64], inflation: f64| inflation * variance(values) / values.len() as f64;
        let (spread_a, spread_b) = (spread(of_a, a.inflation), spread(of_b, b.inflation));
        let middle = mean(of_b) - mean(of_a);
        let spread = spread_a + spread_b;
        if spread <= 0.0 {
            return Some(Self { middle, half: 0.0, is_log });
        }
        let part = |spread: f64, freedom: f64| spread * spread / freedom;
        let freedom = spread * spread / (part(spread_a, a.freedom) + part(spread_b, b.freedom));
        Some(Self { middle, half: student(freedom) * spread.sqrt(), is_log })
    }

    /// The same where differences were taken as shares of A.
    fn as_log(self) -> Self {
        let log = |share: f64| (1.0 + share).max(1e-9).ln();
        let (low, high) = (log(self.middle - self.half), log(self.middle + self.half));
        Self { middle: f64::midpoint(low, high), half: (high - low) / 2.0, is_log: true }
    }

    /// Whether the truth lies on one side, and the estimate further from nothing than `least`.
    pub(super) fn is_beyond(&self, least: f64) -> bool {
        let size = if self.is_log { self.middle.abs().exp() - 1.0 } else { self.middle.abs() };
        self.middle.abs() > self.half && size > least
    }

    pub(super) fn is_more(&self) -> bool {
        self.middle > 0.0
    }

    pub(super) fn ends(&self) -> (f64, f64) {
        let (low, high) = (self.middle - self.half, self.middle + self.half);
        if self.is_log { (low.exp(), high.exp()) } else { (low, high) }
    }

    pub(super) fn noise(&self) -> f64 {
        if self.is_log { self.half.exp() - 1.0 } else { self.half }
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

pub(super) fn variance(values: &[f64]) -> f64 {
    let middle = mean(values);
    values.iter().map(|value| (value - middle).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// How many standard errors hold the truth with [`CONFIDENCE`], by Student's distribution with these degrees of freedom.
fn student(freedom: f64) -> f64 {
    let outside = 1.0 - CONFIDENCE;
    let (mut low, mut high) = (0.0_f64, 1_000.0_f64);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if beyond(middle, freedom) > outside { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The probability that Student's t lies further from zero than this, on either side.
fn beyond(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / (freedom + t * t), freedom / 2.0, 0.5)
}

/// The regularized incomplete beta function, by its continued fraction (Numerical Recipes, 6.4).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let keep = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for step in 1..300 {
        let m = f64::from(step);
        for numerator in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / keep(1.0 + numerator * d);
            c = keep(1.0 + numerator / c);
            result *= d * c;
        }
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    result
}

/// The logarithm of the gamma function of what is above zero, by Lanczos.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 6] = [
        76.180_091_729_471_46,
        -86.505_320_329_416_77,
        24.014_098_240_830_91,
        -1.231_739_572_450_155,
        0.120_865_097_386_617_9e-2,
        -0.539_523_938_495_3e-5,
    ];
    let start = x + 5.5 - (x + 0.5) * (x + 5.5).ln();
    let mut sum = 1.000_000_000_190_015;
    for (nth, term) in TERMS.iter().enumerate() {
        sum += term / (x + 1.0 + nth as f64);
    }
    (2.506_628_274_631_000_5 * sum / x).ln() - start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_quantiles_are_those_of_the_books() {
        for (freedom, expected) in
            [(1.0, 12.706), (2.0, 4.303), (4.0, 2.776), (9.0, 2.262), (30.0, 2.042), (1e6, 1.960)]
        {
            assert!((student(freedom) - expected).abs() < 0.001, "{freedom}: {}", student(freedom));
        }
    }

    #[test]
    fn the_interval_is_welchs() {
        // Two lists of Welch's kind; the difference, its error and degrees of freedom were worked out by hand.
        let side = |values: &[f64]| Observed {
            inflation: 1.0,
            freedom: values.len() as f64 - 1.0,
            values: values.into(),
            ..Observed::default()
        };
        let (a, b) = (side(&[10.0, 12.0, 14.0]), side(&[20.0, 21.0, 22.0, 23.0]));
        let interval = Interval::between(&a, &b, true).unwrap();
        // Variances 4 and 5/3: error sqrt(4/3 + 5/12) = 1.3229, freedom 1.75^2 / ((4/3)^2/2 + (5/12)^2/3) = 3.2346.
        let (low, high) = interval.ends();
        assert!((f64::midpoint(low, high) - 9.5).abs() < 1e-9);
        assert!(((high - low) / 2.0 - student(3.2346) * 1.3229).abs() < 0.001, "{interval:?}");
    }

    #[test]
    fn nothing_is_said_of_too_little() {
        let side = |values: &[f64]| Observed {
            inflation: 1.0,
            freedom: values.len() as f64 - 1.0,
            values: values.into(),
            ..Observed::default()
        };
        assert_eq!(Interval::between(&side(&[1.0]), &side(&[1.0, 2.0]), false), None);
        assert_eq!(Interval::between(&side(&[0.0, 0.0]), &side(&[1.0, 2.0]), false), None);
        let same = Interval::between(&side(&[5.0, 5.0]), &side(&[5.0, 5.0]), false).unwrap();
        assert!(!same.is_beyond(0.005) && same.noise() == 0.0);
    }
}
