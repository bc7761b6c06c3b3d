//! Type checking of the functions of numbers, and of those that turn one type into another.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Cel};

use super::expr::{Function, MathOp, Term};
use super::lower::{Lowering, Operand};
use crate::domain::{TimeDelta, Type, suggestion};

/// What `math.` begins.
const NAMES: [&str; 7] = ["abs", "ceil", "floor", "greatest", "least", "round", "trunc"];

impl Lowering<'_> {
    /// `math.greatest(a, b)` and its like; `None` if the call is none of them.
    pub(super) fn math_function(&mut self, node: &IdedExpr, call: &CallExpr) -> Option<Option<Operand>> {
        let is_math = matches!(call.target.as_deref(), Some(IdedExpr { expr: Cel::Ident(name), .. }) if name == "math");
        is_math.then(|| self.mathematical(node, call))
    }

    fn mathematical(&mut self, node: &IdedExpr, call: &CallExpr) -> Option<Operand> {
        let name = call.func_name.as_str();
        let args: Vec<_> = call.args.iter().map(|arg| self.operand(arg)).collect();
        let args: Vec<Operand> = args.into_iter().collect::<Option<_>>()?;
        match (name, args.as_slice()) {
            ("greatest" | "least", [_, ..]) => self.extreme(node, name, args),
            ("abs", [_]) => {
                let (term, ty) = self.numeric(node, name, args)?;
                Some(applied(Function::Abs, vec![term], ty))
            }
            ("ceil", [_]) => self.rounded(node, Function::Ceil, args),
            ("floor", [_]) => self.rounded(node, Function::Floor, args),
            ("round", [_]) => self.rounded(node, Function::Round, args),
            ("trunc", [_]) => self.rounded(node, Function::Trunc, args),
            _ if NAMES.contains(&name) => {
                self.fault(node, format!("`math.{name}` is called with the wrong number of values"))
            }
            _ => self.fault(node, format!("unknown function `math.{name}`{}", suggestion(name, NAMES))),
        }
    }

    fn extreme(&mut self, node: &IdedExpr, name: &str, mut args: Vec<Operand>) -> Option<Operand> {
        let function = if name == "greatest" { Function::Greatest } else { Function::Least };
        let is_list = |arg: &Operand| matches!(arg, Operand::List(_) | Operand::Value(_, Type::List(_)));
        let list = if args.len() == 1 && is_list(&args[0]) { args.remove(0) } else { Operand::List(args) };
        let (list, of) = self.list(node, list)?;
        match of {
            Type::Int | Type::Decimal | Type::Time | Type::Duration => Some(applied(function, vec![list], of)),
            other => self.fault(node, format!("values of type {} have no order", other.name())),
        }
    }

    fn numeric(&mut self, node: &IdedExpr, name: &str, args: Vec<Operand>) -> Option<(Term, Type)> {
        let arg = args.into_iter().next()?;
        let described = arg.describe();
        match self.value(node, arg)? {
            (term, ty @ (Type::Int | Type::Decimal | Type::Duration)) => Some((term, ty)),
            _ => self.fault(node, format!("`{name}` needs a number, found {described}")),
        }
    }

    fn rounded(&mut self, node: &IdedExpr, function: Function, args: Vec<Operand>) -> Option<Operand> {
        let arg = args.into_iter().next()?;
        let described = arg.describe();
        match self.value(node, arg)? {
            (term, Type::Decimal) => Some(applied(function, vec![term], Type::Decimal)),
            _ => self.fault(node, format!("a decimal is needed here, found {described}")),
        }
    }

    /// `int(x)`
    pub(super) fn int(&mut self, node: &IdedExpr, subject: Operand) -> Option<Operand> {
        let described = subject.describe();
        let function = match &subject {
            Operand::Int(_) | Operand::Value(_, Type::Int) => None,
            Operand::Decimal(_) | Operand::Value(_, Type::Decimal) => Some(Function::WholeOfDecimal),
            Operand::Value(_, Type::Time) => Some(Function::SecondsOfTime),
            Operand::Text(_) | Operand::Value(_, Type::Text) => Some(Function::IntOfText),
            _ => return self.fault(node, format!("`int` needs a number, a text or a timestamp, found {described}")),
        };
        let (term, _) = self.value(node, subject)?;
        Some(match function {
            Some(function) => applied(function, vec![term], Type::Int),
            None => Operand::Value(term, Type::Int),
        })
    }

    /// `string(x)`
    pub(super) fn string(&mut self, node: &IdedExpr, subject: Operand) -> Option<Operand> {
        let described = subject.describe();
        let (term, ty) = self.any_value(node, subject)?;
        let function = match ty {
            Type::Bool => Function::TextOfBool,
            Type::Int => Function::TextOfInt,
            Type::Decimal => Function::TextOfDecimal,
            Type::Time => Function::TextOfTime,
            Type::Duration => Function::TextOfDuration,
            Type::Text | Type::OneOf(_) => {
                return self.text(node, Operand::Value(term, ty)).map(|term| Operand::Value(term, Type::Text));
            }
            Type::List(_) => return self.fault(node, format!("`string` needs a single value, found {described}")),
        };
        Some(applied(function, vec![term], Type::Text))
    }

    /// `decimal(x)`
    pub(super) fn decimal(&mut self, node: &IdedExpr, subject: Operand) -> Option<Operand> {
        let described = subject.describe();
        Some(match self.value(node, subject)? {
            (term, Type::Int) => Operand::Value(Term::ToDecimal(Box::new(term)), Type::Decimal),
            (term, Type::Decimal) => Operand::Value(term, Type::Decimal),
            (term, Type::Text) => applied(Function::DecimalOfText, vec![term], Type::Decimal),
            _ => return self.fault(node, format!("`decimal` needs a number or a text, found {described}")),
        })
    }

    /// `duration.getHours()` and its like: the whole length in the unit, milliseconds without the seconds.
    pub(super) fn length_in(&mut self, node: &IdedExpr, name: &str, term: Term) -> Option<Operand> {
        let whole = |op: MathOp, of: Term, n: i64| Term::Math(op, Box::new(of), Box::new(Term::Number(n)));
        let unit = match name {
            "getHours" => TimeDelta::HOUR.micros(),
            "getMinutes" => TimeDelta::MINUTE.micros(),
            "getSeconds" => TimeDelta::SECOND.micros(),
            "getMilliseconds" => {
                let rest = whole(MathOp::RemainderInt, term, TimeDelta::SECOND.micros());
                return Some(Operand::Value(whole(MathOp::DivideInt, rest, 1_000), Type::Int));
            }
            _ => return self.fault(node, format!("`{name}` needs a timestamp, found duration")),
        };
        Some(Operand::Value(whole(MathOp::DivideInt, term, unit), Type::Int))
    }
}

/// A function of some values.
pub(super) fn applied(function: Function, args: Vec<Term>, ty: Type) -> Operand {
    Operand::Value(Term::Apply(function, args.into()), ty)
}
