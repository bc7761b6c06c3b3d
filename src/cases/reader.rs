//! Reads a file of cases; what is wrong is noted, all of it.

use std::collections::HashMap;

use super::case::{CASES_ENDING, Case, Earlier};
use super::event_reader::{self, EventReader, Fact, Parts, Role};
use super::expectation::ExpectationReader;
use crate::bundle::{Bundle, Playbook};
use crate::context::{Layout, TypedEvent};
use crate::document::{Document, Node, Place, Section};
use crate::domain::{CustomerId, Timestamp};
use crate::turn::{ConsentsInput, EventInput, FactsInput, Input, Run};

/// Cases that a file may have.
const CASES_MAX: usize = 10_000;

/// Bytes that the name of a case may have.
const NAME_BYTES_MAX: usize = 200;

/// When a case is decided that does not say: a Thursday at noon, UTC. Fixed, so that a case means the same for ever.
const AT: Timestamp = Timestamp::from_micros(1_767_268_800_000_000);

/// Who told the facts of a case, and who sent its events.
pub(super) const SOURCE: &str = "cases";

/// What the cases of a file share unless they say otherwise.
#[derive(Default)]
struct Defaults<'d> {
    at: Option<Timestamp>,
    event: Option<Parts<'d>>,
    facts: Vec<(String, Node<'d>)>,
    consents: Vec<(String, Node<'d>)>,
}

/// The number of the playbook and the cases that could be read; `None` if nobody can say which playbook is meant.
pub(super) fn read(document: &Document<'_>, bundle: &Bundle, file: &str) -> Option<(usize, Vec<Case>)> {
    let root = document.root();
    let playbook = playbook_number(&root, bundle, file);
    let defaults = root.get("defaults").and_then(|node| node.section());
    let nodes = root.require("cases", "at least one `[[cases]]`").and_then(|node| node.list()).unwrap_or_default();
    root.refuse_unknown();
    if nodes.len() > CASES_MAX {
        root.fault(format!("has {} cases, the limit is {CASES_MAX}; put some into another file", nodes.len()));
        return None;
    }
    let number = playbook?;
    let playbook = &bundle.playbooks()[number];
    let reader = CaseReader {
        number,
        events: EventReader { layout: bundle.layout(), playbook },
        expectations: ExpectationReader::new(playbook),
        customer: CustomerId::new("customer").ok()?,
    };
    let defaults = defaults.map(|section| reader.defaults(&section)).unwrap_or_default();
    Some((number, reader.cases(&nodes, &defaults)))
}

fn name<'d>(node: &Node<'d>) -> Option<(&'d str, Place)> {
    let text = node.text()?;
    if text.trim().is_empty() || text.len() > NAME_BYTES_MAX || text.contains('\n') {
        node.fault(format!("expected a line of 1 to {NAME_BYTES_MAX} bytes that says what the case shows"));
        return None;
    }
    Some((text, node.place()))
}

/// The playbook that the file names, or else the one that the file is named after.
fn playbook_number(root: &Section<'_>, bundle: &Bundle, file: &str) -> Option<usize> {
    if let Some(node) = root.get("playbook") {
        let name = node.text()?;
        let number = bundle.playbook_number(name);
        if number.is_none() {
            node.fault(format!("there is no playbook `{name}`{}", bundle.suggest_playbook(name)));
        }
        return number;
    }
    let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
    // Playbooks have no dot in their names, so that `routing.vip.cases.toml` is of `routing`.
    let stem = base.strip_suffix(CASES_ENDING).unwrap_or(base).split('.').next().unwrap_or(base);
    let number = bundle.playbook_number(stem);
    if number.is_none() {
        let hint = bundle.suggest_playbook(stem);
        root.fault(format!(
            "there is no playbook `{stem}`, after which the file is named{hint}; name one by `playbook = \"…\"`"
        ));
    }
    number
}

struct CaseReader<'b> {
    number: usize,
    events: EventReader<'b>,
    expectations: ExpectationReader<'b>,
    customer: CustomerId,
}

