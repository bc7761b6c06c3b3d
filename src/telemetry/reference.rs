//! All series as a document, from their declarations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::declared::{Declared, Label, Values, unit_of};

/// A section of the reference.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// Its heading.
    pub title: &'a str,
    /// What its series are good for.
    pub introduction: &'a str,
    /// Beginnings of the names of its series.
    pub beginnings: &'a [&'a str],
}

/// The tables of all sections, one after the other. What belongs to none stands last, under "Others".
pub(super) fn written(declared: &BTreeMap<String, Declared>, sections: &[Section<'_>]) -> String {
    let others = Section { title: "Others", introduction: "", beginnings: &[""] };
    let mut text = String::new();
    for (nth, section) in sections.iter().chain([&others]).enumerate() {
        let own: Vec<(&String, &Declared)> =
            declared.iter().filter(|(name, _)| section_of(name, sections) == nth).collect();
        if !own.is_empty() {
            // What stands before it ends with an empty line, but for what stands before all.
            let gap = if text.is_empty() { "\n" } else { "" };
            let _ = write!(text, "{gap}## {}\n\n", section.title);
            if !section.introduction.is_empty() {
                let _ = write!(text, "{}\n\n", section.introduction);
            }
            own.iter().for_each(|(name, of)| series(&mut text, name, of));
        }
    }
    text
}

/// The number of the section that has the longest beginning of a name; that of "Others" if none has one.
fn section_of(name: &str, sections: &[Section<'_>]) -> usize {
    let longest = |section: &Section<'_>| {
        let begins = section.beginnings.iter().filter(|beginning| name.starts_with(**beginning));
        begins.map(|beginning| beginning.len()).max()
    };
    let fitting = sections.iter().enumerate().filter_map(|(nth, section)| Some((longest(section)?, nth)));
    fitting.max_by_key(|(length, _)| *length).map_or(sections.len(), |(_, nth)| nth)
}

fn series(text: &mut String, name: &str, of: &Declared) {
    let unit = unit_of(name).map(|unit| format!(", {unit}")).unwrap_or_default();
    let _ = write!(text, "### `{name}`\n\n*{}{unit}.* {}", of.kind.as_str(), of.help.meaning);
    if let Some(look) = &of.help.look {
        let _ = write!(text, " {look}");
    }
    text.push_str("\n\n");
    for label in &of.labels {
        let _ = writeln!(text, "- `{}`: {}", label.name, values(label));
    }
    if !of.labels.is_empty() {
        text.push('\n');
    }
}

/// Labels that nobody said anything of.
#[cfg(test)]
pub(super) fn unsaid(declared: &BTreeMap<String, Declared>) -> Vec<String> {
    let of = |(name, of): (&String, &Declared)| {
        let unsaid = of.labels.iter().filter(|label| label.values == Values::Unsaid);
        unsaid.map(|label| format!("{name}: {}", label.name)).collect::<Vec<_>>()
    };
    declared.iter().flat_map(of).collect()
}

fn values(label: &Label) -> String {
    match &label.values {
        Values::Unsaid => "nobody said".to_owned(),
        Values::Named(source) => (*source).to_owned(),
        Values::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
    }
}
