//! Named conditions: what a playbook says once and its rules use by name.

use std::sync::Arc;

use super::cost::nodes;
use super::expr::{Expr, Shared};
use super::{Condition, Slot};

/// A condition that other conditions use by its name.
#[derive(Clone, Debug)]
pub(super) struct NamedCondition {
    shared: Arc<Shared>,
    slots: Box<[Slot]>,
}

impl NamedCondition {
    /// The condition under its number among those of its playbook.
    pub(super) fn new(number: usize, condition: &Condition) -> Self {
        let mut parts: Vec<Expr> = condition.parts().iter().map(|part| part.expr.clone()).collect();
        let expr = if parts.len() == 1 { parts.remove(0) } else { Expr::All(parts) };
        let shared = Shared { number, nodes: nodes(&expr), steps: condition.steps(), expr };
        Self { shared: Arc::new(shared), slots: condition.slots().into() }
    }

    /// The names that it uses.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// What stands where the name is used: a few tests are repeated, so that an index can be built on them; anything larger
    /// is shared, so that conditions built of conditions do not grow with each step.
    pub(super) fn used(&self) -> Expr {
        if is_small(&self.shared.expr) { self.shared.expr.clone() } else { Expr::Named(Arc::clone(&self.shared)) }
    }
}

/// Whether an expression is one test, or a few of them joined once.
fn is_small(expr: &Expr) -> bool {
    const FEW: usize = 8;
    let is_test = |expr: &Expr| match expr {
        Expr::Not(of) => matches!(**of, Expr::Test(..)),
        expr => matches!(expr, Expr::Test(..) | Expr::Const(_) | Expr::Has(_)),
    };
    match expr {
        Expr::All(parts) | Expr::Any(parts) => parts.len() <= FEW && parts.iter().all(is_test),
        expr => is_test(expr),
    }
}
