//! Reads `agents/NAME.toml`: what a large model is asked, in which words, for how much.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::agent::{Agent, AgentExample, AgentInput, AgentKind};
use super::schema_reader::is_name;
use super::{AGENT_FOLDER, ModelName, Sources};
use crate::agents::{Budget, CachePolicy, Choose, Input, InputKind, Target, Template, placeholder};
use crate::document::{Document, FaultSink, Node, Place, Section};
use crate::domain::{Money, TimeDelta, suggestion};

/// Models that an agent may name.
const TARGETS_MAX: usize = 8;

/// Inputs that an agent may have.
const INPUTS_MAX: usize = 32;

/// Examples that an agent may show.
const EXAMPLES_MAX: usize = 64;

/// Bytes that instructions and template may have, each.
const WORDS_BYTES_MAX: usize = 1 << 16;

/// Tokens that a prompt has room for where its agent does not say.
const CONTEXT_TOKENS_DEFAULT: i64 = 2_000;

/// Tokens that an answer may have where its agent does not say.
const ANSWER_TOKENS_DEFAULT: i64 = 128;

/// How long an answer may be kept.
const KEPT_MAX: TimeDelta = TimeDelta::from_micros(30 * TimeDelta::DAY.micros());

/// Words for the types of inputs.
pub(super) const TYPES: [&str; 8] = ["string", "int", "decimal", "bool", "timestamp", "duration", "one_of", "list"];

/// A bundle's agents, by name; one whose file has a fault is there without being of use, so that playbooks that name it have none.
pub(super) type Agents = HashMap<ModelName, Option<Arc<Agent>>>;

/// Reads every agent; what is wrong with one is noted.
pub(super) fn load(sources: &Sources, sink: &FaultSink) -> Agents {
    let mut agents = Agents::new();
    let mut paths: HashMap<ModelName, &str> = HashMap::new();
    let is_agent = |(path, _): &(&str, &str)| path.starts_with(AGENT_FOLDER) && path.ends_with(".toml");
    for (path, text) in sources.iter().filter(is_agent) {
        let document = Document::parse(path, text, sink);
        let (name, agent) = read(&document);
        let Some(name) = name else { continue };
        if let Some(known) = paths.get(&name) {
            sink.add(Place::file(path), "version", format!("`{known}` is already {name}; give one another version"));
            continue;
        }
        paths.insert(name.clone(), path);
        agents.insert(name, agent.map(Arc::new));
    }
    agents
}

/// Reads an agent: its name, and all of it unless a fault was noted.
fn read(document: &Document<'_>) -> (Option<ModelName>, Option<Agent>) {
    let root = document.root();
    let id = root.require("agent", "the agent's id, as playbooks use it").and_then(|node| id(&node));
    let version = root.require("version", "a whole number from 1").and_then(|node| node.int(1, u32::MAX.into()));
    let name = id.zip(version).map(|(id, version)| ModelName { id: id.into(), version: version as u32 });
    let agent = agent(&root, name.as_ref());
    root.refuse_unknown();
    (name, agent)
}

fn agent(root: &Section<'_>, name: Option<&ModelName>) -> Option<Agent> {
    let kind = root.require("kind", "`advisory`, `executor` or `escalation`").and_then(|node| kind(&node));
    let owner = root.require("owner", "who answers for the agent").and_then(|node| said(&node));
    let description = root.get("description").map_or(Some(None), |node| said(&node).map(Some));
    let scope = root.require("consent_scope", "the purposes that it may be asked for, such as [\"service\"]");
    let consent_scope = scope.and_then(|node| node.texts());
    let (targets, choose) = targets(root);
    let instructions = root.require("instructions", "what the model is told before anything else");
    let instructions = instructions.and_then(|node| instructions_of(&node));
    let inputs = root.require("inputs", "what the model is given: `[inputs.NAME]` with `from = \"event.subject\"`");
    let inputs = inputs.and_then(|node| inputs_of(&node));
    let template = template(root, inputs.as_deref());
    let whole = |key, default, min, max| root.get(key).map_or(Some(default), |node| node.int(min, max));
    let context_tokens = whole("context_tokens", CONTEXT_TOKENS_DEFAULT, 128, 1_000_000);
    let answer_tokens = whole("answer_tokens", ANSWER_TOKENS_DEFAULT, 8, 16_384);
    let reason_bytes_max = whole("reason", 0, 1, 4_000);
    let temperature = root.get("temperature").map_or(Some(0.0), |node| node.number(0.0, 2.0));
    let examples = examples(root, inputs.as_deref(), reason_bytes_max != Some(0));
    let spending = spending(root);
    let cache = cache(root, inputs.as_deref());
    let (name, spending, (cache, is_shared)) = (name?, spending?, cache?);
    let budget = spending.per_day.map(|per_day| Budget { name: format!("agent:{}", name.id).into(), per_day });
    Some(Agent {
        name: name.to_string().into(),
        kind: kind?,
        targets: targets?.into(),
        choose: choose?,
        owner: owner?.into(),
        description: description?.map(Arc::from),
        consent_scope: consent_scope?.into_iter().map(Box::from).collect(),
        inputs: inputs?.into(),
        instructions: instructions?.into(),
        template: template?,
        examples: examples?.into(),
        context_tokens: context_tokens? as usize,
        answer_tokens: answer_tokens? as u32,
        temperature_milli: (temperature? * 1_000.0).round() as u16,
        reason_bytes_max: reason_bytes_max? as usize,
        budget,
        cost_max: spending.cost_max,
        chance_min_milli: spending.chance_min_milli,
        cache,
        is_shared,
    })
}

