//! What an expression costs at worst, from the declared limits of what it looks at.
//!
//! The unit is a step: one node of the expression visited, one item of a list looked at, or up to 64 bytes of a text looked
//! at. A step takes some nanoseconds. What an expression without loops costs is bounded by its length, so the evaluator counts
//! steps only where there is more: in loops, for texts, and for named conditions, which stand for more than is written.

use super::Scope;
use super::expr::{Expr, Function, Term, Test};
use crate::domain::Type;

/// Steps that one expression may take at worst: about a millisecond on one core, a fiftieth of the usual budget. Enough for a
/// loop over two lists of a hundred items each, or to look through a text of 64 KiB in ninety ways.
pub const EXPRESSION_STEPS_MAX: u64 = 100_000;

/// Steps that all conditions of one judgement may take together: some twenty milliseconds. Rules that are asked beyond it
/// cannot be told.
pub const JUDGEMENT_STEPS_MAX: u64 = 2_000_000;

/// Bytes of text that are looked at in one step.
pub(super) const TEXT_BYTES_PER_STEP: u64 = 64;

/// Bytes that the texts of one list have together: what an event's data may have.
const LIST_TEXT_BYTES: u64 = 1 << 20;

/// Steps of looking at a text.
#[inline]
pub(super) fn text_steps(bytes: u64) -> u64 {
    1 + bytes / TEXT_BYTES_PER_STEP
}

/// How large a value can be.
#[derive(Clone, Debug, Default)]
struct Size {
    /// Bytes of a text.
    bytes: u64,
    /// Items of a list.
    items: u64,
    /// How large an item of a list can be; among texts, on the average of the longest.
    each: Option<Box<Size>>,
}

impl Size {
    fn text(bytes: u64) -> Self {
        Self { bytes, ..Self::default() }
    }

    fn list(items: u64, each: Self) -> Self {
        Self { bytes: 0, items, each: Some(Box::new(each)) }
    }

    fn of(ty: &Type, length_max: u64) -> Self {
        match ty {
            Type::Text => Self::text(length_max),
            Type::List(of) => {
                let bytes = if **of == Type::Text { LIST_TEXT_BYTES / length_max.max(1) } else { 0 };
                Self::list(length_max, Self::text(bytes))
            }
            _ => Self::default(),
        }
    }

    fn or(self, other: Self) -> Self {
        let each = match (self.each, other.each) {
            (Some(one), Some(other)) => Some(Box::new(one.or(*other))),
            (one, other) => one.or(other),
        };
        Self { bytes: self.bytes.max(other.bytes), items: self.items.max(other.items), each }
    }

    fn item(&self) -> Self {
        self.each.as_deref().cloned().unwrap_or_default()
    }
}

/// The worst-case steps of a condition.
pub(super) fn steps(expr: &Expr, scope: &Scope) -> u64 {
    Costing { scope, locals: Vec::new() }.expr(expr)
}

/// The worst-case steps of a value.
pub(super) fn steps_of(term: &Term, scope: &Scope) -> u64 {
    Costing { scope, locals: Vec::new() }.term(term).0
}

struct Costing<'a> {
    scope: &'a Scope,
    locals: Vec<Size>,
}

