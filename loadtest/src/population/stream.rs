//! What one driver thread sends.

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;

use super::known::Known;
use super::workload::{Kind, name_of};
use super::{Draw, Sample, Workload};

/// An event on its way.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    /// The number of its kind of call.
    pub(crate) kind: usize,
    /// The number of its sample.
    pub(crate) sample: usize,
    pub(crate) id: Arc<str>,
    pub(crate) source: Arc<str>,
    pub(crate) customer: Arc<str>,
    /// Whether it was sent before, and answered with a safe decision.
    pub(crate) is_repeat: bool,
}

/// What one driver thread sends.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) workload: Arc<Workload>,
    draw: Draw,
    random: Pcg64Mcg,
    known: Known,
    source: Arc<str>,
    thread: usize,
    sent: u64,
}

impl Stream {
    pub(crate) fn new(workload: &Arc<Workload>, thread: usize) -> Self {
        let Workload { spread, customers, seed, .. } = **workload;
        Self {
            workload: Arc::clone(workload),
            draw: Draw::new(spread, customers, seed, thread as u64),
            random: Pcg64Mcg::seed_from_u64(seed.wrapping_add(0x5eed ^ ((thread as u64) << 32))),
            known: Known::default(),
            source: "load".into(),
            thread,
            sent: 0,
        }
    }

    /// The next event; the recorded one of this number, if it is recorded events that are sent.
    pub(crate) fn next(&mut self, recorded: Option<usize>) -> Outgoing {
        if let Some(number) = recorded {
            return self.recorded(number);
        }
        if self.workload.repeats > 0.0 && self.random.random::<f64>() < self.workload.repeats {
            let number = self.random.random();
            if let Some(known) = self.known.any(number) {
                return Outgoing { is_repeat: true, ..known.clone() };
            }
        }
        let kind = self.any_kind();
        self.sent += 1;
        let sample = self.sent as usize % self.workload.kinds[kind].samples.len();
        let id = format!("{}-{}-{}", self.workload.run, self.thread, self.sent).into();
        let customer = name_of(self.draw.next()).into();
        Outgoing { kind, sample, id, source: Arc::clone(&self.source), customer, is_repeat: false }
    }

    /// A safe decision on an event was heard: it may be repeated.
    pub(crate) fn is_safe(&mut self, event: &Outgoing) {
        if self.workload.repeats > 0.0 && !event.is_repeat {
            self.known.keep(event.clone());
        }
    }

    pub(crate) fn kind(&self, event: &Outgoing) -> &Kind {
        &self.workload.kinds[event.kind]
    }

    pub(super) fn sample(&self, event: &Outgoing) -> &Sample {
        &self.workload.kinds[event.kind].samples[event.sample]
    }

    fn any_kind(&mut self) -> usize {
        if self.workload.kinds.len() == 1 {
            return 0;
        }
        let at = self.random.random::<f64>();
        self.workload.kinds.iter().position(|kind| at < kind.up_to).unwrap_or(self.workload.kinds.len() - 1)
    }

    fn recorded(&mut self, number: usize) -> Outgoing {
        let kind = self.any_kind();
        let samples = &self.workload.kinds[kind].samples;
        let sample = number % samples.len();
        let Sample { id, source, customer, .. } = &samples[sample];
        let text = |text: &Option<String>, otherwise: &dyn Fn() -> String| -> Arc<str> {
            text.clone().unwrap_or_else(otherwise).into()
        };
        Outgoing {
            kind,
            sample,
            id: text(id, &|| format!("{}-{number}", self.workload.run)),
            source: text(source, &|| "load".to_owned()),
            customer: text(customer, &|| name_of(0)),
            is_repeat: false,
        }
    }
}
