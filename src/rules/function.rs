//! The functions that conditions may call.

use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::CallExpr;
use regex::RegexBuilder;

use super::Slot;
use super::eval::TIMES;
use super::expr::{CaseOp, Expr, Function, Gather, Term, Test, TextOp, TimePart};
use super::lower::{Lowering, Operand, parse_delta};
use super::number_function::applied;
use super::text::phrase_fault;
use crate::domain::{TimeDelta, Timestamp, Type, suggestion};

/// Functions and methods by name, for suggestions.
const NAMES: [&str; 38] = [
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "mentions",
    "size",
    "lowerAscii",
    "upperAscii",
    "trim",
    "charAt",
    "substring",
    "indexOf",
    "lastIndexOf",
    "replace",
    "split",
    "join",
    "orValue",
    "hasValue",
    "has",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
    "in",
    "int",
    "string",
    "decimal",
    "all",
    "exists",
    "exists_one",
];

/// Bytes of a compiled pattern: bounds memory, and with it the cost of a match, which is linear in the text.
const REGEX_BYTES_MAX: usize = 256 * 1024;

pub(super) fn call(lowering: &mut Lowering<'_>, node: &IdedExpr, call: &CallExpr) -> Option<Operand> {
    if let Some(operand) = lowering.math_function(node, call) {
        return operand;
    }
    let target = call.target.as_deref().map(|target| lowering.operand(target));
    let args: Vec<_> = call.args.iter().map(|arg| lowering.operand(arg)).collect();
    let args = args.into_iter().collect::<Option<Vec<_>>>();
    let (target, args) = (target.map_or(Some(None), |t| t.map(Some))?, args?);
    // A method may also be called as a function of its target, as CEL allows: `size(x)` is `x.size()`.
    let mut operands = target.into_iter().chain(args);
    let Some(subject) = operands.next() else {
        return unknown(lowering, node, &call.func_name);
    };
    let rest: Vec<Operand> = operands.collect();
    let mut called = Called { lowering, node, name: &call.func_name };
    match (call.func_name.as_str(), rest.as_slice()) {
        ("contains", [_]) => called.text_test(TextOp::Contains, subject, rest),
        ("startsWith", [_]) => called.text_test(TextOp::StartsWith, subject, rest),
        ("endsWith", [_]) => called.text_test(TextOp::EndsWith, subject, rest),
        ("matches", [Operand::Text(pattern)]) => called.matches(subject, pattern),
        ("matches", [_]) => called.fault("`matches` needs its pattern as a literal text"),
        ("mentions", phrases) if !phrases.is_empty() => called.mentions(subject, &rest),
        ("size", []) => called.size(subject),
        ("lowerAscii", []) => called.case(CaseOp::LowerAscii, subject),
        ("upperAscii", []) => called.case(CaseOp::UpperAscii, subject),
        ("trim", []) => called.case(CaseOp::Trim, subject),
        ("orValue", [_]) => called.or_value(&subject, rest),
        ("hasValue", []) => called.has_value(&subject),
        ("timestamp", []) => called.timestamp(&subject),
        ("duration", []) => called.duration(&subject),
        ("int", []) => called.lowering.int(node, subject),
        ("string", []) => called.lowering.string(node, subject),
        ("decimal", []) => called.lowering.decimal(node, subject),
        ("charAt", [_]) => called.of_text(Function::CharAt, subject, rest, Type::Text),
        ("substring", [_] | [_, _]) => called.of_text(Function::Substring, subject, rest, Type::Text),
        ("indexOf", [_] | [_, _]) => called.of_text(Function::IndexOf, subject, rest, Type::Int),
        ("lastIndexOf", [_] | [_, _]) => called.of_text(Function::LastIndexOf, subject, rest, Type::Int),
        ("replace", [_, _] | [_, _, _]) => called.of_text(Function::Replace, subject, rest, Type::Text),
        ("split", [_] | [_, _]) => called.of_text(Function::Split, subject, rest, Type::List(Box::new(Type::Text))),
        ("join", [] | [_]) => called.join(subject, rest.into_iter().next()),
        ("getFullYear", _) => called.part(TimePart::FullYear, subject, &rest),
        ("getMonth", _) => called.part(TimePart::Month, subject, &rest),
        ("getDate", _) => called.part(TimePart::Date, subject, &rest),
        ("getDayOfWeek", _) => called.part(TimePart::DayOfWeek, subject, &rest),
        ("getHours", _) => called.part(TimePart::Hours, subject, &rest),
        ("getMinutes", _) => called.part(TimePart::Minutes, subject, &rest),
        ("getSeconds", _) => called.part(TimePart::Seconds, subject, &rest),
        ("getMilliseconds", _) => called.part(TimePart::Milliseconds, subject, &rest),
        ("getDayOfMonth", _) => called.part(TimePart::DayOfMonth, subject, &rest),
        ("getDayOfYear", _) => called.part(TimePart::DayOfYear, subject, &rest),
        (name, _) if NAMES.contains(&name) => {
            called.fault(format!("`{name}` is called with the wrong number of values"))
        }
        (name, _) => unknown(called.lowering, node, name),
    }
}

