//! CEL's own conformance tests, as far as our part of the language goes.
//!
//! The files are not part of this repository. Fetch github.com/google/cel-spec and run
//!
//! ```text
//! FORTHWITH_CEL_CONFORMANCE=cel-spec/tests/simple/testdata cargo test --lib conformance -- --ignored --nocapture
//! ```

mod textproto;

use std::collections::BTreeMap;

use textproto::{Field, Message};

use super::*;
use crate::rules::lower::{Lowering, Operand};
use crate::rules::syntax::parse;
use crate::rules::{Computation, Setting};

/// Tests whose outcome differs on purpose, with the reason. `docs/RULES.md` tells of them.
const DIFFERENT: [(&str, &str); 10] = [
    ("comparisons/eq_literal/not_eq_double_nan", "division by zero is unavailable, there is no NaN"),
    ("comparisons/ne_literal/not_ne_double_nan", "as above"),
    ("comparisons/ne_literal/ne_double_nan", "as above"),
    ("fp_math/fp_math/mul_associative", "each product is rounded at the fourth place"),
    ("timestamps/duration_range/from_string_under", "durations reach 290,000 years, not 10,000"),
    ("timestamps/duration_range/from_string_over", "as above"),
    ("timestamps/duration_range/add_under", "as above"),
    ("timestamps/duration_range/add_over", "as above"),
    ("timestamps/duration_range/sub_under", "as above"),
    ("timestamps/duration_range/sub_over", "as above"),
];

/// How one test went.
enum Verdict {
    Passed,
    /// An error was expected, and ours comes at load.
    RefusedAtLoad,
    Failed(String),
    OutOfScope(String),
}

#[derive(Default)]
struct Tally {
    passed: usize,
    refused: usize,
    failed: Vec<String>,
    out: BTreeMap<String, usize>,
}

#[test]
#[expect(clippy::print_stdout, reason = "who runs this by hand wants to see it")]
#[ignore = "needs the files of the CEL specification; see the top of this file"]
fn agrees_with_the_conformance_tests_of_cel() {
    let folder = std::env::var("FORTHWITH_CEL_CONFORMANCE").expect("the folder with the .textproto files");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "textproto"));
    files.sort();
    let mut unexpected = Vec::new();
    let mut report = String::from(
        "| file | tests | in scope | passed | refused at load | differ | out of scope |\n|---|---|---|---|---|---|---|\n",
    );
    for path in files {
        let file = Message::read(&std::fs::read_to_string(&path).unwrap());
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut tally = Tally::default();
        for section in file.messages("section") {
            for test in section.messages("test") {
                let name = format!("{stem}/{}/{}", section.text("name").unwrap(), test.text("name").unwrap());
                tally.count(&name, test);
            }
        }
        report.push_str(&tally.row(&stem));
        unexpected.extend(
            tally.failed.into_iter().filter(|failure| !DIFFERENT.iter().any(|(name, _)| failure.starts_with(name))),
        );
    }
    println!("{report}");
    assert!(unexpected.is_empty(), "{} differ:\n{}", unexpected.len(), unexpected.join("\n"));
}

impl Tally {
    #[expect(clippy::print_stdout, reason = "who runs this by hand wants to see it")]
    fn count(&mut self, name: &str, test: &Message) {
        let source = test.text("expr").unwrap_or_default();
        let is_verbose = std::env::var("FORTHWITH_CEL_VERBOSE").is_ok();
        match judge(test) {
            Verdict::Passed => self.passed += 1,
            Verdict::RefusedAtLoad => {
                if is_verbose {
                    println!("{name}: refused at load: {source}");
                }
                self.refused += 1;
            }
            Verdict::Failed(how) => self.failed.push(format!("{name}: {how}: {source}")),
            Verdict::OutOfScope(reason) => {
                if is_verbose {
                    println!("{name}: {reason}: {source}");
                }
                *self.out.entry(reason).or_default() += 1;
            }
        }
    }

    fn row(&self, file: &str) -> String {
        let out: usize = self.out.values().sum();
        let inside = self.passed + self.refused + self.failed.len();
        let mut reasons: Vec<(&String, &usize)> = self.out.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let reasons: Vec<String> = reasons.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        format!(
            "| `{file}` | {} | {inside} | {} | {} | {} | {} |\n",
            inside + out,
            self.passed,
            self.refused,
            self.failed.len(),
            if out == 0 { String::new() } else { reasons.join(", ") }
        )
    }
}

