//! Reads `playbooks/*.toml` and the tables they name.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::context_reader::Context;
use super::playbook::{Ack, ContextSource, DefaultOutcome, Playbook, SlotSource};
use super::schema_reader::{field, is_name};
use super::{OutcomeSchema, Permit, Permitted, Sources};
use crate::context::{Layout, PlaybookKey};
use crate::document::{Document, FaultSink, Node, Place, Section};
use crate::domain::{Field, TimeDelta, Type, Value, suggestion};
use crate::rules::{
    Computation, Condition, ExprFault, IfUnavailable, Origin, Rule, RuleSet, Scope, Setting, Slot, Table,
    TextIndexBuilder, Then, read_table,
};

/// The shortest and longest budget that makes sense: below the first nothing can be decided, above the second no caller
/// waits.
const BUDGET: (TimeDelta, TimeDelta) = (TimeDelta::from_micros(1_000), TimeDelta::MINUTE);

/// The budget of a playbook that does not say: what an interactive caller does not notice.
const BUDGET_DEFAULT: TimeDelta = TimeDelta::from_micros(50_000);

/// Rules that a playbook may have, tables included.
const RULES_MAX: usize = 1_000_000;

/// Fields that an outcome may have.
const FIELDS_MAX: usize = 64;

/// Reads a playbook; `None` after noting why it cannot be used.
pub(super) fn read(
    document: &Document<'_>,
    context: &Context,
    sources: &Sources,
    sink: &FaultSink,
) -> Option<Playbook> {
    let layout = &context.layout;
    let root = document.root();
    let faults_before = sink.len();
    let name = root.require("playbook", "the playbook's name, as callers use it").and_then(|node| playbook_name(&node));
    let version = root.get("version").and_then(|node| node.int(1, i64::from(u32::MAX)));
    let description = root.get("description").and_then(|node| node.text());
    let on = on(&root, layout);
    let budget = root.get("budget").and_then(|node| node.duration(BUDGET.0, BUDGET.1));
    let ack = root.get("ack").and_then(|node| ack(&node));
    let outcome = outcome(&root);
    let (mut scope, slot_sources) = scope(layout, &on, &root);
    context.broken.iter().for_each(|path| scope.declare_broken(path));
    let mut reader = Reader {
        root: &root,
        sources,
        sink,
        scope: &scope,
        outcome: &outcome,
        texts: TextIndexBuilder::default(),
        ids: HashMap::new(),
    };
    let permit = reader.permit();
    let mut rules = reader.rules();
    rules.extend(reader.tables());
    let default = reader.default();
    reader.check_permit(&permit, &rules, default.as_ref());
    let texts = reader.texts;
    root.refuse_unknown();
    if sink.len() > faults_before {
        return None;
    }
    let (sights, slot_sources) = sights(&rules, slot_sources);
    let rules =
        RuleSet::new(rules, texts).map_err(|e| root.fault(format!("the phrases cannot be indexed: {e}"))).ok()?;
    let name = name?;
    Some(Playbook {
        key: PlaybookKey::of(name),
        name: name.into(),
        version: version.unwrap_or(1) as u32,
        description: description.map(Arc::from),
        on,
        budget: budget.unwrap_or(BUDGET_DEFAULT).to_std(),
        ack: ack.unwrap_or_default(),
        outcome: Arc::new(OutcomeSchema::new(outcome)),
        scope,
        sources: slot_sources,
        sights,
        rules,
        default: DefaultOutcome { values: default?.into() },
        permit,
    })
}

fn playbook_name<'d>(node: &Node<'d>) -> Option<&'d str> {
    let name = node.text()?;
    if is_name(name) && name.len() <= 64 {
        return Some(name);
    }
    node.fault("a playbook's name has 1 to 64 letters, digits and `_`, and begins with a letter");
    None
}