impl Costing<'_> {
    fn expr(&mut self, expr: &Expr) -> u64 {
        let inside = match expr {
            Expr::Const(_) | Expr::Has(_) => 0,
            Expr::Test(_, Test::IsTrue | Test::Within(..) | Test::AnyOf(_) | Test::Mentions(_)) => 0,
            Expr::Test(_, Test::TextIn(_) | Test::FoldedIn(_)) => 1,
            Expr::Not(of) | Expr::OrElse(_, of) => self.expr(of),
            Expr::All(parts) | Expr::Any(parts) => sum(parts.iter().map(|part| self.expr(part))),
            Expr::If(condition, then, otherwise) => {
                self.expr(condition).saturating_add(self.expr(then).max(self.expr(otherwise)))
            }
            Expr::Same(left, right) => self.expr(left).saturating_add(self.expr(right)),
            Expr::Compare(_, left, right) => self.term(left).0.saturating_add(self.term(right).0),
            Expr::Text(_, subject, pattern) => self.read(subject).0.saturating_add(self.read(pattern).0),
            Expr::Matches(subject, _) => self.read(subject).0,
            Expr::Member(of, _) => self.term(of).0.saturating_add(1),
            Expr::Mentions(subjects, phrases) => {
                let looks = 1 + phrases.len() as u64;
                sum(subjects.iter().map(|subject| self.read(subject).0.saturating_mul(looks)))
            }
            Expr::Contains(slot, item) => self.slot(*slot).items.saturating_add(self.term(item).0),
            Expr::In(item, list) => {
                let (steps, size) = self.term(list);
                sum([steps, size.items, self.term(item).0])
            }
            Expr::SameLists(left, right) => {
                let ((left, size), (right, other)) = (self.term(left), self.term(right));
                sum([left, right, size.items.min(other.items)])
            }
            Expr::Is(term) => self.term(term).0,
            Expr::Loop(looped) => {
                let (list, size) = self.term(&looped.list);
                let body = self.inside(&size, |costing| costing.expr(&looped.body));
                list.saturating_add(size.items.saturating_mul(body.saturating_add(1)))
            }
            Expr::Named(named) => named.steps,
        };
        inside.saturating_add(1)
    }

    /// Something asked of an item.
    fn inside<T>(&mut self, list: &Size, cost: impl FnOnce(&mut Self) -> T) -> T {
        self.locals.push(list.item());
        let cost = cost(self);
        self.locals.pop();
        cost
    }

    fn slot(&self, slot: super::Slot) -> Size {
        let declared = self.scope.declared(slot);
        Size::of(&declared.ty, declared.length_max as u64)
    }

    /// The steps of working out a text and looking through it, and its size.
    fn read(&mut self, term: &Term) -> (u64, Size) {
        let (steps, size) = self.term(term);
        (steps.saturating_add(text_steps(size.bytes)), size)
    }

    fn term(&mut self, term: &Term) -> (u64, Size) {
        let (inside, size) = match term {
            Term::Number(_) => (0, Size::default()),
            Term::Text(text) => (0, Size::text(text.len() as u64)),
            Term::Slot(slot) => (0, self.slot(*slot)),
            Term::Local(from_inside) => {
                let at = self.locals.len().checked_sub(1 + from_inside);
                (0, at.map_or_else(Size::default, |at| self.locals[at].clone()))
            }
            Term::Truth(expr) => (self.expr(expr), Size::default()),
            Term::NameOf(of, symbol) => {
                let longest = of.names().map(str::len).max().unwrap_or(0);
                (self.term(symbol).0, Size::text(longest as u64))
            }
            Term::OrElse(first, otherwise) => {
                let ((first, size), (otherwise, other)) = (self.term(first), self.term(otherwise));
                (first.saturating_add(otherwise), size.or(other))
            }
            Term::If(condition, then, otherwise) => {
                let condition = self.expr(condition);
                let ((then, size), (otherwise, other)) = (self.term(then), self.term(otherwise));
                (condition.saturating_add(then.max(otherwise)), size.or(other))
            }
            Term::Math(_, left, right) => (self.term(left).0.saturating_add(self.term(right).0), Size::default()),
            Term::Negate(of) | Term::ToDecimal(of) | Term::Part(_, of, _) => (self.term(of).0, Size::default()),
            Term::Size(of) => (self.read(of).0, Size::default()),
            Term::Case(_, of) => self.read(of),
            Term::Apply(function, args) => self.applied(*function, args),
            Term::Concat(left, right) => {
                let ((left, size), (right, other)) = (self.term(left), self.term(right));
                let bytes = size.bytes.saturating_add(other.bytes);
                (sum([left, right, text_steps(bytes)]), Size::text(bytes))
            }
            Term::Items(items) => {
                let costs: Vec<(u64, Size)> = items.iter().map(|item| self.term(item)).collect();
                let steps = sum(costs.iter().map(|(steps, _)| *steps));
                let each = costs.into_iter().map(|(_, size)| size).fold(Size::default(), Size::or);
                (steps, Size::list(items.len() as u64, each))
            }
            Term::Gather(gather) => {
                let (list, size) = self.term(&gather.list);
                let (each, given) = self.inside(&size, |costing| {
                    let keep = gather.keep.as_ref().map_or(0, |keep| costing.expr(keep));
                    let (give, given) =
                        gather.give.as_ref().map_or_else(|| (0, size.item()), |give| costing.term(give));
                    (keep.saturating_add(give), given)
                });
                let steps = list.saturating_add(size.items.saturating_mul(each.saturating_add(1)));
                (steps, Size::list(size.items, given))
            }
            Term::Item(list, at) => {
                let (steps, size) = self.term(list);
                (steps.saturating_add(self.term(at).0), size.item())
            }
        };
        (inside.saturating_add(1), size)
    }
}

