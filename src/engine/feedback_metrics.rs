//! The series of feedback: what was said of decisions, and how often they were right.

use super::feedback::CountedAs;
use crate::bundle::Bundle;
use crate::domain::FeedbackVerdict;
use crate::telemetry::{CounterFamily, Registry};

/// What operators see of feedback. Each of the series is there once something was said.
#[derive(Clone, Debug)]
pub(super) struct FeedbackSeries {
    taken: CounterFamily,
    judged: CounterFamily,
}

/// Stands for playbooks that are no longer in force, so that labels come from the bundle.
const OTHER: &str = "other";

impl FeedbackSeries {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            taken: registry.counters(
                "forthwith_feedback_total",
                "Feedback on decisions that was taken, by playbook, tier of the decision and verdict: accepted, edited, rejected, none.",
                &["playbook", "tier", "verdict"],
            ),
            judged: registry.counters(
                "forthwith_feedback_judged_total",
                "Feedback that says whether a decision was right, by playbook, tier of the decision and what it says.",
                &["playbook", "tier", "correct"],
            ),
        }
    }

    /// Counts feedback, under the names of the bundle in force.
    pub(super) fn count(&self, of: &CountedAs, bundle: &Bundle) {
        let playbook = if bundle.playbook_number(&of.playbook).is_some() { &*of.playbook } else { OTHER };
        let tier = of.tier.as_str();
        self.taken.with(&[playbook, tier, of.verdict.map_or("none", FeedbackVerdict::as_str)]).inc();
        if let Some(is_correct) = of.is_correct {
            self.judged.with(&[playbook, tier, if is_correct { "true" } else { "false" }]).inc();
        }
    }
}
