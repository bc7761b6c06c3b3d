//! Differential test: our evaluator against the interpreter of the `cel` crate, on random conditions and values.
//!
//! The oracle knows neither our exact decimals nor our three truth values by name, so the conditions stay within what both
//! have: 64-bit integers, texts, booleans, and names that are missing (an error there, unavailable here).

use std::sync::LazyLock;

use cel::{Context, Env, Value as CelValue, extensions};
use proptest::prelude::*;

use super::*;

const INTS: [&str; 3] = ["a", "b", "c"];
const TEXTS: [&str; 2] = ["s", "t"];
const BOOLS: [&str; 2] = ["p", "q"];
const INT_LISTS: [&str; 2] = ["xs", "ys"];
const TEXT_LISTS: [&str; 1] = ["ts"];

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    env.add_extension(extensions::strings).unwrap();
    env.add_extension(extensions::math).unwrap();
    Arc::new(env)
});

pub(super) fn oracle_scope() -> Scope {
    let mut scope = Scope::default();
    for (names, ty) in [
        (&INTS[..], Type::Int),
        (&TEXTS[..], Type::Text),
        (&BOOLS[..], Type::Bool),
        (&INT_LISTS[..], Type::List(Box::new(Type::Int))),
        (&TEXT_LISTS[..], Type::List(Box::new(Type::Text))),
    ] {
        for name in names {
            let length_max = if matches!(&ty, Type::List(of) if **of == Type::Text) { 64 } else { 8 };
            scope.declare_bounded(&format!("event.{name}"), ty.clone(), length_max);
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
        (text_leaf(), text_leaf(), -1_i64..4).prop_map(|(t, x, from)| format!("{t}.indexOf({x}, {from})")),
        (text_leaf(), text_leaf()).prop_map(|(t, x)| format!("{t}.lastIndexOf({x})")),
        (text_leaf(), text_leaf(), -1_i64..4).prop_map(|(t, x, from)| format!("{t}.lastIndexOf({x}, {from})")),
        (int_list(), -1_i64..4).prop_map(|(list, at)| format!("{list}[{at}]")),
        int_list().prop_map(|list| format!("size({list})")),
        "[0-9x+-]{0,3}".prop_map(|t| format!("int('{t}')")),
    ];
    leaf.prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (proptest::sample::select(&["greatest", "least"][..]), inner.clone(), inner.clone())
                .prop_map(|(f, l, r)| format!("math.{f}({l}, {r})")),
            inner.clone().prop_map(|n| format!("math.abs({n})")),
            (inner.clone(), proptest::sample::select(&["+", "-", "*", "/", "%"][..]), inner.clone())
                .prop_map(|(l, op, r)| format!("({l} {op} {r})")),
            (inner.clone(), inner).prop_map(|(l, r)| format!("(event.p ? {l} : {r})")),
        ]
    })
}

fn text_leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{0,3}".prop_map(|t| format!("'{t}'")),
        proptest::sample::select(&TEXTS[..]).prop_map(|n| format!("event.{n}")),
    ]
}

/// Lists of ints: of the event, literal, and made of others. A literal list has no name in it: there, one that is missing
/// makes the whole list an error to the interpreter, and only that item unavailable here.
fn int_list() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        proptest::sample::select(&INT_LISTS[..]).prop_map(|n| format!("event.{n}")),
        proptest::collection::vec(-2_i64..3, 1..4).prop_map(|list| format!("{list:?}")),
    ];
    leaf.prop_recursive(2, 4, 1, |inner| {
        prop_oneof![
            (inner.clone(), item_test(), 0_usize..100).prop_map(|(list, test, n)| over(&list, "filter", &test, n)),
            (inner.clone(), item(), 0_usize..100).prop_map(|(list, item, n)| over(&list, "map", &item, n)),
            (inner, item_test(), item(), 0_usize..100)
                .prop_map(|(list, test, item, n)| { over(&list, "map", &format!("{test}, {item}"), n) }),
        ]
    })
}

/// A loop: `#` in what is asked of the item stands for its name.
fn over(list: &str, name: &str, asked: &str, number: usize) -> String {
    let variable = format!("v{number}");
    format!("{list}.{name}({variable}, {})", asked.replace('#', &variable))
}

fn item() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("# + 1".to_owned()),
        Just("# * event.a".to_owned()),
        Just("6 / #".to_owned()),
        Just("event.p ? # : event.b".to_owned()),
    ]
}

fn item_test() -> impl Strategy<Value = String> {
    prop_oneof![
        (-2_i64..3).prop_map(|n| format!("# > {n}")),
        (-2_i64..3).prop_map(|n| format!("# % 2 == {n}")),
        Just("# == event.a".to_owned()),
        Just("6 / # > 2".to_owned()),
        Just("# in event.ys".to_owned()),
        Just("event.p || # == 0".to_owned()),
        Just("event.q && event.xs.exists(w, w > #)".to_owned()),
        Just("[0, 1].all(w, event.ys.exists_one(u, u == w + #))".to_owned()),
    ]
}

fn text_list() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("event.ts".to_owned()),
        (text_leaf(), text_leaf()).prop_map(|(t, x)| format!("{t}.split({x})")),
        (text_leaf(), text_leaf(), -1_i64..4).prop_map(|(t, x, n)| format!("{t}.split({x}, {n})")),
        (0_usize..100).prop_map(|n| over("event.ts", "map", "# + event.s", n)),
        (0_usize..100).prop_map(|n| over("event.ts", "filter", "size(#) > 1", n)),
    ]
}

