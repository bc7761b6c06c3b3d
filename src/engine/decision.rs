//! A decision as callers get it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use super::reason::{Reason, Shown};
use super::{AgentReason, ModelReason};
use crate::bundle::{Bundle, BundleId, Outcome, Playbook};
use crate::decider::{Consulted, Decided, fallen_back};
use crate::domain::{CustomerId, DecisionId, Durability, FallbackReason, Money, Tier, Timestamp};
use crate::guardrail::{Approved, Refused};
use crate::inference::Probability;
use crate::rules::{HitViolation, Miss};
use crate::turn::Made;

/// What was decided about a customer, by whom, why, and how safely it is kept.
///
/// Serializes with the names of the HTTP answer.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct Decision {
    /// Its id: the same for every repetition of the event.
    #[serde(rename = "decision_id")]
    #[cfg_attr(feature = "http", schema(value_type = String, format = "uuid"))]
    pub id: DecisionId,
    /// The playbook that decided.
    #[serde(serialize_with = "shown")]
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub playbook: Arc<str>,
    /// The bundle it was decided on.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub bundle: BundleId,
    /// Whom it is about.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub customer: CustomerId,
    /// What was decided: the fields of the playbook's outcome.
    #[serde(serialize_with = "approved")]
    #[cfg_attr(feature = "http", schema(value_type = Object))]
    outcome: Approved<Outcome>,
    /// What made it.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub tier: Tier,
    /// The rule that matched; `None` for the playbook's default.
    #[serde(serialize_with = "optional")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub rule: Option<Arc<str>>,
    /// The model that decided, as in `intent@3`; `None` where none did.
    #[serde(serialize_with = "optional")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub model: Option<Arc<str>>,
    /// The agent that decided, as in `ticket_router@1`; `None` where none did.
    #[serde(serialize_with = "optional")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub agent: Option<Arc<str>>,
    /// How sure the tier is, from 0 to 1; rules are sure, and so is a model that gives a number taken to be. `None` for a large
    /// model, which does not know how sure it is.
    #[cfg_attr(feature = "http", schema(required = true))]
    pub confidence: Option<f64>,
    /// What the large models that were asked cost, in units of the currency of their prices; `None` where none was asked.
    #[serde(serialize_with = "optional_money")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub cost: Option<Money>,
    /// Why the rules' answer, or the playbook's default, was taken in place of a proposal.
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, required = true))]
    pub fallback: Option<FallbackReason>,
    /// Why it came out like this, the most telling first.
    #[cfg_attr(feature = "http", schema(value_type = Vec<super::reason::ReasonShape>))]
    pub reasons: SmallVec<[Reason; 2]>,
    /// The place of the review that a decision may wait for.
    #[cfg_attr(feature = "http", schema(value_type = Option<Object>, required = true))]
    review: Option<()>,
    /// Until when someone must say what became of the decision; `None` if it is final.
    #[serde(serialize_with = "optional_time")]
    #[cfg_attr(feature = "http", schema(value_type = Option<String>, format = DateTime, required = true))]
    pub settle_by: Option<Timestamp>,
    /// How safely it was kept when it was given out: `disk`, `memory` or `pending`.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub durability: Durability,
    /// Whether the event had been decided before, and this is that decision.
    #[serde(rename = "duplicate")]
    pub is_duplicate: bool,
    /// The time from taking the event to giving out the decision, in microseconds. Not part of the record.
    #[serde(rename = "elapsed_us", serialize_with = "micros")]
    #[cfg_attr(feature = "http", schema(value_type = u64))]
    pub elapsed: Duration,
}

impl Decision {
    /// What was decided.
    pub fn outcome(&self) -> &Outcome {
        self.outcome.get()
    }

