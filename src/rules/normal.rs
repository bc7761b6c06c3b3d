//! Conditions in disjunctive normal form: a rule as rows, each a conjunction of sets of values and of what no set can say.
//!
//! The form keeps all three truth values: a condition is as true as its truest row, a row as true as its least true part
//! (Kleene's logic is a distributive lattice, so the laws that make the form hold in it; S. C. Kleene, "Introduction to
//! Metamathematics", 1952, section 64). Only the name that is missing first may be told differently, which is why whoever uses the form
//! to find rules evaluates the condition itself before believing it.

use std::sync::Arc;

use super::condition::Condition;
use super::expr::{CompareOp, Expr, Term, Test};
use super::value_set::{Extent, Kleene, ValueSet};
use super::{Ref, Slot};

/// Rows that one rule may have; a part that would make more stays whole, as a residue.
pub(crate) const ROWS_MAX: usize = 16;

/// Values that a set may name one by one; longer lists are looked up when a rule is asked.
const NAMED_MAX: usize = 1_024;

/// Steps of a named condition that is looked into; a larger one is asked, once for all rules that use it.
const NAMED_STEPS_MAX: u64 = 256;

/// A conjunction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row<'a> {
    /// At most one set per name, by slot.
    pub(crate) sets: Vec<(Slot, ValueSet)>,
    /// Parts that are not about one name's values.
    pub(crate) residue: Vec<Residue<'a>>,
}

/// A part of a row that no set can say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Residue<'a> {
    /// The expression.
    pub(super) expr: &'a Expr,
    /// Whether it must be false for the row to hold.
    pub(crate) is_negated: bool,
}

/// The rows of a condition; none for one that never holds and can always be told.
pub(crate) fn rows(condition: &Condition) -> Vec<Row<'_>> {
    let mut rows = vec![Row::default()];
    for part in condition.parts() {
        rows = both(rows, &normal(&part.expr, false)).unwrap_or_else(|rows| both_with(rows, &part.expr, false));
    }
    rows
}

/// The rows of an expression, or of its negation.
fn normal(expr: &Expr, is_negated: bool) -> Vec<Row<'_>> {
    let of_set = |slot: Slot, set: ValueSet| row(slot, if is_negated { set.not() } else { set });
    match expr {
        Expr::Const(value) if *value != is_negated => vec![Row::default()],
        Expr::Const(_) => Vec::new(),
        Expr::Not(of) => normal(of, !is_negated),
        Expr::Named(of) if of.steps <= NAMED_STEPS_MAX => normal(&of.expr, is_negated),
        Expr::All(parts) | Expr::Any(parts) => {
            if matches!(expr, Expr::All(_)) == is_negated {
                any(expr, parts, is_negated)
            } else {
                all(parts, is_negated)
            }
        }
        Expr::Has(slot) => of_set(*slot, ValueSet { extent: Extent::Any(true), when_unavailable: Kleene::False }),
        Expr::Test(..) | Expr::OrElse(..) | Expr::Compare(..) => match value_set(expr) {
            Some((slot, set)) => of_set(slot, set),
            None => vec![residue(expr, is_negated)],
        },
        _ => vec![residue(expr, is_negated)],
    }
}

/// A predicate over one name as a set of its values; `None` if it is no such predicate, or one that sets cannot say.
fn value_set(expr: &Expr) -> Option<(Slot, ValueSet)> {
    match expr {
        Expr::Test(slot, test) => Some((*slot, ValueSet::of(extent(test)?))),
        Expr::OrElse(slot, otherwise) => match **otherwise {
            Expr::Const(value) => Some((*slot, standing_in(Extent::interval(1, 1), value))),
            _ => None,
        },
        Expr::Compare(op, left, right) => compared_with_stand_in(*op, left, right),
        _ => None,
    }
}

fn extent(test: &Test) -> Option<Extent> {
    match test {
        Test::IsTrue => Some(Extent::interval(1, 1)),
        Test::Within(low, high) => Some(Extent::interval(*low, *high)),
        Test::AnyOf(known) if known.len() <= NAMED_MAX => Some(Extent::points(known.iter().copied())),
        Test::TextIn(known) if known.len() <= NAMED_MAX => Some(Extent::texts(Arc::clone(known))),
        Test::AnyOf(_) | Test::TextIn(_) | Test::FoldedIn(_) | Test::Mentions(_) => None,
    }
}

