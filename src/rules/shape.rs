//! Conditions as the analysis looks at them: rows of sets of values, and atoms for what no set can say.

use std::fmt::Write;
use std::sync::Arc;

use super::eval::{Evaluation, Scratch, Truth};
use super::expr::{CompareOp, Expr, Term, Test, TextOp};
use super::normal::rows;
use super::rule::IfUnavailable;
use super::set::RuleSet;
use super::value_set::ValueSet;
use super::{Slot, Values};

/// A conjunction: sets of values of single names, and atoms.
#[derive(Clone, Debug)]
pub(crate) struct ShapeRow {
    /// At most one set per name.
    pub(crate) sets: Vec<(Slot, ValueSet)>,
    /// What no set can say; an atom that is negated must be false for the row to hold.
    pub(crate) atoms: Vec<(Atom, IsNegated)>,
}

/// Whether an atom must be false.
pub(crate) type IsNegated = bool;

/// A part of a condition that is not about the values of one name. Parts that are written alike are one atom.
#[derive(Clone, Debug)]
pub(crate) struct Atom {
    expr: Arc<Expr>,
    /// The same for the same expression.
    pub(crate) key: Box<str>,
    /// The names it looks at, perhaps more.
    pub(crate) slots: Box<[Slot]>,
    /// What is known of it.
    pub(crate) form: AtomForm,
}

/// What is known of an atom.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AtomForm {
    /// Any of the texts has any of the phrases.
    Mentions(Box<[String]>),
    /// The text has the literal in it, at its start or at its end.
    Text(Place, Box<str>),
    /// The list has the item: a text, or the ordinal of a value.
    Item(Result<Box<str>, i64>),
    /// Nothing but the numbers in it.
    Other(Box<[i64]>),
}

/// Where in a text a literal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Anywhere,
    Start,
    End,
}

impl RuleSet {
    /// Whether the condition of a rule holds.
    pub fn truth<V: Values>(&self, rank: usize, values: &V, scratch: &mut Scratch) -> Truth {
        self.rules()[rank].condition.truth(&mut Evaluation::new(values, &self.texts, &mut scratch.evaluation))
    }

    /// Whether a rule matches: its condition holds, or cannot be told and the rule applies nevertheless.
    pub fn matches<V: Values>(&self, rank: usize, values: &V, scratch: &mut Scratch) -> bool {
        match self.truth(rank, values, scratch) {
            Truth::True => true,
            Truth::False => false,
            Truth::Unavailable(_) => self.rules()[rank].if_unavailable == IfUnavailable::Apply,
        }
    }

    /// Whether an atom of one of the rules holds.
    pub(crate) fn truth_of_atom<V: Values>(&self, atom: &Atom, values: &V, scratch: &mut Scratch) -> Truth {
        Evaluation::new(values, &self.texts, &mut scratch.evaluation).truth(&atom.expr)
    }

    /// The rows of a rule's condition.
    pub(crate) fn shape(&self, rank: usize) -> Vec<ShapeRow> {
        let condition = &self.rules()[rank].condition;
        let row = |row: super::normal::Row<'_>| ShapeRow {
            atoms: row.residue.iter().map(|r| self.literal(r.expr, r.is_negated, condition.slots())).collect(),
            sets: row.sets,
        };
        rows(condition).into_iter().map(row).collect()
    }

    /// An atom and whether it must be false. `a < b` is the negation of `b <= a`, so that both are one atom.
    fn literal(&self, expr: &Expr, is_negated: bool, all: &[Slot]) -> (Atom, IsNegated) {
        match expr {
            Expr::Compare(CompareOp::Less, left, right) => {
                let opposite = Expr::Compare(CompareOp::LessOrEqual, right.clone(), left.clone());
                (self.atom(&opposite, all), !is_negated)
            }
            other => (self.atom(other, all), is_negated),
        }
    }

    fn atom(&self, expr: &Expr, all: &[Slot]) -> Atom {
        let mut parts = Parts::default();
        let is_complete = parts.of_expr(expr);
        parts.slots.sort_unstable();
        parts.slots.dedup();
        let slots = if is_complete { parts.slots.into() } else { all.into() };
        let form = self.form(expr).unwrap_or_else(|| AtomForm::Other(parts.numbers.into()));
        Atom { key: key(expr), expr: Arc::new(expr.clone()), slots, form }
    }

    fn form(&self, expr: &Expr) -> Option<AtomForm> {
        let is_name = |term: &Term| matches!(term, Term::Slot(_));
        Some(match expr {
            Expr::Test(_, Test::Mentions(phrases)) => AtomForm::Mentions(self.texts.phrases_of(phrases).into()),
            Expr::Mentions(texts, phrases) if texts.iter().all(is_name) => AtomForm::Mentions(phrases[..].into()),
            Expr::Text(op, Term::Slot(_), Term::Text(literal)) => {
                let place = match op {
                    TextOp::Contains => Place::Anywhere,
                    TextOp::StartsWith => Place::Start,
                    TextOp::EndsWith => Place::End,
                };
                AtomForm::Text(place, literal.clone())
            }
            Expr::Contains(_, Term::Text(item)) => AtomForm::Item(Ok(item.clone())),
            Expr::Contains(_, Term::Number(item)) => AtomForm::Item(Err(*item)),
            _ => return None,
        })
    }
}

