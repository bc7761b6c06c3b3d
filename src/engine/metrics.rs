//! The engine's series.

use std::sync::Arc;

use super::course::{Course, Leg};
use super::exercised::Exercised;
use super::failures::FailureSeries;
use super::feedback_metrics::FeedbackSeries;
use super::model_metrics::{ModelFamilies, ModelSeries};
use super::{Decision, Reason};
use crate::actor::Shed;
use crate::bundle::{AgentUse, Bundle, Playbook};
use crate::decider::{AgentWord, Consulted};
use crate::domain::{FallbackReason, Money, Settlement, Tier};
use crate::telemetry::{
    Counter, CounterFamily, Exemplar, GaugeFamily, Histogram, HistogramFamily, LATENCY_SECONDS, Label, Registry, Sum,
    SumFamily,
};
use crate::time::Instant;

/// What operators see of decisions.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    decisions: CounterFamily,
    fallbacks: CounterFamily,
    seconds: HistogramFamily,
    pub(super) shed: [Counter; Shed::ALL.len()],
    pub(super) refused: Refused,
    pub(super) failures: FailureSeries,
    stages: [Histogram; Leg::ALL.len()],
    slow: CounterFamily,
    pub(super) pending: Counter,
    pub(super) observed: Counter,
    pub(super) repeated: Counter,
    pub(super) facts: Counter,
    pub(super) consents: Counter,
    settlements: [(Settlement, Counter); SETTLEMENTS.len()],
    feedback: FeedbackSeries,
    models: ModelFamilies,
    limits_refused: CounterFamily,
    limits_clamped: CounterFamily,
    caps_refused: CounterFamily,
    caps_clamped: CounterFamily,
    pub(super) thread_still: GaugeFamily,
    cap_taken: GaugeFamily,
    cap_max: GaugeFamily,
    budget_spent: GaugeFamily,
    budget_max: GaugeFamily,
    pub(super) reloads: Counter,
    agent_answers: CounterFamily,
    agent_cost: SumFamily,
    pub(super) late_answers: Counter,
    pub(super) late_answers_lost: Counter,
}

/// Requests that were refused, by why.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) playbook: Counter,
    pub(super) event: Counter,
    pub(super) future: Counter,
    pub(super) conflict: Counter,
    pub(super) facts: Counter,
    pub(super) consents: Counter,
    pub(super) settlement: Counter,
    pub(super) feedback: Counter,
}

/// The series of one playbook, looked up once per bundle.
#[derive(Clone, Debug)]
pub(super) struct PlaybookSeries {
    /// By the number of the tier.
    pub(super) tiers: [TierSeries; Tier::ALL.len()],
    /// By why the default was taken.
    pub(super) fallbacks: [(FallbackReason, Counter); FallbackReason::ALL.len()],
    /// When each fallback was last taken.
    pub(super) exercised: Arc<Exercised>,
    pub(super) slow: Counter,
    /// By the number of the model.
    pub(super) models: Vec<Arc<ModelSeries>>,
    /// By the number of the agent.
    agents: Vec<AgentSeries>,
    limits: Vec<BoundSeries>,
    caps: Vec<BoundSeries>,
}

/// The series of one tier of a playbook.
#[derive(Clone, Debug)]
pub(super) struct TierSeries {
    pub(super) decided: Counter,
    pub(super) fallback: Counter,
    pub(super) duplicate: Counter,
    pub(super) seconds: Histogram,
}

/// The series of one agent of a playbook.
#[derive(Clone, Debug)]
struct AgentSeries {
    /// By the place of its word.
    words: Vec<Counter>,
    cost: Sum,
}

/// The series of one limit or cap of a playbook.
#[derive(Clone, Debug)]
struct BoundSeries {
    id: Arc<str>,
    refused: Counter,
    clamped: Counter,
}

/// The series of a bundle's playbooks, by number.
#[derive(Debug)]
pub(super) struct BundleSeries {
    pub(super) bundle: Arc<Bundle>,
    pub(super) feedback: FeedbackSeries,
    pub(super) playbooks: Vec<PlaybookSeries>,
}

/// What may become of a pending decision.
const SETTLEMENTS: [Settlement; 2] = [Settlement::Commit, Settlement::Release];