impl CaseReader<'_> {
    fn cases<'d>(&self, nodes: &[Node<'d>], defaults: &Defaults<'d>) -> Vec<Case> {
        let mut names: HashMap<&str, Place> = HashMap::with_capacity(nodes.len());
        let mut cases = Vec::with_capacity(nodes.len());
        for node in nodes {
            let Some(section) = node.section() else { continue };
            let name = section.require("name", "what the case shows, in a few words").and_then(|node| name(&node));
            if let Some((name, place)) = &name {
                match names.get(name) {
                    Some(first) => section.fault(format!("the name {name:?} is used on line {} already", first.line)),
                    None => _ = names.insert(name, place.clone()),
                }
            }
            let case = self.case(&section, defaults);
            section.refuse_unknown();
            cases.extend(case.zip(name).map(|(case, (name, _))| Case { name: name.to_owned(), ..case }));
        }
        cases
    }

    fn defaults<'d>(&self, section: &Section<'d>) -> Defaults<'d> {
        let at = section.get("at").and_then(|node| event_reader::time(&node));
        let event = section.get("event").and_then(|node| Parts::read(&node));
        let facts = section.get("facts").and_then(|node| node.section()).map(|section| section.entries());
        let consents = section.get("consents").and_then(|node| node.section()).map(|section| section.entries());
        section.refuse_unknown();
        if let Some(parts) = &event {
            parts.refuse_moment("a default cannot say when; `at` of `[defaults]` can");
        }
        Defaults { at, event, facts: facts.unwrap_or_default(), consents: consents.unwrap_or_default() }
    }

    /// A case; its name is entered by the caller.
    fn case<'d>(&self, section: &Section<'d>, defaults: &Defaults<'d>) -> Option<Case> {
        let given_at = match section.get("at") {
            Some(node) => event_reader::time(&node),
            None => Some(defaults.at.unwrap_or(AT)),
        };
        // With a time that cannot be read the rest is read all the same, for its own faults.
        let at = given_at.unwrap_or(AT);
        let event = self.event(section, defaults, at);
        let earlier = self.earlier(section, defaults, at);
        let expectation = section.require("expect", "a `rule`, an `outcome`, or both");
        let expectation = expectation.and_then(|node| self.expectations.read(&node));
        let event = EventInput { event: event?, run: Run::Playbook(self.number), trace: None };
        let (name, line) = (String::new(), section.place().line);
        Some(Case { name, line, earlier, event, at: given_at?, expectation: expectation? })
    }

    /// What comes before the event: the customer is first heard of and says what they consent to, then things happen
    /// and facts are told, each in its time.
    fn earlier<'d>(&self, section: &Section<'d>, defaults: &Defaults<'d>, at: Timestamp) -> Vec<Earlier> {
        let before = section.get("before").map(|node| self.events.before(&node, at));
        let observed = |(event, times): (TypedEvent, usize)| {
            let arrival = event.time.unwrap_or(at);
            Earlier { arrival, input: Input::Event(EventInput { event, run: Run::Subscribed, trace: None }), times }
        };
        let mut earlier: Vec<Earlier> = before.unwrap_or_default().into_iter().map(observed).collect();
        earlier.sort_by_key(|earlier| earlier.arrival);
        let known_since = section.get("known_since");
        if let Some((node, since)) = known_since.and_then(|node| event_reader::time(&node).map(|since| (node, since))) {
            let first = earlier.first().map_or(at, |earlier| earlier.arrival);
            if since > first {
                node.fault(format!("the customer is heard of earlier than that: at {first}"));
            }
            earlier.insert(0, Earlier { arrival: since, input: self.told(since, None), times: 1 });
        }
        let first = earlier.first().map_or(at, |earlier| earlier.arrival);
        if let Some(consents) = self.consents(section, defaults, first) {
            earlier.insert(0, Earlier { arrival: first, input: Input::Consents(consents), times: 1 });
        }
        // A fact is told when it was observed, but nothing is told of a customer nobody has heard of.
        for fact in self.facts(section, defaults, at) {
            let arrival = fact.observed_at.clamp(first, at.max(first));
            let told = Earlier { arrival, input: self.told(fact.observed_at, Some(fact)), times: 1 };
            let is_before = |known: &Earlier| {
                known.arrival < arrival || (known.arrival == arrival && !matches!(known.input, Input::Event(_)))
            };
            earlier.insert(earlier.partition_point(is_before), told);
        }
        earlier
    }

    fn event<'d>(&self, section: &Section<'d>, defaults: &Defaults<'d>, at: Timestamp) -> Option<TypedEvent> {
        let given = match section.get("event") {
            Some(node) => Some((node.clone(), Parts::read(&node)?)),
            None => None,
        };
        let whole = |message: String| match &given {
            Some((node, _)) => node.fault(message),
            // What a default event lacks is the case's to say.
            None => section.fault(message),
        };
        let parts = match (&given, &defaults.event) {
            (Some((_, parts)), Some(defaults)) => parts.clone().or(defaults, self.events.only_type()),
            (Some((_, parts)), None) => parts.clone(),
            (None, Some(defaults)) => defaults.clone(),
            (None, None) => {
                section.fault("the key `event` is missing: the event that is decided on");
                return None;
            }
        };
        self.events.event(&whole, &parts, at, Role::Decided)
    }

    /// What the customer consents to, from the beginning; `None` if nothing is said.
    fn consents<'d>(&self, section: &Section<'d>, defaults: &Defaults<'d>, first: Timestamp) -> Option<ConsentsInput> {
        let entries = given_or(section.get("consents"), &defaults.consents);
        let consents: Vec<(usize, bool)> =
            entries.iter().filter_map(|(name, node)| self.events.consent(name, node)).collect();
        let (customer, source) = (self.customer.clone(), SOURCE.into());
        (!consents.is_empty()).then_some(ConsentsInput { customer, source, observed_at: first, consents })
    }

    fn facts<'d>(&self, section: &Section<'d>, defaults: &Defaults<'d>, at: Timestamp) -> Vec<Fact> {
        let entries = given_or(section.get("facts"), &defaults.facts);
        entries.iter().filter_map(|(name, node)| self.events.fact(name, node, at)).collect()
    }

    /// A fact as it is told; without one, the customer is heard of and nothing is told.
    fn told(&self, observed_at: Timestamp, fact: Option<Fact>) -> Input {
        let facts = fact.into_iter().map(|fact| (fact.number, Some(fact.value))).collect();
        Input::Facts(FactsInput { customer: self.customer.clone(), source: SOURCE.into(), observed_at, facts })
    }
}

/// The entries that a case gives, and those of the defaults that it does not.
fn given_or<'d>(node: Option<Node<'d>>, defaults: &[(String, Node<'d>)]) -> Vec<(String, Node<'d>)> {
    let mut entries = node.and_then(|node| node.section()).map(|section| section.entries()).unwrap_or_default();
    for (name, node) in defaults {
        if !entries.iter().any(|(given, _)| given == name) {
            entries.push((name.clone(), node.clone()));
        }
    }
    entries
}

/// Events that a playbook decides on, as messages list them.
pub(super) fn listed(playbook: &Playbook, layout: &Layout) -> String {
    let name = |kind: &usize| format!("`{}`", layout.events()[*kind].name);
    playbook.on.iter().map(name).collect::<Vec<_>>().join(", ")
}
