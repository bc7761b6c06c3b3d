//! The nearest change: the fewest names whose other values would make a rule decide.
//!
//! Sets of names are tried by size. For each the rest is held at its present values, and an input is looked for in what the
//! rule matches and the rules met so far do not; the engine is asked about it, and if another rule decides, that rule is
//! met too. Names that are needed by themselves are found first, so that few sets are left. A size is left behind only when
//! every set of it is shown to be of no use, so that what is found is the least.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use super::cells::Cells;
use super::cover::{Cover, Covering};
use super::model::Model;
use super::names;
use super::region::{Dim, Region};
use super::search::decider;
use super::witness::{Maker, Witness, distance, of_number, present};
use crate::bundle::{ContextSource, Playbook, SlotSource};
use crate::context::Layout;
use crate::domain::{Type, Value};
use crate::rules::{HitPolicy, Ref, Scratch, Slot, Values};

/// Names that are changed at most.
const CHANGES_MAX: usize = 6;

/// Sets of names that are tried at most.
const TRIES_MAX: usize = 1_024;

/// Inputs that the engine is asked about at most.
const ASKED_MAX: usize = 512;

/// Steps of the search for inputs.
const STEPS_MAX: u64 = 200_000;

/// Inputs of one set of names that may turn out to be something else than they were made to be.
const FAILURES_MAX: usize = 3;

/// What would have to be different for a rule to decide.
#[derive(Clone, Debug, PartialEq)]
pub struct NearestChange {
    /// The names and their new values, in the order of the names; `None` where a value must not be given.
    pub changes: Vec<(Slot, Option<Value>)>,
    /// Whether it is shown that no change of fewer names would do.
    pub is_minimal: bool,
}

/// Why there is no change to suggest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChange {
    /// The rule decides as it is.
    Decides,
    /// No change of values that can be changed would do.
    Impossible,
    /// None was found within the bounds of the search.
    NotFound,
}

/// The fewest names to change so that the rule decides: wins, or in a group where every match has its say, is among those
/// that match. Names that are immutable stay as they are. Whatever is returned, the engine was asked and agrees.
pub fn nearest_change(
    playbook: &Playbook,
    layout: &Layout,
    rank: usize,
    values: &impl Values,
    position: usize,
) -> Result<NearestChange, NoChange> {
    let names = names::of(playbook, layout);
    let model = Model::new(&playbook.rules, &playbook.scope, &playbook.default.values, names);
    let mutable = playbook.scope.slots().filter(|slot| is_mutable(playbook, layout, *slot, position)).collect();
    nearest(model, rank, values, position, mutable)
}

/// Whether a name may be changed: not the time, not what this engine has itself decided, nothing declared immutable.
fn is_mutable(playbook: &Playbook, layout: &Layout, slot: Slot, position: usize) -> bool {
    let source = match &playbook.sources[slot.index()] {
        SlotSource::Now | SlotSource::Withheld => return false,
        SlotSource::Attribute(numbers) => {
            let Some(number) = numbers.get(position).and_then(|at| at.number()) else { return false };
            return !layout.events()[playbook.on[position]].attributes[number].immutable;
        }
        SlotSource::Unused(source) => *source,
        SlotSource::Sight(sight) => playbook.sights[*sight],
    };
    match source {
        ContextSource::Fact(number) => !layout.facts()[number].field.immutable,
        ContextSource::Signal(number) => !layout.signals()[number].immutable,
        ContextSource::Decisions | ContextSource::LastDecided => false,
    }
}

