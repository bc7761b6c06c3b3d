//! From logits to probabilities: the softmax, with a temperature.

use super::exponential::exp;

/// Writes the probabilities of logits divided by a temperature (Guo et al. 2017, "On Calibration of Modern Neural Networks").
///
/// A logit that is not a number counts as minus infinity, one of plus infinity as the largest number. When no logit is left,
/// all probabilities are 0, which reaches no threshold. The same logits give the same bits on every machine: the exponential is
/// our own, the sum adds up every eighth label and then the eight sums. No allocation; one exponential a label, several at once.
///
/// # Panics
/// When the lengths differ or the temperature is not above 0: both are checked when a model is loaded.
pub fn softmax_into(logits: &[f32], temperature: f32, out: &mut [f32]) {
    assert_eq!(logits.len(), out.len(), "a probability for each logit");
    assert!(temperature > 0.0, "a temperature is above 0");
    let highest = greatest(logits);
    if highest == f32::NEG_INFINITY {
        out.fill(0.0);
        return;
    }
    for (logit, probability) in logits.iter().zip(out.iter_mut()) {
        *probability = exp((tamed(*logit) - highest) / temperature);
    }
    // The highest logit alone gives 1, so the sum is at least 1.
    let sum = sum(out);
    for probability in out {
        *probability /= sum;
    }
}

/// Numbers that are taken together: one after the other, each would wait for the one before.
const LANES: usize = 8;

fn greatest(logits: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (eights, rest) = logits.as_chunks::<LANES>();
    for eight in eights {
        for (lane, logit) in lanes.iter_mut().zip(eight) {
            *lane = greater(*lane, tamed(*logit));
        }
    }
    let lanes = lanes.into_iter().fold(f32::NEG_INFINITY, greater);
    rest.iter().map(|logit| tamed(*logit)).fold(lanes, greater)
}

fn sum(numbers: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (eights, rest) = numbers.as_chunks::<LANES>();
    for eight in eights {
        for (lane, number) in lanes.iter_mut().zip(eight) {
            *lane += number;
        }
    }
    for (lane, number) in lanes.iter_mut().zip(rest) {
        *lane += number;
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// The greater of two numbers, neither of which is NaN: one instruction, where `f32::max` takes care of NaN with several.
#[inline]
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline]
fn tamed(logit: f32) -> f32 {
    if logit.is_nan() { f32::NEG_INFINITY } else { logit.min(f32::MAX) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
        let mut out = vec![9.0; logits.len()];
        softmax_into(logits, temperature, &mut out);
        out
    }

    #[test]
    fn equals_the_textbook() {
        let found = softmax(&[1.0, 2.0, 3.0], 1.0);
        for (found, expected) in found.iter().zip([0.090_030_57, 0.244_728_47, 0.665_240_96]) {
            assert!((found - expected).abs() < 1e-7, "{found} beside {expected}");
        }
        let cooler = softmax(&[1.0, 2.0, 3.0], 0.5);
        let expected = softmax(&[2.0, 4.0, 6.0], 1.0);
        assert_eq!(cooler, expected);
    }

    #[test]
    fn what_is_not_a_number_gets_nothing() {
        assert_eq!(softmax(&[f32::NAN, 0.0], 1.0), [0.0, 1.0]);
        assert_eq!(softmax(&[f32::NAN, f32::NEG_INFINITY], 1.0), [0.0, 0.0]);
        assert_eq!(softmax(&[f32::INFINITY, 3.0, f32::INFINITY], 1.0), [0.5, 0.0, 0.5]);
        assert_eq!(softmax(&[f32::MIN, f32::MAX], 0.1), [0.0, 1.0]);
        assert_eq!(softmax(&[], 1.0), [] as [f32; 0]);
    }

    proptest! {
        #[test]
        fn is_a_distribution_that_keeps_the_order(
            logits in prop::collection::vec(-80f32..80.0, 1..60),
            temperature in 0.05f32..20.0,
        ) {
            let found = softmax(&logits, temperature);
            prop_assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            for (a, b) in logits.iter().zip(&found) {
                for (c, d) in logits.iter().zip(&found) {
                    prop_assert!(a > c || b <= d);
                }
            }
        }
    }
}
