//! Type checking: from CEL's syntax tree to a typed [`Expr`], with every fault found on the way.

use std::sync::Arc;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Cel, LiteralValue, SelectExpr, operators as op};

use super::expr::{CompareOp, Expr, MathOp, Term, Test};
use super::text::TextIndexBuilder;
use super::unify::as_text;
use super::{NamedList, Scope, Slot, function};
use crate::domain::{Decimal, TimeDelta, Type};

/// A fault at a node of the syntax tree.
#[derive(Debug)]
pub(super) struct NodeFault {
    pub(super) node: u64,
    pub(super) message: String,
}

/// Checks one expression; gathers its faults and the names it uses.
pub(super) struct Lowering<'a> {
    pub(super) scope: &'a Scope,
    pub(super) texts: &'a mut TextIndexBuilder,
    pub(super) faults: Vec<NodeFault>,
    pub(super) used: Vec<Slot>,
    /// Whether a name with a faulty declaration is used: then there is no result, but no fault here either.
    pub(super) uses_broken: bool,
    /// The variables of the loops around the place that is checked, outermost first.
    pub(super) locals: Vec<(String, Type)>,
    depth: usize,
}

/// How deep an expression may nest: bounds the stack of checking and evaluating it.
const DEPTH_MAX: usize = 64;

/// A checked part of an expression. Literals keep their form until the other side says what they have to be.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Condition(Expr),
    Value(Term, Type),
    Int(i64),
    Decimal(Decimal),
    Text(String),
    List(Vec<Operand>),
    /// `customer.?plan`
    Optional(Slot),
    /// `list.blocked_senders`
    Named(Arc<NamedList>),
}

impl Operand {
    /// What the operand is, in words for a message.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Condition(_) => "bool".to_owned(),
            Self::Value(_, ty) => ty.name(),
            Self::Int(_) => "int".to_owned(),
            Self::Decimal(_) => "decimal".to_owned(),
            Self::Text(_) => "string".to_owned(),
            Self::List(_) => "list".to_owned(),
            Self::Named(of) => format!("a named list of {} (use `in`)", of.ty().name()),
            Self::Optional(_) => "an optional value (use `.orValue(…)`)".to_owned(),
        }
    }
}

impl<'a> Lowering<'a> {
    pub(super) fn new(scope: &'a Scope, texts: &'a mut TextIndexBuilder) -> Self {
        Self { scope, texts, faults: Vec::new(), used: Vec::new(), uses_broken: false, locals: Vec::new(), depth: 0 }
    }

    /// Notes a fault; the `None` lets the caller go on and find more.
    pub(super) fn fault<T>(&mut self, node: &IdedExpr, message: impl Into<String>) -> Option<T> {
        self.faults.push(NodeFault { node: node.id, message: message.into() });
        None
    }

    /// Checks an expression that must be true or false.
    pub(super) fn condition(&mut self, node: &IdedExpr) -> Option<Expr> {
        match self.operand(node)? {
            Operand::Condition(expr) => Some(expr),
            other => self.fault(node, format!("expected a condition (true or false), found {}", other.describe())),
        }
    }

    /// Checks an expression of any type.
    pub(super) fn operand(&mut self, node: &IdedExpr) -> Option<Operand> {
        if self.depth == DEPTH_MAX {
            return self.fault(node, format!("nested more than {DEPTH_MAX} levels deep; split it into several rules"));
        }
        self.depth += 1;
        let operand = self.form(node);
        self.depth -= 1;
        operand
    }

    fn form(&mut self, node: &IdedExpr) -> Option<Operand> {
        match &node.expr {
            Cel::Literal(literal) => self.literal(node, literal),
            Cel::Ident(name) => self.name(node, name),
            Cel::Select(select) => self.select(node, select),
            Cel::List(list) if list.optional_indices.is_empty() => {
                let items: Vec<_> = list.elements.iter().map(|item| self.operand(item)).collect();
                items.into_iter().collect::<Option<Vec<_>>>().map(Operand::List)
            }
            Cel::Call(call) => self.call(node, call),
            Cel::Comprehension(looped) => self.looped(node, looped),
            Cel::Map(_) | Cel::Struct(_) => self.fault(node, "maps and messages are not supported in conditions"),
            Cel::List(_) | Cel::Unspecified => self.fault(node, "this form is not supported in conditions"),
        }
    }

