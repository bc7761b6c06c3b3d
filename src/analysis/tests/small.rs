//! Small rule sets whose whole space can be walked through: what the analysis is judged by.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use crate::analysis::cells::Cells;
use crate::analysis::model::Model;
use crate::analysis::names::Names;
use crate::analysis::witness::Witness;
use crate::domain::{Enumeration, Type, Value};
use crate::rules::{
    Aggregation, Condition, Extent, HitPolicy, IfUnavailable, Origin, OutputOrder, RankedRules, Rule, RuleSet, Scope,
    Scratch, Setting, Slot, TextIndexBuilder, Then,
};

/// A rule: its condition, whether it applies when that cannot be told, and its outcome.
#[derive(Clone, Debug)]
pub(super) struct SmallRule {
    pub(super) when: String,
    pub(super) applies: bool,
    pub(super) outcome: u16,
}

/// A rule set, and by event type how each name is there: 0 always, 1 perhaps, 2 never.
#[derive(Clone, Debug)]
pub(super) struct Small {
    pub(super) there: Vec<[u8; 4]>,
    pub(super) groups: Vec<(u8, Vec<SmallRule>)>,
}

pub(super) const OUTCOMES: u16 = 3;

pub(super) fn scope() -> Scope {
    let members = Enumeration::new(["x", "y", "z"].map(String::from).to_vec()).unwrap();
    let mut scope = Scope::default();
    scope.declare("event.a", Type::Int);
    scope.declare("event.b", Type::Bool);
    scope.declare("event.c", Type::OneOf(Arc::new(members)));
    scope.declare("event.t", Type::Text);
    scope
}

/// Texts that stand for all others where rules only ask whether a text is one of those named.
pub(super) const TEXTS: [&str; 3] = ["p", "q", "r"];

/// Texts that parts with phrases tell apart.
pub(super) const PHRASES: [&str; 7] = ["p", "q", "r", "p q", "qq", "q p", ""];

fn values(slot: usize, texts: &[&str]) -> Vec<Value> {
    match slot {
        0 => (0..3).map(Value::Int).collect(),
        1 => [false, true].map(Value::Bool).into(),
        2 => (0..3).map(Value::Symbol).collect(),
        _ => texts.iter().map(|text| Value::Text((*text).into())).collect(),
    }
}

fn domain(slot: usize, there: u8) -> Cells {
    let extent = match slot {
        _ if there == 2 => Extent::Any(false),
        1 => Extent::interval(0, 1),
        3 => Extent::texts([].into()).complement(),
        _ => Extent::interval(0, 2),
    };
    Cells { extent, unavailable: there > 0 }
}

pub(super) fn names(there: &[[u8; 4]]) -> Vec<Names> {
    let of = |there: &[u8; 4]| Names {
        event: format!("{there:?}"),
        domains: (0..4).map(|slot| domain(slot, there[slot])).collect(),
        widened: (0..4).map(|slot| domain(slot, there[slot].min(1))).collect(),
        lengths: vec![usize::MAX; 4],
        withheld: Default::default(),
        purpose: None,
    };
    there.iter().map(of).collect()
}

/// All inputs of an event type with these texts.
pub(super) fn points(there: &[u8; 4], texts: &[&str]) -> Vec<Witness> {
    let mut points = vec![Vec::new()];
    for (slot, there) in there.iter().enumerate() {
        let mut options: Vec<Option<Value>> = Vec::new();
        if *there < 2 {
            options.extend(values(slot, texts).into_iter().map(Some));
        }
        options.extend((*there > 0).then_some(None));
        points = points
            .into_iter()
            .flat_map(|point: Vec<Option<Value>>| {
                options.iter().map(move |option| [&point[..], std::slice::from_ref(option)].concat())
            })
            .collect();
    }
    points.into_iter().map(Witness::of).collect()
}

impl Small {
    pub(super) fn compile(&self, scope: &Scope) -> RuleSet {
        let mut texts = TextIndexBuilder::default();
        let mut groups = Vec::new();
        for (number, (policy, rules)) in self.groups.iter().enumerate() {
            let rules = rules.iter().enumerate().map(|(n, rule)| Rule {
                id: format!("{number}.{n}").into(),
                origin: Origin { file: format!("table-{number}").into(), line: n as u32 + 1 },
                description: None,
                condition: Condition::compile(&rule.when, scope, &mut texts).unwrap(),
                then: Then::new(vec![Some(Setting::Literal(Value::Symbol(rule.outcome)))]),
                if_unavailable: if rule.applies { IfUnavailable::Apply } else { IfUnavailable::Skip },
                is_final: false,
                permit: None,
            });
            let rules = rules.collect();
            groups.push(RankedRules { name: format!("table-{number}").into(), policy: policy_of(*policy), rules });
        }
        RuleSet::new(groups, texts, &[Value::Symbol(0)]).unwrap()
    }

