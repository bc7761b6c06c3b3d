//! The gateway's series.

use std::sync::Arc;
use std::time::Duration;

use super::verdict::Ending;
use crate::agents::{Reply, Silence, Source};
use crate::domain::Money;
use crate::telemetry::{
    Counter, CounterFamily, Gauge, GaugeFamily, Histogram, HistogramFamily, LATENCY_SECONDS, Label, Level, Registry,
    Sum, SumFamily,
};

/// What operators see of the gateway.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    pub(super) questions: Arc<QuestionMetrics>,
    requests: CounterFamily,
    request_seconds: HistogramFamily,
    first_byte_seconds: HistogramFamily,
    retries: CounterFamily,
    hedges: CounterFamily,
    late: CounterFamily,
    skipped: CounterFamily,
    tokens: CounterFamily,
    cost: SumFamily,
    learned_seconds: GaugeFamily,
    breaker_state: GaugeFamily,
    breaker_openings: CounterFamily,
    concurrency_limit: GaugeFamily,
    in_flight: GaugeFamily,
    pub(super) stale_connections: CounterFamily,
    /// Calls that are under way.
    pub(super) under_way: Gauge,
    /// Requests that go on after the deadline of their decisions.
    pub(super) lingering: Gauge,
    pub(super) kept_answers: Gauge,
    pub(super) kept_bytes: Gauge,
}

/// What operators see of questions.
#[derive(Debug)]
pub(super) struct QuestionMetrics {
    by_source: [Counter; 4],
    by_silence: [Counter; Silence::ALL.len()],
    pub(super) taken_back: Counter,
}

/// What operators see of a provider.
#[derive(Debug)]
pub(super) struct ProviderMetrics {
    pub(super) breaker_state: Level,
    pub(super) breaker_openings: Counter,
    pub(super) concurrency_limit: Level,
    pub(super) in_flight: Level,
    pub(super) stale_connections: Counter,
}

/// What operators see of a model.
#[derive(Debug)]
pub(super) struct ModelMetrics {
    provider: String,
    model: String,
    requests: CounterFamily,
    skipped: CounterFamily,
    pub(super) request_seconds: Histogram,
    pub(super) first_byte_seconds: Histogram,
    pub(super) retries: Counter,
    pub(super) hedges: Counter,
    pub(super) hedges_won: Counter,
    pub(super) late: Counter,
    prompt_tokens: Counter,
    cached_tokens: Counter,
    answer_tokens: Counter,
    cost: Sum,
    learned_p50: Level,
    learned_p95: Level,
}

impl Metrics {
    /// Declares the series.
    pub(super) fn new(registry: &Registry) -> Self {
        let provider = || Label::named("provider", "providers of the configuration (`[providers.NAME]`)");
        let model =
            || [provider(), Label::named("model", "the provider's models, by their names in the configuration")];
        let model_and = |further: Label| model().into_iter().chain([further]).collect::<Vec<_>>();
        Self {
            questions: Arc::new(QuestionMetrics::new(registry)),
            requests: registry.counters(
                "forthwith_gateway_requests_total",
                (
                    "Requests to large models by how they ended; given_up: the deadline was past and the time beyond it too, or the \
                     question was taken back; cancelled: another request for the same question was quicker.",
                    "Look first when a provider is in doubt: the ending says whether it is slow, refuses or answers nonsense.",
                ),
                &model_and(Label::words("ending", Ending::WORDS)),
            ),
            request_seconds: registry.histograms(
                "forthwith_gateway_request_seconds",
                (
                    "Time from a request to a large model until its response was complete, in seconds.",
                    "Its 95th percentile against the playbook's budget says whether asking is of use.",
                ),
                &model(),
                &LATENCY_SECONDS,
            ),
            first_byte_seconds: registry.histograms(
                "forthwith_gateway_first_byte_seconds",
                "Time from a request to a large model until the headers of its response, in seconds.",
                &model(),
                &LATENCY_SECONDS,
            ),
            retries: registry.counters(
                "forthwith_gateway_retries_total",
                "Requests that were sent because one before them had failed, by whom they went to.",
                &model(),
            ),
            hedges: registry.counters(
                "forthwith_gateway_hedges_total",
                (
                    "Requests that were sent because one before them was slow: sent, and those of them that answered first: won.",
                    "Few won of many sent: hedging costs more than it brings.",
                ),
                &model_and(Label::words("hedge", ["sent", "won"])),
            ),
            late: registry.counters(
                "forthwith_gateway_late_answers_total",
                (
                    "Answers that came after the deadline of every decision that waited for them.",
                    "They were paid for, and decided nothing.",
                ),
                &model(),
            ),
            skipped: registry.counters(
                "forthwith_gateway_skipped_total",
                ("Models that were passed over for a question, by why.", "Look when fewer questions are asked than expected."),
                &model_and(Label::words("reason", Silence::ALL.map(Silence::as_str))),
            ),
            tokens: registry.counters(
                "forthwith_gateway_tokens_total",
                "Tokens as providers counted them: prompt; cached, which are among those; answer.",
                &model_and(Label::words("kind", ["prompt", "cached", "answer"])),
            ),
            cost: registry.sums(
                "forthwith_gateway_cost_total",
                (
                    "Money that was spent, in units of the currency of the prices. What is not known counts in full.",
                    "Its rate is what large models cost a second.",
                ),
                &model(),
            ),
            learned_seconds: registry.gauges(
                "forthwith_gateway_learned_seconds",
                (
                    "The time within which that part of the requests is answered, in seconds, as learned from the latest; NaN while \
                     it is not known.",
                    "Look when questions are skipped as `would_be_late`: this is what they are judged by.",
                ),
                &model_and(Label::words("part", ["0.5", "0.95"])),
            ),
            breaker_state: registry.gauges(
                "forthwith_gateway_breaker_state",
                (
                    "The breaker of a provider: 0 closed, 1 half-open, 2 open.",
                    "While it is open the provider is not asked; `GET /v1/providers` says more.",
                ),
                &[provider()],
            ),
            breaker_openings: registry.counters(
                "forthwith_gateway_breaker_openings_total",
                "Times that the breaker of a provider opened.",
                &[provider()],
            ),
            concurrency_limit: registry.gauges(
                "forthwith_gateway_concurrency_limit",
                "Requests that may be under way to a provider at once, as learned.",
                &[provider()],
            ),
            in_flight: registry.gauges(
                "forthwith_gateway_in_flight",
                (
                    "Requests that are under way to a provider.",
                    "At `forthwith_gateway_concurrency_limit` further questions are shed.",
                ),
                &[provider()],
            ),
            stale_connections: registry.counters(
                "forthwith_gateway_stale_connections_total",
                "Requests that were sent again at once because their connection had been closed by the provider while it was kept.",
                &[provider()],
            ),
            under_way: registry.gauge("forthwith_gateway_calls", "Calls that are under way, lingering ones included."),
            lingering: registry
                .gauge("forthwith_gateway_lingering", "Calls that go on after the deadline of their decisions."),
            kept_answers: registry.gauge(
                "forthwith_gateway_cache_answers",
                "Answers of large models that are kept, about, to be given again to the same question.",
            ),
            kept_bytes: registry.gauge("forthwith_gateway_cache_bytes", "Bytes that kept answers take, about."),
        }
    }

