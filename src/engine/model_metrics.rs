//! The series of models: what they come to, how sure they are, and how far that has moved from their calibration set.
//!
//! A model of a playbook has a series for each word, each class (a proposal) and each bin of confidence. Counting an answer takes
//! some five atomic additions. Drift is looked up when the metrics are read.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::recent_counts::RecentCounts;
use crate::bundle::{AcceptRule, Acceptance, Playbook, SmallModel};
use crate::decider::{Asked, Ranking, Said, Word};
use crate::inference::{CONFIDENCE_BINS, Probability, Score, Stability, confidence_bin, confidence_ends};
use crate::telemetry::{Counter, CounterFamily, GaugeFamily, Help, Histogram, HistogramFamily, Label, Registry};
use crate::time::Instant;

/// Classes that have a name of their own in labels. A dashboard of more is read by nobody; all others are `other`.
const CLASSES_MAX: usize = 64;

/// Stands for classes beyond those.
pub(super) const OTHER: &str = "other";

/// What operators see of models.
#[derive(Clone, Debug)]
pub(super) struct ModelFamilies {
    answers: CounterFamily,
    confidence: HistogramFamily,
    classes: CounterFamily,
    drift: GaugeFamily,
    drift_by_chance: GaugeFamily,
    recent: GaugeFamily,
    accepted: GaugeFamily,
    accepted_expected: GaugeFamily,
    escalated_max: GaugeFamily,
}

/// The series of one model of a playbook.
#[derive(Debug)]
pub(super) struct ModelSeries {
    playbook: Arc<str>,
    model: Arc<str>,
    answers: [Counter; Word::ALL.len()],
    confidence: Histogram,
    /// By proposal, with their names; the last is for all others, if there are more.
    classes: Vec<(String, Counter)>,
    bins: [AtomicU64; CONFIDENCE_BINS],
    accept: Acceptance,
    expected: Option<Expected>,
    recent: Mutex<RecentCounts>,
}

/// What the calibration set says: how many rows fall into each bin of confidence and each class, and what is accepted.
#[derive(Clone, Debug, PartialEq)]
struct Expected {
    bins: Vec<u64>,
    classes: Vec<u64>,
    accepted: Option<f64>,
}

/// How a model's recent answers stand to its calibration set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Standing {
    answers: f64,
    accepted: Option<f64>,
    confidence: Option<Stability>,
    class: Option<Stability>,
}

impl ModelFamilies {
    pub(super) fn new(registry: &Registry) -> Self {
        let by_model = [Label::playbook(), Label::named("model", "small models of the playbook")];
        let by_model_and = |further: Label| by_model.clone().into_iter().chain([further]).collect::<Vec<_>>();
        let of = || Label::words("of", ["confidence", "class"]);
        let class = Label::named("class", "the model's proposals; beyond 64 they are `other`");
        let gauges = |name: &str, help: Help| registry.gauges(name, help, &by_model);
        Self {
            answers: registry.counters(
                "forthwith_model_answers_total",
                (
                    "What the word of models came to, by playbook, model and word: accepted, unsure, out_of_scope, not_permitted, \
                     unavailable, late, shed, failed.",
                    "Look when a playbook's small tier decides less than it should.",
                ),
                &by_model_and(Label::words("word", Word::ALL.map(Word::as_str))),
            ),
            confidence: registry.histograms(
                "forthwith_model_confidence_ratio",
                "How sure models were of what they thought most likely, permitted or not; what is out of scope does not count.",
                &by_model,
                &confidence_ends(),
            ),
            classes: registry.counters(
                "forthwith_model_classes_total",
                "What models thought most likely, permitted or not, by playbook, model and class; what is out of scope does not count.",
                &by_model_and(class),
            ),
            drift: registry.gauges(
                "forthwith_model_psi",
                (
                    "How far recent answers of models are from their calibration sets (population stability index), by playbook, model \
                     and of what: confidence, class.",
                    "Above 0.25, and three times `forthwith_model_psi_by_chance`: it is asked what it was not trained for.",
                ),
                &by_model_and(of()),
            ),
            drift_by_chance: registry.gauges(
                "forthwith_model_psi_by_chance",
                "What `forthwith_model_psi` is on average when nothing has moved, with as many answers as there are.",
                &by_model_and(of()),
            ),
            recent: gauges(
                "forthwith_model_recent_answers",
                "Recent answers of models that the drift is told from.".into(),
            ),
            accepted: gauges(
                "forthwith_model_accepted_ratio",
                (
                    "Share of recent answers of models that was accepted.",
                    "Well below `forthwith_model_accepted_ratio_expected`: more falls to the next tier, or to the default.",
                )
                    .into(),
            ),
            accepted_expected: gauges(
                "forthwith_model_accepted_ratio_expected",
                "Share of the calibration set, of what is in scope, that would be accepted.".into(),
            ),
            escalated_max: gauges(
                "forthwith_model_escalated_ratio_max",
                "Share of answers that the playbook lets a model leave to the next tier (`max_escalation_share`).".into(),
            ),
        }
    }