    fn literal(&mut self, node: &IdedExpr, literal: &LiteralValue) -> Option<Operand> {
        match literal {
            LiteralValue::Boolean(v) => Some(Operand::Condition(Expr::Const(*v.inner()))),
            LiteralValue::Int(v) => Some(Operand::Int(*v.inner())),
            LiteralValue::UInt(v) => match i64::try_from(*v.inner()) {
                Ok(v) => Some(Operand::Int(v)),
                Err(_) => self.fault(node, format!("the number is above {}", i64::MAX)),
            },
            LiteralValue::Double(v) => match Decimal::from_f64(*v.inner()) {
                Ok(v) => Some(Operand::Decimal(v)),
                Err(e) => self.fault(node, format!("the number cannot be used exactly: {e}")),
            },
            LiteralValue::String(v) => Some(Operand::Text(v.inner().to_owned())),
            LiteralValue::Null => {
                self.fault(node, "there is no null: use `has(x)` to ask whether a value is there, or `x.?y.orValue(v)`")
            }
            LiteralValue::Bytes(_) => self.fault(node, "bytes are not supported in conditions"),
        }
    }

    fn name(&mut self, node: &IdedExpr, path: &str) -> Option<Operand> {
        if let Some(local) = self.local(path) {
            return Some(local);
        }
        if let Some(slot) = self.scope.slot(path) {
            return Some(self.slot(slot));
        }
        match self.scope.condition(path) {
            Some(condition) => {
                self.used.extend(condition.slots());
                Some(Operand::Condition(condition.used()))
            }
            None => self.unknown(node, path),
        }
    }

    fn unknown(&mut self, node: &IdedExpr, path: &str) -> Option<Operand> {
        match self.scope.unknown(path) {
            Some(message) => self.fault(node, message),
            None => {
                self.uses_broken = true;
                None
            }
        }
    }

    pub(super) fn slot(&mut self, slot: Slot) -> Operand {
        self.used.push(slot);
        match &self.scope.declared(slot).ty {
            Type::Bool => Operand::Condition(Expr::Test(slot, Test::IsTrue)),
            ty => Operand::Value(Term::Slot(slot), ty.clone()),
        }
    }

    fn select(&mut self, node: &IdedExpr, select: &SelectExpr) -> Option<Operand> {
        let Cel::Ident(root) = &select.operand.expr else {
            return self.fault(node, format!("`.{}`: a name has two parts, such as `event.amount`", select.field));
        };
        let path = format!("{root}.{}", select.field);
        if self.local(root).is_some() {
            return self.fault(node, format!("`{root}` is an item of a list and has no fields"));
        }
        if let Some(list) = self.scope.list(&path) {
            return match select.test {
                false => Some(Operand::Named(Arc::clone(list))),
                true => self.fault(node, "a named list is always there; use `in`"),
            };
        }
        if !select.test {
            return self.name(node, &path);
        }
        match self.scope.slot(&path) {
            Some(slot) => {
                self.used.push(slot);
                Some(Operand::Condition(Expr::Has(slot)))
            }
            None => self.unknown(node, &path),
        }
    }

    /// `customer.?plan`
    fn optional(&mut self, node: &IdedExpr, args: &[IdedExpr]) -> Option<Operand> {
        let [root, field] = args else { return self.fault(node, "`.?` takes one name") };
        let (Cel::Ident(root), Cel::Literal(LiteralValue::String(field))) = (&root.expr, &field.expr) else {
            return self.fault(node, "`.?` is supported on names such as `customer.?plan`");
        };
        let path = format!("{root}.{}", field.inner());
        match self.scope.slot(&path) {
            Some(slot) => {
                self.used.push(slot);
                Some(Operand::Optional(slot))
            }
            None => self.unknown(node, &path),
        }
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Option<Operand> {
        let args = call.args.as_slice();
        match (call.func_name.as_str(), args) {
            (op::LOGICAL_AND, [left, right]) => self.both(left, right, |l, r| Expr::All(vec![l, r])),
            (op::LOGICAL_OR, [left, right]) => self.both(left, right, |l, r| Expr::Any(vec![l, r])),
            (op::LOGICAL_NOT, [of]) => self.condition(of).map(|of| Operand::Condition(Expr::Not(Box::new(of)))),
            (op::CONDITIONAL, [condition, then, otherwise]) => self.ternary(node, condition, then, otherwise),
            (op::EQUALS, [left, right]) => self.equals(node, left, right).map(Operand::Condition),
            (op::NOT_EQUALS, [left, right]) => {
                self.equals(node, left, right).map(|e| Operand::Condition(Expr::Not(Box::new(e))))
            }
            (op::LESS, [left, right]) => self.ordered(node, (left, right), CompareOp::Less, false),
            (op::LESS_EQUALS, [left, right]) => self.ordered(node, (left, right), CompareOp::LessOrEqual, false),
            (op::GREATER, [left, right]) => self.ordered(node, (left, right), CompareOp::Less, true),
            (op::GREATER_EQUALS, [left, right]) => self.ordered(node, (left, right), CompareOp::LessOrEqual, true),
            (op::IN, [item, list]) => self.within(node, item, list),
            (op::NEGATE, [of]) => self.negate(node, of),
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [left, right]) => {
                self.math(node, &call.func_name, left, right)
            }
            (op::OPT_SELECT, args) => self.optional(node, args),
            (op::INDEX, [list, at]) => self.indexed(node, list, at),
            (op::OPT_INDEX, _) => self.fault(node, "`[?…]` is not supported in conditions"),
            _ => function::call(self, node, call),
        }
    }