    /// The series of a provider.
    pub(super) fn of_provider(&self, provider: &str) -> ProviderMetrics {
        ProviderMetrics {
            breaker_state: self.breaker_state.with(&[provider]),
            breaker_openings: self.breaker_openings.with(&[provider]),
            concurrency_limit: self.concurrency_limit.with(&[provider]),
            in_flight: self.in_flight.with(&[provider]),
            stale_connections: self.stale_connections.with(&[provider]),
        }
    }

    /// The series of a model.
    pub(super) fn of_model(&self, provider: &str, model: &str) -> ModelMetrics {
        let labels = [provider, model];
        ModelMetrics {
            provider: provider.to_owned(),
            model: model.to_owned(),
            requests: self.requests.clone(),
            skipped: self.skipped.clone(),
            request_seconds: self.request_seconds.with(&labels),
            first_byte_seconds: self.first_byte_seconds.with(&labels),
            retries: self.retries.with(&labels),
            hedges: self.hedges.with(&[provider, model, "sent"]),
            hedges_won: self.hedges.with(&[provider, model, "won"]),
            late: self.late.with(&labels),
            prompt_tokens: self.tokens.with(&[provider, model, "prompt"]),
            cached_tokens: self.tokens.with(&[provider, model, "cached"]),
            answer_tokens: self.tokens.with(&[provider, model, "answer"]),
            cost: self.cost.with(&labels),
            learned_p50: self.learned_seconds.with(&[provider, model, "0.5"]),
            learned_p95: self.learned_seconds.with(&[provider, model, "0.95"]),
        }
    }
}

impl QuestionMetrics {
    fn new(registry: &Registry) -> Self {
        let sources = [Source::Model, Source::Shared, Source::Cache, Source::Stale];
        let words = sources.map(Source::as_str).into_iter().chain(Silence::ALL.map(Silence::as_str));
        let family = registry.counters(
            "forthwith_gateway_questions_total",
            (
                "Questions to large models by what came of them: where the answer came from, or why there was none; taken_back: \
                 nobody waited any more.",
                "Look when fallbacks of the large tier rise: the reply says why.",
            ),
            &[Label::words("reply", words.chain(["taken_back"]))],
        );
        Self {
            by_source: sources.map(|source| family.with(&[source.as_str()])),
            by_silence: Silence::ALL.map(|silence| family.with(&[silence.as_str()])),
            taken_back: family.with(&["taken_back"]),
        }
    }

    /// Counts a reply.
    pub(super) fn replied(&self, reply: &Reply) {
        match &reply.answer {
            Ok(_) => self.by_source[usize::from(reply.call.source.code())].inc(),
            Err(silence) => self.by_silence[usize::from(silence.code())].inc(),
        }
    }
}

impl ModelMetrics {
    /// A request ended; `word` is one of [`Ending::WORDS`].
    pub(super) fn ended(&self, word: &str) {
        debug_assert!(Ending::WORDS.contains(&word), "`{word}` is no label");
        self.requests.with(&[&self.provider, &self.model, word]).inc();
    }

    /// The model was passed over.
    pub(super) fn skipped(&self, why: Silence) {
        self.skipped.with(&[&self.provider, &self.model, why.as_str()]).inc();
    }

    /// A request has used so many tokens: of its prompt, of those the ones read before, and of its answer.
    pub(super) fn used(&self, [prompt, cached, answer]: [u32; 3], cost: Money) {
        self.prompt_tokens.add(u64::from(prompt));
        self.cached_tokens.add(u64::from(cached));
        self.answer_tokens.add(u64::from(answer));
        self.cost.add(cost.to_f64());
    }

    /// What is learned of its latency.
    pub(super) fn learned(&self, p50: Option<Duration>, p95: Option<Duration>) {
        let seconds = |time: Option<Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64());
        self.learned_p50.set(seconds(p50));
        self.learned_p95.set(seconds(p95));
    }
}