impl Refused {
    /// What may be wrong with a request.
    const WORDS: [&'static str; 8] =
        ["unknown_playbook", "event", "future", "conflict", "facts", "consents", "settlement", "feedback"];

    fn of(family: &CounterFamily) -> Self {
        let [playbook, event, future, conflict, facts, consents, settlement, feedback] =
            Self::WORDS.map(|word| family.with(&[word]));
        Self { playbook, event, future, conflict, facts, consents, settlement, feedback }
    }
}

impl PlaybookSeries {
    /// Counts a decision that was given, with the trace that it belongs to.
    pub(super) fn count(&self, decision: &Decision, exemplar: Option<Exemplar>) {
        let Some(tier) = self.tiers.get(usize::from(decision.tier.code())) else { return };
        if decision.is_duplicate {
            tier.duplicate.inc();
        } else if let Some(reason) = decision.fallback {
            tier.fallback.inc();
            let known = self.fallbacks.iter().find(|(known, _)| *known == reason);
            known.iter().for_each(|(_, counter)| counter.inc());
        } else {
            tier.decided.inc();
        }
        tier.seconds.observe_traced(decision.elapsed, exemplar);
    }

    /// Counts what the agents of a decision said; `playbook` is the one that decided.
    pub(super) fn count_agents(&self, agents: &[Consulted], playbook: &Playbook) {
        for consulted in agents {
            let number = usize::from(consulted.agent);
            if let (Some(agent), Some(series)) = (playbook.agents.get(number), self.agents.get(number)) {
                series.words[consulted.word(agent).place()].inc();
                series.cost.add(consulted.call.cost.to_f64());
            }
        }
    }

