//! The `cel` crate's interpreter, asked one rule after the other: what CEL costs without an index.
//!
//! Programs are compiled and values converted beforehand, and names are resolved without copying: the interpreter at its
//! best.

#![allow(dead_code, reason = "each bench uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops where it cannot go on")]

use cel::common::types::{CelBool, CelDouble, CelInt, CelString};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Program, Value};

use crate::workload::{EventSpec, FIELDS, Kind, RuleSpec, cel};

/// Rules as programs.
pub(crate) struct LinearCel {
    programs: Vec<Program>,
    events: Vec<Names>,
}

/// From texts to programs.
pub(crate) fn load(texts: &[String]) -> Vec<Program> {
    texts.iter().map(|text| Program::compile(text).expect("the rules are sound")).collect()
}

/// The texts of these rules.
pub(crate) fn texts(rules: &[RuleSpec]) -> Vec<String> {
    rules.iter().map(|rule| cel(rule, "")).collect()
}

impl LinearCel {
    /// The programs with their events, converted.
    pub(crate) fn new(programs: Vec<Program>, events: &[EventSpec]) -> Self {
        Self { programs, events: events.iter().map(Names::new).collect() }
    }

    /// The first rule that matches an event.
    pub(crate) fn first(&self, nth: usize) -> Option<usize> {
        let mut context = Context::default();
        context.set_variable_resolver(&self.events[nth]);
        self.programs.iter().position(|program| program.execute(&context) == Ok(Value::Bool(true)))
    }
}

/// The values of an event, ready to be borrowed.
struct Names([Box<dyn Val>; FIELDS.len()]);

impl Names {
    fn new(event: &EventSpec) -> Self {
        Self(std::array::from_fn(|position| -> Box<dyn Val> {
            match FIELDS[position].kind {
                Kind::Text(_) | Kind::Product => Box::new(CelString::from(event.show(position))),
                Kind::Decimal(..) => Box::new(CelDouble::from(event.float(position))),
                Kind::Int(..) => Box::new(CelInt::from(event.0[position])),
                Kind::Bool => Box::new(CelBool::from(event.0[position] == 1)),
            }
        }))
    }
}

impl VariableResolver for Names {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let position = FIELDS.iter().position(|field| field.name == variable)?;
        Some(CowVal::Borrowed(self.0[position].as_ref()))
    }
}
