//! Reads `[[agents]]` of a playbook: which large models are asked after the small ones, what each sets, and within which choices.

use std::sync::Arc;

use super::agent::{Agent, AgentInput, AgentKind, AgentUse, Choices};
use super::agent_reader::{self, Agents, TYPES};
use super::playbook::SlotSource;
use super::{ModelName, ModelPermit, Permit, Permitted};
use crate::agents::{Answer, AnswerField, AnswerFormat, Budget, Input, InputKind, Prompt, Shot, Wording, spoken};
use crate::context::Layout;
use crate::document::{FaultSink, Node, Section};
use crate::domain::{Field, Raw, Type, Value, suggestion};
use crate::rules::{Scope, Slot};

/// Agents that a playbook may ask.
const AGENTS_MAX: usize = 4;

/// Numbers that are listed one by one where a permit leaves so few.
const LISTED_MAX: u64 = 64;

/// What a playbook's agents are read against.
pub(super) struct AgentUseReader<'a> {
    pub(super) sink: &'a FaultSink,
    /// The bundle's agents, by name.
    pub(super) agents: &'a Agents,
    pub(super) layout: &'a Layout,
    /// Numbers of the event types that the playbook decides on.
    pub(super) on: &'a [usize],
    pub(super) scope: &'a Scope,
    /// Where each name's value comes from.
    pub(super) sources: &'a [SlotSource],
    pub(super) outcome: &'a [Field],
    /// The playbook's name.
    pub(super) playbook: Option<&'a str>,
    /// The name of the playbook's purpose.
    pub(super) purpose: Option<&'a str>,
    pub(super) permits: &'a [ModelPermit],
    pub(super) guardrail: &'a Permit,
}

