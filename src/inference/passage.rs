//! The parts of an input as the one text that an encoder of sentences reads.

/// Joins parts (subject and body, say) with line breaks; those without a visible character are left out.
pub fn passage<'p>(parts: impl IntoIterator<Item = &'p str>) -> String {
    let mut passage = String::new();
    for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        if !passage.is_empty() {
            passage.push('\n');
        }
        passage.push_str(part);
    }
    passage
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_on_lines_of_their_own() {
        assert_eq!(passage(["Card declined", " At the till.\n"]), "Card declined\nAt the till.");
        assert_eq!(passage(["", "only the body", "  "]), "only the body");
        assert_eq!(passage([]), "");
    }
}
