//! What a model thinks most likely: scores in descending order, by label or by proposal.

use smallvec::SmallVec;

use super::Probability;

/// The most scores that are looked at, recorded and calibrated.
///
/// Beyond the 32nd label a calibrated classifier has next to nothing to say; with this bound a ranking needs no allocation.
pub const RANKED_MAX: usize = 32;

/// What is below this is left out, unless it is the best: it tells nothing and would fill records.
const RANKED_PPM_MIN: u32 = 100;

/// A label or a proposal, by its position, and how likely it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Score {
    /// The position in the manifest's labels, or of a proposal.
    pub index: u16,
    /// How likely it is.
    pub probability: Probability,
}

/// Which number of a ranking a threshold is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// The best probability.
    Confidence,
    /// The best probability minus the second.
    Margin,
}

/// Scores in descending order, of equal ones the lower position first; no position twice, at most [`RANKED_MAX`].
///
/// A decision and a calibration set go through the same two functions, [`Ranked::of`] and [`Ranked::by_proposal`], so that what was
/// certified is what is decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranked(SmallVec<[Score; RANKED_MAX]>);

impl Ranked {
    /// The best of a model's probabilities: the best one always, then what has at least 100 parts per million.
    ///
    /// Positions beyond 65,535 are not looked at; no model has so many labels. No allocation; one pass, and an insertion for
    /// each score that is kept.
    pub fn of(probabilities: &[f32]) -> Self {
        let mut ranked = Self::default();
        for (index, probability) in (0..=u16::MAX).zip(probabilities) {
            ranked.offer(Score { index, probability: Probability::from_f32(*probability) });
        }
        ranked
    }

