//! Models of a bundle, and how a playbook uses one.

use std::sync::Arc;

use super::{Manifest, ModelPermit, OutcomeSchema, Permit};
use crate::domain::{Enumeration, Value};
use crate::inference::{Calibration, Candidates, Kernel, Probability, Statistic};
use crate::rules::Slot;

/// A model of the bundle.
#[derive(Debug)]
pub struct Model {
    /// What is known of it.
    pub manifest: Manifest,
    /// What it said of labelled inputs that it was not trained on.
    pub calibration: Option<Calibration>,
    /// The model itself. Not there in a bundle that was compiled from a record, which only knows what models said, and for
    /// models that no playbook uses.
    pub kernel: Option<Kernel>,
}

/// A model as one of a playbook's tiers: what it is given, what it proposes, and when its word is taken.
#[derive(Debug)]
pub struct SmallModel {
    /// Its id and version, as in `intent@3`.
    pub name: Arc<str>,
    /// The model.
    pub model: Arc<Model>,
    /// What it is given.
    pub reads: Reads,
    /// The fields of the outcome that it sets.
    pub sets: Box<[usize]>,
    /// What it may say: values of those fields.
    pub proposals: Box<[Box<[Value]>]>,
    /// The proposal that each label means; `None` for a label that means none.
    pub proposal_of: Box<[Option<u16>]>,
    /// When its word is taken.
    pub accept: Acceptance,
    /// Which proposals remain plausible where its word is not taken; `None`: all that are permitted.
    pub candidates: Option<Candidates>,
    /// Which proposals each of the playbook's permits lets it make, by the number of the permit; `None` where a permit does not
    /// open all its fields.
    pub permitted: Box<[Option<Box<[bool]>>]>,
}

/// What a model is given.
#[derive(Debug)]
pub enum Reads {
    /// Texts, each a part of its own.
    Texts(Box<[Slot]>),
    /// A row of features, in the order of the model's inputs.
    Features(Box<[FeatureSource]>),
}

/// Where a feature's value comes from.
#[derive(Debug)]
pub struct FeatureSource {
    /// The name in the playbook's scope.
    pub slot: Slot,
    /// How its value becomes a number.
    pub conversion: Conversion,
}

/// How a value becomes a feature.
#[derive(Debug)]
pub enum Conversion {
    /// Multiplied by this: 1 for whole numbers, a ten-thousandth for decimals, a millionth for durations, which count in
    /// seconds. True is 1.
    Scaled(f64),
    /// A member of an enumeration by the position of its name among the feature's; not a number for others.
    Symbols(Box<[f32]>),
    /// A text by its position among the feature's.
    Texts(Arc<Enumeration>),
}

/// When a model's word is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Acceptance {
    /// What of its scores is compared.
    pub of: Statistic,
    /// What it must reach.
    pub threshold: Probability,
    /// Where the threshold comes from.
    pub rule: AcceptRule,
}

/// Where a threshold comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum AcceptRule {
    /// Its author.
    Given,
    /// Certified on the calibration set.
    Certified {
        /// The precision among what is accepted that was asked for.
        target_precision: f64,
        /// How sure that is to hold.
        confidence: f64,
        /// The share of the calibration set that it accepts.
        share: Probability,
    },
    /// Chosen so that no larger share than this is unsure.
    Escalating {
        /// The share of the calibration set that may be unsure.
        share_max: f64,
        /// The share of the calibration set that it accepts.
        share: Probability,
    },
    /// Whatever it says is taken: a model that gives a number.
    Always,
}

impl SmallModel {
    /// Whether it is asked outside the turn.
    pub fn is_slow(&self) -> bool {
        self.model.manifest.kind.is_slow()
    }

    /// The names that it reads.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        let (texts, features): (&[Slot], &[FeatureSource]) = match &self.reads {
            Reads::Texts(slots) => (slots, &[]),
            Reads::Features(sources) => (&[], sources),
        };
        texts.iter().copied().chain(features.iter().map(|source| source.slot))
    }

    /// A proposal as people read it.
    pub fn show(&self, proposal: usize, outcome: &OutcomeSchema) -> String {
        let values = self.proposals.get(proposal).map_or(&[][..], |values| values);
        let shown = self.sets.iter().zip(values).map(|(number, value)| {
            let field = &outcome.fields()[*number];
            format!("{} = {}", field.name, field.ty.show(value))
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

/// Which of a model's proposals each permit lets it make.
pub(super) fn permitted(
    (sets, proposals): (&[usize], &[Box<[Value]>]),
    permits: &[ModelPermit],
    (outcome, guardrail): (&[crate::domain::Field], &Permit),
) -> Box<[Option<Box<[bool]>>]> {
    let by = |permit: &ModelPermit| {
        if !sets.iter().all(|number| permit.is_open(*number)) {
            return None;
        }
        let allows = |values: &[Value]| {
            sets.iter().zip(values).all(|(number, value)| permit.allows(*number, &outcome[*number], value, guardrail))
        };
        Some(proposals.iter().map(|values| allows(values)).collect())
    };
    permits.iter().map(by).collect()
}
