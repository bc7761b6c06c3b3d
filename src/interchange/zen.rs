//! Zen, the expression language of JDM: unary tests and literals, read and written.
//!
//! Texts stand in `'…'` or `"…"` and have no escapes. A comma and `or` join tests by or.

use super::literal::Literal;
use super::scan::Scan;
use super::unary::{Order, Range, Setting, Test, TextTest};

/// Functions whose meaning is ours exactly, by one name in both languages.
const TEXT_TESTS: [TextTest; 4] = [TextTest::Contains, TextTest::StartsWith, TextTest::EndsWith, TextTest::Matches];

/// How tests of a cell are joined.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
}

/// Reads a cell of an input column; `Err` says what does not translate.
pub(super) fn read_test(text: &str) -> Result<Test, String> {
    let mut scan = Scan::new(text);
    if scan.is_done() {
        return Ok(Test::Any);
    }
    let mut tests = vec![test(&mut scan)?];
    let mut joins = Vec::new();
    while let Some(join) = join(&mut scan) {
        joins.push(join);
        tests.push(test(&mut scan)?);
    }
    scan.refuse_rest()?;
    if joins.contains(&Join::And) { between(tests, &joins) } else { Test::any_of(tests) }
}

/// Reads a cell of an output column: a literal or a list of literals.
pub(super) fn read_setting(text: &str) -> Result<Setting, String> {
    let mut scan = Scan::new(text);
    if scan.is_done() {
        return Ok(Setting::Default);
    }
    let setting = match scan.eat("[") {
        true => Setting::List(literals(&mut scan)?),
        false => Setting::Value(literal(&mut scan)?),
    };
    scan.refuse_rest()?;
    Ok(setting)
}

fn join(scan: &mut Scan<'_>) -> Option<Join> {
    if scan.eat(",") || scan.eat_word("or") {
        return Some(Join::Or);
    }
    scan.eat_word("and").then_some(Join::And)
}

/// `> 5 and <= 10`: the one use of `and` that a cell of ours can say.
fn between(tests: Vec<Test>, joins: &[Join]) -> Result<Test, String> {
    let why = "`and` translates only between a lower and an upper limit, such as `> 5 and <= 10`";
    let [Join::And] = joins else { return Err(why.to_owned()) };
    let [Test::Compare(a, first), Test::Compare(b, second)] =
        <[Test; 2]>::try_from(tests).map_err(|_| why.to_owned())?
    else {
        return Err(why.to_owned());
    };
    let is_lower = |order| matches!(order, Order::Greater | Order::GreaterOrEqual);
    let (low, low_order, high, high_order) = match (is_lower(a), is_lower(b)) {
        (true, false) => (first, a, second, b),
        (false, true) => (second, b, first, a),
        _ => return Err(why.to_owned()),
    };
    let range = Range::new(low, low_order == Order::GreaterOrEqual, high, high_order == Order::LessOrEqual)?;
    Ok(Test::Within(range))
}

fn test(scan: &mut Scan<'_>) -> Result<Test, String> {
    for test in TEXT_TESTS {
        if scan.eat_call(test.name()) {
            return text_test(scan, test);
        }
    }
    // `$` is the value itself, which every other test means without saying so.
    let names_value = scan.eat("$");
    if scan.eat_words("not in") {
        return member(scan)?.negated();
    }
    if !names_value && scan.eat_word("not") {
        return not(scan);
    }
    if scan.eat_word("in") {
        return member(scan);
    }
    for (symbol, order) in Order::WRITTEN {
        if scan.eat(symbol) {
            return Test::compare(order, literal(scan)?);
        }
    }
    if scan.eat("!=") {
        return Test::OneOf(vec![literal(scan)?]).negated();
    }
    if scan.eat("==") {
        return Ok(Test::OneOf(vec![literal(scan)?]));
    }
    if names_value {
        return Err("`$` translates only before a comparison or as the first argument of a test of texts".to_owned());
    }
    match scan.rest().starts_with(['[', '(']) {
        true => member(scan),
        false => Ok(Test::OneOf(vec![literal(scan)?])),
    }
}

/// What follows `not` where no `in` does: a test of texts.
fn not(scan: &mut Scan<'_>) -> Result<Test, String> {
    for test in TEXT_TESTS {
        if scan.eat_call(test.name()) {
            return text_test(scan, test)?.negated();
        }
    }
    Err("`not` translates only before `in` or a test of texts".to_owned())
}

/// `['a', 'b']` or `[1..10)`.
fn member(scan: &mut Scan<'_>) -> Result<Test, String> {
    let is_interval_only = scan.rest().starts_with('(');
    if !scan.rest().starts_with(['[', '(']) {
        return Err(format!("`{}` is not a list or a range of literals", scan.next_shown()));
    }
    scan.take(1);
    if !is_interval_only && scan.eat("]") {
        return Err("an empty list holds nothing: the row can never match".to_owned());
    }
    let first = literal(scan)?;
    if scan.eat("..") {
        let high = literal(scan)?;
        if !scan.rest().starts_with([']', ')']) {
            return Err("the range is not closed by `]` or `)`".to_owned());
        }
        let high_in = scan.take(1) == "]";
        return Range::new(first, !is_interval_only, high, high_in).map(Test::Within);
    }
    if is_interval_only {
        return Err("parentheses hold a range such as `(1..10]` here".to_owned());
    }
    let mut items = vec![first];
    if scan.eat(",") {
        items.extend(literals(scan)?);
        return Ok(Test::OneOf(items));
    }
    if scan.eat("]") { Ok(Test::OneOf(items)) } else { Err("the list is not closed by `]`".to_owned()) }
}

