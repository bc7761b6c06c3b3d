//! The providers and their models, each with what is learned of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::breaker::Breaker;
use super::client::Client;
use super::config::{self, Config, ProviderModel};
use super::hedging::{HedgeBudget, HedgeConfig};
use super::latency::{Chance, Latency};
use super::limit::Limit;
use super::metrics::{Metrics, ModelMetrics, ProviderMetrics};
use super::probing::Probing;
use super::rate::Rate;
use crate::agents::{Question, Target};
use crate::domain::Money;
use crate::time::Instant;

use super::request::prompt_tokens_max;

/// Every model of every provider, by their names.
#[derive(Debug, Default)]
pub(super) struct Roster {
    models: BTreeMap<String, BTreeMap<String, Arc<Model>>>,
}

/// A provider.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) config: config::Provider,
    pub(super) client: Client,
    pub(super) metrics: ProviderMetrics,
    guards: Mutex<Guards>,
}

/// What decides whether a provider is called.
#[derive(Debug)]
pub(super) struct Guards {
    pub(super) breaker: Breaker,
    pub(super) limit: Limit,
    pub(super) rate: Rate,
    pub(super) hedges: HedgeBudget,
    /// Earned and spent as hedges are.
    pub(super) retries: HedgeBudget,
    openings: u64,
}

/// A model of a provider.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) provider: Arc<Provider>,
    pub(super) config: ProviderModel,
    /// As in `openai/small`.
    pub(super) name: Arc<str>,
    pub(super) metrics: ModelMetrics,
    learned: Mutex<Learned>,
    /// Whether its settings look wrong, and somebody was told.
    is_complained_of: AtomicBool,
    /// Questions that were refused in a row.
    refusals: AtomicU32,
}

/// What is known of how long a model takes.
#[derive(Debug)]
pub(super) struct Learned {
    pub(super) latency: Latency,
    pub(super) probing: Probing,
}

/// Retries that may be saved up: a provider that hiccups once in a while is asked again at once.
const RETRY_BURST: u32 = 10;

/// So many questions in a row are not all too long: the settings are at fault.
const REFUSALS_MAX: u32 = 3;

impl Roster {
    /// Every provider with its client; or what is wrong with which one.
    pub(super) fn new(config: &Config, metrics: &Metrics, now: Instant) -> Result<Self, (String, String)> {
        let mut roster = Self::default();
        for provider in &config.providers {
            let wrong = |problem: String| (provider.name.clone(), problem);
            if provider.name.is_empty() || provider.name.contains('/') {
                return Err(wrong("expected a name that is not empty and has no `/`".to_owned()));
            }
            if roster.models.contains_key(&provider.name) {
                return Err(wrong("there are two of this name".to_owned()));
            }
            let models = Provider::models(provider, config, metrics, now).map_err(wrong)?;
            roster.models.insert(provider.name.clone(), models);
        }
        Ok(roster)
    }

    /// The model that a target names, if there is one.
    pub(super) fn find(&self, target: &Target) -> Option<&Arc<Model>> {
        self.models.get(&*target.provider)?.get(&*target.model)
    }

