//! Finding words and phrases in texts: all phrases of a rule set over one text in a single pass.
//!
//! `mentions` compares words, not letters: case, line breaks and the curly apostrophe make no difference, and a phrase
//! must begin and end where a word or a number does. A `*` at the end of a phrase lets its last word go on: `refund*` finds "refunds"
//! and "refunded", but not "prerefund".
//!
//! Cost: a text is folded once per evaluation and read once by an Aho-Corasick automaton, about a nanosecond a byte, no
//! matter how many rules ask.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Slot;

/// The number of a phrase within the [`TextIndex`] of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern(u32);

/// Collects the phrases that conditions look for, while they are compiled.
#[derive(Debug, Default)]
pub(crate) struct TextIndexBuilder {
    fields: Vec<(Slot, HashMap<String, Pattern>)>,
}

/// Finds the phrases of a whole rule set.
#[derive(Debug, Default)]
pub(crate) struct TextIndex {
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    slot: Slot,
    finder: AhoCorasick,
    phrases: Vec<Phrase>,
}

#[derive(Debug)]
struct Phrase {
    /// The last word may go on.
    open: bool,
}

/// Reusable memory of one evaluation at a time.
#[derive(Debug, Default)]
pub(crate) struct TextScratch {
    folded: String,
    /// Per field of the index: whether it was searched, and a bit per phrase found.
    found: Vec<(bool, Vec<u64>)>,
}

impl TextIndexBuilder {
    /// Registers a phrase for a slot.
    pub(super) fn add(&mut self, slot: Slot, phrase: &str) -> Pattern {
        let position = self.fields.iter().position(|(known, _)| *known == slot);
        let position = position.unwrap_or_else(|| {
            self.fields.push((slot, HashMap::new()));
            self.fields.len() - 1
        });
        let phrases = &mut self.fields[position].1;
        let next = Pattern(phrases.len() as u32);
        *phrases.entry(phrase.to_owned()).or_insert(next)
    }

    /// Builds the automata.
    pub(crate) fn build(self) -> Result<TextIndex, String> {
        let fields = self.fields.into_iter().map(|(slot, phrases)| {
            let mut in_order: Vec<(String, Pattern)> = phrases.into_iter().collect();
            in_order.sort_by_key(|(_, pattern)| *pattern);
            Field::new(slot, in_order.iter().map(|(phrase, _)| phrase.as_str()))
        });
        Ok(TextIndex { fields: fields.collect::<Result<_, _>>()? })
    }
}

impl Field {
    fn new<'a>(slot: Slot, phrases: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let split: Vec<(String, bool)> = phrases.map(split_phrase).collect();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(split.iter().map(|(text, _)| text))
            .map_err(|e| e.to_string())?;
        Ok(Self { slot, finder, phrases: split.into_iter().map(|(_, open)| Phrase { open }).collect() })
    }

    fn search(&self, folded: &str, found: &mut [u64]) {
        for hit in self.finder.find_overlapping_iter(folded) {
            let phrase = hit.pattern().as_usize();
            if stands_alone(folded, hit.start(), hit.end(), self.phrases[phrase].open) {
                found[phrase / 64] |= 1 << (phrase % 64);
            }
        }
    }
}

impl TextIndex {
    /// Whether the text of `slot` has any of the phrases. `scratch` belongs to this evaluation.
    pub(super) fn any(&self, slot: Slot, text: &str, patterns: &[Pattern], scratch: &mut TextScratch) -> bool {
        let Some(position) = self.fields.iter().position(|field| field.slot == slot) else { return false };
        let field = &self.fields[position];
        let (searched, found) = &mut scratch.found[position];
        if !*searched {
            *searched = true;
            fold_into(text, &mut scratch.folded);
            field.search(&scratch.folded, found);
        }
        patterns.iter().any(|pattern| found[pattern.0 as usize / 64] >> (pattern.0 % 64) & 1 == 1)
    }
}

impl TextScratch {
    /// Makes the memory ready for the next evaluation with `index`.
    pub(super) fn reset(&mut self, index: &TextIndex) {
        self.found.resize_with(index.fields.len(), Default::default);
        for ((searched, found), field) in self.found.iter_mut().zip(&index.fields) {
            *searched = false;
            found.clear();
            found.resize(field.phrases.len().div_ceil(64), 0);
        }
    }
}

/// The folded phrase, and whether its last word may go on.
fn split_phrase(phrase: &str) -> (String, bool) {
    let (text, open) = phrase.strip_suffix('*').map_or((phrase, false), |text| (text, true));
    let mut folded = String::new();
    fold_into(text, &mut folded);
    (folded, open)
}

/// Whether a text has a phrase: the slow way, for texts that are not a plain name.
pub(super) fn mentions(text: &str, phrases: &[String]) -> bool {
    let mut folded = String::new();
    fold_into(text, &mut folded);
    phrases.iter().map(|phrase| split_phrase(phrase)).any(|(phrase, open)| {
        occurrences(&folded, &phrase).any(|start| stands_alone(&folded, start, start + phrase.len(), open))
    })
}

