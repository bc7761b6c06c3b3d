//! The settings of `[gateway]` and `[providers.NAME]`: where large models are asked, and how.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::environment::Environment;
use super::provider_reader::Reader;
use super::secret_source::SecretSource;
use super::settings::{Origin, duration, set, share};
use crate::document::{FaultSink, Place, Section};
use crate::domain::Money;
use crate::gateway::{self, LimitConfig, Provider, ProviderModel};

/// Providers that there may be: each is a label of metrics.
const PROVIDERS_MAX: usize = 64;

/// Models that a provider may have: each is a label of metrics.
const MODELS_MAX: usize = 64;

/// What is known of the providers so far: the environment may say more of one than the file does.
#[derive(Debug, Default)]
pub(super) struct ProviderSettings {
    drafts: BTreeMap<String, Draft>,
}

/// A provider while its settings are read.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) provider: Provider,
    /// Where it is named first.
    place: Place,
    /// Whether it has an address, sound or not.
    pub(super) has_address: bool,
    pub(super) key: Option<SecretSource>,
    pub(super) headers: BTreeMap<String, SecretSource>,
    pub(super) concurrency: Concurrency,
    pub(super) open_for_max: Option<Duration>,
    pub(super) models: BTreeMap<String, ModelDraft>,
}

/// The bounds of requests under way, as far as they are said.
#[derive(Debug, Default)]
pub(super) struct Concurrency {
    pub(super) min: Option<u32>,
    pub(super) max: Option<u32>,
    pub(super) initial: Option<u32>,
}

/// A model while its settings are read.
#[derive(Debug)]
pub(super) struct ModelDraft {
    pub(super) place: Place,
    pub(super) model: Option<String>,
    pub(super) input_price: Option<Money>,
    pub(super) cached_input_price: Option<Money>,
    pub(super) output_price: Option<Money>,
}

/// Reads `[gateway]`.
pub(super) fn gateway(section: &Section<'_>, gateway: &mut gateway::Config) {
    set(section, "calls_max", &mut gateway.calls_max, |node| node.int(1, 100_000).map(|n| n as usize));
    set(section, "lingering_max", &mut gateway.lingering_max, |node| node.int(0, 100_000).map(|n| n as usize));
    set(section, "cache_bytes", &mut gateway.cache_bytes_max, |node| node.bytes(0, 1 << 40));
    set(section, "retry_share", &mut gateway.retry_share_milli, |node| {
        share(node, 0, 1_000_000).map(|share| (share.ppm() / 1_000) as u16)
    });
    set(section, "requests_per_call_max", &mut gateway.requests_per_call_max, |node| node.int(1, 16).map(|n| n as u8));
}

impl ProviderSettings {
    /// Reads `[providers]`.
    pub(super) fn read(&mut self, section: &Section<'_>, folder: &Path, origin: Origin) {
        for (name, node) in section.entries() {
            let Some(section) = node.section() else { continue };
            if !is_name(&name) {
                section.fault(format!(
                    "a provider's name has 1 to 64 letters, digits, `-`, `_` and `.`; this is `{name}`"
                ));
                continue;
            }
            let draft = self.drafts.entry(name).or_insert_with_key(|name| Draft::new(name, section.place()));
            Reader { draft, folder, origin }.read(&section);
        }
        if self.drafts.len() > PROVIDERS_MAX {
            section.fault(format!("has {} providers, the limit is {PROVIDERS_MAX}", self.drafts.len()));
        }
    }

    /// The providers, with what is missing of them noted.
    pub(super) fn finish(self, environment: &Environment, sink: &FaultSink) -> Vec<Provider> {
        self.drafts.into_values().map(|draft| draft.finish(environment, sink)).collect()
    }
}

impl Draft {
    fn new(name: &str, place: Place) -> Self {
        Self {
            provider: Provider { name: name.to_owned(), ..Provider::default() },
            place,
            has_address: false,
            key: None,
            headers: BTreeMap::new(),
            concurrency: Concurrency::default(),
            open_for_max: None,
            models: BTreeMap::new(),
        }
    }

