//! A rule set as boxes: what each rule matches, in the dimensions of its names and atoms.

use std::collections::HashMap;
use std::rc::Rc;

use super::cells::Cells;
use super::names::Names;
use super::region::{Dim, Implied, Region, Space};
use crate::domain::Value;
use crate::rules::{Atom, AtomForm, Extent, Group, HitPolicy, IfUnavailable, Kleene, RuleSet, Scope, ShapeRow, Slot};

/// A rule set as the analysis sees it. Rules are turned into boxes when they are first asked for.
pub(super) struct Model<'a> {
    pub(super) rules: &'a RuleSet,
    pub(super) scope: &'a Scope,
    pub(super) names: Vec<Names>,
    /// The outcome's values where a rule does not say.
    pub(super) defaults: &'a [Value],
    pub(super) spaces: Vec<Space>,
    pub(super) widened: Vec<Space>,
    pub(super) atoms: Vec<Atom>,
    pub(super) implied: Implied,
    slots: Vec<Slot>,
    numbers: HashMap<Box<str>, Dim>,
    boxes: HashMap<usize, Rc<[Region]>>,
}

impl<'a> Model<'a> {
    pub(super) fn new(rules: &'a RuleSet, scope: &'a Scope, defaults: &'a [Value], names: Vec<Names>) -> Self {
        let spaces = names.iter().map(|names| Space(names.domains.clone())).collect();
        let widened = names.iter().map(|names| Space(names.widened.clone())).collect();
        Self {
            rules,
            scope,
            names,
            defaults,
            spaces,
            widened,
            atoms: Vec::new(),
            implied: Implied::default(),
            slots: scope.slots().collect(),
            numbers: HashMap::new(),
            boxes: HashMap::new(),
        }
    }

    /// The dimension of a name.
    pub(super) fn dim(slot: Slot) -> Dim {
        slot.index() as Dim
    }

    /// The name of a dimension; `None` for an atom.
    pub(super) fn slot(&self, dim: Dim) -> Option<Slot> {
        self.slots.get(dim as usize).copied()
    }

    /// The atom of a dimension; `None` for a name.
    pub(super) fn atom(&self, dim: Dim) -> Option<&Atom> {
        self.atoms.get((dim as usize).checked_sub(self.scope.len())?)
    }

    /// What a rule matches.
    pub(super) fn boxes(&mut self, rank: usize) -> Rc<[Region]> {
        if let Some(known) = self.boxes.get(&rank) {
            return Rc::clone(known);
        }
        let applies = self.rules.rules()[rank].if_unavailable == IfUnavailable::Apply;
        let rows = self.rules.shape(rank);
        let boxes = rows.iter().map(|row| self.region(row, applies)).filter(|region| !region.is_empty());
        let boxes: Rc<[Region]> = boxes.collect();
        self.boxes.insert(rank, Rc::clone(&boxes));
        boxes
    }

    /// The points at which a row is true; or with `applies`, not false.
    fn region(&mut self, row: &ShapeRow, applies: bool) -> Region {
        let is_enough = |truth: Kleene| truth == Kleene::True || (applies && truth == Kleene::Unavailable);
        let mut region = Region::default();
        for (slot, set) in &row.sets {
            let extent = self.possible(*slot, &set.extent);
            region.restrict(Self::dim(*slot), &Cells { extent, unavailable: is_enough(set.when_unavailable) });
        }
        for (atom, is_negated) in &row.atoms {
            let (dim, wanted) = (self.number(atom), i64::from(!is_negated));
            region.restrict(dim, &Cells { unavailable: applies, ..Cells::number(wanted) });
        }
        region
    }

    /// The set without texts that are too long to be given.
    fn possible(&self, slot: Slot, extent: &Extent) -> Extent {
        let longest = self.names.iter().map(|names| names.lengths[slot.index()]).max().unwrap_or(usize::MAX);
        match extent {
            Extent::Texts { named, is_complement } => {
                let named = named.iter().filter(|text| text.len() <= longest).cloned().collect();
                Extent::Texts { named, is_complement: *is_complement }
            }
            other => other.clone(),
        }
    }

    /// Notes what follows from a new atom for those that are known, and the other way round.
    fn relate(&mut self, dim: Dim, atom: &Atom) {
        // Beyond this many atoms they are taken for independent: the pairs would be too many.
        const RELATED_MAX: usize = 256;
        for (n, other) in self.atoms.iter().enumerate().take(RELATED_MAX) {
            let other_dim = (self.scope.len() + n) as Dim;
            if other.is_implied_by(atom) {
                self.implied.add(dim, other_dim);
            }
            if atom.is_implied_by(other) {
                self.implied.add(other_dim, dim);
            }
        }
    }

    /// The dimension of an atom; one that is written alike has the same.
    fn number(&mut self, atom: &Atom) -> Dim {
        if let Some(known) = self.numbers.get(&atom.key) {
            return *known;
        }
        let dim = (self.scope.len() + self.atoms.len()) as Dim;
        for (space, names) in self.spaces.iter_mut().zip(&self.names) {
            space.0.push(truths(atom, &names.domains));
        }
        for (space, names) in self.widened.iter_mut().zip(&self.names) {
            space.0.push(truths(atom, &names.widened));
        }
        self.relate(dim, atom);
        self.numbers.insert(atom.key.clone(), dim);
        self.atoms.push(atom.clone());
        dim
    }

    /// What of a box there is for one type of event, sharpened by what its atoms say of others; `None` if nothing.
    pub(super) fn within(&self, part: &Region, space: &Space) -> Option<Region> {
        self.implied.sharpened(part.within(space)?)
    }

    // === groups ===

    pub(super) fn group(&self, rank: usize) -> &'a Group {
        &self.rules.groups()[self.rules.group_of(rank)]
    }

    /// Whether the first rule decides in place of the second where both match.
    pub(super) fn is_above(&self, first: usize, second: usize) -> bool {
        let (group, own) = (self.rules.group_of(first), self.rules.group_of(second));
        if first == second || group != own {
            return group < own;
        }
        match &self.rules.groups()[own].policy {
            HitPolicy::First | HitPolicy::Any => first < second,
            HitPolicy::Priority(order) => {
                let importance = |rank: usize| (order.importance(&self.rules.rules()[rank], self.defaults), rank);
                importance(first) < importance(second)
            }
            HitPolicy::Unique | HitPolicy::OutputOrder(_) | HitPolicy::RuleOrder | HitPolicy::Collect(_) => false,
        }
    }
}

/// What an atom can be, given what its names can be.
fn truths(atom: &Atom, domains: &[Cells]) -> Cells {
    let domain = |slot: &Slot| &domains[slot.index()];
    let has_value = |slot: &Slot| !domain(slot).extent.is_empty();
    let may_miss = atom.slots.iter().any(|slot| domain(slot).unavailable);
    match &atom.form {
        AtomForm::Mentions(_) => {
            let yes = atom.slots.iter().any(has_value).then_some(1);
            let no = atom.slots.iter().all(has_value).then_some(0);
            Cells { extent: Extent::points(yes.into_iter().chain(no)), unavailable: may_miss }
        }
        AtomForm::Text(..) | AtomForm::Item(_) if !atom.slots.iter().all(has_value) => Cells::unavailable(),
        AtomForm::Text(..) | AtomForm::Item(_) => Cells { extent: Extent::interval(0, 1), unavailable: may_miss },
        AtomForm::Other(_) => Cells { extent: Extent::interval(0, 1), unavailable: true },
    }
}
