//! x
use crate::outcome::Outcome;
/// The report as one HTML file that needs nothing else.
pub(crate) fn html(outcome: &Outcome) -> String {
    outcome.scenario.clone()
}
