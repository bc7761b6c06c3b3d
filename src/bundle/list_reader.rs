//! Reads `[lists]` of `context.toml` and the files that it names.

use std::sync::Arc;

use super::Sources;
use super::schema_reader::{is_name, plain_type};
use crate::document::{FaultSink, Node, Place, Section};
use crate::domain::{Type, suggestion};
use crate::rules::NamedList;

/// Lists that a bundle may have.
const LISTS_MAX: usize = 1_000;

/// A declared list: its name, and the list itself unless a fault was noted.
pub(super) type Declared = (String, Option<Arc<NamedList>>);

/// Reads every list; what is faulty is noted and has no list.
pub(super) fn read(root: &Section<'_>, sources: &Sources, sink: &FaultSink) -> Vec<Declared> {
    let Some(section) = root.get("lists").and_then(|node| node.section()) else { return Vec::new() };
    let entries = section.entries();
    if entries.len() > LISTS_MAX {
        section.fault(format!("has {} entries, the limit is {LISTS_MAX}", entries.len()));
        return Vec::new();
    }
    let read = |(name, node): (String, Node<'_>)| {
        let list = list(&name, &node, sources, sink).map(Arc::new);
        (name, list)
    };
    entries.into_iter().map(read).collect()
}

/// `"lists/x.txt"`, or `{ file = "lists/x.txt", type = "string", ignore_case = true }`.
fn list(name: &str, node: &Node<'_>, sources: &Sources, sink: &FaultSink) -> Option<NamedList> {
    if !is_name(name) {
        node.fault(
            "a name consists of letters, digits and `_`, and begins with a letter, so that conditions can use it",
        );
        return None;
    }
    if !node.is_section() {
        return filled(node, &Type::Text, false, sources, sink);
    }
    let section = node.section()?;
    let file = section.require("file", "a file of entries such as \"lists/blocked.txt\"");
    let ty = section.get("type").map(|node| (node.clone(), plain_type(&node)));
    let ignore_case = section.get("ignore_case").map(|node| (node.clone(), node.bool()));
    section.refuse_unknown();
    let ty = match ty {
        Some((node, Some(Type::Bool))) => {
            node.fault("a list of true and false says nothing");
            return None;
        }
        Some((_, ty)) => ty?,
        None => Type::Text,
    };
    let ignore_case = match ignore_case {
        Some((node, Some(true))) if ty != Type::Text => {
            node.fault(format!("values of type {} have no case", ty.name()));
            return None;
        }
        Some((_, value)) => value?,
        None => false,
    };
    filled(&file?, &ty, ignore_case, sources, sink)
}

fn filled(file: &Node<'_>, ty: &Type, ignore_case: bool, sources: &Sources, sink: &FaultSink) -> Option<NamedList> {
    let path = file.text()?;
    let Some(text) = sources.get(path) else {
        let lists: Vec<&str> = sources.iter().map(|(path, _)| path).filter(|path| path.ends_with(".txt")).collect();
        let hint = suggestion(path, lists.iter().copied());
        let found = if lists.is_empty() { "none".to_owned() } else { lists.join(", ") };
        file.fault(format!("there is no such file in the configuration folder{hint}; lists found: {found}"));
        return None;
    };
    match NamedList::read(text, ty, ignore_case) {
        Ok(list) => Some(list),
        Err(faults) => {
            for (line, message) in faults {
                sink.add(Place::line(path, line), "", message);
            }
            None
        }
    }
}
