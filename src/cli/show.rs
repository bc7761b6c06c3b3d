//! Things as people read them.

use std::fmt::Write as _;

use crate::bundle::{Bundle, Playbook};
use crate::domain::{Datum, Field, Type};
use crate::engine::{ChangeShown, ConditionShown, Explanation, Named, RuleShown, RuleVerdict, WhyNot};

/// A playbook in one line.
pub(super) fn playbook(bundle: &Bundle, playbook: &Playbook) -> String {
    let event = |kind: &usize| bundle.layout().events()[*kind].name.to_string();
    let on: Vec<String> = playbook.on.iter().map(event).collect();
    format!(
        "playbook {} version {}: {} rules on {}; budget {} ms, ack {}",
        playbook.name,
        playbook.version,
        playbook.rules.rules().len(),
        on.join(", "),
        playbook.budget.as_millis(),
        playbook.ack.as_str()
    )
}

/// A curl line that the playbook decides on.
pub(super) fn curl(bundle: &Bundle, playbook: &Playbook, address: &str, has_token: bool) -> String {
    let ty = &bundle.layout().events()[playbook.on[0]];
    let data: Vec<String> = ty
        .attributes
        .iter()
        .filter(|field| field.required && field.default.is_none())
        .map(|field| format!("\"{}\":{}", field.name, example(field)))
        .collect();
    let token = if has_token { " -H \"authorization: Bearer $TOKEN\"" } else { "" };
    format!(
        "curl -s http://{address}/v1/decide/{}{token} -H 'content-type: application/json' -d \
         '{{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"curl\",\"type\":\"{}\",\"subject\":\"customer-42\",\"data\":{{{}}}}}'",
        playbook.name,
        ty.name,
        data.join(",")
    )
}

/// A value that the field takes, as JSON.
fn example(field: &Field) -> String {
    let within = |n: i64| n.clamp(field.limits.min, field.limits.max);
    match &field.ty {
        Type::Bool => "true".to_owned(),
        Type::Int => within(1).to_string(),
        Type::Decimal => crate::domain::Decimal::from_units(within(10_000)).to_string(),
        Type::Text => {
            let text = "My card is not working";
            format!("\"{}\"", &text[..text.len().min(field.limits.length_max)])
        }
        Type::OneOf(of) => format!("\"{}\"", of.names().next().unwrap_or_default()),
        Type::Time => format!("\"{}\"", crate::domain::Timestamp::from_micros(within(1_763_805_600_000_000))),
        Type::Duration => format!("\"{}\"", crate::domain::TimeDelta::from_micros(within(1_000_000))),
        Type::List(_) => "[]".to_owned(),
    }
}

/// An explanation: the decision, what it was made on, the rule that fired, and why those above it did not.
pub(super) fn explanation(explanation: &Explanation, all: bool) -> String {
    let decision = &explanation.decision;
    let event = &explanation.event;
    let mut text = String::new();
    let mut line = |content: String| {
        let _ = writeln!(text, "{content}");
    };
    line(format!("decision {}", decision.id));
    line(format!("  {} decided for customer {}: {}", decision.playbook, decision.customer, decision.outcome()));
    line(format!(
        "  by {} on {}, record {}, arrived {}",
        decision.tier, decision.bundle, explanation.record, explanation.arrival
    ));
    for reason in &decision.reasons {
        line(format!("  because {reason}"));
    }
    line(format!("event {} {} of source {}{}", event.kind, event.id, event.source, at(event.time.as_deref())));
    event.data.iter().for_each(|value| line(format!("  {}", named(value))));
    if !explanation.context.is_empty() {
        line("context".to_owned());
    }
    explanation.context.iter().for_each(|value| line(format!("  {}", named(value))));
    let fired = explanation.rules.iter().position(|rule| rule.verdict == RuleVerdict::Fired);
    let (above, below) = explanation.rules.split_at(fired.unwrap_or(explanation.rules.len()));
    match below.first() {
        Some(fired) => {
            line("the rule that decided".to_owned());
            rule(fired).into_iter().for_each(&mut line);
        }
        None => line("no rule matched: the default decided".to_owned()),
    }
    if !above.is_empty() {
        line("rules that were asked before it".to_owned());
        above.iter().flat_map(rule).for_each(&mut line);
    }
    let below = below.get(1..).unwrap_or_default();
    if all && !below.is_empty() {
        line("rules that were not asked".to_owned());
        below.iter().flat_map(rule).for_each(&mut line);
    } else if !below.is_empty() {
        line(format!("{} rules below were not asked; `--all` shows how they stand", below.len()));
    }
    text
}

