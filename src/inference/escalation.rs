//! Thresholds by cost: as precise as possible while no more than a share is left to the next tier.

use super::{Judged, Probability, Statistic};

/// The fewest rows in scope that a share is set on: with 100 it is known to about five points (one standard error).
pub const ESCALATION_ROWS_MIN: usize = 100;

/// The strictest threshold that leaves no more than the wished share, and what it does on the calibration set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// What is at least this is accepted.
    pub threshold: Probability,
    /// The share of rows that is left to the next tier: those below the threshold and those that the check of scope turns away.
    pub share: Probability,
    /// So many rows are accepted.
    pub accepted: usize,
    /// The share of them that is right; described, not promised.
    pub precision: Probability,
}

/// Why no threshold was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EscalationError {
    /// Too few to tell a share.
    #[error("a share of escalations is set on at least {ESCALATION_ROWS_MIN} labelled rows in scope; there are {0}")]
    TooFew(usize),
    /// More is left than wished, whatever the threshold.
    #[error(
        "the check of scope and labels without a proposal alone leave {} of the rows to the next tier, more than the {} wished",
        turned_away.percent(), wished.percent()
    )]
    TurnedAway {
        /// The share that is never accepted.
        turned_away: Probability,
        /// The share that was wished.
        wished: Probability,
    },
}

/// Sets the strictest threshold under which at most `share` of the rows in scope is left to the next tier.
///
/// The share among other inputs will differ, and moves with them: watch the share that is accepted. Rows out of scope do not count, for
/// they are left in any case, and a calibration set may hold more of them than what comes does. Sorts the rows once.
///
/// # Errors
/// With fewer than 100 rows in scope, or when the check of scope alone leaves more.
pub fn limit_escalation(
    judged: &Judged,
    share: Probability,
    statistic: Statistic,
) -> Result<Escalation, EscalationError> {
    let rows = judged.in_scope().count();
    if rows < ESCALATION_ROWS_MIN {
        return Err(EscalationError::TooFew(rows));
    }
    let admitted = judged.in_scope().filter(|row| row.is_admitted);
    let mut sorted: Vec<(Probability, bool)> = admitted.map(|row| (row.statistic(statistic), row.is_correct)).collect();
    sorted.sort_unstable();
    let turned_away = rows - sorted.len();
    let may_be_left = (rows as u64 * u64::from(share.ppm()) / 1_000_000) as usize;
    let at = may_be_left.checked_sub(turned_away).filter(|_| !sorted.is_empty());
    let Some(at) = at else {
        let turned_away = Probability::share(turned_away, rows);
        return Err(EscalationError::TurnedAway { turned_away, wished: share });
    };
    let (threshold, _) = sorted[at.min(sorted.len() - 1)];
    let accepted = &sorted[sorted.partition_point(|(statistic, _)| *statistic < threshold)..];
    let correct = accepted.iter().filter(|(_, is_correct)| *is_correct).count();
    Ok(Escalation {
        threshold,
        share: Probability::share(rows - accepted.len(), rows),
        accepted: accepted.len(),
        precision: Probability::share(correct, accepted.len()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inference::{JudgedRow, Truth};

    fn row(ppm: u32, is_admitted: bool) -> JudgedRow {
        let confidence = Probability::from_ppm(ppm).unwrap();
        JudgedRow {
            confidence,
            margin: confidence,
            truth: Truth::Proposal(confidence),
            is_correct: ppm > 400_000,
            is_admitted,
        }
    }

    fn limit(judged: &Judged, ppm: u32) -> Result<Escalation, EscalationError> {
        limit_escalation(judged, Probability::from_ppm(ppm).unwrap(), Statistic::Confidence)
    }

    #[test]
    fn a_tenth_of_the_rows_is_left() {
        let judged = Judged { rows: (0..200).map(|nth| row(nth * 5_000, nth >= 5)).collect() };
        let found = limit(&judged, 100_000).unwrap();
        assert_eq!((found.threshold.ppm(), found.share.ppm(), found.accepted), (100_000, 100_000, 180));
        assert_eq!(found.precision.ppm(), 661_111, "119 of 180");
        assert_eq!(
            limit(&judged, 20_000).unwrap_err().to_string(),
            "the check of scope and labels without a proposal alone leave 2.5 % of the rows to the next tier, more than the 2.0 % wished"
        );
        assert_eq!(
            limit(&Judged { rows: judged.rows[..99].to_vec() }, 100_000).unwrap_err().to_string(),
            "a share of escalations is set on at least 100 labelled rows in scope; there are 99"
        );
    }

    proptest! {
        #[test]
        fn never_more_is_left_than_wished_and_the_next_stricter_threshold_leaves_more(
            confidences in prop::collection::vec(0..50u32, 100..200),
            wished in 0..=1_000_000u32,
        ) {
            let judged = Judged { rows: confidences.iter().map(|c| row(c * 20_000, true)).collect() };
            let found = limit(&judged, wished).unwrap();
            let left = |threshold| judged.rows.iter().filter(|row| row.confidence < threshold).count() as u64 * 1_000_000;
            let wished = u64::from(wished) * judged.rows.len() as u64;
            prop_assert!(left(found.threshold) <= wished);
            let stricter = judged.rows.iter().map(|row| row.confidence).filter(|c| *c > found.threshold).min();
            prop_assert!(stricter.is_none_or(|stricter| left(stricter) > wished));
        }
    }
}
