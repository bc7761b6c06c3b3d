//! Reads `playbooks/*.toml` and the tables they name.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::agent_reader::Agents;
use super::agent_use_reader::AgentUseReader;
use super::cap_reader::Outcomes;
use super::context_reader::Context;
use super::model_reader::{ModelReader, Models};
use super::playbook::{AttributeAt, ContextSource, Playbook, SlotSource};
use super::rule_reader::Reader;
use super::schema_reader::{field, is_name};
use super::{
    AgentUse, Limit, OutcomeSchema, SmallModel, Sources, ack_reader, cap_reader, condition_reader, consent_reader,
    flow_reader, limit_reader,
};
use crate::context::{Layout, PlaybookKey, SignalDefinition, SignalKind};
use crate::document::{Document, FaultSink, Node, Section};
use crate::domain::{Field, TimeDelta, Type, suggestion};
use crate::rules::{RankedRules, Rule, RuleSet, Scope, Setting, Slot, TextIndexBuilder};

/// The shortest and longest budget that makes sense: below the first nothing can be decided, above the second no caller
/// waits.
const BUDGET: (TimeDelta, TimeDelta) = (TimeDelta::from_micros(1_000), TimeDelta::MINUTE);

/// The budget of a playbook that does not say: what an interactive caller does not notice.
const BUDGET_DEFAULT: TimeDelta = TimeDelta::from_micros(50_000);

/// Fields that an outcome may have.
const FIELDS_MAX: usize = 64;

