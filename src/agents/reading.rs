//! Reading an answer: the object amid a model's words, and its members.

use super::format::{Answer, AnswerField, AnswerFormat, Misfit};
use crate::domain::{Raw, RawMap, Value, suggestion};

/// The tags between which some models think aloud.
const THOUGHT: (&str, &str) = ("<think>", "</think>");

/// Reads an answer of a form.
pub(super) fn answer(format: &AnswerFormat, text: &str) -> Result<Answer, Misfit> {
    let mut members = object(text)?;
    let reason = format.reason().map(|(name, bytes_max)| reason(&mut members, name, bytes_max)).transpose()?;
    let values = format.fields().iter().map(|field| member(field, &mut members)).collect::<Result<_, _>>()?;
    if let Some((name, value)) = members.first() {
        let known = format.fields().iter().map(|known| &*known.field.name).chain(format.reason().map(|(name, _)| name));
        let known: Vec<&str> = known.collect();
        let hint = match suggestion(name, known.iter().copied()) {
            hint if hint.is_empty() => format!("; asked for are {}", quoted(&known)),
            hint => hint,
        };
        let name = Raw::Text(name.clone());
        return Err(Misfit::new(format_args!("the member {name} (`{value}`) was not asked for{hint}")));
    }
    Ok(Answer { values, reason })
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn take(members: &mut RawMap, name: &str) -> Option<Raw> {
    let at = members.iter().position(|(known, _)| known == name)?;
    Some(members.remove(at).1)
}

fn member(AnswerField { field, choices }: &AnswerField, members: &mut RawMap) -> Result<Value, Misfit> {
    let misfit = |fault: &dyn std::fmt::Display| Misfit::new(format_args!("`{}`: {fault}", field.name));
    let raw = take(members, &field.name).filter(|raw| *raw != Raw::Null);
    let value = field.ty.accept(raw.ok_or_else(|| misfit(&field.missing()))?).map_err(|mismatch| misfit(&mismatch))?;
    field.check(&value).map_err(|fault| misfit(&fault))?;
    let Some(choices) = choices else { return Ok(value) };
    let not_chosen = match &value {
        Value::List(items) => items.iter().find(|item| !choices.contains(item)),
        value => Some(value).filter(|value| !choices.contains(value)),
    };
    match not_chosen {
        None => Ok(value),
        Some(other) => {
            let ty = field.ty.item();
            let shown: Vec<String> = choices.iter().map(|choice| ty.show(choice).to_string()).collect();
            let (other, shown) = (ty.show(other), shown.join(", "));
            Err(misfit(&format_args!("{other} is not among the choices: {shown}")))
        }
    }
}

/// The reason. It decides nothing, so one that is too long is cut, not refused.
fn reason(members: &mut RawMap, name: &str, bytes_max: usize) -> Result<Box<str>, Misfit> {
    match take(members, name) {
        Some(Raw::Text(text)) => Ok(text[..text.floor_char_boundary(bytes_max)].into()),
        Some(other) => Err(Misfit::new(format_args!("`{name}`: expected a text, found `{other}`"))),
        None => Err(Misfit::new(format_args!("`{name}`: is required: a text"))),
    }
}

/// The members of the one JSON object in a text: bare, in a fence, or amid other words. What a model thought aloud before it
/// answered is no answer.
///
/// An opening brace that no key and no closing brace follows is taken for punctuation; any other begins an object, which must then
/// be readable. So a text is read once, and no part of a broken object is taken for a whole one.
fn object(text: &str) -> Result<RawMap, Misfit> {
    if text.len() > AnswerFormat::TEXT_BYTES_MAX {
        let (length, max) = (text.len(), AnswerFormat::TEXT_BYTES_MAX);
        return Err(Misfit::new(format_args!("has {length} bytes, the limit is {max}")));
    }
    let mut found: Option<RawMap> = None;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '<']) {
        rest = &rest[at..];
        if let Some(thought) = rest.strip_prefix(THOUGHT.0) {
            let end = thought.find(THOUGHT.1).ok_or_else(|| Misfit::new("ends while it is still thinking"))?;
            rest = &thought[end..];
        } else if let Some(after) = rest.strip_prefix(THOUGHT.1) {
            // Some servers swallow the opening tag: all up to here was thought.
            (found, rest) = (None, after);
        } else if begins_object(rest) {
            let (members, length) = one_object(rest)?;
            if found.replace(members).is_some() {
                return Err(Misfit::new("holds more than one JSON object; exactly one was asked for"));
            }
            rest = &rest[length..];
        } else {
            rest = &rest[1..];
        }
    }
    found.ok_or_else(|| Misfit::new(format_args!("holds no JSON object: `{}`", Raw::Text(text.to_owned()))))
}

fn begins_object(text: &str) -> bool {
    let inner = text.strip_prefix('{').map(str::trim_ascii_start);
    inner.is_some_and(|inner| inner.starts_with(['"', '}']))
}

/// The object that begins a text, and its length.
fn one_object(text: &str) -> Result<(RawMap, usize), Misfit> {
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<Raw>();
    match objects.next() {
        Some(Ok(Raw::Map(members))) => Ok((members, objects.byte_offset())),
        Some(Err(error)) if error.is_eof() => Err(Misfit::new("ends before its JSON object does")),
        Some(Err(error)) => Err(Misfit::new(format_args!("is not readable as JSON: {error}"))),
        Some(Ok(_)) | None => Err(Misfit::new("holds no JSON object")),
    }
}
