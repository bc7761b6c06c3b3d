//! Inputs made to order: values for every name that lie in a region and make its atoms what they should be.

use super::cells::Cells;
use super::model::Model;
use super::region::{Dim, Region};
use crate::domain::{Datum, Decimal, TimeDelta, Timestamp, Type, Unavailable, Value};
use crate::rules::{Atom, AtomForm, Extent, Place, Ref, Scope, Scratch, Slot, Truth, Values};

/// An input: a value for each name, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Witness(Vec<Option<Value>>);

/// Where values of numbers and times are looked for first: zero, and the start of a year that people recognise.
const TIME_PREFERRED: i64 = 1_767_225_600_000_000;

impl Values for Witness {
    fn value(&self, slot: Slot) -> Result<Ref<'_>, Unavailable> {
        self.0.get(slot.index()).and_then(Option::as_ref).map(Ref::from).ok_or(Unavailable::Unknown)
    }
}

impl Witness {
    /// The input with these values by slot.
    pub(super) fn of(values: Vec<Option<Value>>) -> Self {
        Self(values)
    }

    /// The value of a name, as people write it; `None` if it is unavailable.
    pub fn datum(&self, scope: &Scope, slot: Slot) -> Option<Datum> {
        let value = self.0.get(slot.index())?.clone()?;
        Some(Datum::new(&scope.declared(slot).ty, value))
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Value> {
        self.0[slot.index()].as_ref()
    }

    pub(super) fn set(&mut self, slot: Slot, value: Option<Value>) {
        self.0[slot.index()] = value;
    }
}

/// What is wanted of the atoms of a region, and the names that may be changed for it.
struct Aim<'r> {
    region: &'r Region,
    free: &'r [Slot],
    wanted: Vec<(Atom, Cells)>,
}

/// Makes inputs for one type of event.
pub(super) struct Maker<'m, 'a> {
    pub(super) model: &'m Model<'a>,
    pub(super) position: usize,
}

impl Maker<'_, '_> {
    /// An input in the region, as far as one is found: whether it does what it should is for the engine to say.
    pub(super) fn make(&self, region: &Region, scratch: &mut Scratch) -> Witness {
        let scope = self.model.scope;
        let values = scope.slots().map(|slot| self.chosen(slot, self.cells(region, slot), None));
        let mut witness = Witness(values.collect());
        let slots: Vec<Slot> = scope.slots().collect();
        self.settle(region, &slots, &mut witness, scratch);
        witness
    }

    /// The input with as little changed as brings it into the region; only these names are touched.
    pub(super) fn bring(&self, region: &Region, free: &[Slot], present: &Witness, scratch: &mut Scratch) -> Witness {
        let mut witness = present.clone();
        for slot in free {
            let cells = self.cells(region, *slot);
            if !cells.has(witness.value(*slot).ok()) {
                witness.set(*slot, self.chosen(*slot, cells, present.get(*slot)));
            }
        }
        self.settle(region, free, &mut witness, scratch);
        witness
    }

    fn cells<'r>(&'r self, region: &'r Region, slot: Slot) -> &'r Cells {
        let dim = Model::dim(slot);
        region.side(dim).unwrap_or_else(|| self.model.spaces[self.position].domain(dim))
    }

    /// A value of the cells near the one that is there now; none only if there is no other way.
    fn chosen(&self, slot: Slot, cells: &Cells, now: Option<&Value>) -> Option<Value> {
        let ty = &self.model.scope.declared(slot).ty;
        match &cells.extent {
            Extent::Any(false) => None,
            Extent::Numbers(intervals) => {
                let preferred = match (now.map(Ref::from), ty) {
                    (Some(Ref::Number(n)), _) => n,
                    (_, Type::Time) => TIME_PREFERRED,
                    _ => 0,
                };
                nearest(intervals, preferred).map(|n| of_number(ty, n))
            }
            Extent::Texts { named, is_complement: false } => named.first().map(|text| Value::Text(text.clone())),
            Extent::Texts { named, is_complement: true } => {
                let longest = self.model.names[self.position].lengths[slot.index()];
                fresh_text(|text| !named.iter().any(|n| **n == *text), longest).map(|text| Value::Text(text.into()))
            }
            Extent::Any(true) => Some(Value::List([].into())),
        }
    }

    // === atoms ===

