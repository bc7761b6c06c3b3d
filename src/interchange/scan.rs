//! A cursor over the text of a cell, for the readers of FEEL and of Zen.

/// Where reading has got to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text.trim() }
    }

    /// What is left, without leading space.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes `token`, and the space after it, if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    /// Takes a word if it comes next and ends there.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        self.rest.strip_prefix(word).is_some_and(ends) && self.eat(word)
    }

    /// Takes these words if they come next, with spaces as they come.
    pub(super) fn eat_words(&mut self, words: &str) -> bool {
        let mut ahead = *self;
        let found = words.split(' ').all(|word| ahead.eat_word(word));
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes `name(`, with spaces as they come; nothing if something else comes next.
    pub(super) fn eat_call(&mut self, name: &str) -> bool {
        let mut ahead = *self;
        let found = ahead.eat_words(name) && ahead.eat("(");
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes the next `bytes` bytes, which the caller has looked at.
    pub(super) fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest.trim_start();
        taken
    }

    /// Takes an unsigned number if one comes next: digits, and a point with digits after it. `..` ends it.
    pub(super) fn digits(&mut self, is_digit: impl Fn(u8) -> bool) -> Option<&'a str> {
        let bytes = self.rest.as_bytes();
        let run = |from: usize| bytes[from..].iter().take_while(|b| is_digit(**b)).count();
        let mut end = run(0);
        if bytes.get(end) == Some(&b'.') && run(end + 1) > 0 {
            end += 1 + run(end + 1);
        }
        // `10a` is no number.
        let goes_on = self.rest[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        (end > 0 && !goes_on).then(|| self.take(end))
    }

    /// The name or sign that comes next, for messages.
    pub(super) fn next_shown(&self) -> String {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '?')));
        let end = end.into_iter().chain(self.rest.find("..")).min();
        let shown = match end {
            Some(0) => self.rest.chars().take(1).collect(),
            Some(end) => self.rest[..end].to_owned(),
            None => self.rest.to_owned(),
        };
        shorten(&shown)
    }

    /// Refuses what is left after a value.
    pub(super) fn refuse_rest(&self) -> Result<(), String> {
        match self.rest {
            "" => Ok(()),
            rest => Err(format!("`{}` after a value is not translated", shorten(rest))),
        }
    }
}

/// A text short enough for a message.
pub(super) fn shorten(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    if text.chars().count() <= SHOWN_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_MAX).chain(['…']).collect()
}
