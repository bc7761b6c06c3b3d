//! A gateway with its providers, for tests.

use std::sync::Arc;
use std::time::Duration;

use faulty_provider::{Behaviour, Provider as Faulty};
use tempfile::TempDir;

use super::questions::target;
use crate::agents::{Question, Reply};
use crate::domain::{Money, Secret};
use crate::gateway::{Config, Gateway, Pending, Provider, ProviderModel};
use crate::telemetry::Registry;
use crate::time::{Clock, Deadline, Timer};

/// Longer than any test may take: a test that waits for so long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway with its providers.
pub(super) struct House {
    pub(super) providers: Vec<Faulty>,
    pub(super) gateway: Gateway,
    pub(super) clock: Clock,
    pub(super) registry: Registry,
    pub(super) folder: TempDir,
}

impl House {
    /// Providers `a`, `b` and so on, each with a model `m`.
    pub(super) fn new(behaviours: impl IntoIterator<Item = Behaviour>) -> Self {
        Self::with(behaviours, |_| {})
    }

    /// The same with other settings.
    pub(super) fn with(behaviours: impl IntoIterator<Item = Behaviour>, change: impl FnOnce(&mut Config)) -> Self {
        let providers: Vec<Faulty> =
            behaviours.into_iter().map(|behaviour| Faulty::start(behaviour).unwrap()).collect();
        let names = ["a", "b", "c"].iter().zip(&providers);
        let mut config = Config {
            providers: names.map(|(name, faulty)| provider(name, &faulty.base_url())).collect(),
            ..Config::default()
        };
        change(&mut config);
        let (clock, registry, folder) = (Clock::system(), Registry::default(), TempDir::new().unwrap());
        let gateway = start(config, &folder, &clock, &registry);
        Self { providers, gateway, clock, registry, folder }
    }

    /// A deadline after so long.
    pub(super) fn within(&self, left: Duration) -> Deadline {
        Deadline::new(self.clock.instant(), left)
    }

    /// Asks with all the time in the world.
    pub(super) fn ask(&self, question: Question) -> Reply {
        self.pending(question, PATIENCE).wait()
    }

    pub(super) fn pending(&self, question: Question, left: Duration) -> Pending {
        self.gateway.ask(Arc::new(question), self.within(left))
    }

    /// The number of a series on the metrics page; 0 if it is not there.
    pub(super) fn number(&self, series: &str) -> f64 {
        let page = self.registry.render();
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |number| number.parse().unwrap())
    }
}

pub(super) fn start(config: Config, folder: &TempDir, clock: &Clock, registry: &Registry) -> Gateway {
    let timer = Timer::start(clock.clone()).unwrap();
    Gateway::start(config, folder.path(), (clock.clone(), timer), registry).unwrap()
}

pub(super) fn provider(name: &str, base_url: &str) -> Provider {
    let model = ProviderModel {
        name: "m".to_owned(),
        model: "m-2026".to_owned(),
        // A unit of the currency for a million of either.
        input_price: Money::from_nanos(1_000_000_000),
        cached_input_price: None,
        output_price: Money::from_nanos(1_000_000_000),
    };
    Provider {
        name: name.to_owned(),
        base_url: base_url.to_owned(),
        key: Some(Secret::new(format!("sk-{name}"))),
        models: vec![model],
        ..Provider::default()
    }
}

/// A question to the models `m` of these providers, in this order.
pub(super) fn to(providers: &[&str], text: &str) -> Question {
    let targets: Vec<_> = providers.iter().map(|provider| target(provider, "m")).collect();
    Question { targets: targets.into(), ..super::questions::question(text) }
}