    fn both(&mut self, left: &IdedExpr, right: &IdedExpr, join: fn(Expr, Expr) -> Expr) -> Option<Operand> {
        let (left, right) = (self.condition(left), self.condition(right));
        Some(Operand::Condition(join(left?, right?)))
    }

    fn ternary(
        &mut self,
        node: &IdedExpr,
        condition: &IdedExpr,
        then: &IdedExpr,
        otherwise: &IdedExpr,
    ) -> Option<Operand> {
        let (condition, then, otherwise) = (self.condition(condition), self.operand(then), self.operand(otherwise));
        let condition = Box::new(condition?);
        match self.unify(node, then?, otherwise?)? {
            (Operand::Condition(then), Operand::Condition(otherwise)) => {
                Some(Operand::Condition(Expr::If(condition, Box::new(then), Box::new(otherwise))))
            }
            (then, otherwise) => {
                let (then, ty) = self.value(node, then)?;
                let (otherwise, _) = self.value(node, otherwise)?;
                Some(Operand::Value(Term::If(condition, Box::new(then), Box::new(otherwise)), ty))
            }
        }
    }

    // === comparing ===

    fn equals(&mut self, node: &IdedExpr, left: &IdedExpr, right: &IdedExpr) -> Option<Expr> {
        let (left, right) = (self.operand(left), self.operand(right));
        self.equal(node, left?, right?)
    }

    pub(super) fn equal(&mut self, node: &IdedExpr, left: Operand, right: Operand) -> Option<Expr> {
        match self.unify(node, left, right)? {
            (Operand::Condition(left), Operand::Condition(right)) => Some(match (left, right) {
                (same, Expr::Const(true)) | (Expr::Const(true), same) => same,
                (opposite, Expr::Const(false)) | (Expr::Const(false), opposite) => Expr::Not(Box::new(opposite)),
                (left, right) => Expr::Same(Box::new(left), Box::new(right)),
            }),
            (left, right) => {
                let (left, ty) = self.value(node, left)?;
                let (right, _) = self.value(node, right)?;
                if matches!(ty, Type::List(_)) {
                    return Some(Expr::SameLists(Box::new(left), Box::new(right)));
                }
                Some(match (left, right) {
                    (Term::Slot(slot), Term::Number(n)) | (Term::Number(n), Term::Slot(slot)) => {
                        Expr::Test(slot, Test::Within(n, n))
                    }
                    (Term::Slot(slot), Term::Text(text)) | (Term::Text(text), Term::Slot(slot)) => {
                        Expr::Test(slot, Test::TextIn([text].into()))
                    }
                    (left, right) => Expr::Compare(CompareOp::Equal, left, right),
                })
            }
        }
    }

    /// `left < right` and `left <= right`; with `swapped`, `left > right` and `left >= right`.
    fn ordered(
        &mut self,
        node: &IdedExpr,
        (left, right): (&IdedExpr, &IdedExpr),
        op: CompareOp,
        swapped: bool,
    ) -> Option<Operand> {
        let swap = |(a, b)| if swapped { (b, a) } else { (a, b) };
        let (left, right) = (self.operand(left), self.operand(right));
        let (low, high) = swap((left?, right?));
        let (left, right) = swap(whole_bounds(low, high, op));
        let (low, high) = swap(self.unify(node, left, right)?);
        let (low, ty) = self.any_value(node, low)?;
        let (high, _) = self.any_value(node, high)?;
        if matches!(ty, Type::OneOf(_) | Type::List(_)) {
            return self.fault(node, format!("values of type {} have no order", ty.name()));
        }
        let strict = i64::from(op == CompareOp::Less);
        Some(Operand::Condition(match (low, high) {
            (Term::Slot(slot), Term::Number(n)) => match n.checked_sub(strict) {
                Some(max) => Expr::Test(slot, Test::Within(i64::MIN, max)),
                None => Expr::Compare(op, Term::Slot(slot), Term::Number(n)),
            },
            (Term::Number(n), Term::Slot(slot)) => match n.checked_add(strict) {
                Some(min) => Expr::Test(slot, Test::Within(min, i64::MAX)),
                None => Expr::Compare(op, Term::Number(n), Term::Slot(slot)),
            },
            (low, high) => Expr::Compare(op, low, high),
        }))
    }

