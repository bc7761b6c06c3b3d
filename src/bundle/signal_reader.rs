//! Reads signals of `context.toml`.

use std::sync::Arc;

use super::context_reader::{WINDOW_MAX, entries, narrowed};
use super::grouping_reader::grouping;
use super::schema_reader::is_name;
use super::tags_reader::Declared;
use crate::context::{BUCKETS_MAX, Decay, EventType, LAST_N_MAX, SignalDefinition, SignalKind, Tags};
use crate::document::{Node, Section};
use crate::domain::{EVENT_BYTES_MAX, Field, TimeDelta, Type, suggestion};

/// Half-lives that a decayed sum looks back if it does not say: what lies behind weighs less than a thousandth.
const HALF_LIVES: i64 = 10;

/// The forms of a signal: the key that says what it keeps.
const FORMS: [&str; 9] = ["count", "sum", "min", "max", "mean", "last", "last_n", "distinct", "decayed"];

/// Reads `[signals]`; what is faulty is noted and left out.
pub(super) fn read(root: &Section<'_>, events: &[EventType], declared: &Declared) -> Vec<SignalDefinition> {
    let mut signals: Vec<SignalDefinition> = Vec::new();
    for (name, node) in entries(root, "signals") {
        let Some(signal) = signal(&name, &node, events, declared) else { continue };
        let same = signals.iter().find(|known| known.key() == signal.key() && known.fingerprint != signal.fingerprint);
        if let Some(known) = same {
            node.fault(format!("its fingerprint is that of `{}`; change one of their windows by a second", known.name));
        }
        signals.push(signal);
    }
    signals
}

fn signal(name: &str, node: &Node<'_>, events: &[EventType], declared: &Declared) -> Option<SignalDefinition> {
    if !is_name(name) {
        node.fault(
            "a name consists of letters, digits and `_`, and begins with a letter, so that conditions can use it",
        );
        return None;
    }
    let section = node.section()?;
    section.allow(&["over", "every", "half_life", "n", "by", "for", "groups_max", "partial", "immutable"]);
    let own = declared.tags(&section);
    let made = signal_parts(name, &section, events);
    section.refuse_unknown();
    let made = made?;
    let event = &events[made.event];
    let looked_at = [made.kind.attribute(), made.by.as_ref().map(|grouping| grouping.by)];
    let from = looked_at.iter().flatten().fold(event.tags.clone(), |tags, number| tags.and(event.tags_of(*number)));
    let made = SignalDefinition { tags: narrowed(&from, &own, node), ..made };
    check_retention(
        &made,
        &section,
        made.kind.attribute().map_or(&*event.name, |number| &*event.attributes[number].name),
    );
    Some(made)
}

/// A window must not reach further back than what it looks at is kept.
fn check_retention(signal: &SignalDefinition, section: &Section<'_>, watched: &str) {
    let (Some(over), Some(retain)) = (signal.over, signal.tags.retain) else { return };
    let back = TimeDelta::from_micros(over.micros().saturating_add(signal.resolution.micros()));
    if back > retain {
        section.fault(format!(
            "`over` = {over} and one `every` = {} reach back {back}, but `{watched}` is kept for `retain` = {retain}",
            signal.resolution
        ));
    }
}

fn signal_parts(name: &str, section: &Section<'_>, events: &[EventType]) -> Option<SignalDefinition> {
    let (kind_name, watched) = kind(section, events)?;
    let event = &events[watched.event];
    let by = match section.get("by") {
        Some(by) => Some(grouping(section, &by, watched.event, events)?),
        None => {
            let alone = ["for", "groups_max"].into_iter().filter_map(|key| section.get(key).map(|node| (key, node)));
            alone.for_each(|(key, node)| node.fault(format!("`{key}` belongs to `by`, which is missing")));
            None
        }
    };
    let Width { over, resolution, decay } = width(section, watched.kind)?;
    let partial = section.get("partial").map(|node| node.bool());
    let attribute = watched.kind.attribute().map(|number| &event.attributes[number]);
    // Everything that gives the contents their meaning; the name is not among it, so a signal may be renamed.
    let mut meaning = format!(
        "{kind_name}|{}|{}|{}|{}|{}",
        event.name,
        attribute.map_or("", |field| &field.name),
        attribute.map_or_else(String::new, |field| field.ty.name()),
        over.unwrap_or_default(),
        resolution
    );
    if let SignalKind::LastN { n, .. } = watched.kind {
        meaning += &format!("|n={n}");
    }
    if let Some(by) = &by {
        meaning += &format!("|by={}|{}", event.attributes[by.by].name, by.of.name());
    }
    Some(SignalDefinition {
        name: name.into(),
        kind: watched.kind,
        event: watched.event,
        over,
        resolution,
        decay,
        by,
        of: attribute.map(|field| field.ty.clone()),
        partial: partial.flatten().unwrap_or(false),
        immutable: section.get("immutable").and_then(|node| node.bool()).unwrap_or(false),
        ty: value_type(watched.kind, attribute),
        tags: Tags::default(),
        fingerprint: SignalDefinition::fingerprint_of(&meaning),
    })
}