    /// The series of a playbook's models. Those of `before` that are of the same model go on, with their windows.
    pub(super) fn of_playbook(
        &self,
        playbook: &Playbook,
        before: &[Arc<ModelSeries>],
        now: Instant,
    ) -> Vec<Arc<ModelSeries>> {
        let series = |model: &SmallModel| {
            let made = self.series(playbook, model, now);
            let same = before.iter().find(|before| before.is_same_as(&made));
            same.map_or_else(|| Arc::new(made), Arc::clone)
        };
        playbook.models.iter().map(series).collect()
    }

    fn series(&self, playbook: &Playbook, model: &SmallModel, now: Instant) -> ModelSeries {
        let (name, used) = (&*playbook.name, &*model.name);
        let named = (0..model.proposals.len().min(CLASSES_MAX)).map(|nth| class_of(playbook, model, nth));
        let others = (model.proposals.len() > CLASSES_MAX).then(|| OTHER.to_owned());
        let class = |class: String| (class.clone(), self.classes.with(&[name, used, &class]));
        let classes: Vec<_> = named.chain(others).map(class).collect();
        let mut series = ModelSeries {
            playbook: Arc::clone(&playbook.name),
            model: Arc::clone(&model.name),
            answers: Word::ALL.map(|word| self.answers.with(&[name, used, word.as_str()])),
            confidence: self.confidence.with(&[name, used]),
            expected: Expected::of(model, classes.len()),
            accept: model.accept.clone(),
            classes,
            bins: Default::default(),
            recent: Mutex::new(RecentCounts::begin(now, &[])),
        };
        series.recent = Mutex::new(RecentCounts::begin(now, &series.counts()));
        series
    }

    /// Notes how the models of playbooks stand. Labels come from the bundle in force; those of an earlier one go.
    pub(super) fn stand(&self, series: &[&ModelSeries], now: Instant) {
        let standings: Vec<Standing> = series.iter().map(|series| series.standing(now)).collect();
        let of_each = |number: &dyn Fn(&ModelSeries, &Standing) -> Option<f64>| {
            let each = series.iter().zip(&standings);
            let numbers = each.filter_map(|(of, standing)| Some((of.labels(), number(of, standing)?)));
            numbers.collect::<Vec<_>>()
        };
        self.recent.set_all(of_each(&|_, standing| Some(standing.answers)).into_iter());
        self.accepted.set_all(of_each(&|_, standing| standing.accepted).into_iter());
        let expected = of_each(&|of, _| of.expected.as_ref()?.accepted);
        self.accepted_expected.set_all(expected.into_iter());
        let escalated_max = of_each(&|of, _| match of.accept.rule {
            AcceptRule::Escalating { share_max, .. } => Some(share_max),
            _ => None,
        });
        self.escalated_max.set_all(escalated_max.into_iter());
        let of_both = |number: fn(Stability) -> f64| {
            let both = series.iter().zip(&standings).flat_map(move |(of, standing)| {
                let [playbook, model] = of.labels();
                let both = [("confidence", standing.confidence), ("class", standing.class)];
                both.into_iter().filter_map(move |(of, drift)| Some(([playbook, model, of], number(drift?))))
            });
            both.collect::<Vec<_>>()
        };
        self.drift.set_all(of_both(|drift| drift.index).into_iter());
        self.drift_by_chance.set_all(of_both(|drift| drift.by_chance).into_iter());
    }
}

/// Counts what the models of a decision said.
pub(super) fn count_asked(asked: &[Asked], playbook: &Playbook, series: &[Arc<ModelSeries>]) {
    for Asked { model, said } in asked {
        let place = usize::from(*model);
        if let (Some(model), Some(series)) = (playbook.models.get(place), series.get(place)) {
            series.count(said, said.word(model));
        }
    }
}

