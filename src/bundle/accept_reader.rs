//! Reads `accept` and `candidates` of a model: when its word is taken, and what remains plausible where it is not.

use super::{AcceptRule, Acceptance, CALIBRATION_FILE, Model};
use crate::document::{Node, Section};
use crate::inference::{Among, Candidates, Goal, Judged, Probability, Statistic, certify, limit_escalation};

/// The confidence of a certificate that does not say: one in twenty may fail.
const CONFIDENCE_DEFAULT: f64 = 0.95;

/// A model as a playbook uses it, judged on its calibration set.
pub(super) struct Judging<'a> {
    model: &'a Model,
    judged: Option<Judged>,
}

impl<'a> Judging<'a> {
    /// A model whose labels mean these proposals.
    pub(super) fn new(model: &'a Model, proposal_of: &[Option<u16>]) -> Self {
        let check = model.manifest.out_of_scope;
        let judged = model.calibration.as_ref().map(|calibration| calibration.by_proposal(proposal_of, check));
        Self { model, judged }
    }

    /// The calibration set, or `None` after noting that there is none.
    fn judged(&self, node: &Node<'_>) -> Option<&Judged> {
        if self.judged.is_none() {
            node.fault(format!(
                "needs labelled rows that {} was not trained on, in `{}{CALIBRATION_FILE}`; give a threshold of your own: \
                 `{{ above = 0.9 }}`",
                self.model.manifest.name, self.model.manifest.folder
            ));
        }
        self.judged.as_ref()
    }
}

/// Reads `{ above = 0.9 }`, `{ target_precision = 0.97, confidence = 0.95 }` or `{ max_escalation_share = 0.2 }`, each with
/// `of = "margin"` if it is the margin that counts; `None` after noting what is wrong.
pub(super) fn accept(model: &Section<'_>, node: Option<&Node<'_>>, judging: &Judging<'_>) -> Option<Acceptance> {
    if judging.model.manifest.is_regressor() {
        if let Some(node) = node {
            node.fault("a model that gives a number does not say how sure it is: leave `accept` out");
        }
        let always = AcceptRule::Always;
        return Some(Acceptance { of: Statistic::Confidence, threshold: Probability::ZERO, rule: always });
    }
    let Some(node) = node else {
        model.fault(
            "`accept` is missing: when the model's word is taken, such as `accept = { target_precision = 0.97 }` or `accept = \
             { above = 0.9 }`",
        );
        return None;
    };
    let section = node.section()?;
    let of = section.get("of").map_or(Some(Statistic::Confidence), |node| statistic(&node));
    let above = section.get("above");
    let target = section.get("target_precision");
    let confidence = section.get("confidence");
    let share = section.get("max_escalation_share");
    section.refuse_unknown();
    if let (Some(confidence), None) = (&confidence, &target) {
        confidence.fault("belongs to `target_precision`");
    }
    let of = of?;
    match (above, target, share) {
        (Some(above), None, None) => {
            let threshold = Probability::from_f64(above.number(0.0, 1.0)?);
            Some(Acceptance { of, threshold, rule: AcceptRule::Given })
        }
        (None, Some(target), None) => certified(&target, confidence.as_ref(), of, judging),
        (None, None, Some(share)) => escalating(&share, of, judging),
        _ => {
            node.fault("says one of `above`, `target_precision` and `max_escalation_share`");
            None
        }
    }
}

fn statistic(node: &Node<'_>) -> Option<Statistic> {
    match node.text()? {
        "confidence" => Some(Statistic::Confidence),
        "margin" => Some(Statistic::Margin),
        _ => {
            node.fault("expected `confidence` (the probability of the best) or `margin` (the best minus the second)");
            None
        }
    }
}

fn certified(
    target: &Node<'_>,
    confidence: Option<&Node<'_>>,
    of: Statistic,
    judging: &Judging<'_>,
) -> Option<Acceptance> {
    let target_precision = target.number(0.0, 1.0)?;
    let confidence = confidence.map_or(Some(CONFIDENCE_DEFAULT), |node| node.number(0.0, 1.0))?;
    let judged = judging.judged(target)?;
    let goal = Goal::new(Probability::from_f64(target_precision), Probability::from_f64(confidence), of);
    let certified = goal.map_err(|error| error.to_string()).and_then(|goal| {
        certify(judged, goal).map_err(|refused| format!("{} cannot promise it: {refused}", judging.model.manifest.name))
    });
    let certified = certified.map_err(|message| target.fault(message)).ok()?;
    let rule = AcceptRule::Certified { target_precision, confidence, share: certified.share };
    // A model whose best proposal was cut counts as sure of nothing, which must not be enough even where nothing speaks
    // against the lowest threshold.
    let threshold = certified.threshold.max(Probability::LEAST);
    Some(Acceptance { of, threshold, rule })
}

fn escalating(share: &Node<'_>, of: Statistic, judging: &Judging<'_>) -> Option<Acceptance> {
    let share_max = share.number(0.0, 1.0)?;
    let judged = judging.judged(share)?;
    let limited = limit_escalation(judged, Probability::from_f64(share_max), of);
    let limited = limited.map_err(|error| share.fault(error.to_string())).ok()?;
    let rule = AcceptRule::Escalating { share_max, share: limited.share.complement() };
    Some(Acceptance { of, threshold: limited.threshold, rule })
}

/// Reads the coverage of the candidates that are handed to the next tier; `Some(None)` if none is asked for.
pub(super) fn candidates(
    node: Option<&Node<'_>>,
    accept: Option<&Acceptance>,
    judging: &Judging<'_>,
) -> Option<Option<Candidates>> {
    let Some(node) = node else { return Some(None) };
    let coverage = node.number(0.5, 0.9999)?;
    let judged = judging.judged(node)?;
    let Acceptance { of, threshold, .. } = *accept?;
    let among = Among::Unsure { statistic: of, threshold };
    let fitted = Candidates::fit(judged, Probability::from_f64(coverage), among);
    fitted.map_err(|error| node.fault(error.to_string())).ok().map(Some)
}
