//! Literals: the values that every format of decision tables has, and how a cell of ours writes them.

use crate::domain::{Decimal, TimeDelta, Timestamp};

/// What a literal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text, or one of a closed list of texts.
    Text,
    /// A number, whole or with up to four decimal places.
    Number,
    /// True or false.
    Bool,
    /// A point in time.
    Time,
    /// A length of time.
    Duration,
    /// A list of texts, numbers, ….
    List,
}

/// A value that stands in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Of [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Number`].
    Number(Decimal),
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Time`].
    Time(Timestamp),
    /// Of [`Kind::Duration`].
    Duration(TimeDelta),
}

impl Kind {
    /// What a value of this kind is called in messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Time => "a point in time",
            Self::Duration => "a duration",
            Self::List => "a list",
        }
    }

    /// Whether values of this kind can be compared by `<` in every format.
    pub(super) fn is_ordered(self) -> bool {
        matches!(self, Self::Number | Self::Time | Self::Duration)
    }
}

impl Literal {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Number(_) => Kind::Number,
            Self::Bool(_) => Kind::Bool,
            Self::Time(_) => Kind::Time,
            Self::Duration(_) => Kind::Duration,
        }
    }

    /// Reads a number exactly, or says why it cannot be held.
    pub(super) fn number(text: &str) -> Result<Self, String> {
        text.parse().map(Self::Number).map_err(|e| format!("the number `{text}` cannot be held: {e}"))
    }

    /// The literal that a bare word of a cell of ours stands for when nothing declares its type.
    ///
    /// A number that is not written plainly (`007`, `+5`) or is too large could be a text: it is refused rather than guessed.
    pub(super) fn as_written(text: &str) -> Result<Self, String> {
        match text {
            "true" => return Ok(Self::Bool(true)),
            "false" => return Ok(Self::Bool(false)),
            _ => {}
        }
        let doubtful = || {
            format!(
                "`{text}` may be a number or a text; put a text in quotes, or name the playbook that declares its type"
            )
        };
        if let Ok(number) = text.parse::<Decimal>() {
            let digits = text.trim_start_matches('-');
            let is_plain =
                !text.starts_with('+') && (!digits.starts_with('0') || digits.len() == 1 || digits.starts_with("0."));
            return if is_plain { Ok(Self::Number(number)) } else { Err(doubtful()) };
        }
        // An `int` of ours may be larger than what the other formats are given.
        if text.parse::<i64>().is_ok() {
            return Err(doubtful());
        }
        if let Some(time) = zoned_time(text) {
            return Ok(Self::Time(time));
        }
        Ok(text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Duration))
    }

    /// The literal of a text whose type is declared.
    pub(super) fn of_kind(text: &str, kind: Kind) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not {}", kind.describe());
        match kind {
            Kind::Text | Kind::List => Ok(Self::Text(text.to_owned())),
            Kind::Number => text.parse().map(Self::Number).map_err(|e| format!("{}: {e}", wrong())),
            Kind::Bool => text.parse().map(Self::Bool).map_err(|_| wrong()),
            Kind::Time => text.parse().map(Self::Time).map_err(|e| format!("{}: {e}", wrong())),
            Kind::Duration => text.parse().map(Self::Duration).map_err(|e| format!("{}: {e}", wrong())),
        }
    }

    /// The literal as an input cell of ours writes it: texts bare where nobody can take them for anything else.
    pub(super) fn in_cell(&self) -> String {
        match self {
            Self::Text(text) if is_plain_word(text) => text.clone(),
            Self::Text(text) => quoted(text),
            other => other.bare(),
        }
    }

    /// The literal without quotes.
    pub(super) fn bare(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Time(time) => time.to_string(),
            Self::Duration(length) => length.to_string(),
        }
    }
}

/// An RFC 3339 date and time with an offset, in the form that people know: `2026-01-31T10:00:00Z`.
pub(super) fn zoned_time(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let has_shape =
        bytes.len() >= 17 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b'T' && !text.contains('[');
    // Beyond microseconds a time would be cut, silently.
    let places = text.split_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    if has_shape && places <= 6 { text.parse().ok() } else { None }
}

/// The text in quotes, with `"` and `\` escaped: as our cells read it.
pub(super) fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal.push('"');
    literal
}

/// Whether a text may stand in a cell without quotes: words of letters, digits, `_`, `-`, with single spaces between, that begin
/// with a letter and are not a literal of another kind.
fn is_plain_word(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    text.starts_with(char::is_alphabetic)
        && text.split(' ').all(is_word)
        && matches!(Literal::as_written(text), Ok(Literal::Text(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_word_is_what_it_looks_like_and_doubt_is_a_fault() {
        let shown = |text: &str| match Literal::as_written(text) {
            Ok(literal) => format!("{} {}", literal.kind().describe(), literal.bare()),
            Err(_) => "refused".to_owned(),
        };
        for (text, expected) in [
            ("email", "a text email"),
            ("10", "a number 10"),
            ("-0.50", "a number -0.5"),
            ("0", "a number 0"),
            ("007", "refused"),
            ("+5", "refused"),
            ("9000000000000000000", "refused"),
            ("true", "true or false true"),
            ("90m", "a duration 1h30m"),
            ("2026-01-31T10:00:00+01:00", "a point in time 2026-01-31T09:00:00Z"),
            ("2026-01-31", "a text 2026-01-31"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_looks_like_something_else_is_quoted() {
        let cell = |text: &str| Literal::Text(text.to_owned()).in_cell();
        for (text, expected) in [
            ("very low", "very low"),
            ("SELF-EMPLOYED", "SELF-EMPLOYED"),
            ("true", "\"true\""),
            ("10", "\"10\""),
            ("a, b", "\"a, b\""),
            ("two  spaces", "\"two  spaces\""),
            ("", "\"\""),
            ("say \"hi\" \\", r#""say \"hi\" \\""#),
            ("contains(x)", "\"contains(x)\""),
        ] {
            assert_eq!(cell(text), expected, "{text}");
        }
    }
}
