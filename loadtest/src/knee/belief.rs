//! Where the knee may be, after what was heard.
//!
//! How likely a trial is to hold falls with its rate, from a little under one to a little over nothing: a logistic curve in the logarithm of
//! the rate. Three things about it are not known: where it falls (the knee), how steeply (a noisy machine blurs it), and how often a trial
//! misses far below the knee, because the machine stalled. All combinations of them on a grid have a weight, and every trial moves the weights
//! by Bayes' rule. So a trial that missed by bad luck is outvoted by those after it, which a plain bisection never would allow
//! (probabilistic bisection: Waeber, Frazier and Henderson 2013; with the slope unknown: Kontsevich and Tyler 1999).

use super::ladder::Ladder;

/// Points of the grid for each step of the ladder.
const POINTS_PER_STEP: f64 = 4.0;
/// How far the grid reaches beyond the rates that may be tried, as a ratio: a knee out there is heard of, if not where it is.
const BEYOND: f64 = 1.5;
/// How steeply the curve falls: the scales of the logistic in the logarithm of the rate, from a cliff to a long slope.
const SCALES: [f64; 6] = [0.004, 0.01, 0.025, 0.06, 0.12, 0.25];
/// How often a trial misses for reasons that have nothing to do with its rate.
const STRAY: [f64; 5] = [0.005, 0.03, 0.08, 0.16, 0.3];
/// How often a trial holds by luck, however high its rate.
const LUCK: f64 = 0.01;

/// The weights of all combinations.
#[derive(Clone, Debug)]
pub(crate) struct Belief {
    /// The logarithms of where the curve may fall.
    places: Vec<f64>,
    /// A weight for each place, scale and stray, in that order; the largest is one.
    weights: Vec<f64>,
    /// The logarithm of each combination's knee, where its curve crosses one half, and its position; in ascending order.
    knees: Vec<(f64, usize)>,
}

/// The rate that the knee lies above, and the one that it lies below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Interval {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Belief {
    /// Every rate is as likely as any other of its order.
    pub(crate) fn new(ladder: &Ladder, ratio: f64) -> Self {
        let (low, high) = ((ladder.rate(0) / BEYOND).ln(), (ladder.rate(ladder.top()) * BEYOND).ln());
        let points = ((high - low) / (ratio.ln() / POINTS_PER_STEP)).ceil().max(1.0) as usize;
        let places: Vec<f64> = (0..=points).map(|at| low + (high - low) * at as f64 / points as f64).collect();
        let mut knees = Vec::with_capacity(places.len() * SCALES.len() * STRAY.len());
        for place in &places {
            for scale in SCALES {
                for stray in STRAY {
                    let half = (0.5 - LUCK) / (1.0 - LUCK - stray);
                    knees.push((place - scale * (half / (1.0 - half)).ln(), knees.len()));
                }
            }
        }
        knees.sort_by(|one, other| one.0.total_cmp(&other.0));
        Self { places, weights: vec![1.0; knees.len()], knees }
    }

    /// Takes in whether a trial at a rate held.
    pub(crate) fn hear(&mut self, rate: f64, has_held: bool) {
        let rate = rate.ln();
        let mut weights = self.weights.iter_mut();
        for place in &self.places {
            for scale in SCALES {
                let below = 1.0 / (1.0 + ((rate - place) / scale).exp());
                for (stray, weight) in STRAY.iter().zip(weights.by_ref()) {
                    let holds = LUCK + (1.0 - LUCK - stray) * below;
                    *weight *= if has_held { holds } else { 1.0 - holds };
                }
            }
        }
        // The largest is one again, so that however many trials there are none but the hopeless vanish.
        let largest = self.weights.iter().copied().fold(0.0, f64::max);
        self.weights.iter_mut().for_each(|weight| *weight /= largest);
    }

    /// The rates below which the knee is with these probabilities, which ascend.
    pub(crate) fn quantiles<const N: usize>(&self, probabilities: [f64; N]) -> [f64; N] {
        let all: f64 = self.weights.iter().sum();
        let mut asked = probabilities.iter().map(|probability| probability * all).peekable();
        let mut found = [self.knees.last().map_or(0.0, |(knee, _)| knee.exp()); N];
        let (mut sum, mut nth) = (0.0, 0);
        for (knee, at) in &self.knees {
            sum += self.weights[*at];
            while asked.next_if(|wanted| sum >= *wanted).is_some() {
                found[nth] = knee.exp();
                nth += 1;
            }
        }
        found
    }

    /// The interval that the knee lies in with a probability, as much of the rest on either side.
    pub(crate) fn interval(&self, probability: f64) -> Interval {
        let outside = (1.0 - probability) / 2.0;
        let [low, high] = self.quantiles([outside, 1.0 - outside]);
        Interval { low, high }
    }

    /// How likely it is that the knee lies above a rate.
    pub(crate) fn above(&self, rate: f64) -> f64 {
        let first = self.knees.partition_point(|(knee, _)| *knee <= rate.ln());
        let sum = |knees: &[(f64, usize)]| knees.iter().map(|(_, at)| self.weights[*at]).sum::<f64>();
        sum(&self.knees[first..]) / sum(&self.knees)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belief() -> Belief {
        Belief::new(&Ladder::new(100.0, 100_000.0, 1.05), 1.05)
    }

    #[test]
    fn what_was_heard_moves_it_to_where_trials_begin_to_miss() {
        let mut belief = belief();
        let before = belief.interval(0.95);
        assert!(before.low < 100.0 && before.high > 80_000.0, "{before:?}");
        for _ in 0..5 {
            belief.hear(4_000.0, true);
            belief.hear(4_400.0, false);
        }
        let interval = belief.interval(0.95);
        assert!(interval.low > 3_700.0 && interval.high < 4_800.0, "{interval:?}");
        let [middle] = belief.quantiles([0.5]);
        assert!((4_000.0..4_400.0).contains(&middle), "{middle}");
        assert!(belief.above(1_000.0) > 0.95 && belief.above(10_000.0) < 0.05);
    }

    #[test]
    fn one_miss_of_bad_luck_is_outvoted() {
        let mut belief = belief();
        belief.hear(1_000.0, false);
        assert!(belief.above(1_000.0) < 0.5);
        (0..6).for_each(|_| belief.hear(1_000.0, true));
        assert!(belief.above(1_000.0) > 0.95, "{}", belief.above(1_000.0));
    }
}