    /// Counts the limits that were passed and the caps that had no room for all that was proposed; `playbook` is the one that
    /// decided.
    pub(super) fn count_bounds(&self, reasons: &[Reason], playbook: &Playbook) {
        for reason in reasons {
            let (Reason::GuardrailRefused(violation) | Reason::ModelRefused(violation) | Reason::Clamped(violation)) =
                reason
            else {
                continue;
            };
            let limit = violation.of_limit.and_then(|limit| playbook.limits.get(limit)).map(|limit| &limit.id);
            let cap = violation.cap.and_then(|cap| playbook.caps.get(cap)).map(|cap| &cap.id);
            // By id, for the series may be of a later bundle.
            let of = |series: &[BoundSeries], id: Option<&Arc<str>>| {
                series.iter().find(|series| Some(&series.id) == id).map(|series| match reason {
                    Reason::Clamped(_) => series.clamped.inc(),
                    _ => series.refused.inc(),
                })
            };
            of(&self.limits, limit).or_else(|| of(&self.caps, cap));
        }
    }
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let playbook = Label::playbook;
        let tier = || Label::words("tier", Tier::ALL.map(Tier::as_str));
        let shed = registry.counters(
            "forthwith_shed_total",
            (
                "Requests that were not taken on for want of room or time, by why.",
                "Look when callers are told to try again: the reason says what there is too little of.",
            ),
            &[Label::words("reason", Shed::ALL.map(Shed::as_str))],
        );
        let refused = registry.counters(
            "forthwith_refused_total",
            (
                "Requests that were refused, by what was wrong.",
                "Look when a caller was changed: these are its mistakes, not the engine's.",
            ),
            &[Label::words("reason", Refused::WORDS)],
        );
        let settlements = registry.counters(
            "forthwith_settlements_total",
            "Pending decisions of which someone said what became of them, by what was said.",
            &[Label::words("settlement", SETTLEMENTS.map(Settlement::as_str))],
        );
        let stages = registry.histograms(
            "forthwith_decision_stage_seconds",
            (
                "Time of a decision's stages, in seconds: admission (room in the journal waited for), queue (its customer waited for, who is \
                 busy or not in memory, or the rest of its batch), turn (the turn itself), models (slow and large models waited for), disk \
                 (the journal's sync waited for). Every decision has a turn; the others are counted only where something was waited for.",
                "Look when decisions are slow: the stage says where the time goes. Its buckets have exemplars.",
            ),
            &[Label::words("stage", Leg::ALL.map(Leg::as_str))],
            &LATENCY_SECONDS,
        );
        let cap = || Label::named("cap", "global caps of the bundle in force");
        let own_cap = || Label::named("cap", "caps of the playbook");
        let limit = || Label::named("limit", "limits of the playbook");
        let agent = || Label::named("agent", "agents of the playbook");
        Self {
            decisions: registry.counters(
                "forthwith_decisions_total",
                (
                    "Decisions given, by playbook, tier and how they came about: decided, fallback, duplicate.",
                    "Its rate is what the engine does. `duplicate` ones were decided before and given again.",
                ),
                &[playbook(), tier(), Label::words("outcome", ["decided", "fallback", "duplicate"])],
            ),
            fallbacks: registry.counters(
                "forthwith_fallbacks_total",
                (
                    "Decisions in which the playbook's default took the place of a proposal, by why.",
                    "Look when its share of decisions rises: the reason says which tier or bound is behind it.",
                ),
                &[playbook(), Label::words("reason", FallbackReason::ALL.map(FallbackReason::as_str))],
            ),
            seconds: registry.histograms(
                "forthwith_decision_seconds",
                (
                    "Time from taking an event to giving its decision, in seconds, by playbook and the tier that decided.",
                    "Its 99th percentile against the playbook's budget is the first thing to watch. Its buckets have exemplars.",
                ),
                &[playbook(), tier()],
                &LATENCY_SECONDS,
            ),
            shed: Shed::ALL.map(|reason| shed.with(&[reason.as_str()])),
            refused: Refused::of(&refused),
            failures: FailureSeries::new(registry),
            stages: Leg::ALL.map(|leg| stages.with(&[leg.as_str()])),
            slow: registry.counters(
                "forthwith_slow_decisions_total",
                (
                    "Decisions that took more than a share of their budget (`slow_share`), with a line in the log or without.",
                    "Look at the lines of the log: they say where the time went.",
                ),
                &[playbook()],
            ),
            pending: registry.counter(
                "forthwith_decisions_pending_total",
                (
                    "Decisions whose deadline came before the disk had confirmed them.",
                    "Look at `forthwith_journal_commit_seconds`: the disk is slower than the budget allows.",
                ),
            ),
            observed: registry
                .counter("forthwith_events_observed_total", "Events taken without asking for one playbook."),
            repeated: registry.counter(
                "forthwith_events_repeated_total",
                (
                    "Events taken without asking for one playbook that had been taken before, and changed nothing.",
                    "A few are callers that try again; many are one that sends everything twice.",
                ),
            ),
            facts: registry.counter("forthwith_facts_total", "Facts about customers that were taken."),
            consents: registry
                .counter("forthwith_consents_total", "Consents of customers that were given or withdrawn."),
            settlements: SETTLEMENTS.map(|of| (of, settlements.with(&[of.as_str()]))),
            feedback: FeedbackSeries::new(registry),
            models: ModelFamilies::new(registry),
            limits_refused: registry.counters(
                "forthwith_limits_refused_total",
                (
                    "Proposals that were beyond a limit of the guardrail, so that what stands behind them took their place.",
                    "Look when it rises: a model or a rule proposes what may not be.",
                ),
                &[playbook(), limit()],
            ),
            limits_clamped: registry.counters(
                "forthwith_limits_clamped_total",
                "Proposals of which a value was moved to a limit of the guardrail.",
                &[playbook(), limit()],
            ),
            caps_refused: registry.counters(
                "forthwith_caps_refused_total",
                "Proposals that a cap had no room for, so that the default took their place.",
                &[playbook(), own_cap()],
            ),
            caps_clamped: registry.counters(
                "forthwith_caps_clamped_total",
                "Proposals whose amount was lowered to what a cap had left.",
                &[playbook(), own_cap()],
            ),
            thread_still: registry.gauges(
                "forthwith_thread_still_seconds",
                "Time for which a thread that the engine cannot do without has not moved though it had reason to, by thread.",
                &[Label::named("thread", "the threads that the engine cannot do without: a few, by `[engine] keepers`")],
            ),
            cap_taken: registry.gauges(
                "forthwith_cap_taken",
                (
                    "What all customers' decisions took of a global cap: a number, an amount, or seconds, as the cap counts.",
                    "Look when it nears `forthwith_cap_max`: from there on proposals are refused.",
                ),
                &[cap()],
            ),
            cap_max: registry.gauges(
                "forthwith_cap_max",
                "How much there may be of a global cap: a number, an amount, or seconds, as the cap counts.",
                &[cap()],
            ),
            budget_spent: registry.gauges(
                "forthwith_budget_spent",
                (
                    "What was spent of a budget on this day (UTC), calls under way included, in units of the currency of the prices.",
                    "Look when it nears `forthwith_budget_max`: beyond it agents are not asked until midnight UTC.",
                ),
                &[Label::named("budget", "budgets of agents and playbooks of the bundle in force")],
            ),
            budget_max: registry.gauges(
                "forthwith_budget_max",
                "What a budget has for a day (UTC), in units of the currency of the prices.",
                &[Label::named("budget", "budgets of agents and playbooks of the bundle in force")],
            ),
            agent_answers: registry.counters(
                "forthwith_agent_answers_total",
                (
                    "Agents that were asked for a decision, by what their word came to.",
                    "Look when a playbook's large tier decides less than it should.",
                ),
                &[playbook(), agent(), Label::words("word", AgentWord::all().map(AgentWord::as_str))],
            ),
            agent_cost: registry.sums(
                "forthwith_agent_cost_total",
                (
                    "Money that decisions cost, in units of the currency of the prices: what their agents' calls did until they were made.",
                    "Divided by decisions it is the price of one.",
                ),
                &[playbook(), agent()],
            ),
            late_answers: registry.counter(
                "forthwith_late_answers_total",
                "Answers of large models that came after their decisions had been made, and were recorded.",
            ),
            late_answers_lost: registry.counter(
                "forthwith_late_answers_lost_total",
                "Late answers of large models that were not recorded, for want of room in the journal or at the customer's.",
            ),
            reloads: registry.counter("forthwith_bundle_changes_total", "Times another bundle was put in force."),
        }
    }

