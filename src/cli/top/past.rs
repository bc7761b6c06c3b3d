//! The rates of the last minutes, as lines of small bars.

use std::collections::VecDeque;

use super::rates::Rates;

/// Frames that are remembered: as many as the widest line has room for.
const FRAMES_MAX: usize = 240;

/// A bar's heights.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[derive(Clone, Debug, Default)]
pub(super) struct Past(VecDeque<Rates>);

impl Past {
    pub(super) fn push(&mut self, rates: Rates) {
        if self.0.len() == FRAMES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(rates);
    }

    /// The last frames that so many columns have room for, the latest at the right; the highest bar is the highest of them.
    pub(super) fn bars(&self, columns: usize, of: impl Fn(&Rates) -> f64) -> String {
        let shown = || self.0.iter().skip(self.0.len().saturating_sub(columns)).map(&of);
        let highest = shown().fold(0.0, f64::max);
        let bar = |value: f64| {
            if highest <= 0.0 || value <= 0.0 {
                return ' ';
            }
            let height = (value / highest * BARS.len() as f64).ceil() as usize;
            BARS[height.clamp(1, BARS.len()) - 1]
        };
        shown().map(bar).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_at_the_right_and_the_highest_is_full() {
        let mut past = Past::default();
        for decisions in [800.0, 0.0, 1.0, 4.0, 8.0] {
            past.push(Rates { decisions, ..Rates::default() });
        }
        assert_eq!(past.bars(4, |rates| rates.decisions), " ▁▄█");
        assert_eq!(past.bars(9, |rates| rates.shed), "     ");
        (0..1_000).for_each(|_| past.push(Rates::default()));
        assert_eq!(past.bars(1_000, |rates| rates.decisions).len(), FRAMES_MAX);
    }
}
