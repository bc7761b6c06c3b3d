//! Differential test: our evaluator against the interpreter of the `cel` crate, on random conditions and values.
//!
//! The oracle knows neither our exact decimals nor our three truth values by name, so the conditions stay within what both
//! have: 64-bit integers, texts, booleans, and names that are missing (an error there, unavailable here).

use cel::{Context, Program, Value as CelValue};
use proptest::prelude::*;

use super::*;

const INTS: [&str; 3] = ["a", "b", "c"];
const TEXTS: [&str; 2] = ["s", "t"];
const BOOLS: [&str; 2] = ["p", "q"];

pub(super) fn oracle_scope() -> Scope {
    let mut scope = Scope::default();
    for (names, ty) in [(&INTS[..], Type::Int), (&TEXTS[..], Type::Text), (&BOOLS[..], Type::Bool)] {
        for name in names {
            scope.declare(&format!("event.{name}"), ty.clone());
        }
    }
    scope
}

fn number() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-3_i64..4).prop_map(|n| n.to_string()),
        Just(i64::MAX.to_string()),
        proptest::sample::select(&INTS[..]).prop_map(|n| format!("event.{n}")),
        proptest::sample::select(&TEXTS[..]).prop_map(|n| format!("size(event.{n})")),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), proptest::sample::select(&["+", "-", "*", "/", "%"][..]), inner.clone())
                .prop_map(|(l, op, r)| format!("({l} {op} {r})")),
            (inner.clone(), inner).prop_map(|(l, r)| format!("(event.p ? {l} : {r})")),
        ]
    })
}

fn string() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[ab]{0,2}".prop_map(|t| format!("'{t}'")),
        proptest::sample::select(&TEXTS[..]).prop_map(|n| format!("event.{n}")),
    ];
    leaf.prop_recursive(1, 4, 2, |inner| (inner.clone(), inner).prop_map(|(l, r)| format!("({l} + {r})")))
}

fn comparison() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&["==", "!=", "<", "<=", ">", ">="][..])
}

fn predicate() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(&BOOLS[..]).prop_map(|n| format!("event.{n}")),
        (number(), comparison(), number()).prop_map(|(l, op, r)| format!("{l} {op} {r}")),
        (string(), proptest::sample::select(&["==", "!=", "<"][..]), string())
            .prop_map(|(l, op, r)| format!("{l} {op} {r}")),
        (string(), proptest::sample::select(&["contains", "startsWith", "endsWith"][..]), string())
            .prop_map(|(l, f, r)| format!("{l}.{f}({r})")),
        (number(), proptest::collection::vec(-2_i64..3, 1..4)).prop_map(|(n, list)| format!("{n} in {list:?}")),
        (string(), "[ab]{0,2}", "[ab]{0,2}").prop_map(|(s, x, y)| format!("{s} in ['{x}', '{y}']")),
        proptest::sample::select(&["a", "s", "p"][..]).prop_map(|n| format!("has(event.{n})")),
    ]
}

/// Predicates that the interpreter is not asked about: stand-ins for values that are not there.
fn stand_in() -> impl Strategy<Value = String> {
    prop_oneof![
        (proptest::sample::select(&INTS[..]), -2_i64..3, comparison(), -2_i64..3)
            .prop_map(|(n, v, op, w)| format!("event.?{n}.orValue({v}) {op} {w}")),
        (any::<bool>(), proptest::sample::select(&BOOLS[..])).prop_map(|(v, n)| format!("event.?{n}.orValue({v})")),
    ]
}

pub(super) fn condition() -> impl Strategy<Value = String> {
    joined(predicate())
}

pub(super) fn condition_with_stand_ins() -> impl Strategy<Value = String> {
    joined(prop_oneof![3 => predicate(), 1 => stand_in()])
}

fn joined(leaf: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} && {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} || {r})")),
            inner.clone().prop_map(|c| format!("!({c})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(c, l, r)| format!("({c} ? {l} : {r})")),
        ]
    })
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) ints: Vec<Option<i64>>,
    pub(super) texts: Vec<Option<String>>,
    pub(super) bools: Vec<Option<bool>>,
}

pub(super) fn world() -> impl Strategy<Value = World> {
    let ints =
        proptest::collection::vec(proptest::option::weighted(0.8, prop_oneof![-3_i64..4, Just(i64::MIN)]), INTS.len());
    let texts = proptest::collection::vec(proptest::option::weighted(0.8, "[ab]{0,3}"), TEXTS.len());
    let bools = proptest::collection::vec(proptest::option::weighted(0.8, any::<bool>()), BOOLS.len());
    (ints, texts, bools).prop_map(|(ints, texts, bools)| World { ints, texts, bools })
}

impl World {
    pub(super) fn given(&self, scope: &Scope) -> Given {
        let mut given = Given::default();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                given.0.insert(scope.slot(&format!("event.{name}")).unwrap(), value);
            }
        };
        INTS.iter().zip(&self.ints).for_each(|(name, v)| set(name, v.map(Value::Int)));
        TEXTS.iter().zip(&self.texts).for_each(|(name, v)| set(name, v.as_deref().map(text)));
        BOOLS.iter().zip(&self.bools).for_each(|(name, v)| set(name, v.map(Value::Bool)));
        given
    }

    /// `None` where the interpreter ends in an error.
    fn oracle(&self, source: &str) -> Option<bool> {
        let mut event: std::collections::HashMap<String, CelValue> = std::collections::HashMap::new();
        INTS.iter().zip(&self.ints).for_each(|(n, v)| drop(v.map(|v| event.insert((*n).into(), v.into()))));
        TEXTS.iter().zip(&self.texts).for_each(|(n, v)| drop(v.clone().map(|v| event.insert((*n).into(), v.into()))));
        BOOLS.iter().zip(&self.bools).for_each(|(n, v)| drop(v.map(|v| event.insert((*n).into(), v.into()))));
        let mut context = Context::default();
        context.add_variable_from_value("event", event);
        match Program::compile(source).unwrap().execute(&context) {
            Ok(CelValue::Bool(value)) => Some(value),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(2_000), ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_interpreter(source in condition(), world in world()) {
        let scope = oracle_scope();
        let ours = match truth(&scope, &source, &world.given(&scope)) {
            Truth::True => Some(true),
            Truth::False => Some(false),
            Truth::Unavailable(_) => None,
        };
        prop_assert_eq!(ours, world.oracle(&source), "{} in {:?}", source, world);
    }
}
