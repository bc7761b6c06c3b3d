//! Evaluating functions of texts and numbers. Places in a text are counted in code points, from 0.

use super::eval::{Evaluation, MALFORMED, OVERFLOW, TIMES};
use super::expr::{Function, Term};
use super::sequence::{OUT_OF_RANGE, Sequence};
use super::value::Val;
use super::{Miss, Values};
use crate::domain::{Decimal, TimeDelta, Timestamp, Unavailable};

/// Units of a decimal's whole number.
const ONE: i64 = 10_000;
const SECOND: i64 = 1_000_000;

/// A text whose form is not that of the value it should give.
const NOT_OF_THE_FORM: Miss = Miss { slot: None, reason: Unavailable::Malformed };

impl<'a, V: Values> Evaluation<'a, V> {
    pub(super) fn applied(&mut self, function: Function, args: &'a [Term]) -> Result<Val<'a>, Miss> {
        let [subject, rest @ ..] = args else { return Err(MALFORMED) };
        Ok(match function {
            Function::Abs => Val::Number(self.number(subject)?.checked_abs().ok_or(OVERFLOW)?),
            Function::Ceil | Function::Floor | Function::Round | Function::Trunc => {
                Val::Number(rounded(function, self.number(subject)?).ok_or(OVERFLOW)?)
            }
            Function::Greatest => Val::Number(self.extreme(subject, i64::max)?),
            Function::Least => Val::Number(self.extreme(subject, i64::min)?),
            Function::WholeOfDecimal => Val::Number(self.number(subject)? / ONE),
            Function::SecondsOfTime => Val::Number(self.number(subject)?.div_euclid(SECOND)),
            Function::TimeOfSeconds => {
                let time = self.number(subject)?.checked_mul(SECOND).filter(|time| TIMES.contains(time));
                Val::Number(time.ok_or(OVERFLOW)?)
            }
            Function::IntOfText => Val::Number(self.text(subject)?.parse().map_err(|_| NOT_OF_THE_FORM)?),
            Function::DecimalOfText => {
                Val::Number(self.text(subject)?.parse::<Decimal>().map_err(|_| NOT_OF_THE_FORM)?.units())
            }
            Function::TextOfBool => Val::Text(if self.is_true(subject)? { "true" } else { "false" }.into()),
            Function::TextOfInt => Val::Text(self.number(subject)?.to_string().into()),
            Function::TextOfDecimal => Val::Text(Decimal::from_units(self.number(subject)?).to_string().into()),
            Function::TextOfTime => Val::Text(Timestamp::from_micros(self.number(subject)?).to_string().into()),
            Function::TextOfDuration => Val::Text(seconds(self.number(subject)?).into()),
            Function::Join => Val::Text(self.joined_text(subject, rest)?.into()),
            Function::Split => Val::List(self.split(subject, rest)?),
            Function::CharAt | Function::Substring | Function::IndexOf | Function::LastIndexOf | Function::Replace => {
                self.text_function(function, subject, rest)?
            }
        })
    }

    fn extreme(&mut self, list: &'a Term, choose: fn(i64, i64) -> i64) -> Result<i64, Miss> {
        let mut chosen: Option<i64> = None;
        let mut take = |number: i64| chosen = Some(chosen.map_or(number, |known| choose(known, number)));
        if let Term::Items(terms) = list {
            for term in terms {
                take(self.number(term)?);
            }
        } else {
            let items = self.sequence(list)?;
            self.charge(items.len() as u64)?;
            for item in items.iter() {
                let Val::Number(number) = item else { return Err(MALFORMED) };
                take(number);
            }
        }
        chosen.ok_or(OUT_OF_RANGE)
    }

    fn text_function(&mut self, function: Function, subject: &'a Term, rest: &'a [Term]) -> Result<Val<'a>, Miss> {
        let text = self.text(subject)?;
        self.charge_text(text.len())?;
        Ok(match (function, rest) {
            (Function::CharAt, [at]) => {
                let start = byte_at(&text, self.place(at)?)?;
                let end = text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
                Val::Text(text.cut(start, end))
            }
            (Function::Substring, [from]) => {
                let start = byte_at(&text, self.place(from)?)?;
                let end = text.len();
                Val::Text(text.cut(start, end))
            }
            (Function::Substring, [from, to]) => {
                let (from, to) = (self.place(from)?, self.place(to)?);
                if from > to {
                    return Err(OUT_OF_RANGE);
                }
                let (start, end) = (byte_at(&text, from)?, byte_at(&text, to)?);
                Val::Text(text.cut(start, end))
            }
            (Function::IndexOf | Function::LastIndexOf, [what, from @ ..]) => {
                let what = self.text(what)?;
                let from = from.first().map(|from| self.place(from)).transpose()?;
                let found = match function {
                    Function::IndexOf => index_of(&text, &what, from)?,
                    _ => last_index_of(&text, &what, from)?,
                };
                Val::Number(found.map_or(-1, |at| text[..at].chars().count() as i64))
            }
            (Function::Replace, [what, with, times @ ..]) => {
                let (what, with) = (self.text(what)?, self.text(with)?);
                let times = times.first().map(|times| self.number(times)).transpose()?;
                let times = times.and_then(|times| usize::try_from(times).ok()).unwrap_or(usize::MAX);
                let found = text.matches(&*what).take(times).count();
                self.charge_text(text.len().saturating_add(found.saturating_mul(with.len())))?;
                Val::Text(text.replacen(&*what, &with, found).into())
            }
            _ => return Err(MALFORMED),
        })
    }

