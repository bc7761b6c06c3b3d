//! Candidates: the proposals that remain plausible when a model is unsure, for the next tier to choose among.
//!
//! **Method.** Split conformal prediction with the least ambiguous sets (Sadinle, Lei, Wasserman 2019, "Least Ambiguous Set-Valued Classifiers with Bounded
//! Error Levels"): on rows that the model was not trained on, take the probability that it gave to the truth; the `⌊(n + 1) α⌋`-th smallest of these is the
//! threshold, and whatever reaches it is a candidate. The `+ 1` is what makes it hold for finite `n`.
//!
//! **What it promises.** Of inputs exchangeable with those rows (of the same source, in any order), the truth is among the candidates with probability
//! at least `1 - α`, whatever the model is worth; a bad model gets long lists. On average over inputs, not for each input or group, and over the draw of the calibration set as
//! well. Since candidates are wanted for inputs that are *unsure*, they are fitted on rows that are unsure ([`Among::Unsure`]): fitted on all rows
//! the promise would be kept by the easy ones. The acceptance threshold comes from the same rows, which bends exchangeability a
//! little; it moves by few rows, and in simulation coverage stays within a point.
//!
//! **Cost.** One selection over the rows at load; no allocation for an input.

use super::{Judged, JudgedRow, Probability, Ranked, Score, Statistic, Truth};

/// Which rows candidates are fitted on: like those that they will be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// All that pass the check of scope.
    All,
    /// Those of them that a threshold on this statistic does not accept.
    Unsure {
        /// What the threshold is set on.
        statistic: Statistic,
        /// The threshold of acceptance.
        threshold: Probability,
    },
}

/// A fitted rule for candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// What is at least this likely is plausible.
    pub threshold: Probability,
    /// How often the truth is among the candidates, at least.
    pub coverage: Probability,
    /// On so many rows it was fitted.
    pub rows: usize,
}

/// Why no rule was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CandidatesError {
    /// Too few rows for any finite set.
    #[error("candidates with {} coverage need at least {needed} labelled rows of the kind that they are asked for; there are {rows}", coverage.percent())]
    TooFew {
        /// What was asked for.
        coverage: Probability,
        /// Rows there are.
        rows: usize,
        /// Rows that would do.
        needed: usize,
    },
    /// The truth is too often not even ranked.
    #[error("candidates with {} coverage would be all proposals: the model finds the truth next to impossible in too many rows", coverage.percent())]
    Unranked {
        /// What was asked for.
        coverage: Probability,
    },
}

impl Candidates {
    /// Fits the rule that has the truth among the candidates with this probability.
    ///
    /// # Errors
    /// When the rows are too few for it, or the truth is too often not among the ranked at all.
    ///
    /// # Panics
    /// When the coverage is 1: only the list of everything covers everything.
    pub fn fit(judged: &Judged, coverage: Probability, among: Among) -> Result<Self, CandidatesError> {
        assert!(coverage < Probability::ONE, "a coverage is below 1");
        let is_asked = |row: &&JudgedRow| match among {
            Among::All => row.is_admitted,
            Among::Unsure { statistic, threshold } => row.is_admitted && !row.is_accepted(statistic, threshold),
        };
        let mut truths: Vec<Probability> = judged
            .rows
            .iter()
            .filter(is_asked)
            .filter_map(|row| if let Truth::Proposal(probability) = row.truth { Some(probability) } else { None })
            .collect();
        let rows = truths.len();
        let missed_ppm = u64::from(coverage.complement().ppm());
        let rank = ((rows as u64 + 1) * missed_ppm / 1_000_000) as usize;
        let Some(nth) = rank.checked_sub(1) else {
            let needed = 1_000_000u64.div_ceil(missed_ppm) as usize - 1;
            return Err(CandidatesError::TooFew { coverage, rows, needed });
        };
        let (_, threshold, _) = truths.select_nth_unstable(nth);
        match *threshold {
            Probability::ZERO => Err(CandidatesError::Unranked { coverage }),
            threshold => Ok(Self { threshold, coverage, rows }),
        }
    }

    /// The plausible ones of a ranking by proposal, best first. The best is always among them, so that it is never empty unless
    /// the ranking is.
    #[inline]
    pub fn of(self, ranked: &Ranked) -> &[Score] {
        let scores = ranked.scores();
        let plausible = scores.partition_point(|score| score.probability >= self.threshold);
        &scores[..plausible.max(1).min(scores.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::{Calibration, CalibrationRow, ScopeCheck, softmax_into};

    const CLASSES: usize = 6;

    /// A fixed sequence of numbers between 0 and 1.
    struct Sequence(u64);

    impl Sequence {
        fn next(&mut self) -> f32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 40) as f32 + 0.5) / (1u64 << 24) as f32
        }

        /// Rows of a model that is wrong about itself: it is `boast` times as sure as it should be.
        fn rows(&mut self, count: usize, boast: f32) -> Judged {
            let rows = (0..count).map(|_| {
                let logits: [f32; CLASSES] = std::array::from_fn(|_| self.next() * 14.0);
                let mut truths = [0.0; CLASSES];
                softmax_into(&logits, 1.0, &mut truths);
                let (draw, mut sum) = (self.next(), 0.0);
                let label = truths.iter().position(|p| {
                    sum += p;
                    draw < sum
                });
                let mut told = [0.0; CLASSES];
                softmax_into(&logits, 1.0 / boast, &mut told);
                CalibrationRow { label: Some(label.unwrap_or(0) as u16), scope: 1.0, scores: Ranked::of(&told) }
            });
            let labels: Vec<Option<u16>> = (0..CLASSES as u16).map(Some).collect();
            Calibration { rows: rows.collect() }.by_proposal(&labels, ScopeCheck::Off)
        }
    }

