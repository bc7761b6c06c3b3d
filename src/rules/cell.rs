//! The cells of a decision table's input columns: unary tests in the manner of DMN, turned into CEL.

use crate::domain::{Type, Value};

/// Turns a cell into a CEL condition on `path`; `None` for a cell that any value satisfies.
///
/// | cell | meaning |
/// |---|---|
/// | empty, `-` | any value, also none |
/// | `email` or `"email"` | equal |
/// | `email, chat` | one of these |
/// | `>= 100`, `< 2h` | compared |
/// | `[10..20)` | within, ends in or out |
/// | `in list.NAME` | one of a named list |
/// | `not(email, chat)` | none of these |
/// | `mentions("refund*", "money back")`, `contains("x")`, `startsWith`, `endsWith`, `matches` | texts |
pub(super) fn to_cel(path: &str, ty: &Type, cell: &str) -> Result<Option<String>, String> {
    let cell = cell.trim();
    if cell.is_empty() || cell == "-" {
        return Ok(None);
    }
    if let Some(inner) = cell.strip_prefix("not(").and_then(|rest| rest.strip_suffix(')')) {
        return match to_cel(path, ty, inner)? {
            Some(test) => Ok(Some(format!("!({test})"))),
            None => Err("`not(…)` needs something to exclude".to_owned()),
        };
    }
    if let Some(name) = cell.strip_prefix("in ").and_then(|rest| rest.trim().strip_prefix("list.")) {
        return named_list(path, ty, name).map(Some);
    }
    if let Some(test) = text_test(path, ty, cell)? {
        return Ok(Some(test));
    }
    if let Some(test) = ordered_test(path, ty, cell)? {
        return Ok(Some(test));
    }
    membership(path, ty, cell).map(Some)
}

fn named_list(path: &str, ty: &Type, name: &str) -> Result<String, String> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err("a named list is tested as `in list.NAME`".to_owned());
    }
    match ty {
        Type::List(_) => Ok(format!("{path}.exists(item, item in list.{name})")),
        _ => Ok(format!("{path} in list.{name}")),
    }
}

fn text_test(path: &str, ty: &Type, cell: &str) -> Result<Option<String>, String> {
    const FUNCTIONS: [&str; 5] = ["contains", "startsWith", "endsWith", "matches", "mentions"];
    let Some((name, rest)) = cell.split_once('(') else { return Ok(None) };
    let (Some(name), Some(args)) = (FUNCTIONS.iter().find(|known| **known == name), rest.strip_suffix(')')) else {
        return Ok(None);
    };
    if !matches!(ty, Type::Text) {
        return Err(format!("`{name}(…)` tests texts, and {path} is {}", ty.name()));
    }
    let args: Vec<String> = split_list(args)?.into_iter().map(|arg| quoted(&arg)).collect();
    if args.is_empty() {
        return Err(format!("`{name}(…)` needs a text to look for"));
    }
    if *name == "mentions" {
        return Ok(Some(format!("{path}.mentions({})", args.join(", "))));
    }
    let tests: Vec<String> = args.into_iter().map(|arg| format!("{path}.{name}({arg})")).collect();
    Ok(Some(tests.join(" || ")))
}

fn ordered_test(path: &str, ty: &Type, cell: &str) -> Result<Option<String>, String> {
    for op in [">=", "<=", "!=", ">", "<", "=="] {
        if let Some(rest) = cell.strip_prefix(op) {
            return Ok(Some(format!("{path} {op} {}", literal(ty, &unquoted(rest.trim()))?)));
        }
    }
    let Some((low, high)) = cell.split_once("..") else { return Ok(None) };
    if !matches!(ty, Type::Int | Type::Decimal | Type::Time | Type::Duration) {
        return Ok(None);
    }
    let low_op = match low.chars().next() {
        Some('[') => ">=",
        Some('(' | ']') => ">",
        _ => return Err("a range is written `[10..20]`, with `(` or `)` for an end that is out".to_owned()),
    };
    let high_op = match high.chars().next_back() {
        Some(']') => "<=",
        Some(')' | '[') => "<",
        _ => return Err("a range is written `[10..20]`, with `(` or `)` for an end that is out".to_owned()),
    };
    let end = |text: &str| literal(ty, &unquoted(text.trim()));
    let (low, high) = (end(&low[1..])?, end(&high[..high.len() - 1])?);
    Ok(Some(format!("{path} {low_op} {low} && {path} {high_op} {high}")))
}

fn membership(path: &str, ty: &Type, cell: &str) -> Result<String, String> {
    let items = split_list(cell)?;
    if let Type::List(of) = ty {
        let tests = items.iter().map(|item| literal(of, item).map(|item| format!("{item} in {path}")));
        return Ok(tests.collect::<Result<Vec<_>, _>>()?.join(" || "));
    }
    let items = items.iter().map(|item| literal(ty, item)).collect::<Result<Vec<_>, _>>()?;
    match items.as_slice() {
        [one] => Ok(format!("{path} == {one}")),
        many => Ok(format!("{path} in [{}]", many.join(", "))),
    }
}

