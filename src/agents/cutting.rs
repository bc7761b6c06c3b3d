//! Cutting a text to so many characters: its head and its tail stay, and it says how much is gone.

use std::borrow::Cow;

/// A text with at most so many of its characters: two thirds of them from its head, the others from its tail. What stands between
/// says how many are left out.
pub(super) fn cut(text: &str, chars_max: usize) -> Cow<'_, str> {
    // A character has at least one byte.
    if text.len() <= chars_max {
        return Cow::Borrowed(text);
    }
    let length = text.chars().count();
    if length <= chars_max {
        return Cow::Borrowed(text);
    }
    let tail = chars_max / 3;
    let head = chars_max - tail;
    let head = &text[..text.char_indices().nth(head).map_or(text.len(), |(at, _)| at)];
    let tail = match tail {
        0 => "",
        tail => &text[text.char_indices().nth_back(tail - 1).map_or(0, |(at, _)| at)..],
    };
    Cow::Owned(format!("{head}[… {} characters left out …]{tail}", length - chars_max))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_head_and_tail_and_says_what_is_gone() {
        assert_eq!(cut("abcdefghij", 10), "abcdefghij");
        assert_eq!(cut("abcdefghij", 6), "abcd[… 4 characters left out …]ij");
        assert_eq!(cut("ééééé", 3), "éé[… 2 characters left out …]é");
        assert_eq!(cut("abc", 0), "[… 3 characters left out …]");
    }

    proptest! {
        #[test]
        fn what_is_kept_and_what_is_gone_are_the_whole(text in any::<String>(), chars_max in 0_usize..60) {
            let cut = cut(&text, chars_max);
            match cut.split_once("[… ").filter(|_| cut != text) {
                None => prop_assert_eq!(&*cut, &*text),
                Some((head, rest)) => {
                    let (gone, tail) = rest.split_once(" characters left out …]").unwrap();
                    let kept = head.chars().count() + tail.chars().count();
                    prop_assert_eq!(kept, chars_max);
                    prop_assert_eq!(kept + gone.parse::<usize>().unwrap(), text.chars().count());
                    prop_assert!(text.starts_with(head) && text.ends_with(tail));
                }
            }
        }
    }
}
