//! Everything that may be sent.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use forthwith::Event;

use super::Spread;
use super::sample::{self, Sample};
use crate::scenario::Scenario;

/// Everything that may be sent in a run.
#[derive(Debug)]
pub(crate) struct Workload {
    /// What the ids of a run begin with, so that no two runs on the same engine meet.
    pub(super) run: String,
    pub(super) kinds: Vec<Kind>,
    pub(super) customers: u64,
    pub(super) spread: Spread,
    pub(super) seed: u64,
    pub(super) repeats: f64,
    /// When each recorded event is due, if it is these that are sent.
    recorded: Option<Vec<Duration>>,
}

/// A kind of call.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) playbook: Arc<str>,
    pub(crate) path: String,
    pub(crate) samples: Vec<Sample>,
    /// The shares of the kinds up to this one, of all.
    pub(super) up_to: f64,
    /// What the caller says that it waits.
    pub(crate) asked_budget: Option<Duration>,
    /// How long there is: what the caller says, or the playbook.
    pub(crate) budget: Option<Duration>,
}

impl Workload {
    /// The workload of a scenario. `budget_of` knows how long playbooks have.
    pub(crate) fn new(
        scenario: &Scenario,
        run: String,
        budget_of: impl Fn(&str) -> Option<Duration>,
    ) -> anyhow::Result<Arc<Self>> {
        let population = &scenario.population;
        let shares: f64 = scenario.calls.iter().map(|call| call.share).sum();
        let (mut kinds, mut up_to) = (Vec::new(), 0.0);
        for call in &scenario.calls {
            let lines = population.recorded.as_ref().map_or(&call.samples, |recorded| &recorded.lines);
            let samples =
                sample::read(lines).with_context(|| format!("the samples of playbook `{}`", call.playbook))?;
            up_to += call.share / shares;
            let own = budget_of(&call.playbook);
            kinds.push(Kind {
                playbook: call.playbook.as_str().into(),
                path: format!("/v1/decide/{}", call.playbook),
                samples,
                up_to,
                asked_budget: call.budget,
                budget: match (call.budget, own) {
                    (Some(asked), Some(own)) => Some(asked.min(own)),
                    (asked, own) => asked.or(own),
                },
            });
        }
        let recorded = population.recorded.as_ref().map(|recorded| due(&kinds[0].samples, recorded.speed));
        Ok(Arc::new(Self {
            run,
            kinds,
            customers: population.customers,
            spread: population.spread,
            seed: population.seed,
            repeats: population.repeats,
            recorded: recorded.transpose()?,
        }))
    }

    pub(crate) fn kind(&self, number: usize) -> &Kind {
        &self.kinds[number]
    }

    pub(crate) fn customers(&self) -> u64 {
        self.customers
    }

    /// When each recorded event is due, if it is these that are sent.
    pub(crate) fn recorded(&self) -> Option<&[Duration]> {
        self.recorded.as_deref()
    }

    /// The playbook and the first event of a customer.
    pub(crate) fn first(&self, customer: u64) -> (&str, Event) {
        let kind = &self.kinds[0];
        let sample = &kind.samples[customer as usize % kind.samples.len()];
        let id = format!("{}-first-{customer}", self.run);
        let mut event = Event::new(id, "load", sample.kind.as_str(), name_of(customer));
        event.data.clone_from(&sample.attributes);
        (&kind.playbook, event)
    }

    /// The same as JSON.
    pub(crate) fn first_json(&self, customer: u64) -> (&str, String) {
        let kind = &self.kinds[0];
        let Sample { kind: event, text, .. } = &kind.samples[customer as usize % kind.samples.len()];
        let (run, name) = (&self.run, name_of(customer));
        let json = format!(
            r#"{{"specversion":"1.0","id":"{run}-first-{customer}","source":"load","type":"{event}","subject":"{name}","data":{text}}}"#
        );
        (&kind.playbook, json)
    }
}

pub(super) fn name_of(customer: u64) -> String {
    format!("customer-{customer:08}")
}

/// When recorded events are due, counted from the first.
fn due(samples: &[Sample], speed: Option<f64>) -> anyhow::Result<Vec<Duration>> {
    let Some(speed) = speed else { return Ok(vec![Duration::ZERO; samples.len()]) };
    let mut first = None;
    let due = samples.iter().enumerate().map(|(nth, sample)| {
        let time = sample.time.with_context(|| format!("line {} of the recording has no `time`", nth + 1))?;
        let micros = time.micros();
        let first = *first.get_or_insert(micros);
        let after = micros - first;
        let after = u64::try_from(after).ok().with_context(|| {
            format!(
                "line {} of the recording is earlier than the first: expected events in the order of their times",
                nth + 1
            )
        })?;
        Ok(Duration::from_micros(after).div_f64(speed))
    });
    let due: Vec<Duration> = due.collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(due.is_sorted(), "the recorded events are not in the order of their times");
    Ok(due)
}
