//! FEEL, the expression language of DMN: literal unary tests and literals, read and written.

use super::literal::{Literal, zoned_time};
use super::scan::Scan;
use super::unary::{Order, Range, Setting, Test, TextTest};
use super::zone::Zone;
use crate::domain::TimeDelta;

/// Functions over `?` whose meaning is ours exactly. `matches` is not among them: its patterns are XPath's.
const TEXT_TESTS: [(&str, TextTest); 3] =
    [("contains", TextTest::Contains), ("starts with", TextTest::StartsWith), ("ends with", TextTest::EndsWith)];

/// Reads unary tests; `Err` says what does not translate.
pub(super) fn read_test(text: &str, zone: Option<&Zone>) -> Result<Test, String> {
    let mut scan = Scan::new(text);
    // Modelling tools leave a cell empty where the specification writes `-`.
    if scan.is_done() || scan.rest() == "-" {
        return Ok(Test::Any);
    }
    if scan.eat_call("not") {
        let test = tests(&mut scan, zone)?;
        if !scan.eat(")") {
            return Err(not_closed(&scan, ")"));
        }
        scan.refuse_rest()?;
        return test.negated();
    }
    let test = tests(&mut scan, zone)?;
    scan.refuse_rest()?;
    Ok(test)
}

/// Reads an output entry: a literal or a list of literals.
pub(super) fn read_setting(text: &str, zone: Option<&Zone>) -> Result<Setting, String> {
    let mut scan = Scan::new(text);
    if scan.is_done() || scan.rest() == "-" {
        return Err("an empty output is `null` in DMN; here an output is a value".to_owned());
    }
    let setting = if scan.eat("[") {
        let items = literals(&mut scan, "]", zone)?;
        Setting::List(items)
    } else {
        Setting::Value(literal(&mut scan, zone)?)
    };
    scan.refuse_rest()?;
    Ok(setting)
}

/// Reads a list of literals such as `"gold", "silver"`, as input and output values are.
pub(super) fn read_values(text: &str, zone: Option<&Zone>) -> Result<Vec<Literal>, String> {
    let mut scan = Scan::new(text);
    let values = literals(&mut scan, "", zone)?;
    scan.refuse_rest()?;
    Ok(values)
}

/// Literals separated by commas, up to `close`.
fn literals(scan: &mut Scan<'_>, close: &str, zone: Option<&Zone>) -> Result<Vec<Literal>, String> {
    let mut items = Vec::new();
    if !close.is_empty() && scan.eat(close) {
        return Ok(items);
    }
    loop {
        items.push(literal(scan, zone)?);
        if !scan.eat(",") {
            break;
        }
    }
    if close.is_empty() || scan.eat(close) { Ok(items) } else { Err(not_closed(scan, close)) }
}

fn not_closed(scan: &Scan<'_>, close: &str) -> String {
    match scan.is_done() {
        true => format!("`{close}` is missing"),
        false => format!("`{}` after a value is not translated", scan.next_shown()),
    }
}

fn tests(scan: &mut Scan<'_>, zone: Option<&Zone>) -> Result<Test, String> {
    let mut tests = vec![test(scan, zone)?];
    while scan.eat(",") {
        tests.push(test(scan, zone)?);
    }
    Test::any_of(tests)
}

fn test(scan: &mut Scan<'_>, zone: Option<&Zone>) -> Result<Test, String> {
    for (symbol, order) in Order::WRITTEN {
        if scan.eat(symbol) {
            return Test::compare(order, literal(scan, zone)?);
        }
    }
    if scan.eat("!=") {
        return Test::OneOf(vec![literal(scan, zone)?]).negated();
    }
    if scan.eat("=") {
        return Ok(Test::OneOf(vec![literal(scan, zone)?]));
    }
    if scan.rest().starts_with(['[', '(', ']']) {
        return range(scan, zone);
    }
    for (name, test) in TEXT_TESTS {
        if scan.eat_call(name) {
            return text_test(scan, test);
        }
    }
    Ok(Test::OneOf(vec![literal(scan, zone)?]))
}

/// `?, "x")`
fn text_test(scan: &mut Scan<'_>, test: TextTest) -> Result<Test, String> {
    let only = || format!("`{}` translates only as a test of `?` with one text in quotes", test.name());
    if !scan.eat("?") || !scan.eat(",") || !scan.rest().starts_with('"') {
        return Err(only());
    }
    let text = string(scan)?;
    if scan.eat(")") { Ok(Test::Text(test, vec![text])) } else { Err(only()) }
}

