//! What the analysis of rules says: as people read it, as JSON, and what of it is denied.

use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use crate::analysis::{Example, Finding, Kind, Severity};
use crate::bundle::{Bundle, Playbook};
use crate::domain::{Datum, suggestion};

/// Names of an input that are shown to people; JSON has all.
const SHOWN_MAX: usize = 12;

/// Findings that a command fails for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deny {
    /// All that matter as much or more.
    Level(Severity),
    /// All of a kind.
    Kind(Kind),
}

impl FromStr for Deny {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = Severity::ALL.into_iter().find(|known| known.name() == text).map(Self::Level);
        let kind = || Kind::ALL.into_iter().find(|known| known.name() == text).map(Self::Kind);
        level.or_else(kind).ok_or_else(|| {
            let names: Vec<&str> =
                Severity::ALL.map(Severity::name).into_iter().chain(Kind::ALL.map(Kind::name)).collect();
            format!("expected one of {}{}", names.join(", "), suggestion(text, names.iter().copied()))
        })
    }
}

impl Deny {
    /// Whether a finding of this kind is denied. Errors always are.
    pub(super) fn is_denied(denied: &[Self], kind: Kind) -> bool {
        let by = |deny: &Self| match deny {
            Self::Level(level) => kind.severity() >= *level,
            Self::Kind(denied) => kind == *denied,
        };
        kind.severity() == Severity::Error || denied.iter().any(by)
    }
}

/// A finding as JSON has it.
#[derive(Debug, Serialize)]
pub(super) struct FindingShown {
    playbook: String,
    severity: Severity,
    kind: Kind,
    rules: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness: Option<WitnessShown>,
}

/// An input as JSON has it; a name that is unavailable is null.
#[derive(Debug, Serialize)]
struct WitnessShown {
    event: String,
    values: std::collections::BTreeMap<String, Option<Datum>>,
}

impl FindingShown {
    pub(super) fn of(bundle: &Bundle, playbook: &Playbook, finding: &Finding) -> Self {
        let rule = |rank: &usize| playbook.rules.rules()[*rank].id.to_string();
        Self {
            playbook: playbook.name.to_string(),
            severity: finding.kind.severity(),
            kind: finding.kind,
            rules: finding.ranks.iter().map(rule).collect(),
            file: finding.origin.as_ref().map(|origin| origin.file.to_string()),
            line: finding.origin.as_ref().map(|origin| origin.line),
            message: finding.message.clone(),
            witness: finding.example.as_ref().map(|example| {
                let values = example.whole(playbook);
                let values = values.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
                WitnessShown { event: event(bundle, playbook, example), values }
            }),
        }
    }
}

/// A finding as people read it: a line that says what, and one with an input that shows it.
pub(super) fn lines(bundle: &Bundle, playbook: &Playbook, finding: &Finding) -> Vec<String> {
    let severity = finding.kind.severity().name();
    let subject = finding.ranks.first().map_or_else(String::new, |rank| {
        let rule = &playbook.rules.rules()[*rank];
        match finding.kind {
            Kind::Undecided => format!("{}: ", rule.origin),
            _ => format!("{}: `{}` ", rule.origin, rule.id),
        }
    });
    let mut lines = vec![format!("  {severity} [{}] {subject}{}", finding.kind.name(), finding.message)];
    lines.extend(finding.example.as_ref().map(|example| {
        let shown = input(playbook, finding, example);
        format!("    for instance {}{shown}", event(bundle, playbook, example))
    }));
    lines
}

fn event(bundle: &Bundle, playbook: &Playbook, example: &Example) -> String {
    bundle.layout().events()[playbook.on[example.position]].name.to_string()
}

fn input(playbook: &Playbook, finding: &Finding, example: &Example) -> String {
    let values = example.values(playbook, &finding.ranks);
    let value = |(name, value): &(Arc<str>, Option<Datum>)| match value {
        Some(value) => format!("{name} = {value}"),
        None => format!("no {name}"),
    };
    let mut shown: Vec<String> = values.iter().take(SHOWN_MAX).map(value).collect();
    if values.len() > SHOWN_MAX {
        shown.push(format!("and {} more (--json shows all)", values.len() - SHOWN_MAX));
    }
    if shown.is_empty() { String::new() } else { format!(" with {}", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_denies_what_matters_as_much_or_more() {
        let denied = |words: &[&str], kind| {
            Deny::is_denied(&words.iter().map(|word| word.parse().unwrap()).collect::<Vec<_>>(), kind)
        };
        assert!(denied(&[], Kind::Conflict) && !denied(&[], Kind::Shadowed));
        assert!(denied(&["warning"], Kind::Shadowed) && !denied(&["warning"], Kind::Gap));
        assert!(denied(&["gap"], Kind::Gap) && !denied(&["gap"], Kind::Undecided));
        assert!(denied(&["note"], Kind::Undecided));
        assert!("waning".parse::<Deny>().unwrap_err().ends_with("(did you mean `warning`?)"));
    }
}