pub(super) fn nearest(
    model: Model<'_>,
    rank: usize,
    values: &impl Values,
    position: usize,
    mutable: BTreeSet<Slot>,
) -> Result<NearestChange, NoChange> {
    let owned = |slot| values.value(slot).ok().map(|value| owned(&model.scope.declared(slot).ty, value));
    let now = model.scope.slots().map(owned).collect();
    let mut quest = Quest {
        now: Witness::of(now),
        model,
        rank,
        position,
        mutable,
        met: Vec::new(),
        matter: BTreeMap::new(),
        asked: 0,
        steps: STEPS_MAX,
        scratch: Scratch::default(),
    };
    let present = quest.now.clone();
    match quest.ask(&present) {
        Verdict::Decides => return Err(NoChange::Decides),
        Verdict::Blocked(other) => quest.meet(other),
        Verdict::DoesNotMatch => {}
    }
    let parts = quest.parts();
    quest.by_size(&parts)
}

fn owned(ty: &Type, value: Ref<'_>) -> Value {
    match value {
        Ref::Bool(v) => Value::Bool(v),
        Ref::Number(v) => of_number(ty, v),
        Ref::Text(v) => Value::Text(v.into()),
        Ref::List(v) => Value::List(v.into()),
    }
}

enum Verdict {
    Decides,
    Blocked(usize),
    DoesNotMatch,
}

/// What came of looking at one set of names.
enum Reached {
    Found(Witness),
    /// The engine's answers prove that the set is of no use.
    Useless,
    Doubtful,
}

/// A part of what the rule matches that the names which may be changed can reach.
struct Reachable {
    region: Region,
    /// Names without which it cannot be reached.
    needed: BTreeSet<Slot>,
    /// Names of which at least one must change, for each atom that keeps the rule from matching.
    hit: Vec<Vec<Slot>>,
}

struct Quest<'a> {
    model: Model<'a>,
    rank: usize,
    position: usize,
    mutable: BTreeSet<Slot>,
    now: Witness,
    /// What decided in place of the rule.
    met: Vec<Rc<[Region]>>,
    /// The dimensions of the rule and of those met: what they are now, and the names that they depend on.
    matter: BTreeMap<Dim, (Cells, Vec<Slot>)>,
    asked: usize,
    steps: u64,
    scratch: Scratch,
}

