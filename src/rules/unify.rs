//! Making types agree: literals take the type of the other side, whole numbers become decimals beside a decimal.

use cel::IdedExpr;

use super::Slot;
use super::expr::{Expr, Term};
use super::lower::{Lowering, Operand};
use crate::domain::{Decimal, Type};

impl Lowering<'_> {
    /// Brings two operands to one type: literals take the type of the other side, whole numbers become decimals beside a
    /// decimal, a literal beside an enumeration must be one of its names.
    pub(super) fn unify(&mut self, node: &IdedExpr, left: Operand, right: Operand) -> Option<(Operand, Operand)> {
        use Operand as O;
        let int = |n: i64| O::Value(Term::Number(n), Type::Int);
        let decimal = |d: Decimal| O::Value(Term::Number(d.units()), Type::Decimal);
        Some(match (left, right) {
            (O::Int(l), O::Int(r)) => (int(l), int(r)),
            (O::Value(l, Type::Int), O::Int(r)) => (O::Value(l, Type::Int), int(r)),
            (O::Int(l), O::Value(r, Type::Int)) => (int(l), O::Value(r, Type::Int)),
            (O::Decimal(l), O::Decimal(r)) => (decimal(l), decimal(r)),
            (O::Value(l, Type::Decimal), O::Decimal(r)) => (O::Value(l, Type::Decimal), decimal(r)),
            (O::Decimal(l), O::Value(r, Type::Decimal)) => (decimal(l), O::Value(r, Type::Decimal)),
            (l @ (O::Int(_) | O::Value(_, Type::Int)), r @ (O::Decimal(_) | O::Value(_, Type::Decimal))) => {
                let l = self.as_decimal(node, l)?;
                return self.unify(node, l, r);
            }
            (l @ (O::Decimal(_) | O::Value(_, Type::Decimal)), r @ (O::Int(_) | O::Value(_, Type::Int))) => {
                let r = self.as_decimal(node, r)?;
                return self.unify(node, l, r);
            }
            (O::Text(l), O::Text(r)) => (text(l), text(r)),
            (O::Value(l, Type::Text), O::Text(r)) => (O::Value(l, Type::Text), text(r)),
            (O::Text(l), O::Value(r, Type::Text)) => (text(l), O::Value(r, Type::Text)),
            (O::Value(l, Type::OneOf(of)), O::Text(r)) => {
                let r = self.member(node, Type::OneOf(of.clone()), &r)?;
                (O::Value(l, Type::OneOf(of)), r)
            }
            (O::Text(l), O::Value(r, Type::OneOf(of))) => {
                let l = self.member(node, Type::OneOf(of.clone()), &l)?;
                (l, O::Value(r, Type::OneOf(of)))
            }
            (O::Value(l, Type::OneOf(a)), O::Value(r, Type::OneOf(b))) if a != b => {
                (named(l, Type::OneOf(a)), named(r, Type::OneOf(b)))
            }
            (O::Value(l, l_type @ Type::OneOf(_)), O::Value(r, Type::Text)) => {
                (named(l, l_type), O::Value(r, Type::Text))
            }
            (O::Value(l, Type::Text), O::Value(r, r_type @ Type::OneOf(_))) => {
                (O::Value(l, Type::Text), named(r, r_type))
            }
            (O::Value(l, l_type), O::Value(r, r_type)) if l_type == r_type => {
                (O::Value(l, l_type), O::Value(r, r_type))
            }
            (O::Value(l, Type::List(of)), O::List(items)) => {
                let items = self.items(node, items, &of)?;
                (O::Value(l, Type::List(of.clone())), O::Value(items, Type::List(of)))
            }
            (O::List(items), O::Value(r, Type::List(of))) => {
                let items = self.items(node, items, &of)?;
                (O::Value(items, Type::List(of.clone())), O::Value(r, Type::List(of)))
            }
            (O::List(l), O::List(r)) => {
                let all: Vec<O> = l.iter().chain(&r).cloned().collect();
                let (_, of) = self.list(node, O::List(all))?;
                let (l, r) = (self.items(node, l, &of)?, self.items(node, r, &of)?);
                (O::Value(l, Type::List(Box::new(of.clone()))), O::Value(r, Type::List(Box::new(of))))
            }
            (l @ O::Condition(_), r @ O::Condition(_)) => (l, r),
            (l, r) => {
                let message = format!("{} and {} cannot be compared or joined", l.describe(), r.describe());
                return self.fault(node, message);
            }
        })
    }

    fn as_decimal(&mut self, node: &IdedExpr, operand: Operand) -> Option<Operand> {
        match operand {
            Operand::Int(n) => match Decimal::from_int(n) {
                Some(d) => Some(Operand::Decimal(d)),
                None => self.fault(node, format!("{n} is too large for a decimal")),
            },
            Operand::Value(Term::Number(n), Type::Int) => self.as_decimal(node, Operand::Int(n)),
            Operand::Value(term, Type::Int) => Some(Operand::Value(Term::ToDecimal(Box::new(term)), Type::Decimal)),
            other => Some(other),
        }
    }

    /// A text literal where a member of an enumeration belongs.
    fn member(&mut self, node: &IdedExpr, ty: Type, name: &str) -> Option<Operand> {
        match ty.parse(name) {
            Ok(crate::domain::Value::Symbol(symbol)) => Some(Operand::Value(Term::Number(symbol.into()), ty)),
            Ok(_) => None,
            Err(mismatch) => self.fault(node, mismatch.to_string()),
        }
    }

    /// The operand as a value with its own type.
    pub(super) fn value(&mut self, node: &IdedExpr, operand: Operand) -> Option<(Term, Type)> {
        match operand {
            Operand::Value(term, ty) => Some((term, ty)),
            Operand::Int(n) => Some((Term::Number(n), Type::Int)),
            Operand::Decimal(d) => Some((Term::Number(d.units()), Type::Decimal)),
            Operand::Text(text) => Some((Term::Text(text.into()), Type::Text)),
            list @ Operand::List(_) => self.list(node, list).map(|(term, of)| (term, Type::List(Box::new(of)))),
            other => self.fault(node, format!("a single value is needed here, found {}", other.describe())),
        }
    }

    /// The operand as a text; a member of an enumeration gives its name.
    pub(super) fn text(&mut self, node: &IdedExpr, operand: Operand) -> Option<Term> {
        match operand {
            Operand::Value(term, ty @ Type::OneOf(_)) => match named(term, ty) {
                Operand::Value(term, _) => Some(term),
                _ => None,
            },
            Operand::Value(term, Type::Text) => Some(term),
            Operand::Text(text) => Some(Term::Text(text.into())),
            other => self.fault(node, format!("a text is needed here, found {}", other.describe())),
        }
    }

    /// `customer.?plan.orValue("free")`: the literal or value must be of the slot's type.
    pub(super) fn or_value(&mut self, node: &IdedExpr, slot: Slot, otherwise: Operand) -> Option<Operand> {
        match (self.slot(slot), otherwise) {
            (Operand::Condition(_), Operand::Condition(otherwise)) => {
                Some(Operand::Condition(Expr::OrElse(slot, Box::new(otherwise))))
            }
            (known, otherwise) => {
                let (known, otherwise) = self.unify(node, known, otherwise)?;
                let (known, ty) = self.value(node, known)?;
                let (otherwise, _) = self.value(node, otherwise)?;
                Some(Operand::Value(Term::OrElse(Box::new(known), Box::new(otherwise)), ty))
            }
        }
    }
}

fn text(text: String) -> Operand {
    Operand::Value(Term::Text(text.into()), Type::Text)
}

/// The text of a member of an enumeration.
fn named(term: Term, ty: Type) -> Operand {
    match ty {
        Type::OneOf(of) => Operand::Value(Term::NameOf(of, Box::new(term)), Type::Text),
        other => Operand::Value(term, other),
    }
}

/// A member of an enumeration as its name, for joining; anything else as it is.
pub(super) fn as_text(operand: Operand) -> Operand {
    match operand {
        Operand::Value(term, ty @ Type::OneOf(_)) => named(term, ty),
        other => other,
    }
}
