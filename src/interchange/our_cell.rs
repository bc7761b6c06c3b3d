//! The cells of our own tables, read as what they say.
//!
//! Where no playbook declares the column's type, a cell is taken as it is written: `10` is a number, `true` a truth value, `2h`
//! a duration, `2026-01-01T00:00:00Z` a point in time, anything else and everything in quotes a text.

use super::literal::{Kind, Literal, quoted};
use super::unary::{Order, Range, Setting, Test, TextTest, cel_text_back};

/// Reads a cell of an input column; `kind` is what the column's values are declared to be.
pub(super) fn read_test(cell: &str, kind: Option<Kind>) -> Result<Test, String> {
    let cell = cell.trim();
    if cell.is_empty() || cell == "-" {
        return Ok(Test::Any);
    }
    if let Some(inner) = cell.strip_prefix("not(").and_then(|rest| rest.strip_suffix(')')) {
        return read_test(inner, kind)?.negated();
    }
    if cell.strip_prefix("in ").is_some_and(|rest| rest.trim().starts_with("list.")) {
        return Err("a named list has no counterpart in DMN/JDM".to_owned());
    }
    for (name, test) in TextTest::NAMED {
        if let Some(args) =
            cell.strip_prefix(name).and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.strip_suffix(')'))
        {
            return Ok(Test::Text(test, items(args)?.into_iter().map(|item| item.text).collect()));
        }
    }
    for (symbol, order) in Order::WRITTEN {
        if let Some(rest) = cell.strip_prefix(symbol) {
            return Test::compare(order, literal(&Item::new(rest), kind)?);
        }
    }
    if let Some(rest) = cell.strip_prefix("!=") {
        return Test::OneOf(vec![literal(&Item::new(rest), kind)?]).negated();
    }
    if let Some(rest) = cell.strip_prefix("==") {
        return Ok(Test::OneOf(vec![literal(&Item::new(rest), kind)?]));
    }
    if kind.is_none_or(Kind::is_ordered)
        && let Some(range) = range(cell, kind)
    {
        return range.map(Test::Within);
    }
    let items = items(cell)?;
    Ok(Test::OneOf(items.iter().map(|item| literal(item, kind)).collect::<Result<_, _>>()?))
}

/// Reads a cell of an output column.
pub(super) fn read_setting(cell: &str, kind: Option<Kind>) -> Result<Setting, String> {
    let cell = cell.trim();
    if cell.is_empty() {
        return Ok(Setting::Default);
    }
    if let Some(source) = cell.strip_prefix('=') {
        let text = cel_text_back(source).ok_or("an expression does not translate; only literals do")?;
        return Ok(Setting::Value(Literal::Text(text)));
    }
    match kind {
        Some(Kind::List) => {
            let items = cell.split(',').map(|item| Literal::as_written(item.trim()));
            Ok(Setting::List(items.collect::<Result<_, _>>()?))
        }
        Some(kind) => Literal::of_kind(cell, kind).map(Setting::Value),
        None => match Literal::as_written(cell)? {
            Literal::Text(text) if text.contains(',') => Err(format!(
                "`{text}` may be a list or a text; write a text as `={}`, or name the playbook that declares the field",
                quoted(&text)
            )),
            value => Ok(Setting::Value(value)),
        },
    }
}

/// An item of a cell: its text without quotes, and whether it had any.
struct Item {
    text: String,
    is_quoted: bool,
}

impl Item {
    fn new(text: &str) -> Self {
        let text = text.trim();
        let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Self { text: text.to_owned(), is_quoted: false };
        };
        let mut plain = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
        }
        Self { text: plain, is_quoted: true }
    }
}

fn literal(item: &Item, kind: Option<Kind>) -> Result<Literal, String> {
    match kind {
        Some(Kind::List) => Err("tests of lists do not translate".to_owned()),
        Some(kind) => Literal::of_kind(&item.text, kind),
        None if item.is_quoted => Ok(Literal::Text(item.text.clone())),
        None => Literal::as_written(&item.text),
    }
}

/// A range, if the cell is written like one; its ends are of one ordered kind.
///
/// What lacks a bracket (`10..20`) could be a text: it is refused rather than guessed.
fn range(cell: &str, kind: Option<Kind>) -> Option<Result<Range, String>> {
    let (low, high) = cell.split_once("..")?;
    let is_doubtful = |end: &str| !matches!(Literal::as_written(end.trim()), Ok(Literal::Text(_)));
    let is_open = !low.starts_with(['[', '(', ']']) || !high.ends_with([']', ')', '[']);
    if is_open {
        let ends = (low.trim_start_matches(['[', '(', ']']), high.trim_end_matches([']', ')', '[']));
        return (kind.is_none() && is_doubtful(ends.0) && is_doubtful(ends.1)).then(|| {
            Err(format!("`{cell}` may be a range or a text; a range is written `[10..20]`, put a text in quotes"))
        });
    }
    let (low_in, high_in) = (low.starts_with('['), high.ends_with(']'));
    let ends = [&low[1..], &high[..high.len() - 1]].map(|end| literal(&Item::new(end), kind));
    let [low, high] = ends;
    Some(low.and_then(|low| Range::new(low, low_in, high?, high_in)))
}

/// Items separated by commas; a comma inside quotes belongs to its item.
fn items(cell: &str) -> Result<Vec<Item>, String> {
    let (mut items, mut from, mut in_quotes, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in cell.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => {
                items.push(Item::new(&cell[from..at]));
                from = at + 1;
            }
            _ => {}
        }
    }
    if in_quotes {
        return Err("a quote is not closed".to_owned());
    }
    items.push(Item::new(&cell[from..]));
    match items.iter().any(|item| item.text.is_empty() && !item.is_quoted) {
        true => Err("an item of the list is empty".to_owned()),
        false => Ok(items),
    }
}
