//! Reads tags and freshness in `context.toml`: purposes, how long a value is kept, which regulation binds it, how long it
//! may be relied on.

use std::sync::Arc;

use super::context_reader::{WINDOW_MAX, entries};
use super::schema_reader::is_name;
use crate::context::{Freshness, PURPOSES_MAX, Purpose, Purposes, Tags};
use crate::document::{Node, Section};
use crate::domain::{TimeDelta, suggestion};

/// Keys of tags, where they stand beside other keys.
pub(super) const TAGS: [&str; 3] = ["purposes", "retain", "regulation"];

/// The purposes that the file declares, and which of them are declared wrongly.
pub(super) struct Declared {
    pub(super) purposes: Vec<Purpose>,
}

impl Declared {
    /// Reads `[purposes]`.
    pub(super) fn read(root: &Section<'_>) -> Self {
        let entries = entries(root, "purposes");
        if entries.len() > PURPOSES_MAX {
            root.fault(format!("`[purposes]` has {} entries, the limit is {PURPOSES_MAX}", entries.len()));
        }
        // A purpose with a fault keeps its place, so that its uses are no further faults.
        let purpose = |(name, node): &(String, Node<'_>)| {
            if !is_name(name) {
                node.fault("a purpose has a name of letters, digits and `_` that begins with a letter");
            }
            Purpose { name: name.as_str().into(), needs_consent: needs_consent(node).unwrap_or(true) }
        };
        Self { purposes: entries.iter().take(PURPOSES_MAX).map(purpose).collect() }
    }

    /// Reads the tags among the keys of a table.
    pub(super) fn tags(&self, section: &Section<'_>) -> Tags {
        let duration = |node: Node<'_>| node.duration(TimeDelta::SECOND, WINDOW_MAX);
        Tags {
            purposes: section.get("purposes").map_or(Purposes::ALL, |node| self.set(&node)),
            retain: section.get("retain").and_then(duration),
            regulation: section.get("regulation").and_then(|node| regulation(&node)),
        }
    }

    /// Reads the tags of a value that may be written as a table.
    pub(super) fn tags_of(&self, node: &Node<'_>) -> Tags {
        if !node.is_section() {
            return Tags::default();
        }
        node.section().map(|section| self.tags(&section)).unwrap_or_default()
    }

    fn set(&self, node: &Node<'_>) -> Purposes {
        // A set with a fault allows everything: the bundle is refused, and nothing else is to be said of it.
        let Some(items) = node.list() else { return Purposes::ALL };
        if items.is_empty() {
            node.fault("name at least one purpose; what may be used for none need not be told");
        }
        let mut set = Purposes::NONE;
        for item in &items {
            match item.text().map(|name| (name, self.number(name))) {
                Some((_, Some(number))) => set = set.with(number),
                Some((name, None)) => item.fault(format!("no purpose `{name}` is declared{}", self.hint(name))),
                None => {}
            }
        }
        if set.is_none() { Purposes::ALL } else { set }
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.purposes.iter().position(|purpose| *purpose.name == *name)
    }

    fn hint(&self, name: &str) -> String {
        let names = || self.purposes.iter().map(|purpose| &*purpose.name);
        match suggestion(name, names()) {
            hint if !hint.is_empty() => hint,
            _ if self.purposes.is_empty() => {
                format!("; declare it: `[purposes]` with `{name} = {{ needs_consent = true }}`")
            }
            _ => format!("; declared are {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
        }
    }
}

fn needs_consent(node: &Node<'_>) -> Option<bool> {
    let section = node.section()?;
    let needs = section.require("needs_consent", "whether a customer has to agree to this purpose: true or false");
    section.refuse_unknown();
    needs?.bool()
}

fn regulation(node: &Node<'_>) -> Option<Arc<str>> {
    let name = node.text()?;
    if name.is_empty() || name.len() > 64 {
        node.fault("a regulation has a name of 1 to 64 bytes, such as \"gdpr\"");
        return None;
    }
    Some(name.into())
}

/// Reads `fresh`: a duration, or `{ soft, hard }`.
pub(super) fn freshness(node: &Node<'_>) -> Option<Freshness> {
    let duration = |node: &Node<'_>| node.duration(TimeDelta::SECOND, WINDOW_MAX);
    if !node.is_section() {
        return duration(node).map(Freshness::hard);
    }
    let section = node.section()?;
    let (soft, hard) = (section.get("soft"), section.get("hard"));
    section.refuse_unknown();
    if soft.is_none() && hard.is_none() {
        section.fault(
            "`soft` or `hard` says how long the value may be relied on, such as `{ soft = \"7d\", hard = \"30d\" }`",
        );
    }
    let fresh = Freshness { soft: soft.as_ref().and_then(duration), hard: hard.as_ref().and_then(duration) };
    if let (Some(soft), Some(hard), Some(node)) = (fresh.soft, fresh.hard, soft)
        && soft >= hard
    {
        node.fault(format!("`soft` = {soft} is not shorter than `hard` = {hard}, so the value would never be stale"));
    }
    Some(fresh)
}
