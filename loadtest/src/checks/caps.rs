//! Caps, counted from the answers: whatever the engine believes, no customer was granted more.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use forthwith::Raw;
use forthwith::bundle::{Bundle, CapScope};
use serde_json::{Value, json};

use super::cap_rule::CapRule;
use super::cap_window::{Excess, Stretches, Take, excesses};
use super::sample::{Sample, key};
use super::tally::Tally;
use crate::answers::{Answer, Came};
use crate::outcome::Check;

/// Takes of a customer among which a repetition is looked for at once.
const RECENT: usize = 16;

/// What one customer took of one cap.
#[derive(Clone, Debug)]
struct Own {
    rule: usize,
    customer: Box<str>,
    takes: Vec<Take>,
}

/// What was taken of all caps.
#[derive(Debug)]
pub(super) struct Caps {
    rules: Arc<Vec<CapRule>>,
    /// The caps of each playbook that has some, by number.
    by_playbook: Arc<HashMap<Arc<str>, Vec<usize>>>,
    uncountable: Vec<Arc<str>>,
    own: Sample<Own>,
    /// How many takes are kept in `own`.
    takes: usize,
    takes_max: usize,
    /// By cap; those of single customers stay empty.
    global: Vec<Stretches>,
    tally: Tally,
}

impl Caps {
    pub(super) fn new(cases_max: usize, bundle: Option<&Bundle>) -> Self {
        let (rules, uncountable) = bundle.map(CapRule::of).unwrap_or_default();
        let mut by_playbook = HashMap::<Arc<str>, Vec<usize>>::new();
        for (number, rule) in rules.iter().enumerate() {
            rule.playbooks().for_each(|playbook| by_playbook.entry(Arc::clone(playbook)).or_default().push(number));
        }
        let asks = "What was granted within the window of a cap is never more than the cap, added up from the answers.";
        Self {
            global: rules.iter().map(|rule| Stretches::new(rule.window_ms)).collect(),
            rules: Arc::new(rules),
            by_playbook: Arc::new(by_playbook),
            uncountable,
            own: Sample::new(cases_max),
            takes: 0,
            takes_max: cases_max.max(1),
            tally: Tally::new("caps", asks),
        }
    }

    pub(super) fn see(&mut self, answer: &Answer<'_>) {
        let Came::Decided(decided) = &answer.came else { return };
        let by_playbook = Arc::clone(&self.by_playbook);
        let Some(rules) = by_playbook.get(decided.playbook) else { return };
        // What cannot be read takes nothing here; that it cannot be read, its caller says.
        let Ok(outcome) = serde_json::from_str::<BTreeMap<String, Raw>>(decided.outcome) else { return };
        for &number in rules {
            let rule = &self.rules[number];
            let Some(amount) = rule.takes(decided.playbook, &outcome) else { continue };
            self.tally.checked += 1;
            let take = Take { decision: decided.decision, amount };
            match rule.scope {
                CapScope::Customer => self.take(number, decided.customer, take),
                // A repetition takes nothing more; the decision itself was seen, or was never heard.
                CapScope::Global if decided.is_duplicate => {}
                CapScope::Global => self.global[number].take(take),
            }
        }
    }

    fn take(&mut self, rule: usize, customer: &str, take: Take) {
        let make = || Own { rule, customer: customer.into(), takes: Vec::new() };
        let Some(own) = self.own.get_or(key((rule, customer)), make) else { return };
        // Repetitions come soon, mostly; in the end none counts twice.
        if !own.takes.iter().rev().take(RECENT).any(|known| *known == take) {
            own.takes.push(take);
            self.takes += 1;
        }
        self.bound();
    }

    fn bound(&mut self) {
        while self.takes > self.takes_max && self.own.halve() {
            self.takes = self.own.values().map(|own| own.takes.len()).sum();
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.takes_max += other.takes_max;
        self.own.add(other.own, |own, other| own.takes.extend(other.takes));
        self.takes = self.own.values().map(|own| own.takes.len()).sum();
        self.bound();
        self.global.iter_mut().zip(other.global).for_each(|(mine, other)| mine.add(other));
    }

    /// The check, if there is a cap.
    pub(super) fn check(mut self) -> Option<Check> {
        if self.rules.is_empty() && self.uncountable.is_empty() {
            return None;
        }
        let rules = Arc::clone(&self.rules);
        for own in self.own.values() {
            let (rule, mut takes) = (&rules[own.rule], own.takes.clone());
            for excess in excesses(&mut takes, rule.window_ms, rule.max) {
                let place = excess.takes.last().map_or(0, |take| take.decision.time().micros() as u64);
                self.tally.broken(place, || own_case(rule, &own.customer, &excess));
            }
        }
        for (rule, stretches) in rules.iter().zip(&self.global) {
            let (first, excesses) = stretches.excess(rule.max);
            if let Some((from_ms, to_ms, sum)) = first {
                self.tally.broken(to_ms.unsigned_abs().saturating_mul(1_000), || {
                    json!({ "cap": *rule.id, "max": rule.show(rule.max), "granted": rule.show(sum),
                            "from_unix_ms": from_ms, "to_unix_ms": to_ms })
                });
                self.tally.violations += excesses - 1;
            }
        }
        let mut remark = self.own.remark("customer");
        if !self.uncountable.is_empty() {
            let caps = self.uncountable.join("`, `");
            remark.push_str(&format!(
                "{}Not counted, because the default does it too: `{caps}`.",
                if remark.is_empty() { "" } else { " " }
            ));
        }
        Some(self.tally.check(&remark))
    }
}

fn own_case(rule: &CapRule, customer: &str, excess: &Excess<'_>) -> Value {
    let take = |take: &Take| {
        let at = take.decision.time().to_string();
        json!({ "decision": take.decision, "at": at, "takes": rule.show(take.amount) })
    };
    let takes: Vec<Value> = excess.takes.iter().map(take).collect();
    json!({ "cap": *rule.id, "customer": customer, "max": rule.show(rule.max), "window_ms": rule.window_ms,
            "granted": rule.show(excess.sum), "takes": takes })
}