    fn share(text: &str) -> Probability {
        text.parse().unwrap()
    }

    /// The share of rows whose truth would be a candidate. The best is one whatever its probability.
    fn covered<'a>(candidates: Candidates, rows: impl Iterator<Item = &'a JudgedRow>) -> (usize, usize) {
        let mut counts = (0, 0);
        for row in rows {
            let Truth::Proposal(truth) = row.truth else { continue };
            counts.0 += usize::from(row.is_correct || truth >= candidates.threshold);
            counts.1 += 1;
        }
        counts
    }

    /// Over many calibration sets and fresh inputs the truth is among the candidates as often as promised, even for a model that boasts.
    #[test]
    fn the_truth_is_among_the_candidates_as_often_as_promised() {
        for (boast, seed) in [(1.0, 1), (2.5, 2), (0.4, 3)] {
            let mut sequence = Sequence(seed);
            let (mut found, mut asked) = (0, 0);
            for _ in 0..150 {
                let candidates = Candidates::fit(&sequence.rows(99, boast), share("0.9"), Among::All).unwrap();
                let (covered, of) = covered(candidates, sequence.rows(40, boast).rows.iter());
                (found, asked) = (found + covered, asked + of);
            }
            let coverage = found as f64 / asked as f64;
            assert!(coverage > 0.888, "{coverage} with boast {boast}");
        }
    }

    /// Fitted on all rows, the promise is kept by the easy ones and broken for those that candidates are asked for.
    #[test]
    fn unsure_inputs_are_covered_when_unsure_rows_were_fitted_on() {
        let mut sequence = Sequence(4);
        let threshold = share("0.8");
        let unsure = Among::Unsure { statistic: Statistic::Confidence, threshold };
        let mut counts = [(0, 0); 2];
        for _ in 0..150 {
            let calibration = sequence.rows(300, 1.0);
            let fresh = sequence.rows(60, 1.0);
            for (count, among) in counts.iter_mut().zip([unsure, Among::All]) {
                let candidates = Candidates::fit(&calibration, share("0.9"), among).unwrap();
                let asked = fresh.rows.iter().filter(|row| !row.is_accepted(Statistic::Confidence, threshold));
                let (covered, of) = covered(candidates, asked);
                *count = (count.0 + covered, count.1 + of);
            }
        }
        let [on_unsure, on_all] = counts.map(|(covered, of)| covered as f64 / of as f64);
        assert!(on_unsure > 0.89, "{on_unsure}");
        assert!(on_all < 0.89, "{on_all}: the difference that the choice of rows makes");
    }

    #[test]
    fn the_best_is_always_a_candidate() {
        let candidates = Candidates { threshold: share("0.3"), coverage: share("0.9"), rows: 100 };
        let indices = |ranked: &Ranked| candidates.of(ranked).iter().map(|score| score.index).collect::<Vec<_>>();
        assert_eq!(indices(&Ranked::of(&[0.3, 0.35, 0.25, 0.1])), [1, 0]);
        assert_eq!(indices(&Ranked::of(&[0.2, 0.2, 0.2])), [0]);
        assert_eq!(indices(&Ranked::default()), [0u16; 0]);
    }

    /// Truths of 1 %, 2 %, … 99 %: for 90 % coverage the tenth smallest is the threshold, ⌊(99 + 1) · 0.1⌋.
    #[test]
    fn the_threshold_is_the_corrected_quantile() {
        let row = |percent: u32| JudgedRow {
            confidence: Probability::ONE,
            margin: Probability::ONE,
            truth: Truth::Proposal(Probability::from_ppm(percent * 10_000).unwrap()),
            is_correct: true,
            is_admitted: true,
        };
        let judged = Judged { rows: (1..100).map(row).collect() };
        let found = Candidates::fit(&judged, share("0.9"), Among::All).unwrap();
        assert_eq!((found.threshold, found.rows), (share("0.10"), 99));
        let fewer = Judged { rows: judged.rows[..8].to_vec() };
        assert_eq!(
            Candidates::fit(&fewer, share("0.9"), Among::All).unwrap_err().to_string(),
            "candidates with 90.0 % coverage need at least 9 labelled rows of the kind that they are asked for; there are 8"
        );
        assert!(Candidates::fit(&Judged { rows: judged.rows[..9].to_vec() }, share("0.9"), Among::All).is_ok());
        let lost = Judged { rows: vec![row(0); 50] };
        assert_eq!(
            Candidates::fit(&lost, share("0.9"), Among::All).unwrap_err().to_string(),
            "candidates with 90.0 % coverage would be all proposals: the model finds the truth next to impossible in too many rows"
        );
    }
}
