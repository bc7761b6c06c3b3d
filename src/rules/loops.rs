//! Type checking of lists and of the loops over them.
//!
//! The parser has turned `list.all(x, P)` and its like into one general form of loop; each is known again by its shape.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr as Cel, LiteralValue, operators as op};

use super::cost::{nodes, nodes_of};
use super::expr::{Expr, Gather, Loop, LoopKind, Term};
use super::lower::{Lowering, Operand};
use crate::domain::Type;

/// What a loop does with each item.
enum Shape<'e> {
    Test(LoopKind, &'e IdedExpr),
    Gather { keep: Option<&'e IdedExpr>, give: &'e IdedExpr },
}

impl<'e> Shape<'e> {
    fn of(looped: &'e ComprehensionExpr) -> Option<Self> {
        let step = call(&looped.loop_step)?;
        let is_count = matches!(&looped.accu_init.expr, Cel::Literal(LiteralValue::Int(_)));
        match (step.func_name.as_str(), step.args.as_slice()) {
            (op::LOGICAL_AND, [_, body]) => Some(Self::Test(LoopKind::All, body)),
            (op::LOGICAL_OR, [_, body]) => Some(Self::Test(LoopKind::Any, body)),
            (op::CONDITIONAL, [body, _, _]) if is_count => Some(Self::Test(LoopKind::One, body)),
            (op::CONDITIONAL, [keep, add, _]) => Some(Self::Gather { keep: Some(keep), give: added(add)? }),
            (op::ADD, _) => Some(Self::Gather { keep: None, give: added(&looped.loop_step)? }),
            _ => None,
        }
    }
}

fn call(node: &IdedExpr) -> Option<&CallExpr> {
    match &node.expr {
        Cel::Call(call) => Some(call),
        _ => None,
    }
}

/// The `x` of `result + [x]`.
fn added(node: &IdedExpr) -> Option<&IdedExpr> {
    match call(node)?.args.as_slice() {
        [_, IdedExpr { expr: Cel::List(list), .. }] => list.elements.first(),
        _ => None,
    }
}