impl AgentUseReader<'_> {
    /// The agents in the order in which they are asked; those that cannot be used are left out after noting why.
    pub(super) fn agents(&self, root: &Section<'_>) -> Vec<AgentUse> {
        let daily = root.get("daily_budget");
        let per_day = daily.as_ref().and_then(agent_reader::money);
        let budget = per_day.zip(self.playbook);
        let budget = budget.map(|(per_day, name)| Budget { name: format!("playbook:{name}").into(), per_day });
        let Some(node) = root.get("agents") else {
            if let Some(node) = daily {
                node.fault("is spent by agents, and the playbook has none: `[[agents]]`");
            }
            return Vec::new();
        };
        let nodes = node.list().unwrap_or_default();
        if nodes.len() > AGENTS_MAX {
            node.fault(format!("names {} agents, the limit is {AGENTS_MAX}", nodes.len()));
            return Vec::new();
        }
        nodes.iter().filter_map(|node| self.agent(&node.section()?, budget.as_ref())).collect()
    }

    fn agent(&self, section: &Section<'_>, budget: Option<&Budget>) -> Option<AgentUse> {
        let node = section.require("use", "an agent, such as \"ticket_router@1\"")?;
        let agent = self.used(&node);
        let sets = section.require("sets", "the fields of the outcome that it chooses, such as [\"queue\"]");
        let sets = sets.and_then(|node| self.sets(&node));
        let to = section.get("to");
        section.refuse_unknown();
        let agent = agent?;
        let reads = self.reads(&node, &agent);
        let sets = sets?;
        let to = self.handed_to(section, to.as_ref(), agent.kind, &sets)?;
        let choices: Box<[Option<Choices>]> =
            self.permits.iter().map(|permit| self.choices(permit, &sets, to.as_deref())).collect();
        if choices.iter().all(Option::is_none) {
            self.fault_unopened(section, &sets);
            return None;
        }
        let reads = reads?;
        let prompt = self.prompt(&node, &agent, &reads, &format(&agent, self.outcome, &sets, &choices))?;
        Some(AgentUse {
            name: Arc::clone(&agent.name),
            reads: reads.iter().map(|slot| Some(*slot).filter(|slot| !self.is_withheld(*slot))).collect(),
            sets,
            choices,
            budgets: budget.cloned().into_iter().chain(agent.budget.clone()).collect(),
            prompt,
            agent,
        })
    }

    fn used(&self, node: &Node<'_>) -> Option<Arc<Agent>> {
        let text = node.text()?;
        let named = ModelName::parse(text).and_then(|name| self.agents.get(&name));
        let Some(agent) = named else {
            let mut names: Vec<String> = self.agents.keys().map(ToString::to_string).collect();
            names.sort();
            let hint = suggestion(text, names.iter().map(String::as_str));
            let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            node.fault(format!("there is no agent `{text}`{hint}; agents found in `agents/`: {found}"));
            return None;
        };
        // What is wrong with it has been noted in its own file.
        let agent = agent.as_ref()?;
        if let Some(purpose) = self.purpose.filter(|purpose| !agent.serves(purpose)) {
            node.fault(format!("the agent's `consent_scope` does not name `{purpose}`, the purpose of this playbook"));
        }
        Some(Arc::clone(agent))
    }

    fn sets(&self, node: &Node<'_>) -> Option<Box<[usize]>> {
        let nodes = node.list()?;
        let mut sets = Vec::new();
        for node in &nodes {
            let name = node.text()?;
            match self.outcome.iter().position(|field| *field.name == *name) {
                Some(number) if sets.contains(&number) => node.fault("the field stands twice"),
                Some(number) => sets.push(number),
                None => {
                    let hint = suggestion(name, self.outcome.iter().map(|field| &*field.name));
                    node.fault(format!("the outcome has no field `{name}`{hint}"));
                    return None;
                }
            }
        }
        if sets.is_empty() {
            node.fault("sets nothing: name a field of the outcome, such as [\"queue\"]");
            return None;
        }
        Some(sets.into())
    }

    // === inputs ===

    /// Where the inputs come from, in their order.
    fn reads(&self, node: &Node<'_>, agent: &Agent) -> Option<Vec<Slot>> {
        let slots: Vec<Option<Slot>> = agent.inputs.iter().map(|input| self.slot(node, agent, input)).collect();
        slots.into_iter().collect()
    }

    fn slot(&self, node: &Node<'_>, agent: &Agent, input: &AgentInput) -> Option<Slot> {
        let Some(slot) = self.scope.slot(&input.from) else {
            let hint = suggestion(&input.from, self.scope.slots().map(|slot| &*self.scope.declared(slot).path));
            node.fault(format!(
                "the agent's input `{}` comes from `{}`, which this playbook does not know{hint}",
                input.name, input.from
            ));
            return None;
        };
        let ty = &self.scope.declared(slot).ty;
        let fault = |message: String| {
            node.fault(format!("the agent's input `{}`: `{}` is {}, {message}", input.name, input.from, ty.name()));
            None
        };
        if let Some(wanted) = input.ty.as_deref().filter(|wanted| *wanted != word(ty)) {
            return fault(format!("the agent reads `{wanted}`"));
        }
        if input.is_untrusted.is_some() && !has_text(ty) {
            return fault("and `untrusted` says who has written a text".into());
        }
        if agent.is_shared && !self.is_everyones(&input.from) {
            return fault(
                "and may be seen for some purposes only, so answers must not be shared with `everyone`".into(),
            );
        }
        Some(slot)
    }

    fn is_withheld(&self, slot: Slot) -> bool {
        matches!(self.sources.get(slot.index()), Some(SlotSource::Withheld))
    }

    /// Whether an attribute is open to every purpose, in every event that has it.
    fn is_everyones(&self, path: &str) -> bool {
        let Some(name) = path.strip_prefix("event.") else { return false };
        self.on.iter().all(|kind| {
            let event = &self.layout.events()[*kind];
            let number = event.attributes.iter().position(|field| *field.name == *name);
            number.is_none_or(|number| event.tags_of(number).is_open_to(None))
        })
    }

    // === choices ===

    /// What an escalation may hand over to, for each field that it sets; nothing for other kinds, and `None` after noting a fault.
    fn handed_to(
        &self,
        section: &Section<'_>,
        to: Option<&Node<'_>>,
        kind: AgentKind,
        sets: &[usize],
    ) -> Option<Option<Vec<Vec<Value>>>> {
        let node = match (kind, to) {
            (AgentKind::Escalation, Some(node)) => node,
            (AgentKind::Escalation, None) => {
                section.fault(
                    "an escalation says where it may hand over to, such as `to = { queue = [\"incident\", \"general\"] }`",
                );
                return None;
            }
            (_, Some(node)) => {
                node.fault(format!("belongs to agents of kind `escalation`; this one is `{}`", kind.as_str()));
                return None;
            }
            (_, None) => return Some(None),
        };
        let entries = node.section()?.entries();
        let is_set = |name: &str| sets.iter().any(|number| *self.outcome[*number].name == *name);
        if let Some((name, node)) = entries.iter().find(|(name, _)| !is_set(name)) {
            let hint = suggestion(name, sets.iter().map(|number| &*self.outcome[*number].name));
            node.fault(format!("the agent does not set `{name}`{hint}"));
            return None;
        }
        let values = |number: &usize| {
            let field = &self.outcome[*number];
            let Some((_, node)) = entries.iter().find(|(name, _)| *field.name == **name) else {
                node.fault(format!("does not say what `{}` may become", field.name));
                return None;
            };
            let values: Vec<Option<Value>> = node.list()?.iter().map(|node| value(node, field)).collect();
            values.into_iter().collect::<Option<Vec<Value>>>()
        };
        let values: Vec<Option<Vec<Value>>> = sets.iter().map(values).collect();
        values.into_iter().collect::<Option<Vec<_>>>().map(Some)
    }

    /// What may be chosen under a permit; `None` if it does not open every field, or leaves nothing of one.
    fn choices(&self, permit: &ModelPermit, sets: &[usize], to: Option<&[Vec<Value>]>) -> Option<Choices> {
        let of = |(at, number): (usize, &usize)| {
            if !permit.is_open(*number) {
                return None;
            }
            let field = &self.outcome[*number];
            let candidates = match to {
                Some(to) => Some(to[at].clone()),
                None => self.candidates(permit, *number, field),
            };
            let allowed = |value: &Value| permit.allows(*number, field, value, self.guardrail);
            match candidates {
                Some(candidates) => {
                    let left: Box<[Value]> = candidates.into_iter().filter(allowed).collect();
                    (!left.is_empty()).then_some(Some(left))
                }
                None => Some(None),
            }
        };
        sets.iter().enumerate().map(of).collect()
    }

    /// All that a permit could leave of a field, where that can be listed; of a list, what its items could be.
    fn candidates(&self, permit: &ModelPermit, number: usize, field: &Field) -> Option<Vec<Value>> {
        let narrowed = [permit.narrowed(number), self.guardrail.fields.get(number).and_then(Option::as_ref)];
        let listed = narrowed.iter().flatten().find_map(|permitted| match permitted {
            Permitted::OneOf(values) => Some(values.clone()),
            Permitted::Between(..) => None,
        });
        if listed.is_some() {
            return listed;
        }
        let ends = narrowed.iter().flatten().fold((field.limits.min, field.limits.max), |(min, max), permitted| {
            if let Permitted::Between(from, to) = permitted { (min.max(*from), max.min(*to)) } else { (min, max) }
        });
        match field.ty.item() {
            Type::OneOf(of) => Some((0..).take(of.names().len()).map(Value::Symbol).collect()),
            Type::Bool => Some(vec![Value::Bool(false), Value::Bool(true)]),
            Type::Int if field.ty == Type::Int && ends.0 <= ends.1 && ends.1.abs_diff(ends.0) < LISTED_MAX => {
                Some((ends.0..=ends.1).map(Value::Int).collect())
            }
            _ => None,
        }
    }

    fn fault_unopened(&self, section: &Section<'_>, sets: &[usize]) {
        let names: Vec<String> = sets.iter().map(|number| format!("`{}`", self.outcome[*number].name)).collect();
        section.fault(format!(
            "no rule lets it choose {}, or none leaves it a choice, so it would never be asked: give `[default]`, a rule or a table a \
             `permit`, such as `permit = {{ {} = \"any\" }}`",
            names.join(" and "),
            self.outcome[sets[0]].name
        ));
    }

    // === prompt ===

    fn prompt(&self, node: &Node<'_>, agent: &Agent, reads: &[Slot], format: &AnswerFormat) -> Option<Prompt> {
        let input = |(input, slot): (&AgentInput, &Slot)| Input {
            name: input.name.clone(),
            label: input.label.clone(),
            kind: kind(input, &self.scope.declared(*slot).ty),
        };
        let wording = Wording {
            instructions: agent.instructions.clone(),
            inputs: agent.inputs.iter().zip(reads).map(input).collect(),
            template: agent.template.clone(),
            context_tokens: agent.context_tokens,
        };
        let shots: Vec<Option<Shot>> =
            (0..agent.examples.len()).map(|nth| self.shot(agent, nth, reads, format)).collect();
        let shots: Vec<Shot> = shots.into_iter().collect::<Option<_>>()?;
        Prompt::new(Arc::new(wording), format, &shots).map_err(|fault| node.fault(fault.to_string())).ok()
    }

    /// An example, as this playbook types its inputs and its answer.
    fn shot(&self, agent: &Agent, nth: usize, reads: &[Slot], format: &AnswerFormat) -> Option<Shot> {
        let example = &agent.examples[nth];
        let fault = |message: String| {
            let playbook = self.playbook.unwrap_or_default();
            self.sink.add(example.place.clone(), &example.key, format!("{message} (as playbook `{playbook}` uses it)"));
        };
        let typed = |(raw, (input, slot)): (&Option<Raw>, (&AgentInput, &Slot))| {
            let Some(raw) = raw else { return Some(None) };
            let ty = &self.scope.declared(*slot).ty;
            match ty.accept(raw.clone()) {
                Ok(value) => Some(Some(spoken(ty, &value).into_owned())),
                Err(mismatch) => {
                    fault(format!("the input `{}`: {mismatch}", input.name));
                    None
                }
            }
        };
        let given: Vec<Option<Option<String>>> =
            example.given.iter().zip(agent.inputs.iter().zip(reads)).map(typed).collect();
        let given: Vec<Option<String>> = given.into_iter().collect::<Option<_>>()?;
        match answer_of(&example.answer, format) {
            Ok(answer) => Some(Shot { given, answer }),
            Err(message) => {
                fault(message);
                None
            }
        }
    }
}