    /// The series of a bundle's playbooks. Labels come from the bundle, so their number is its number of playbooks.
    /// What recent answers of models are held against goes on from those of the bundle before, where a model is the same.
    pub(super) fn of_bundle(&self, bundle: Arc<Bundle>, before: Option<&BundleSeries>, now: Instant) -> BundleSeries {
        let cap = |playbook: &str, id: &Arc<str>| BoundSeries {
            id: Arc::clone(id),
            refused: self.caps_refused.with(&[playbook, id]),
            clamped: self.caps_clamped.with(&[playbook, id]),
        };
        let limit = |playbook: &str, id: &Arc<str>| BoundSeries {
            id: Arc::clone(id),
            refused: self.limits_refused.with(&[playbook, id]),
            clamped: self.limits_clamped.with(&[playbook, id]),
        };
        let of_before = |name: &str| before.and_then(|of| of.playbooks.get(of.bundle.playbook_number(name)?));
        let series = |playbook: &Playbook| {
            let name = &*playbook.name;
            let agent = |agent: &AgentUse| {
                let word = |word: AgentWord| self.agent_answers.with(&[name, &agent.name, word.as_str()]);
                let cost = self.agent_cost.with(&[name, &agent.name]);
                AgentSeries { words: AgentWord::all().map(word).collect(), cost }
            };
            let decisions = |tier: Tier, outcome| self.decisions.with(&[name, tier.as_str(), outcome]);
            PlaybookSeries {
                tiers: Tier::ALL.map(|tier| TierSeries {
                    decided: decisions(tier, "decided"),
                    fallback: decisions(tier, "fallback"),
                    duplicate: decisions(tier, "duplicate"),
                    seconds: self.seconds.with(&[name, tier.as_str()]),
                }),
                fallbacks: FallbackReason::ALL.map(|reason| (reason, self.fallbacks.with(&[name, reason.as_str()]))),
                slow: self.slow.with(&[name]),
                exercised: of_before(name).map_or_else(Arc::default, |series| Arc::clone(&series.exercised)),
                models: {
                    let before = of_before(name).map_or(&[][..], |series| &series.models);
                    self.models.of_playbook(playbook, before, now)
                },
                agents: playbook.agents.iter().map(agent).collect(),
                limits: playbook.limits.iter().map(|of| limit(name, &of.id)).collect(),
                caps: playbook.caps.iter().map(|of| cap(name, &of.id)).collect(),
            }
        };
        let playbooks = bundle.playbooks().iter().map(series).collect();
        BundleSeries { bundle, feedback: self.feedback.clone(), playbooks }
    }

    /// Notes how the global caps stand: id, taken, max. Labels come from the bundle in force; those of an earlier one go.
    pub(super) fn caps_stand(&self, caps: &[(Arc<str>, f64, f64)]) {
        self.cap_taken.set_all(caps.iter().map(|(id, taken, _)| ([&**id], *taken)));
        self.cap_max.set_all(caps.iter().map(|(id, _, max)| ([&**id], *max)));
    }

    /// Notes how the budgets stand: name, spent, max. Labels come from the bundle in force; those of an earlier one go.
    pub(super) fn budgets_stand(&self, budgets: &[(Arc<str>, Money, Money)]) {
        self.budget_spent.set_all(budgets.iter().map(|(name, spent, _)| ([&**name], spent.to_f64())));
        self.budget_max.set_all(budgets.iter().map(|(name, _, max)| ([&**name], max.to_f64())));
    }

    /// Notes how the models of a bundle stand to what is expected of them.
    pub(super) fn models_stand(&self, series: &BundleSeries, now: Instant) {
        let models: Vec<&ModelSeries> = series.playbooks.iter().flat_map(|of| &of.models).map(|of| &**of).collect();
        self.models.stand(&models, now);
    }

    /// Counts what the stages of a call that gave decisions took.
    pub(super) fn took(&self, course: &Course, exemplar: Option<Exemplar>) {
        for (leg, took) in course.stages() {
            self.stages[leg as usize].observe_traced(took, exemplar);
        }
    }

    pub(super) fn settled(&self, settlement: Settlement) {
        self.settlements.iter().filter(|(of, _)| *of == settlement).for_each(|(_, counter)| counter.inc());
    }

    pub(super) fn shed(&self, shed: Shed) {
        let kinds = Shed::ALL;
        if let Some(counter) = kinds.iter().position(|kind| *kind == shed).and_then(|at| self.shed.get(at)) {
            counter.inc();
        }
    }
}
