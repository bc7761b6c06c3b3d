//! Reads what a signal is kept by: `by`, `for` and `groups_max`.

use super::signal_reader::attribute_number;
use crate::context::{EventType, GROUPS_DEFAULT, GROUPS_MAX, Grouping};
use crate::document::{Node, Section};
use crate::domain::{Type, suggestion};

/// Reads the grouping of a signal that watches an event; `None` after noting what is wrong.
pub(super) fn grouping(section: &Section<'_>, by: &Node<'_>, event: usize, events: &[EventType]) -> Option<Grouping> {
    let watched = &events[event];
    let number = attribute_number(by, watched)?;
    let field = &watched.attributes[number];
    if let Type::List(_) = field.ty {
        by.fault(format!("`{}` is a {}; a group is one value", field.name, field.ty.name()));
        return None;
    }
    let asked_by = section.get("for");
    let wanted = match &asked_by {
        Some(node) => node.text()?,
        None => &*field.name,
    };
    // Where types do not agree no value could ever name a group, and nobody would notice.
    let place = asked_by.as_ref().unwrap_or(by);
    let mut asked = Vec::with_capacity(events.len());
    for event in events {
        let found = event.attribute_number(wanted).map(|number| (number, &event.attributes[number].ty));
        if let Some((_, ty)) = found.filter(|(_, ty)| !is_comparable(ty, &field.ty)) {
            place.fault(format!(
                "`{wanted}` of `{}` is {}, but `{}` of `{}` is {}",
                event.name,
                ty.name(),
                field.name,
                watched.name,
                field.ty.name()
            ));
            return None;
        }
        asked.push(found.map(|(number, ty)| (number, ty.clone())));
    }
    if asked.iter().all(Option::is_none) {
        let names = events.iter().flat_map(|event| &event.attributes).map(|field| &*field.name);
        place.fault(format!("no event has an attribute `{wanted}`{}", suggestion(wanted, names)));
        return None;
    }
    let groups_max = match section.get("groups_max") {
        Some(node) => node.int(1, GROUPS_MAX)? as usize,
        None => GROUPS_DEFAULT,
    };
    Some(Grouping { by: number, of: field.ty.clone(), asked: asked.into(), groups_max })
}

/// Whether values of two types can be the same: of one type, or texts of which some may be named.
fn is_comparable(a: &Type, b: &Type) -> bool {
    let is_text = |ty: &Type| matches!(ty, Type::Text | Type::OneOf(_));
    a == b || (is_text(a) && is_text(b))
}