/// Where the phrase begins, overlapping occurrences included.
fn occurrences<'a>(text: &'a str, phrase: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.char_indices().map(|(start, _)| start).filter(move |start| text[*start..].starts_with(phrase))
}

/// Why a phrase cannot be looked for, if it cannot.
pub(super) fn phrase_fault(phrase: &str) -> Option<&'static str> {
    let (folded, open) = split_phrase(phrase);
    let text = if open { &phrase[..phrase.len() - 1] } else { phrase };
    if folded.trim().is_empty() {
        Some("a phrase must have at least one word")
    } else if folded.contains('*') {
        Some("`*` may stand only at the end of a phrase")
    } else if text.trim() != text {
        Some("a phrase must not begin or end with a space")
    } else {
        None
    }
}

/// Whether what was found begins and ends where words do. A number goes on across its separators: `500` is not a word of
/// `27,500.00`.
fn stands_alone(text: &str, start: usize, end: usize, open: bool) -> bool {
    let (before, after) = (&text[..start], &text[end..]);
    let first = text[start..].chars().next();
    let last = text[..end].chars().next_back();
    let begins = !joins(before.chars().next_back(), first) && !is_number_joint(before.chars().rev(), first);
    let ends = !joins(last, after.chars().next()) && !is_number_joint(after.chars(), last);
    begins && (open || ends)
}

/// Whether two neighbours belong to one word.
fn joins(left: Option<char>, right: Option<char>) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    is_word(left) && is_word(right)
}

/// Whether the edge of a number is followed, looking away from it, by a separator and a further digit.
fn is_number_joint(mut away: impl Iterator<Item = char>, edge: Option<char>) -> bool {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    is_digit(edge) && matches!(away.next(), Some('.' | ',')) && is_digit(away.next())
}

/// Lower case, one space for any run of white space, a straight apostrophe for the curly one.
fn fold_into(text: &str, folded: &mut String) {
    folded.clear();
    folded.reserve(text.len());
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        if space && !folded.is_empty() {
            folded.push(' ');
        }
        space = false;
        match c {
            c if c.is_ascii() => folded.push(c.to_ascii_lowercase()),
            '\u{2019}' => folded.push('\''),
            c => folded.extend(c.to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn finds(text: &str, phrase: &str) -> bool {
        mentions(text, &[phrase.to_owned()])
    }

    #[test]
    fn finds_words_whatever_their_case_and_spacing() {
        assert!(finds("My card is\n  NOT   working", "not working"));
        assert!(finds("I can\u{2019}t log in", "can't log in"));
        assert!(finds("ÜBERWEISUNG fehlgeschlagen", "überweisung"));
        assert!(finds("(refund)!", "refund"));
        assert!(finds("error 500", "500"));
        assert!(finds("C++ sdk", "c++"));
    }

    #[test]
    fn a_phrase_begins_and_ends_with_a_word() {
        assert!(!finds("prerefund", "refund"));
        assert!(!finds("refunds", "refund"));
        assert!(finds("refunds were refunded", "refund*"));
        assert!(!finds("prerefunds", "refund*"));
        assert!(!finds("", "refund"));
        assert!(!finds("a payment of 27,500.00", "500") && !finds("1.500", "1"));
        assert!(finds("it says 500, then nothing", "500") && finds("error 500.", "500"));
    }

    #[test]
    fn says_why_a_phrase_cannot_be_found() {
        for phrase in ["", " ", "*", "a*b", "a "] {
            assert!(phrase_fault(phrase).is_some(), "{phrase:?}");
        }
        assert_eq!(phrase_fault("not working*"), None);
    }

    proptest! {
        /// The one-pass index finds what the phrase-by-phrase search finds.
        #[test]
        fn the_index_agrees_with_the_plain_search(
            text in "[abAB \u{2019}üÜ.]{0,30}",
            phrases in proptest::collection::vec("[abü'.]{1,3}( [ab]{1,2})?\\*?", 1..6),
        ) {
            let phrases: Vec<String> = phrases.into_iter().filter(|p| phrase_fault(p).is_none()).collect();
            let mut scope = crate::rules::Scope::default();
            let slot = scope.declare("event.body", crate::domain::Type::Text);
            let mut builder = TextIndexBuilder::default();
            let patterns: Vec<Pattern> = phrases.iter().map(|p| builder.add(slot, p)).collect();
            let index = builder.build().unwrap();
            let mut scratch = TextScratch::default();
            scratch.reset(&index);
            for (phrase, pattern) in phrases.iter().zip(patterns) {
                let plain = mentions(&text, std::slice::from_ref(phrase));
                prop_assert_eq!(index.any(slot, &text, &[pattern], &mut scratch), plain, "{:?} in {:?}", phrase, text);
            }
        }
    }
}
