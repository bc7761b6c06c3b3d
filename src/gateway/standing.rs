//! How the providers stand: what a person wants to know of them at a glance.

use std::time::Duration;

use super::latency::Chance;
use super::roster::{Model, Roster};
use crate::time::Instant;

/// How a provider stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderStanding {
    /// Its name in the settings.
    pub name: String,
    /// Where it is asked.
    pub base_url: String,
    /// `closed` while it is asked, `open` while it is left alone, `half_open` while it is tried.
    pub breaker: &'static str,
    /// How often it was left alone since the start.
    pub openings: u64,
    /// Requests under way.
    pub in_flight: u32,
    /// How many there may be.
    pub in_flight_max: u32,
    /// Its models, by name.
    pub models: Vec<ModelStanding>,
}

/// How a model of a provider stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStanding {
    /// Its name, as in `openai/small`.
    pub name: String,
    /// In what time half of the requests are answered lately; `None` while nothing is known.
    pub p50: Option<Duration>,
    /// In what time nineteen of twenty are.
    pub p95: Option<Duration>,
}

impl Roster {
    /// How every provider stands, by name.
    pub(super) fn stand(&self, now: Instant) -> Vec<ProviderStanding> {
        let of = |models: Vec<&Model>| {
            let provider = &models.first()?.provider;
            let (breaker, openings, in_flight, in_flight_max) = {
                let guards = provider.guards();
                (guards.breaker.state(), guards.breaker.openings(), guards.limit.in_flight(), guards.limit.limit())
            };
            Some(ProviderStanding {
                name: provider.config.name.clone(),
                base_url: provider.config.base_url.clone(),
                breaker: breaker.as_str(),
                openings,
                in_flight,
                in_flight_max,
                models: models.into_iter().map(|model| model.stand(now)).collect(),
            })
        };
        self.by_provider().filter_map(of).collect()
    }
}

impl Model {
    fn stand(&self, now: Instant) -> ModelStanding {
        let learned = self.learned();
        let within = |milli: u16| learned.latency.quantile(Chance::from_milli(milli), now);
        ModelStanding { name: self.name.to_string(), p50: within(500), p95: within(950) }
    }
}