    pub(super) fn outcomes(&self) -> Vec<u16> {
        self.groups.iter().flat_map(|(_, rules)| rules.iter().map(|rule| rule.outcome)).collect()
    }
}

fn policy_of(number: u8) -> HitPolicy {
    let order = OutputOrder([(0, (0..OUTCOMES).collect())].into());
    match number {
        0 => HitPolicy::First,
        1 => HitPolicy::Unique,
        2 => HitPolicy::Any,
        3 => HitPolicy::Priority(order),
        4 => HitPolicy::OutputOrder(order),
        5 => HitPolicy::RuleOrder,
        _ => HitPolicy::Collect(Some(Aggregation::Sum)),
    }
}

/// The rules that match each input, asked of the engine one by one.
pub(super) fn matching(rules: &RuleSet, point: &Witness, scratch: &mut Scratch) -> BTreeSet<usize> {
    (0..rules.rules().len()).filter(|rank| rules.matches(*rank, point, scratch)).collect()
}

pub(super) fn model<'a>(rules: &'a RuleSet, scope: &'a Scope, there: &[[u8; 4]]) -> Model<'a> {
    Model::new(rules, scope, &[], names(there))
}

pub(super) fn slots(scope: &Scope) -> Vec<Slot> {
    scope.slots().collect()
}

// === strategies ===

fn part() -> impl Strategy<Value = String> {
    let plain = prop::sample::select(vec![
        "event.a == 0",
        "event.a == 1",
        "event.a == 2",
        "event.a >= 1",
        "event.a < 2",
        "event.a in [0, 2]",
        "event.a > 2",
        "event.b",
        "!event.b",
        "event.c == 'x'",
        "event.c != 'y'",
        "event.c in ['y', 'z']",
        "event.t == 'p'",
        "event.t != 'q'",
        "event.t in ['p', 'q']",
        "has(event.a)",
        "has(event.t)",
        "!has(event.c)",
        "event.?b.orValue(true)",
        "event.?a.orValue(1) == 1",
        "event.?t.orValue('p') == 'q'",
    ]);
    plain.prop_map(str::to_owned)
}

/// Parts that no set of values can say.
fn atom() -> impl Strategy<Value = String> {
    let written = prop::sample::select(vec![
        "event.t.mentions('p')",
        "event.t.mentions('p', 'q*')",
        "event.t.mentions('qq')",
        "event.t.contains('p')",
        "event.t.startsWith('q')",
        "event.t.matches('^p$')",
        "event.a * 2 > 2",
        "event.a == size(event.t)",
        "event.a < size(event.t)",
        "event.a >= size(event.t)",
        "event.a * 2 <= 2",
        "event.b == (event.a > 1)",
        "(event.b ? event.a == 1 : event.c == 'x')",
        "2 / event.a > 1",
    ]);
    prop_oneof![written.prop_map(str::to_owned), part()]
}

fn condition(part: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    part.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join(" && "))),
            2 => (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} || {r})")),
            1 => inner.prop_map(|of| format!("!({of})")),
        ]
    })
}

fn rule_sets(part: &BoxedStrategy<String>) -> impl Strategy<Value = Small> + use<> {
    let rule = (condition(part.clone()), prop::bool::weighted(0.2), 0..OUTCOMES)
        .prop_map(|(when, applies, outcome)| SmallRule { when, applies, outcome });
    let there = prop::array::uniform4(prop_oneof![3 => Just(0_u8), 2 => Just(1), 1 => Just(2)]);
    let group = (prop_oneof![3 => Just(0_u8), 1 => 1_u8..7], prop::collection::vec(rule, 1..4));
    (prop::collection::vec(there, 1..3), prop::collection::vec(group, 1..4))
        .prop_map(|(there, groups)| Small { there, groups })
}

/// Rule sets within what the analysis decides.
pub(super) fn small() -> impl Strategy<Value = Small> {
    rule_sets(&part().boxed())
}

/// Rule sets with phrases, comparisons of names and arithmetic.
pub(super) fn small_with_atoms() -> impl Strategy<Value = Small> {
    rule_sets(&atom().boxed())
}
