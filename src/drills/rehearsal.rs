//! All fallbacks of a playbook, one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::scene::Scene;
use super::specimen::{knowledge, specimens};
use super::stage::{Cue, Stage};
use super::word::Says;
use crate::bundle::{Bundle, Playbook};
use crate::context::TypedEvent;
use crate::domain::{CustomerId, FallbackReason, TenantId, Tier, Timestamp, Value};
use crate::turn::{Made, ModelReadings, Surroundings, late};

/// Turns that are tried at most to bring one fallback about.
const TRIES_MAX: usize = 1_024;

/// A fallback that was rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// Which.
    pub reason: FallbackReason,
    /// What came of it.
    pub came: Came,
}

/// What came of rehearsing a fallback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// It held: what came out is what the bundle promises.
    Held,
    /// No event that could be made up of the declarations alone leads to it.
    Unreached,
    /// It did not: what differed.
    Failed(String),
}

/// The fallbacks that the declarations of a playbook make possible, each once.
pub fn reasons(playbook: &Playbook) -> Vec<FallbackReason> {
    let mut reasons: Vec<FallbackReason> = Scene::all(playbook).into_iter().map(|(reason, _)| reason).collect();
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

/// Rehearses every fallback of a numbered playbook, about a customer whom there is not. Of several ways that lead to one fallback each is
/// gone; it held if all held that could be gone.
pub fn rehearse(
    (bundle, tenant): (&Arc<Bundle>, &TenantId),
    number: usize,
    customer: &CustomerId,
    now: Timestamp,
) -> Vec<Rehearsed> {
    let playbook = &bundle.playbooks()[number];
    let theatre = Theatre::new((bundle, tenant), number, customer, now);
    let scenes = Scene::all(playbook);
    let came = |reason: FallbackReason| {
        let mut total = Came::Unreached;
        for (_, scene) in scenes.iter().filter(|(of, _)| *of == reason) {
            // A default that does not pass the guardrail panics: that too is to be told, not to end the self-check.
            let played = catch_unwind(AssertUnwindSafe(|| theatre.play(reason, scene)));
            match played.unwrap_or_else(|_| Err("the turn panicked".to_owned())) {
                Err(fault) => return Came::Failed(format!("{}: {fault}", scene.name(playbook))),
                Ok(true) => total = Came::Held,
                Ok(false) => {}
            }
        }
        total
    };
    reasons(playbook).into_iter().map(|reason| Rehearsed { reason, came: came(reason) }).collect()
}

/// A decision of a numbered playbook that takes something of a cap, if one can be brought about.
pub fn capped(
    (bundle, tenant): (&Arc<Bundle>, &TenantId),
    number: usize,
    customer: &CustomerId,
    now: Timestamp,
) -> Option<Made> {
    let playbook = &bundle.playbooks()[number];
    if playbook.caps.is_empty() {
        return None;
    }
    let theatre = Theatre::new((bundle, tenant), number, customer, now);
    theatre.cast(&Says::proposals(playbook)).find_map(|part| {
        let mut stage = theatre.stage();
        stage.know(part.facts).ok()?;
        stage.consent(None).ok()?;
        let made = theatre.act(&mut stage, part.event, part.says).ok()??;
        let takes = |made: &Made| playbook.caps.iter().any(|cap| cap.takes_of(made.decided.outcome.get()).is_some());
        takes(&made).then_some(made)
    })
}

/// Where the fallbacks of one playbook are rehearsed.
struct Theatre<'a> {
    bundle: &'a Arc<Bundle>,
    tenant: &'a TenantId,
    number: usize,
    customer: &'a CustomerId,
    now: Timestamp,
    events: Vec<TypedEvent>,
    /// What may be known of the customer.
    knowledge: Vec<Facts>,
}

/// Facts by number.
type Facts = Vec<(usize, Option<Value>)>;

/// What is decided on, what is known, and what is said.
#[derive(Clone, Copy)]
struct Part<'s> {
    event: &'s TypedEvent,
    facts: &'s Facts,
    says: &'s Says,
}

impl<'a> Theatre<'a> {
    fn new(
        (bundle, tenant): (&'a Arc<Bundle>, &'a TenantId),
        number: usize,
        customer: &'a CustomerId,
        now: Timestamp,
    ) -> Self {
        let events = specimens(bundle, &bundle.playbooks()[number], customer);
        Self { bundle, tenant, number, customer, now, events, knowledge: knowledge(bundle) }
    }