/// A proposal as a label's value: the values that it sets.
fn class_of(playbook: &Playbook, model: &SmallModel, proposal: usize) -> String {
    let values = model.sets.iter().zip(&*model.proposals[proposal]);
    let shown = values.map(|(number, value)| {
        let ty = &playbook.outcome.fields()[*number].ty;
        crate::turn::searchable(ty, value).map_or_else(|| ty.show(value).to_string(), Cow::into_owned)
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// What a model thought most likely, whether or not it was permitted, with the probability that the model gave it.
pub(super) fn most_likely(ranking: &Ranking) -> Option<Score> {
    let left = ranking.cut_in_all.complement().as_f64();
    // Raised when the rest was cut; here it counts as the model gave it.
    let permitted = ranking.best.first().map(|best| {
        let probability = Probability::from_f64(best.probability.as_f64() * left);
        Score { probability, ..*best }
    });
    let likelier = |a: Score, b: Score| if b.probability > a.probability { b } else { a };
    match (permitted, ranking.cut) {
        (Some(permitted), Some(cut)) => Some(likelier(permitted, cut)),
        (permitted, cut) => permitted.or(cut),
    }
}

// === impl ModelSeries ===

/// Places of counts in a window: all answers, those that were accepted, then bins, then classes.
const ALL: usize = 0;
const ACCEPTED: usize = 1;
const BINS: usize = 2;
const CLASSES: usize = BINS + CONFIDENCE_BINS;

impl ModelSeries {
    fn labels(&self) -> [&str; 2] {
        [&self.playbook, &self.model]
    }

    /// Whether it counts answers of this model under this class.
    pub(super) fn has_class(&self, model: &str, class: &str) -> bool {
        *self.model == *model && self.classes.iter().any(|(name, _)| name == class)
    }

    fn is_same_as(&self, other: &Self) -> bool {
        let classes = |of: &Self| of.classes.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        (self.labels(), &self.accept, &self.expected, classes(self))
            == (other.labels(), &other.accept, &other.expected, classes(other))
    }

    /// The class of a proposal.
    fn class(&self, proposal: u16) -> Option<usize> {
        self.classes.len().checked_sub(1).map(|last| usize::from(proposal).min(last))
    }

    fn count(&self, said: &Said, word: Word) {
        self.answers[word as usize].inc();
        let Said::Ranked(ranking) = said else { return };
        let Some(likely) = most_likely(ranking).filter(|_| word != Word::OutOfScope) else { return };
        self.confidence.observe(likely.probability.as_f64());
        self.bins[confidence_bin(likely.probability)].fetch_add(1, Ordering::Relaxed);
        if let Some(class) = self.class(likely.index) {
            self.classes[class].1.inc();
        }
    }

    /// All counts as they stand.
    fn counts(&self) -> Vec<u64> {
        let answers = self.answers.each_ref().map(Counter::get);
        let [all, accepted] = [answers.iter().sum(), answers[Word::Accepted as usize]];
        let bins = self.bins.iter().map(|bin| bin.load(Ordering::Relaxed));
        [all, accepted].into_iter().chain(bins).chain(self.classes.iter().map(|(_, of)| of.get())).collect()
    }

    fn standing(&self, now: Instant) -> Standing {
        let recent = {
            // Counted under the lock: whoever looks at the same time has not counted less than what was noted.
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.look(now, &self.counts(), ALL)
        };
        let answers = recent[ALL] as f64;
        let drift = |expected: fn(&Expected) -> &[u64], actual: &[u64]| {
            self.expected.as_ref().and_then(|of| Stability::between(expected(of), actual))
        };
        Standing {
            answers,
            accepted: (answers > 0.0).then(|| recent[ACCEPTED] as f64 / answers),
            confidence: drift(|of| &of.bins, &recent[BINS..CLASSES]),
            class: drift(|of| &of.classes, &recent[CLASSES..]),
        }
    }
}

impl Expected {
    /// What is expected of a model's answers; `None` without a calibration set.
    fn of(model: &SmallModel, classes: usize) -> Option<Self> {
        let calibration = model.model.calibration.as_ref()?;
        let check = model.model.manifest.out_of_scope;
        let mut expected = Self { bins: vec![0; CONFIDENCE_BINS], classes: vec![0; classes], accepted: None };
        for row in &calibration.rows {
            let best = row.scores.by_proposal(&model.proposal_of).best();
            let Some(best) = best.filter(|_| !check.is_out_of_scope(row.scope, &row.scores)) else { continue };
            expected.bins[confidence_bin(best.probability)] += 1;
            if let Some(last) = classes.checked_sub(1) {
                expected.classes[usize::from(best.index).min(last)] += 1;
            }
        }
        let judged = calibration.by_proposal(&model.proposal_of, check);
        let (mut rows, mut accepted) = (0_u64, 0_u64);
        for row in judged.in_scope() {
            rows += 1;
            accepted += u64::from(row.is_accepted(model.accept.of, model.accept.threshold));
        }
        expected.accepted = (rows > 0).then(|| accepted as f64 / rows as f64);
        Some(expected)
    }
}
