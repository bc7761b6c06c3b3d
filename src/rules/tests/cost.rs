//! The bounds on what conditions cost: at load, and while they are asked.

use super::*;
use crate::rules::{EXPRESSION_STEPS_MAX, JUDGEMENT_STEPS_MAX};

fn refusal(scope: &Scope, source: &str) -> String {
    let compiled = Condition::compile(source, scope, &mut TextIndexBuilder::default());
    compiled.map_or_else(|faults| faults[0].message.clone(), |condition| format!("{} steps", condition.steps()))
}

#[test]
fn says_what_would_cost_too_much() {
    let mut scope = scope();
    scope.declare_bounded("event.tags", Type::List(Box::new(Type::Text)), 1_000);
    scope.declare_bounded("event.note", Type::Text, 100);
    let shown: Vec<String> = [
        "event.count == 1 && customer.vip",
        "event.note.contains('x') || event.note.lowerAscii() == 'y'",
        "event.body.contains('x')",
        "event.labels.exists(l, l in ['a', 'b'])",
        "event.labels.exists(l, event.body.contains(l))",
        "event.tags.all(t, size(t) > 3)",
        "event.count == 1 && event.tags.exists(t, event.tags.exists(u, t + u == 'ab'))",
        "event.labels.filter(l, event.labels.all(m, l != m)).map(l, l + l).exists(l, l.contains('x'))",
        "event.subject.replace(event.note, event.body) == ''",
        "event.note.replace('a', 'bb').split(',').exists(t, t == 'x')",
        "event.subject.split(',').exists(t, t == 'x')",
        "event.subject.split(',', 100).exists(t, t == 'x')",
        "event.labels.join(event.subject) == 'x'",
        "[[1, 2, 3], [4]].exists(inner, inner.all(n, n > 0))",
        "[event.body, event.subject + event.body].mentions('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j')",
    ]
    .map(|source| format!("{source}\n  {}", refusal(&scope, source)))
    .into();
    insta::assert_snapshot!(shown.join("\n"));
}

/// 193 bytes of which an interpreter without a bound makes half a second, and ten times that for each level more.
#[test]
fn nested_loops_are_refused() {
    let mut source = "a > 0 && f > 0".to_owned();
    for name in ["f", "e", "d", "c", "b", "a"] {
        source = format!("[0,1,2,3,4,5,6,7,8,9].all({name}, {source})");
    }
    assert!(source.len() < 200, "{source}");
    let refusal = refusal(&scope(), &source);
    assert!(refusal.starts_with("may take 9444442 steps, the limit is 100000"), "{refusal}");
}

#[test]
fn conditions_that_double_are_refused_without_being_written_out() {
    let mut scope = scope();
    let mut texts = TextIndexBuilder::default();
    let base = Condition::compile("event.count + 1 > 2 || event.count + 2 > 5", &scope, &mut texts).unwrap();
    scope.declare_condition("c0", &base);
    for level in 1..40 {
        let source = format!("c{0} || c{0}", level - 1);
        match Condition::compile(&source, &scope, &mut texts) {
            Ok(condition) => scope.declare_condition(&format!("c{level}"), &condition),
            Err(faults) => {
                assert!(faults[0].message.contains("the limit is 100000"), "{faults:?}");
                assert!((10..20).contains(&level), "refused at {level}");
                return;
            }
        }
    }
    panic!("2⁴⁰ conditions passed as affordable");
}

#[test]
fn an_item_is_worked_out_once_however_many_it_is_compared_with() {
    let chain = format!("customer.vip{}", " in [customer.vip, event.count == 2]".repeat(40));
    assert!(refusal(&scope(), &chain).ends_with(" steps"), "{}", refusal(&scope(), &chain));
}

#[test]
fn a_chain_of_changes_of_a_text_is_costed_once() {
    let chain = format!("event.subject{}.contains('x')", ".trim()".repeat(40));
    assert!(refusal(&scope(), &chain).ends_with(" steps"));
}