/// The type of a signal's value.
fn value_type(kind: SignalKind, attribute: Option<&Field>) -> Type {
    match (kind, attribute.map(|field| &field.ty)) {
        (SignalKind::Count | SignalKind::Distinct(_), _) => Type::Int,
        (SignalKind::Decayed(_) | SignalKind::Mean(_), None | Some(Type::Int)) => Type::Decimal,
        (SignalKind::LastN { .. }, Some(ty)) => Type::List(Box::new(ty.clone())),
        (_, ty) => ty.cloned().unwrap_or(Type::Int),
    }
}

/// How far a signal looks back, in buckets of which width, weighed how.
struct Width {
    over: Option<TimeDelta>,
    resolution: TimeDelta,
    decay: Option<Decay>,
}

fn width(section: &Section<'_>, kind: SignalKind) -> Option<Width> {
    let half_life = section.get("half_life");
    let over = section.get("over").map(|node| node.duration(TimeDelta::MINUTE, WINDOW_MAX));
    let every = section.get("every").map(|node| (node.clone(), node.duration(TimeDelta::SECOND, TimeDelta::DAY)));
    if let SignalKind::Decayed(_) = kind {
        let Some(half_life) = half_life else {
            section.fault("the key `half_life` is missing: after how long an amount counts half, such as \"7d\"");
            return None;
        };
        return decayed(section, &half_life, over, every);
    }
    if let Some(node) = half_life {
        node.fault("`half_life` belongs to `decayed`");
    }
    let over = match (over, kind) {
        (Some(over), _) => Some(over?),
        (None, SignalKind::Last(_) | SignalKind::LastN { .. }) => None,
        (None, _) => {
            section.fault("the key `over` is missing: how far back the signal looks, such as \"24h\"");
            return None;
        }
    };
    let resolution = match (every, over) {
        (Some((_, every)), _) => every?,
        (None, Some(over)) => SignalDefinition::default_resolution(over),
        (None, None) => TimeDelta::SECOND,
    };
    check_buckets(section, over, resolution)?;
    Some(Width { over, resolution, decay: None })
}

fn check_buckets(section: &Section<'_>, over: Option<TimeDelta>, resolution: TimeDelta) -> Option<()> {
    if over.is_some_and(|over| over.micros() / resolution.micros() > BUCKETS_MAX) {
        section.fault(format!("`over` has more than {BUCKETS_MAX} times `every`; make `every` longer"));
        return None;
    }
    Some(())
}

