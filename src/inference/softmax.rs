//! From logits to probabilities: the softmax, with a temperature.

/// Writes the probabilities of logits divided by a temperature (Guo et al. 2017, "On Calibration of Modern Neural Networks").
///
/// A logit that is not a number counts as minus infinity, one of plus infinity as the largest number. When no logit is left,
/// all probabilities are 0, which reaches no threshold. The same logits give the same bits on every machine: the exponential is
/// that of `libm`, the sum goes from the first label to the last. No allocation; one exponential a label.
///
/// # Panics
/// When the lengths differ or the temperature is not above 0: both are checked when a model is loaded.
pub fn softmax_into(logits: &[f32], temperature: f32, out: &mut [f32]) {
    assert_eq!(logits.len(), out.len(), "a probability for each logit");
    assert!(temperature > 0.0, "a temperature is above 0");
    let highest = logits.iter().map(|logit| tamed(*logit)).fold(f32::NEG_INFINITY, f32::max);
    if highest == f32::NEG_INFINITY {
        out.fill(0.0);
        return;
    }
    let mut sum = 0.0f32;
    for (logit, probability) in logits.iter().zip(out.iter_mut()) {
        *probability = libm::expf((tamed(*logit) - highest) / temperature);
        sum += *probability;
    }
    // The highest logit alone gives 1, so the sum is at least 1.
    for probability in out {
        *probability /= sum;
    }
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