/// `customer.?plan.orValue("free") == "pro"`: a comparison whose truth is known without the value.
fn compared_with_stand_in(op: CompareOp, left: &Term, right: &Term) -> Option<(Slot, ValueSet)> {
    let name_and_stand_in = |term: &Term| match term {
        Term::OrElse(name, stand_in) => match (&**name, &**stand_in) {
            (Term::Slot(slot), Term::Number(n)) => Some((*slot, Term::Number(*n))),
            (Term::Slot(slot), Term::Text(text)) => Some((*slot, Term::Text(text.clone()))),
            _ => None,
        },
        _ => None,
    };
    let (slot, stand_in, extent) = match (name_and_stand_in(left), name_and_stand_in(right)) {
        (Some((slot, stand_in)), None) => (slot, stand_in, compared(op, right, false)?),
        (None, Some((slot, stand_in))) => (slot, stand_in, compared(op, left, true)?),
        _ => return None,
    };
    let holds = match &stand_in {
        Term::Number(n) => extent.has(Ref::Number(*n)),
        Term::Text(text) => extent.has(Ref::Text(text)),
        _ => return None,
    };
    Some((slot, standing_in(extent, holds)))
}

/// The values that stand so to a literal; with `is_right`, the values stand on the right of the operator.
fn compared(op: CompareOp, literal: &Term, is_right: bool) -> Option<Extent> {
    let n = match (op, literal) {
        (_, Term::Number(n)) => *n,
        (CompareOp::Equal, Term::Text(text)) => return Some(Extent::texts([text.clone()].into())),
        _ => return None,
    };
    let strict = i64::from(op == CompareOp::Less);
    Some(match (op, is_right) {
        (CompareOp::Equal, _) => Extent::interval(n, n),
        (_, false) => n.checked_sub(strict).map_or(Extent::Any(false), |high| Extent::interval(i64::MIN, high)),
        (_, true) => n.checked_add(strict).map_or(Extent::Any(false), |low| Extent::interval(low, i64::MAX)),
    })
}

fn standing_in(extent: Extent, holds: bool) -> ValueSet {
    ValueSet { extent, when_unavailable: if holds { Kleene::True } else { Kleene::False } }
}

// === joining rows ===

fn row<'a>(slot: Slot, set: ValueSet) -> Vec<Row<'a>> {
    if set.is_never() {
        return Vec::new();
    }
    vec![Row { sets: vec![(slot, set)], residue: Vec::new() }]
}

fn residue(expr: &Expr, is_negated: bool) -> Row<'_> {
    Row { sets: Vec::new(), residue: vec![Residue { expr, is_negated }] }
}

/// The conjunction of the parts, or of their negations.
fn all(parts: &[Expr], is_negated: bool) -> Vec<Row<'_>> {
    let mut rows = vec![Row::default()];
    for part in parts {
        rows = both(rows, &normal(part, is_negated)).unwrap_or_else(|rows| both_with(rows, part, is_negated));
    }
    rows
}

/// The disjunction of the parts, or of their negations; the whole as a residue if that needs too many rows.
fn any<'a>(whole: &'a Expr, parts: &'a [Expr], is_negated: bool) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = Vec::new();
    for next in parts.iter().flat_map(|part| normal(part, is_negated)) {
        let alike = next
            .only_set()
            .and_then(|(slot, _)| rows.iter().position(|row| row.only_set().is_some_and(|(s, _)| s == slot)));
        match (alike, next.only_set()) {
            (Some(at), Some((_, set))) => rows[at].sets[0].1 = rows[at].sets[0].1.or(set),
            _ if rows.len() == ROWS_MAX => return vec![residue(whole, is_negated)],
            _ => rows.push(next),
        }
    }
    rows
}

impl Row<'_> {
    /// The set of a row that is about the values of one name and nothing else.
    fn only_set(&self) -> Option<(Slot, &ValueSet)> {
        match &self.sets[..] {
            [(slot, set)] if self.residue.is_empty() => Some((*slot, set)),
            _ => None,
        }
    }
}

/// Every row of the left with every row of the right; the left again if that would be too many.
fn both<'a>(left: Vec<Row<'a>>, right: &[Row<'a>]) -> Result<Vec<Row<'a>>, Vec<Row<'a>>> {
    if left.len() * right.len() > ROWS_MAX {
        return Err(left);
    }
    Ok(left.iter().flat_map(|l| right.iter().filter_map(|r| met(l, r))).collect())
}

fn both_with<'a>(rows: Vec<Row<'a>>, expr: &'a Expr, is_negated: bool) -> Vec<Row<'a>> {
    let with = |mut row: Row<'a>| {
        row.residue.push(Residue { expr, is_negated });
        row
    };
    rows.into_iter().map(with).collect()
}

/// Both rows as one; `None` if it could only be false.
fn met<'a>(left: &Row<'a>, right: &Row<'a>) -> Option<Row<'a>> {
    let mut row = left.clone();
    for (slot, set) in &right.sets {
        match row.sets.iter_mut().find(|(known, _)| known == slot) {
            Some((_, known)) => {
                *known = known.and(set);
                if known.is_never() {
                    return None;
                }
            }
            None => row.sets.push((*slot, set.clone())),
        }
    }
    row.residue.extend(&right.residue);
    row.sets.sort_by_key(|(slot, _)| *slot);
    Some(row)
}
