//! Tests of the whole room: what conditions mean, what they cost, what their faults say, and the `cel` interpreter as an oracle.

mod conformance;
mod cost;
mod faults;
mod indexed;
mod meaning;
mod normal;
mod oracle;
mod soup;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Condition, HitPolicy, IfUnavailable, Miss, NamedList, Origin, RankedRules, Ref, Rule, RuleSet, Scope, Scratch,
    Slot, TextIndexBuilder, Then, Truth,
};
use crate::domain::{Decimal, Enumeration, TimeDelta, Timestamp, Type, Unavailable, Value};

/// How many cases a property tries: so many in the gate, `PROPTEST_CASES` in `.ci/nightly`.
fn cases(in_the_gate: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(in_the_gate)
}

/// A scope with a name of each type.
fn scope() -> Scope {
    let channel = Enumeration::new(["email", "chat", "phone"].map(String::from).to_vec()).unwrap();
    let mut scope = Scope::default();
    scope.declare("now", Type::Time);
    scope.declare("event.subject", Type::Text);
    scope.declare("event.body", Type::Text);
    scope.declare("event.channel", Type::OneOf(Arc::new(channel)));
    scope.declare("event.amount", Type::Decimal);
    scope.declare("event.count", Type::Int);
    scope.declare("event.labels", Type::List(Box::new(Type::Text)));
    scope.declare("customer.vip", Type::Bool);
    scope.declare("customer.since", Type::Time);
    scope.declare("signal.wait", Type::Duration);
    for (name, text, ty, ignore_case) in [
        ("words", "alpha\nchat\nemail\nCard NOT\n", Type::Text, false),
        ("folded", "CHAT\nvip\nalpha", Type::Text, true),
        ("counts", "7\n9", Type::Int, false),
        ("amounts", "10.55\n7", Type::Decimal, false),
        ("none", "# nobody yet", Type::Text, false),
    ] {
        scope.declare_list(name, Arc::new(NamedList::read(text, &ty, ignore_case).unwrap()));
    }
    scope
}

/// Values by slot; what is not given is absent.
#[derive(Debug, Default, Clone)]
struct Given(BTreeMap<Slot, Value>);

impl super::Values for Given {
    fn value(&self, slot: Slot) -> Result<Ref<'_>, Unavailable> {
        self.0.get(&slot).map(Ref::from).ok_or(Unavailable::Absent)
    }
}

fn given(scope: &Scope, values: &[(&str, Value)]) -> Given {
    Given(values.iter().map(|(path, value)| (scope.slot(path).unwrap(), value.clone())).collect())
}

fn rule(id: &str, condition: Condition) -> Rule {
    Rule {
        id: id.into(),
        origin: Origin { file: "test".into(), line: 1 },
        description: None,
        condition,
        then: Then::new(vec![]),
        if_unavailable: IfUnavailable::Skip,
        is_final: true,
        permit: None,
    }
}

/// One group of rules, the first of which decides.
fn rule_set(rules: Vec<Rule>, texts: TextIndexBuilder) -> RuleSet {
    let group = RankedRules { name: "rules".into(), policy: HitPolicy::First, rules };
    RuleSet::new(vec![group], texts, &[]).unwrap()
}

/// The truth of one condition.
fn truth(scope: &Scope, source: &str, values: &Given) -> Truth {
    let mut texts = TextIndexBuilder::default();
    let condition =
        Condition::compile(source, scope, &mut texts).unwrap_or_else(|faults| panic!("{source}: {faults:?}"));
    let set = rule_set(vec![rule("only", condition)], texts);
    set.explain(values, &mut Scratch::default())[0].truth
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse::<Decimal>().unwrap())
}

fn time(text: &str) -> Value {
    Value::Time(text.parse::<Timestamp>().unwrap())
}

fn hours(hours: i64) -> Value {
    Value::Duration(TimeDelta::from_micros(hours * TimeDelta::HOUR.micros()))
}
