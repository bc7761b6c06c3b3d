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
#[path = "conformal_tests.rs"]
mod tests;