impl Atom {
    /// Whether this atom is true wherever the other is.
    pub(crate) fn is_implied_by(&self, other: &Self) -> bool {
        match (&other.form, &self.form) {
            (AtomForm::Mentions(narrow), AtomForm::Mentions(wide)) => {
                other.slots.iter().all(|slot| self.slots.contains(slot))
                    && narrow.iter().all(|n| wide.iter().any(|w| super::text::implies(n, w)))
            }
            (AtomForm::Text(narrow, long), AtomForm::Text(wide, short)) if self.slots == other.slots => {
                match (narrow, wide) {
                    (_, Place::Anywhere) => long.contains(&**short),
                    (Place::Start, Place::Start) => long.starts_with(&**short),
                    (Place::End, Place::End) => long.ends_with(&**short),
                    _ => false,
                }
            }
            _ => false,
        }
    }
}

/// What is the same for the same expression. One that is very long, for the lists in it, is the same only as itself.
fn key(expr: &Expr) -> Box<str> {
    const BYTES_MAX: usize = 4_096;
    struct Bounded(String);
    impl Write for Bounded {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            if self.0.len() + text.len() > BYTES_MAX {
                return Err(std::fmt::Error);
            }
            self.0.push_str(text);
            Ok(())
        }
    }
    let mut key = Bounded(String::new());
    match write!(key, "{expr:?}") {
        Ok(()) => key.0.into(),
        Err(_) => format!("{expr:p}").into(),
    }
}

/// Names and numbers in an expression.
#[derive(Default)]
struct Parts {
    slots: Vec<Slot>,
    numbers: Vec<i64>,
}

impl Parts {
    /// Notes what is in the expression; false if it holds something that is not looked into.
    fn of_expr(&mut self, expr: &Expr) -> bool {
        match expr {
            Expr::Test(slot, test) => {
                self.slots.push(*slot);
                if let Test::Within(low, high) = test {
                    self.numbers.extend([*low, *high].into_iter().filter(|n| *n != i64::MIN && *n != i64::MAX));
                }
                true
            }
            Expr::Has(slot) => {
                self.slots.push(*slot);
                true
            }
            Expr::OrElse(slot, of) => {
                self.slots.push(*slot);
                self.of_expr(of)
            }
            Expr::Contains(slot, term) => {
                self.slots.push(*slot);
                self.of_term(term)
            }
            Expr::Not(of) => self.of_expr(of),
            Expr::All(parts) | Expr::Any(parts) => parts.iter().all(|part| self.of_expr(part)),
            Expr::Same(left, right) => self.of_expr(left) & self.of_expr(right),
            Expr::If(test, then, otherwise) => self.of_expr(test) & self.of_expr(then) & self.of_expr(otherwise),
            Expr::Compare(_, left, right) | Expr::Text(_, left, right) => self.of_term(left) & self.of_term(right),
            Expr::Matches(of, _) => self.of_term(of),
            Expr::Mentions(texts, _) => texts.iter().all(|text| self.of_term(text)),
            other => matches!(other, Expr::Const(_)),
        }
    }

    fn of_term(&mut self, term: &Term) -> bool {
        match term {
            Term::Number(n) => {
                self.numbers.push(*n);
                true
            }
            Term::Slot(slot) => {
                self.slots.push(*slot);
                true
            }
            Term::NameOf(_, of) | Term::Negate(of) | Term::ToDecimal(of) | Term::Size(of) => self.of_term(of),
            Term::Case(_, of) | Term::Part(_, of, _) => self.of_term(of),
            Term::OrElse(left, right) | Term::Math(_, left, right) | Term::Concat(left, right) => {
                self.of_term(left) & self.of_term(right)
            }
            Term::If(test, then, otherwise) => self.of_expr(test) & self.of_term(then) & self.of_term(otherwise),
            other => matches!(other, Term::Text(_)),
        }
    }
}
