//! Characters as the classifier reads them: case and accents folded, words told from what lies between them.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// What stands between two words, and so at both ends of each.
pub(super) const BREAK: u32 = 0;

/// Appends a text to `folded`, character by character: a letter or digit as it is read, [`BREAK`] for anything between words.
///
/// There is a break before the first word and after the last, and never two in a row. At most `bytes_max` bytes of the text
/// are read, to the character. Returns how many were.
pub(super) fn fold_into(text: &str, bytes_max: usize, folded: &mut Vec<u32>) -> usize {
    let text = &text[..text.floor_char_boundary(bytes_max)];
    folded.reserve(text.len() + 2);
    if folded.is_empty() {
        folded.push(BREAK);
    }
    if text.is_ascii() {
        fold_ascii_into(text.as_bytes(), folded);
    } else {
        text.chars().for_each(|c| fold_char_into(c, folded));
    }
    push(BREAK, folded);
    text.len()
}

/// Most texts are plain: no tables, one step for each byte.
fn fold_ascii_into(text: &[u8], folded: &mut Vec<u32>) {
    let mut was_break = folded.last() == Some(&BREAK);
    for byte in text {
        let read = ASCII[usize::from(*byte)];
        let is_break = read == 0;
        if !(is_break && was_break) {
            folded.push(u32::from(read));
        }
        was_break = is_break;
    }
}

/// Each ASCII byte as it is read: lower case, digits, or nothing.
const ASCII: [u8; 256] = {
    let mut read = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            read[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    read
};

fn push(read: u32, folded: &mut Vec<u32>) {
    if read != BREAK || folded.last() != Some(&BREAK) {
        folded.push(read);
    }
}

/// A character is taken apart into its plainest form, put into lower case, and its accents are dropped.
fn fold_char_into(c: char, folded: &mut Vec<u32>) {
    if c.is_ascii() {
        push(u32::from(ASCII[c as usize & 0x7F]), folded);
    } else if is_hangul_syllable(c) {
        // Taken apart, it would be two or three letters where its readers see one.
        folded.push(u32::from(c));
    } else {
        decompose_compatible(c, |part| {
            for lower in part.to_lowercase() {
                fold_part_into(lower, folded);
            }
        });
    }
}

fn fold_part_into(part: char, folded: &mut Vec<u32>) {
    match part {
        _ if is_silent(part) => {}
        'ς' => folded.push(u32::from('σ')),
        'ß' => folded.extend([u32::from('s'); 2]),
        _ if part.is_alphanumeric() || is_combining_mark(part) => folded.push(u32::from(part)),
        _ => push(BREAK, folded),
    }
}

fn is_hangul_syllable(c: char) -> bool {
    ('\u{AC00}'..='\u{D7A3}').contains(&c)
}

/// Accents of Latin, Greek and Cyrillic letters, and characters that only say how others are joined, hyphenated or drawn.
fn is_silent(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036F}' | '\u{00AD}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// Whether a character belongs to a script that puts no spaces between words: Thai, Lao, Burmese, Khmer, Japanese, Chinese.
pub(super) fn is_unspaced(read: u32) -> bool {
    // Everything below Thai has spaces, which is nearly all there is to see.
    read >= 0x0E00
        && matches!(
            read,
            0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x31F0..=0x31FF
                | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> String {
        let mut folded = Vec::new();
        fold_into(text, usize::MAX, &mut folded);
        folded.iter().map(|read| if *read == BREAK { '|' } else { char::from_u32(*read).unwrap() }).collect()
    }

    #[test]
    fn folds_case_and_breaks_between_words() {
        assert_eq!(folded("  My CARD, isn't working!! "), "|my|card|isn|t|working|");
        assert_eq!(folded(""), "|");
        assert_eq!(folded("?!"), "|");
    }

    #[test]
    fn reads_accented_letters_as_plain_however_they_are_written() {
        assert_eq!(folded("Überweisung café naïve ёлка Ά"), "|uberweisung|cafe|naive|елка|α|");
        assert_eq!(folded("cafe\u{301}"), folded("café"));
        assert_eq!(folded("STRASSE"), folded("straße"));
        assert_eq!(folded("ΟΔΟΣ"), folded("οδος"));
        assert_eq!(folded("İstanbul"), "|istanbul|");
    }

    #[test]
    fn reads_wide_and_joined_forms_as_plain() {
        assert_eq!(folded("ＡＴＭ ﬁx x²"), "|atm|fix|x2|");
        assert_eq!(folded("ｶﾞ"), folded("ガ"));
    }

    #[test]
    fn keeps_vowel_signs_and_tone_marks_inside_their_word() {
        assert_eq!(folded("हिन्दी").matches('|').count(), 2);
        assert_eq!(folded("บัตร ไม่ได้").matches('|').count(), 3);
        assert_eq!(folded("카드가 안 와요"), "|카드가|안|와요|");
    }

    #[test]
    fn reads_no_more_bytes_than_it_may_and_no_half_character() {
        let mut folded = Vec::new();
        assert_eq!(fold_into("aé漢", 5, &mut folded), 3);
        assert_eq!(folded, [BREAK, u32::from('a'), u32::from('e'), BREAK]);
    }

    proptest! {
        #[test]
        fn plain_and_other_texts_are_read_by_the_same_rule(text in "[ -~]{0,40}") {
            let mut by_table = Vec::new();
            fold_into(&text, usize::MAX, &mut by_table);
            let mut by_character = vec![BREAK];
            text.chars().for_each(|c| fold_char_into(c, &mut by_character));
            push(BREAK, &mut by_character);
            prop_assert_eq!(by_table, by_character);
        }

        #[test]
        fn there_are_never_two_breaks_in_a_row(text in "\\PC{0,40}") {
            let mut folded = Vec::new();
            fold_into(&text, usize::MAX, &mut folded);
            prop_assert_eq!(folded[0], BREAK);
            prop_assert_eq!(*folded.last().unwrap(), BREAK);
            prop_assert!(folded.windows(2).all(|pair| pair != [BREAK, BREAK]));
        }
    }
}