/// Reads a playbook; `None` after noting why it cannot be used.
pub(super) fn read(
    document: &Document<'_>,
    context: &Context,
    (sources, models, agents): (&Sources, &Models, &Agents),
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
    let ack = ack_reader::ack(&root);
    let when_disk_full = ack_reader::when_disk_full(&root, ack);
    let outcome = outcome(&root);
    let priority = flow_reader::priority(&root);
    let purpose = consent_reader::purpose(&root, layout);
    let flow = flow_reader::flow(&root, layout, &on, purpose);
    let (mut scope, slot_sources) = scope(layout, &on, purpose, &root);
    context.lists.iter().for_each(|(name, list)| scope.declare_list(name, Arc::clone(list)));
    context.broken.iter().for_each(|path| scope.declare_broken(path));
    let mut texts = TextIndexBuilder::default();
    condition_reader::declare(&root, &mut scope, &mut texts);
    let mut reader = Reader {
        root: &root,
        sources,
        sink,
        scope: &scope,
        outcome: &outcome,
        texts,
        ids: HashMap::new(),
        permits: Vec::new(),
        are_parts: false,
    };
    let permit = reader.permit();
    let mut groups: Vec<RankedRules> = reader.rules().into_iter().collect();
    groups.extend(reader.tables());
    let default = reader.default();
    let values = default.as_ref().map(|default| &*default.values);
    reader.check_permit(&permit, &groups, values);
    let consents = consent_reader::consents(&root, layout, &outcome);
    consent_reader::check_default(&root, &consents, &outcome, values.unwrap_or_default());
    let (mut texts, model_permits) = (reader.texts, reader.permits);
    let caps = cap_reader::read(&root, &Outcomes { fields: &outcome, default: values }, ack);
    let settle_within = cap_reader::settle_within(&root);
    let models = ModelReader {
        sources,
        sink,
        models,
        scope: &scope,
        outcome: &outcome,
        purpose: purpose.map(|number| &*layout.purposes()[number].name),
        permits: &model_permits,
        guardrail: &permit,
    };
    let models = models.models(&root);
    let agents = AgentUseReader {
        sink,
        agents,
        layout,
        on: &on,
        scope: &scope,
        sources: &slot_sources,
        outcome: &outcome,
        playbook: name,
        purpose: purpose.map(|number| &*layout.purposes()[number].name),
        permits: &model_permits,
        guardrail: &permit,
    };
    let agents = agents.agents(&root);
    let ordering = ack_reader::ordering(&root);
    let limits = limit_reader::read(&root, &scope, &outcome, &mut texts);
    root.refuse_unknown();
    if sink.len() > faults_before {
        return None;
    }
    let of_limits = limits.iter().flat_map(Limit::slots).filter(|slot| slot.index() < scope.len());
    let of_agents = agents.iter().flat_map(AgentUse::slots);
    let read = models.iter().flat_map(SmallModel::slots).chain(of_agents).chain(of_limits);
    let (sights, slot_sources) = sights(groups.iter().flat_map(|group| &group.rules), read, slot_sources);
    let rules = RuleSet::new(groups, texts, values.unwrap_or_default())
        .map_err(|e| root.fault(format!("the phrases cannot be indexed: {e}")))
        .ok()?;
    let name = name?;
    Some(Playbook {
        key: PlaybookKey::of(name),
        name: name.into(),
        version: version.unwrap_or(1) as u32,
        description: description.map(Arc::from),
        on,
        budget: budget.unwrap_or(BUDGET_DEFAULT).to_std(),
        ack: ack.unwrap_or_default(),
        when_disk_full,
        outcome: Arc::new(OutcomeSchema::new(outcome)),
        scope,
        sources: slot_sources,
        aging: aging(&sights, layout),
        sights,
        rules,
        default: default?,
        models,
        agents,
        model_permits,
        permit,
        purpose: purpose.map(|number| layout.purposes()[number].clone()),
        consents,
        limits,
        caps,
        settle_within,
        flow,
        ordering,
        priority,
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

/// The names that the playbook's conditions may use. What its purpose may not see is withheld here, once and for all: no
/// decision ever looks at it.
fn scope(layout: &Layout, on: &[usize], purpose: Option<usize>, root: &Section<'_>) -> (Scope, Vec<SlotSource>) {
    let mut scope = Scope::default();
    let mut sources = Vec::new();
    let mut declare = |path: &str, ty: &Type, length_max: usize, source: SlotSource| {
        scope.declare_bounded(path, ty.clone(), length_max);
        sources.push(source);
    };
    let unless_withheld =
        |is_open: bool, source| if is_open { SlotSource::Unused(source) } else { SlotSource::Withheld };
    declare("now", &Type::Time, 0, SlotSource::Now);
    for (field, length_max, places) in attributes(layout, on, purpose, root) {
        let is_seen = places.iter().any(|place| place.number().is_some());
        let source = if is_seen { SlotSource::Attribute(places.into()) } else { SlotSource::Withheld };
        declare(&format!("event.{}", field.name), &field.ty, length_max, source);
    }
    for (number, fact) in layout.facts().iter().enumerate() {
        let source = unless_withheld(fact.tags.is_open_to(purpose), ContextSource::Fact(number));
        declare(&format!("customer.{}", fact.field.name), &fact.field.ty, fact.field.limits.length_max, source);
    }
    for (number, signal) in layout.signals().iter().enumerate() {
        let is_open = signal.tags.is_open_to(purpose) && asks_openly(signal, layout, on, purpose);
        let source = unless_withheld(is_open, ContextSource::Signal(number));
        let length_max = match signal.kind {
            SignalKind::Last(number) => layout.events()[signal.event].attributes[number].limits.length_max,
            SignalKind::LastN { n, .. } => n,
            _ => 0,
        };
        declare(&format!("signal.{}", signal.name), &signal.ty, length_max, source);
    }
    declare("ledger.decisions", &Type::Int, 0, SlotSource::Unused(ContextSource::Decisions));
    declare("ledger.last_decided", &Type::Time, 0, SlotSource::Unused(ContextSource::LastDecided));
    (scope, sources)
}

/// Whether a signal can be asked without looking at what the purpose may not see: one that is kept by an attribute is asked for
/// the group of the event that is decided on, and tells of that event's attribute.
fn asks_openly(signal: &SignalDefinition, layout: &Layout, on: &[usize], purpose: Option<usize>) -> bool {
    let Some(by) = &signal.by else { return true };
    on.iter().all(|kind| match by.asked.get(*kind) {
        Some(Some((attribute, _))) => layout.events()[*kind].tags_of(*attribute).is_open_to(purpose),
        _ => true,
    })
}

/// The attributes of the events that the playbook decides on: the longest value, and where each is in each type.
fn attributes<'l>(
    layout: &'l Layout,
    on: &[usize],
    purpose: Option<usize>,
    root: &Section<'_>,
) -> Vec<(&'l Field, usize, Vec<AttributeAt>)> {
    let mut attributes: Vec<(&Field, usize, Vec<AttributeAt>)> = Vec::new();
    for (position, kind) in on.iter().enumerate() {
        let event = &layout.events()[*kind];
        for (number, field) in event.attributes.iter().enumerate() {
            let is_open = event.tags_of(number).is_open_to(purpose);
            let place = if is_open { AttributeAt::Number(number) } else { AttributeAt::Withheld };
            match attributes.iter_mut().find(|(known, ..)| known.name == field.name) {
                Some((known, ..)) if known.ty != field.ty => root.fault(format!(
                    "`event.{}` is {} in one of the events of `on` and {} in another",
                    field.name,
                    known.ty.name(),
                    field.ty.name()
                )),
                Some((_, length_max, places)) => {
                    *length_max = field.limits.length_max.max(*length_max);
                    places[position] = place;
                }
                None => {
                    let mut places = vec![AttributeAt::Absent; on.len()];
                    places[position] = place;
                    attributes.push((field, field.limits.length_max, places));
                }
            }
        }
    }
    attributes
}

/// The sights that have a soft limit of freshness, so that decisions without such look for none.
fn aging(sights: &[ContextSource], layout: &Layout) -> Vec<(u16, usize)> {
    let fact = |(sight, source): (u16, &ContextSource)| match source {
        ContextSource::Fact(number) if layout.facts()[*number].fresh.soft.is_some() => Some((sight, *number)),
        _ => None,
    };
    (0..).zip(sights).filter_map(fact).collect()
}

/// Numbers the context's values that rules, models, agents and limits use.
fn sights<'a>(
    rules: impl Iterator<Item = &'a Rule>,
    read: impl Iterator<Item = Slot>,
    mut sources: Vec<SlotSource>,
) -> (Vec<ContextSource>, Vec<SlotSource>) {
    let computed = |setting: &Option<Setting>| match setting {
        Some(Setting::Computed(computation)) => computation.slots().to_vec(),
        _ => Vec::new(),
    };
    let used: BTreeSet<Slot> = rules
        .flat_map(|rule| {
            let in_then = rule.then.settings().iter().flat_map(computed);
            rule.condition.slots().iter().copied().chain(in_then)
        })
        .chain(read)
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