fn decayed(
    section: &Section<'_>,
    node: &Node<'_>,
    over: Option<Option<TimeDelta>>,
    every: Option<(Node<'_>, Option<TimeDelta>)>,
) -> Option<Width> {
    let half_life = node.duration(TimeDelta::MINUTE, TimeDelta::from_micros(WINDOW_MAX.micros() / HALF_LIVES))?;
    let fits = |every: &TimeDelta| half_life.micros() % every.micros() == 0;
    let resolution = match every {
        Some((every_node, every)) => {
            let every = every?;
            if !fits(&every) {
                every_node.fault(format!("`half_life` = {half_life} is not a multiple of `every` = {every}"));
                return None;
            }
            every
        }
        None => match SignalDefinition::resolutions(half_life).find(fits) {
            Some(every) => every,
            None => {
                node.fault("a half-life is a multiple of a second");
                return None;
            }
        },
    };
    let over = match over {
        Some(over) => over?,
        None => TimeDelta::from_micros(half_life.micros() * HALF_LIVES),
    };
    check_buckets(section, Some(over), resolution)?;
    let buckets = half_life.micros() / resolution.micros();
    Some(Width { over: Some(over), resolution, decay: Some(Decay::new(buckets as usize)) })
}

/// What a signal watches.
struct Watched {
    kind: SignalKind,
    event: usize,
}

fn kind(section: &Section<'_>, events: &[EventType]) -> Option<(&'static str, Watched)> {
    let mut forms = FORMS.into_iter().filter_map(|name| section.get(name).map(|node| (name, node)));
    let of = section.get("of");
    let (Some((name, what)), None) = (forms.next(), forms.next()) else {
        // The keys that were not there are asked for all the same, so that none of them is unknown.
        section.allow(&FORMS);
        let (last, others) = FORMS.split_last()?;
        let others: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
        section.fault(format!("exactly one of {} and `{last}` says what the signal keeps", others.join(", ")));
        return None;
    };
    section.allow(&FORMS);
    let n = last_n(name, section);
    match (name, of) {
        ("count", of) => {
            if let Some(of) = of {
                of.fault("`count` names the event itself: `{ count = \"ticket.created\", over = \"24h\" }`");
            }
            let event = event_number(&what, events)?;
            Some((name, Watched { kind: SignalKind::Count, event }))
        }
        ("decayed", None) => {
            let event = counted_event(&what, events)?;
            Some((name, Watched { kind: SignalKind::Decayed(None), event }))
        }
        (_, None) => {
            section.fault(format!("the key `of` is missing: the event whose attribute `{name}` looks at"));
            None
        }
        (_, Some(of)) => {
            let event = event_number(&of, events)?;
            let number = attribute_number(&what, &events[event])?;
            let kind = of_attribute(name, number, n?);
            check_type(&what, name, kind, &events[event].attributes[number])?;
            Some((name, Watched { kind, event }))
        }
    }
}

/// How many values `last_n` keeps; 0 for the other forms, `None` after noting what is wrong.
fn last_n(name: &str, section: &Section<'_>) -> Option<usize> {
    match (name, section.get("n")) {
        ("last_n", Some(n)) => n.int(1, LAST_N_MAX).map(|n| n as usize),
        ("last_n", None) => {
            section.fault(format!("the key `n` is missing: how many values are kept, 1 to {LAST_N_MAX}"));
            None
        }
        (_, Some(n)) => {
            n.fault("`n` belongs to `last_n`");
            None
        }
        (_, None) => Some(0),
    }
}

fn of_attribute(name: &str, number: usize, n: usize) -> SignalKind {
    match name {
        "sum" => SignalKind::Sum(number),
        "min" => SignalKind::Min(number),
        "max" => SignalKind::Max(number),
        "mean" => SignalKind::Mean(number),
        "last" => SignalKind::Last(number),
        "last_n" => SignalKind::LastN { of: number, n },
        "decayed" => SignalKind::Decayed(Some(number)),
        _ => SignalKind::Distinct(number),
    }
}

fn check_type(node: &Node<'_>, name: &str, kind: SignalKind, field: &Field) -> Option<()> {
    let is_amount = matches!(field.ty, Type::Int | Type::Decimal | Type::Duration);
    let fault = match kind {
        SignalKind::Sum(_) | SignalKind::Decayed(_) if !is_amount => "cannot be summed",
        SignalKind::Mean(_) if !is_amount => "have no mean",
        SignalKind::Min(_) | SignalKind::Max(_) if !is_amount && field.ty != Type::Time => "have no order",
        SignalKind::LastN { .. } if matches!(field.ty, Type::List(_)) => "cannot stand in a list",
        SignalKind::LastN { n, .. } if field.ty == Type::Text && n * field.limits.length_max > EVENT_BYTES_MAX => {
            node.fault(format!(
                "`n` = {n} texts of {} bytes are more than {EVENT_BYTES_MAX}; give `{}` a `max_length`",
                field.limits.length_max, field.name
            ));
            return None;
        }
        _ => return Some(()),
    };
    node.fault(format!("values of type {} {fault}, so `{name}` cannot keep them", field.ty.name()));
    None
}

/// The number of an attribute that a node names.
pub(super) fn attribute_number(node: &Node<'_>, event: &EventType) -> Option<usize> {
    let wanted = node.text()?;
    let number = event.attribute_number(wanted);
    if number.is_none() {
        let hint = suggestion(wanted, event.attributes.iter().map(|field| &*field.name));
        node.fault(format!("`{}` has no attribute `{wanted}`{hint}", event.name));
    }
    number
}

fn event_number(node: &Node<'_>, events: &[EventType]) -> Option<usize> {
    let name = node.text()?;
    let number = events.iter().position(|event| *event.name == *name);
    if number.is_none() {
        let names = events.iter().map(|event| Arc::as_ref(&event.name));
        node.fault(format!("no event `{name}` is declared{}", suggestion(name, names)));
    }
    number
}

/// The event that `decayed` counts; an attribute named in its place lacks its `of`.
fn counted_event(node: &Node<'_>, events: &[EventType]) -> Option<usize> {
    let name = node.text()?;
    if !events.iter().any(|event| *event.name == *name)
        && let Some(event) = events.iter().find(|event| event.attribute_number(name).is_some())
    {
        node.fault(format!("`{name}` is an attribute: add `of = \"{}\"`, or name an event to be counted", event.name));
        return None;
    }
    event_number(node, events)
}
