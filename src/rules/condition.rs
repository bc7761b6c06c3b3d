//! A condition as a rule holds it: what its author wrote, and what the engine evaluates.

use std::collections::HashMap;

use cel::IdedExpr;
use cel::common::ast::{Expr as Cel, operators};
use cel::parser::{ParseErrors, Parser, PrattParser};

use super::eval::{Evaluation, Truth, Val};
use super::expr::{Expr, Term};
use super::lower::{Lowering, NodeFault, Operand};
use super::text::TextIndexBuilder;
use super::{Miss, Scope, Slot, Values};
use crate::domain::{Decimal, TimeDelta, Timestamp, Type, Unavailable, Value};

/// Bytes that one expression may have; with it the cost of an evaluation is bounded, for there are no loops.
pub const EXPRESSION_BYTES_MAX: usize = 8_192;

/// How deep an expression may nest.
const NESTING_MAX: u16 = 48;

/// A fault in an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprFault {
    /// Where, in bytes from the start of the expression.
    pub offset: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A checked condition: the conjunction of its parts.
#[derive(Debug, Clone)]
pub struct Condition {
    parts: Box<[Part]>,
    slots: Box<[Slot]>,
}

/// One of the parts that are joined by `&&` at the top of a condition.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) expr: Expr,
    pub(super) text: Box<str>,
    pub(super) slots: Box<[Slot]>,
}

/// A checked expression that gives a value of an outcome's field.
#[derive(Debug, Clone)]
pub struct Computation {
    form: Form,
    ty: Type,
    text: Box<str>,
    slots: Box<[Slot]>,
}

#[derive(Debug, Clone)]
enum Form {
    Condition(Expr),
    Term(Term),
}

impl Condition {
    /// Parses and checks a CEL expression that must be true or false.
    pub(crate) fn compile(source: &str, scope: &Scope, texts: &mut TextIndexBuilder) -> Result<Self, Vec<ExprFault>> {
        let root = parse(source)?;
        let written = split_conjuncts(source);
        let mut nodes = Vec::new();
        flatten_and(&root, &mut nodes);
        // The texts are for people only: a form that splits differently is shown whole.
        let texts_of = if written.len() == nodes.len() { written } else { vec![source.trim(); nodes.len()] };
        let mut lowering = Lowering::new(scope, texts);
        let mut parts = Vec::new();
        for (node, text) in nodes.into_iter().zip(texts_of) {
            let expr = lowering.condition(node);
            let slots = sorted(std::mem::take(&mut lowering.used));
            if let Some(expr) = expr {
                parts.push(Part { expr, text: text.into(), slots });
            }
        }
        if !lowering.faults.is_empty() || lowering.uses_broken {
            return Err(placed(source, &root, lowering.faults));
        }
        Ok(Self::all(parts))
    }

    /// The conjunction of conditions; of none, the condition that always holds.
    pub(crate) fn and(conditions: Vec<Self>) -> Self {
        Self::all(conditions.into_iter().flat_map(|condition| condition.parts).collect())
    }

    /// The condition whose only part is shown as `text`, whatever it was compiled from.
    pub(crate) fn shown_as(mut self, text: &str) -> Self {
        let expr = Expr::All(std::mem::take(&mut self.parts).into_iter().map(|part| part.expr).collect());
        self.parts = [Part { expr, text: text.into(), slots: self.slots.clone() }].into();
        self
    }

    pub(super) fn of_part(part: Part) -> Self {
        Self::all(vec![part])
    }

    fn all(parts: Vec<Part>) -> Self {
        let slots = sorted(parts.iter().flat_map(|part| part.slots.iter().copied()).collect());
        Self { parts: parts.into(), slots }
    }

