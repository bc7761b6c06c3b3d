//! A condition as a rule holds it: what its author wrote, and what the engine evaluates.

use cel::IdedExpr;

use smallvec::SmallVec;

use super::cost::{EXPRESSION_STEPS_MAX, steps, steps_of};
use super::eval::{Evaluation, MALFORMED, Truth};
use super::expr::{Expr, Term};
use super::lower::{Lowering, NodeFault, Operand};
use super::syntax::{flatten_and, parse, placed, split_conjuncts};
use super::text::TextIndexBuilder;
use super::value::Val;
use super::{Miss, Scope, Slot, Values};
use crate::domain::{Decimal, TimeDelta, Timestamp, Type, Value};

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
    /// Its worst-case steps.
    steps: u64,
}

/// One of the parts that are joined by `&&` at the top of a condition.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) expr: Expr,
    pub(super) text: Box<str>,
    /// Most parts look at one name or two.
    pub(super) slots: SmallVec<[Slot; 4]>,
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
        let mut costs = Vec::new();
        for (node, text) in nodes.into_iter().zip(texts_of) {
            let expr = lowering.condition(node);
            let slots = sorted(std::mem::take(&mut lowering.used));
            if let Some(expr) = expr {
                costs.push((steps(&expr, scope), node, text));
                parts.push(Part { expr, text: text.into(), slots: SmallVec::from_slice(&slots) });
            }
        }
        if !lowering.faults.is_empty() || lowering.uses_broken {
            return Err(placed(source, &root, lowering.faults));
        }
        let steps = affordable(&costs).map_err(|fault| placed(source, &root, vec![fault]))?;
        Ok(Self { steps, ..Self::all(parts) })
    }

    /// The conjunction of conditions; of none, the condition that always holds.
    pub(crate) fn and(conditions: Vec<Self>) -> Self {
        let steps = conditions.iter().map(|condition| condition.steps).fold(0, u64::saturating_add);
        Self { steps, ..Self::all(conditions.into_iter().flat_map(|condition| condition.parts).collect()) }
    }

    /// The condition whose only part is shown as `text`, whatever it was compiled from.
    pub(crate) fn shown_as(mut self, text: &str) -> Self {
        let mut exprs: Vec<Expr> = std::mem::take(&mut self.parts).into_iter().map(|part| part.expr).collect();
        let expr = if exprs.len() == 1 { exprs.remove(0) } else { Expr::All(exprs) };
        self.parts = [Part { expr, text: text.into(), slots: SmallVec::from_slice(&self.slots) }].into();
        self
    }

    pub(super) fn of_part(part: Part) -> Self {
        Self::all(vec![part])
    }

    fn all(parts: Vec<Part>) -> Self {
        let slots = sorted(parts.iter().flat_map(|part| part.slots.iter().copied()).collect());
        Self { parts: parts.into(), slots, steps: 0 }
    }

    /// The names that the condition uses.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The steps that it takes at worst.
    pub fn steps(&self) -> u64 {
        self.steps
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
                let cost = match &form {
                    Form::Condition(expr) => steps(expr, scope),
                    Form::Term(term) => steps_of(term, scope),
                };
                affordable(&[(cost, &root, source.trim())]).map_err(|fault| placed(source, &root, vec![fault]))?;
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
        let term = match &self.form {
            Form::Term(term) => evaluation.term(term)?,
            Form::Condition(expr) => match evaluation.truth(expr) {
                Truth::Unavailable(miss) => return Err(miss),
                truth => Val::Bool(truth == Truth::True),
            },
        };
        value(term, &self.ty)
    }
}

/// What was computed, as a value of its type.
fn value(computed: Val<'_>, ty: &Type) -> Result<Value, Miss> {
    Ok(match (computed, ty) {
        (Val::Bool(v), _) => Value::Bool(v),
        (Val::Text(v), _) => Value::Text(v.into_owned().into()),
        (Val::List(items), Type::List(of)) => {
            Value::List(items.iter().map(|item| value(item, of)).collect::<Result<_, _>>()?)
        }
        (Val::Number(v), Type::Int) => Value::Int(v),
        (Val::Number(v), Type::Decimal) => Value::Decimal(Decimal::from_units(v)),
        (Val::Number(v), Type::Time) => Value::Time(Timestamp::from_micros(v)),
        (Val::Number(v), Type::Duration) => Value::Duration(TimeDelta::from_micros(v)),
        (Val::Number(v), Type::OneOf(_)) => Value::Symbol(u16::try_from(v).map_err(|_| MALFORMED)?),
        (Val::Number(_) | Val::List(_), _) => return Err(MALFORMED),
    })
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
            (Operand::List(items), Type::List(of)) => Operand::Value(self.items(node, items, of)?, ty.clone()),
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

/// The steps of parts together; or, if they are too many, what is said of the costliest.
fn affordable(costs: &[(u64, &IdedExpr, &str)]) -> Result<u64, NodeFault> {
    const SHOWN: usize = 60;
    let steps = costs.iter().map(|(steps, ..)| *steps).fold(0, u64::saturating_add);
    match costs.iter().max_by_key(|(steps, ..)| *steps) {
        Some((most, node, text)) if steps > EXPRESSION_STEPS_MAX => {
            let shown: String = text.chars().take(SHOWN).collect();
            let cut = if shown.len() < text.len() { "…" } else { "" };
            let message = format!(
                "may take {} steps, the limit is {EXPRESSION_STEPS_MAX}: {} of them for `{shown}{cut}`; declare smaller \
                 `max_items` and `max_length` for what it looks at, or split the rule",
                at_least(steps),
                at_least(*most)
            );
            Err(NodeFault { node: node.id, message })
        }
        _ => Ok(steps),
    }
}

/// A number of steps that may be beyond counting.
fn at_least(steps: u64) -> String {
    if steps == u64::MAX { format!("more than {}", u64::MAX - 1) } else { steps.to_string() }
}

fn sorted(mut slots: Vec<Slot>) -> Box<[Slot]> {
    slots.sort_unstable();
    slots.dedup();
    slots.into()
}
