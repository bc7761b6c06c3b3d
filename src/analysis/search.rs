//! Looking for an input, guided by the engine: propose one, ask the engine who decides it, exclude what that rule matches,
//! propose again.
//!
//! Most rules are reached by the first proposal, so a large rule base is judged at the price of a decision a rule. Where no
//! input is left to propose, the rules that were met on the way are the proof that none exists.

use std::rc::Rc;

use super::cover::{Cover, Covering};
use super::finding::Example;
use super::model::Model;
use super::region::Region;
use super::witness::{Maker, Witness};
use crate::rules::{HitPolicy, Scratch, Values};

/// Proposals that may fail to be what they should before a question counts as undecided.
const FAILURES_MAX: usize = 6;

/// Rules that are met one by one; beyond that all that can stand in the way are taken at once.
const MET_MAX: usize = 24;

/// Steps that one question may take, and how many more for each box that is in question.
const STEPS_OF_QUESTION: u64 = 1_000_000;
const STEPS_PER_BOX: u64 = 1_000;

/// What the engine says of a proposal.
pub(super) enum Answer {
    /// It is what was looked for.
    Found,
    /// This rule stands in the way.
    Blocked(usize),
    /// The input is not what it was made to be.
    Missed,
}

/// What came of a search.
pub(super) enum Outcome {
    /// An input, confirmed by the engine.
    Found(Example),
    /// There is none: these rules together match everything that was looked through.
    Excluded(Vec<usize>),
    /// Neither was shown.
    Undecided(Doubt),
}

/// Why a search came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// No input could be made for what is left.
    NoInput,
    /// It took too many steps.
    Steps,
}

/// A search through regions, one after the other.
pub(super) struct Search<'m, 'a> {
    pub(super) model: &'m mut Model<'a>,
    pub(super) scratch: &'m mut Scratch,
    /// Steps left of the whole analysis.
    pub(super) steps: &'m mut u64,
}

impl<'a> Search<'_, 'a> {
    /// Looks for an input in the regions, each of one event type by position. `ask` says what the engine makes of one;
    /// `rivals` are the rules that may stand in the way.
    pub(super) fn run(
        &mut self,
        regions: &[(usize, Region)],
        rivals: &dyn Fn(&Model<'a>, usize) -> bool,
        ask: &mut dyn FnMut(&Model<'a>, &Example, &mut Scratch) -> Answer,
    ) -> Outcome {
        let mut met: Vec<usize> = Vec::new();
        let mut doubt = None;
        for (position, region) in regions {
            let mut missed: Vec<Region> = Vec::new();
            loop {
                let left = match self.uncovered(*position, region, &met, &missed) {
                    Cover::Whole => break,
                    Cover::Gap(left) => left,
                    Cover::Unknown => {
                        doubt = Some(Doubt::Steps);
                        break;
                    }
                };
                let example = Example { position: *position, witness: self.input(*position, &left) };
                match ask(self.model, &example, self.scratch) {
                    Answer::Found => return Outcome::Found(example),
                    Answer::Blocked(rule) if !met.contains(&rule) => self.meet(rule, &mut met, regions, rivals),
                    Answer::Blocked(_) | Answer::Missed => {
                        doubt = doubt.or(Some(Doubt::NoInput));
                        missed.push(left);
                        if missed.len() > FAILURES_MAX {
                            break;
                        }
                    }
                }
            }
        }
        doubt.map_or(Outcome::Excluded(met), Outcome::Undecided)
    }

    /// Notes a rule that stands in the way; after many, all that can.
    fn meet(
        &mut self,
        rule: usize,
        met: &mut Vec<usize>,
        regions: &[(usize, Region)],
        rivals: &dyn Fn(&Model<'a>, usize) -> bool,
    ) {
        met.push(rule);
        if met.len() != MET_MAX {
            return;
        }
        for rank in 0..self.model.rules.rules().len() {
            if rivals(self.model, rank) && !met.contains(&rank) && self.reaches(rank, regions) {
                met.push(rank);
            }
        }
    }

    fn reaches(&mut self, rank: usize, regions: &[(usize, Region)]) -> bool {
        let boxes = self.model.boxes(rank);
        let spaces = &self.model.spaces;
        *self.steps = self.steps.saturating_sub(boxes.len() as u64);
        boxes.iter().any(|b| regions.iter().any(|(position, region)| b.meets(region, &spaces[*position])))
    }

    /// What the rules leave of a region.
    pub(super) fn uncovered(&mut self, position: usize, region: &Region, rules: &[usize], missed: &[Region]) -> Cover {
        let boxes: Vec<Rc<[Region]>> = rules.iter().map(|rank| self.model.boxes(*rank)).collect();
        let model = &*self.model;
        let count: usize = boxes.iter().map(|boxes| boxes.len()).sum();
        let mut steps = (STEPS_OF_QUESTION + STEPS_PER_BOX * count as u64).min(*self.steps);
        let before = steps;
        let mut covering =
            Covering { space: &model.spaces[position], implied: &model.implied, near: None, steps: &mut steps };
        let cover = covering.of(region, boxes.iter().flat_map(|boxes| &**boxes).chain(missed));
        *self.steps -= before - steps;
        cover
    }

    fn input(&mut self, position: usize, region: &Region) -> Witness {
        Maker { model: self.model, position }.make(region, self.scratch)
    }

    /// What a rule matches of each event type.
    pub(super) fn regions_of(&mut self, rank: usize) -> Vec<(usize, Region)> {
        let boxes = self.model.boxes(rank);
        let model = &*self.model;
        let of_space = |(position, space): (usize, _)| {
            boxes.iter().filter_map(move |part| Some((position, model.within(part, space)?)))
        };
        model.spaces.iter().enumerate().flat_map(of_space).collect()
    }
}

/// Whether a rule decides an input that it matches, or which rule does.
pub(super) fn who_decides(model: &Model<'_>, rank: usize, example: &Example, scratch: &mut Scratch) -> Answer {
    let witness = &example.witness;
    if !model.rules.matches(rank, witness, scratch) {
        return Answer::Missed;
    }
    match decider(model, rank, witness, scratch) {
        None => Answer::Found,
        Some(other) => Answer::Blocked(other),
    }
}

/// A rule of the group that decides, the one that decides if there is one; `None` if no rule matches.
pub(super) fn first_of(model: &Model<'_>, values: &impl Values, scratch: &mut Scratch) -> Option<usize> {
    let judgement = model.rules.judge(values, scratch);
    judgement.violation.map(|violation| violation.rules.0).or(judgement.rule)
}

/// The rule that decides in place of one that matches; `None` if that one has its say.
pub(super) fn decider(model: &Model<'_>, rank: usize, values: &impl Values, scratch: &mut Scratch) -> Option<usize> {
    let first = first_of(model, values, scratch)?;
    if model.rules.group_of(first) < model.rules.group_of(rank) {
        return Some(first);
    }
    let group = model.group(rank);
    match &group.policy {
        HitPolicy::First | HitPolicy::Any | HitPolicy::Priority(_) => (first != rank).then_some(first),
        HitPolicy::Unique | HitPolicy::OutputOrder(_) | HitPolicy::RuleOrder | HitPolicy::Collect(_) => None,
    }
}
