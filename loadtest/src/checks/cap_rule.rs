//! A cap of a bundle, and what an outcome takes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use forthwith::bundle::{Bundle, Cap, CapScope, OutcomeSchema, Playbook};
use forthwith::domain::Value;
use forthwith::{Raw, TimeDelta};

/// A cap, as answers can be held against it.
#[derive(Clone, Debug)]
pub(super) struct CapRule {
    pub(super) id: Arc<str>,
    pub(super) scope: CapScope,
    pub(super) max: i64,
    /// How long what is taken surely counts, in milliseconds; `None` for ever.
    pub(super) window_ms: Option<i64>,
    /// By playbook.
    takers: BTreeMap<Arc<str>, (Cap, Arc<OutcomeSchema>)>,
}

impl CapRule {
    /// All caps of a bundle that can be counted from answers, and the ids of the others.
    ///
    /// What a playbook's default does never counts, and an answer does not say whether it is the default. So where the default does what
    /// a cap counts, its answers tell nothing.
    pub(super) fn of(bundle: &Bundle) -> (Vec<Self>, Vec<Arc<str>>) {
        let (mut rules, mut uncountable) = (BTreeMap::<Arc<str>, Self>::new(), Vec::new());
        for playbook in bundle.playbooks() {
            for cap in &playbook.caps {
                if cap.takes(&playbook.default.values).is_some() {
                    uncountable.push(Arc::clone(&cap.id));
                }
                let window_ms = window_ms(cap, playbook);
                let rule = rules.entry(Arc::clone(&cap.id)).or_insert_with(|| Self {
                    id: Arc::clone(&cap.id),
                    scope: cap.scope,
                    max: cap.max,
                    window_ms,
                    takers: BTreeMap::new(),
                });
                rule.window_ms = shorter(rule.window_ms, window_ms);
                let schema = Arc::clone(&playbook.outcome);
                rule.takers.insert(Arc::clone(&playbook.name), (cap.clone(), schema));
            }
        }
        rules.retain(|id, _| !uncountable.contains(id));
        (rules.into_values().collect(), uncountable)
    }

    pub(super) fn playbooks(&self) -> impl Iterator<Item = &Arc<str>> {
        self.takers.keys()
    }

    /// What an outcome, as JSON, takes of the cap; `None` if it does not count, or cannot be read.
    pub(super) fn takes(&self, playbook: &str, outcome: &BTreeMap<String, Raw>) -> Option<i64> {
        let (cap, schema) = self.takers.get(playbook)?;
        let value = |name: &str, ty: &forthwith::domain::Type| ty.accept(outcome.get(name)?.clone()).ok();
        let fields = schema.fields().iter();
        let values: Option<Vec<Value>> = fields.map(|field| value(&field.name, &field.ty)).collect();
        cap.takes(&values?)
    }

    /// So much of what the cap counts, as people read it.
    pub(super) fn show(&self, amount: i64) -> String {
        self.takers.values().next().map_or_else(|| amount.to_string(), |(cap, schema)| cap.show(amount, schema))
    }
}

/// What nobody settles is free again when its time is over, which may be before it leaves the window. Whether somebody settles it, an answer
/// does not say; so it is held against the cap only as long as it counts in any case.
fn window_ms(cap: &Cap, playbook: &Playbook) -> Option<i64> {
    let millis = |delta: TimeDelta| delta.micros() / 1_000;
    shorter(cap.over.map(millis), playbook.settle_within.map(millis))
}

fn shorter(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