    /// Scores that are in order already.
    ///
    /// # Errors
    /// When they are not a ranking, with what is wrong.
    pub fn from_scores(scores: &[Score]) -> Result<Self, &'static str> {
        if scores.is_empty() {
            return Err("no score, but the best one is always there");
        }
        if scores.len() > RANKED_MAX {
            return Err("more than 32 scores");
        }
        if scores.windows(2).any(|pair| pair[0].probability < pair[1].probability) {
            return Err("scores that do not descend");
        }
        if scores.iter().enumerate().any(|(at, score)| scores[..at].iter().any(|other| other.index == score.index)) {
            return Err("a position that comes twice");
        }
        // Each part is rounded on its own, so that the sum may be off by half a part for each.
        if scores.iter().map(|score| score.probability.ppm()).sum::<u32>() > 1_000_000 + RANKED_MAX as u32 {
            return Err("scores of more than 1000000 parts in all");
        }
        Ok(Self(scores.into()))
    }

    /// The same by proposal: labels that mean one proposal add up, labels that mean none are left out.
    ///
    /// `proposal_of` says by label which proposal it means. What is left out keeps its part of the whole: a model that
    /// thinks most of a label without a proposal is confident of no proposal.
    #[must_use]
    pub fn by_proposal(&self, proposal_of: &[Option<u16>]) -> Self {
        let mut sums: SmallVec<[Score; RANKED_MAX]> = SmallVec::new();
        for score in &self.0 {
            let Some(Some(proposal)) = proposal_of.get(usize::from(score.index)) else { continue };
            match sums.iter_mut().find(|sum| sum.index == *proposal) {
                Some(sum) => sum.probability = sum.probability.plus(score.probability),
                None => sums.push(Score { index: *proposal, ..*score }),
            }
        }
        sums.sort_unstable_by_key(|score| (std::cmp::Reverse(score.probability), score.index));
        Self(sums)
    }

    /// What may be chosen, and what share of the whole was cut.
    ///
    /// The rest is raised to what it is once the cut is known to be impossible: divided by 1 minus the cut, not by its own
    /// sum, so that what the model gave to no proposal stays where it was.
    #[must_use]
    pub fn among(&self, is_permitted: impl Fn(u16) -> bool) -> (Self, Probability) {
        let cut = self.0.iter().filter(|score| !is_permitted(score.index));
        let cut = cut.fold(Probability::ZERO, |sum, score| sum.plus(score.probability));
        let rest = cut.complement();
        let kept = self.0.iter().filter(|score| is_permitted(score.index));
        let raised = kept.map(|score| Score { probability: score.probability.out_of(rest), ..*score });
        (Self(raised.collect()), cut)
    }

    /// The best; `None` when nothing is left.
    pub fn best(&self) -> Option<Score> {
        self.0.first().copied()
    }

    /// How likely the best is; 0 when nothing is left.
    pub fn confidence(&self) -> Probability {
        self.best().map_or(Probability::ZERO, |score| score.probability)
    }

    /// How far the best is before the second; before nothing when there is none.
    pub fn margin(&self) -> Probability {
        let second = self.0.get(1).map_or(Probability::ZERO, |score| score.probability);
        self.confidence().minus(second)
    }

    /// The number that a threshold is set on.
    pub fn statistic(&self, statistic: Statistic) -> Probability {
        match statistic {
            Statistic::Confidence => self.confidence(),
            Statistic::Margin => self.margin(),
        }
    }

    /// How likely one is; 0 when it is not among them.
    pub fn probability_of(&self, index: u16) -> Probability {
        self.0.iter().find(|score| score.index == index).map_or(Probability::ZERO, |score| score.probability)
    }

    /// The scores, best first.
    pub fn scores(&self) -> &[Score] {
        &self.0
    }

    /// Takes a score in at its place, if it is worth one.
    fn offer(&mut self, score: Score) {
        let at = self.0.partition_point(|other| other.probability >= score.probability);
        if at == RANKED_MAX || (at > 0 && score.probability.ppm() < RANKED_PPM_MIN) {
            return;
        }
        // The best of all is kept however small it is; what it pushes from the first place may be too small for the second.
        if self.0.len() == RANKED_MAX || self.0.last().is_some_and(|last| last.probability.ppm() < RANKED_PPM_MIN) {
            self.0.pop();
        }
        self.0.insert(at, score);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(ranked: &Ranked) -> Vec<(u16, u32)> {
        ranked.scores().iter().map(|score| (score.index, score.probability.ppm())).collect()
    }

    #[test]
    fn keeps_the_best_and_what_tells_something() {
        assert_eq!(
            pairs(&Ranked::of(&[0.000_05, 0.2, 0.0001, 0.7, 0.2])),
            [(3, 700_000), (1, 200_000), (4, 200_000), (2, 100)]
        );
        assert_eq!(pairs(&Ranked::of(&[0.000_01, 0.000_02, 0.000_02])), [(1, 20)]);
        assert_eq!(pairs(&Ranked::of(&[0.0, 0.0])), [(0, 0)]);
        assert_eq!(pairs(&Ranked::of(&[])), []);
    }

    #[test]
    fn labels_of_one_proposal_add_up_and_those_of_none_keep_their_part() {
        let ranked = Ranked::of(&[0.30, 0.25, 0.25, 0.20]);
        let proposals = ranked.by_proposal(&[Some(7), Some(5), Some(5), None]);
        assert_eq!(pairs(&proposals), [(5, 500_000), (7, 300_000)]);
        assert_eq!(proposals.margin().ppm(), 200_000);
        assert_eq!(proposals.confidence().ppm(), 500_000);
    }

    #[test]
    fn what_may_not_be_chosen_is_cut_and_the_rest_is_raised() {
        let (permitted, cut) = Ranked::of(&[0.6, 0.3, 0.1]).among(|index| index != 0);
        assert_eq!(cut.ppm(), 600_000);
        assert_eq!(pairs(&permitted), [(1, 750_000), (2, 250_000)]);
        let proposals = Ranked::of(&[0.5, 0.4, 0.1]).by_proposal(&[None, Some(0), Some(1)]);
        let (permitted, _) = proposals.among(|index| index == 0);
        assert_eq!(permitted.confidence().ppm(), 444_444, "the half that is no proposal does not vanish");
        let (nothing, cut) = Ranked::of(&[1.0]).among(|_| false);
        assert_eq!((nothing.best(), nothing.margin(), cut), (None, Probability::ZERO, Probability::ONE));
    }

    proptest! {
        #[test]
        fn is_the_top_of_a_plain_sort(weights in prop::collection::vec(0f32..1.0, 1..200)) {
            let sum: f32 = weights.iter().sum::<f32>().max(1e-6);
            let probabilities: Vec<f32> = weights.iter().map(|weight| weight / sum).collect();
            let mut sorted: Vec<(u16, u32)> = probabilities
                .iter()
                .enumerate()
                .map(|(index, probability)| (index as u16, Probability::from_f32(*probability).ppm()))
                .collect();
            sorted.sort_by_key(|(index, ppm)| (std::cmp::Reverse(*ppm), *index));
            let expected: Vec<_> =
                sorted.into_iter().enumerate().filter(|(at, (_, ppm))| *at == 0 || *ppm >= 100).map(|(_, pair)| pair).take(32).collect();
            let ranked = Ranked::of(&probabilities);
            prop_assert_eq!(pairs(&ranked), expected);
            prop_assert_eq!(Ranked::from_scores(ranked.scores()), Ok(ranked));
        }
    }
}
