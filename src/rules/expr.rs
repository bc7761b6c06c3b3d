//! Conditions after type checking: small trees over slots, in which every name, literal and enumeration is resolved.

use std::sync::Arc;

use regex::Regex;

use super::Slot;
use super::list::Members;
use super::text::AnyPhrase;
use crate::domain::Enumeration;

/// A condition: true, false, or unavailable.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    Const(bool),
    /// A predicate over one name: what an index can be built on.
    Test(Slot, Test),
    Not(Box<Expr>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Both conditions have the same truth value.
    Same(Box<Expr>, Box<Expr>),
    Compare(CompareOp, Term, Term),
    Text(TextOp, Term, Term),
    Matches(Term, Regex),
    /// The value is one of these.
    Member(Term, Members),
    /// Any of the texts has any of the phrases.
    Mentions(Vec<Term>, Arc<[String]>),
    /// The list in the slot has the item.
    Contains(Slot, Term),
    /// A value is in a list that the expression makes.
    In(Box<Term>, Box<Term>),
    /// Two lists have the same items in the same order.
    SameLists(Box<Term>, Box<Term>),
    /// A value is true.
    Is(Box<Term>),
    Loop(Box<Loop>),
    /// A named condition, shared by all who use it.
    Named(Arc<Shared>),
    /// The value is there.
    Has(Slot),
    /// A boolean that stands in when the slot is unavailable.
    OrElse(Slot, Box<Expr>),
}

/// A condition that others use, with what it costs. Shown by its number: written out, conditions of conditions have no end.
pub(super) struct Shared {
    /// Counted within its playbook: where a judgement keeps its truth.
    pub(super) number: usize,
    pub(super) expr: Expr,
    /// Its worst-case steps.
    pub(super) steps: u64,
    /// Its nodes, others' named conditions apart.
    pub(super) nodes: u32,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shared({})", self.number)
    }
}

/// A condition asked of each item of a list, the item being the innermost local.
#[derive(Debug, Clone)]
pub(super) struct Loop {
    pub(super) kind: LoopKind,
    pub(super) list: Term,
    pub(super) body: Expr,
    /// Nodes of the body: what each item costs.
    pub(super) nodes: u32,
}

/// How many items have to satisfy a loop's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoopKind {
    All,
    Any,
    One,
}

/// A list made of another: the items that are kept, each as it is or as what it gives.
#[derive(Debug, Clone)]
pub(super) struct Gather {
    pub(super) list: Term,
    pub(super) keep: Option<Expr>,
    pub(super) give: Option<Term>,
    pub(super) nodes: u32,
}

/// A predicate over one name.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// A boolean is true.
    IsTrue,
    /// An ordinal lies within both bounds.
    Within(i64, i64),
    /// An ordinal or symbol is one of these, sorted.
    AnyOf(Arc<[i64]>),
    /// A text is one of these, sorted.
    TextIn(Arc<[Box<str>]>),
    /// A text in ASCII lower case is one of these, sorted.
    FoldedIn(Arc<[Box<str>]>),
    /// A text has any of these phrases of the set's [`TextIndex`](super::text::TextIndex).
    Mentions(AnyPhrase),
}

/// A value of a known type: numbers of all kinds as `i64`.
#[derive(Debug, Clone)]
pub(super) enum Term {
    Number(i64),
    Text(Box<str>),
    Slot(Slot),
    /// The variable of a loop, counted from the innermost.
    Local(usize),
    /// True or false as a value.
    Truth(Box<Expr>),
    /// A literal list.
    Items(Box<[Term]>),
    Gather(Box<Gather>),
    /// The item at a place of a list.
    Item(Box<Term>, Box<Term>),
    /// The text of a symbol.
    NameOf(Arc<Enumeration>, Box<Term>),
    /// The second stands in when the first is unavailable.
    OrElse(Box<Term>, Box<Term>),
    If(Box<Expr>, Box<Term>, Box<Term>),
    Math(MathOp, Box<Term>, Box<Term>),
    Negate(Box<Term>),
    /// A whole number as decimal units.
    ToDecimal(Box<Term>),
    Concat(Box<Term>, Box<Term>),
    /// Code points of a text, or items of a list.
    Size(Box<Term>),
    Case(CaseOp, Box<Term>),
    Apply(Function, Box<[Term]>),
    /// A part of a time, as seen at a fixed offset from UTC in microseconds.
    Part(TimePart, Box<Term>, i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompareOp {
    Equal,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOp {
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CaseOp {
    LowerAscii,
    UpperAscii,
    Trim,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MathOp {
    Add,
    Subtract,
    /// A time and a duration: the result is a time.
    AddToTime,
    SubtractFromTime,
    MultiplyInt,
    DivideInt,
    RemainderInt,
    MultiplyDecimal,
    DivideDecimal,
}

/// A function of one value and perhaps more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    /// Of decimals, as the following three.
    Ceil,
    Floor,
    Round,
    Trunc,
    /// Of the items of a list.
    Greatest,
    Least,
    WholeOfDecimal,
    SecondsOfTime,
    TimeOfSeconds,
    IntOfText,
    DecimalOfText,
    TextOfBool,
    TextOfInt,
    TextOfDecimal,
    TextOfTime,
    TextOfDuration,
    CharAt,
    Substring,
    IndexOf,
    LastIndexOf,
    Replace,
    /// A list of texts.
    Split,
    Join,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimePart {
    FullYear,
    /// Counted from 0, as in CEL.
    Month,
    /// Day of the month counted from 1.
    Date,
    /// Counted from 0 for Sunday, as in CEL.
    DayOfWeek,
    /// Day of the month counted from 0.
    DayOfMonth,
    /// Counted from 0.
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}