fn judge(test: &Message) -> Verdict {
    let source = test.text("expr").unwrap_or_default();
    if test.get("check_only").is_some() || test.get("unknown").is_some() || test.get("any_unknowns").is_some() {
        return Verdict::OutOfScope("of types alone".to_owned());
    }
    if has_unsigned(&source) {
        return Verdict::OutOfScope("unsigned".to_owned());
    }
    if test.get("container").is_some() {
        return Verdict::OutOfScope("containers".to_owned());
    }
    let mut scope = Scope::default();
    let given = match bindings(test, &mut scope) {
        Ok(given) => given,
        Err(reason) => return Verdict::OutOfScope(reason),
    };
    let is_error = test.get("eval_error").is_some() || test.get("any_eval_errors").is_some();
    let expected = match expected(test) {
        _ if is_error => None,
        Ok(expected) => Some(expected),
        Err(reason) => return Verdict::OutOfScope(reason),
    };
    match (evaluated(&source, &scope, &given), expected) {
        (Err(fault), None) if unsupported(&fault).is_none() => Verdict::RefusedAtLoad,
        (Err(fault), _) => match unsupported(&fault) {
            Some(reason) => Verdict::OutOfScope(reason),
            None => Verdict::Failed(fault),
        },
        (Ok(Err(_)), None) => Verdict::Passed,
        (Ok(Ok(found)), Some(expected)) if equal(&found, &expected) => Verdict::Passed,
        (Ok(found), expected) => Verdict::Failed(format!("{found:?}, expected {expected:?}")),
    }
}

/// Whether there is an unsigned literal outside of texts, roughly.
fn has_unsigned(source: &str) -> bool {
    let bytes = source.as_bytes();
    (1..bytes.len()).any(|at| {
        let ends = bytes.get(at + 1).is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'\'' && *b != b'"');
        matches!(bytes[at], b'u' | b'U') && bytes[at - 1].is_ascii_hexdigit() && bytes[at - 1].is_ascii_digit() && ends
    }) || source.contains("uint(")
}

/// What the expression gives, or the fault at load.
fn evaluated(source: &str, scope: &Scope, given: &Given) -> Result<Result<Value, Unavailable>, String> {
    let first = |faults: Vec<crate::rules::ExprFault>| faults[0].message.clone();
    let root = parse(source).map_err(first)?;
    let mut texts = TextIndexBuilder::default();
    let mut lowering = Lowering::new(scope, &mut texts);
    let operand = lowering.operand(&root);
    let ty = match operand {
        Some(Operand::Condition(_)) => Some(Type::Bool),
        Some(operand) => lowering.value(&root, operand).map(|(_, ty)| ty),
        None => None,
    };
    let Some(ty) = ty else { return Err(lowering.faults[0].message.clone()) };
    let mut texts = TextIndexBuilder::default();
    let computation = Computation::compile(source, &ty, scope, &mut texts).map_err(first)?;
    let then = Then::new(vec![Some(Setting::Computed(Box::new(computation)))]);
    let set = rule_set(vec![Rule { then, ..rule("always", Condition::and(Vec::new())) }], texts);
    let mut scratch = Scratch::default();
    let judgement = set.judge(given, &mut scratch);
    let values = set.said(&judgement, given, &mut scratch);
    Ok(values.map(|mut values| values.remove(0).unwrap()).map_err(|miss| miss.reason))
}

/// Why an expression is beyond our part of the language, if that is why it was refused.
fn unsupported(fault: &str) -> Option<String> {
    let reasons = [
        ("there is no null", "null"),
        ("unsupported syntax: '`'", "maps, messages"),
        ("must be a simple name", "further macros"),
        ("`in []`", "empty lists"),
        ("already means something", "names that hide others"),
        ("expected a condition", "unchecked types"),
        ("cannot join list", "lists joined by `+`"),
        ("is not a date and time", "times finer than a microsecond"),
        ("maps and messages", "maps, messages"),
        ("has no fields", "maps, messages"),
        ("two parts", "maps, messages"),
        ("bytes are not", "bytes"),
        ("cannot be used exactly", "doubles beyond four places"),
        ("cannot be compared or joined", "values of several types"),
        ("of one type", "values of several types"),
        ("cannot join", "values of several types"),
        ("an empty list", "empty lists"),
        ("what these lists would hold", "empty lists"),
        ("named zones", "named time zones"),
        ("nested more than", "nesting"),
        ("recursion", "nesting"),
        ("`[?…]`", "optionals"),
        ("optional", "optionals"),
        ("`.?`", "optionals"),
        ("this form is not supported", "optionals"),
        ("two-variable", "further macros"),
        ("is not a duration", "durations such as 1.5h"),
        ("literal", "what must be literal"),
    ];
    if let Some((_, name)) = fault.split_once("unknown function `") {
        let name = name.split('`').next().unwrap_or_default();
        return Some(match name {
            "type" | "dyn" | "bytes" | "double" | "bool" => format!("`{name}()`"),
            _ => "further functions".to_owned(),
        });
    }
    if let Some((_, name)) = fault.split_once("unknown name `") {
        let name = name.split('`').next().unwrap_or_default();
        let is_type = ["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"];
        if ["cel", "optional", "strings", "net", "base64"].contains(&name) {
            return Some("further functions".to_owned());
        }
        return Some(if is_type.contains(&name) { "types as values".to_owned() } else { "further names".to_owned() });
    }
    reasons.iter().find(|(part, _)| fault.contains(part)).map(|(_, reason)| (*reason).to_owned())
}