fn range(scan: &mut Scan<'_>, zone: Option<&Zone>) -> Result<Test, String> {
    let low_in = scan.take(1) == "[";
    let low = literal(scan, zone)?;
    if !scan.eat("..") {
        return Err("brackets hold a range such as `[1..10]` here".to_owned());
    }
    let high = literal(scan, zone)?;
    if !scan.rest().starts_with([']', ')', '[']) {
        return Err("the range is not closed".to_owned());
    }
    let high_in = scan.take(1) == "]";
    Range::new(low, low_in, high, high_in).map(Test::Within)
}

fn literal(scan: &mut Scan<'_>, zone: Option<&Zone>) -> Result<Literal, String> {
    if scan.rest().starts_with('"') {
        return string(scan).map(Literal::Text);
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
    if scan.eat("@") && scan.rest().starts_with('"') {
        return temporal(&string(scan)?, zone);
    }
    for (name, read) in [
        ("date and time", date_and_time as fn(&str, Option<&Zone>) -> Result<Literal, String>),
        ("date", date),
        ("duration", |text, _| duration(text)),
        ("time", |_, _| Err(TIME_OF_DAY.to_owned())),
    ] {
        if scan.eat_call(name) {
            return constructed(scan, name, |text| read(text, zone));
        }
    }
    Err(match scan.is_done() {
        true => "a value is missing".to_owned(),
        false => {
            format!("`{}` is not a literal; names, functions and calculations are not translated", scan.next_shown())
        }
    })
}

fn constructed(
    scan: &mut Scan<'_>,
    name: &str,
    read: impl FnOnce(&str) -> Result<Literal, String>,
) -> Result<Literal, String> {
    if !scan.rest().starts_with('"') {
        return Err(format!("`{name}(…)` translates only with one text in quotes"));
    }
    let text = string(scan)?;
    if !scan.eat(")") {
        return Err(format!("`{name}(…)` translates only with one text in quotes"));
    }
    read(&text)
}

/// A number; FEEL allows `.5` and a sign with a space behind it.
fn number(scan: &mut Scan<'_>) -> Result<Option<Literal>, String> {
    let mut ahead = *scan;
    let sign = if ahead.eat("-") { "-" } else { "" };
    let begins_with_point = ahead.rest().starts_with('.') && !ahead.rest().starts_with("..");
    if begins_with_point {
        ahead.eat(".");
    }
    let Some(digits) = ahead.digits(|b| b.is_ascii_digit()) else { return Ok(None) };
    *scan = ahead;
    Literal::number(&format!("{sign}{}{digits}", if begins_with_point { "0." } else { "" })).map(Some)
}

/// A text in quotes, with its escapes.
fn string(scan: &mut Scan<'_>) -> Result<String, String> {
    let mut text = String::new();
    let mut chars = scan.rest().char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                scan.take(at + 1);
                return Ok(text);
            }
            '\\' => text.push(escape(&mut chars)?),
            c => text.push(c),
        }
    }
    Err("a text is not closed by `\"`".to_owned())
}

fn escape(chars: &mut impl Iterator<Item = (usize, char)>) -> Result<char, String> {
    let Some((_, c)) = chars.next() else { return Err("a text is not closed by `\"`".to_owned()) };
    let digits = match c {
        'n' => return Ok('\n'),
        'r' => return Ok('\r'),
        't' => return Ok('\t'),
        '"' | '\\' | '\'' => return Ok(c),
        'u' => 4,
        'U' => 6,
        other => return Err(format!("`\\{other}` is not an escape of FEEL")),
    };
    let code: String = chars.take(digits).map(|(_, c)| c).collect();
    let scalar = if code.len() == digits { u32::from_str_radix(&code, 16).ok() } else { None };
    scalar.and_then(char::from_u32).ok_or_else(|| format!("`\\{c}{code}` is not a character"))
}

const TIME_OF_DAY: &str = "a time of day has no literal here";

/// What stands after `@`.
fn temporal(text: &str, zone: Option<&Zone>) -> Result<Literal, String> {
    if text.trim_start_matches('-').starts_with('P') {
        return duration(text);
    }
    match text.contains('T') {
        true => date_and_time(text, zone),
        false if text.contains(':') => Err(TIME_OF_DAY.to_owned()),
        false => date(text, zone),
    }
}

fn date_and_time(text: &str, zone: Option<&Zone>) -> Result<Literal, String> {
    if let Some(time) = zoned_time(text) {
        return Ok(Literal::Time(time));
    }
    Zone::place(zone, text).map(Literal::Time)
}