fn unknown(lowering: &mut Lowering<'_>, node: &IdedExpr, name: &str) -> Option<Operand> {
    lowering.fault(node, format!("unknown function `{name}`{}", suggestion(name, NAMES)))
}

/// One call while it is checked.
struct Called<'a, 'b> {
    lowering: &'a mut Lowering<'b>,
    node: &'a IdedExpr,
    name: &'a str,
}

impl Called<'_, '_> {
    fn fault<T>(&mut self, message: impl Into<String>) -> Option<T> {
        self.lowering.fault(self.node, message)
    }

    fn text_test(&mut self, op: TextOp, subject: Operand, rest: Vec<Operand>) -> Option<Operand> {
        let subject = self.lowering.text(self.node, subject);
        let pattern = rest.into_iter().next().and_then(|pattern| self.lowering.text(self.node, pattern));
        Some(Operand::Condition(Expr::Text(op, subject?, pattern?)))
    }

    fn matches(&mut self, subject: Operand, pattern: &str) -> Option<Operand> {
        let subject = self.lowering.text(self.node, subject)?;
        match RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).dfa_size_limit(REGEX_BYTES_MAX).build() {
            Ok(regex) => Some(Operand::Condition(Expr::Matches(subject, regex))),
            Err(regex::Error::CompiledTooBig(limit)) => {
                self.fault(format!("the pattern needs more than {limit} bytes when compiled; make it simpler"))
            }
            Err(e) => {
                let reason = e.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.fault(format!("the pattern is not a regular expression (RE2 syntax): {reason}"))
            }
        }
    }

    fn mentions(&mut self, subject: Operand, phrases: &[Operand]) -> Option<Operand> {
        let phrases = self.phrases(phrases)?;
        let subjects = match subject {
            Operand::List(items) => items,
            one => vec![one],
        };
        if subjects.is_empty() {
            return self.fault("`[].mentions(…)` looks at no text");
        }
        let terms: Vec<_> = subjects.into_iter().map(|item| self.lowering.text(self.node, item)).collect();
        let terms = terms.into_iter().collect::<Option<Vec<_>>>()?;
        let mut tests = Vec::new();
        let mut slow = Vec::new();
        for term in terms {
            match term {
                Term::Slot(slot) => tests.push(self.indexed(slot, &phrases)),
                other => slow.push(other),
            }
        }
        if !slow.is_empty() {
            tests.push(Expr::Mentions(slow, Arc::from(phrases)));
        }
        Some(Operand::Condition(if tests.len() == 1 { tests.remove(0) } else { Expr::Any(tests) }))
    }

    fn indexed(&mut self, slot: Slot, phrases: &[String]) -> Expr {
        Expr::Test(slot, Test::Mentions(self.lowering.texts.add(slot, phrases)))
    }

    fn phrases(&mut self, operands: &[Operand]) -> Option<Vec<String>> {
        let mut phrases = Vec::new();
        for operand in operands {
            match operand {
                Operand::Text(phrase) => phrases.push(phrase.clone()),
                Operand::List(items) => phrases.extend(self.phrases(items)?),
                _ => return self.fault("`mentions` needs its words and phrases as literal texts"),
            }
        }
        match phrases.iter().find_map(|phrase| phrase_fault(phrase).map(|fault| (phrase, fault))) {
            Some((phrase, fault)) => self.fault(format!("`{phrase}`: {fault}")),
            None => Some(phrases),
        }
    }

    fn size(&mut self, subject: Operand) -> Option<Operand> {
        let of = match subject {
            Operand::List(items) => Term::Number(items.len() as i64),
            Operand::Named(list) => Term::Number(list.len() as i64),
            Operand::Value(term, Type::List(_)) => Term::Size(Box::new(term)),
            other => Term::Size(Box::new(self.lowering.text(self.node, other)?)),
        };
        Some(Operand::Value(of, Type::Int))
    }

    fn case(&mut self, op: CaseOp, subject: Operand) -> Option<Operand> {
        let of = self.lowering.text(self.node, subject)?;
        Some(Operand::Value(Term::Case(op, Box::new(of)), Type::Text))
    }

    fn or_value(&mut self, subject: &Operand, rest: Vec<Operand>) -> Option<Operand> {
        let Operand::Optional(slot) = subject else {
            return self.fault("`orValue` follows an optional name, as in `customer.?plan.orValue(\"free\")`");
        };
        let otherwise = rest.into_iter().next()?;
        self.lowering.or_value(self.node, *slot, otherwise)
    }

    fn has_value(&mut self, subject: &Operand) -> Option<Operand> {
        match subject {
            Operand::Optional(slot) => Some(Operand::Condition(Expr::Has(*slot))),
            _ => self.fault("`hasValue` follows an optional name, as in `customer.?plan.hasValue()`"),
        }
    }

    fn timestamp(&mut self, subject: &Operand) -> Option<Operand> {
        let text = match subject {
            Operand::Text(text) => text,
            Operand::Int(_) | Operand::Value(_, Type::Int) => {
                let (seconds, _) = self.lowering.value(self.node, subject.clone())?;
                return Some(applied(Function::TimeOfSeconds, vec![seconds], Type::Time));
            }
            Operand::Value(_, Type::Time) => return Some(subject.clone()),
            _ => {
                return self
                    .fault("`timestamp` needs a literal text such as `2026-11-22T10:00:00Z`, or seconds since 1970");
            }
        };
        match text.parse::<Timestamp>() {
            Ok(time) if !TIMES.contains(&time.micros()) => {
                self.fault(format!("`{text}` is not within the years 1 to 9999"))
            }
            Ok(time) => Some(Operand::Value(Term::Number(time.micros()), Type::Time)),
            Err(e) => self.fault(format!("`{text}` is {e}")),
        }
    }

    fn duration(&mut self, subject: &Operand) -> Option<Operand> {
        let text = match subject {
            Operand::Text(text) => text,
            Operand::Value(_, Type::Duration) => return Some(subject.clone()),
            _ => return self.fault("`duration` needs a literal text such as `24h`"),
        };
        match parse_delta(text) {
            Some(delta) => Some(Operand::Value(Term::Number(delta.micros()), Type::Duration)),
            None => self.fault(format!("`{text}` is not a duration such as `90s`, `24h` or `1h30m`")),
        }
    }

    /// A function of a text: the types of its other values are those given, of which the last may be missing.
    fn of_text(&mut self, function: Function, subject: Operand, rest: Vec<Operand>, gives: Type) -> Option<Operand> {
        let mut args = vec![self.lowering.text(self.node, subject)];
        for (nth, arg) in rest.into_iter().enumerate() {
            let is_place = match function {
                Function::CharAt | Function::Substring => true,
                Function::Replace => nth == 2,
                _ => nth == 1,
            };
            args.push(if is_place { self.place(arg) } else { self.lowering.text(self.node, arg) });
        }
        Some(applied(function, args.into_iter().collect::<Option<Vec<_>>>()?, gives))
    }

    fn place(&mut self, operand: Operand) -> Option<Term> {
        let described = operand.describe();
        match self.lowering.value(self.node, operand)? {
            (term, Type::Int) => Some(term),
            _ => self.fault(format!("`{}` needs an int here, found {described}", self.name)),
        }
    }

    fn join(&mut self, subject: Operand, separator: Option<Operand>) -> Option<Operand> {
        let (list, of) = self.lowering.list(self.node, subject)?;
        let list = match (list, of) {
            (list, Type::Text) => list,
            (Term::Items(items), Type::OneOf(of)) => {
                let names = items.into_vec().into_iter().map(|item| Term::NameOf(Arc::clone(&of), Box::new(item)));
                Term::Items(names.collect())
            }
            (list, Type::OneOf(of)) => {
                let give = Some(Term::NameOf(of, Box::new(Term::Local(0))));
                Term::Gather(Box::new(Gather { list, keep: None, give, nodes: 2 }))
            }
            (_, other) => return self.fault(format!("`join` needs a list of texts, found a list of {}", other.name())),
        };
        let mut args = vec![list];
        if let Some(separator) = separator {
            args.push(self.lowering.text(self.node, separator)?);
        }
        Some(applied(Function::Join, args, Type::Text))
    }

    fn part(&mut self, part: TimePart, subject: Operand, rest: &[Operand]) -> Option<Operand> {
        let offset = match rest {
            [] => 0,
            [Operand::Text(zone)] => match fixed_offset(zone) {
                Some(offset) => offset.micros(),
                None => {
                    return self.fault(format!(
                        "`{zone}` is not a fixed offset such as `+01:00`; named zones are not supported"
                    ));
                }
            },
            _ => return self.fault(format!("`{}` takes at most a literal offset such as `+01:00`", self.name)),
        };
        match subject {
            Operand::Value(term, Type::Time) => {
                Some(Operand::Value(Term::Part(part, Box::new(term), offset), Type::Int))
            }
            Operand::Value(term, Type::Duration) if rest.is_empty() => {
                self.lowering.length_in(self.node, self.name, term)
            }
            other => self.fault(format!("`{}` needs a timestamp, found {}", self.name, other.describe())),
        }
    }
}

/// `+01:00`, `-05:30`, `UTC`.
fn fixed_offset(zone: &str) -> Option<TimeDelta> {
    if zone == "UTC" || zone == "Z" {
        return Some(TimeDelta::default());
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => (1, zone),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two_digits =
        |text: &str| (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i64>().ok())?;
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours <= 18 && minutes < 60).then(|| {
        TimeDelta::from_micros(sign * (hours * TimeDelta::HOUR.micros() + minutes * TimeDelta::MINUTE.micros()))
    })
}
