//! Inputs carried from the declarations of one bundle to those of another, by name.

use std::sync::Arc;

use crate::bundle::Bundle;
use crate::context::{TypedEvent, Undeclared};
use crate::domain::{Event, Field, Value};
use crate::turn::{ConsentsInput, EventInput, FactsInput, Input, Run};

/// The way of inputs from one bundle to another.
#[derive(Debug)]
pub(super) struct Carrier {
    from: Arc<Bundle>,
    to: Arc<Bundle>,
    /// By the number of the event's type.
    events: Vec<EventWay>,
}

/// What becomes of events of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EventWay {
    /// The type with this number has the same attributes: values stay as they are.
    Same(usize),
    /// The type with this number has others: values are typed anew.
    Anew(usize),
    /// There is no such type.
    Unknown,
}

/// An input under the new declarations.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) input: Input,
    /// Why no playbook can be asked, though one was.
    pub(super) unasked: Option<String>,
    /// Facts and consents that had to be left behind, and why.
    pub(super) left: Vec<String>,
}

impl Carrier {
    pub(super) fn new(from: &Arc<Bundle>, to: &Arc<Bundle>) -> Self {
        let way = |number: usize| {
            let ty = &from.layout().events()[number];
            match to.layout().event_number(&ty.name) {
                Some(number) if to.layout().events()[number].attributes == ty.attributes => EventWay::Same(number),
                Some(number) => EventWay::Anew(number),
                None => EventWay::Unknown,
            }
        };
        let events = (0..from.layout().events().len()).map(way).collect();
        Self { from: Arc::clone(from), to: Arc::clone(to), events }
    }

    /// Carries an input over; or says why that cannot be.
    pub(super) fn carry(&self, input: Input) -> Result<Carried, String> {
        match input {
            Input::Event(event) => self.event(event),
            Input::Facts(facts) => Ok(self.facts(facts)),
            Input::Consents(consents) => Ok(self.consents(consents)),
            Input::Settlement(_) | Input::Feedback(_) | Input::LateAnswer(_) => {
                Ok(Carried { input, unasked: None, left: Vec::new() })
            }
        }
    }

    fn event(&self, EventInput { event, run, trace }: EventInput) -> Result<Carried, String> {
        let name = Arc::clone(&self.from.layout().events()[event.kind].name);
        let way = self.events.get(event.kind).copied().unwrap_or(EventWay::Unknown);
        let event = match way {
            EventWay::Same(kind) if event.undeclared.is_empty() || self.keeps_undeclared(kind) => {
                TypedEvent { kind, ..event }
            }
            EventWay::Same(_) | EventWay::Anew(_) => self.typed_anew(event)?,
            EventWay::Unknown => return Err(format!("event type `{name}` is not declared")),
        };
        let (run, unasked) = match run {
            Run::Subscribed => (Run::Subscribed, None),
            Run::Playbook(number) => self.asked(number, event.kind),
        };
        Ok(Carried { input: Input::Event(EventInput { event, run, trace }), unasked, left: Vec::new() })
    }

    fn keeps_undeclared(&self, kind: usize) -> bool {
        self.to.layout().events()[kind].undeclared == Undeclared::Keep
    }

    /// The playbook of the same name, if it decides on such events.
    fn asked(&self, number: usize, kind: usize) -> (Run, Option<String>) {
        let name = &self.from.playbooks()[number].name;
        match self.to.playbook_number(name) {
            Some(number) if self.to.playbooks()[number].position_of_event(kind).is_some() => {
                (Run::Playbook(number), None)
            }
            Some(_) => (Run::Subscribed, Some(no_longer_on(name, &self.to.layout().events()[kind].name))),
            None => (Run::Subscribed, Some(no_playbook(name))),
        }
    }

    /// The event as it would be typed had it come now. Its fingerprint stays what it was: it is the same event.
    fn typed_anew(&self, event: TypedEvent) -> Result<TypedEvent, String> {
        let ty = &self.from.layout().events()[event.kind];
        let declared = ty.attributes.iter().zip(event.attributes);
        let declared = declared.filter_map(|(field, value)| Some((field.name.to_string(), field.ty.to_raw(&value?))));
        let untyped = Event {
            id: event.key.id().to_owned(),
            source: event.key.source().to_owned(),
            kind: ty.name.to_string(),
            customer: event.customer.to_string(),
            time: event.time,
            data: declared.chain(event.undeclared).collect(),
        };
        match self.to.layout().accept(untyped) {
            Ok(typed) => Ok(TypedEvent { body: event.body, ..typed }),
            Err(faults) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                Err(format!("`{}`: {}", ty.name, faults.join("; ")))
            }
        }
    }

    fn facts(&self, input: FactsInput) -> Carried {
        let mut left = Vec::new();
        let mut facts = Vec::with_capacity(input.facts.len());
        for (number, value) in input.facts {
            let from = &self.from.layout().facts()[number].field;
            match self.fact(from, value) {
                Ok(fact) => facts.push(fact),
                Err(reason) => left.push(reason),
            }
        }
        Carried { input: Input::Facts(FactsInput { facts, ..input }), unasked: None, left }
    }

    fn fact(&self, from: &Field, value: Option<Value>) -> Result<(usize, Option<Value>), String> {
        let name = &from.name;
        let number = self.to.layout().fact_number(name).ok_or_else(|| format!("fact `{name}` is not declared"))?;
        let to = &self.to.layout().facts()[number].field;
        let value = match value {
            Some(value) if from != to => {
                to.accept(from.ty.to_raw(&value)).map_err(|fault| format!("fact `{name}` {fault}"))?
            }
            value => value,
        };
        Ok((number, value))
    }

    fn consents(&self, input: ConsentsInput) -> Carried {
        let mut left = Vec::new();
        let mut consents = Vec::with_capacity(input.consents.len());
        for (number, is_given) in input.consents {
            let Some(purpose) = self.from.purpose(number) else { continue };
            match self.to.layout().purpose_number(&purpose.name) {
                Some(number) => consents.push((number, is_given)),
                None => left.push(format!("purpose `{}` is not declared", purpose.name)),
            }
        }
        Carried { input: Input::Consents(ConsentsInput { consents, ..input }), unasked: None, left }
    }
}

pub(super) fn no_playbook(name: &str) -> String {
    format!("there is no playbook `{name}`")
}

pub(super) fn no_longer_on(playbook: &str, event: &str) -> String {
    format!("playbook `{playbook}` does not decide on `{event}`")
}