impl Costing<'_> {
    fn applied(&mut self, function: Function, args: &[Term]) -> (u64, Size) {
        let mut sizes = Vec::with_capacity(args.len());
        let mut steps: u64 = 0;
        for arg in args {
            let (cost, size) = self.term(arg);
            steps = steps.saturating_add(cost);
            sizes.push(size);
        }
        let size = |nth: usize| sizes.get(nth).cloned().unwrap_or_default();
        let subject = size(0);
        // A text that is looked for is found once in as many bytes as it has; an empty one everywhere.
        let found = match args.get(1) {
            Some(Term::Text(what)) => subject.bytes / (what.len() as u64).max(1) + 1,
            _ => subject.bytes.saturating_add(1),
        };
        let (own, result) = match function {
            Function::Greatest | Function::Least => (subject.items, subject.item()),
            Function::CharAt => (text_steps(subject.bytes), Size::text(4)),
            Function::Substring => (text_steps(subject.bytes), subject),
            Function::IndexOf | Function::LastIndexOf => (text_steps(subject.bytes), Size::default()),
            Function::Replace => {
                let bytes = subject.bytes.saturating_add(found.saturating_mul(size(2).bytes));
                (text_steps(subject.bytes).saturating_add(text_steps(bytes)), Size::text(bytes))
            }
            Function::Split => {
                let items = match args.get(2) {
                    Some(Term::Number(limit)) => u64::try_from(*limit).map_or(found, |limit| limit.min(found)),
                    _ => found,
                };
                let each = Size::text(subject.bytes / items.max(1) + 1);
                (text_steps(subject.bytes).saturating_add(items), Size::list(items, each))
            }
            Function::Join => {
                let each = subject.item().bytes.saturating_add(size(1).bytes);
                let bytes = subject.items.saturating_mul(each);
                (subject.items.saturating_add(text_steps(bytes)), Size::text(bytes))
            }
            Function::IntOfText | Function::DecimalOfText => (text_steps(subject.bytes), Size::default()),
            Function::TextOfBool | Function::TextOfInt | Function::TextOfDecimal => (1, Size::text(32)),
            Function::TextOfTime | Function::TextOfDuration => (1, Size::text(32)),
            Function::Abs | Function::Ceil | Function::Floor | Function::Round | Function::Trunc => {
                (0, Size::default())
            }
            Function::WholeOfDecimal | Function::SecondsOfTime | Function::TimeOfSeconds => (0, Size::default()),
        };
        (steps.saturating_add(own), result)
    }
}

fn sum(steps: impl IntoIterator<Item = u64>) -> u64 {
    steps.into_iter().fold(0, u64::saturating_add)
}

/// How many nodes a condition has; what named conditions stand for is counted when they are used.
pub(super) fn nodes(expr: &Expr) -> u32 {
    let inside = match expr {
        Expr::Const(_) | Expr::Has(_) | Expr::Test(..) | Expr::Named(_) => 0,
        Expr::Not(of) | Expr::OrElse(_, of) => nodes(of),
        Expr::All(parts) | Expr::Any(parts) => total(parts.iter().map(nodes)),
        Expr::If(condition, then, otherwise) => total([condition, then, otherwise].map(|of| nodes(of))),
        Expr::Same(left, right) => nodes(left).saturating_add(nodes(right)),
        Expr::Compare(_, left, right) | Expr::Text(_, left, right) => total([nodes_of(left), nodes_of(right)]),
        Expr::In(left, right) | Expr::SameLists(left, right) => total([nodes_of(left), nodes_of(right)]),
        Expr::Matches(of, _) | Expr::Member(of, _) | Expr::Contains(_, of) => nodes_of(of),
        Expr::Is(of) => nodes_of(of),
        Expr::Mentions(subjects, _) => total(subjects.iter().map(nodes_of)),
        Expr::Loop(looped) => total([nodes_of(&looped.list), looped.nodes]),
    };
    inside.saturating_add(1)
}

/// How many nodes a value has.
pub(super) fn nodes_of(term: &Term) -> u32 {
    let inside = match term {
        Term::Number(_) | Term::Text(_) | Term::Slot(_) | Term::Local(_) => 0,
        Term::Truth(expr) => nodes(expr),
        Term::NameOf(_, of) | Term::Negate(of) | Term::ToDecimal(of) => nodes_of(of),
        Term::Size(of) | Term::Case(_, of) | Term::Part(_, of, _) => nodes_of(of),
        Term::OrElse(left, right) | Term::Math(_, left, right) => total([nodes_of(left), nodes_of(right)]),
        Term::Concat(left, right) | Term::Item(left, right) => total([nodes_of(left), nodes_of(right)]),
        Term::If(condition, then, otherwise) => total([nodes(condition), nodes_of(then), nodes_of(otherwise)]),
        Term::Items(items) | Term::Apply(_, items) => total(items.iter().map(nodes_of)),
        Term::Gather(gather) => total([nodes_of(&gather.list), gather.nodes]),
    };
    inside.saturating_add(1)
}

fn total(nodes: impl IntoIterator<Item = u32>) -> u32 {
    nodes.into_iter().fold(0, u32::saturating_add)
}