/// The form of an answer with every choice that any permit leaves.
fn format(agent: &Agent, outcome: &[Field], sets: &[usize], choices: &[Option<Choices>]) -> AnswerFormat {
    let field = |(at, number): (usize, &usize)| {
        let mut all: Option<Vec<Value>> = Some(Vec::new());
        for choices in choices.iter().flatten() {
            match (&mut all, &choices[at]) {
                (Some(all), Some(choices)) => {
                    let new: Vec<Value> = choices.iter().filter(|choice| !all.contains(choice)).cloned().collect();
                    all.extend(new);
                }
                _ => all = None,
            }
        }
        AnswerField { field: outcome[*number].clone(), choices: all.map(Into::into) }
    };
    AnswerFormat::new(sets.iter().enumerate().map(field).collect(), agent.reason_bytes_max)
}

/// The answer of an example, as a model would be held to it.
fn answer_of(said: &[(Box<str>, Raw)], format: &AnswerFormat) -> Result<Answer, String> {
    let find = |name: &str| said.iter().find(|(known, _)| **known == *name).map(|(_, raw)| raw.clone());
    let is_asked = |name: &str| {
        name == "reason" && format.reason().is_some() || format.fields().iter().any(|known| *known.field.name == *name)
    };
    if let Some((name, _)) = said.iter().find(|(name, _)| !is_asked(name)) {
        return Err(format!("`{name}` is not asked for"));
    }
    let value = |known: &AnswerField| {
        let field = &known.field;
        let raw = find(&field.name).ok_or_else(|| format!("`{}` {}", field.name, field.missing()))?;
        let value = field.ty.accept(raw).map_err(|mismatch| format!("`{}`: {mismatch}", field.name))?;
        if !known.allows(&value) {
            let shown = field.ty.show(&value).to_string();
            return Err(format!("`{}` is never {shown} where a model may choose it", field.name));
        }
        Ok(value)
    };
    let values = format.fields().iter().map(value).collect::<Result<_, String>>()?;
    let reason = match format.reason().and_then(|_| find("reason")) {
        Some(Raw::Text(text)) => Some(text.into_boxed_str()),
        Some(_) => return Err("`reason` is a text".into()),
        None => None,
    };
    Ok(Answer { values, reason })
}