    /// The models of each provider, by their names.
    pub(super) fn by_provider(&self) -> impl Iterator<Item = Vec<&Model>> {
        self.models.values().map(|models| models.values().map(Arc::as_ref).collect())
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

impl Provider {
    fn models(
        provider: &config::Provider,
        config: &Config,
        metrics: &Metrics,
        now: Instant,
    ) -> Result<BTreeMap<String, Arc<Model>>, String> {
        let seat = Arc::new(Self {
            client: Client::new(provider)?,
            metrics: metrics.of_provider(&provider.name),
            guards: Mutex::new(Guards::new(provider, config, now)),
            config: provider.clone(),
        });
        seat.show(&seat.guards());
        let mut models = BTreeMap::new();
        for model in &provider.models {
            if model.name.is_empty() || model.model.is_empty() {
                return Err("a model has no name: expected `name` and `model`".to_owned());
            }
            let prices = [Some(model.input_price), Some(model.output_price), model.cached_input_price];
            if prices.into_iter().flatten().any(|price| price < Money::ZERO) {
                return Err(format!("a price of `{}` is below zero", model.name));
            }
            let of_model = Arc::new(Model::new(&seat, model, metrics));
            if models.insert(model.name.clone(), of_model).is_some() {
                return Err(format!("there are two models of the name `{}`", model.name));
            }
        }
        if models.is_empty() { Err("it has no models".to_owned()) } else { Ok(models) }
    }

    pub(super) fn guards(&self) -> MutexGuard<'_, Guards> {
        self.guards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the gauges.
    pub(super) fn show(&self, guards: &Guards) {
        self.metrics.breaker_state.set(guards.breaker.state().code() as f64);
        self.metrics.concurrency_limit.set(f64::from(guards.limit.limit()));
        self.metrics.in_flight.set(f64::from(guards.limit.in_flight()));
    }

    /// The same after something has ended, which may have opened the breaker.
    pub(super) fn show_ended(&self, guards: &mut Guards) {
        self.show(guards);
        let openings = guards.breaker.openings();
        if openings > guards.openings {
            self.metrics.breaker_openings.add(openings - guards.openings);
            guards.openings = openings;
            tracing::warn!(provider = %self.config.name, "a provider of large models fails too often; it is left alone for a while");
        }
    }
}

impl Guards {
    fn new(provider: &config::Provider, config: &Config, now: Instant) -> Self {
        let retry_share = Chance::from_milli(config.retry_share_milli);
        let mut retries =
            HedgeBudget::new(HedgeConfig { share: retry_share, burst: RETRY_BURST, ..HedgeConfig::default() });
        // Unlike hedges they need not be earned first: the first call of all may meet a provider that restarts.
        let calls = (RETRY_BURST * Chance::CERTAIN.ppm()).div_ceil(retry_share.ppm().max(1)).min(100_000);
        (0..calls).for_each(|_| retries.earn());
        Self {
            breaker: Breaker::new(provider.breaker),
            limit: Limit::new(provider.limit),
            rate: Rate::new(provider.rate, provider.probing.every, now),
            hedges: HedgeBudget::new(provider.hedge),
            retries,
            openings: 0,
        }
    }
}

impl Model {
    fn new(provider: &Arc<Provider>, model: &ProviderModel, metrics: &Metrics) -> Self {
        let config = &provider.config;
        let latency = Latency::new(config.half_life);
        Self {
            provider: Arc::clone(provider),
            config: model.clone(),
            name: format!("{}/{}", config.name, model.name).into(),
            metrics: metrics.of_model(&config.name, &model.name),
            learned: Mutex::new(Learned { latency, probing: Probing::new(config.probing) }),
            is_complained_of: AtomicBool::new(false),
            refusals: AtomicU32::new(0),
        }
    }

    pub(super) fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a request for a question costs at most.
    pub(super) fn cost_max(&self, question: &Question) -> Money {
        self.config.cost(prompt_tokens_max(question), 0, u64::from(question.answer_tokens))
    }

    /// The chance that a request sent `waited` ago is answered in what is left; none if nothing is known.
    pub(super) fn chance_after(&self, waited: Duration, left: Duration, now: Instant) -> Option<Chance> {
        self.learned().latency.chance_within_after(waited, left, now)
    }

    /// Whether it is the first time in a row that its settings look wrong.
    pub(super) fn complain(&self) -> bool {
        !self.is_complained_of.swap(true, Ordering::Relaxed)
    }

    /// It has refused a question: whether so many in a row were, for the first time, that its settings look wrong.
    pub(super) fn complain_of_refusals(&self) -> bool {
        self.refusals.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= REFUSALS_MAX && self.complain()
    }

    /// It has answered: its settings are right.
    pub(super) fn is_well(&self) {
        self.refusals.store(0, Ordering::Relaxed);
        self.is_complained_of.store(false, Ordering::Relaxed);
    }
}
