//! A calibration set as a playbook sees it: what would have been proposed, how surely, and whether it was right.

use super::{Calibration, CalibrationRow, Probability, ScopeCheck, Statistic};

/// Labelled rows judged by proposal.
///
/// Several labels can mean one proposal (77 intents, 10 queues): what counts is whether the proposal is right. A playbook that maps
/// labels otherwise, or permits less, is another question and gets its own thresholds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The rows, in the order of the calibration set.
    pub rows: Vec<JudgedRow>,
}

/// What would have been proposed for a labelled row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgedRow {
    /// The probability of the best proposal; 0 when there is none.
    pub confidence: Probability,
    /// How far it is before the second.
    pub margin: Probability,
    /// What would have been right.
    pub truth: Truth,
    /// Whether the best proposal is right. Never for a row that is out of scope or whose label means no proposal.
    pub is_correct: bool,
    /// Whether the row passes the check of scope and anything is proposed at all; if not, it is never accepted.
    pub is_admitted: bool,
}

/// What would have been right for a labelled row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// A proposal, which got this probability; 0 when it was not among the ranked.
    Proposal(Probability),
    /// The true label means no proposal.
    NoProposal,
    /// The row is out of the model's scope.
    OutOfScope,
}

impl Calibration {
    /// Judges each row by proposal: `proposal_of` says by label which proposal it means.
    ///
    /// Rows out of scope stay in and count as errors if they are accepted; so keep as many of them in the calibration set as are
    /// expected among what comes. Linear in rows and scores.
    pub fn by_proposal(&self, proposal_of: &[Option<u16>], check: ScopeCheck) -> Judged {
        Judged { rows: self.rows.iter().map(|row| judge(row, proposal_of, check)).collect() }
    }
}

impl Judged {
    /// Rows that are in the model's scope, whether or not they pass its check.
    pub fn in_scope(&self) -> impl Iterator<Item = &JudgedRow> {
        self.rows.iter().filter(|row| row.truth != Truth::OutOfScope)
    }
}

impl JudgedRow {
    /// The number that a threshold is set on.
    pub fn statistic(&self, statistic: Statistic) -> Probability {
        match statistic {
            Statistic::Confidence => self.confidence,
            Statistic::Margin => self.margin,
        }
    }

    /// Whether a threshold accepts it.
    pub fn is_accepted(&self, statistic: Statistic, threshold: Probability) -> bool {
        self.is_admitted && self.statistic(statistic) >= threshold
    }
}

fn judge(row: &CalibrationRow, proposal_of: &[Option<u16>], check: ScopeCheck) -> JudgedRow {
    let ranked = row.scores.by_proposal(proposal_of);
    let right = row.label.and_then(|label| proposal_of.get(usize::from(label)).copied().flatten());
    let truth = match (row.label, right) {
        (None, _) => Truth::OutOfScope,
        (Some(_), None) => Truth::NoProposal,
        (Some(_), Some(proposal)) => Truth::Proposal(ranked.probability_of(proposal)),
    };
    JudgedRow {
        confidence: ranked.confidence(),
        margin: ranked.margin(),
        truth,
        is_correct: ranked.best().is_some_and(|best| Some(best.index) == right),
        is_admitted: ranked.best().is_some() && !check.is_out_of_scope(row.scope, &row.scores),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Ranked;

    fn row(label: Option<u16>, scope: f32, probabilities: &[f32]) -> CalibrationRow {
        CalibrationRow { label, scope, scores: Ranked::of(probabilities) }
    }

    #[test]
    fn a_row_is_right_when_its_proposal_is_right() {
        let proposal_of = [Some(0), Some(0), Some(1), None];
        let rows = vec![
            row(Some(1), 0.9, &[0.5, 0.1, 0.3, 0.1]),
            row(Some(2), 0.9, &[0.3, 0.3, 0.4, 0.0]),
            row(Some(3), 0.9, &[0.1, 0.0, 0.0, 0.9]),
            row(None, 0.9, &[0.9, 0.1, 0.0, 0.0]),
            row(Some(0), 0.2, &[0.9, 0.1, 0.0, 0.0]),
        ];
        let judged = Calibration { rows }.by_proposal(&proposal_of, ScopeCheck::Below(0.5));
        let told: Vec<_> = judged
            .rows
            .iter()
            .map(|row| (row.confidence.ppm(), row.margin.ppm(), row.truth, row.is_correct, row.is_admitted))
            .collect();
        let got = |ppm| Truth::Proposal(Probability::from_ppm(ppm).unwrap());
        assert_eq!(
            told,
            [
                (600_000, 300_000, got(600_000), true, true),
                (600_000, 200_000, got(400_000), false, true),
                (100_000, 100_000, Truth::NoProposal, false, true),
                (1_000_000, 1_000_000, Truth::OutOfScope, false, true),
                (1_000_000, 1_000_000, got(1_000_000), true, false),
            ]
        );
        assert_eq!(judged.in_scope().count(), 4);
    }

    #[test]
    fn a_label_can_say_that_a_row_is_out_of_scope() {
        let rows = vec![row(Some(0), 0.6, &[0.6, 0.4]), row(Some(0), 0.6, &[0.4, 0.6])];
        let judged = Calibration { rows }.by_proposal(&[Some(0), None], ScopeCheck::Label(1));
        assert!(judged.rows[0].is_admitted && !judged.rows[1].is_admitted);
        let nothing = Calibration { rows: vec![row(Some(0), 0.6, &[1.0])] }.by_proposal(&[None], ScopeCheck::Off);
        assert!(!nothing.rows[0].is_admitted, "nothing is proposed");
    }
}
