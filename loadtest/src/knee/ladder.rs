//! The rates that may be tried: steps of one ratio, so that rates come up again.

/// Digits that a rate has; the rest are zeros, for whoever reads them.
const DIGITS: i32 = 3;

/// Rates from a lowest to a highest, each a step above the one before it.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    rates: Vec<f64>,
}

impl Ladder {
    /// Steps of a ratio (1.05 for 5 %) from the lowest rate to the highest, both of which are among them.
    pub(crate) fn new(lowest: f64, highest: f64, ratio: f64) -> Self {
        let mut rates = vec![lowest];
        let mut rate = lowest * ratio;
        while rate < highest {
            let round = rounded(rate);
            if rates.last().is_some_and(|last| round > *last) && round < highest {
                rates.push(round);
            }
            rate *= ratio;
        }
        if highest > lowest {
            rates.push(highest);
        }
        Self { rates }
    }

    pub(crate) fn rate(&self, step: usize) -> f64 {
        self.rates[step.min(self.top())]
    }

    /// The highest step.
    pub(crate) fn top(&self) -> usize {
        self.rates.len() - 1
    }

    /// The highest step that is not above a rate; the lowest where all are.
    pub(crate) fn at_most(&self, rate: f64) -> usize {
        self.rates.partition_point(|step| *step <= rate).saturating_sub(1)
    }

    /// The lowest step that is not below a rate; the highest where all are.
    pub(crate) fn at_least(&self, rate: f64) -> usize {
        self.rates.partition_point(|step| *step < rate).min(self.top())
    }
}

fn rounded(rate: f64) -> f64 {
    let unit = 10_f64.powi(rate.log10().floor() as i32 + 1 - DIGITS);
    (rate / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_about_a_ratio_apart_and_hold_both_ends() {
        let ladder = Ladder::new(100.0, 123_456.0, 1.05);
        assert_eq!((ladder.rate(0), ladder.rate(ladder.top())), (100.0, 123_456.0));
        for step in 1..ladder.top() {
            let ratio = ladder.rate(step) / ladder.rate(step - 1);
            assert!((1.03..1.07).contains(&ratio), "{} to {}", ladder.rate(step - 1), ladder.rate(step));
        }
    }

    #[test]
    fn a_rate_lies_between_two_steps() {
        let ladder = Ladder::new(10.0, 1_000.0, 1.1);
        for rate in [10.0, 11.5, 333.0, 999.0, 1_000.0] {
            let (below, above) = (ladder.at_most(rate), ladder.at_least(rate));
            assert!(ladder.rate(below) <= rate && rate <= ladder.rate(above) && above - below <= 1, "{rate}");
        }
        assert_eq!((ladder.at_most(1.0), ladder.at_least(5_000.0)), (0, ladder.top()));
        assert_eq!(Ladder::new(7.0, 7.0, 1.05).top(), 0);
    }
}