    fn finish(self, environment: &Environment, sink: &FaultSink) -> Provider {
        let Self { mut provider, place, has_address, key, headers, concurrency, open_for_max, models } = self;
        let of_provider = format!("providers.{}", provider.name);
        let fault = |key: &str, message: String| sink.add(place.clone(), &format!("{of_provider}{key}"), message);
        if !has_address {
            let message = "the key `base_url` is missing: what goes before `/chat/completions`, such as \
                           \"https://api.openai.com/v1\"";
            fault("", message.to_owned());
        }
        match models.len() {
            0 => fault("", format!("has no model; add one as `[{of_provider}.models.NAME]`")),
            many if many > MODELS_MAX => fault(".models", format!("has {many} models, the limit is {MODELS_MAX}")),
            _ => {}
        }
        provider.key = key.and_then(|key| key.resolve(environment, sink));
        let header = |(name, value): (String, SecretSource)| Some((name, value.resolve(environment, sink)?));
        provider.headers = headers.into_iter().filter_map(header).collect();
        match concurrency.config(provider.limit) {
            Ok(limit) => provider.limit = limit,
            Err(message) => fault(".concurrency", message.to_owned()),
        }
        let breaker = &mut provider.breaker;
        match open_for_max {
            Some(max) if max < breaker.open_for => {
                fault(".breaker", "`open_for_max` must not be below `open_for`".to_owned());
            }
            Some(max) => breaker.open_for_max = max,
            None => breaker.open_for_max = breaker.open_for_max.max(breaker.open_for),
        }
        let model = |(name, draft): (String, ModelDraft)| draft.finish(name, &of_provider, sink);
        provider.models = models.into_iter().map(model).collect();
        provider
    }
}

impl Concurrency {
    /// What is not said makes room for what is.
    fn config(&self, otherwise: LimitConfig) -> Result<LimitConfig, &'static str> {
        let least = self.initial.or(self.max).unwrap_or(u32::MAX).min(self.max.unwrap_or(u32::MAX));
        let min = self.min.unwrap_or(otherwise.min.min(least));
        let max = self.max.unwrap_or(otherwise.max.max(min).max(self.initial.unwrap_or(0)));
        if min > max {
            return Err("`min` must not be above `max`");
        }
        let initial = self.initial.unwrap_or(otherwise.initial.clamp(min, max));
        if (min..=max).contains(&initial) {
            Ok(LimitConfig { min, max, initial })
        } else {
            Err("`initial` must lie between `min` and `max`")
        }
    }
}

impl ModelDraft {
    pub(super) fn new(place: Place) -> Self {
        Self { place, model: None, input_price: None, cached_input_price: None, output_price: None }
    }

    fn finish(self, name: String, of_provider: &str, sink: &FaultSink) -> ProviderModel {
        let price = |given: Option<Money>, key: &str, of: &str| {
            given.unwrap_or_else(|| {
                let message = format!(
                    "the key `{key}` is missing: what a million tokens of {of} cost, such as `{key} = 0.15`; 0 where they cost \
                     nothing. Without it no budget could be kept"
                );
                sink.add(self.place.clone(), &format!("{of_provider}.models.{name}"), message);
                Money::ZERO
            })
        };
        ProviderModel {
            input_price: price(self.input_price, "input_price", "prompts"),
            output_price: price(self.output_price, "output_price", "answers"),
            cached_input_price: self.cached_input_price,
            model: self.model.unwrap_or_else(|| name.clone()),
            name,
        }
    }
}

/// Whether a provider may be called so: it is a label of metrics, and stands before the `/` where agents name their models.
fn is_name(name: &str) -> bool {
    let is_sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(is_sound)
}

/// The times that a request may take.
pub(super) fn request_time(node: &crate::document::Node<'_>) -> Option<Duration> {
    duration(node, "10ms", "10m")
}
