//! The rule tier: conditions in CEL, type-checked at load, and the first match of a ranked set of rules.
//!
//! The room knows no clock, no customer and no file: it is handed texts to compile and values to judge. The parser of the
//! `cel` crate is used here and nowhere else; the evaluator is our own, because a decision needs three truth values, exact
//! decimals, a bound on cost and a reason for everything, none of which the crate's interpreter has.
//!
//! Cost of a decision: every rule above the first match is asked, most of them one comparison (some 5 ns); phrases
//! (`mentions`) of all rules together cost one pass over the text. Nothing is allocated on the plain way.
//!
//! | file | noun |
//! |---|---|
//! | `scope` | names, slots, and where values come from |
//! | `condition` | an expression: parsed, checked, cut into parts |
//! | `lower`, `unify`, `function` | the type checker |
//! | `expr` | what it produces |
//! | `eval` | three-valued evaluation |
//! | `text` | words and phrases |
//! | `value_set`, `normal` | conditions as rows of sets of values |
//! | `hit_policy` | what several matches mean |
//! | `shape` | conditions as the analysis looks at them |
//! | `rule`, `set` | rules and the first match |
//! | `cell`, `table` | decision tables from CSV |

mod cell;
mod condition;
mod eval;
mod expr;
mod function;
mod hit_policy;
mod lower;
mod normal;
mod rule;
mod scope;
mod set;
mod shape;
mod table;
mod text;
mod unify;
mod value_set;

#[cfg(test)]
mod tests;

pub use condition::{Computation, Condition, EXPRESSION_BYTES_MAX, ExprFault};
pub use eval::{Miss, Scratch, Truth};
pub use hit_policy::{Aggregation, Group, HitPolicy, OutputOrder};
pub use rule::{IfUnavailable, Origin, Rule, Setting, Then};
pub use scope::{Declared, Ref, Scope, Slot, Values};
pub(crate) use set::RankedRules;
pub use set::{Judgement, PartTrace, RuleSet, RuleTrace, Seen, Skipped};
pub(crate) use shape::{Atom, AtomForm, Place, ShapeRow};
pub(crate) use table::{Table, read_table};
pub(crate) use text::TextIndexBuilder;
pub use value_set::{Extent, Kleene, ValueSet};