fn id<'d>(node: &Node<'d>) -> Option<&'d str> {
    let id = node.text()?;
    if ModelName::parse(&format!("{id}@1")).is_some_and(|name| *name.id == *id) {
        return Some(id);
    }
    node.fault("an agent's id has 1 to 64 bytes, no spaces and no `@`");
    None
}

fn kind(node: &Node<'_>) -> Option<AgentKind> {
    let word = node.text()?;
    let kind = AgentKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    if kind.is_none() {
        let hint = suggestion(word, AgentKind::ALL.iter().map(|kind| kind.as_str()));
        node.fault(format!("unknown kind `{word}`{hint}; an agent is `advisory`, `executor` or `escalation`"));
    }
    kind
}

/// A text that says something.
fn said<'d>(node: &Node<'d>) -> Option<&'d str> {
    let text = node.text()?;
    if text.trim().is_empty() {
        node.fault("says nothing");
        return None;
    }
    Some(text)
}

// === models ===

fn targets(root: &Section<'_>) -> (Option<Vec<Target>>, Option<Choose>) {
    let choose = root.get("choose").map_or(Some(Choose::Order), |node| choose(&node));
    let models = root.require("models", "the models that it may ask, such as [\"openai/small\"]");
    let targets = models.and_then(|node| {
        let nodes = node.list()?;
        if nodes.is_empty() || nodes.len() > TARGETS_MAX {
            node.fault(format!("names {} models; an agent asks one of 1 to {TARGETS_MAX}", nodes.len()));
            return None;
        }
        let read: Vec<Option<Target>> = nodes.iter().map(|node| target(node, choose)).collect();
        let targets: Vec<Target> = read.into_iter().collect::<Option<_>>()?;
        let is_known = |nth: &usize| targets[..*nth].iter().any(|known| known.to_string() == targets[*nth].to_string());
        if let Some(nth) = (1..targets.len()).find(is_known) {
            nodes[nth].fault(format!("`{}` stands twice", targets[nth]));
            return None;
        }
        Some(targets)
    });
    (targets, choose)
}

fn choose(node: &Node<'_>) -> Option<Choose> {
    const WORDS: [(&str, Choose); 3] = [("order", Choose::Order), ("weight", Choose::Weight), ("cost", Choose::Cost)];
    let word = node.text()?;
    let found = WORDS.iter().find(|(known, _)| *known == word);
    if found.is_none() {
        let hint = suggestion(word, WORDS.map(|(known, _)| known));
        node.fault(format!(
            "unknown choice `{word}`{hint}; models are asked by `order` as they are listed, by `weight` or by `cost`"
        ));
    }
    found.map(|(_, choose)| *choose)
}

/// `"provider/model"`, or `{ use = "provider/model", weight = 3 }`.
fn target(node: &Node<'_>, choose: Option<Choose>) -> Option<Target> {
    if !node.is_section() {
        return named_target(node, 1);
    }
    let section = node.section()?;
    let named = section.require("use", "a model of a provider, such as \"openai/small\"");
    let weight = section.get("weight");
    section.refuse_unknown();
    if let (Some(node), Some(Choose::Order | Choose::Cost)) = (&weight, choose) {
        node.fault("says nothing unless models are chosen by weight: `choose = \"weight\"`");
    }
    let weight = weight.map_or(Some(1), |node| node.int(1, 1_000))?;
    named_target(&named?, weight as u32)
}

