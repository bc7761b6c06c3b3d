//! The rule tier: conditions in CEL, type-checked at load, and the first match of a ranked set of rules.
//!
//! The room knows no clock, no customer and no file: it is handed texts to compile and values to judge. The parser of the
//! `cel` crate is used here and nowhere else; the evaluator is our own, because a decision needs three truth values, exact
//! decimals, a bound on cost and a reason for everything, none of which the crate's interpreter has.
//!
//! Cost of a decision: an index rules out all but a few rules, which are then asked; phrases (`mentions`) of all rules
//! together cost one pass over the text. Nothing is allocated on the plain way.
//!
//! | file | noun |
//! |---|---|
//! | `scope` | names, slots, and where values come from |
//! | `condition` | an expression: parsed, checked, cut into parts |
//! | `syntax` | its text, its tree, and the places between them |
//! | `lower`, `unify`, `membership`, `loops`, `function`, `number_function` | the type checker |
//! | `named` | named conditions |
//! | `expr` | what it produces |
//! | `cost` | the bound on what an expression costs |
//! | `eval`, `value`, `sequence`, `apply` | three-valued evaluation, of values, of lists and of functions |
//! | `text` | words and phrases |
//! | `value_set`, `normal` | conditions as rows of sets of values |
//! | `hit_policy`, `judgement` | what several matches mean |
//! | `index` | which of many rules may hold |
//! | `list` | named lists that values are looked up in |
//! | `trace` | how a rule stands to an event |
//! | `validity` | when a rule is in force |
//! | `shape` | conditions as the analysis looks at them |
//! | `rule`, `set` | rules and the first match |
//! | `cell`, `table` | decision tables from CSV |

mod apply;
mod cell;
mod condition;
mod cost;
mod eval;
mod expr;
mod function;
mod hit_policy;
mod index;
mod judgement;
mod list;
mod loops;
mod lower;
mod membership;
mod named;
mod normal;
mod number_function;
mod rule;
mod scope;
mod sequence;
mod set;
mod shape;
mod syntax;
mod table;
mod text;
mod trace;
mod unify;
mod validity;
mod value;
mod value_set;

#[cfg(test)]
mod tests;

pub use condition::{Computation, Condition, ExprFault};
pub use cost::{EXPRESSION_STEPS_MAX, JUDGEMENT_STEPS_MAX};
pub use eval::{Miss, Scratch, Truth};
pub use hit_policy::{Aggregation, Group, HitPolicy, OutputOrder};
pub use judgement::{HitViolation, Judgement, Skipped};
pub use list::NamedList;
use named::NamedCondition;
pub use rule::{IfUnavailable, Origin, Rule, Setting, Then};
pub use scope::{Declared, Ref, Scope, Slot, Values};
pub(crate) use set::RankedRules;
pub use set::RuleSet;
pub(crate) use shape::{Atom, AtomForm, Place, ShapeRow};
pub use syntax::EXPRESSION_BYTES_MAX;
pub(crate) use table::{Table, read_table};
pub(crate) use text::TextIndexBuilder;
pub use trace::{PartTrace, RuleTrace};
pub(crate) use validity::Validity;
pub use value_set::{Extent, Kleene, ValueSet};
