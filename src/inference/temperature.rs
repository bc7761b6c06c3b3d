//! Fitting a temperature: the one number that makes a classifier's confidence honest.

/// A temperature is looked for between this and its inverse. A model that wants more is broken, not badly calibrated.
const TEMPERATURE_MAX: f64 = 20.0;

/// The interval halves at least with each step, so these suffice for a double; Newton's steps need about six.
const STEPS_MAX: usize = 60;

/// Why no temperature could be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemperatureError {
    /// Nothing to fit it on.
    #[error("there is no row to fit a temperature on")]
    NoRows,
    /// The likelihood still rises at the end of the range.
    #[error(
        "the best temperature is not between 0.05 and 20: the model tells all rows rightly, or no better than chance"
    )]
    OutOfRange,
}

/// Finds the temperature under which the labels are most likely, given logits row by row (Guo et al. 2017, section 4.2).
///
/// The negative log-likelihood is convex in the inverse temperature, so that its derivative has one root, found by Newton's steps
/// inside a shrinking interval. Fit it on rows that the model was not trained on: on its training rows every model looks too modest. Accuracy does
/// not change, for the order of the labels does not. One exponential for each logit and step, about eight steps; the same rows in the
/// same order give the same bits.
///
/// # Errors
/// When there is no row, or the best temperature is not between 0.05 and 20.
///
/// # Panics
/// When there are not `labels` logits for each true label, or a true label is not among them.
pub fn fit_temperature(logits: &[f32], labels: usize, truths: &[u16]) -> Result<f32, TemperatureError> {
    assert_eq!(logits.len(), truths.len() * labels, "a logit for each row and label");
    if truths.is_empty() {
        return Err(TemperatureError::NoRows);
    }
    let slopes = |inverse: f64| {
        let rows = logits.chunks_exact(labels).zip(truths);
        rows.map(|(row, truth)| row_slopes(row, usize::from(*truth), inverse))
            .fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d))
    };
    let (mut low, mut high) = (1.0 / TEMPERATURE_MAX, TEMPERATURE_MAX);
    let has_root = slopes(low).0 < 0.0 && slopes(high).0 > 0.0;
    if !has_root {
        return Err(TemperatureError::OutOfRange);
    }
    let mut inverse = 1.0;
    for _ in 0..STEPS_MAX {
        let (slope, curvature) = slopes(inverse);
        if slope < 0.0 {
            low = inverse;
        } else {
            high = inverse;
        }
        let newton = inverse - slope / curvature;
        let next = if newton > low && newton < high { newton } else { (low + high) / 2.0 };
        let is_settled = libm::fabs(next - inverse) <= 1e-9 * inverse;
        inverse = next;
        if is_settled {
            break;
        }
    }
    Ok((1.0 / inverse) as f32)
}

/// The first and second derivative of a row's negative log-likelihood by the inverse temperature: the mean logit minus the true one,
/// and the variance of the logits, both under the row's probabilities.
fn row_slopes(row: &[f32], truth: usize, inverse: f64) -> (f64, f64) {
    let highest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
    for logit in row {
        let below = f64::from(*logit) - highest;
        let weight = libm::exp(below * inverse);
        sum += weight;
        first += weight * below;
        second += weight * below * below;
    }
    let mean = first / sum;
    (mean - (f64::from(row[truth]) - highest), second / sum - mean * mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Quality;
    use crate::inference::quality::Judgement;
    use crate::inference::softmax_into;

    /// Rows whose labels follow a softmax of the logits, told by a fixed sequence of numbers.
    fn rows(count: usize, overconfidence: f32) -> (Vec<f32>, Vec<u16>) {
        let mut seed = 7u64;
        let mut uniform = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 40) as f32 + 0.5) / (1u64 << 24) as f32
        };
        let (mut logits, mut truths) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let row: Vec<f32> = (0..5).map(|_| uniform() * 6.0).collect();
            let mut probabilities = [0.0; 5];
            softmax_into(&row, 1.0, &mut probabilities);
            let (draw, mut sum) = (uniform(), 0.0);
            let truth = probabilities.iter().position(|p| {
                sum += p;
                draw < sum
            });
            truths.push(truth.unwrap_or(4) as u16);
            logits.extend(row.iter().map(|logit| logit * overconfidence));
        }
        (logits, truths)
    }

    fn quality(logits: &[f32], truths: &[u16], temperature: f32) -> Quality {
        let mut probabilities = [0.0; 5];
        let judged = logits.chunks_exact(5).zip(truths).map(|(row, truth)| {
            softmax_into(row, temperature, &mut probabilities);
            Judgement::of(&probabilities, *truth)
        });
        Quality::of(&judged.collect::<Vec<_>>())
    }

    #[test]
    fn a_model_that_boasts_is_cooled_to_what_it_knows() {
        for overconfidence in [0.25, 1.0, 3.0] {
            let (logits, truths) = rows(4_000, overconfidence);
            let temperature = fit_temperature(&logits, 5, &truths).unwrap();
            assert!((temperature / overconfidence - 1.0).abs() < 0.05, "{temperature} for {overconfidence}");
            let (before, after) = (quality(&logits, &truths, 1.0), quality(&logits, &truths, temperature));
            assert_eq!(before.accuracy, after.accuracy);
            assert!(after.ece < 0.02, "{}", after.ece);
            assert!(
                overconfidence == 1.0 || before.ece > 4.0 * after.ece,
                "{} before, {} after",
                before.ece,
                after.ece
            );
        }
    }

    #[test]
    fn what_has_no_best_temperature_is_refused() {
        assert_eq!(fit_temperature(&[], 3, &[]), Err(TemperatureError::NoRows));
        assert_eq!(fit_temperature(&[1.0, 0.0], 2, &[0]), Err(TemperatureError::OutOfRange), "always right");
        assert_eq!(fit_temperature(&[1.0, 0.0], 2, &[1]), Err(TemperatureError::OutOfRange), "always wrong");
        assert_eq!(fit_temperature(&[f32::NAN, 0.0], 2, &[1]), Err(TemperatureError::OutOfRange), "not a number");
    }
}