impl Lowering<'_> {
    /// `list.all(x, P)`, `exists`, `exists_one`, `filter`, `map`.
    pub(super) fn looped(&mut self, node: &IdedExpr, looped: &ComprehensionExpr) -> Option<Operand> {
        let Some(shape) = Shape::of(looped).filter(|_| looped.iter_var2.is_none()) else {
            return self
                .fault(node, "this loop is not supported; there are `all`, `exists`, `exists_one`, `filter`, `map`");
        };
        let range = self.operand(&looped.iter_range);
        let (list, of) = self.list(&looped.iter_range, range?)?;
        let name = &looped.iter_var;
        if self.scope.is_taken(name) || self.locals.iter().any(|(known, _)| known == name) {
            return self.fault(node, format!("`{name}` already means something here; give the loop another name"));
        }
        self.locals.push((name.clone(), of.clone()));
        let operand = match shape {
            Shape::Test(kind, body) => self.condition(body).map(|body| {
                let nodes = nodes(&body);
                Operand::Condition(Expr::Loop(Box::new(Loop { kind, list, body, nodes })))
            }),
            Shape::Gather { keep, give } => self.gathered(node, list, of, keep, give, name),
        };
        self.locals.pop();
        operand
    }

    fn gathered(
        &mut self,
        node: &IdedExpr,
        list: Term,
        of: Type,
        keep: Option<&IdedExpr>,
        give: &IdedExpr,
        name: &str,
    ) -> Option<Operand> {
        let is_item = matches!(&give.expr, Cel::Ident(given) if given == name);
        let keep = keep.map(|keep| self.condition(keep));
        let give = match is_item {
            true => None,
            false => Some(self.operand(give).and_then(|give| self.any_value(node, give))),
        };
        let keep = keep.map_or(Some(None), |keep| keep.map(Some))?;
        let (give, of) = match give {
            Some(give) => give.map(|(term, ty)| (Some(term), ty))?,
            None => (None, of),
        };
        let nodes = keep.as_ref().map_or(0, nodes) + give.as_ref().map_or(0, nodes_of);
        let gather = Term::Gather(Box::new(Gather { list, keep, give, nodes }));
        Some(Operand::Value(gather, Type::List(Box::new(of))))
    }

    /// The variable of a loop around this place.
    pub(super) fn local(&self, name: &str) -> Option<Operand> {
        let at = self.locals.iter().rposition(|(known, _)| known == name)?;
        // Counted from the inside, so that a named condition means the same inside a loop.
        let term = Term::Local(self.locals.len() - 1 - at);
        Some(of_type(term, self.locals[at].1.clone()))
    }

    /// The operand as a list, with the type of its items.
    pub(super) fn list(&mut self, node: &IdedExpr, operand: Operand) -> Option<(Term, Type)> {
        match operand {
            Operand::Value(term, Type::List(of)) => Some((term, *of)),
            Operand::List(items) if items.is_empty() => {
                self.fault(node, "an empty list: there is nothing to look at, and nothing says what it would hold")
            }
            Operand::List(items) => {
                let of = self.item_type(node, &items)?;
                self.items(node, items, &of).map(|term| (term, of))
            }
            Operand::Named(_) => self.fault(node, "a named list is asked with `in`; there are no loops over it"),
            other => self.fault(node, format!("a list is needed here, found {}", other.describe())),
        }
    }

    /// The type that the items of a literal list have together.
    pub(super) fn item_type(&mut self, node: &IdedExpr, items: &[Operand]) -> Option<Type> {
        let mut of: Option<Type> = None;
        for item in items {
            let ty = match item {
                Operand::Condition(_) => Type::Bool,
                Operand::Int(_) => Type::Int,
                Operand::Decimal(_) => Type::Decimal,
                Operand::Text(_) => Type::Text,
                Operand::Value(_, ty) => ty.clone(),
                Operand::List(items) if items.is_empty() => continue,
                Operand::List(items) => Type::List(Box::new(self.item_type(node, items)?)),
                Operand::Optional(_) | Operand::Named(_) => return self.value(node, item.clone()).map(|(_, ty)| ty),
            };
            of = Some(match (of, ty) {
                (None, ty) => ty,
                (Some(Type::Int), Type::Decimal) | (Some(Type::Decimal), Type::Int) => Type::Decimal,
                (Some(Type::OneOf(a)), Type::OneOf(b)) if a == b => Type::OneOf(a),
                (Some(Type::OneOf(_) | Type::Text), Type::OneOf(_) | Type::Text) => Type::Text,
                (Some(of), ty) if of == ty => of,
                (Some(of), ty) => {
                    let message =
                        format!("the items of a list are of one type; there are {} and {}", of.name(), ty.name());
                    return self.fault(node, message);
                }
            });
        }
        if of.is_none() {
            return self.fault(node, "nothing says what these lists would hold");
        }
        of
    }

    /// A literal list whose items are of the type.
    pub(super) fn items(&mut self, node: &IdedExpr, items: Vec<Operand>, of: &Type) -> Option<Term> {
        let items: Vec<_> = items.into_iter().map(|item| self.item(node, item, of)).collect();
        items.into_iter().collect::<Option<Vec<_>>>().map(|items| Term::Items(items.into()))
    }

    pub(super) fn item(&mut self, node: &IdedExpr, item: Operand, of: &Type) -> Option<Term> {
        match (item, of) {
            (Operand::List(items), Type::List(of)) => self.items(node, items, of),
            (Operand::Condition(expr), Type::Bool) => Some(truth(expr)),
            (item, _) => {
                // The other side only tells the type.
                let (item, _) = self.unify(node, item, of_type(Term::Local(0), of.clone()))?;
                let (term, ty) = self.any_value(node, item)?;
                if ty == *of {
                    Some(term)
                } else {
                    self.fault(node, format!("expected {}, found {}", of.name(), ty.name()))
                }
            }
        }
    }

    /// The operand as a value with its own type, a condition as its truth.
    pub(super) fn any_value(&mut self, node: &IdedExpr, operand: Operand) -> Option<(Term, Type)> {
        match operand {
            Operand::Condition(expr) => Some((truth(expr), Type::Bool)),
            other => self.value(node, other),
        }
    }

    /// `list[i]`
    pub(super) fn indexed(&mut self, node: &IdedExpr, list: &IdedExpr, at: &IdedExpr) -> Option<Operand> {
        let (list, at) = (self.operand(list), self.operand(at));
        let list = match list? {
            Operand::Value(_, Type::Text | Type::OneOf(_)) | Operand::Text(_) => {
                return self.fault(node, "`[…]` is for lists; a character of a text is `charAt(…)`");
            }
            list => self.list(node, list),
        };
        let at = match at? {
            Operand::Int(n) => Some(Term::Number(n)),
            Operand::Value(at, Type::Int) => Some(at),
            other => self.fault(node, format!("the place in a list is an int, found {}", other.describe())),
        };
        let (list, of) = list?;
        Some(of_type(Term::Item(Box::new(list), Box::new(at?)), of))
    }
}

/// A value of a type as an operand.
pub(super) fn of_type(term: Term, ty: Type) -> Operand {
    match (term, ty) {
        (Term::Truth(expr), Type::Bool) => Operand::Condition(*expr),
        (term, Type::Bool) => Operand::Condition(Expr::Is(Box::new(term))),
        (term, ty) => Operand::Value(term, ty),
    }
}

fn truth(expr: Expr) -> Term {
    match expr {
        Expr::Is(term) => *term,
        expr => Term::Truth(Box::new(expr)),
    }
}
