//! What models said of a decision, as it is recorded, and what that comes to.

use smallvec::SmallVec;

use crate::bundle::{AcceptRule, Acceptance, SmallModel};
use crate::domain::{FallbackReason, Unavailable, Value};
use crate::inference::{Probability, Score, Statistic};

/// A model that was asked, and what it said. Recorded with the decision: a replay asks nobody.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The number of the model among the playbook's.
    pub model: u16,
    /// What it said.
    pub said: Said,
}

/// What a model said.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A classifier: how likely the proposals are.
    Ranked(Ranking),
    /// A regressor: the value of the field that it sets, and whether it is one that may be chosen.
    Number {
        /// The value.
        value: Value,
        /// Whether the permit and the field's limits allow it.
        is_permitted: bool,
    },
    /// Nothing: a value that it reads was not there.
    Unread {
        /// The position of the value among those that it reads.
        position: u16,
        /// Why it was not there.
        reason: Unavailable,
    },
    /// Nothing: there was no time, no room in its queue, or it failed.
    Silent(Silence),
}

/// Why a slow model said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Not before the deadline.
    Late,
    /// As many as may be were waiting already.
    Shed,
    /// It failed.
    Failed,
}

impl Silence {
    /// The number under which records store it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Late => 0,
            Self::Shed => 1,
            Self::Failed => 2,
        }
    }

    /// The silence stored as `code`.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Late),
            1 => Some(Self::Shed),
            2 => Some(Self::Failed),
            _ => None,
        }
    }
}

/// How likely a model's proposals are, among those that were permitted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// The most likely permitted proposals, at most [`Ranking::MAX`], falling, with their probabilities once what is not permitted
    /// is known to be impossible.
    pub best: SmallVec<[Score; 4]>,
    /// How many of them remain plausible, the best first; 0 if not even all that are listed are all, or if nothing of them is
    /// and the next tier may choose among all.
    pub plausible: u8,
    /// The most likely proposal that is not permitted, with the probability that the model gave it.
    pub cut: Option<Score>,
    /// The probability of everything that is not permitted.
    pub cut_in_all: Probability,
    /// What the threshold compares, as it was before anything was cut; 0 if the model's best proposal was.
    pub uncut: Probability,
    /// Whether the model took the input for none of its business.
    pub is_out_of_scope: bool,
}

/// What a model's word comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// It is taken.
    Accepted,
    /// The model is not sure enough.
    Unsure,
    /// The input is none of the model's business.
    OutOfScope,
    /// Nothing of what the model found likely is permitted.
    NotPermitted,
    /// A value that the model reads was not there.
    Unread,
    /// It came too late, or would have.
    Late,
    /// Too many were waiting for the model.
    Shed,
    /// The model failed.
    Failed,
}

impl Ranking {
    /// Proposals that are recorded of one model.
    pub const MAX: usize = 8;

    /// How sure the model is: of its best proposal among what was permitted.
    pub fn confidence(&self) -> Probability {
        self.best.first().map_or(Probability::ZERO, |score| score.probability)
    }

    /// By how much the best is more likely than the next.
    pub fn margin(&self) -> Probability {
        let second = self.best.get(1).map_or(Probability::ZERO, |score| score.probability);
        self.confidence().minus(second)
    }

    /// What a threshold compares.
    ///
    /// One that was certified holds for what the model says of everything it knows: there the probabilities count as they were
    /// before anything was cut, and a model whose best proposal was cut is sure of nothing.
    pub fn statistic(&self, acceptance: &Acceptance) -> Probability {
        match (&acceptance.rule, acceptance.of) {
            (AcceptRule::Certified { .. }, _) => self.uncut,
            (_, Statistic::Confidence) => self.confidence(),
            (_, Statistic::Margin) => self.margin(),
        }
    }

    /// The proposals that remain plausible; `None` if there are too many to name.
    pub fn candidates(&self) -> Option<impl Iterator<Item = u16> + '_> {
        let plausible = usize::from(self.plausible);
        (plausible > 0).then(|| self.best.iter().take(plausible).map(|score| score.index))
    }
}

impl Said {
    /// What it comes to by a playbook's use of the model.
    pub fn word(&self, model: &SmallModel) -> Word {
        match self {
            Self::Ranked(ranked) if ranked.is_out_of_scope => Word::OutOfScope,
            Self::Ranked(ranked) if ranked.best.is_empty() => Word::NotPermitted,
            Self::Ranked(ranked) if ranked.statistic(&model.accept) >= model.accept.threshold => Word::Accepted,
            Self::Ranked(_) => Word::Unsure,
            Self::Number { is_permitted: true, .. } => Word::Accepted,
            Self::Number { is_permitted: false, .. } => Word::NotPermitted,
            Self::Unread { .. } => Word::Unread,
            Self::Silent(Silence::Late) => Word::Late,
            Self::Silent(Silence::Shed) => Word::Shed,
            Self::Silent(Silence::Failed) => Word::Failed,
        }
    }

    /// How sure the model is, if it says.
    pub fn confidence(&self) -> Option<Probability> {
        match self {
            Self::Ranked(ranked) if !ranked.best.is_empty() => Some(ranked.confidence()),
            _ => None,
        }
    }
}

impl Word {
    /// All of them, for metrics.
    pub const ALL: [Self; 8] = [
        Self::Accepted,
        Self::Unsure,
        Self::OutOfScope,
        Self::NotPermitted,
        Self::Unread,
        Self::Late,
        Self::Shed,
        Self::Failed,
    ];

    /// The word in traces and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unsure => "unsure",
            Self::OutOfScope => "out_of_scope",
            Self::NotPermitted => "not_permitted",
            Self::Unread => "unavailable",
            Self::Late => "late",
            Self::Shed => "shed",
            Self::Failed => "failed",
        }
    }

    /// Why the rules' answer is taken instead; `None` if it is not.
    pub fn fallback(self) -> Option<FallbackReason> {
        match self {
            Self::Accepted => None,
            Self::Unsure => Some(FallbackReason::Unsure),
            Self::OutOfScope => Some(FallbackReason::OutOfScope),
            Self::NotPermitted => Some(FallbackReason::NotPermitted),
            Self::Unread => Some(FallbackReason::InputUnavailable),
            Self::Late => Some(FallbackReason::ModelLate),
            Self::Shed => Some(FallbackReason::ModelShed),
            Self::Failed => Some(FallbackReason::ModelFailed),
        }
    }
}