/// A value that a field may have; of a list, what an item may be.
fn value(node: &Node<'_>, field: &Field) -> Option<Value> {
    let value = field.ty.item().accept(node.raw()?).map_err(|mismatch| mismatch.to_string());
    let value = value.and_then(|value| field.check(&value).map(|()| value).map_err(|fault| fault.to_string()));
    value.map_err(|fault| node.fault(fault)).ok()
}

/// What an input is made of.
fn kind(input: &AgentInput, ty: &Type) -> InputKind {
    let chars_max = input.chars_max;
    let scalar = |bytes_max| InputKind::Scalar { bytes_max };
    match ty {
        Type::Bool => scalar(5),
        Type::Int | Type::Decimal => scalar(22),
        Type::Time | Type::Duration => scalar(48),
        Type::OneOf(of) => scalar(of.names().map(str::len).max().unwrap_or(0)),
        Type::Text | Type::List(_) if has_text(ty) && input.is_untrusted.unwrap_or(true) => {
            InputKind::Untrusted { chars_max }
        }
        Type::Text | Type::List(_) => InputKind::Text { chars_max },
    }
}

/// Whether values hold texts of anybody's choice.
fn has_text(ty: &Type) -> bool {
    matches!(ty.item(), Type::Text)
}

/// The word for a type among those of inputs.
fn word(ty: &Type) -> &'static str {
    TYPES[match ty {
        Type::Text => 0,
        Type::Int => 1,
        Type::Decimal => 2,
        Type::Bool => 3,
        Type::Time => 4,
        Type::Duration => 5,
        Type::OneOf(_) => 6,
        Type::List(_) => 7,
    }]
}