fn named_target(node: &Node<'_>, weight: u32) -> Option<Target> {
    let text = node.text()?;
    let is_plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    match text.split_once('/') {
        Some((provider, model)) if is_plain(provider) && is_plain(model) && text.len() <= 256 => {
            Some(Target { provider: provider.into(), model: model.into(), weight })
        }
        _ => {
            node.fault(format!(
                "expected PROVIDER/MODEL by the names of `[providers]`, such as \"openai/small\", found `{text}`"
            ));
            None
        }
    }
}

// === words ===

fn instructions_of<'d>(node: &Node<'d>) -> Option<&'d str> {
    let text = bounded(node)?;
    if let Some(at) = placeholder(text) {
        node.fault_within(at, "instructions are the same for every question; inputs stand in `prompt`");
        return None;
    }
    Some(text)
}

fn bounded<'d>(node: &Node<'d>) -> Option<&'d str> {
    let text = said(node)?;
    if text.len() > WORDS_BYTES_MAX {
        node.fault(format!("has {} bytes, the limit is {WORDS_BYTES_MAX}", text.len()));
        return None;
    }
    Some(text)
}

fn template(root: &Section<'_>, inputs: Option<&[AgentInput]>) -> Option<Template> {
    let node = root.get("prompt");
    let names: Vec<Input> = inputs?.iter().map(named).collect();
    let Some(node) = node else { return Some(Template::of_labels(&names)) };
    let faults = match Template::parse(bounded(&node)?, &names) {
        Ok(template) => return Some(template),
        Err(faults) => faults,
    };
    faults.into_iter().for_each(|fault| node.fault_within(fault.offset, fault.message));
    None
}

/// An input as templates know it; what it is made of is known when a playbook uses the agent.
fn named(input: &AgentInput) -> Input {
    Input { name: input.name.clone(), label: input.label.clone(), kind: InputKind::Text { chars_max: input.chars_max } }
}

fn inputs_of(node: &Node<'_>) -> Option<Vec<AgentInput>> {
    let entries = node.section()?.entries();
    if entries.is_empty() || entries.len() > INPUTS_MAX {
        node.fault(format!("has {} inputs; an agent is given 1 to {INPUTS_MAX}", entries.len()));
        return None;
    }
    let read: Vec<Option<AgentInput>> = entries.iter().map(|(name, node)| input(name, node)).collect();
    read.into_iter().collect()
}

fn input(name: &str, node: &Node<'_>) -> Option<AgentInput> {
    if !is_name(name) {
        node.fault(
            "an input's name has letters, digits and `_`, and begins with a letter, so that a prompt can use it",
        );
        return None;
    }
    let section = node.section()?;
    let from = section.require("from", "a name of the playbook's conditions, such as \"event.subject\"");
    let from = from.and_then(|node| said(&node));
    let ty = section.get("type").map_or(Some(None), |node| input_type(&node).map(Some));
    let label = section.get("label").map_or_else(|| Some(labelled(name)), |node| said(&node).map(str::to_owned));
    let untrusted = section.get("untrusted").map_or(Some(None), |node| node.bool().map(Some));
    let chars_max = section.get("max_chars").map_or(Some(i64::MAX), |node| node.int(1, 1 << 20));
    let personal = section.get("personal").map_or(Some(true), |node| node.bool());
    section.refuse_unknown();
    Some(AgentInput {
        name: name.into(),
        from: from?.into(),
        ty: ty?.map(Box::from),
        label: label?.into(),
        is_untrusted: untrusted?,
        chars_max: chars_max? as usize,
        is_personal: personal?,
    })
}

/// A name as a label: `customer_since` is `Customer since`.
fn labelled(name: &str) -> String {
    let words = name.replace('_', " ");
    let (first, rest) = words.split_at(words.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

fn input_type<'d>(node: &Node<'d>) -> Option<&'d str> {
    let word = node.text()?;
    if TYPES.contains(&word) {
        return Some(word);
    }
    node.fault(format!("unknown type `{word}`{}; a type is {}", suggestion(word, TYPES), TYPES.join(", ")));
    None
}

fn examples(root: &Section<'_>, inputs: Option<&[AgentInput]>, has_reason: bool) -> Option<Vec<AgentExample>> {
    let Some(node) = root.get("examples") else { return Some(Vec::new()) };
    let nodes = node.list()?;
    if nodes.len() > EXAMPLES_MAX {
        node.fault(format!("has {} examples, the limit is {EXAMPLES_MAX}", nodes.len()));
        return None;
    }
    let read: Vec<Option<AgentExample>> = nodes.iter().map(|node| example(node, inputs, has_reason)).collect();
    read.into_iter().collect()
}