/// Why a rule did not decide, and the nearest change that would have made it.
pub(super) fn why_not(explanation: &Explanation, why_not: &WhyNot) -> String {
    let decision = &explanation.decision;
    let mut lines = vec![format!("decision {}", decision.id)];
    lines.push(format!("  {} decided for customer {}: {}", decision.playbook, decision.customer, decision.outcome()));
    match &why_not.decided_by {
        Some(rule) if *rule == why_not.rule.rule => {}
        Some(rule) => lines.push(format!("  by rule {rule}")),
        None => lines.push("  by the default: no rule matched".to_owned()),
    }
    lines.push("the rule that was asked about".to_owned());
    lines.extend(rule(&why_not.rule));
    if let [_, rest @ ..] = &why_not.failing[..]
        && why_not.rule.verdict == RuleVerdict::DidNotMatch
    {
        lines.extend(rest.iter().map(condition));
    }
    if !why_not.changes.is_empty() {
        lines.push("it would have decided with".to_owned());
        lines.extend(why_not.changes.iter().map(|change| format!("  {}", changed(change))));
    }
    lines.extend(why_not.note.iter().map(|note| format!("  {note}")));
    lines.join("\n")
}

/// What a text is longer by; a long text is not shown whole, and its end would be lost.
fn added(change: &ChangeShown) -> Option<String> {
    let text = |datum: &Datum| match serde_json::to_value(datum) {
        Ok(serde_json::Value::String(text)) => Some(text),
        _ => None,
    };
    let (from, to) = (text(change.from.value.as_ref()?)?, text(change.to.as_ref()?)?);
    let added = to.strip_prefix(&from).filter(|added| !from.is_empty() && !added.is_empty())?;
    Some(added.trim().to_owned())
}

fn changed(change: &ChangeShown) -> String {
    let name = &change.from.name;
    if let Some(added) = added(change) {
        return format!("{name} with \"{added}\" at its end");
    }
    match (&change.to, &change.from.value) {
        (Some(to), Some(from)) => format!("{name} = {to} (it was {from})"),
        (Some(to), None) => {
            format!("{name} = {to} (there was none: {})", change.from.unavailable.as_deref().unwrap_or("unavailable"))
        }
        (None, Some(from)) => format!("no {name} (it was {from})"),
        (None, None) => format!("no {name}"),
    }
}

fn at(time: Option<&str>) -> String {
    time.map_or_else(String::new, |time| format!(", happened {time}"))
}

fn rule(rule: &RuleShown) -> Vec<String> {
    let verdict = match rule.verdict {
        RuleVerdict::Fired => "matched",
        RuleVerdict::AlsoMatches => "would match too",
        RuleVerdict::DidNotMatch => "did not match",
        RuleVerdict::CouldNotBeTold => "could not be told",
    };
    let mut lines = vec![format!("  {} ({}): {verdict}", rule.rule, rule.origin)];
    // For a rule that did not match, the first part that failed says why; for the others every part matters.
    let is_telling = |condition: &&ConditionShown| match rule.verdict {
        RuleVerdict::DidNotMatch => condition.holds == Some(false),
        RuleVerdict::CouldNotBeTold => condition.holds.is_none(),
        RuleVerdict::Fired | RuleVerdict::AlsoMatches => true,
    };
    let limit = if rule.verdict == RuleVerdict::DidNotMatch { 1 } else { usize::MAX };
    for condition in rule.conditions.iter().filter(is_telling).take(limit) {
        lines.push(self::condition(condition));
    }
    lines
}

fn condition(condition: &ConditionShown) -> String {
    let holds = match condition.holds {
        Some(true) => "holds",
        Some(false) => "does not hold",
        None => "cannot be told",
    };
    let values: Vec<String> = condition.values.iter().map(named).collect();
    format!("    {holds}: {} [{}]", one_line(&condition.condition), values.join(", "))
}

/// A condition on one line, shortened.
fn one_line(text: &str) -> String {
    const SHOWN: usize = 90;
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match joined.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &joined[..end]),
        None => joined,
    }
}

fn named(value: &Named) -> String {
    match (&value.value, &value.unavailable) {
        (Some(shown), None) => format!("{} = {}", value.name, shown),
        (Some(shown), Some(note)) => format!("{} = {} ({note})", value.name, shown),
        (None, reason) => format!("{}: {}", value.name, reason.as_deref().unwrap_or("unavailable")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Value;

    #[test]
    fn a_change_says_what_was_and_what_would_have_to_be() {
        let text = |text: &str| Datum::new(&Type::Text, Value::Text(text.into()));
        let shown = |from: Option<Datum>, to: Option<Datum>| {
            let unavailable = from.is_none().then(|| "not in the event".to_owned());
            changed(&ChangeShown { from: Named { name: "event.body".into(), value: from, unavailable }, to })
        };
        let long = "It is broken. ".repeat(20);
        let shown = [
            shown(Some(text("free")), Some(text("pro"))),
            shown(Some(text(&long)), Some(text(&format!("{long} - card")))),
            shown(None, Some(text("card"))),
            shown(Some(text("free")), None),
        ];
        insta::assert_snapshot!(shown.join("\n"), @r#"
        event.body = "pro" (it was "free")
        event.body with "- card" at its end
        event.body = "card" (there was none: not in the event)
        no event.body (it was "free")
        "#);
    }
}
