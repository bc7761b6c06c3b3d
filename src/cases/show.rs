//! A report as people read it, line by line; each line knows what it is, so that a terminal can colour it.

use std::fmt;

use crate::domain::FallbackReason;

use super::report::{CaseReport, ConditionSeen, Difference, Report, RuleNamed, RuleSeen, Standing, ValueSeen};

/// A line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub mark: Mark,
    /// The line, without its end.
    pub text: String,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A file whose cases passed.
    Passed,
    /// A file or a case that failed.
    Failed,
    /// What was expected.
    Expected,
    /// What was decided.
    Decided,
    /// Why.
    Reason,
}

/// Characters of a value or condition that are shown.
const SHOWN: usize = 90;

impl Report {
    /// The report in one line: the file, and how many passed.
    pub fn headline(&self) -> Line {
        let (all, failed) = (self.cases.len(), self.failed());
        let cases = if all == 1 { "case" } else { "cases" };
        let text = match failed {
            0 => format!("{}: {all} {cases} passed", self.file),
            _ => format!("{}: {all} {cases}, {} passed, {failed} failed", self.file, self.passed()),
        };
        Line { mark: if failed == 0 { Mark::Passed } else { Mark::Failed }, text }
    }

    /// The cases that failed, line by line: what was expected (`-`), what was decided (`+`), and why.
    pub fn failures(&self) -> Vec<Line> {
        self.cases.iter().filter(|case| !case.is_passed).flat_map(|case| lines(case, &self.file)).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline().text)?;
        self.failures().iter().try_for_each(|line| write!(f, "\n{}", line.text))
    }
}

fn lines(case: &CaseReport, file: &str) -> Vec<Line> {
    let mut lines = vec![Line { mark: Mark::Failed, text: format!("FAILED {} ({file}:{})", case.name, case.line) }];
    let sides: Vec<(String, String, String)> = case.differences.iter().map(sides).collect();
    let width = sides.iter().map(|(label, ..)| label.chars().count()).max().unwrap_or_default();
    for (label, expected, decided) in sides {
        lines.push(Line { mark: Mark::Expected, text: format!("  {label:width$}  - {expected}") });
        lines.push(Line { mark: Mark::Decided, text: format!("  {:width$}  + {decided}", "") });
    }
    lines.extend(case.why.iter().flat_map(why));
    lines
}

/// What a difference is of, what was expected and what was decided.
fn sides(difference: &Difference) -> (String, String, String) {
    let listed = |names: &[String], none: &str| if names.is_empty() { none.to_owned() } else { names.join(", ") };
    match difference {
        Difference::Rule { expected, decided } => ("rule".to_owned(), expected.rule.clone(), decided.to_string()),
        Difference::Rules { expected, decided } => {
            ("rules".to_owned(), listed(expected, "none"), listed(decided, "none: the default decided"))
        }
        Difference::Violated { expected, violated, policy } => {
            let both =
                |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
            let expected = if expected.is_empty() { "nothing".to_owned() } else { format!("by {}", both(expected)) };
            let decided = policy.as_ref().map_or_else(
                || "nothing".to_owned(),
                |policy| format!("{} both match, which the hit policy {policy} does not allow", both(violated)),
            );
            ("violated".to_owned(), expected, decided)
        }
        Difference::Outcome { field, expected, decided } => (field.clone(), expected.to_string(), decided.to_string()),
        Difference::Refused { expected, refused } => {
            ("refused".to_owned(), listed(expected, "nothing"), listed(refused, "nothing"))
        }
        Difference::Model { expected, decided } => {
            let named = |model: &Option<String>| model.clone().unwrap_or_else(|| "none".to_owned());
            ("model".to_owned(), named(expected), named(decided))
        }
        Difference::Fallback { expected, decided } => {
            let named = |reason: &Option<FallbackReason>| {
                reason.map_or_else(|| "none".to_owned(), |reason| reason.as_str().to_owned())
            };
            ("fallback".to_owned(), named(expected), named(decided))
        }
        Difference::Unavailable { expected, missed } => {
            ("unavailable".to_owned(), expected.clone(), listed(missed, "nothing that a rule needed"))
        }
    }
}

fn why(seen: &RuleSeen) -> Vec<Line> {
    let standing = match seen.standing {
        Standing::Decided => "decided:",
        Standing::Applied => "applied because it could not be told:",
        Standing::Contributed => "has its say too, but not first; `rules` names all that have it",
        Standing::Conflicted => "matches, but not alone, which its hit policy does not allow: the default decided",
        Standing::SwitchedOff => "is switched off (`enabled = false`)",
        Standing::HoldsToo => "matches too, but another rule decided",
        Standing::DoesNotHold => "did not match:",
        Standing::CannotBeTold => "could not be told:",
        Standing::NotAsked => "was not asked, as no rule was",
    };
    let first = Line { mark: Mark::Reason, text: format!("  {} {standing}", seen.rule) };
    let parts =
        seen.conditions.iter().map(|part| Line { mark: Mark::Reason, text: format!("    {}", condition(part)) });
    std::iter::once(first).chain(parts).collect()
}

fn condition(part: &ConditionSeen) -> String {
    let holds = match part.holds {
        Some(true) => "holds",
        Some(false) => "does not hold",
        None => "cannot be told",
    };
    let values: Vec<String> = part.values.iter().map(value).collect();
    let values = if values.is_empty() { String::new() } else { format!(" [{}]", values.join(", ")) };
    format!("{holds}: {}{values}", shortened(&part.condition))
}

fn value(seen: &ValueSeen) -> String {
    match (&seen.value, &seen.unavailable) {
        (Some(value), _) => format!("{} = {}", seen.name, shortened(&value.to_string())),
        (None, reason) => format!("{}: {}", seen.name, reason.as_deref().unwrap_or("unavailable")),
    }
}

/// A text on one line, shortened.
fn shortened(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match joined.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &joined[..end]),
        None => joined,
    }
}

impl fmt::Display for RuleNamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => write!(f, "{} ({origin})", self.rule),
            None => f.write_str(&self.rule),
        }
    }
}