    // === arithmetic ===

    fn negate(&mut self, node: &IdedExpr, of: &IdedExpr) -> Option<Operand> {
        match self.operand(of)? {
            Operand::Int(v) => match v.checked_neg() {
                Some(v) => Some(Operand::Int(v)),
                None => self.fault(node, "the number overflows"),
            },
            Operand::Decimal(v) => v.checked_neg().map(Operand::Decimal),
            Operand::Value(term, ty @ (Type::Int | Type::Decimal | Type::Duration)) => {
                Some(Operand::Value(Term::Negate(Box::new(term)), ty))
            }
            other => self.fault(node, format!("`-` needs a number, found {}", other.describe())),
        }
    }

    fn math(&mut self, node: &IdedExpr, name: &str, left: &IdedExpr, right: &IdedExpr) -> Option<Operand> {
        let (left, right) = (self.operand(left), self.operand(right));
        let (left, right) = (left?, right?);
        let described = (left.describe(), right.describe());
        let (left, right) = match name {
            op::ADD => (as_text(left), as_text(right)),
            _ => (left, right),
        };
        let (left, right) =
            if is_time(&left) || is_time(&right) { (left, right) } else { self.unify(node, left, right)? };
        let (left, left_type) = self.value(node, left)?;
        let (right, right_type) = self.value(node, right)?;
        let join = |op: MathOp, ty: Type| {
            Some(Operand::Value(Term::Math(op, Box::new(left.clone()), Box::new(right.clone())), ty))
        };
        match (name, &left_type, &right_type) {
            (op::ADD, Type::Int | Type::Decimal | Type::Duration, same) if *same == left_type => {
                join(MathOp::Add, left_type)
            }
            (op::SUBSTRACT, Type::Int | Type::Decimal | Type::Duration, same) if *same == left_type => {
                join(MathOp::Subtract, left_type)
            }
            (op::ADD, Type::Time, Type::Duration) | (op::ADD, Type::Duration, Type::Time) => {
                join(MathOp::AddToTime, Type::Time)
            }
            (op::SUBSTRACT, Type::Time, Type::Duration) => join(MathOp::SubtractFromTime, Type::Time),
            (op::SUBSTRACT, Type::Time, Type::Time) => join(MathOp::Subtract, Type::Duration),
            (op::MULTIPLY, Type::Int, Type::Int) => join(MathOp::MultiplyInt, Type::Int),
            (op::DIVIDE, Type::Int, Type::Int) => join(MathOp::DivideInt, Type::Int),
            (op::MODULO, Type::Int, Type::Int) => join(MathOp::RemainderInt, Type::Int),
            (op::MULTIPLY, Type::Decimal, Type::Decimal) => join(MathOp::MultiplyDecimal, Type::Decimal),
            (op::DIVIDE, Type::Decimal, Type::Decimal) => join(MathOp::DivideDecimal, Type::Decimal),
            (op::ADD, Type::Text, Type::Text) => {
                Some(Operand::Value(Term::Concat(Box::new(left), Box::new(right)), Type::Text))
            }
            _ => {
                let symbol = name.trim_matches('_');
                self.fault(node, format!("`{symbol}` cannot join {} and {}", described.0, described.1))
            }
        }
    }
}

/// Where a whole number is compared with a decimal literal, the literal becomes the whole number that decides:
/// `count > 2.5` is `count > 2`, and `count < 2.5` is `count < 3`.
fn whole_bounds(low: Operand, high: Operand, op: CompareOp) -> (Operand, Operand) {
    let floor = |d: Decimal| d.units().div_euclid(10_000);
    let ceil = |d: Decimal| floor(d) + i64::from(d.to_int().is_none());
    match (&low, &high) {
        (Operand::Value(_, Type::Int), Operand::Decimal(d)) => {
            let bound = if op == CompareOp::Less { ceil(*d) } else { floor(*d) };
            (low, Operand::Int(bound))
        }
        (Operand::Decimal(d), Operand::Value(_, Type::Int)) => {
            let bound = if op == CompareOp::Less { floor(*d) } else { ceil(*d) };
            (Operand::Int(bound), high)
        }
        _ => (low, high),
    }
}

fn is_time(operand: &Operand) -> bool {
    matches!(operand, Operand::Value(_, Type::Time | Type::Duration))
}

/// A length of time in the forms that CEL and the configuration share.
pub(super) fn parse_delta(text: &str) -> Option<TimeDelta> {
    text.parse().ok()
}
