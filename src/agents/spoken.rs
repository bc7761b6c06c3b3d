//! Values as a prompt says them.

use std::borrow::Cow;

use crate::domain::{Type, Value};

/// A value in words: texts and names bare, the items of a list one after the other.
pub fn spoken<'v>(ty: &Type, value: &'v Value) -> Cow<'v, str> {
    match (ty, value) {
        (_, Value::Text(text)) => Cow::Borrowed(text),
        (Type::OneOf(of), Value::Symbol(symbol)) => Cow::Owned(of.name(*symbol).to_owned()),
        (_, Value::List(items)) => {
            let items: Vec<Cow<'_, str>> = items.iter().map(|item| spoken(ty.item(), item)).collect();
            Cow::Owned(items.join(", "))
        }
        (ty, value) => Cow::Owned(ty.show(value).to_string()),
    }
}
