//! What a bulk run came to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::output::grouped;
use crate::domain::{Money, Type};
use crate::engine::Decision;

/// Counts of a run.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) decided: u64,
    pub(super) duplicates: u64,
    pub(super) observed: u64,
    pub(super) bad: u64,
    pub(super) facts_left: usize,
    /// Per field that is one of a list: how often each value came out.
    fields: BTreeMap<String, BTreeMap<String, u64>>,
    tiers: BTreeMap<&'static str, u64>,
    rules: BTreeMap<String, u64>,
    reasons: BTreeMap<String, u64>,
    latency_us: Histogram<u64>,
    /// What the large models cost, if any was asked.
    cost: Option<Money>,
}

/// Rules that the summary lists.
const RULES_SHOWN: usize = 12;

impl Summary {
    pub(super) fn new() -> Result<Self, String> {
        let latency_us = Histogram::new_with_bounds(1, 3_600_000_000, 3).map_err(|e| e.to_string())?;
        Ok(Self {
            decided: 0,
            duplicates: 0,
            observed: 0,
            bad: 0,
            facts_left: 0,
            fields: BTreeMap::new(),
            tiers: BTreeMap::new(),
            rules: BTreeMap::new(),
            reasons: BTreeMap::new(),
            latency_us,
            cost: None,
        })
    }

    pub(super) fn count(&mut self, decision: &Decision) {
        self.decided += 1;
        self.duplicates += u64::from(decision.is_duplicate);
        if !decision.is_duplicate {
            self.cost = self.cost.into_iter().chain(decision.cost).reduce(Money::plus);
        }
        self.latency_us.saturating_record(decision.elapsed.as_micros() as u64);
        *self.tiers.entry(decision.tier.as_str()).or_default() += 1;
        *self.rules.entry(decision.rule.as_deref().unwrap_or("(default)").to_owned()).or_default() += 1;
        let outcome = decision.outcome();
        for field in outcome.schema().fields() {
            let value = match &field.ty {
                Type::OneOf(_) => outcome.text(&field.name).map(str::to_owned),
                // A number with few values, such as a priority.
                Type::Int if field.limits.max.saturating_sub(field.limits.min) < 10 => {
                    outcome.int(&field.name).map(|value| value.to_string())
                }
                _ => None,
            };
            if let Some(value) = value {
                *self.fields.entry(field.name.to_string()).or_default().entry(value).or_default() += 1;
            }
        }
        for reason in &decision.reasons {
            let code = match reason {
                crate::engine::Reason::ValueUnavailable { name: Some(name), .. } => format!("value_unavailable {name}"),
                other => other.code().to_owned(),
            };
            *self.reasons.entry(code).or_default() += 1;
        }
    }

    /// The summary as people read it.
    pub(super) fn show(&self, wall: Duration, batch: u16) -> String {
        let mut text = String::new();
        let per_second = if wall.is_zero() { 0.0 } else { self.decided as f64 / wall.as_secs_f64() };
        let _ = writeln!(
            text,
            "{} decisions in {:.2} s: {} a second, {} at a time; from taking an event to its decision on disk \
             p50 {} p99 {} max {}",
            grouped(self.decided),
            wall.as_secs_f64(),
            grouped(per_second as u64),
            batch,
            micros(self.latency_us.value_at_quantile(0.5)),
            micros(self.latency_us.value_at_quantile(0.99)),
            micros(self.latency_us.max()),
        );
        for (field, values) in &self.fields {
            table(&mut text, field, values, usize::MAX);
        }
        let tiers = self.tiers.iter().map(|(tier, count)| ((*tier).to_owned(), *count)).collect();
        table(&mut text, "tier", &tiers, usize::MAX);
        table(&mut text, "rule", &self.rules, RULES_SHOWN);
        table(&mut text, "reason", &self.reasons, usize::MAX);
        if let Some(cost) = self.cost {
            let _ = writeln!(text, "large models cost {cost} until their decisions were made");
        }
        let mut note = |count: u64, what: &str| {
            if count > 0 {
                let _ = writeln!(text, "{} {what}", grouped(count));
            }
        };
        note(self.duplicates, "were repetitions of events decided before");
        note(self.observed, "other events were taken into their customers' contexts");
        note(self.facts_left as u64, "customers of the facts file had no event");
        note(self.bad, "bad lines, named above");
        text
    }
}

fn table(text: &mut String, title: &str, values: &BTreeMap<String, u64>, limit: usize) {
    if values.is_empty() {
        return;
    }
    let total: u64 = values.values().sum();
    let mut rows: Vec<(&String, &u64)> = values.iter().collect();
    rows.sort_by(|(a_name, a), (b_name, b)| b.cmp(a).then(a_name.cmp(b_name)));
    let _ = writeln!(text, "  {title}");
    for (name, count) in rows.iter().take(limit) {
        let share = **count as f64 * 100.0 / total.max(1) as f64;
        let _ = writeln!(text, "    {name:<32} {:>9}  {share:>5.1} %", grouped(**count));
    }
    if rows.len() > limit {
        let rest: u64 = rows[limit..].iter().map(|(_, count)| **count).sum();
        let _ = writeln!(text, "    {:<32} {:>9}", format!("({} more)", rows.len() - limit), grouped(rest));
    }
}

fn micros(us: u64) -> String {
    if us < 10_000 { format!("{us} us") } else { format!("{:.1} ms", us as f64 / 1_000.0) }
}