fn on(root: &Section<'_>, layout: &Layout) -> Vec<usize> {
    let Some(nodes) =
        root.require("on", "the events it decides on, such as [\"ticket.created\"]").and_then(|n| n.list())
    else {
        return Vec::new();
    };
    let mut numbers = Vec::new();
    for node in &nodes {
        let Some(name) = node.text() else { continue };
        match layout.event_number(name) {
            Some(number) if numbers.contains(&number) => node.fault("the event stands twice"),
            Some(number) => numbers.push(number),
            None => {
                let hint = suggestion(name, layout.events().iter().map(|event| &*event.name));
                node.fault(format!("no event `{name}` is declared in context.toml{hint}"));
            }
        }
    }
    if nodes.is_empty() {
        root.fault("`on` names no event: nothing would ever be decided");
    }
    numbers
}

fn ack(node: &Node<'_>) -> Option<Ack> {
    match node.text()? {
        "disk" => Some(Ack::Disk),
        "memory" => Some(Ack::Memory),
        other => {
            let hint = suggestion(other, ["disk", "memory"]);
            node.fault(format!("expected `disk` or `memory`, found `{other}`{hint}"));
            None
        }
    }
}

fn outcome(root: &Section<'_>) -> Vec<Field> {
    let section = root.require("outcome", "the fields that are decided").and_then(|node| node.section());
    let Some(section) = section else { return Vec::new() };
    let entries = section.entries();
    if entries.is_empty() || entries.len() > FIELDS_MAX {
        section.fault(format!("has {} fields; an outcome has 1 to {FIELDS_MAX}", entries.len()));
    }
    let fields: Vec<Field> = entries.iter().filter_map(|(name, node)| field(name, node)).collect();
    for (field, (_, node)) in fields.iter().zip(&entries) {
        if !field.required || field.default.is_some() {
            node.fault("a field of an outcome always has a value: `optional` and `default` belong to `[default]`");
        }
    }
    fields
}

/// The names that the playbook's conditions may use.
fn scope(layout: &Layout, on: &[usize], root: &Section<'_>) -> (Scope, Vec<SlotSource>) {
    let mut scope = Scope::default();
    let mut sources = Vec::new();
    let mut declare = |path: &str, ty: &Type, source: SlotSource| {
        scope.declare(path, ty.clone());
        sources.push(source);
    };
    declare("now", &Type::Time, SlotSource::Now);
    let mut attributes: Vec<(&str, &Type, Vec<Option<usize>>)> = Vec::new();
    for (position, kind) in on.iter().enumerate() {
        for (number, field) in layout.events()[*kind].attributes.iter().enumerate() {
            match attributes.iter_mut().find(|(name, ..)| *name == &*field.name) {
                Some((_, ty, _)) if **ty != field.ty => root.fault(format!(
                    "`event.{}` is {} in one of the events of `on` and {} in another",
                    field.name,
                    ty.name(),
                    field.ty.name()
                )),
                Some((_, _, numbers)) => numbers[position] = Some(number),
                None => {
                    let mut numbers = vec![None; on.len()];
                    numbers[position] = Some(number);
                    attributes.push((&field.name, &field.ty, numbers));
                }
            }
        }
    }
    for (name, ty, numbers) in attributes {
        declare(&format!("event.{name}"), ty, SlotSource::Attribute(numbers.into()));
    }
    for (number, fact) in layout.facts().iter().enumerate() {
        let source = SlotSource::Unused(ContextSource::Fact(number));
        declare(&format!("customer.{}", fact.field.name), &fact.field.ty, source);
    }
    for (number, signal) in layout.signals().iter().enumerate() {
        let source = SlotSource::Unused(ContextSource::Signal(number));
        declare(&format!("signal.{}", signal.name), &signal.ty, source);
    }
    declare("ledger.decisions", &Type::Int, SlotSource::Unused(ContextSource::Decisions));
    declare("ledger.last_decided", &Type::Time, SlotSource::Unused(ContextSource::LastDecided));
    (scope, sources)
}

