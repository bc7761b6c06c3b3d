//! The seconds of a run as they pass: what all threads saw in each, and what the engine took.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::happening::Happening;
use crate::clock::now;
use crate::driving::{Part, Team};
use crate::outcome::{Curve, Second, Usage};
use crate::reports::Live;
use crate::target::Meter;

/// Seconds of which some thread has not told yet; beyond that the oldest is shown without it.
const WAITING_MAX: usize = 16;

/// Watches a team.
pub(super) struct Watching<'a> {
    parts: &'a Receiver<Part>,
    begin: Instant,
    threads: usize,
    meter: Meter,
    live: &'a Live,
    waiting: BTreeMap<u64, (usize, Second, Curve)>,
    whole: Curve,
    seconds: Vec<Second>,
    usage: Vec<Usage>,
}

impl<'a> Watching<'a> {
    pub(super) fn new<C>(team: &'a Team<C>, meter: Meter, live: &'a Live) -> Self {
        Self {
            parts: &team.parts,
            begin: team.begin,
            threads: team.threads,
            meter,
            live,
            waiting: BTreeMap::new(),
            whole: Curve::new(),
            seconds: Vec::new(),
            usage: Vec::new(),
        }
    }

    /// Watches until the last thread has ended.
    pub(super) fn watch(mut self, happening: &Happening) -> (Vec<Second>, Vec<Usage>) {
        let mut next = Duration::ZERO;
        loop {
            let wait = (self.begin + next).saturating_duration_since(now());
            match self.parts.recv_timeout(wait) {
                Ok(part) => self.hear(&part),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.usage.extend(self.meter.read(next));
                    next += Duration::from_secs(1);
                }
            }
            happening.news.try_iter().for_each(|happened| self.live.happened(&happened));
        }
        while self.show_first() {}
        (self.seconds, self.usage)
    }

    fn hear(&mut self, part: &Part) {
        let (told, second, curve) = self.waiting.entry(part.second).or_default();
        *told += 1;
        second.at_s = part.second as f64;
        second.offered += part.offered;
        second.answered += part.answered;
        second.late += part.late;
        second.shed += part.shed;
        second.failed += part.failed;
        second.in_flight += part.in_flight;
        part.tiers.add_to(&mut second.tiers);
        part.fallbacks.add_to(&mut second.fallbacks);
        curve.add(&part.latency);
        if *told == self.threads || self.waiting.len() > WAITING_MAX {
            self.show_first();
        }
    }

    /// Shows the oldest second; whether there was one.
    fn show_first(&mut self) -> bool {
        let Some((_, (_, mut second, curve))) = self.waiting.pop_first() else { return false };
        second.p50_us = curve.quantile_us(0.5);
        second.p99_us = curve.quantile_us(0.99);
        second.p999_us = curve.quantile_us(0.999);
        second.max_us = curve.quantile_us(1.0);
        self.whole.add(&curve);
        let usage = self.usage.last().copied().unwrap_or_default();
        self.live.second(&second, &usage, &self.whole);
        self.seconds.push(second);
        true
    }
}
