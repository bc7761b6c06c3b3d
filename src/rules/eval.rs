//! Evaluating conditions: three truth values, no allocation on the plain way.
//!
//! `false && x` and `true || x` absorb an unavailable `x`; everything else that touches one is unavailable itself and
//! remembers the first name that was missing.

use std::ops::RangeInclusive;

use smallvec::SmallVec;

use super::cost::{JUDGEMENT_STEPS_MAX, TEXT_BYTES_PER_STEP, text_steps};
use super::expr::{CaseOp, CompareOp, Expr, MathOp, Shared, Term, Test, TextOp, TimePart};
use super::index::IndexScratch;
use super::list::{has_folded, has_text};
use super::text::{TextIndex, TextScratch, mentions};
use super::value::{Text, Val};
use super::{Ref, Slot, Values};
use crate::domain::{Decimal, Unavailable};

/// A condition's truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told.
    Unavailable(Miss),
}

/// What was missing: the name, if it was one, and the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The name whose value was not there; `None` for arithmetic that went wrong.
    pub slot: Option<Slot>,
    /// Why.
    pub reason: Unavailable,
}

/// Reusable memory for evaluations, one at a time. Keep one per thread.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) evaluation: EvaluationScratch,
    pub(super) index: IndexScratch,
}

/// Reusable memory of one evaluation at a time.
#[derive(Debug, Default)]
pub(super) struct EvaluationScratch {
    text: TextScratch,
    /// The truth of named conditions, as far as they were asked.
    named: Vec<Option<Result<bool, Miss>>>,
}

/// One evaluation of the conditions of one rule set over one set of values.
pub(super) struct Evaluation<'a, V> {
    pub(super) values: &'a V,
    pub(super) texts: &'a TextIndex,
    pub(super) scratch: &'a mut EvaluationScratch,
    /// The items that loops are at, the innermost last; one of a literal list may be unavailable.
    pub(super) locals: SmallVec<[Result<Val<'a>, Miss>; 2]>,
    /// Steps taken so far.
    steps: u64,
}

impl<'a, V: Values> Evaluation<'a, V> {
    pub(super) fn new(values: &'a V, texts: &'a TextIndex, scratch: &'a mut EvaluationScratch) -> Self {
        scratch.text.reset(texts);
        scratch.named.clear();
        Self { values, texts, scratch, locals: SmallVec::new(), steps: 0 }
    }

    /// Forgets the steps taken: what follows is a judgement of its own.
    pub(super) fn renew(&mut self) {
        self.steps = 0;
        self.scratch.named.clear();
    }

