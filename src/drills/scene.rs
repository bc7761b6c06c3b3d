//! What brings a fallback about.

use super::specimen::under_id;
use super::stage::{Cue, Stage};
use super::word::{Says, agent_words, model_words};
use crate::bundle::{CapScope, OnViolation, Playbook};
use crate::context::{FlowKey, PENDING_MAX, Pending, Reservation, TypedEvent};
use crate::decider::{AgentWord, Word};
use crate::domain::{DecisionId, FallbackReason, Timestamp};
use crate::turn::{Made, ModelReadings};

/// Decisions that a throttle is filled with at most.
const THROTTLED_MAX: u32 = 10_000;

/// What brings a fallback about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scene {
    /// There is no time left to ask the rules.
    Late,
    /// The customer has consented to everything but this purpose.
    Unconsented(Box<str>),
    /// The numbered cap leaves nothing.
    CapFull(usize),
    /// The playbook has just decided.
    JustDecided,
    /// The playbook has decided as often as it may.
    DecidedOften,
    /// As many decisions are pending as may be.
    ManyPending,
    /// Every model says this.
    Models(Word),
    /// Every agent's word comes to this.
    Agents(AgentWord),
    /// Somebody proposes something that is beyond a limit.
    BeyondLimit,
}

impl Scene {
    /// Those of a playbook, each with the reason that it leads to: everything that its declarations make possible. What depends on
    /// the sense of its rules is not among them, such as two that contradict each other: that `forthwith check` finds.
    pub(super) fn all(playbook: &Playbook) -> Vec<(FallbackReason, Self)> {
        let mut scenes = vec![(FallbackReason::Late, Self::Late)];
        let own = playbook.purpose.iter().filter(|purpose| purpose.needs_consent).map(|purpose| &purpose.name);
        let mut purposes: Vec<&str> = own.map(|name| &**name).collect();
        for required in &playbook.consents {
            if !purposes.contains(&&*required.purpose) {
                purposes.push(&required.purpose);
            }
        }
        let unconsented = |purpose: &str| (FallbackReason::ConsentMissing, Self::Unconsented(purpose.into()));
        scenes.extend(purposes.into_iter().map(unconsented));
        // One that clamps lowers an amount to what there is; without any room it refuses like the others.
        scenes.extend((0..playbook.caps.len()).map(|number| (FallbackReason::CapReached, Self::CapFull(number))));
        scenes.extend(playbook.flow.debounce.map(|_| (FallbackReason::Debounced, Self::JustDecided)));
        scenes.extend(playbook.flow.throttle.map(|_| (FallbackReason::Throttled, Self::DecidedOften)));
        scenes.extend(playbook.settle_within.map(|_| (FallbackReason::TooManyPending, Self::ManyPending)));
        scenes.extend(model_words(playbook).filter_map(|word| Some((word.fallback()?, Self::Models(word)))));
        scenes.extend(agent_words(playbook).filter_map(|word| Some((word.fallback()?, Self::Agents(word)))));
        if playbook.limits.iter().any(|limit| limit.on_violation == OnViolation::Fallback) {
            scenes.push((FallbackReason::LimitPassed, Self::BeyondLimit));
        }
        scenes
    }

    /// What may be said in it: one of these will do.
    pub(super) fn says(&self, playbook: &Playbook) -> Vec<Says> {
        match self {
            Self::Late | Self::JustDecided | Self::DecidedOften | Self::ManyPending => vec![Says::Nobody],
            Self::Models(word) => vec![Says::Models(*word)],
            Self::Agents(word) => vec![Says::Agents(*word)],
            Self::Unconsented(_) | Self::CapFull(_) | Self::BeyondLimit => Says::proposals(playbook),
        }
    }

    /// Sets the stage for an event, and says what is said; `None` if the scene cannot be played with it.
    pub(super) fn set(&self, stage: &mut Stage<'_>, event: &TypedEvent) -> Result<Option<()>, String> {
        let playbook = stage.rules();
        let but = if let Self::Unconsented(purpose) = self { Some(&**purpose) } else { None };
        stage.consent(but)?;
        match self {
            Self::CapFull(number) => {
                let cap = &playbook.caps[*number];
                if cap.scope == CapScope::Global {
                    stage.is_exhausted = true;
                } else {
                    let decision = DecisionId::from_u128(0);
                    let (amount, at) = (cap.max, stage.now);
                    let reservation = Reservation { cap: cap.key, decision, amount, at, held_until: None };
                    let since = cap.over.map_or(Timestamp::from_micros(i64::MIN), |over| at.saturating_sub(over));
                    stage.state.ledger.commitments.reserve(reservation, since);
                }
            }
            Self::JustDecided => return Ok(decided_before(stage, event, "before")?.map(drop)),
            Self::DecidedOften => {
                let step = playbook.flow.debounce.unwrap_or_default();
                let Some(throttle) = playbook.flow.throttle.filter(|of| of.max <= THROTTLED_MAX) else {
                    return Ok(None);
                };
                let took = step.micros().saturating_mul(throttle.max.into());
                if took >= throttle.over.micros() {
                    return Ok(None);
                }
                for nth in 0..throttle.max {
                    if decided_before(stage, event, &format!("before-{nth}"))?.is_none() {
                        return Ok(None);
                    }
                    stage.wait(step);
                }
            }
            Self::ManyPending => {
                let (at, key) = (stage.now, FlowKey::WHOLE);
                let until = at.saturating_add(playbook.settle_within.unwrap_or_default());
                for nth in 0..PENDING_MAX {
                    let decision = DecisionId::from_u128(nth as u128);
                    let pending = Pending { decision, playbook: playbook.key, key, at, until, settled: None };
                    stage.state.ledger.commitments.hold(pending);
                }
            }
            Self::Late | Self::Unconsented(_) | Self::Models(_) | Self::Agents(_) | Self::BeyondLimit => {}
        }
        Ok(Some(()))
    }
}

/// An event like this one, decided before it.
fn decided_before(stage: &mut Stage<'_>, event: &TypedEvent, id: &str) -> Result<Option<Made>, String> {
    let event = under_id(event, id);
    let models = ModelReadings::Recorded(Vec::new());
    stage.decide(Cue { event: &event, models, is_late: false })
}
