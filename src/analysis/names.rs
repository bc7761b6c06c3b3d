//! What the names of a playbook can be: their values, and whether they can be unavailable, by type of event.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cells::Cells;
use crate::bundle::{AttributeAt, ContextSource, Playbook, SlotSource};
use crate::context::{Layout, SignalDefinition, SignalKind};
use crate::domain::{Field, Limits, Type};
use crate::rules::{Extent, Slot};

/// The names of one type of event.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The event type, as people write it.
    pub(super) event: String,
    /// By slot.
    pub(super) domains: Vec<Cells>,
    /// By slot: the longest text or list.
    pub(super) lengths: Vec<usize>,
    /// By slot: what the values would be if events of this type had the attribute, and nothing were withheld.
    pub(super) widened: Vec<Cells>,
    /// The slots that the playbook's purpose may not see.
    pub(super) withheld: BTreeSet<usize>,
    /// The playbook's purpose.
    pub(super) purpose: Option<Arc<str>>,
}

/// What the names can be for each event type that the playbook decides on.
pub(super) fn of(playbook: &Playbook, layout: &Layout) -> Vec<Names> {
    let of_position = |position: usize| {
        let event = &layout.events()[playbook.on[position]];
        let mut names = Names {
            event: event.name.to_string(),
            domains: Vec::new(),
            lengths: Vec::new(),
            widened: Vec::new(),
            withheld: BTreeSet::new(),
            purpose: playbook.purpose.as_ref().map(|purpose| Arc::clone(&purpose.name)),
        };
        for slot in playbook.scope.slots() {
            if is_withheld(&playbook.sources[slot.index()], position) {
                names.withheld.insert(slot.index());
            }
            let (domain, length, widened) = name(playbook, layout, slot, position);
            names.domains.push(domain);
            names.lengths.push(length);
            names.widened.push(widened);
        }
        names
    };
    (0..playbook.on.len()).map(of_position).collect()
}

fn is_withheld(source: &SlotSource, position: usize) -> bool {
    match source {
        SlotSource::Withheld => true,
        SlotSource::Attribute(places) => places.get(position) == Some(&AttributeAt::Withheld),
        _ => false,
    }
}

fn name(playbook: &Playbook, layout: &Layout, slot: Slot, position: usize) -> (Cells, usize, Cells) {
    let ty = &playbook.scope.declared(slot).ty;
    let (limits, unavailable) = match &playbook.sources[slot.index()] {
        SlotSource::Now => (Limits::of(ty), false),
        SlotSource::Attribute(numbers) => {
            let field = |position: usize| {
                let number = numbers.get(position)?.number()?;
                layout.events().get(*playbook.on.get(position)?)?.attributes.get(number)
            };
            let Some(own) = field(position) else {
                let elsewhere = (0..numbers.len()).find_map(field).map_or(Limits::of(ty), |f| f.limits.clone());
                return (Cells::unavailable(), elsewhere.length_max, cells(ty, &elsewhere, true));
            };
            (own.limits.clone(), !own.required && own.default.is_none())
        }
        SlotSource::Withheld => {
            let limits = Limits::of(ty);
            return (Cells::unavailable(), limits.length_max, cells(ty, &limits, true));
        }
        SlotSource::Sight(sight) => context(playbook.sights[*sight], layout),
        SlotSource::Unused(source) => context(*source, layout),
    };
    let domain = cells(ty, &limits, unavailable);
    (domain.clone(), limits.length_max, domain)
}

/// The limits of a value of the context, and whether it can be unavailable.
fn context(source: ContextSource, layout: &Layout) -> (Limits, bool) {
    let from_zero = |ty: &Type| Limits { min: 0, ..Limits::of(ty) };
    match source {
        ContextSource::Fact(number) => {
            let fact = &layout.facts()[number];
            (
                fact.field.limits.clone(),
                fact.field.default.is_none() || fact.fresh.hard.is_some() || fact.tags.retain.is_some(),
            )
        }
        // Whatever it keeps, a signal cannot be told of an event that is older than what it remembers.
        ContextSource::Signal(number) => (signal(&layout.signals()[number], layout), true),
        ContextSource::Decisions => (from_zero(&Type::Int), false),
        ContextSource::LastDecided => (Limits::of(&Type::Time), true),
    }
}

fn signal(definition: &SignalDefinition, layout: &Layout) -> Limits {
    let of = |number: usize| -> Option<&Field> { layout.events().get(definition.event)?.attributes.get(number) };
    let any = Limits::of(&definition.ty);
    match definition.kind {
        SignalKind::Count | SignalKind::Distinct(_) => Limits { min: 0, ..any },
        // A sum of nothing is zero, and of values that are not negative it is not negative.
        SignalKind::Sum(number) if of(number).is_some_and(|field| field.limits.min >= 0) => Limits { min: 0, ..any },
        SignalKind::Decayed(None) => Limits { min: 0, ..any },
        SignalKind::Decayed(Some(number)) if of(number).is_some_and(|field| field.limits.min >= 0) => {
            Limits { min: 0, ..any }
        }
        SignalKind::Sum(_) | SignalKind::Decayed(_) => any,
        // A mean lies between the values, in its own units: those of whole numbers are rounded to decimals.
        SignalKind::Mean(number) => match of(number) {
            Some(field) if field.ty == definition.ty => field.limits.clone(),
            Some(field) if field.limits.min >= 0 => Limits { min: 0, ..any },
            _ => any,
        },
        SignalKind::Min(number) | SignalKind::Max(number) | SignalKind::Last(number) => {
            of(number).map_or(any, |field| field.limits.clone())
        }
        SignalKind::LastN { n, .. } => Limits { length_max: n, ..any },
    }
}

fn cells(ty: &Type, limits: &Limits, unavailable: bool) -> Cells {
    let extent = match ty {
        Type::Bool => Extent::interval(0, 1),
        Type::OneOf(of) => Extent::interval(0, of.names().len() as i64 - 1),
        Type::Int | Type::Decimal | Type::Time | Type::Duration => Extent::interval(limits.min, limits.max),
        Type::Text => Extent::texts([].into()).complement(),
        Type::List(_) => Extent::Any(true),
    };
    Cells { extent, unavailable }
}