impl Quest<'_> {
    /// The parts that can be reached at all, each with the names that it takes. One name after the other is held at its
    /// present value while all others are free: if that proves useless, the name is needed. So few sets remain to be tried.
    fn parts(&mut self) -> Vec<Reachable> {
        let boxes = self.model.boxes(self.rank);
        self.note(&boxes);
        let space = &self.model.spaces[self.position];
        let regions: Vec<Region> = boxes.iter().filter_map(|part| self.model.within(part, space)).collect();
        let mut parts = Vec::new();
        for region in regions {
            let Some((mut needed, hit)) = self.failing(&region) else { continue };
            let all: Vec<Slot> = self.mutable.iter().copied().collect();
            match self.reach(&region, &all) {
                Reached::Useless => continue,
                // What is needed anyway is enough.
                Reached::Found(input) if self.differing(&input).all(|slot| needed.contains(&slot)) => {}
                Reached::Found(_) | Reached::Doubtful => self.probe(&region, &all, &mut needed),
            }
            parts.push(Reachable { region, needed, hit });
        }
        parts
    }

    /// Adds the names that are needed although nothing of the rule itself says so: another rule is in the way.
    fn probe(&mut self, region: &Region, all: &[Slot], needed: &mut BTreeSet<Slot>) {
        for slot in self.useful().difference(&needed.clone()) {
            let others: Vec<Slot> = all.iter().copied().filter(|other| other != slot).collect();
            if matches!(self.reach(region, &others), Reached::Useless) {
                needed.insert(*slot);
            }
        }
    }

    fn by_size(&mut self, parts: &[Reachable]) -> Result<NearestChange, NoChange> {
        let (mut tries, mut doubt) = (0, false);
        let least = parts.iter().map(|part| part.needed.len()).min().unwrap_or(0).max(1);
        for size in least..=CHANGES_MAX {
            let mut tried: HashSet<(Vec<Slot>, usize)> = HashSet::new();
            // Rules that are met on the way bring new names, and with them new sets.
            loop {
                let fresh = self.sets(parts, size, &tried);
                if fresh.is_empty() {
                    break;
                }
                for (free, part) in fresh {
                    tries += 1;
                    if tries > TRIES_MAX || self.asked > ASKED_MAX {
                        return Err(NoChange::NotFound);
                    }
                    match self.reach(&parts[part].region, &free) {
                        Reached::Found(input) => return Ok(self.change(&input, !doubt)),
                        Reached::Useless => {}
                        Reached::Doubtful => doubt = true,
                    }
                    tried.insert((free, part));
                }
            }
        }
        let is_exhausted = !doubt && (parts.is_empty() || self.useful().len() <= CHANGES_MAX);
        Err(if is_exhausted { NoChange::Impossible } else { NoChange::NotFound })
    }

    /// Names that may be changed and make a difference to the rule or to those met so far.
    fn useful(&self) -> BTreeSet<Slot> {
        let slots = self.matter.values().flat_map(|(_, slots)| slots);
        slots.copied().filter(|slot| self.mutable.contains(slot)).collect()
    }

    fn slots_of(&self, dim: Dim) -> Vec<Slot> {
        match self.model.slot(dim) {
            Some(slot) => vec![slot],
            None => self.model.atom(dim).map_or_else(Vec::new, |atom| atom.slots.to_vec()),
        }
    }

    fn meet(&mut self, rule: usize) {
        let boxes = self.model.boxes(rule);
        self.note(&boxes);
        self.met.push(boxes);
    }

    /// Notes what the dimensions of the boxes are now.
    fn note(&mut self, boxes: &[Region]) {
        for (dim, _) in boxes.iter().flat_map(Region::sides) {
            if !self.matter.contains_key(dim) {
                let now = Cells::point(present(&self.model, &self.now, *dim, &mut self.scratch));
                self.matter.insert(*dim, (now, self.slots_of(*dim)));
            }
        }
    }

    /// Sets of this many names that could make the rule match, with the number of the part that they serve.
    fn sets(&self, parts: &[Reachable], size: usize, tried: &HashSet<(Vec<Slot>, usize)>) -> Vec<(Vec<Slot>, usize)> {
        let useful = self.useful();
        let mut sets = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let Some(spare) = size.checked_sub(part.needed.len()) else { continue };
            let others: Vec<Slot> = useful.difference(&part.needed).copied().collect();
            for extra in combinations(&others, spare, TRIES_MAX) {
                let mut free: Vec<Slot> = part.needed.iter().copied().chain(extra).collect();
                free.sort_unstable();
                let is_hit = part.hit.iter().all(|any| any.iter().any(|slot| free.contains(slot)));
                if is_hit && !tried.contains(&(free.clone(), number)) {
                    sets.push((free, number));
                }
            }
        }
        sets.sort();
        sets
    }

    /// The names that keep the rule from matching, and for each atom that does the names of which one must change; `None` if
    /// one of them cannot be changed.
    fn failing(&mut self, part: &Region) -> Option<(BTreeSet<Slot>, Vec<Vec<Slot>>)> {
        let (mut needed, mut hit) = (BTreeSet::new(), Vec::new());
        for (dim, cells) in part.sides() {
            if cells.has(present(&self.model, &self.now, *dim, &mut self.scratch)) {
                continue;
            }
            let slots = self.slots_of(*dim);
            let changeable: Vec<Slot> = slots.into_iter().filter(|slot| self.mutable.contains(slot)).collect();
            match &changeable[..] {
                [] => return None,
                [only] => {
                    needed.insert(*only);
                }
                _ => hit.push(changeable),
            }
        }
        Some((needed, hit))
    }

    /// Looks for an input that differs in the free names only and that the rule decides.
    fn reach(&mut self, part: &Region, free: &[Slot]) -> Reached {
        let mut missed: Vec<Region> = Vec::new();
        while self.asked <= ASKED_MAX && missed.len() <= FAILURES_MAX {
            let Some(region) = self.held(part, free) else { break };
            let left = match self.uncovered(&region, &missed) {
                Cover::Whole => break,
                Cover::Gap(left) => left,
                Cover::Unknown => return Reached::Doubtful,
            };
            let maker = Maker { model: &self.model, position: self.position };
            let input = maker.bring(&left, free, &self.now, &mut self.scratch);
            match self.ask(&input) {
                Verdict::Decides => return Reached::Found(input),
                Verdict::Blocked(other) if self.teaches(other, &left) => self.meet(other),
                // An input that is not what it was made to be is set aside.
                Verdict::Blocked(_) | Verdict::DoesNotMatch => missed.push(left),
            }
        }
        let is_useless = missed.is_empty() && self.asked <= ASKED_MAX;
        if is_useless { Reached::Useless } else { Reached::Doubtful }
    }

    /// Whether a rule matches something of the region that was thought to be free of others.
    fn teaches(&mut self, rule: usize, region: &Region) -> bool {
        let boxes = self.model.boxes(rule);
        let space = &self.model.spaces[self.position];
        boxes.iter().any(|b| b.meets(region, space))
    }

    /// The part with every other name that matters held at its present value; `None` if that leaves nothing.
    fn held(&self, part: &Region, free: &[Slot]) -> Option<Region> {
        let mut region = part.clone();
        for (dim, (now, slots)) in &self.matter {
            if !slots.iter().any(|slot| free.contains(slot)) {
                region.restrict(*dim, now);
            }
        }
        if region.is_empty() { None } else { self.model.implied.sharpened(region) }
    }

    fn uncovered(&mut self, region: &Region, missed: &[Region]) -> Cover {
        let (model, now) = (&self.model, &self.now);
        let near = |dim: Dim, cells: &Cells| match model.slot(dim) {
            Some(slot) => distance(cells, now.value(slot).ok()),
            None => 0,
        };
        let space = &model.spaces[self.position];
        let mut covering = Covering { space, implied: &model.implied, near: Some(&near), steps: &mut self.steps };
        covering.of(region, self.met.iter().flat_map(|boxes| boxes.iter()).chain(missed))
    }

    fn ask(&mut self, input: &Witness) -> Verdict {
        self.asked += 1;
        let (model, scratch) = (&self.model, &mut self.scratch);
        if !model.rules.matches(self.rank, input, scratch) {
            return Verdict::DoesNotMatch;
        }
        if let Some(other) = decider(model, self.rank, input, scratch) {
            return Verdict::Blocked(other);
        }
        let group = model.group(self.rank);
        if group.policy != HitPolicy::Unique {
            return Verdict::Decides;
        }
        let mut others = group.ranks.clone().filter(|other| *other != self.rank);
        others.find(|other| model.rules.matches(*other, input, scratch)).map_or(Verdict::Decides, Verdict::Blocked)
    }

    fn change(&self, found: &Witness, is_minimal: bool) -> NearestChange {
        let changes = self.differing(found).map(|slot| (slot, found.get(slot).cloned()));
        NearestChange { changes: changes.collect(), is_minimal }
    }

    /// The names whose values are other than they are now.
    fn differing<'i>(&'i self, input: &'i Witness) -> impl Iterator<Item = Slot> + 'i {
        self.model.scope.slots().filter(|slot| input.value(*slot).ok() != self.now.value(*slot).ok())
    }
}

/// The ways to take so many of the items, in their order; at most so many ways.
fn combinations(items: &[Slot], count: usize, limit: usize) -> Vec<Vec<Slot>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in items.iter().enumerate() {
        for rest in combinations(&items[at + 1..], count - 1, limit - all.len()) {
            all.push([&[*first][..], &rest].concat());
            if all.len() == limit {
                return all;
            }
        }
    }
    all
}