    /// A decision from what the turn made of it.
    pub(super) fn of(made: Made, bundle: &Bundle, customer: CustomerId) -> Self {
        let Made { id, playbook, decided, circumstances, settle_by, .. } = made;
        let playbook = &bundle.playbooks()[playbook];
        let rule = decided.rule.and_then(|rank| playbook.rules.rules().get(rank));
        let name = |miss: Miss| miss.slot.map(|slot| Arc::clone(&playbook.scope.declared(slot).path));
        let mut reasons = SmallVec::new();
        let confidence = decided.confidence();
        let Decided { outcome, tier, fallback, skipped, refused, not_computed, others, violation, clamped, .. } =
            decided;
        let named = |number: u16| playbook.models.get(usize::from(number));
        for asked in &decided.asked {
            let Some(model) = named(asked.model) else { continue };
            let word = asked.said.word(model);
            let reason = ModelReason { model: Arc::clone(&model.name), word, confidence: asked.said.confidence() };
            reasons.push(Reason::Model(reason));
        }
        let named_agent = |number: u16| playbook.agents.get(usize::from(number));
        for consulted in decided.agents.iter().filter(|consulted| consulted.had_a_say) {
            let Some(agent) = named_agent(consulted.agent) else { continue };
            let (word, target) = (consulted.said.word(agent), consulted.call.target.clone());
            reasons.push(Reason::Agent(AgentReason { agent: Arc::clone(&agent.name), word, target }));
        }
        let agent = decided.agent.and_then(named_agent).map(|agent| Arc::clone(&agent.name));
        let cost = decided.agents.iter().map(|consulted| consulted.call.cost).reduce(Money::plus);
        let model = decided.model.and_then(named).map(|model| Arc::clone(&model.name));
        for violation in decided.model_refused.iter().flat_map(Refused::violations) {
            reasons.push(Reason::ModelRefused(violation.clone()));
        }
        for violation in refused.iter().flat_map(Refused::violations) {
            reasons.push(Reason::GuardrailRefused(violation.clone()));
        }
        reasons.extend(clamped.into_iter().map(Reason::Clamped));
        if let Some(miss) = not_computed {
            reasons.push(Reason::NotComputed { name: name(miss), reason: miss.reason });
        }
        reasons.push(match (rule, violation) {
            (Some(rule), _) => {
                Reason::RuleMatched { rule: Arc::clone(&rule.id), description: rule.description.clone() }
            }
            (None, Some(violation)) => hit_policy_violated(playbook, violation),
            (None, None) => match circumstances.refusal {
                Some(reason) => {
                    Reason::NotAsked { reason, purpose: playbook.purpose.as_ref().map(|of| Arc::clone(&of.name)) }
                }
                None => Reason::DefaultApplied,
            },
        });
        let contributed = others.iter().filter_map(|rank| playbook.rules.rules().get(*rank as usize));
        let named = contributed.take(Reason::CONTRIBUTED_MAX);
        reasons.extend(named.map(|rule| Reason::RuleContributed { rule: Arc::clone(&rule.id) }));
        if others.len() > Reason::CONTRIBUTED_MAX {
            reasons.push(Reason::MoreContributed { rules: others.len() - Reason::CONTRIBUTED_MAX });
        }
        let or_more = skipped.is_truncated();
        for (miss, rules) in skipped.iter() {
            reasons.push(Reason::ValueUnavailable { name: name(miss), reason: miss.reason, rules, or_more });
        }
        Self {
            id,
            playbook: Arc::clone(&playbook.name),
            bundle: bundle.id(),
            customer,
            outcome,
            tier,
            rule: rule.map(|rule| Arc::clone(&rule.id)),
            model,
            confidence: confidence.map(Probability::as_f64),
            agent,
            cost,
            fallback,
            reasons,
            review: None,
            settle_by,
            durability: Durability::Memory,
            is_duplicate: false,
            elapsed: Duration::ZERO,
        }
    }
}

impl Decision {
    /// A decision as its caller gets it, kept so safely. One that takes something of a cap is not granted before it is on
    /// disk, for a crash could grant it again: the caller gets the default under its id, and hears what was decided by asking
    /// again.
    pub(super) fn given(mut made: Made, durability: Durability, bundle: &Bundle, customer: CustomerId) -> Self {
        let playbook = &bundle.playbooks()[made.playbook];
        let is_taken = |made: &Made| {
            let outcome = made.decided.outcome.get();
            playbook.caps.iter().any(|cap| cap.takes_of(outcome).is_some())
        };
        if durability != Durability::Disk && is_taken(&made) {
            let reason = FallbackReason::InDoubt;
            let unneeded = |consulted| Consulted { had_a_say: false, ..consulted };
            let agents = std::mem::take(&mut made.decided.agents).into_iter().map(unneeded).collect();
            made.decided = Decided { agents, ..fallen_back(playbook, reason) };
            made.circumstances.refusal = Some(reason);
            made.settle_by = None;
        }
        Self { durability, ..Self::of(made, bundle, customer) }
    }
}

fn hit_policy_violated(playbook: &Playbook, violation: HitViolation) -> Reason {
    let group = &playbook.rules.groups()[violation.group];
    let id = |rank: usize| Arc::clone(&playbook.rules.rules()[rank].id);
    let (first, second) = violation.rules;
    Reason::HitPolicyViolated {
        policy: group.policy.name(),
        group: Arc::clone(&group.name),
        rules: [id(first), id(second)],
    }
}

fn shown<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

fn optional<S: Serializer>(text: &Option<Arc<str>>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().serialize(serializer)
}

fn approved<S: Serializer>(outcome: &Approved<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.get().serialize(serializer)
}

fn optional_time<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(Shown).serialize(serializer)
}

fn optional_money<S: Serializer>(money: &Option<Money>, serializer: S) -> Result<S::Ok, S::Error> {
    money.map(Shown).serialize(serializer)
}

fn micros<S: Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
}
