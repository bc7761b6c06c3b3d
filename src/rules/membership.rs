//! Type checking of `in`: an item among literals, in a list of the event or the customer, or in a named list.

use cel::IdedExpr;

use super::NamedList;
use super::expr::{CompareOp, Expr, Term, Test};
use super::list::{Members, sorted};
use super::loops::of_type;
use super::lower::{Lowering, Operand};
use crate::domain::Type;

impl Lowering<'_> {
    pub(super) fn within(&mut self, node: &IdedExpr, item: &IdedExpr, list: &IdedExpr) -> Option<Operand> {
        let (item, list) = (self.operand(item), self.operand(list));
        match (item?, list?) {
            (item, Operand::List(items)) if items.is_empty() => {
                self.fault(node, format!("`in []` is never true (the item is {})", item.describe()))
            }
            (item, Operand::List(items)) if !is_plain(&item) => self.among(node, item, items).map(Operand::Condition),
            (item, Operand::List(items)) => {
                let tests: Vec<_> = items.into_iter().map(|known| self.equal(node, item.clone(), known)).collect();
                let tests = tests.into_iter().collect::<Option<Vec<_>>>()?;
                Some(Operand::Condition(merged(tests)))
            }
            (item, Operand::Value(list, Type::List(of))) => {
                // The other side only tells the type.
                let (item, _) = self.unify(node, item, of_type(Term::Local(0), *of))?;
                let (item, _) = self.any_value(node, item)?;
                Some(Operand::Condition(match list {
                    Term::Slot(slot) => Expr::Contains(slot, item),
                    list => Expr::In(Box::new(item), Box::new(list)),
                }))
            }
            (item, Operand::Named(list)) => self.listed(node, item, &list).map(Operand::Condition),
            (_, other) => self.fault(node, format!("`in` needs a list on its right, found {}", other.describe())),
        }
    }

    /// A value that is worked out once and then looked for in a literal list.
    fn among(&mut self, node: &IdedExpr, item: Operand, items: Vec<Operand>) -> Option<Expr> {
        let of = match &item {
            Operand::Value(_, of @ Type::OneOf(_)) if items.iter().all(|item| matches!(item, Operand::Text(_))) => {
                of.clone()
            }
            _ => {
                let all: Vec<Operand> = std::iter::once(&item).chain(&items).cloned().collect();
                self.item_type(node, &all)?
            }
        };
        let item = self.item(node, item, &of);
        let Term::Items(known) = self.items(node, items, &of)? else { return None };
        let item = item?;
        let number = |term: &Term| if let Term::Number(n) = term { Some(*n) } else { None };
        let text = |term: &Term| if let Term::Text(text) = term { Some(text.clone()) } else { None };
        if let Some(numbers) = known.iter().map(number).collect::<Option<Vec<_>>>() {
            return Some(member(item, Members::Numbers(sorted(numbers))));
        }
        if let Some(texts) = known.iter().map(text).collect::<Option<Vec<_>>>() {
            return Some(member(item, Members::Texts(sorted(texts))));
        }
        Some(Expr::In(Box::new(item), Box::new(Term::Items(known))))
    }

    /// `event.sender in list.blocked_senders`
    fn listed(&mut self, node: &IdedExpr, item: Operand, list: &NamedList) -> Option<Expr> {
        let members = list.members().clone();
        if let (Operand::Value(term, Type::OneOf(of)), Type::Text) = (&item, list.ty()) {
            let known = (0..).zip(of.names()).filter(|(_, name)| members.has_text(name)).map(|(symbol, _)| symbol);
            return Some(member(term.clone(), Members::Numbers(known.collect())));
        }
        let described = item.describe();
        let (mut term, mut ty) = match item {
            Operand::Condition(_) | Operand::List(_) | Operand::Optional(_) | Operand::Named(_) => (None, None),
            item => self.value(node, item).map_or((None, None), |(term, ty)| (Some(term), Some(ty))),
        };
        if (ty.as_ref(), list.ty()) == (Some(&Type::Int), &Type::Decimal) {
            (term, ty) = (term.map(|term| Term::ToDecimal(Box::new(term))), Some(Type::Decimal));
        }
        match (term, ty) {
            (Some(term), Some(ty)) if ty == *list.ty() => Some(member(term, members)),
            _ => {
                self.fault(node, format!("the list holds values of type {}, the item is {described}", list.ty().name()))
            }
        }
    }
}

/// Whether an item may be written out once for each value that it is compared with.
fn is_plain(item: &Operand) -> bool {
    match item {
        Operand::Value(term, _) => matches!(term, Term::Slot(_) | Term::Local(_) | Term::Number(_)),
        Operand::Condition(expr) => matches!(expr, Expr::Const(_) | Expr::Test(..) | Expr::Has(_)),
        Operand::List(_) => false,
        Operand::Int(_) | Operand::Decimal(_) | Operand::Text(_) | Operand::Optional(_) | Operand::Named(_) => true,
    }
}

/// Several tests of one value for equality as one test for membership.
fn merged(tests: Vec<Expr>) -> Expr {
    let (mut numbers, mut texts) = (Vec::new(), Vec::new());
    let mut of: Option<Term> = None;
    for test in &tests {
        let left = match test {
            Expr::Test(slot, Test::Within(low, high)) if low == high => {
                numbers.push(*low);
                &Term::Slot(*slot)
            }
            Expr::Test(slot, Test::TextIn(known)) => {
                texts.extend(known.iter().cloned());
                &Term::Slot(*slot)
            }
            Expr::Compare(CompareOp::Equal, left, Term::Number(n)) => {
                numbers.push(*n);
                left
            }
            Expr::Compare(CompareOp::Equal, left, Term::Text(text)) => {
                texts.push(text.clone());
                left
            }
            _ => return Expr::Any(tests),
        };
        // Apart from names on the right, all tests have the same item on their left: two that begin alike are alike.
        let is_same = |known: &Term| match (known, left) {
            (Term::Slot(known), Term::Slot(slot)) => known == slot,
            _ => std::mem::discriminant(known) == std::mem::discriminant(left),
        };
        match &of {
            Some(known) if !is_same(known) => return Expr::Any(tests),
            Some(_) => {}
            None => of = Some(left.clone()),
        }
    }
    match (of, texts.is_empty()) {
        (Some(of), true) => member(of, Members::Numbers(sorted(numbers))),
        (Some(of), false) if numbers.is_empty() => member(of, Members::Texts(sorted(texts))),
        _ => Expr::Any(tests),
    }
}

/// A value is one of these: a test where it has a name, so that an index can be built on it.
fn member(of: Term, members: Members) -> Expr {
    match (of, members) {
        (Term::Slot(slot), Members::Numbers(known)) => Expr::Test(slot, Test::AnyOf(known)),
        (Term::Slot(slot), Members::Texts(known)) => Expr::Test(slot, Test::TextIn(known)),
        (Term::Slot(slot), Members::Folded(known)) => Expr::Test(slot, Test::FoldedIn(known)),
        (of, members) => Expr::Member(of, members),
    }
}
