//! What a linear model or a tree ensemble does with its sums before it gives them.

use libm::{expf, fabsf, logf, sqrtf};

/// The attribute `post_transform`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PostTransform {
    None,
    Softmax,
    Logistic,
    SoftmaxZero,
    Probit,
}

impl PostTransform {
    /// By its name in the file; none if it is unknown.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "NONE" => Some(Self::None),
            "SOFTMAX" => Some(Self::Softmax),
            "LOGISTIC" => Some(Self::Logistic),
            "SOFTMAX_ZERO" => Some(Self::SoftmaxZero),
            "PROBIT" => Some(Self::Probit),
            _ => None,
        }
    }

    /// Transforms the sums of all classes in place.
    pub(super) fn apply(self, scores: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Softmax => softmax(scores),
            Self::Logistic => scores.iter_mut().for_each(|score| *score = logistic(*score)),
            Self::SoftmaxZero => softmax_zero(scores),
            Self::Probit => scores.iter_mut().for_each(|score| *score = probit(*score)),
        }
    }
}

/// `1 / (1 + e^-x)`, without an overflow.
pub(super) fn logistic(x: f32) -> f32 {
    let above = 1.0 / (1.0 + expf(-fabsf(x)));
    if x < 0.0 { 1.0 - above } else { above }
}

/// Scores that sum to 1.
pub(super) fn softmax(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = expf(*score - highest);
        sum += *score;
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// As [`softmax`], but a zero stays a zero.
fn softmax_zero(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::MIN, f32::max);
    let of_zero = expf(-highest);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        if fabsf(*score) > 1e-7 {
            *score = expf(*score - highest);
            sum += *score;
        } else {
            *score *= of_zero;
        }
    }
    scores.iter_mut().for_each(|score| *score /= sum);
}

/// The quantile of the normal distribution, by the approximation that the runtimes use (Winitzki's, of the error function).
fn probit(p: f32) -> f32 {
    const A: f32 = 0.147;
    let x = 2.0 * p - 1.0;
    let log = logf((1.0 - x) * (1.0 + x));
    let half = 2.0 / (std::f32::consts::PI * A) + 0.5 * log;
    let root = sqrtf(-half + sqrtf(half * half - log / A));
    std::f32::consts::SQRT_2 * if x < 0.0 { -root } else { root }
}
