//! zen-engine: one decision table, compiled, which gives it its index of texts, truths and points.
//!
//! Inside a decision: the event's JSON values become the engine's, and the graph is evaluated on a current-thread runtime.
//! The parsing of JSON text is outside. With the trace the engine explains its answer, and does not use its index.

use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};
use zen_engine::model::GraphContent;
use zen_engine::{Decision, EvaluationOptions, Variable};

use crate::workload::{EventSpec, FIELDS, Kind};

/// A compiled table and its events.
pub(crate) struct Zen {
    decision: Decision,
    events: Vec<Value>,
    runtime: Runtime,
}

/// From the text of a decision model to a compiled decision.
pub(crate) fn load(text: &str) -> Decision {
    let content: GraphContent = serde_json::from_str(text).expect("the decision model is sound");
    let mut decision = Decision::from(content);
    decision.compile();
    decision
}

impl Zen {
    /// The decision with its events as JSON values.
    pub(crate) fn new(decision: Decision, events: &[EventSpec]) -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime can be made");
        Self { decision, events: events.iter().map(json).collect(), runtime }
    }

    /// The first rule that matches an event.
    pub(crate) fn first(&self, nth: usize, trace: bool) -> Option<usize> {
        let event = Variable::from(&self.events[nth]);
        let options = EvaluationOptions { trace, ..EvaluationOptions::default() };
        let answer =
            self.runtime.block_on(self.decision.evaluate_with_opts(event, options)).expect("a table has answers");
        let rank = answer.result.dot("rule")?.as_number()?;
        usize::try_from(rank).ok()
    }
}

fn json(event: &EventSpec) -> Value {
    let mut json = Map::new();
    for (position, field) in FIELDS.iter().enumerate() {
        let value = match field.kind {
            Kind::Text(_) | Kind::Product => event.show(position).into(),
            Kind::Decimal(..) => event.float(position).into(),
            Kind::Int(..) => event.0[position].into(),
            Kind::Bool => (event.0[position] == 1).into(),
        };
        json.insert(field.name.to_owned(), value);
    }
    Value::Object(json)
}