    /// The names that the condition uses.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether the condition holds. Allocates only for texts that are changed or joined.
    #[inline]
    pub(super) fn truth<'a, V: Values>(&'a self, evaluation: &mut Evaluation<'a, V>) -> Truth {
        let mut missing = None;
        for part in &self.parts {
            match evaluation.truth(&part.expr) {
                Truth::True => {}
                Truth::False => return Truth::False,
                Truth::Unavailable(miss) => missing = missing.or(Some(miss)),
            }
        }
        missing.map_or(Truth::True, Truth::Unavailable)
    }
}

impl Computation {
    /// Parses and checks a CEL expression that must give a value of the type.
    pub(crate) fn compile(
        source: &str,
        ty: &Type,
        scope: &Scope,
        texts: &mut TextIndexBuilder,
    ) -> Result<Self, Vec<ExprFault>> {
        let root = parse(source)?;
        let mut lowering = Lowering::new(scope, texts);
        let form = lowering.computed(&root, ty);
        let slots = sorted(std::mem::take(&mut lowering.used));
        match form {
            Some(form) if lowering.faults.is_empty() => {
                Ok(Self { form, ty: ty.clone(), text: source.trim().into(), slots })
            }
            _ => Err(placed(source, &root, lowering.faults)),
        }
    }

    /// The expression as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names that the expression uses.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(super) fn value<'a, V: Values>(&'a self, evaluation: &mut Evaluation<'a, V>) -> Result<Value, Miss> {
        let malformed = Miss { slot: None, reason: Unavailable::Malformed };
        let term = match &self.form {
            Form::Term(term) => evaluation.term(term)?,
            Form::Condition(expr) => match evaluation.truth(expr) {
                Truth::Unavailable(miss) => return Err(miss),
                truth => Val::Bool(truth == Truth::True),
            },
        };
        Ok(match (term, &self.ty) {
            (Val::Bool(v), _) => Value::Bool(v),
            (Val::Text(v), _) => Value::Text(v.into()),
            (Val::List(v), _) => Value::List(v.into()),
            (Val::Number(v), Type::Int) => Value::Int(v),
            (Val::Number(v), Type::Decimal) => Value::Decimal(Decimal::from_units(v)),
            (Val::Number(v), Type::Time) => Value::Time(Timestamp::from_micros(v)),
            (Val::Number(v), Type::Duration) => Value::Duration(TimeDelta::from_micros(v)),
            (Val::Number(v), Type::OneOf(_)) => Value::Symbol(u16::try_from(v).map_err(|_| malformed)?),
            (Val::Number(_), _) => return Err(malformed),
        })
    }
}

impl Lowering<'_> {
    fn computed(&mut self, node: &IdedExpr, ty: &Type) -> Option<Form> {
        let operand = self.operand(node)?;
        let fitted = match (operand, ty) {
            (Operand::Condition(expr), Type::Bool) => return Some(Form::Condition(expr)),
            (Operand::Int(n), Type::Decimal) => Operand::Decimal(Decimal::from_int(n)?),
            (Operand::Value(term, Type::Int), Type::Decimal) => {
                Operand::Value(Term::ToDecimal(Box::new(term)), Type::Decimal)
            }
            (Operand::Text(text), Type::OneOf(_)) => match ty.parse(&text) {
                Ok(Value::Symbol(symbol)) => Operand::Value(Term::Number(symbol.into()), ty.clone()),
                Ok(_) => return None,
                Err(mismatch) => return self.fault(node, mismatch.to_string()),
            },
            (Operand::Value(term, of @ Type::OneOf(_)), Type::Text) => {
                let term = self.text(node, Operand::Value(term, of))?;
                Operand::Value(term, Type::Text)
            }
            (operand, _) => operand,
        };
        let described = fitted.describe();
        match self.value(node, fitted)? {
            (term, found) if found == *ty => Some(Form::Term(term)),
            _ => self.fault(node, format!("expected {}, found {described}", ty.name())),
        }
    }
}

fn sorted(mut slots: Vec<Slot>) -> Box<[Slot]> {
    slots.sort_unstable();
    slots.dedup();
    slots.into()
}

