//! Reads `[conditions]` of a playbook: conditions that its rules and tables use by name.

use super::schema_reader::is_name;
use crate::document::{Node, Section};
use crate::rules::{Condition, Scope, TextIndexBuilder};

/// Named conditions that a playbook may have.
const CONDITIONS_MAX: usize = 1_000;

/// Words with which other names begin, or that CEL keeps for itself.
const TAKEN: [&str; 25] = [
    "now",
    "event",
    "customer",
    "signal",
    "ledger",
    "list",
    "math",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "namespace",
    "package",
    "return",
    "this",
    "var",
    "void",
    "while",
];

/// Declares every condition in the order of the file; what is faulty is noted, and its uses are no further fault.
pub(super) fn declare(root: &Section<'_>, scope: &mut Scope, texts: &mut TextIndexBuilder) {
    let Some(section) = root.get("conditions").and_then(|node| node.section()) else { return };
    let entries = section.entries();
    if entries.len() > CONDITIONS_MAX {
        section.fault(format!("has {} entries, the limit is {CONDITIONS_MAX}", entries.len()));
        return;
    }
    entries.iter().for_each(|(name, _)| scope.announce_condition(name));
    for (name, node) in &entries {
        match condition(name, node, scope, texts) {
            Some(condition) => scope.declare_condition(name, &condition),
            None => scope.declare_broken(name),
        }
    }
}

fn condition(name: &str, node: &Node<'_>, scope: &Scope, texts: &mut TextIndexBuilder) -> Option<Condition> {
    if !is_name(name) || TAKEN.contains(&name) {
        let reason = match TAKEN.contains(&name) {
            true => format!("`{name}` means something else in conditions"),
            false => "a name consists of letters, digits and `_`, and begins with a letter".to_owned(),
        };
        node.fault(reason);
        return None;
    }
    let compiled = Condition::compile(node.text()?, scope, texts);
    compiled.map_err(|faults| super::rule_reader::note(node, faults)).ok()
}