/// A literal of the type, in CEL; its text has no quotes of the cell any more.
fn literal(ty: &Type, text: &str) -> Result<String, String> {
    let value = ty.parse(text).map_err(|e| e.to_string())?;
    Ok(match (ty, value) {
        (Type::Time, Value::Time(time)) => format!("timestamp({})", quoted(&time.to_string())),
        (Type::Duration, Value::Duration(delta)) => format!("duration({})", quoted(&delta.to_string())),
        (Type::Decimal, Value::Decimal(decimal)) => match decimal.to_int() {
            Some(whole) => whole.to_string(),
            None => decimal.to_string(),
        },
        (_, Value::Int(v)) => v.to_string(),
        (_, Value::Bool(v)) => v.to_string(),
        _ => quoted(text),
    })
}

/// Items separated by commas; a comma inside quotes belongs to its item.
fn split_list(cell: &str) -> Result<Vec<String>, String> {
    let mut items = Vec::new();
    let mut item = String::new();
    let mut in_quotes = false;
    let mut escaped = false;
    for c in cell.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => {
                items.push(std::mem::take(&mut item));
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    if in_quotes {
        return Err(format!("a quote in `{cell}` is not closed"));
    }
    items.push(item);
    if items.iter().any(|item| item.trim().is_empty()) {
        return Err(format!("an item of the list `{cell}` is empty"));
    }
    Ok(items.into_iter().map(|item| unquoted(item.trim())).collect())
}

/// The text without its quotes and escapes, if it has any.
fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return text.to_owned() };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    plain
}

/// The text as a CEL literal.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::Enumeration;

    fn cel(ty: &Type, cell: &str) -> String {
        match to_cel("x", ty, cell) {
            Ok(test) => test.unwrap_or_else(|| "any".to_owned()),
            Err(fault) => format!("fault: {fault}"),
        }
    }

    #[test]
    fn reads_the_tests_of_decision_tables() {
        let channel = Type::OneOf(Arc::new(Enumeration::new(vec!["email".into(), "chat".into()]).unwrap()));
        let list = Type::List(Box::new(Type::Text));
        for (ty, cell, expected) in [
            (&Type::Int, "", "any"),
            (&Type::Text, " - ", "any"),
            (&channel, "email", r#"x == "email""#),
            (&channel, "email, chat", r#"x in ["email", "chat"]"#),
            (&channel, "not(email)", r#"!(x == "email")"#),
            (&channel, "emial", "fault: expected one of `email`, `chat`, found `\"emial\"` (did you mean `email`?)"),
            (&Type::Text, r#""a, b", c"#, r#"x in ["a, b", "c"]"#),
            (&Type::Text, r#""say \"hi\"""#, r#"x == "say \"hi\"""#),
            (&Type::Text, r#""\"so\"""#, r#"x == "\"so\"""#),
            (&Type::Text, r#"!= "\"so\"""#, r#"x != "\"so\"""#),
            (&Type::Text, r#""\"\"", "a""#, r#"x in ["\"\"", "a"]"#),
            (&list, r#""\"so\"", b"#, r#""\"so\"" in x || "b" in x"#),
            (&Type::Int, r#""1", 2"#, "x in [1, 2]"),
            (&Type::Text, "mentions(refund*, \"money back\")", r#"x.mentions("refund*", "money back")"#),
            (&Type::Text, "contains(a, b)", r#"x.contains("a") || x.contains("b")"#),
            (&Type::Int, "contains(a)", "fault: `contains(…)` tests texts, and x is int"),
            (&Type::Text, "in list.blocked", "x in list.blocked"),
            (&Type::Text, "not(in list.blocked)", "!(x in list.blocked)"),
            (&list, "in list.blocked", "x.exists(item, item in list.blocked)"),
            (&Type::Text, "in list.a || true", "fault: a named list is tested as `in list.NAME`"),
            (&Type::Text, "\"in list.blocked\"", "x == \"in list.blocked\""),
            (&Type::Int, ">= 5", "x >= 5"),
            (&Type::Decimal, "< 10.50", "x < 10.5"),
            (&Type::Decimal, "[10..20)", "x >= 10 && x < 20"),
            (&Type::Decimal, "10..20", "fault: a range is written `[10..20]`, with `(` or `)` for an end that is out"),
            (&Type::Duration, "> 2h", r#"x > duration("2h")"#),
            (&Type::Time, ">= 2026-01-01T00:00:00Z", r#"x >= timestamp("2026-01-01T00:00:00Z")"#),
            (&Type::Bool, "true", "x == true"),
            (&Type::Bool, "yes", "fault: expected true or false, found `\"yes\"`"),
            (&Type::Int, "1, 2", "x in [1, 2]"),
            (&Type::Int, "1,,2", "fault: an item of the list `1,,2` is empty"),
            (&list, "a, b", r#""a" in x || "b" in x"#),
            (&Type::Text, r#""open"#, r#"fault: a quote in `"open` is not closed"#),
        ] {
            assert_eq!(cel(ty, cell), expected, "{cell}");
        }
    }
}
