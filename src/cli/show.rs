//! Things as people read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::output::counted;
use crate::bundle::{Bundle, Playbook};
use crate::domain::{Datum, Field, Type};
use crate::engine::{
    CapShown, ChangeShown, ConditionShown, Explanation, FeedbackShown, Named, Reason, RuleShown, RuleVerdict, WhyNot,
};

/// A playbook in one line.
pub(super) fn playbook(bundle: &Bundle, playbook: &Playbook) -> String {
    let event = |kind: &usize| bundle.layout().events()[*kind].name.to_string();
    let on: Vec<String> = playbook.on.iter().map(event).collect();
    let models = playbook.models.iter().map(|model| &*model.name);
    let models: Vec<&str> = models.chain(playbook.agents.iter().map(|agent| &*agent.name)).collect();
    let asked = if models.is_empty() { String::new() } else { format!(", then {}", models.join(", ")) };
    format!(
        "playbook {} version {}: {}{asked} on {}; budget {} ms, ack {}",
        playbook.name,
        playbook.version,
        counted(playbook.rules.rules().len(), "rule"),
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
    if !explanation.caps.is_empty() {
        line("caps".to_owned());
    }
    explanation.caps.iter().for_each(|of| line(format!("  {}", cap(of))));
    super::show_model::models(&explanation.models).into_iter().for_each(&mut line);
    super::show_model::agents(&explanation.agents, &explanation.late_answers).into_iter().for_each(&mut line);
    deciding(explanation).into_iter().for_each(&mut line);
    explanation.note.iter().for_each(|note| line(format!("note: {note}")));
    feedback(&explanation.feedback).into_iter().for_each(&mut line);
    let had_no_part = |rule: &&RuleShown| !rule.verdict.had_its_say() && rule.verdict != RuleVerdict::Conflicted;
    let (asked, not_asked): (Vec<&RuleShown>, Vec<&RuleShown>) =
        explanation.rules.iter().filter(had_no_part).partition(|rule| rule.asked);
    if !asked.is_empty() {
        line(asked_title(explanation).to_owned());
        asked.into_iter().flat_map(rule).for_each(&mut line);
    }
    let are_all_unasked = explanation.rules.iter().all(|rule| rule.verdict == RuleVerdict::NotAsked);
    if are_all_unasked && !not_asked.is_empty() {
        line("no rule was asked".to_owned());
    } else if all && !not_asked.is_empty() {
        line("rules that were not asked".to_owned());
        not_asked.into_iter().flat_map(rule).for_each(&mut line);
    } else if let [_, ..] = &not_asked[..] {
        let were = if not_asked.len() == 1 { "rule below was" } else { "rules below were" };
        line(format!("{} {were} not asked; `--all` shows how they stand", not_asked.len()));
    }
    text
}

/// What was said of the decision afterwards.
fn feedback(said: &[FeedbackShown]) -> Vec<String> {
    let title = (!said.is_empty()).then(|| "what was said of it afterwards".to_owned());
    let shown = |of: &FeedbackShown| {
        let named = |of: &str, values: &BTreeMap<String, Datum>| {
            let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            (!values.is_empty()).then(|| format!("{of} {}", values.join(", ")))
        };
        let parts = [
            of.verdict.map(|verdict| verdict.to_string()),
            named("should have been", &of.corrected),
            of.label.as_ref().map(|label| format!("label {label}")),
            named("became", &of.outcome),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let said_at = of.time.as_ref().map_or_else(String::new, |time| format!(", said {time}"));
        let FeedbackShown { id, source, received_at, record, .. } = of;
        format!("  {received_at} {source} ({id}, record {record}{said_at}): {}", parts.join("; "))
    };
    title.into_iter().chain(said.iter().map(shown)).collect()
}

/// What the rules are called that were asked and had no part in what was decided.
fn asked_title(explanation: &Explanation) -> &'static str {
    let rules = &explanation.rules;
    let parts = rules.iter().filter(|rule| rule.verdict.had_its_say() || rule.verdict == RuleVerdict::Conflicted);
    match (parts.count(), rules.iter().rfind(|rule| rule.asked).map(|rule| rule.verdict)) {
        (0, _) => "rules that were asked",
        (1, Some(RuleVerdict::Fired)) => "rules that were asked before it",
        _ => "other rules that were asked",
    }
}

/// What decided: a rule, several, or the default and why.
fn deciding(explanation: &Explanation) -> Vec<String> {
    let because = explanation.default_because();
    let Some(fired) = explanation.fired() else {
        let because = because.as_deref().unwrap_or("no rule matched");
        let mut lines = vec![match &explanation.decision.model {
            Some(model) => format!("{because}; {model} decided in place of the default"),
            None => format!("the default decided: {because}"),
        }];
        let conflicted = explanation.rules.iter().filter(|rule| rule.verdict == RuleVerdict::Conflicted);
        lines.extend(conflicted.flat_map(rule));
        return lines;
    };
    let others = explanation.decision.reasons.iter().filter_map(|reason| match reason {
        Reason::RuleContributed { rule } => explanation.rules.iter().find(|shown| shown.rule == **rule),
        _ => None,
    });
    let said: Vec<&RuleShown> = std::iter::once(fired).chain(others).collect();
    let title = match (&said[..], because) {
        (_, None) if let Some(model) = &explanation.decision.model => {
            format!("what matched; {model} decided within its permit")
        }
        ([_], None) => "the rule that decided".to_owned(),
        ([_], Some(_)) => "the rule that matched; the default was taken in place of what it says".to_owned(),
        (_, None) => "rules that had their say".to_owned(),
        (_, Some(_)) => "rules that had their say; the default was taken in place of what they say".to_owned(),
    };
    std::iter::once(title).chain(said.into_iter().flat_map(rule)).collect()
}

/// Why a rule did not decide, and the nearest change that would have made it.
pub(super) fn why_not(explanation: &Explanation, why_not: &WhyNot) -> String {
    let decision = &explanation.decision;
    let mut lines = vec![format!("decision {}", decision.id)];
    lines.push(format!("  {} decided for customer {}: {}", decision.playbook, decision.customer, decision.outcome()));
    match (&why_not.default_because, &why_not.decided_by) {
        (Some(why), _) => lines.push(format!("  by the default: {why}")),
        (None, Some(rule)) if *rule == why_not.rule.rule => {}
        (None, Some(rule)) => {
            let others = explanation.rules.iter().any(|rule| rule.verdict == RuleVerdict::Contributed);
            lines.push(format!("  by rule {rule}{}", if others { " and others" } else { "" }));
        }
        (None, None) => {}
    }
    lines.extend(explanation.note.iter().map(|note| format!("note: {note}")));
    lines.push("the rule that was asked about".to_owned());
    match why_not.rule.verdict {
        RuleVerdict::DidNotMatch if why_not.rule.note.is_none() => {
            lines.push(headline(&why_not.rule));
            lines.extend(why_not.failing.iter().map(condition));
        }
        _ => lines.extend(rule(&why_not.rule)),
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

/// A rule, where it is written, and how it stood.
fn headline(rule: &RuleShown) -> String {
    let verdict = match rule.verdict {
        RuleVerdict::Fired | RuleVerdict::Contributed | RuleVerdict::Conflicted => "matched",
        RuleVerdict::AlsoMatches if rule.asked => "matched too",
        RuleVerdict::AlsoMatches => "would match too",
        RuleVerdict::DidNotMatch => "did not match",
        RuleVerdict::CouldNotBeTold => "could not be told",
        RuleVerdict::NotAsked => "was not asked",
    };
    let is_part = rule.verdict.had_its_say() || rule.verdict == RuleVerdict::Conflicted;
    let stood = match &rule.note {
        Some(note) if is_part => note.clone(),
        Some(note) => format!("{verdict}: {note}"),
        None => verdict.to_owned(),
    };
    format!("  {} ({}): {stood}", rule.rule, rule.origin)
}

fn rule(rule: &RuleShown) -> Vec<String> {
    let mut lines = vec![headline(rule)];
    // For a rule that did not match, the first part that failed says why; for one that could not be told or applied for it, the
    // parts that could not; for one that has something else said of it, nothing more is needed.
    let is_telling = |condition: &&ConditionShown| match (rule.verdict, &rule.note) {
        (RuleVerdict::DidNotMatch, None) => condition.holds == Some(false),
        (RuleVerdict::DidNotMatch, Some(_)) | (RuleVerdict::NotAsked, _) => false,
        (RuleVerdict::CouldNotBeTold, None) => condition.holds.is_none(),
        (RuleVerdict::CouldNotBeTold, Some(_)) => true,
        (_, None) => true,
        (_, Some(_)) => condition.holds.is_none(),
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

fn cap(cap: &CapShown) -> String {
    let CapShown { cap: id, max, left, taken, .. } = cap;
    let amount = cap.amount.as_ref().map_or_else(String::new, |field| format!(" of {field}"));
    let over = cap.over.as_ref().map_or_else(String::new, |over| format!(" within {over}"));
    let more = cap.more_from.as_ref().map_or_else(String::new, |from| format!("; more from {from}"));
    let whom = if cap.scope == "global" { "all customers together" } else { "a customer" };
    format!("{id}: took {taken} of {left} left; at most {max}{amount}{over} for {whom}{more}")
}

fn named(value: &Named) -> String {
    match (&value.value, &value.unavailable) {
        (Some(shown), None) if value.stale => format!("{} = {} (stale)", value.name, shown),
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
            changed(&ChangeShown {
                from: Named { name: "event.body".into(), value: from, unavailable, stale: false },
                to,
            })
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
