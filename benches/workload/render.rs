//! The same rules in each engine's language.

use std::fmt::Write as _;

use super::family::{Predicate, RuleSpec, Test};
use super::field::{FIELDS, Kind};

/// Forthwith's `context.toml` and playbook. The texts are plain strings, so that a decision must recognise them.
pub(crate) fn bundle(rules: &[RuleSpec]) -> [(&'static str, String); 2] {
    let mut context = String::from("[events.order]\n");
    for field in &FIELDS {
        let ty = match field.kind {
            Kind::Text(_) | Kind::Product => "string",
            Kind::Decimal(..) => "decimal",
            Kind::Int(..) => "int",
            Kind::Bool => "bool",
        };
        let _ = writeln!(context, "{} = \"{ty}\"", field.name);
    }
    let mut playbook = String::from(
        "playbook = \"scale\"\non = [\"order\"]\noutcome = { rule = \"int\" }\ndefault = { then = { rule = -1 } }\n",
    );
    for (rank, rule) in rules.iter().enumerate() {
        let when = cel(rule, "event.");
        let _ = write!(playbook, "\n[[rules]]\nid = \"r{rank}\"\nwhen = '{when}'\nthen = {{ rule = {rank} }}\n");
    }
    [("context.toml", context), ("playbooks/scale.toml", playbook)]
}

/// A rule as a condition in CEL, each name with the prefix.
pub(crate) fn cel(rule: &RuleSpec, prefix: &str) -> String {
    joined(rule, " && ", |Predicate { field, test }| {
        let field = &FIELDS[*field];
        let name = format!("{prefix}{}", field.name);
        match test {
            Test::Is(1) if field.kind == Kind::Bool => name,
            Test::Is(_) if field.kind == Kind::Bool => format!("!{name}"),
            Test::Is(wanted) => format!("{name} == \"{}\"", field.show(*wanted)),
            Test::OneOf(wanted) => {
                let texts: Vec<String> = wanted.iter().map(|value| format!("\"{}\"", field.show(*value))).collect();
                format!("{name} in [{}]", texts.join(", "))
            }
            Test::Range(from, to) => format!("{name} >= {} && {name} < {}", field.show(*from), field.show(*to)),
        }
    })
}

/// A rule as an expression of the `a-tree` crate.
pub(crate) fn a_tree(rule: &RuleSpec) -> String {
    joined(rule, " and ", |Predicate { field, test }| {
        let field = &FIELDS[*field];
        let name = field.name;
        match test {
            Test::Is(1) if field.kind == Kind::Bool => name.to_owned(),
            Test::Is(_) if field.kind == Kind::Bool => format!("not {name}"),
            Test::Is(wanted) => format!("{name} = '{}'", field.show(*wanted)),
            Test::OneOf(wanted) => {
                let texts: Vec<String> = wanted.iter().map(|value| format!("'{}'", field.show(*value))).collect();
                format!("{name} in [{}]", texts.join(", "))
            }
            Test::Range(from, to) => format!("{name} >= {} and {name} < {}", field.show(*from), field.show(*to)),
        }
    })
}

/// All rules as one decision table of the JSON Decision Model, hit policy `first`; the outcome's `rule` is the rank.
pub(crate) fn decision_table(rules: &[RuleSpec]) -> String {
    let inputs: Vec<String> =
        FIELDS.iter().map(|field| format!(r#"{{"id":"{0}","name":"{0}","field":"{0}"}}"#, field.name)).collect();
    let rows: Vec<String> = rules.iter().enumerate().map(|(rank, rule)| row(rank, rule)).collect();
    format!(
        r#"{{"nodes":[{{"id":"in","name":"in","type":"inputNode","content":{{}}}},{{"id":"table","name":"table","type":"decisionTableNode","content":{{"hitPolicy":"first","inputs":[{}],"outputs":[{{"id":"rule","name":"rule","field":"rule"}}],"rules":[{}]}}}},{{"id":"out","name":"out","type":"outputNode","content":{{}}}}],"edges":[{{"id":"e1","sourceId":"in","targetId":"table"}},{{"id":"e2","sourceId":"table","targetId":"out"}}]}}"#,
        inputs.join(","),
        rows.join(","),
    )
}

/// A row: cells by the ids of their columns. No text needs escaping, because texts stand in single quotation marks.
fn row(rank: usize, rule: &RuleSpec) -> String {
    let mut row = format!(r#"{{"_id":"r{rank}","rule":"{rank}""#);
    for Predicate { field, test } in &rule.tests {
        let field = &FIELDS[*field];
        let cell = match test {
            Test::Is(wanted) if field.kind == Kind::Bool => field.show(*wanted),
            Test::Is(wanted) => format!("'{}'", field.show(*wanted)),
            Test::OneOf(wanted) => {
                let texts: Vec<String> = wanted.iter().map(|value| format!("'{}'", field.show(*value))).collect();
                texts.join(", ")
            }
            Test::Range(from, to) => format!("[{}..{})", field.show(*from), field.show(*to)),
        };
        let _ = write!(row, r#","{}":"{cell}""#, field.name);
    }
    row.push('}');
    row
}

fn joined(rule: &RuleSpec, between: &str, show: impl Fn(&Predicate) -> String) -> String {
    rule.tests.iter().map(show).collect::<Vec<_>>().join(between)
}
