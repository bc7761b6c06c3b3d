//! Finding words and phrases in texts: all phrases of a rule set over one text in a single pass.
//!
//! `mentions` compares words, not letters: case, line breaks and the curly apostrophe make no difference, and a phrase
//! must begin and end where a word or a number does. A `*` at the end of a phrase lets its last word go on: `refund*` finds "refunds"
//! and "refunded", but not "prerefund".
//!
//! Cost: a text is folded once per evaluation and read once by an Aho-Corasick automaton, no matter how many rules ask.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::Slot;

/// Phrases up to this many bytes together get a deterministic automaton: a few megabytes that answer in one step a byte.
/// More get the compact one, which takes more steps and far less memory.
const DETERMINISTIC_BYTES_MAX: usize = 16 * 1024;

/// Phrases of a [`TextIndex`], any of which will do: words of its bit set, each with the bits wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AnyPhrase(Box<[(u32, u64)]>);

/// Collects the phrases that conditions look for, while they are compiled.
#[derive(Debug, Default)]
pub(crate) struct TextIndexBuilder {
    slots: Vec<Slot>,
    phrases: HashMap<String, usize>,
}

/// Finds the phrases of a whole rule set.
#[derive(Debug, Default)]
pub(crate) struct TextIndex {
    /// The texts that are looked at.
    slots: Vec<Slot>,
    /// One automaton for all of them: the same words mean the same in a subject and in a body.
    finder: Option<AhoCorasick>,
    /// Per phrase: whether its last word may go on.
    open: Vec<bool>,
    /// The phrases as they were written, for those who look for a text that has one.
    phrases: Box<[Box<str>]>,
}

/// Reusable memory of one evaluation at a time.
#[derive(Debug, Default)]
pub(crate) struct TextScratch {
    folded: String,
    /// Per text of the index: whether it was searched, and a bit per phrase found.
    found: Vec<(bool, Vec<u64>)>,
}

impl AnyPhrase {
    /// The numbers of the phrases.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(word, wanted)| {
            (0..64).filter(move |bit| wanted >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        })
    }
}

impl TextIndexBuilder {
    /// Registers phrases, any of which is looked for in the slot's text.
    pub(super) fn add(&mut self, slot: Slot, phrases: &[String]) -> AnyPhrase {
        if !self.slots.contains(&slot) {
            self.slots.push(slot);
        }
        let mut words = std::collections::BTreeMap::<u32, u64>::new();
        for phrase in phrases {
            let next = self.phrases.len();
            let number = *self.phrases.entry(phrase.clone()).or_insert(next);
            *words.entry((number / 64) as u32).or_default() |= 1 << (number % 64);
        }
        AnyPhrase(words.into_iter().collect())
    }

    /// Builds the automaton.
    pub(crate) fn build(self) -> Result<TextIndex, String> {
        let mut in_order: Vec<(String, usize)> = self.phrases.into_iter().collect();
        in_order.sort_by_key(|(_, number)| *number);
        let (texts, open): (Vec<String>, Vec<bool>) = in_order.iter().map(|(phrase, _)| split_phrase(phrase)).unzip();
        if texts.is_empty() {
            return Ok(TextIndex::default());
        }
        let deterministic = texts.iter().map(String::len).sum::<usize>() <= DETERMINISTIC_BYTES_MAX;
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(deterministic.then_some(AhoCorasickKind::DFA))
            .build(texts)
            .map_err(|e| e.to_string())?;
        let phrases = in_order.into_iter().map(|(phrase, _)| phrase.into_boxed_str()).collect();
        Ok(TextIndex { slots: self.slots, finder: Some(finder), open, phrases })
    }
}

impl TextIndex {
    /// Whether the text of `slot` has any of the phrases. `scratch` belongs to this evaluation.
    pub(super) fn any(&self, slot: Slot, text: &str, phrases: &AnyPhrase, scratch: &mut TextScratch) -> bool {
        let Some(found) = self.found(slot, text, scratch) else { return false };
        phrases.0.iter().any(|(word, wanted)| found[*word as usize] & wanted != 0)
    }

