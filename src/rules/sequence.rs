//! Evaluating lists and the loops over them.

use std::rc::Rc;

use super::eval::{Evaluation, MALFORMED};
use super::expr::{Expr, Gather, Loop, LoopKind, Term};
use super::value::{Val, same};
use super::{Miss, Ref, Slot, Values};
use crate::domain::{Unavailable, Value};

/// The items of a list.
#[derive(Debug, Clone)]
pub(super) enum Sequence<'a> {
    /// A list of the event or the customer.
    Stored(&'a [Value]),
    /// A list that the expression made.
    Made(Rc<[Val<'a>]>),
}

impl<'a> Sequence<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Stored(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<Val<'a>> {
        match self {
            Self::Stored(items) => items.get(at).map(Val::from),
            Self::Made(items) => items.get(at).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Val<'a>> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

impl<'a, V: Values> Evaluation<'a, V> {
    /// Goes through a list, with each item as the innermost local, for as long as `visit` says so.
    fn each(
        &mut self,
        list: &'a Term,
        nodes: u32,
        mut visit: impl FnMut(&mut Self) -> Result<bool, Miss>,
    ) -> Result<(), Miss> {
        let mut with = |evaluation: &mut Self, item| {
            evaluation.charge(1 + u64::from(nodes))?;
            evaluation.locals.push(item);
            let goes_on = visit(evaluation);
            evaluation.locals.pop();
            goes_on
        };
        if let Term::Items(terms) = list {
            for term in terms {
                let item = self.term(term);
                if !with(self, item)? {
                    break;
                }
            }
            return Ok(());
        }
        for item in self.sequence(list)?.iter() {
            if !with(self, Ok(item))? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn looped(&mut self, looped: &'a Loop) -> Result<bool, Miss> {
        if looped.kind == LoopKind::One {
            let mut found = 0_usize;
            self.each(&looped.list, looped.nodes, |evaluation| {
                found += usize::from(evaluation.expr(&looped.body)?);
                Ok(true)
            })?;
            return Ok(found == 1);
        }
        // As `&&` or `||` over the items: one that decides does so beside others that cannot be told.
        let absorbing = looped.kind == LoopKind::Any;
        let mut first_miss = None;
        let mut is_decided = false;
        self.each(&looped.list, looped.nodes, |evaluation| {
            match evaluation.expr(&looped.body) {
                Ok(value) => is_decided = value == absorbing,
                Err(miss) if miss.reason == Unavailable::TooCostly => return Err(miss),
                Err(miss) => first_miss = first_miss.or(Some(miss)),
            }
            Ok(!is_decided)
        })?;
        match first_miss {
            _ if is_decided => Ok(absorbing),
            Some(miss) => Err(miss),
            None => Ok(!absorbing),
        }
    }

    pub(super) fn gathered(&mut self, gather: &'a Gather) -> Result<Sequence<'a>, Miss> {
        let mut made = Vec::new();
        self.each(&gather.list, gather.nodes, |evaluation| {
            if let Some(keep) = &gather.keep
                && !evaluation.expr(keep)?
            {
                return Ok(true);
            }
            made.push(match &gather.give {
                Some(give) => evaluation.term(give)?.shared(),
                None => evaluation.local(0)?,
            });
            Ok(true)
        })?;
        Ok(Sequence::Made(made.into()))
    }

    /// The value of the loop's variable, counted from the innermost loop.
    pub(super) fn local(&self, from_inside: usize) -> Result<Val<'a>, Miss> {
        let at = self.locals.len().checked_sub(1 + from_inside).ok_or(MALFORMED)?;
        self.locals[at].clone()
    }

    pub(super) fn sequence(&mut self, term: &'a Term) -> Result<Sequence<'a>, Miss> {
        match self.term(term)? {
            Val::List(items) => Ok(items),
            _ => Err(MALFORMED),
        }
    }

    pub(super) fn items(&mut self, terms: &'a [Term]) -> Result<Sequence<'a>, Miss> {
        terms.iter().map(|term| self.term(term)).collect::<Result<Vec<_>, _>>().map(|made| Sequence::Made(made.into()))
    }

    /// `item in list`, for a list of the event or the customer.
    pub(super) fn contains(&mut self, slot: Slot, item: &'a Term) -> Result<bool, Miss> {
        let Ref::List(list) = self.slot(slot)? else { return Err(MALFORMED) };
        self.charge(list.len() as u64)?;
        Ok(match self.term(item)? {
            Val::Number(n) => list.iter().any(|known| Ref::from(known) == Ref::Number(n)),
            Val::Text(text) => list.iter().any(|known| known.as_text() == Some(&text)),
            Val::Bool(value) => list.contains(&Value::Bool(value)),
            Val::List(_) => false,
        })
    }

    /// `item in list`, for a list that the expression makes. One of a literal list that is equal decides, whatever is
    /// unavailable.
    pub(super) fn within(&mut self, item: &'a Term, list: &'a Term) -> Result<bool, Miss> {
        let item = self.term(item)?;
        let Term::Items(terms) = list else {
            let list = self.sequence(list)?;
            self.charge(list.len() as u64)?;
            return Ok(list.iter().any(|known| same(&known, &item)));
        };
        let mut first_miss = None;
        for term in terms {
            match self.term(term) {
                Ok(known) if same(&known, &item) => return Ok(true),
                Ok(_) => {}
                Err(miss) => first_miss = first_miss.or(Some(miss)),
            }
        }
        first_miss.map_or(Ok(false), Err)
    }

    /// `list[at]`
    pub(super) fn item(&mut self, list: &'a Term, at: &'a Term) -> Result<Val<'a>, Miss> {
        let at = usize::try_from(self.number(at)?).map_err(|_| OUT_OF_RANGE)?;
        match list {
            Term::Items(terms) => self.term(terms.get(at).ok_or(OUT_OF_RANGE)?),
            list => self.sequence(list)?.get(at).ok_or(OUT_OF_RANGE),
        }
    }

    pub(super) fn same_lists(&mut self, left: &'a Term, right: &'a Term) -> Result<bool, Miss> {
        let (left, right) = (self.term(left)?, self.term(right)?);
        if let (Val::List(left), Val::List(right)) = (&left, &right) {
            self.charge(left.len().min(right.len()) as u64)?;
        }
        Ok(same(&left, &right))
    }

    pub(super) fn is_true(&mut self, term: &'a Term) -> Result<bool, Miss> {
        match self.term(term)? {
            Val::Bool(value) => Ok(value),
            _ => Err(MALFORMED),
        }
    }

    pub(super) fn truth_of(&mut self, expr: &'a Expr) -> Result<Val<'a>, Miss> {
        self.expr(expr).map(Val::Bool)
    }
}

/// A place that a list or a text does not have.
pub(super) const OUT_OF_RANGE: Miss = Miss { slot: None, reason: Unavailable::OutOfRange };
