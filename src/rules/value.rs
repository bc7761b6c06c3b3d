//! Values while an expression is worked out.

use std::ops::Deref;
use std::rc::Rc;

use super::Ref;
use super::sequence::Sequence;
use crate::domain::Value;

/// A value while it is computed.
#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    Bool(bool),
    Number(i64),
    Text(Text<'a>),
    List(Sequence<'a>),
}

/// A text of the event, the customer or the expression, or one that was made on the way.
#[derive(Debug, Clone)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Owned(String),
    /// An item of a list that was made: looked at often, and copied never.
    Shared(Rc<str>),
}

impl Val<'_> {
    /// The same value as an item of a list.
    pub(super) fn shared(self) -> Self {
        match self {
            Self::Text(Text::Owned(text)) => Self::Text(Text::Shared(text.into())),
            other => other,
        }
    }
}

impl Text<'_> {
    pub(super) fn into_owned(self) -> String {
        match self {
            Self::Owned(text) => text,
            other => (*other).to_owned(),
        }
    }

    /// The bytes from one place to another.
    pub(super) fn cut(self, start: usize, end: usize) -> Self {
        match self {
            Self::Borrowed(text) => Self::Borrowed(&text[start..end]),
            other => Self::Owned(other[start..end].to_owned()),
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Borrowed(text)
    }
}

impl<'a> From<&'a Value> for Val<'a> {
    fn from(value: &'a Value) -> Self {
        Ref::from(value).into()
    }
}

impl<'a> From<Ref<'a>> for Val<'a> {
    fn from(value: Ref<'a>) -> Self {
        match value {
            Ref::Bool(v) => Self::Bool(v),
            Ref::Number(v) => Self::Number(v),
            Ref::Text(v) => Self::Text(v.into()),
            Ref::List(v) => Self::List(Sequence::Stored(v)),
        }
    }
}

/// Whether two values of one type are equal.
pub(super) fn same(left: &Val<'_>, right: &Val<'_>) -> bool {
    match (left, right) {
        (Val::Bool(l), Val::Bool(r)) => l == r,
        (Val::Number(l), Val::Number(r)) => l == r,
        (Val::Text(l), Val::Text(r)) => **l == **r,
        (Val::List(l), Val::List(r)) => l.len() == r.len() && l.iter().zip(r.iter()).all(|(l, r)| same(&l, &r)),
        _ => false,
    }
}