    /// Changes the free names until the atoms are what the region wants, or no change makes it better.
    fn settle(&self, region: &Region, free: &[Slot], witness: &mut Witness, scratch: &mut Scratch) {
        let wanted = |(dim, cells): &'_ (Dim, Cells)| Some((self.model.atom(*dim)?.clone(), cells.clone()));
        let aim = Aim { region, free, wanted: region.sides().iter().filter_map(wanted).collect() };
        // Each round mends one atom for good; more rounds than atoms would go in a circle.
        for _ in 0..=aim.wanted.len().min(32) {
            let wrong = self.wrong(&aim, witness, scratch);
            if wrong.is_empty() || !wrong.iter().any(|at| self.mend(&aim, *at, wrong.len(), witness, scratch)) {
                return;
            }
        }
    }

    /// The atoms that are not what they should be.
    fn wrong(&self, aim: &Aim<'_>, witness: &Witness, scratch: &mut Scratch) -> Vec<usize> {
        let is_wrong = |at: &usize| {
            let (atom, cells) = &aim.wanted[*at];
            !cells.has(truth(self.model, atom, witness, scratch))
        };
        (0..aim.wanted.len()).filter(is_wrong).collect()
    }

    /// Changes one name so that fewer atoms are wrong; false if there is no such change.
    fn mend(&self, aim: &Aim<'_>, at: usize, wrong: usize, witness: &mut Witness, scratch: &mut Scratch) -> bool {
        let (atom, cells) = &aim.wanted[at];
        for slot in atom.slots.iter().filter(|slot| aim.free.contains(slot)) {
            let allowed = self.cells(aim.region, *slot);
            let before = witness.get(*slot).cloned();
            for candidate in self.candidates(atom, *slot, cells, witness) {
                if !self.fits(*slot, candidate.as_ref()) || !allowed.has(candidate.as_ref().map(Ref::from)) {
                    continue;
                }
                witness.set(*slot, candidate);
                if self.wrong(aim, witness, scratch).len() < wrong {
                    return true;
                }
            }
            witness.set(*slot, before);
        }
        false
    }

    fn fits(&self, slot: Slot, value: Option<&Value>) -> bool {
        let longest = self.model.names[self.position].lengths[slot.index()];
        match value {
            Some(Value::Text(text)) => text.len() <= longest,
            Some(Value::List(items)) => items.len() <= longest,
            _ => true,
        }
    }

    /// Values of a name that may make an atom what it should be.
    fn candidates(&self, atom: &Atom, slot: Slot, wanted: &Cells, witness: &Witness) -> Vec<Option<Value>> {
        let ty = &self.model.scope.declared(slot).ty;
        let now = witness.get(slot);
        let mut candidates = Vec::new();
        let wants = |n: i64| wanted.has(Some(Ref::Number(n)));
        match (&atom.form, ty) {
            (AtomForm::Mentions(phrases), _) if wants(1) => candidates.extend(with_phrase(now, phrases)),
            (AtomForm::Text(place, literal), _) if wants(1) => candidates.extend(with_literal(now, *place, literal)),
            (AtomForm::Item(item), Type::List(of)) => candidates.extend(with_item(now, of, item, wants(1))),
            (AtomForm::Other(numbers), _) => candidates.extend(self.near(atom, slot, numbers, witness)),
            _ => {}
        }
        if *ty == Type::Text && (wants(0) || now.is_none()) {
            candidates.extend(["", "x", "another text"].map(|text| Some(Value::Text(text.into()))));
        }
        if wanted.unavailable {
            candidates.push(None);
        } else if now.is_none() {
            candidates.push(self.chosen(
                slot,
                &self.model.spaces[self.position].domain(Model::dim(slot)).clone(),
                None,
            ));
        }
        candidates
    }

    /// Numbers around those in an atom and those of its other names: what comparisons turn on.
    fn near(&self, atom: &Atom, slot: Slot, numbers: &[i64], witness: &Witness) -> Vec<Option<Value>> {
        let ty = &self.model.scope.declared(slot).ty;
        let domain = self.model.spaces[self.position].domain(Model::dim(slot));
        let Extent::Numbers(intervals) = &domain.extent else { return Vec::new() };
        let others = atom.slots.iter().filter_map(|other| match witness.value(*other) {
            Ok(Ref::Number(n)) => Some(n),
            _ => None,
        });
        let others: Vec<i64> = others.chain([0]).collect();
        let shifts = || numbers.iter().copied().chain([0]).flat_map(|n| [n, n.saturating_neg()]);
        let around = others.iter().flat_map(|other| shifts().map(|shift| other.saturating_add(shift)));
        let mut values: Vec<i64> = around.flat_map(|n| [n, n.saturating_sub(1), n.saturating_add(1)]).collect();
        values.extend(intervals.iter().flat_map(|(low, high)| [*low, *high]));
        let mut seen = std::collections::HashSet::new();
        values.retain(|n| seen.insert(*n));
        values.truncate(128);
        values.into_iter().map(|n| Some(of_number(ty, n))).collect()
    }
}

