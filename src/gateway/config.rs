//! The providers, and how they are called.

use std::time::Duration;

use super::breaker::BreakerConfig;
use super::hedging::HedgeConfig;
use super::limit::LimitConfig;
use super::probing::ProbingConfig;
use super::rate::RateConfig;
use crate::domain::{Money, Secret};

/// The providers, and the bounds of what is under way.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The providers; none, and the gateway has no thread.
    pub providers: Vec<Provider>,
    /// Questions that may be under way at once, over all providers; what is beyond is shed.
    pub calls_max: usize,
    /// Requests that may go on after the deadline of their decisions at once, for the sake of what is learned from them.
    pub lingering_max: usize,
    /// Bytes that kept answers may take together.
    pub cache_bytes_max: u64,
    /// Requests, in thousandths of the calls, that may be sent to a provider again after it failed.
    pub retry_share_milli: u16,
    /// Requests that one question may lead to, the hedge included.
    pub requests_per_call_max: u8,
}

/// A provider: an endpoint of the chat-completions kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// Its name, by which agents call it.
    pub name: String,
    /// What goes before `/chat/completions`, as in `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key; sent as a bearer token.
    pub key: Option<Secret>,
    /// Headers that every request carries; their values may be secret.
    pub headers: Vec<(String, Secret)>,
    /// How long one request may take, however much the decision has left.
    pub timeout: Duration,
    /// How long a new connection may take.
    pub connect_timeout: Duration,
    /// How long a request goes on after the deadline of its decision, so that the late answer is recorded and learned from.
    pub linger: Duration,
    /// How long a connection is kept without a request. Servers close theirs after 5 to 75 seconds.
    pub idle: Duration,
    /// Connections without a request that are kept.
    pub idle_connections_max: usize,
    /// Bytes that the body of a response may have.
    pub response_bytes_max: usize,
    /// How it is told of which form the answer shall be.
    pub structured: StructuredOutput,
    /// Under which name it is told how long an answer may be.
    pub tokens_field: TokensField,
    /// A request that takes longer is a slow one to the breaker.
    pub slow_call: Duration,
    /// What is learned of latencies weighs half as much after so long.
    pub half_life: Duration,
    /// When the breaker opens, and for how long.
    pub breaker: BreakerConfig,
    /// How many requests may be under way.
    pub limit: LimitConfig,
    /// Requests and tokens a minute.
    pub rate: RateConfig,
    /// When a second request is sent beside a slow one.
    pub hedge: HedgeConfig,
    /// How often a model is tried that looks hopeless.
    pub probing: ProbingConfig,
    /// Its models.
    pub models: Vec<ProviderModel>,
}

/// A model of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderModel {
    /// Its name, by which agents call it.
    pub name: String,
    /// Its name in requests.
    pub model: String,
    /// What a million tokens of prompts cost.
    pub input_price: Money,
    /// What a million tokens of prompts cost that the provider had read before; `None` for no less than others.
    pub cached_input_price: Option<Money>,
    /// What a million tokens of answers cost.
    pub output_price: Money,
}

/// How a provider is told of which form an answer shall be. Whatever it is told, the answer is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StructuredOutput {
    /// By a JSON Schema that it holds to: `response_format` of the type `json_schema`.
    #[default]
    JsonSchema,
    /// As some JSON object: `response_format` of the type `json_object`.
    JsonObject,
    /// Not at all; the prompt says it.
    None,
}

/// Under which name a provider is told how many tokens an answer may have. It is always told: some go on for ever otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokensField {
    /// `max_tokens`, which nearly every server understands.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which some hosted models ask for in its place.
    MaxCompletionTokens,
    /// Both.
    Both,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            providers: Vec::new(),
            // Two thousand questions a second, each answered within half a second.
            calls_max: 1_024,
            lingering_max: 64,
            cache_bytes_max: 16 << 20,
            retry_share_milli: 100,
            requests_per_call_max: 4,
        }
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            name: String::new(),
            base_url: String::new(),
            key: None,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            linger: Duration::from_secs(1),
            // llama.cpp's server closes after five seconds; a connection that is closed on both sides at once costs a retry.
            idle: Duration::from_secs(4),
            idle_connections_max: 64,
            response_bytes_max: 256 << 10,
            structured: StructuredOutput::default(),
            tokens_field: TokensField::default(),
            slow_call: Duration::from_secs(5),
            half_life: Duration::from_secs(2),
            breaker: BreakerConfig::default(),
            limit: LimitConfig::default(),
            rate: RateConfig::default(),
            hedge: HedgeConfig::default(),
            probing: ProbingConfig::default(),
            models: Vec::new(),
        }
    }
}

impl ProviderModel {
    /// What so many tokens cost: of the prompt, of those the ones that the provider had read before, and of the answer.
    pub fn cost(&self, prompt: u64, cached: u64, answer: u64) -> Money {
        let cached = cached.min(prompt);
        let cached_price = self.cached_input_price.unwrap_or(self.input_price);
        let prompt = self.input_price.per_million(prompt - cached).plus(cached_price.per_million(cached));
        prompt.plus(self.output_price.per_million(answer))
    }
}

impl StructuredOutput {
    /// The word in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JsonSchema => "json_schema",
            Self::JsonObject => "json_object",
            Self::None => "none",
        }
    }
}

impl TokensField {
    /// The word in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::Both => "both",
        }
    }
}