/// Numbers the context's values that rules use.
fn sights(rules: &[Rule], mut sources: Vec<SlotSource>) -> (Vec<ContextSource>, Vec<SlotSource>) {
    let computed = |setting: &Option<Setting>| match setting {
        Some(Setting::Computed(computation)) => computation.slots().to_vec(),
        _ => Vec::new(),
    };
    let used: BTreeSet<Slot> = rules
        .iter()
        .flat_map(|rule| {
            let in_then = rule.then.settings().iter().flat_map(computed);
            rule.condition.slots().iter().copied().chain(in_then)
        })
        .collect();
    let mut sights = Vec::new();
    for slot in used {
        if let SlotSource::Unused(source) = sources[slot.index()] {
            sources[slot.index()] = SlotSource::Sight(sights.len());
            sights.push(source);
        }
    }
    (sights, sources)
}

struct Reader<'a> {
    root: &'a Section<'a>,
    sources: &'a Sources,
    sink: &'a FaultSink,
    scope: &'a Scope,
    outcome: &'a [Field],
    texts: TextIndexBuilder,
    /// Where each rule id was used first.
    ids: HashMap<String, Place>,
}

impl Reader<'_> {
    fn rules(&mut self) -> Vec<Rule> {
        let Some(nodes) = self.root.get("rules").and_then(|node| node.list()) else { return Vec::new() };
        if nodes.len() > RULES_MAX {
            self.root.fault(format!("has {} rules, the limit is {RULES_MAX}", nodes.len()));
            return Vec::new();
        }
        let mut rules: Vec<(i64, Rule)> = nodes.iter().filter_map(|node| self.rule(node)).collect();
        rules.sort_by_key(|(priority, _)| Reverse(*priority));
        rules.into_iter().map(|(_, rule)| rule).collect()
    }

    fn rule(&mut self, node: &Node<'_>) -> Option<(i64, Rule)> {
        let section = node.section()?;
        let id = section.require("id", "a name unique within the playbook").and_then(|node| rule_id(&node));
        let description = section.get("description").and_then(|node| node.text());
        let priority = section.get("priority").and_then(|node| node.int(i64::MIN, i64::MAX)).unwrap_or(0);
        let when = section.require("when", "the condition, in CEL");
        let condition = when.and_then(|node| self.condition(&node));
        let then = section.require("then", "what the rule says of the outcome").and_then(|node| self.then(&node));
        let is_final = section.get("final").and_then(|node| node.bool()).unwrap_or(false);
        let if_unavailable = section.get("if_unavailable").and_then(|node| if_unavailable(&node));
        section.refuse_unknown();
        let place = node.place();
        if let Some(id) = id {
            self.enter_id(id, place.clone());
        }
        let rule = Rule {
            id: id?.into(),
            origin: Origin { file: place.file, line: place.line },
            description: description.map(Arc::from),
            condition: condition?,
            then: Then::new(then?),
            if_unavailable: if_unavailable.unwrap_or_default(),
            is_final,
        };
        Some((priority, rule))
    }

    fn condition(&mut self, node: &Node<'_>) -> Option<Condition> {
        let compiled = Condition::compile(node.text()?, self.scope, &mut self.texts);
        compiled.map_err(|faults| note(node, faults)).ok()
    }

    fn then(&mut self, node: &Node<'_>) -> Option<Vec<Option<Setting>>> {
        let section = node.section()?;
        let mut settings = vec![None; self.outcome.len()];
        let mut is_sound = true;
        let entries = section.entries();
        if entries.is_empty() {
            node.fault("says nothing of the outcome");
            return None;
        }
        for (name, node) in entries {
            let number = self.outcome.iter().position(|field| *field.name == *name);
            let setting = match number {
                Some(number) => self.setting(number, &node).map(|setting| (number, setting)),
                None => {
                    let hint = suggestion(&name, self.outcome.iter().map(|field| &*field.name));
                    node.fault(format!("the outcome has no field `{name}`{hint}"));
                    None
                }
            };
            match setting {
                Some((number, setting)) => settings[number] = Some(setting),
                None => is_sound = false,
            }
        }
        is_sound.then_some(settings)
    }

    /// A literal, or `{ cel = "…" }`.
    fn setting(&mut self, number: usize, node: &Node<'_>) -> Option<Setting> {
        let field = &self.outcome[number];
        if !node.is_section() {
            return literal(field, node).map(Setting::Literal);
        }
        let section = node.section()?;
        let cel = section.require("cel", "an expression that gives the value")?;
        section.refuse_unknown();
        let computed = Computation::compile(cel.text()?, &field.ty, self.scope, &mut self.texts);
        computed.map(Setting::Computed).map_err(|faults| note(&cel, faults)).ok()
    }

    fn tables(&mut self) -> Vec<Rule> {
        let Some(nodes) = self.root.get("tables").and_then(|node| node.list()) else { return Vec::new() };
        nodes.iter().filter_map(|node| self.table(node)).flatten().collect()
    }

    fn table(&mut self, node: &Node<'_>) -> Option<Vec<Rule>> {
        let section = node.section()?;
        let file = section.require("file", "a CSV file such as \"tables/routing.csv\"");
        let hit_policy = section.get("hit_policy");
        let is_final = section.get("final").and_then(|node| node.bool()).unwrap_or(false);
        section.refuse_unknown();
        if let Some(node) = hit_policy
            && node.text()? != "first"
        {
            node.fault("this release knows the hit policy `first` only");
        }
        let file = file?;
        let path = file.text()?;
        let Some(text) = self.sources.get(path) else {
            let tables: Vec<&str> =
                self.sources.iter().map(|(path, _)| path).filter(|path| path.ends_with(".csv")).collect();
            let hint = suggestion(path, tables.iter().copied());
            file.fault(format!(
                "there is no such file in the configuration folder{hint}; tables found: {}",
                tables.join(", ")
            ));
            return None;
        };
        let table = Table { file: path, text, scope: self.scope, outcome: self.outcome, is_final };
        match read_table(&table, &mut self.texts) {
            Ok(rules) => {
                for rule in &rules {
                    self.enter_id(&rule.id, Place::line(&rule.origin.file, rule.origin.line));
                }
                Some(rules)
            }
            Err(faults) => {
                for fault in faults {
                    let value = fault.value.map_or_else(String::new, |value| format!(", in `{value}`"));
                    let key = fault.column.unwrap_or_default();
                    self.sink.add(Place::line(path, fault.line), &key, format!("{}{value}", fault.message));
                }
                None
            }
        }
    }

    /// The default's values, one for every field.
    fn default(&mut self) -> Option<Vec<Value>> {
        let node =
            self.root.require("default", "what holds where no rule says otherwise: `[default]` with `then = { … }`")?;
        let section = node.section()?;
        let then = section.require("then", "a value for every field of the outcome");
        section.refuse_unknown();
        let then = then?;
        let settings = self.then(&then)?;
        let missing: Vec<String> = self
            .outcome
            .iter()
            .zip(&settings)
            .filter(|(_, setting)| setting.is_none())
            .map(|(field, _)| format!("`{}`", field.name))
            .collect();
        if !missing.is_empty() {
            then.fault(format!("the default gives every field a value; missing: {}", missing.join(", ")));
        }
        let literal = |setting: Option<Setting>| match setting {
            Some(Setting::Literal(value)) => Some(value),
            Some(Setting::Computed(_)) => {
                then.fault("the default must hold whatever is unavailable: give literal values");
                None
            }
            None => None,
        };
        settings.into_iter().map(literal).collect()
    }

    fn permit(&mut self) -> Permit {
        let Some(section) = self.root.get("guardrail").and_then(|node| node.section()) else {
            return Permit::everything();
        };
        let permit = section.get("permit").and_then(|node| node.section());
        section.refuse_unknown();
        let mut fields = vec![None; self.outcome.len()];
        for (name, node) in permit.iter().flat_map(Section::entries) {
            match self.outcome.iter().position(|field| *field.name == *name) {
                Some(number) => fields[number] = permitted(&self.outcome[number], &node),
                None => {
                    let hint = suggestion(&name, self.outcome.iter().map(|field| &*field.name));
                    node.fault(format!("the outcome has no field `{name}`{hint}"));
                }
            }
        }
        Permit { fields }
    }

    /// Rules' ids are unique within a playbook, tables included.
    fn enter_id(&mut self, id: &str, place: Place) {
        match self.ids.get(id) {
            Some(first) => self.sink.add(place, "id", format!("the rule id `{id}` is already used at {first}")),
            None => drop(self.ids.insert(id.to_owned(), place)),
        }
    }

    /// What is written down must be permitted; what is computed is checked when it is.
    fn check_permit(&self, permit: &Permit, rules: &[Rule], default: Option<&Vec<Value>>) {
        let check = |place: Place, key: &str, number: usize, value: &Value| {
            let field = &self.outcome[number];
            if let Some(limit) = permit.violation(number, field, value) {
                let shown = field.ty.show(value);
                self.sink.add(
                    place,
                    key,
                    format!("{} = {shown} is not permitted by `[guardrail]`: {limit}", field.name),
                );
            }
        };
        for rule in rules {
            for (number, setting) in rule.then.settings().iter().enumerate() {
                if let Some(Setting::Literal(value)) = setting {
                    check(Place::line(&rule.origin.file, rule.origin.line), &rule.id, number, value);
                }
            }
        }
        for (number, value) in default.into_iter().flatten().enumerate() {
            check(self.root.place(), "default", number, value);
        }
    }
}