/// The number of the intervals nearest to another.
pub(super) fn nearest(intervals: &[(i64, i64)], to: i64) -> Option<i64> {
    intervals.iter().map(|(low, high)| to.clamp(*low, *high)).min_by_key(|n| (n.abs_diff(to), *n))
}

/// The value of a type with this ordinal, or of a bool or symbol with this number.
pub(super) fn of_number(ty: &Type, n: i64) -> Value {
    match ty {
        Type::Bool => Value::Bool(n != 0),
        Type::OneOf(_) => Value::Symbol(u16::try_from(n).unwrap_or(u16::MAX)),
        Type::Decimal => Value::Decimal(Decimal::from_units(n)),
        Type::Time => Value::Time(Timestamp::from_micros(n)),
        Type::Duration => Value::Duration(TimeDelta::from_micros(n)),
        _ => Value::Int(n),
    }
}

fn fresh_text(is_free: impl Fn(&str) -> bool, longest: usize) -> Option<String> {
    let words = ["x", "y", "z", "", "other"].into_iter().map(str::to_owned);
    let letters = ('a'..='z').map(String::from);
    let numbered = (0..10_000).map(|n| n.to_string());
    words.chain(letters).chain(numbered).find(|text| text.len() <= longest && is_free(text))
}

fn text_of(now: Option<&Value>) -> &str {
    now.and_then(Value::as_text).unwrap_or_default()
}

/// The text with one of the phrases at its end.
fn with_phrase(now: Option<&Value>, phrases: &[String]) -> Vec<Option<Value>> {
    /// Phrases that are tried.
    const TRIED_MAX: usize = 64;
    let stem = |phrase: &String| phrase.strip_suffix('*').unwrap_or(phrase).to_owned();
    let now = text_of(now);
    let joined = |phrase: String| match now {
        "" | "x" => vec![phrase],
        now => vec![format!("{now} - {phrase}"), phrase],
    };
    let texts = phrases.iter().take(TRIED_MAX).map(stem).flat_map(joined);
    texts.map(|text| Some(Value::Text(text.into()))).collect()
}

fn with_literal(now: Option<&Value>, place: Place, literal: &str) -> Vec<Option<Value>> {
    let now = text_of(now);
    let longer = match place {
        Place::Anywhere => format!("{now} {literal}"),
        Place::Start => format!("{literal} {now}"),
        Place::End => format!("{now} {literal}"),
    };
    [literal.to_owned(), longer].map(|text| Some(Value::Text(text.into()))).into()
}

/// The list with the item, or without it.
fn with_item(now: Option<&Value>, of: &Type, item: &Result<Box<str>, i64>, is_wanted: bool) -> Option<Option<Value>> {
    let item = match item {
        Ok(text) => Value::Text(text.clone()),
        Err(n) => of_number(of, *n),
    };
    let mut items = match now {
        Some(Value::List(items)) => items.to_vec(),
        _ => Vec::new(),
    };
    items.retain(|known| *known != item);
    items.extend(is_wanted.then_some(item));
    Some(Some(Value::List(items.into())))
}

/// How far a part of a dimension is from a present value: what a change costs.
pub(super) fn distance(cells: &Cells, now: Option<Ref<'_>>) -> u64 {
    match (&cells.extent, now) {
        _ if cells.has(now) => 0,
        (Extent::Any(false), _) => u64::MAX,
        (Extent::Numbers(intervals), Some(Ref::Number(n))) => {
            nearest(intervals, n).map_or(u64::MAX - 1, |near| near.abs_diff(n).min(u64::MAX - 2))
        }
        _ => 1,
    }
}

/// The dimension's point in an input: the value of a name, or the truth of an atom.
pub(super) fn present<'v>(
    model: &Model<'_>,
    values: &'v impl Values,
    dim: Dim,
    scratch: &mut Scratch,
) -> Option<Ref<'v>> {
    match model.slot(dim) {
        Some(slot) => values.value(slot).ok(),
        None => truth(model, model.atom(dim)?, values, scratch),
    }
}

/// The truth of an atom as a point of its dimension.
fn truth(model: &Model<'_>, atom: &Atom, values: &impl Values, scratch: &mut Scratch) -> Option<Ref<'static>> {
    match model.rules.truth_of_atom(atom, values, scratch) {
        Truth::True => Some(Ref::Number(1)),
        Truth::False => Some(Ref::Number(0)),
        Truth::Unavailable(_) => None,
    }
}
