//! Which names in labels are in force: those of the bundle that is.

use super::feedback_metrics::{NONE, OTHER};
use super::metrics::BundleSeries;
use crate::bundle::Playbook;
use crate::telemetry::LabelValues;

/// Whether a series is of names that are in force. A label that says nothing of the bundle is of closed lists, or of the engine's own
/// configuration, and always is.
pub(super) fn is_in_force(series: &BundleSeries, labels: LabelValues<'_>) -> bool {
    let playbooks = series.bundle.playbooks();
    match (labels.get("playbook"), labels.get("provider"), labels.get("model")) {
        (Some(OTHER), ..) => true,
        (Some(name), ..) => series.bundle.playbook_number(name).is_some_and(|number| {
            is_of(&playbooks[number], labels)
                && labels.get("class").is_none_or(|class| {
                    let model = labels.get("model").unwrap_or_default();
                    series.playbooks[number].models.iter().any(|of| of.has_class(model, class))
                })
        }),
        // Models of the inference pool.
        (None, None, Some(name)) => {
            let mut used = playbooks.iter().flat_map(|playbook| &playbook.models);
            used.any(|model| model.is_slow() && *model.name == *name)
        }
        _ => true,
    }
}

/// Whether what the labels name is there in the playbook.
fn is_of(playbook: &Playbook, labels: LabelValues<'_>) -> bool {
    let is_there = |label: &str, has: &dyn Fn(&str) -> bool| labels.get(label).is_none_or(has);
    is_there("model", &|name| [NONE, OTHER].contains(&name) || playbook.models.iter().any(|of| *of.name == *name))
        && is_there("agent", &|name| playbook.agents.iter().any(|of| *of.name == *name))
        && is_there("limit", &|id| playbook.limits.iter().any(|of| *of.id == *id))
        && is_there("cap", &|id| playbook.caps.iter().any(|of| *of.id == *id))
}