// === parsing ===

fn parse(source: &str) -> Result<IdedExpr, Vec<ExprFault>> {
    if source.len() > EXPRESSION_BYTES_MAX {
        let message = format!("has {} bytes, the limit is {EXPRESSION_BYTES_MAX}", source.len());
        return Err(vec![ExprFault { offset: 0, message }]);
    }
    let parser = PrattParser::new().enable_optional_syntax(true).max_recursion_depth(NESTING_MAX);
    parser.parse(source).map_err(|errors| syntax_faults(source, errors))
}

fn syntax_faults(source: &str, errors: ParseErrors) -> Vec<ExprFault> {
    let mut faults: Vec<ExprFault> = errors
        .errors
        .into_iter()
        .map(|e| ExprFault { offset: line_column_offset(source, e.pos), message: plain_syntax_message(&e.msg) })
        .collect();
    // What follows the first fault of a broken expression is mostly its echo.
    faults.truncate(1);
    faults
}

fn plain_syntax_message(message: &str) -> String {
    let message = message.trim_start_matches("Syntax error: ");
    let message = message.replace("<EOF>", "the end");
    format!("not a CEL expression: {message}")
}

/// The byte offset of a line and column, both counted from 1.
fn line_column_offset(source: &str, (line, column): (isize, isize)) -> usize {
    let (Ok(line), Ok(column)) = (usize::try_from(line - 1), usize::try_from(column - 1)) else { return 0 };
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &source[start.min(source.len())..];
    start + rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset)
}

/// Gives faults their places. The fast parser keeps no positions, so the text is parsed again by the one that does.
fn placed(source: &str, root: &IdedExpr, faults: Vec<NodeFault>) -> Vec<ExprFault> {
    let places = places(source, root);
    let place = |fault: NodeFault| {
        let offset = places.get(&fault.node).copied().unwrap_or(0);
        ExprFault { offset, message: fault.message }
    };
    let mut faults: Vec<ExprFault> = faults.into_iter().map(place).collect();
    faults.sort_by_key(|fault| fault.offset);
    faults.dedup();
    faults
}

/// The byte offset at which a reader would look for each node of the tree. Both parsers build trees of one shape, which a
/// test holds; should they not, faults stand at the start of the expression.
fn places(source: &str, root: &IdedExpr) -> HashMap<u64, usize> {
    // The careful parser recurses once per level: an expression refused for its depth is not given to it.
    if is_deeper_than(root, 2 * usize::from(NESTING_MAX)) {
        return HashMap::new();
    }
    let Ok((twin, info)) = Parser::new().enable_optional_syntax(true).parse_with_source_info(source) else {
        return HashMap::new();
    };
    let (mut nodes, mut twins) = (Vec::new(), Vec::new());
    preorder(root, &mut nodes);
    preorder(&twin, &mut twins);
    if nodes.len() != twins.len() {
        return HashMap::new();
    }
    let bytes: Vec<usize> = source.char_indices().map(|(offset, _)| offset).collect();
    let own = |node: &IdedExpr| {
        let (characters, _) = info.offset_for(node.id)?;
        bytes.get(characters as usize).copied()
    };
    let place = |node: &IdedExpr| match &node.expr {
        Cel::Select(_) => own(leftmost(node)),
        Cel::Call(call) if call.func_name == operators::OPT_SELECT => own(leftmost(node)),
        // The recorded place of a call is its bracket.
        Cel::Call(call) => own(node).map(|at| {
            let start = at.saturating_sub(call.func_name.len());
            if source.get(start..at) == Some(&call.func_name) { start } else { at }
        }),
        _ => own(node),
    };
    nodes.iter().zip(twins).filter_map(|(node, twin)| Some((node.id, place(twin)?))).collect()
}