fn date(text: &str, zone: Option<&Zone>) -> Result<Literal, String> {
    Zone::midnight(zone, text).map(Literal::Time)
}

/// An ISO 8601 duration of days, hours, minutes and seconds.
fn duration(text: &str) -> Result<Literal, String> {
    let malformed = || format!("`{text}` is not a duration of days, hours, minutes and seconds such as `P1DT12H`");
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let rest = rest.strip_prefix('P').ok_or_else(malformed)?;
    let (days, clock) = rest.split_once('T').unwrap_or((rest, ""));
    if days.contains(['Y', 'M']) {
        return Err(format!("`{text}` counts months or years, which have no fixed length"));
    }
    if (days.is_empty() && clock.is_empty()) || rest.ends_with('T') {
        return Err(malformed());
    }
    let mut ours = sign.to_owned();
    units(days, &[('D', "d")], &mut ours).ok_or_else(malformed)?;
    units(clock, &[('H', "h"), ('M', "m"), ('S', "s")], &mut ours).ok_or_else(malformed)?;
    ours.parse::<TimeDelta>().map(Literal::Duration).map_err(|_| malformed())
}

/// Rewrites counts with units; a fraction of seconds becomes microseconds.
fn units(mut text: &str, units: &[(char, &str)], ours: &mut String) -> Option<()> {
    for (letter, unit) in units {
        let Some((count, rest)) = text.split_once(*letter) else { continue };
        let (whole, fraction) = count.split_once('.').unwrap_or((count, ""));
        let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > 6 {
            return None;
        }
        ours.push_str(&format!("{whole}{unit}"));
        if !fraction.is_empty() {
            let is_seconds = *letter == 'S';
            is_seconds.then_some(())?;
            ours.push_str(&format!("{fraction:0<6}us"));
        }
        text = rest;
    }
    text.is_empty().then_some(())
}

// === writing ===

/// Writes a test as unary tests.
pub(super) fn write_test(test: &Test) -> Result<String, String> {
    Ok(match test {
        Test::Any => "-".to_owned(),
        Test::OneOf(items) => items.iter().map(write_literal).collect::<Vec<_>>().join(", "),
        Test::Compare(order, with) => format!("{} {}", order.symbol(), write_literal(with)),
        Test::Within(range) => range.shown(write_literal),
        Test::Not(test) => format!("not({})", write_test(test)?),
        Test::Text(name, args) => {
            let Some((function, _)) = TEXT_TESTS.iter().find(|(_, known)| known == name) else {
                return Err(format!("FEEL has no `{}(…)` of the same meaning", name.name()));
            };
            let calls: Vec<String> = args.iter().map(|arg| format!("{function}(?, {})", write_text(arg))).collect();
            calls.join(", ")
        }
    })
}

/// Writes an output entry.
pub(super) fn write_setting(setting: &Setting) -> Result<String, String> {
    match setting {
        Setting::Default => Err("the cell is empty, which is the default's value here and `null` in DMN".to_owned()),
        Setting::Value(value) => Ok(write_literal(value)),
        Setting::List(items) => Ok(format!("[{}]", items.iter().map(write_literal).collect::<Vec<_>>().join(", "))),
    }
}

/// Writes a literal.
pub(super) fn write_literal(literal: &Literal) -> String {
    match literal {
        Literal::Text(text) => write_text(text),
        Literal::Time(time) => format!("date and time(\"{time}\")"),
        Literal::Duration(length) => format!("duration(\"{}\")", iso_duration(*length)),
        Literal::Number(_) | Literal::Bool(_) => literal.bare(),
    }
}

fn write_text(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            c if c.is_control() => literal.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

fn iso_duration(length: TimeDelta) -> String {
    let micros = length.micros().unsigned_abs();
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (days, hours, minutes, seconds) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let mut text = if length.micros() < 0 { "-P".to_owned() } else { "P".to_owned() };
    if days > 0 {
        text.push_str(&format!("{days}D"));
    }
    if hours + minutes + seconds + fraction > 0 {
        text.push('T');
    }
    for (count, unit) in [(hours, 'H'), (minutes, 'M')] {
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if fraction > 0 {
        text.push_str(&format!("{seconds}.{}S", format!("{fraction:06}").trim_end_matches('0')));
    } else if seconds > 0 {
        text.push_str(&format!("{seconds}S"));
    }
    if micros == 0 {
        text.push_str("T0S");
    }
    text
}
