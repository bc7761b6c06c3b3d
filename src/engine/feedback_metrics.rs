//! The series of feedback: what was said of decisions, and how often they were right.

use std::sync::Arc;

use super::feedback::CountedAs;
use crate::bundle::Bundle;
use crate::domain::{FeedbackVerdict, Tier};
use crate::telemetry::{CounterFamily, Label, Registry};

/// What operators see of feedback. Each of the series is there once something was said.
#[derive(Clone, Debug)]
pub(super) struct FeedbackSeries {
    taken: CounterFamily,
    judged: CounterFamily,
    models: CounterFamily,
}

/// Stands for playbooks and models that are no longer in force, so that labels come from the bundle.
pub(super) const OTHER: &str = "other";

/// Stands for the model of decisions that none made.
pub(super) const NONE: &str = "none";

impl FeedbackSeries {
    pub(super) fn new(registry: &Registry) -> Self {
        let playbook =
            || Label::named("playbook", "playbooks of the bundle in force; `other`: one of an earlier bundle");
        let tier = || Label::words("tier", Tier::ALL.map(Tier::as_str));
        let model = |source| Label::named("model", source);
        let correct = || Label::words("correct", ["true", "false"]);
        let verdicts = FeedbackVerdict::ALL.map(FeedbackVerdict::as_str).into_iter().chain([NONE]);
        Self {
            taken: registry.counters(
                "forthwith_feedback_total",
                "Feedback on decisions that was taken, by playbook, tier of the decision and verdict: accepted, edited, rejected, none.",
                &[playbook(), tier(), Label::words("verdict", verdicts)],
            ),
            judged: registry.counters(
                "forthwith_feedback_judged_total",
                (
                    "Feedback that says whether a decision was right, by playbook, tier and model of the decision and what it says.",
                    "The share of `true` is the accuracy of the tier, as far as people judge.",
                ),
                &[
                    playbook(),
                    tier(),
                    model("small models of the playbook; `other`: one of an earlier bundle; `none`: no model decided"),
                    correct(),
                ],
            ),
            models: registry.counters(
                "forthwith_model_judged_total",
                (
                    "Feedback from which it can be told whether what a model proposed was right, accepted or not.",
                    "The share of `true` is the accuracy of the model.",
                ),
                &[playbook(), model("small models of the playbook; `other`: one of an earlier bundle"), correct()],
            ),
        }
    }

    /// Counts feedback, under the names of the bundle in force.
    pub(super) fn count(&self, of: &CountedAs, bundle: &Bundle) {
        let playbook = bundle.playbook_number(&of.playbook).map(|number| &bundle.playbooks()[number]);
        let model = |name: &Arc<str>| {
            let is_used = playbook.is_some_and(|playbook| playbook.models.iter().any(|model| model.name == *name));
            if is_used { name.to_string() } else { OTHER.to_owned() }
        };
        let (name, tier) = (playbook.map_or(OTHER, |playbook| &playbook.name), of.tier.as_str());
        self.taken.with(&[name, tier, of.verdict.map_or(NONE, FeedbackVerdict::as_str)]).inc();
        if let Some(is_correct) = of.is_correct {
            let decided = of.model.as_ref().map_or_else(|| NONE.to_owned(), model);
            self.judged.with(&[name, tier, &decided, word(is_correct)]).inc();
        }
        for (asked, is_correct) in &of.models {
            self.models.with(&[name, &model(asked), word(*is_correct)]).inc();
        }
    }
}

fn word(is_correct: bool) -> &'static str {
    if is_correct { "true" } else { "false" }
}
