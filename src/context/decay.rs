//! Weights that halve: how much of an amount is left after some time, in whole numbers, the same on every machine.

use crate::domain::{Decimal, half_even};

/// Fractions are kept in so many binary places.
const PLACES: u32 = 62;

const ONE: i128 = 1 << PLACES;

/// The weights of a half-life that is cut into buckets. A bucket that lies `k` buckets back weighs `2^(-k / H)`, where `H` is
/// the number of buckets in a half-life: a table of the `H` weights within one half-life, halved once for each whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decay(Box<[u64]>);

impl Decay {
    /// The weights for a half-life of so many buckets (at least one).
    ///
    /// A weight is the product of the square roots, square roots of square roots and so on of one half that the binary
    /// digits of `j / H` ask for; every root and every product is rounded down to 62 binary places.
    pub fn new(buckets: usize) -> Self {
        let mut roots = [0_u128; PLACES as usize];
        let mut root = 1_u128 << (PLACES - 1);
        for place in &mut roots {
            root = (root << PLACES).isqrt();
            *place = root;
        }
        let buckets = buckets.max(1) as u64;
        let weight = |j: u64| {
            let (mut rest, mut weight) = (j, 1_u128 << PLACES);
            for root in roots {
                rest *= 2;
                if rest >= buckets {
                    rest -= buckets;
                    weight = (weight * root) >> PLACES;
                }
            }
            weight as u64
        };
        Self((0..buckets).map(weight).collect())
    }

    /// Buckets in a half-life.
    pub fn buckets(&self) -> usize {
        self.0.len()
    }

    /// The weight within one half-life, in units of 2⁻⁶².
    pub fn weight(&self, j: usize) -> u64 {
        self.0.get(j).copied().unwrap_or_default()
    }

    /// What is left of an amount after some buckets, in units of 2⁻⁶², rounded down.
    #[inline]
    pub(super) fn left_of(&self, amount: i64, age: u64) -> i128 {
        let buckets = self.0.len() as u64;
        let whole = i128::from(amount) * i128::from(self.weight((age % buckets) as usize));
        whole >> (age / buckets).min(127)
    }

    /// A sum of what is left as a whole number, rounded half to even.
    pub(super) fn whole(sum: i128) -> Option<i64> {
        half_even(sum, ONE)
    }

    /// A sum of what is left of whole numbers as a decimal, rounded half to even at the fourth place.
    pub(super) fn decimal(sum: i128) -> Option<Decimal> {
        let units = 10_i128.pow(Decimal::PLACES);
        half_even(sum.checked_mul(units)?, ONE).map(Decimal::from_units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_powers_of_one_half() {
        for buckets in [1_usize, 2, 3, 7, 24, 28, 40, 1_000] {
            let decay = Decay::new(buckets);
            assert_eq!((decay.buckets(), decay.weight(0)), (buckets, 1 << PLACES));
            for j in 0..buckets {
                let exact = (-(j as f64) / buckets as f64).exp2();
                let weight = decay.weight(j) as f64 / ONE as f64;
                assert!((weight - exact).abs() < 1e-15, "{j} of {buckets}: {weight} is not {exact}");
                assert!(
                    j == 0 || decay.weight(j) < decay.weight(j - 1),
                    "{j} of {buckets} weighs less than the one before"
                );
                // Two weights whose exponents make a whole half-life give one half, but for the rounding of their places.
                let product = (u128::from(decay.weight(j)) * u128::from(decay.weight(buckets - j))) >> PLACES;
                assert!(j == 0 || (1 << (PLACES - 1)) - product < 200, "{j} of {buckets}");
            }
        }
    }

    #[test]
    fn amounts_halve() {
        let decay = Decay::new(24);
        let left = |amount, age| Decay::decimal(decay.left_of(amount, age)).map(|left| left.to_string());
        assert_eq!(left(100, 0).as_deref(), Some("100"));
        assert_eq!(left(100, 24).as_deref(), Some("50"));
        assert_eq!(left(-100, 48).as_deref(), Some("-25"));
        assert_eq!(left(1, 12).as_deref(), Some("0.7071"));
        assert_eq!(left(i64::MAX, 0), None, "no decimal is so large");
        assert_eq!(Decay::whole(decay.left_of(i64::MAX, 0)), Some(i64::MAX));
        assert_eq!(Decay::whole(decay.left_of(i64::MIN, 24 * 200)), Some(0));
    }
}