fn example(node: &Node<'_>, inputs: Option<&[AgentInput]>, has_reason: bool) -> Option<AgentExample> {
    let section = node.section()?;
    let input = section.require("input", "what is given, such as `input = { subject = \"Card lost\" }`");
    let answer = section.require("answer", "what to answer, such as `answer = { queue = \"cards\" }`");
    section.refuse_unknown();
    let (inputs, input, answer) = (inputs?, input?, answer?);
    let mut given = vec![None; inputs.len()];
    for (name, node) in input.section()?.entries() {
        match inputs.iter().position(|known| *known.name == *name) {
            Some(number) => given[number] = Some(node.raw()?),
            None => {
                let hint = suggestion(&name, inputs.iter().map(|known| &*known.name));
                node.fault(format!("there is no input `{name}`{hint}"));
                return None;
            }
        }
    }
    let said: Vec<Option<(Box<str>, _)>> =
        answer.section()?.entries().into_iter().map(|(name, node)| Some((name.into(), node.raw()?))).collect();
    let said: Vec<_> = said.into_iter().collect::<Option<_>>()?;
    if has_reason && !said.iter().any(|(name, _)| &**name == "reason") {
        answer.fault("gives no `reason`, and a model does as the examples do: the agent asks for one");
        return None;
    }
    Some(AgentExample { place: answer.place(), key: answer.key().to_owned(), given: given.into(), answer: said.into() })
}

// === money and keeping ===

struct Spending {
    per_day: Option<Money>,
    cost_max: Option<Money>,
    chance_min_milli: u16,
}

fn spending(root: &Section<'_>) -> Option<Spending> {
    let none = Spending { per_day: None, cost_max: None, chance_min_milli: 500 };
    let Some(node) = root.get("budget") else { return Some(none) };
    let section = node.section()?;
    let amount = |key| section.get(key).map_or(Some(None), |node| money(&node).map(Some));
    let (per_day, cost_max) = (amount("per_day"), amount("cost_max"));
    let chance_min = section.get("chance_min").map_or(Some(0.5), |node| node.number(0.0, 1.0));
    section.refuse_unknown();
    let chance_min_milli = (chance_min? * 1_000.0).round() as u16;
    Some(Spending { per_day: per_day?, cost_max: cost_max?, chance_min_milli })
}

/// An amount above nothing.
pub(super) fn money(node: &Node<'_>) -> Option<Money> {
    let amount = node.money()?;
    if amount == Money::ZERO {
        node.fault(
            "allows nothing, so no model would ever be asked: leave the agent out, or switch it off while it runs",
        );
        return None;
    }
    Some(amount)
}

fn cache(root: &Section<'_>, inputs: Option<&[AgentInput]>) -> Option<(Option<CachePolicy>, bool)> {
    let Some(node) = root.get("cache") else { return Some((None, false)) };
    let section = node.section()?;
    let fresh = section.require("for", "how long an answer is as good as new, such as \"10m\"");
    let fresh = fresh.and_then(|node| node.duration(TimeDelta::SECOND, KEPT_MAX));
    let stale = section.get("stale");
    let stale = stale.map_or(Some(TimeDelta::default()), |node| node.duration(TimeDelta::default(), KEPT_MAX));
    let shared = section.get("share").map_or(Some(false), |node| shared(&node, inputs));
    section.refuse_unknown();
    let kept = |delta: TimeDelta| -> Duration { delta.to_std() };
    Some((Some(CachePolicy { fresh: kept(fresh?), stale: kept(stale?) }), shared?))
}

/// Whether answers go to everyone: only where nothing that is read is, or may be, anybody's own.
fn shared(node: &Node<'_>, inputs: Option<&[AgentInput]>) -> Option<bool> {
    match node.text()? {
        "customer" => return Some(false),
        "everyone" => {}
        word => {
            let hint = suggestion(word, ["customer", "everyone"]);
            node.fault(format!(
                "unknown word `{word}`{hint}; answers are shared with the same `customer` or with `everyone`"
            ));
            return None;
        }
    }
    let is_own = |input: &&AgentInput| input.is_personal || !input.from.starts_with("event.");
    let own: Vec<String> = inputs?.iter().filter(is_own).map(|input| format!("`{}`", input.name)).collect();
    if own.is_empty() {
        return Some(true);
    }
    node.fault(format!(
        "an answer for one customer must not be given to another: {} may be the customer's own; every input must be an attribute of \
         the event that the agent's author declares `personal = false`",
        own.join(", ")
    ));
    None
}