fn preorder<'a>(node: &'a IdedExpr, into: &mut Vec<&'a IdedExpr>) {
    into.push(node);
    for child in children(node) {
        preorder(child, into);
    }
}

fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Cel::Call(call) => call.target.iter().map(AsRef::as_ref).chain(&call.args).collect(),
        Cel::List(list) => list.elements.iter().collect(),
        Cel::Select(select) => vec![&select.operand],
        _ => Vec::new(),
    }
}

fn is_deeper_than(node: &IdedExpr, levels: usize) -> bool {
    levels == 0 || children(node).into_iter().any(|child| is_deeper_than(child, levels - 1))
}

fn leftmost(node: &IdedExpr) -> &IdedExpr {
    children(node).first().map_or(node, |child| leftmost(child))
}

fn flatten_and<'a>(node: &'a IdedExpr, into: &mut Vec<&'a IdedExpr>) {
    match &node.expr {
        Cel::Call(call) if call.func_name == operators::LOGICAL_AND => {
            for arg in &call.args {
                flatten_and(arg, into);
            }
        }
        _ => into.push(node),
    }
}

/// The source cut at each `&&` that is not inside brackets or a text.
fn split_conjuncts(source: &str) -> Vec<&str> {
    let bytes = source.as_bytes();
    let mut parts = Vec::new();
    let (mut start, mut depth, mut at) = (0, 0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            quote @ (b'"' | b'\'') => at = end_of_text(bytes, at, quote),
            b'&' if depth == 0 && bytes.get(at + 1) == Some(&b'&') => {
                parts.push(source[start..at].trim());
                at += 1;
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(source[start.min(source.len())..].trim());
    parts
}

/// The position of the quote that ends the text begun at `start`.
fn end_of_text(bytes: &[u8], start: usize, quote: u8) -> usize {
    let raw = start > 0 && matches!(bytes[start - 1], b'r' | b'R');
    let triple = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if triple { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !raw => at += 1,
            b if b == quote && !triple => return at,
            b if b == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 2,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_a_condition_at_its_top_level() {
        let parts = split_conjuncts(r#"a && (b && c) && d == "x && y" && e in ['&&', r'\'] && f"#);
        assert_eq!(parts, ["a", "(b && c)", r#"d == "x && y""#, r"e in ['&&', r'\']", "f"]);
    }

    /// Positions of faults rest on both parsers building trees of one shape.
    #[test]
    fn both_parsers_build_trees_of_one_shape() {
        for source in [
            "event.amount > 10.55 && customer.?plan.orValue('x') == \"pro\"",
            "has(event.x) || !(event.y in ['a','b']) || -event.z < +5 - 3 * 2",
            "has(event.x) || !(event.y in ['a','b']) || -event.z < 5 - 3 * 2",
            "[event.a, event.b].mentions('x', 'y') && (a ? b : c) == true",
            "a && b && c && d || e && !f",
            "timestamp('2026-01-01T00:00:00Z') - now > duration('1h') && size(event.t) == 2",
        ] {
            let fast = parse(source);
            let twin = Parser::new().enable_optional_syntax(true).parse(source);
            assert_eq!(fast.is_err(), twin.is_err(), "{source}");
            let (Ok(fast), Ok(twin)) = (fast, twin) else { continue };
            let (mut nodes, mut twins) = (Vec::new(), Vec::new());
            preorder(&fast, &mut nodes);
            preorder(&twin, &mut twins);
            let kind = |node: &&IdedExpr| std::mem::discriminant(&node.expr);
            assert_eq!(
                nodes.iter().map(kind).collect::<Vec<_>>(),
                twins.iter().map(kind).collect::<Vec<_>>(),
                "{source}"
            );
        }
    }

    #[test]
    fn places_syntax_faults() {
        let fault = parse("event.x ==\n  && 1").unwrap_err();
        assert_eq!(fault.len(), 1);
        assert_eq!(fault[0].offset, 13, "{fault:?}");
    }
}