    /// Takes steps, if the judgement has any left. Called where an expression costs more than its length tells: in loops, for
    /// texts, for named conditions.
    #[inline]
    pub(super) fn charge(&mut self, steps: u64) -> Result<(), Miss> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > JUDGEMENT_STEPS_MAX { Err(TOO_COSTLY) } else { Ok(()) }
    }

    /// Takes the steps of looking at a text.
    #[inline]
    pub(super) fn charge_text(&mut self, bytes: usize) -> Result<(), Miss> {
        self.charge(text_steps(bytes as u64))
    }

    pub(super) fn truth(&mut self, expr: &'a Expr) -> Truth {
        match self.expr(expr) {
            Ok(true) => Truth::True,
            Ok(false) => Truth::False,
            Err(miss) => Truth::Unavailable(miss),
        }
    }

    /// The phrases of the set's index that the text in the slot has, a bit each; `None` if there is no text.
    pub(super) fn phrases_in(&mut self, slot: Slot) -> Option<&[u64]> {
        match self.values.value(slot) {
            Ok(Ref::Text(text)) => self.texts.found(slot, text, &mut self.scratch.text),
            _ => None,
        }
    }

    pub(super) fn expr(&mut self, expr: &'a Expr) -> Result<bool, Miss> {
        match expr {
            Expr::Const(value) => Ok(*value),
            Expr::Test(slot, test) => self.test(*slot, test),
            Expr::Not(of) => self.expr(of).map(|value| !value),
            Expr::All(parts) => self.joined(parts, false),
            Expr::Any(parts) => self.joined(parts, true),
            Expr::If(condition, then, otherwise) => {
                if self.expr(condition)? {
                    self.expr(then)
                } else {
                    self.expr(otherwise)
                }
            }
            Expr::Same(left, right) => Ok(self.expr(left)? == self.expr(right)?),
            Expr::Compare(op, left, right) => self.compare(*op, left, right),
            Expr::Text(op, subject, pattern) => {
                let (subject, pattern) = (self.text(subject)?, self.text(pattern)?);
                self.charge_text(subject.len())?;
                Ok(match op {
                    TextOp::Contains => subject.contains(&*pattern),
                    TextOp::StartsWith => subject.starts_with(&*pattern),
                    TextOp::EndsWith => subject.ends_with(&*pattern),
                })
            }
            Expr::Matches(subject, regex) => {
                let subject = self.text(subject)?;
                self.charge_text(subject.len())?;
                Ok(regex.is_match(&subject))
            }
            Expr::Member(of, members) => match self.term(of)? {
                Val::Number(n) => Ok(members.has_number(n)),
                Val::Text(text) => Ok(members.has_text(&text)),
                _ => Err(MALFORMED),
            },
            Expr::Mentions(subjects, phrases) => self.any_mentions(subjects, phrases),
            Expr::Contains(slot, item) => self.contains(*slot, item),
            Expr::In(item, list) => self.within(item, list),
            Expr::SameLists(left, right) => self.same_lists(left, right),
            Expr::Is(term) => self.is_true(term),
            Expr::Loop(looped) => self.looped(looped),
            Expr::Named(condition) => self.named(condition),
            Expr::Has(slot) => Ok(self.values.value(*slot).is_ok()),
            Expr::OrElse(slot, otherwise) => match self.values.value(*slot) {
                Ok(value) => Ok(value == Ref::Bool(true)),
                Err(_) => self.expr(otherwise),
            },
        }
    }

    /// A named condition is asked once in a judgement, however many rules use it: it knows no variable of a loop.
    fn named(&mut self, condition: &'a Shared) -> Result<bool, Miss> {
        if let Some(Some(known)) = self.scratch.named.get(condition.number) {
            return *known;
        }
        self.charge(condition.nodes.into())?;
        let truth = self.expr(&condition.expr);
        // What was cut short is not known.
        if self.steps <= JUDGEMENT_STEPS_MAX {
            if self.scratch.named.len() <= condition.number {
                self.scratch.named.resize(condition.number + 1, None);
            }
            self.scratch.named[condition.number] = Some(truth);
        }
        truth
    }

    /// `&&` with `absorbing` false, `||` with true: that value decides even beside an unavailable one.
    fn joined(&mut self, parts: &'a [Expr], absorbing: bool) -> Result<bool, Miss> {
        let mut first_miss = None;
        for part in parts {
            match self.expr(part) {
                Ok(value) if value == absorbing => return Ok(absorbing),
                Ok(_) => {}
                Err(miss) => first_miss = first_miss.or(Some(miss)),
            }
        }
        first_miss.map_or(Ok(!absorbing), Err)
    }

    pub(super) fn slot(&self, slot: Slot) -> Result<Ref<'a>, Miss> {
        self.values.value(slot).map_err(|reason| Miss { slot: Some(slot), reason })
    }

    fn test(&mut self, slot: Slot, test: &Test) -> Result<bool, Miss> {
        Ok(match (self.slot(slot)?, test) {
            (Ref::Bool(value), Test::IsTrue) => value,
            (Ref::Number(n), Test::Within(min, max)) => *min <= n && n <= *max,
            (Ref::Number(n), Test::AnyOf(known)) => known.binary_search(&n).is_ok(),
            (Ref::Text(text), Test::TextIn(known)) => has_text(known, text),
            (Ref::Text(text), Test::FoldedIn(known)) => has_folded(known, text),
            (Ref::Text(text), Test::Mentions(phrases)) => self.texts.any(slot, text, phrases, &mut self.scratch.text),
            // A value of another type than the scope declares cannot get here through a checked schema.
            _ => return Err(Miss { slot: Some(slot), reason: Unavailable::Malformed }),
        })
    }

    fn compare(&mut self, op: CompareOp, left: &'a Term, right: &'a Term) -> Result<bool, Miss> {
        let (left, right) = (self.term(left)?, self.term(right)?);
        let ordering = match (&left, &right) {
            (Val::Number(l), Val::Number(r)) => l.cmp(r),
            (Val::Text(l), Val::Text(r)) => {
                self.charge(l.len().min(r.len()) as u64 / TEXT_BYTES_PER_STEP)?;
                (**l).cmp(&**r)
            }
            (Val::Bool(l), Val::Bool(r)) => l.cmp(r),
            _ => return Err(MALFORMED),
        };
        Ok(match op {
            CompareOp::Equal => ordering.is_eq(),
            CompareOp::Less => ordering.is_lt(),
            CompareOp::LessOrEqual => ordering.is_le(),
        })
    }

    /// `||` over the texts: one that has a phrase decides, whatever is unavailable.
    fn any_mentions(&mut self, subjects: &'a [Term], phrases: &[String]) -> Result<bool, Miss> {
        let mut first_miss = None;
        for subject in subjects {
            match self.text(subject) {
                Ok(text) => {
                    self.charge(text_steps(text.len() as u64).saturating_mul(1 + phrases.len() as u64))?;
                    if mentions(&text, phrases) {
                        return Ok(true);
                    }
                }
                Err(miss) => first_miss = first_miss.or(Some(miss)),
            }
        }
        first_miss.map_or(Ok(false), Err)
    }

    /// The value of a term, for computed outcomes.
    pub(super) fn term(&mut self, term: &'a Term) -> Result<Val<'a>, Miss> {
        Ok(match term {
            Term::Number(n) => Val::Number(*n),
            Term::Slot(slot) => self.slot(*slot)?.into(),
            Term::Local(from_inside) => self.local(*from_inside)?,
            Term::Truth(expr) => self.truth_of(expr)?,
            Term::Items(terms) => Val::List(self.items(terms)?),
            Term::Gather(gather) => Val::List(self.gathered(gather)?),
            Term::Item(list, at) => self.item(list, at)?,
            Term::OrElse(first, otherwise) => match self.term(first) {
                Ok(value) => value,
                Err(_) => self.term(otherwise)?,
            },
            Term::If(condition, then, otherwise) => {
                if self.expr(condition)? {
                    self.term(then)?
                } else {
                    self.term(otherwise)?
                }
            }
            Term::Math(op, left, right) => Val::Number(math(*op, self.number(left)?, self.number(right)?)?),
            Term::Negate(of) => Val::Number(self.number(of)?.checked_neg().ok_or(OVERFLOW)?),
            Term::ToDecimal(of) => Val::Number(Decimal::from_int(self.number(of)?).ok_or(OVERFLOW)?.units()),
            Term::Size(of) => Val::Number(match self.term(of)? {
                Val::Text(text) => {
                    self.charge_text(text.len())?;
                    text.chars().count() as i64
                }
                Val::List(items) => items.len() as i64,
                _ => return Err(MALFORMED),
            }),
            Term::Apply(function, args) => self.applied(*function, args)?,
            Term::Part(part, of, offset) => Val::Number(time_part(*part, self.number(of)?, *offset)),
            Term::Text(_) | Term::NameOf(..) | Term::Concat(..) | Term::Case(..) => Val::Text(self.text(term)?),
        })
    }

    pub(super) fn number(&mut self, term: &'a Term) -> Result<i64, Miss> {
        match self.term(term)? {
            Val::Number(n) => Ok(n),
            _ => Err(MALFORMED),
        }
    }

    pub(super) fn text(&mut self, term: &'a Term) -> Result<Text<'a>, Miss> {
        Ok(match term {
            Term::Text(text) => Text::Borrowed(text),
            Term::NameOf(of, symbol) => {
                let symbol = u16::try_from(self.number(symbol)?).unwrap_or(u16::MAX);
                Text::Borrowed(of.name(symbol))
            }
            Term::Concat(left, right) => {
                let mut text = self.text(left)?.into_owned();
                text.push_str(&self.text(right)?);
                self.charge_text(text.len())?;
                Text::Owned(text)
            }
            Term::Case(op, of) => {
                let text = self.text(of)?;
                self.charge_text(text.len())?;
                Text::Owned(changed_case(*op, &text))
            }
            other => match self.term(other)? {
                Val::Text(text) => text,
                _ => return Err(MALFORMED),
            },
        })
    }
}

/// The judgement has taken all its steps.
const TOO_COSTLY: Miss = Miss { slot: None, reason: Unavailable::TooCostly };

/// A value of another type than was checked, which cannot be.
pub(super) const MALFORMED: Miss = Miss { slot: None, reason: Unavailable::Malformed };

pub(super) const OVERFLOW: Miss = Miss { slot: None, reason: Unavailable::Overflow };

/// Times that can be computed: the years 1 to 9999.
pub(super) const TIMES: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

fn math(op: MathOp, left: i64, right: i64) -> Result<i64, Miss> {
    let by_zero = Miss { slot: None, reason: Unavailable::DivisionByZero };
    let (l, r) = (Decimal::from_units(left), Decimal::from_units(right));
    let result = match op {
        MathOp::Add => left.checked_add(right),
        MathOp::Subtract => left.checked_sub(right),
        MathOp::AddToTime => left.checked_add(right).filter(|time| TIMES.contains(time)),
        MathOp::SubtractFromTime => left.checked_sub(right).filter(|time| TIMES.contains(time)),
        MathOp::MultiplyInt => left.checked_mul(right),
        MathOp::DivideInt | MathOp::RemainderInt | MathOp::DivideDecimal if right == 0 => return Err(by_zero),
        MathOp::DivideInt => left.checked_div(right),
        MathOp::RemainderInt => left.checked_rem(right),
        MathOp::MultiplyDecimal => l.checked_mul(r).map(Decimal::units),
        MathOp::DivideDecimal => l.checked_div(r).map(Decimal::units),
    };
    result.ok_or(OVERFLOW)
}

fn changed_case(op: CaseOp, text: &str) -> String {
    match op {
        CaseOp::LowerAscii => text.to_ascii_lowercase(),
        CaseOp::UpperAscii => text.to_ascii_uppercase(),
        CaseOp::Trim => text.trim().to_owned(),
    }
}

/// Calendar arithmetic in the proleptic Gregorian calendar, after Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms" (`civil_from_days`).
fn time_part(part: TimePart, micros: i64, offset: i64) -> i64 {
    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400 * SECOND;
    let local = micros.saturating_add(offset);
    let (days, of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 2 } else { march_month - 10 };
    let date = day_of_year - (153 * march_month + 2) / 5 + 1;
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match part {
        TimePart::FullYear => year_of_era + era * 400 + i64::from(month < 2),
        TimePart::Month => month,
        TimePart::Date => date,
        TimePart::DayOfMonth => date - 1,
        TimePart::DayOfYear if month < 2 => day_of_year - 306,
        TimePart::DayOfYear => day_of_year + 59 + i64::from(is_leap(year_of_era)),
        TimePart::DayOfWeek => (days + 4).rem_euclid(7),
        TimePart::Hours => of_day / (3_600 * SECOND),
        TimePart::Minutes => of_day / (60 * SECOND) % 60,
        TimePart::Seconds => of_day / SECOND % 60,
        TimePart::Milliseconds => of_day / 1_000 % 1_000,
    }
}