/// Declares the names of a test and gives their values; or says what makes it out of scope.
fn bindings(test: &Message, scope: &mut Scope) -> Result<Given, String> {
    let mut given = Given::default();
    for binding in test.messages("bindings") {
        let value = binding.message("value").and_then(|value| value.message("value"));
        let (ty, value) = typed(value.ok_or("unknowns")?)?;
        given.0.insert(scope.declare(&binding.text("key").unwrap_or_default(), ty), value);
    }
    for declared in test.messages("type_env") {
        let name = declared.text("name").unwrap_or_default();
        if scope.slot(&name).is_some() {
            continue;
        }
        let ty = declared.message("ident").and_then(|ident| ident.message("type"));
        match ty.and_then(|ty| ty.text("primitive")).as_deref() {
            Some("INT64") => scope.declare(&name, Type::Int),
            Some("STRING") => scope.declare(&name, Type::Text),
            Some("BOOL") => scope.declare(&name, Type::Bool),
            _ => return Err("maps, messages".to_owned()),
        };
    }
    Ok(given)
}

fn expected(test: &Message) -> Result<Value, String> {
    match test.message("value").or_else(|| test.message("typed_result").and_then(|typed| typed.message("result"))) {
        Some(value) => typed(value).map(|(_, value)| value),
        None => Ok(Value::Bool(true)),
    }
}

/// A value of the suite as one of ours.
fn typed(value: &Message) -> Result<(Type, Value), String> {
    let Some((kind, field)) = value.fields().next() else { return Err("null".to_owned()) };
    let word = field.text();
    Ok(match kind {
        "bool_value" => (Type::Bool, Value::Bool(word == "true")),
        "int64_value" => (Type::Int, Value::Int(word.parse().map_err(|_| "ints beyond 64 bits")?)),
        "string_value" => (Type::Text, Value::Text(word.into())),
        "double_value" => {
            let number: f64 = word.parse().map_err(|_| "doubles beyond four places")?;
            let decimal = Decimal::from_f64(number).map_err(|_| "doubles beyond four places")?;
            (Type::Decimal, Value::Decimal(decimal))
        }
        "list_value" => {
            let items = field.message().unwrap().messages("values").map(typed).collect::<Result<Vec<_>, _>>()?;
            let of = items.first().map_or(Type::Int, |(ty, _)| ty.clone());
            if items.iter().any(|(ty, _)| *ty != of) {
                return Err("values of several types".to_owned());
            }
            (Type::List(Box::new(of)), Value::List(items.into_iter().map(|(_, value)| value).collect()))
        }
        "object_value" => object(field.message().unwrap())?,
        "uint64_value" => return Err("unsigned".to_owned()),
        "bytes_value" => return Err("bytes".to_owned()),
        "null_value" => return Err("null".to_owned()),
        "type_value" => return Err("types as values".to_owned()),
        _ => return Err("maps, messages".to_owned()),
    })
}

fn object(any: &Message) -> Result<(Type, Value), String> {
    let number =
        |message: &Message, name| message.get(name).map_or(0, |field: &Field| field.text().parse::<i64>().unwrap());
    let micros =
        |message: &Message| number(message, "seconds") * 1_000_000 + number(message, "nanos").div_euclid(1_000);
    match any.fields().next() {
        Some((url, Field::Message(of))) if url.ends_with("google.protobuf.Timestamp") => {
            Ok((Type::Time, Value::Time(Timestamp::from_micros(micros(of)))))
        }
        Some((url, Field::Message(of))) if url.ends_with("google.protobuf.Duration") => {
            Ok((Type::Duration, Value::Duration(TimeDelta::from_micros(micros(of)))))
        }
        _ => Err("maps, messages".to_owned()),
    }
}

/// Equal, a whole decimal being the int.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Decimal(l), Value::Int(r)) | (Value::Int(r), Value::Decimal(l)) => l.to_int() == Some(*r),
        (Value::List(l), Value::List(r)) => l.len() == r.len() && l.iter().zip(r).all(|(l, r)| equal(l, r)),
        (l, r) => l == r,
    }
}