fn rule_id<'d>(node: &Node<'d>) -> Option<&'d str> {
    let id = node.text()?;
    if (1..=128).contains(&id.len()) && !id.chars().any(char::is_control) {
        return Some(id);
    }
    node.fault("a rule's id has 1 to 128 bytes");
    None
}

fn if_unavailable(node: &Node<'_>) -> Option<IfUnavailable> {
    match node.text()? {
        "skip" => Some(IfUnavailable::Skip),
        "apply" => Some(IfUnavailable::Apply),
        _ => {
            node.fault("expected `skip` (the rule does not match) or `apply` (it does: for restrictive rules)");
            None
        }
    }
}

fn literal(field: &Field, node: &Node<'_>) -> Option<Value> {
    match field.accept(node.raw()?) {
        Ok(value) => value,
        Err(fault) => {
            node.fault(fault.to_string());
            None
        }
    }
}

/// A list of values, or `{ min = …, max = … }`.
fn permitted(field: &Field, node: &Node<'_>) -> Option<Permitted> {
    if !node.is_section() {
        let item = match &field.ty {
            Type::List(of) => Field::new(&field.name, (**of).clone()),
            _ => field.clone(),
        };
        return node.list()?.iter().map(|node| literal(&item, node)).collect::<Option<_>>().map(Permitted::OneOf);
    }
    let section = node.section()?;
    let (min, max) = (section.get("min"), section.get("max"));
    section.refuse_unknown();
    let ordinal = |node: Option<Node<'_>>, otherwise: i64| match node {
        Some(node) => {
            let ordinal = literal(field, &node)?.ordinal();
            if ordinal.is_none() {
                node.fault(format!("values of type {} have no order; give a list of values", field.ty.name()));
            }
            ordinal
        }
        None => Some(otherwise),
    };
    Some(Permitted::Between(ordinal(min, i64::MIN)?, ordinal(max, i64::MAX)?))
}

fn note(node: &Node<'_>, faults: Vec<ExprFault>) {
    for fault in faults {
        node.fault_within(fault.offset, fault.message);
    }
}