/// Each rule is within its bound; together they are a runaway.
#[test]
fn a_judgement_that_costs_too_much_says_so_and_ends() {
    let scope = scope();
    let mut texts = TextIndexBuilder::default();
    let mut rules: Vec<Rule> = (0..60)
        .map(|n| {
            let source = format!("event.labels.exists(l, event.body.contains(l + '{n}'))");
            rule(&format!("r{n}"), Condition::compile(&source, &scope, &mut texts).unwrap())
        })
        .collect();
    let plain = Condition::compile("event.count == 1", &scope, &mut texts).unwrap();
    rules.push(rule("plain", plain));
    let set = rule_set(rules, texts);
    let labels = Value::List((0..64).map(|n| text(&format!("label {n}"))).collect());
    let values = given(
        &scope,
        &[("event.labels", labels), ("event.body", text(&"la ".repeat(20_000))), ("event.count", Value::Int(1))],
    );
    let mut scratch = Scratch::default();
    let judgement = set.judge(&values, &mut scratch);
    assert_eq!(judgement.rule, Some(60), "what costs nothing is still told");
    let skipped: Vec<_> = judgement.skipped.iter().collect();
    let [(miss, rules)] = skipped[..] else { panic!("{skipped:?}") };
    assert_eq!((miss.slot, miss.reason), (None, Unavailable::TooCostly));
    let affordable = JUDGEMENT_STEPS_MAX / EXPRESSION_STEPS_MAX;
    assert!(u64::from(60 - rules) >= affordable, "{rules} of 60 could not be told");
    assert_eq!(set.judge(&values, &mut scratch), judgement, "each judgement begins anew");
    let told = set.explain(&values, &mut scratch);
    assert!(
        told.iter().all(|trace| trace.truth != Truth::Unavailable(miss)),
        "an explanation looks at each rule by itself"
    );
}

/// Texts that make loops cost what they may.
fn wordy(scope: &Scope) -> Given {
    let labels = Value::List((0..64).map(|n| text(&format!("label {n}"))).collect());
    let body = text(&"la ".repeat(20_000));
    given(scope, &[("event.labels", labels), ("event.body", body), ("event.count", Value::Int(1))])
}

/// An index finds rules in an order of its own; what they cost must not be at the expense of a better one.
#[test]
fn the_best_rule_is_asked_first_however_many_are_found() {
    let scope = scope();
    let mut texts = TextIndexBuilder::default();
    let mut rule_of = |source: &str| rule("r", Condition::compile(source, &scope, &mut texts).unwrap());
    let mut rules = vec![rule_of("event.body.contains('la')")];
    for n in 0..1_600 {
        let (count, word) = (n % 40, n / 40);
        rules.push(rule_of(&format!(
            "event.count == {count} && event.labels.exists(l, event.body.contains(l + '{word}'))"
        )));
    }
    let judgement = rule_set(rules, texts).judge(&wordy(&scope), &mut Scratch::default());
    assert_eq!((judgement.rule, judgement.skipped.iter().count()), (Some(0), 0));
}

/// A rule of several rows is asked once: its steps are not counted for each row.
#[test]
fn a_rule_of_many_rows_is_asked_once() {
    let scope = scope();
    let mut texts = TextIndexBuilder::default();
    let mut rule_of = |word: usize| {
        let alternatives: Vec<String> = (0..16).map(|n| format!("event.amount < {n}.5")).collect();
        let names = ["event.count == 1", "event.subject == 's'", "customer.vip", "event.channel == 'chat'"];
        let any = [&names.map(String::from)[..], &alternatives[..]].concat().join(" || ");
        let source = format!("({any}) && event.labels.exists(l, event.body.contains(l + '{word}'))");
        let condition = Condition::compile(&source, &scope, &mut texts).unwrap();
        Rule { if_unavailable: IfUnavailable::Apply, ..rule("r", condition) }
    };
    let rules = vec![rule_of(0), rule_of(1)];
    let mut values = wordy(&scope);
    for (name, value) in [
        ("event.subject", text("s")),
        ("event.amount", decimal("0.1")),
        ("customer.vip", Value::Bool(true)),
        ("event.channel", Value::Symbol(1)),
    ] {
        values.0.insert(scope.slot(name).unwrap(), value);
    }
    assert_eq!(rule_set(rules, texts).judge(&values, &mut Scratch::default()).rule, None);
}
