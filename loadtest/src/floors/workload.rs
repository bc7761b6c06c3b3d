//! What is sent: the data of sample events, again and again, under new ids and customers.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use forthwith::{Event, Raw};
use serde::Deserialize;

use crate::args::floors::Load;
use crate::population::{Draw, Spread};

/// A sample event: what of it is sent again.
#[derive(Debug, Deserialize)]
struct Sample {
    #[serde(rename = "type")]
    kind: String,
    data: serde_json::Map<String, serde_json::Value>,
    /// The same as a text.
    #[serde(skip)]
    text: String,
    /// The same as the engine takes it.
    #[serde(skip)]
    attributes: Vec<(String, Raw)>,
}

/// Everything that may be sent.
#[derive(Debug)]
pub(crate) struct Workload {
    samples: Vec<Sample>,
    customers: u64,
    spread: Spread,
    seed: u64,
}

/// One caller's part of it.
#[derive(Debug)]
pub(crate) struct Stream {
    workload: Arc<Workload>,
    draw: Draw,
    name: String,
    sent: u64,
}

impl Workload {
    pub(crate) fn load(load: &Load) -> anyhow::Result<Arc<Self>> {
        let samples =
            read(&load.samples).with_context(|| format!("cannot use the samples {}", load.samples.display()))?;
        Ok(Arc::new(Self { samples, customers: load.customers, spread: load.spread, seed: load.seed }))
    }

    /// The part of a caller in a round. Ids of different rounds and callers never meet.
    pub(crate) fn stream(self: &Arc<Self>, round: &str, caller: u32) -> Stream {
        let draw = Draw::new(self.spread, self.customers, self.seed, u64::from(caller));
        Stream { workload: Arc::clone(self), draw, name: format!("{round}-{caller}"), sent: 0 }
    }

    /// The first event of a customer.
    pub(crate) fn first(&self, customer: u64) -> Event {
        self.event(customer as usize, format!("first-{customer}"), name(customer))
    }

    pub(crate) fn customers(&self) -> u64 {
        self.customers
    }

    fn sample(&self, number: usize) -> &Sample {
        &self.samples[number % self.samples.len()]
    }

    fn event(&self, number: usize, id: String, customer: String) -> Event {
        let sample = self.sample(number);
        let mut event = Event::new(id, "load", sample.kind.as_str(), customer);
        event.data.clone_from(&sample.attributes);
        event
    }
}

impl Stream {
    /// The next customer.
    pub(crate) fn customer(&mut self) -> String {
        name(self.draw.next())
    }

    /// The next event.
    pub(crate) fn event(&mut self) -> Event {
        let (number, id) = self.next_id();
        let customer = self.customer();
        self.workload.event(number, id, customer)
    }

    /// The next event as the JSON of a CloudEvent.
    pub(crate) fn json(&mut self) -> String {
        let (number, id) = self.next_id();
        let customer = self.customer();
        let Sample { kind, text, .. } = self.workload.sample(number);
        // Ids and customers are ours and need no escaping; the type was checked when the samples were read.
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"load","type":"{kind}","subject":"{customer}","data":{text}}}"#
        )
    }

    fn next_id(&mut self) -> (usize, String) {
        self.sent += 1;
        (self.sent as usize, format!("{}-{}", self.name, self.sent))
    }
}

fn name(customer: u64) -> String {
    format!("customer-{customer:08}")
}

fn read(path: &Path) -> anyhow::Result<Vec<Sample>> {
    let text = fs::read_to_string(path)?;
    let mut samples = Vec::new();
    for (nth, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let read = || -> anyhow::Result<Sample> {
            let mut sample: Sample = serde_json::from_str(line)?;
            if sample.kind.contains(['"', '\\']) {
                bail!("`type` has a quote or a backslash");
            }
            sample.text = serde_json::to_string(&sample.data)?;
            for (name, value) in &sample.data {
                sample.attributes.push((name.clone(), serde_json::from_value(value.clone())?));
            }
            Ok(sample)
        };
        samples.push(read().with_context(|| format!("line {}", nth + 1))?);
    }
    if samples.is_empty() {
        bail!("there is no event in it");
    }
    Ok(samples)
}
