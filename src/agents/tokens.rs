//! How many tokens a text has, at most, as far as that can be told without the model's own tokenizer.

/// Tokens of the marks around each message of a chat: where a model does not know them as tokens of their own they are spelt out.
pub(super) const PER_MESSAGE: usize = 12;

/// An estimate that errs on the side of more: a third of the bytes, or a token for each word, digit and sign, whichever is more.
/// English has some four bytes to a token, other European languages three, and where a character has three bytes it is hardly more
/// than a token. The parts of a text have together at least as many as the whole.
pub(super) fn estimate(text: &str) -> usize {
    let mut pieces = 0;
    let mut is_in_word = false;
    for c in text.chars() {
        let is_letter = c.is_alphabetic();
        if !(c.is_whitespace() || is_letter && is_in_word) {
            pieces += 1;
        }
        is_in_word = is_letter;
    }
    pieces.max(text.len().div_ceil(3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_bytes_or_pieces_whichever_are_more() {
        assert_eq!(estimate(""), 0);
        assert_eq!(estimate("a b c"), 3);
        assert_eq!(estimate("transfers"), 3);
        assert_eq!(estimate("2026-10-31"), 10);
        assert_eq!(estimate("你好"), 2);
    }

    proptest! {
        #[test]
        fn parts_have_together_no_fewer_than_the_whole(a in any::<String>(), b in any::<String>()) {
            let whole = estimate(&[a.as_str(), &b].concat());
            prop_assert!(whole <= estimate(&a) + estimate(&b));
        }
    }
}