fn string() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[ab]{0,2}".prop_map(|t| format!("'{t}'")),
        proptest::sample::select(&TEXTS[..]).prop_map(|n| format!("event.{n}")),
        (text_leaf(), -1_i64..4).prop_map(|(t, at)| format!("{t}.charAt({at})")),
        (text_leaf(), -1_i64..4).prop_map(|(t, from)| format!("{t}.substring({from})")),
        (text_leaf(), 0_i64..3, 0_i64..4).prop_map(|(t, from, to)| format!("{t}.substring({from}, {to})")),
        (text_leaf(), text_leaf(), text_leaf()).prop_map(|(t, x, y)| format!("{t}.replace({x}, {y})")),
        (text_leaf(), text_leaf(), text_leaf(), -1_i64..3)
            .prop_map(|(t, x, y, n)| format!("{t}.replace({x}, {y}, {n})")),
        (text_list(), text_leaf()).prop_map(|(list, x)| format!("{list}.join({x})")),
        proptest::sample::select(&INTS[..]).prop_map(|n| format!("string(event.{n})")),
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
        (number(), int_list()).prop_map(|(n, list)| format!("{n} in {list}")),
        (string(), text_list()).prop_map(|(s, list)| format!("{s} in {list}")),
        (int_list(), proptest::sample::select(&["all", "exists", "exists_one"][..]), item_test(), 0_usize..100)
            .prop_map(|(list, name, test, n)| over(&list, name, &test, n)),
        (text_list(), proptest::sample::select(&["all", "exists", "exists_one"][..]), 0_usize..100)
            .prop_map(|(list, name, n)| over(&list, name, "# == event.s || size(#) > 1", n)),
        (int_list(), proptest::sample::select(&["==", "!="][..]), int_list())
            .prop_map(|(l, op, r)| format!("{l} {op} {r}")),
        (string(), "[ab]{0,2}", "[ab]{0,2}").prop_map(|(s, x, y)| format!("{s} in ['{x}', '{y}']")),
        proptest::sample::select(&["a", "s", "p", "xs"][..]).prop_map(|n| format!("has(event.{n})")),
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
    pub(super) int_lists: Vec<Option<Vec<i64>>>,
    pub(super) text_lists: Vec<Option<Vec<String>>>,
}

pub(super) fn world() -> impl Strategy<Value = World> {
    let ints =
        proptest::collection::vec(proptest::option::weighted(0.8, prop_oneof![-3_i64..4, Just(i64::MIN)]), INTS.len());
    let texts = proptest::collection::vec(proptest::option::weighted(0.8, "[ab]{0,3}"), TEXTS.len());
    let bools = proptest::collection::vec(proptest::option::weighted(0.8, any::<bool>()), BOOLS.len());
    let int_list = proptest::collection::vec(-2_i64..4, 0..4);
    let int_lists = proptest::collection::vec(proptest::option::weighted(0.8, int_list), INT_LISTS.len());
    let text_list = proptest::collection::vec("[ab]{0,2}", 0..4);
    let text_lists = proptest::collection::vec(proptest::option::weighted(0.8, text_list), TEXT_LISTS.len());
    (ints, texts, bools, int_lists, text_lists).prop_map(|(ints, texts, bools, int_lists, text_lists)| World {
        ints,
        texts,
        bools,
        int_lists,
        text_lists,
    })
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
        let list = |items: &Vec<i64>| Value::List(items.iter().map(|n| Value::Int(*n)).collect());
        INT_LISTS.iter().zip(&self.int_lists).for_each(|(name, v)| set(name, v.as_ref().map(list)));
        let list = |items: &Vec<String>| Value::List(items.iter().map(|t| text(t)).collect());
        TEXT_LISTS.iter().zip(&self.text_lists).for_each(|(name, v)| set(name, v.as_ref().map(list)));
        given
    }

    /// `None` where the interpreter ends in an error.
    fn oracle(&self, source: &str) -> Option<bool> {
        let mut event: std::collections::HashMap<String, CelValue> = std::collections::HashMap::new();
        INTS.iter().zip(&self.ints).for_each(|(n, v)| drop(v.map(|v| event.insert((*n).into(), v.into()))));
        TEXTS.iter().zip(&self.texts).for_each(|(n, v)| drop(v.clone().map(|v| event.insert((*n).into(), v.into()))));
        BOOLS.iter().zip(&self.bools).for_each(|(n, v)| drop(v.map(|v| event.insert((*n).into(), v.into()))));
        let lists = INT_LISTS.iter().zip(&self.int_lists);
        lists.for_each(|(n, v)| drop(v.clone().map(|v| event.insert((*n).into(), v.into()))));
        let lists = TEXT_LISTS.iter().zip(&self.text_lists);
        lists.for_each(|(n, v)| drop(v.clone().map(|v| event.insert((*n).into(), v.into()))));
        let program = ENV.compile(source).unwrap();
        let mut context = Context::with_env(Arc::clone(&ENV));
        context.add_variable_from_value("event", event);
        match program.execute(&context) {
            Ok(CelValue::Bool(value)) => Some(value),
            _ => None,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(1_000), max_global_rejects: u32::MAX, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_interpreter(source in condition(), world in world()) {
        let scope = oracle_scope();
        let compiled = Condition::compile(&source, &scope, &mut TextIndexBuilder::default());
        // A few of them cost more than is allowed; those are not asked.
        prop_assume!(!matches!(&compiled, Err(faults) if faults[0].message.starts_with("may take")));
        let ours = match truth(&scope, &source, &world.given(&scope)) {
            Truth::True => Some(true),
            Truth::False => Some(false),
            Truth::Unavailable(_) => None,
        };
        prop_assert_eq!(ours, world.oracle(&source), "{} in {:?}", source, world);
    }
}