    /// A bit for each phrase that the text of `slot` has; `None` if no rule looks at that text.
    pub(super) fn found<'s>(&self, slot: Slot, text: &str, scratch: &'s mut TextScratch) -> Option<&'s [u64]> {
        let position = self.slots.iter().position(|known| *known == slot)?;
        let (searched, found) = &mut scratch.found[position];
        if !*searched {
            *searched = true;
            fold_into(text, &mut scratch.folded);
            self.search(&scratch.folded, found);
        }
        Some(found)
    }

    /// The phrases as they were written.
    pub(super) fn phrases_of(&self, any: &AnyPhrase) -> Vec<String> {
        let of_word = |(word, wanted): &(u32, u64)| {
            let (word, wanted) = (*word as usize, *wanted);
            (0..64).filter(move |bit| wanted >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        };
        any.0.iter().flat_map(of_word).filter_map(|n| self.phrases.get(n)).map(ToString::to_string).collect()
    }

    fn search(&self, folded: &str, found: &mut [u64]) {
        let Some(finder) = &self.finder else { return };
        for hit in finder.find_overlapping_iter(folded) {
            let phrase = hit.pattern().as_usize();
            if stands_alone(folded, hit.start(), hit.end(), self.open[phrase]) {
                found[phrase / 64] |= 1 << (phrase % 64);
            }
        }
    }
}

impl TextScratch {
    /// Makes the memory ready for the next evaluation with `index`.
    pub(super) fn reset(&mut self, index: &TextIndex) {
        self.found.resize_with(index.slots.len(), Default::default);
        for (searched, found) in &mut self.found {
            *searched = false;
            found.clear();
            found.resize(index.open.len().div_ceil(64), 0);
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

/// Whether every text that has the first phrase has the second. A phrase whose last word may go on is tried with each kind of
/// character that decides where a word or a number ends.
pub(super) fn implies(first: &str, second: &str) -> bool {
    let wanted = [second.to_owned()];
    match first.strip_suffix('*') {
        None => mentions(first, &wanted),
        Some(stem) => ["", "x", "7", ".7", ",7", ".", " "].iter().all(|end| mentions(&format!("{stem}{end}"), &wanted)),
    }
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
    if text.is_ascii() {
        fold_ascii_into(text, folded);
    } else {
        fold_unicode_into(text, folded);
    }
}

/// The plain way: most texts are ASCII, and most of those have single spaces, so that both passes run on whole vectors.
fn fold_ascii_into(text: &str, folded: &mut String) {
    let mut bytes = std::mem::take(folded).into_bytes();
    bytes.extend(text.bytes().map(|b| if is_ascii_space(b) { b' ' } else { b.to_ascii_lowercase() }));
    let is_single = |pair: &[u8]| pair != b"  ";
    if bytes.first() == Some(&b' ') || bytes.last() == Some(&b' ') || !bytes.windows(2).all(is_single) {
        bytes.dedup_by(|b, a| *a == b' ' && *b == b' ');
        bytes.pop_if(|last| *last == b' ');
        let leading = usize::from(bytes.first() == Some(&b' '));
        bytes.drain(..leading);
    }
    // ASCII in, ASCII out.
    *folded = String::from_utf8(bytes).unwrap_or_default();
}

fn is_ascii_space(b: u8) -> bool {
    b.is_ascii_whitespace() || b == b'\x0B'
}

fn fold_unicode_into(text: &str, folded: &mut String) {
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
        assert!(finds("aÜ.Ü.üa", "ü.ü*"), "the second of two overlapping occurrences");
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
            let patterns: Vec<AnyPhrase> = phrases.iter().map(|p| builder.add(slot, std::slice::from_ref(p))).collect();
            let all = builder.add(slot, &phrases);
            let index = builder.build().unwrap();
            let mut scratch = TextScratch::default();
            scratch.reset(&index);
            for (phrase, pattern) in phrases.iter().zip(patterns) {
                let plain = mentions(&text, std::slice::from_ref(phrase));
                prop_assert_eq!(index.any(slot, &text, &pattern, &mut scratch), plain, "{:?} in {:?}", phrase, text);
            }
            prop_assert_eq!(index.any(slot, &text, &all, &mut scratch), mentions(&text, &phrases));
        }

        /// The plain way of folding is the general one.
        #[test]
        fn ascii_folds_as_any_text_does(text in "[\\x00-\\x7F]{0,40}") {
            let (mut plain, mut general) = (String::new(), String::new());
            fold_ascii_into(&text, &mut plain);
            fold_unicode_into(&text, &mut general);
            prop_assert_eq!(plain, general);
        }
    }
}