    fn stage(&self) -> Stage<'a> {
        Stage::new((self.bundle, self.tenant), self.number, self.customer, self.now)
    }

    /// A stage with a scene set on it; `None` if it cannot be played with this event.
    fn set(&self, scene: &Scene, part: Part<'_>) -> Result<Option<Stage<'a>>, String> {
        let mut stage = self.stage();
        stage.know(part.facts)?;
        Ok(scene.set(&mut stage, part.event)?.map(|()| stage))
    }

    /// Every event with everything that may be known and said, up to a bound.
    fn cast<'s>(&'s self, says: &'s [Says]) -> impl Iterator<Item = Part<'s>> {
        let of_facts = move |facts| {
            let of_event = move |event| says.iter().map(move |says| Part { event, facts, says });
            self.events.iter().flat_map(of_event)
        };
        self.knowledge.iter().flat_map(of_facts).take(TRIES_MAX)
    }

    /// Plays a scene with one event after the other until the fallback comes about. Whether it did; an error says what was wrong with it.
    fn play(&self, reason: FallbackReason, scene: &Scene) -> Result<bool, String> {
        let playbook = &self.bundle.playbooks()[self.number];
        let says = scene.says(playbook);
        for part in self.cast(&says) {
            let Some(mut stage) = self.set(scene, part)? else { continue };
            if *scene == Scene::Late {
                return self.play_late(&mut stage, part.event).map(|()| true);
            }
            let Some(made) = self.act(&mut stage, part.event, part.says)? else { continue };
            if made.decided.fallback != Some(reason) {
                // Whether anybody is asked is for the rules to say; a refusal before them is not, and who was asked and is not heard must
                // leave a reason.
                let is_unheard = matches!(scene, Scene::Models(_) | Scene::Agents(_));
                if scene.is_certain(playbook) || (is_unheard && made.decided.fallback.is_none()) {
                    let found = made.decided.fallback.map_or("no fallback", FallbackReason::as_str);
                    return Err(format!("expected the fallback {reason}, found {found}"));
                }
                continue;
            }
            let rules_say = match self.set(scene, part)? {
                Some(mut stage) => self.act(&mut stage, part.event, &Says::Nobody)?,
                None => None,
            };
            promised(&made, playbook, rules_say.as_ref())?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Decides on an event to which something is said; `None` if it cannot be said, or the event repeats another.
    fn act(&self, stage: &mut Stage<'_>, event: &TypedEvent, says: &Says) -> Result<Option<Made>, String> {
        let playbook = stage.rules();
        let models = match says {
            Says::Nobody => ModelReadings::Recorded(Vec::new()),
            says => {
                let Some(rule) = self.rule(stage, event)? else { return Ok(None) };
                let permit = match rule {
                    Some(rank) => playbook.rules.rules()[rank].permit,
                    None => playbook.default.permit,
                };
                let Some(models) = says.readings(self.number, playbook, permit) else { return Ok(None) };
                models
            }
        };
        stage.decide(Cue { event, models, is_late: false })
    }

    /// The rule that matches; the outer `None` if no rule is asked.
    fn rule(&self, stage: &Stage<'_>, event: &TypedEvent) -> Result<Option<Option<usize>>, String> {
        let mut tried = self.stage();
        (tried.state, tried.now, tried.is_exhausted) = (stage.state.clone(), stage.now, stage.is_exhausted);
        let models = ModelReadings::Recorded(Vec::new());
        let made = tried.decide(Cue { event, models, is_late: false })?;
        Ok(made
            .filter(|made| made.decided.is_asked() && made.decided.not_computed.is_none())
            .map(|made| made.decided.rule))
    }

    /// A caller who can wait no longer is told the defaults before the turn is taken: it must record the very same.
    fn play_late(&self, stage: &mut Stage<'_>, event: &TypedEvent) -> Result<(), String> {
        let around = Surroundings { bundle: self.bundle, tenant: self.tenant };
        let told = late(&stage.input(event), stage.now, around);
        let models = ModelReadings::Recorded(Vec::new());
        let made = stage.decide(Cue { event, models, is_late: true })?;
        match (told.as_slice(), made) {
            // What is recorded as seen besides, nobody was told.
            ([told], Some(made)) if (told.id, &told.decided) == (made.id, &made.decided) => {
                promised(&made, stage.rules(), None)
            }
            _ => Err("the turn records another decision than the caller was told".to_owned()),
        }
    }
}

/// Checks that a decision that fell back is what the bundle promises: the default where the rules were not asked or were refused,
/// the rules' answer where only somebody else was not heard.
fn promised(made: &Made, playbook: &Playbook, rules_say: Option<&Made>) -> Result<(), String> {
    let decided = &made.decided;
    let outcome = decided.outcome.get().values();
    let default = &*playbook.default.values;
    let is_default = made.circumstances.refusal.is_some() || decided.refused.is_some();
    let promised: &[Value] = match rules_say {
        Some(rules_say) if !is_default => rules_say.decided.outcome.get().values(),
        _ => default,
    };
    if outcome != promised {
        let shown = |values: &[Value]| {
            let fields = playbook.outcome.fields().iter().zip(values);
            let shown: Vec<String> =
                fields.map(|(field, value)| format!("{} = {}", field.name, field.ty.show(value))).collect();
            shown.join(", ")
        };
        return Err(format!("expected {}, found {}", shown(promised), shown(outcome)));
    }
    if decided.tier != Tier::Rules {
        return Err(format!("expected the tier {}, found {}", Tier::Rules, decided.tier));
    }
    for (field, value) in playbook.outcome.fields().iter().zip(outcome) {
        field.check(value).map_err(|fault| format!("{} {fault}", field.name))?;
    }
    Ok(())
}

impl Scene {
    /// Whether it leads to its fallback whatever the rules say.
    fn is_certain(&self, playbook: &Playbook) -> bool {
        match self {
            Self::Late | Self::JustDecided | Self::ManyPending => true,
            Self::Unconsented(of) => {
                playbook.purpose.as_ref().is_some_and(|purpose| purpose.needs_consent && *purpose.name == **of)
            }
            // More decisions may be pending than may be before there are too many.
            Self::DecidedOften => false,
            Self::CapFull(_) | Self::Models(_) | Self::Agents(_) | Self::BeyondLimit => false,
        }
    }

    /// What happens in it, for people.
    fn name(&self, playbook: &Playbook) -> String {
        match self {
            Self::Late => "without time".to_owned(),
            Self::Unconsented(purpose) => format!("without consent to `{purpose}`"),
            Self::CapFull(number) => format!("with the cap `{}` full", playbook.caps[*number].id),
            Self::JustDecided => "right after another decision".to_owned(),
            Self::DecidedOften => "after as many decisions as may be".to_owned(),
            Self::ManyPending => "with as many decisions pending as may be".to_owned(),
            Self::Models(word) => format!("with models that say `{}`", word.as_str()),
            Self::Agents(word) => format!("with agents that say `{}`", word.as_str()),
            Self::BeyondLimit => "with a proposal beyond a limit".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::cap_tests::offers;

    /// What a decision comes to that says it fell back and lets out what a rule had said all the same.
    #[test]
    fn a_fallback_that_lets_out_something_else_than_promised_is_found() {
        let (bundle, tenant) = (Arc::new(offers("", "")), TenantId::default());
        let customer = CustomerId::synthetic("offers", 0).unwrap();
        let now = Timestamp::from_micros(1_763_800_000_000_000);
        let theatre = Theatre::new((&bundle, &tenant), 0, &customer, now);
        let playbook = &bundle.playbooks()[0];
        let made =
            theatre.events.iter().filter_map(|event| theatre.act(&mut theatre.stage(), event, &Says::Nobody).unwrap());
        let by_rule = made.into_iter().find(|made| made.decided.outcome.get().values() != &*playbook.default.values);
        let mut made = by_rule.expect("some event matches a rule");
        assert_eq!(promised(&made, playbook, Some(&made)), Ok(()), "nobody was refused");
        made.circumstances.refusal = Some(FallbackReason::Late);
        let fault = promised(&made, playbook, None).unwrap_err();
        assert!(
            fault.starts_with("expected action = \"nothing\", discount = 0, found action = \"offer_discount\""),
            "{fault}"
        );
    }
}