    /// A place in a text.
    fn place(&mut self, at: &'a Term) -> Result<usize, Miss> {
        usize::try_from(self.number(at)?).map_err(|_| OUT_OF_RANGE)
    }

    fn split(&mut self, subject: &'a Term, rest: &'a [Term]) -> Result<Sequence<'a>, Miss> {
        let [separator, limit @ ..] = rest else { return Err(MALFORMED) };
        let (text, separator) = (self.text(subject)?, self.text(separator)?);
        let limit = limit.first().map(|limit| self.number(limit)).transpose()?;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        self.charge_text(text.len())?;
        let mut parts: Vec<Val<'a>> = Vec::new();
        let mut rest = Some(&*text);
        while let Some(part) = rest.filter(|_| parts.len() < limit) {
            self.charge(1)?;
            let cut = match separator.is_empty() {
                // Between all code points.
                true => part.chars().next().map(|c| part.split_at(c.len_utf8())).filter(|(_, rest)| !rest.is_empty()),
                false => part.split_once(&*separator),
            };
            let (head, tail) = match cut.filter(|_| parts.len() + 1 < limit) {
                Some((head, tail)) => (head, Some(tail)),
                None => (part, None),
            };
            if !(separator.is_empty() && head.is_empty()) {
                parts.push(Val::Text(head.to_owned().into()).shared());
            }
            rest = tail;
        }
        Ok(Sequence::Made(parts.into()))
    }

    fn joined_text(&mut self, list: &'a Term, separator: &'a [Term]) -> Result<String, Miss> {
        let items = self.sequence(list)?;
        let separator = separator.first().map(|separator| self.text(separator)).transpose()?;
        let separator = separator.as_deref().unwrap_or_default();
        let mut joined = String::new();
        for (nth, item) in items.iter().enumerate() {
            let Val::Text(item) = item else { return Err(MALFORMED) };
            self.charge_text(item.len() + separator.len())?;
            if nth > 0 {
                joined.push_str(separator);
            }
            joined.push_str(&item);
        }
        Ok(joined)
    }
}

/// The units of a decimal rounded to a whole number.
fn rounded(how: Function, units: i64) -> Option<i64> {
    let below = units.div_euclid(ONE).checked_mul(ONE);
    let is_whole = units.rem_euclid(ONE) == 0;
    let above = || units.div_euclid(ONE).checked_add(1)?.checked_mul(ONE);
    match how {
        _ if is_whole => Some(units),
        Function::Floor => below,
        Function::Ceil => above(),
        // Toward zero.
        Function::Trunc => Some(units / ONE * ONE),
        // Half away from zero, as CEL has it.
        _ if units.rem_euclid(ONE) > ONE / 2 || (units.rem_euclid(ONE) == ONE / 2 && units > 0) => above(),
        _ => below,
    }
}

/// A length of time as CEL writes it: in seconds.
fn seconds(micros: i64) -> String {
    let delta = TimeDelta::from_micros(micros).micros();
    let (sign, length) = (if delta < 0 { "-" } else { "" }, delta.unsigned_abs());
    let text = format!("{sign}{}.{:06}", length / SECOND as u64, length % SECOND as u64);
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The byte at which a code point of a text begins; the place behind the last one is allowed.
fn byte_at(text: &str, place: usize) -> Result<usize, Miss> {
    let ends = std::iter::once(text.len());
    text.char_indices().map(|(byte, _)| byte).chain(ends).nth(place).ok_or(OUT_OF_RANGE)
}

/// The byte at which a text is found first, from a place on.
fn index_of(text: &str, what: &str, from: Option<usize>) -> Result<Option<usize>, Miss> {
    let from = match from {
        Some(from) if what.is_empty() => return Ok(Some(byte_at(text, from).unwrap_or(text.len()))),
        Some(from) => byte_at(text, from).ok().filter(|byte| *byte < text.len()).ok_or(OUT_OF_RANGE)?,
        None => 0,
    };
    Ok(text[from..].find(what).map(|at| from + at))
}

/// The byte at which a text is found last, beginning at a place or before.
fn last_index_of(text: &str, what: &str, from: Option<usize>) -> Result<Option<usize>, Miss> {
    let Some(from) = from else { return Ok(text.rfind(what)) };
    if what.is_empty() {
        return Ok(Some(byte_at(text, from).unwrap_or(text.len())));
    }
    let from = byte_at(text, from).ok().filter(|byte| *byte < text.len()).ok_or(OUT_OF_RANGE)?;
    let mut end = from.saturating_add(what.len()).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Ok(text[..end].rfind(what))
}
