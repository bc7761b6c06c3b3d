//! The names that a condition may use, and where their values come from.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Condition, NamedCondition, NamedList};
use crate::domain::{Limits, Type, Unavailable, Value, suggestion};

/// The number of a declared name within its [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

/// A name that conditions may use.
#[derive(Clone, Debug)]
pub struct Declared {
    /// How it is written: `event.amount`, `customer.plan`, `signal.tickets_24h`, `now`.
    pub path: Arc<str>,
    /// What its values are.
    pub ty: Type,
    /// The longest text in bytes, or list in items.
    pub length_max: usize,
}

/// Every name that the conditions of one playbook may use.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    names: Vec<Declared>,
    slots: HashMap<Box<str>, Slot>,
    lists: HashMap<Box<str>, Arc<NamedList>>,
    conditions: HashMap<Box<str>, NamedCondition>,
    /// Conditions that are declared further on.
    announced: HashSet<Box<str>>,
    /// Names whose own declaration is faulty: using them is no further fault.
    broken: HashSet<Box<str>>,
}

/// A value as conditions see it: numbers of all kinds by their ordinal, members of an enumeration by their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ref<'a> {
    /// True or false.
    Bool(bool),
    /// A whole number, a decimal's units, microseconds, or a symbol.
    Number(i64),
    /// A text.
    Text(&'a str),
    /// A list.
    List(&'a [Value]),
}

/// Gives conditions the values of names. Implemented by whoever holds an event and a customer's context.
pub trait Values {
    /// The value of a name, or why there is none.
    fn value(&self, slot: Slot) -> Result<Ref<'_>, Unavailable>;
}

impl Slot {
    /// The number of the name, counted from 0 in the order of declaration.
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Scope {
    /// Names that a scope can hold.
    pub const NAMES_MAX: usize = u16::MAX as usize;

    /// Adds a name whose values are as long as those of its type may be by default.
    pub fn declare(&mut self, path: &str, ty: Type) -> Slot {
        let length_max = Limits::of(&ty).length_max;
        self.declare_bounded(path, ty, length_max)
    }

    /// Adds a name. The caller has made sure that it is new and that there is room.
    pub fn declare_bounded(&mut self, path: &str, ty: Type, length_max: usize) -> Slot {
        assert!(self.names.len() < Self::NAMES_MAX, "a scope holds at most {} names", Self::NAMES_MAX);
        let slot = Slot(self.names.len() as u16);
        let known = self.slots.insert(path.into(), slot);
        assert!(known.is_none(), "`{path}` is declared once");
        self.names.push(Declared { path: path.into(), ty, length_max });
        slot
    }

    /// Adds a named list, which conditions write `list.NAME`.
    pub fn declare_list(&mut self, name: &str, list: Arc<NamedList>) {
        let known = self.lists.insert(format!("list.{name}").into(), list);
        assert!(known.is_none(), "the list `{name}` is declared once");
    }

    /// The list that is written `path`.
    pub(super) fn list(&self, path: &str) -> Option<&Arc<NamedList>> {
        self.lists.get(path)
    }

    /// Notes the name of a condition that will be declared.
    pub fn announce_condition(&mut self, name: &str) {
        self.announced.insert(name.into());
    }

    /// Adds a named condition, which others use by its bare name.
    pub fn declare_condition(&mut self, name: &str, condition: &Condition) {
        self.announced.remove(name);
        let condition = NamedCondition::new(self.conditions.len(), condition);
        let known = self.conditions.insert(name.into(), condition);
        assert!(known.is_none(), "the condition `{name}` is declared once");
    }

    /// The condition with a name.
    pub(super) fn condition(&self, name: &str) -> Option<&NamedCondition> {
        self.conditions.get(name)
    }

    /// Whether a bare name means something, or begins other names.
    pub(crate) fn is_taken(&self, name: &str) -> bool {
        let begins = |path: &str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let named = self.conditions.keys().chain(&self.announced).chain(&self.broken).chain(self.lists.keys());
        ["list", "math"].contains(&name)
            || self.names.iter().map(|known| &*known.path).chain(named.map(|path| &**path)).any(begins)
    }

    /// The type of a name or of a named condition.
    pub(super) fn type_of(&self, path: &str) -> Option<&Type> {
        match self.slot(path) {
            Some(slot) => Some(&self.declared(slot).ty),
            None => self.condition(path).map(|_| &Type::Bool),
        }
    }

    /// Notes a name whose declaration is faulty, so that its uses are not reported as well.
    pub fn declare_broken(&mut self, path: &str) {
        self.announced.remove(path);
        self.broken.insert(path.into());
    }

    /// The slot of a name.
    pub fn slot(&self, path: &str) -> Option<Slot> {
        self.slots.get(path).copied()
    }

    /// What was declared at a slot.
    pub fn declared(&self, slot: Slot) -> &Declared {
        &self.names[slot.index()]
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no name is declared.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// All slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..self.names.len() as u16).map(Slot)
    }

    /// The message about a name that is not declared, with the nearest one that is; none for a name whose declaration is
    /// reported elsewhere.
    pub(super) fn unknown(&self, path: &str) -> Option<String> {
        if self.broken.contains(path) {
            return None;
        }
        if self.announced.contains(path) {
            return Some(format!("`{path}` is not declared above: a condition uses those that stand before it"));
        }
        let others = self.lists.keys().chain(self.conditions.keys()).map(|name| &**name);
        let hint = suggestion(path, self.names.iter().map(|name| &*name.path).chain(others));
        Some(format!("unknown name `{path}`{hint}"))
    }
}

impl<'a> From<&'a Value> for Ref<'a> {
    #[inline]
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Bool(v) => Self::Bool(*v),
            Value::Int(v) => Self::Number(*v),
            Value::Decimal(v) => Self::Number(v.units()),
            Value::Symbol(v) => Self::Number(i64::from(*v)),
            Value::Time(v) => Self::Number(v.micros()),
            Value::Duration(v) => Self::Number(v.micros()),
            Value::Text(v) => Self::Text(v),
            Value::List(v) => Self::List(v),
        }
    }
}
