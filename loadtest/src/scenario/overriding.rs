//! Options of the command over a scenario.

use std::time::Duration;

use anyhow::bail;

use super::{Arrivals, Rate, Scenario, Transport};
use crate::args::{Overrides, TransportChoice};

impl Scenario {
    /// The scenario as it is to be run.
    pub(crate) fn overridden(mut self, options: &Overrides) -> anyhow::Result<Self> {
        if let Some(choice) = options.transport {
            self.transport = match choice {
                TransportChoice::InProcess => Transport::InProcess,
                TransportChoice::Json => Transport::Json,
                TransportChoice::Msgpack => Transport::MessagePack,
            };
        }
        if options.url.is_some() && self.transport == Transport::InProcess {
            self.transport = Transport::Json;
        }
        self.multiply(positive("--scale", options.scale)?.unwrap_or(1.0));
        if let Some(rate) = positive("--rate", options.rate)? {
            self.set_rate(rate)?;
        }
        if let Some(seconds) = positive("--seconds", options.seconds)? {
            self.stretch(seconds / self.length().as_secs_f64());
        }
        self.population.customers = options.customers.unwrap_or(self.population.customers).max(1);
        self.threads = options.threads.or(self.threads);
        self.engine.config = options.config.clone().or(self.engine.config);
        self.promise.verify |= options.verify;
        self.promise.grace = options.grace_ms.map(Duration::from_millis).or(self.promise.grace);
        self.check(options)?;
        Ok(self)
    }

    fn multiply(&mut self, by: f64) {
        for phase in &mut self.phases {
            match &mut phase.arrivals {
                Arrivals::Closed { callers, .. } => *callers = ((*callers as f64 * by).round() as usize).max(1),
                Arrivals::Open { rate: Rate::PerSecond(rate), .. } => *rate *= by,
                Arrivals::Open { rate: Rate::OfPeak(_), .. } | Arrivals::Recorded => {}
            }
        }
        self.population.customers = ((self.population.customers as f64 * by).round() as u64).max(1);
    }

    fn set_rate(&mut self, wanted: f64) -> anyhow::Result<()> {
        let rates = self.phases.iter_mut().filter_map(|phase| match &mut phase.arrivals {
            Arrivals::Open { rate: Rate::PerSecond(rate), .. } => Some(rate),
            _ => None,
        });
        let rates: Vec<&mut f64> = rates.collect();
        let highest = rates.iter().fold(0.0, |highest: f64, rate| highest.max(**rate));
        if highest == 0.0 {
            bail!("--rate {wanted}: scenario `{}` has no phase at a rate of its own", self.name);
        }
        for rate in rates {
            *rate *= wanted / highest;
        }
        Ok(())
    }

    fn stretch(&mut self, by: f64) {
        for phase in &mut self.phases {
            phase.seconds *= by;
        }
        for event in &mut self.events {
            event.at = event.at.mul_f64(by);
            // A shorter run has as many of what is repeated, but not oftener than ten times as often; a longer one has more.
            event.every = event.every.map(|every| if by < 1.0 { every.mul_f64(by.max(0.1)) } else { every });
        }
    }

    fn check(&self, options: &Overrides) -> anyhow::Result<()> {
        let name = &self.name;
        if let (Transport::InProcess, Some(event)) =
            (self.transport, self.events.iter().find(|event| event.what.needs_process()))
        {
            let what = event.what.as_str();
            bail!(
                "scenario `{name}` has the event `{what}`, which needs an engine in a process of its own: choose --transport json or msgpack"
            );
        }
        if options.url.is_none() {
            return Ok(());
        }
        if let Some(event) = self.events.iter().find(|event| event.what.needs_process()) {
            bail!(
                "--url: scenario `{name}` has the event `{}`, which is done only to an engine of one's own",
                event.what.as_str()
            );
        }
        if self.provider.is_some() || self.engine.disk_bytes.is_some() {
            bail!(
                "--url: scenario `{name}` needs an engine of its own, for it brings a provider of large models or a small disk"
            );
        }
        Ok(())
    }
}

fn positive(option: &str, number: Option<f64>) -> anyhow::Result<Option<f64>> {
    match number {
        Some(number) if !(number > 0.0 && number.is_finite()) => bail!("{option} {number}: expected a number above 0"),
        number => Ok(number),
    }
}
