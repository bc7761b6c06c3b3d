//! The exponential, several at once.

/// The exponential of a number that is not above zero, to within 2 units in the last place; below -87 it is 0.
///
/// Only additions, multiplications and a shift: the same bits on every machine, and a loop over it becomes vector
/// instructions, which a call into a library of mathematics does not. The polynomial and the two parts of ln 2 are those of
/// Moshier's Cephes library.
#[inline]
pub(crate) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, the first of which is exact when multiplied by a small whole number.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding it rounds to a whole number, which is then in the last bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x > -87.0 { x } else { -87.0 };
    let shifted = clamped * LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = clamped - whole * LN2_HIGH - whole * LN2_LOW;
    let mut series = 1.987_569_1e-4;
    series = series * rest + 1.398_199_9e-3;
    series = series * rest + 8.333_452e-3;
    series = series * rest + 4.166_579_6e-2;
    series = series * rest + 0.166_666_65;
    series = series * rest + 0.5;
    let fraction = series * (rest * rest) + rest + 1.0;
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x > -87.0 { fraction * power } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_one_and_far_below_is_nothing() {
        assert_eq!((exp(0.0), exp(-0.0), exp(-87.0), exp(f32::NEG_INFINITY)), (1.0, 1.0, 0.0, 0.0));
        assert_eq!(exp(f32::NAN), 0.0);
    }

    proptest! {
        #[test]
        fn is_that_of_the_library(x in -86.99_f32..=0.0) {
            let (ours, exact) = (f64::from(exp(x)), libm::exp(f64::from(x)));
            prop_assert!((ours / exact - 1.0).abs() < 2.5e-7, "{x}: {ours} for {exact}");
        }
    }
}