/// `$, 'x')`
fn text_test(scan: &mut Scan<'_>, test: TextTest) -> Result<Test, String> {
    let only = || format!("`{}` translates only as a test of `$` with one text in quotes", test.name());
    if !scan.eat("$") || !scan.eat(",") {
        return Err(only());
    }
    match literal(scan)? {
        Literal::Text(text) if scan.eat(")") => Ok(Test::Text(test, vec![text])),
        _ => Err(only()),
    }
}

/// Literals separated by commas, up to `]`.
fn literals(scan: &mut Scan<'_>) -> Result<Vec<Literal>, String> {
    let mut items = Vec::new();
    if scan.eat("]") {
        return Ok(items);
    }
    loop {
        items.push(literal(scan)?);
        if scan.eat("]") {
            return Ok(items);
        }
        if !scan.eat(",") {
            return Err("the list is not closed by `]`".to_owned());
        }
    }
}

fn literal(scan: &mut Scan<'_>) -> Result<Literal, String> {
    if let Some(quote) = scan.rest().chars().next().filter(|c| matches!(c, '\'' | '"')) {
        return string(scan, quote).map(Literal::Text);
    }
    if let Some(number) = number(scan)? {
        return Ok(number);
    }
    for (word, value) in [("true", true), ("false", false)] {
        if scan.eat_word(word) {
            return Ok(Literal::Bool(value));
        }
    }
    if scan.eat_word("null") {
        return Err(
            "`null` has no literal here: a value that is missing is unavailable, and no test holds of it".to_owned()
        );
    }
    Err(match scan.is_done() {
        true => "a value is missing".to_owned(),
        false => {
            format!("`{}` is not a literal; names, functions and calculations are not translated", scan.next_shown())
        }
    })
}

fn number(scan: &mut Scan<'_>) -> Result<Option<Literal>, String> {
    let mut ahead = *scan;
    let sign = if ahead.eat("-") { "-" } else { "" };
    if !ahead.rest().starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(None);
    }
    let Some(digits) = ahead.digits(|b| b.is_ascii_digit() || b == b'_') else { return Ok(None) };
    *scan = ahead;
    Literal::number(&format!("{sign}{}", digits.replace('_', ""))).map(Some)
}

fn string(scan: &mut Scan<'_>, quote: char) -> Result<String, String> {
    let Some(end) = scan.rest()[1..].find(quote) else { return Err(format!("a text is not closed by `{quote}`")) };
    let text = scan.take(end + 2);
    Ok(text[1..=end].to_owned())
}

// === writing ===

/// Writes a test as a cell of an input column.
pub(super) fn write_test(test: &Test) -> Result<String, String> {
    match test {
        Test::Any => Ok(String::new()),
        Test::OneOf(items) => write_literals(items, ", "),
        Test::Compare(order, with) => Ok(format!("{} {}", order.symbol(), write_literal(with)?)),
        Test::Within(range) => write_range(range),
        Test::Text(name, args) => write_text_tests(*name, args),
        Test::Not(test) => match &**test {
            Test::OneOf(items) => match items.as_slice() {
                [one] => Ok(format!("!= {}", write_literal(one)?)),
                items => Ok(format!("not in [{}]", write_literals(items, ", ")?)),
            },
            Test::Within(range) => Ok(format!("not in {}", write_range(range)?)),
            Test::Compare(order, with) => Ok(format!("{} {}", order.opposite().symbol(), write_literal(with)?)),
            Test::Text(name, args) if args.len() == 1 => Ok(format!("not {}", write_text_tests(*name, args)?)),
            Test::Text(..) | Test::Any | Test::Not(_) => {
                Err("Zen cannot say `not` of several tests in a cell".to_owned())
            }
        },
    }
}

/// Writes a cell of an output column.
pub(super) fn write_setting(setting: &Setting) -> Result<String, String> {
    match setting {
        Setting::Default => Ok(String::new()),
        Setting::Value(value) => write_literal(value),
        Setting::List(items) => Ok(format!("[{}]", write_literals(items, ", ")?)),
    }
}

fn write_literals(items: &[Literal], between: &str) -> Result<String, String> {
    Ok(items.iter().map(write_literal).collect::<Result<Vec<_>, _>>()?.join(between))
}

fn write_range(range: &Range) -> Result<String, String> {
    write_literal(&range.low)?;
    write_literal(&range.high)?;
    Ok(range.shown(Literal::bare))
}

fn write_text_tests(name: TextTest, args: &[String]) -> Result<String, String> {
    if !TEXT_TESTS.contains(&name) {
        return Err(format!("Zen has no `{}(…)` of the same meaning", name.name()));
    }
    let call = |arg: &String| Ok(format!("{}($, {})", name.name(), write_text(arg)?));
    Ok(args.iter().map(call).collect::<Result<Vec<_>, String>>()?.join(" or "))
}

fn write_literal(literal: &Literal) -> Result<String, String> {
    match literal {
        Literal::Text(text) => write_text(text),
        Literal::Number(_) | Literal::Bool(_) => Ok(literal.bare()),
        Literal::Time(_) | Literal::Duration(_) => {
            Err(format!("Zen has no literal for {} such as `{}`", literal.kind().describe(), literal.bare()))
        }
    }
}

fn write_text(text: &str) -> Result<String, String> {
    match ['\'', '"'].into_iter().find(|quote| !text.contains(*quote)) {
        Some(quote) => Ok(format!("{quote}{text}{quote}")),
        None => Err(format!("Zen cannot write `{text}`, which has both kinds of quotation marks")),
    }
}
