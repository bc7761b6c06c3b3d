//! Tests of agents in bundles, and the small bundle with an agent that the tests of other rooms ask with.

use super::*;
use crate::agents::Choose;
use crate::domain::Value;

pub(crate) const CONTEXT: &str = r#"
[purposes]
service   = { needs_consent = false }
marketing = { needs_consent = true }

[events."ticket.created"]
subject = { type = "string", optional = true }
body    = { type = "string", optional = true }
channel = ["email", "chat"]
amount  = { type = "decimal", optional = true }
labels  = { list_of = "string", optional = true }
secret  = { type = "string", optional = true, purposes = ["marketing"] }

[facts]
plan   = { one_of = ["free", "pro"], fresh = "30d" }
since  = "timestamp"
taste  = { type = "string", purposes = ["marketing"] }

[signals]
tickets_24h = { count = "ticket.created", over = "24h", partial = true }
"#;

/// A playbook that asks an agent where no rule is final; `AGENTS` stands for its agents.
pub(crate) const PLAYBOOK: &str = r#"
playbook     = "routing"
on           = ["ticket.created"]
ack          = "memory"
purpose      = "service"
daily_budget = 20

[outcome]
queue    = ["general", "cards", "billing", "incident"]
priority = { type = "int", min = 1, max = 4 }
note     = { type = "string", max_length = 40 }
tags     = { list_of = ["vip", "late", "angry"], max_items = 2 }

[guardrail]
permit = { queue = ["general", "cards", "billing"], priority = { min = 2 } }

[[rules]]
id     = "free-plan"
when   = 'customer.plan == "free"'
then   = { priority = 4 }
permit = { queue = ["billing", "incident"] }

[[rules]]
id    = "urgent"
when  = 'event.?subject.orValue("").contains("urgent")'
then  = { queue = "general", priority = 2 }
final = true

[default]
then   = { queue = "general", priority = 3, note = "", tags = [] }
permit = { queue = "any", priority = "any", note = "any", tags = ["vip", "late"] }

AGENTS
"#;

/// An agent that reads everything there is, and more than it may.
pub(crate) const AGENT: &str = r#"
agent          = "router"
version        = 1
kind           = "executor"
owner          = "support"
description    = "Routes what rules and small models are not sure of."
consent_scope  = ["service"]
models         = ["openai/small", "local/llama/8b"]
context_tokens = 1500
answer_tokens  = 64
temperature    = 0.2
instructions   = "You route tickets of a bank."
prompt         = """
Plan: {{plan}}, customer since {{since}}
Channel: {{channel}}, tickets today: {{tickets}}
Money: {{amount}}
They like {{taste}}.
Labels: {{labels}}

{{subject}}
{{body}}
Secret: {{secret}}
"""

[inputs]
subject = { from = "event.subject", type = "string", max_chars = 200 }
body    = { from = "event.body" }
channel = { from = "event.channel", type = "one_of" }
amount  = { from = "event.amount" }
labels  = { from = "event.labels" }
plan    = { from = "customer.plan" }
since   = { from = "customer.since", type = "timestamp" }
taste   = { from = "customer.taste" }
tickets = { from = "signal.tickets_24h", type = "int" }
secret  = { from = "event.secret" }

[[examples]]
input  = { subject = "Card gone", channel = "chat", plan = "pro", amount = 12.50 }
answer = { queue = "cards" }

[budget]
per_day    = "2.50"
cost_max   = 0.01
chance_min = 0.75

[cache]
for   = "10m"
stale = "1h"
"#;

/// How the playbook uses the agent.
pub(crate) const USE: &str = "[[agents]]\nuse = \"router@1\"\nsets = [\"queue\"]\n";

/// Files with a playbook that uses these agents, and the agent `router@1`.
pub(crate) fn files(agents: &str) -> Sources {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, CONTEXT);
    sources.insert("playbooks/routing.toml", PLAYBOOK.replace("AGENTS", agents));
    sources.insert("agents/router.toml", AGENT);
    sources
}

/// A bundle with a playbook that uses these agents.
pub(crate) fn with_agents(agents: &str) -> Bundle {
    compiled(files(agents)).unwrap_or_else(|faults| panic!("{faults}"))
}

fn compiled(sources: Sources) -> Result<Bundle, String> {
    Bundle::compile(sources).map_err(|faults| faults.to_string())
}

/// The faults of a bundle whose agent's file is changed.
fn faults(agents: &str, change: impl FnOnce(String) -> String) -> String {
    let mut sources = files(agents);
    sources.insert("agents/router.toml", change(AGENT.to_owned()));
    compiled(sources).map_or_else(|faults| faults, |_| "no fault".to_owned())
}

/// What may be chosen under each permit, as people write it.
fn choices(agent: &AgentUse, playbook: &Playbook) -> Vec<String> {
    let field = |(number, choices): (&usize, &Option<Box<[Value]>>)| {
        let field = &playbook.outcome.fields()[*number];
        let shown = choices.as_ref().map(|choices| choices.iter().map(|value| field.ty.item().show(value).to_string()));
        format!("{}: {}", field.name, shown.map_or("any".to_owned(), |shown| shown.collect::<Vec<_>>().join(" ")))
    };
    let permit = |choices: &Option<Choices>| match choices {
        Some(choices) => agent.sets.iter().zip(choices).map(field).collect::<Vec<_>>().join(", "),
        None => "nothing".to_owned(),
    };
    agent.choices.iter().map(permit).collect()
}

#[test]
fn an_agent_is_read_with_what_it_may_see_choose_and_spend() {
    let bundle = with_agents(USE);
    let playbook = &bundle.playbooks()[0];
    let [agent] = &*playbook.agents else { panic!("one agent") };
    assert_eq!((&*agent.name, agent.agent.kind), ("router@1", AgentKind::Executor));
    let targets: Vec<String> = agent.agent.targets.iter().map(ToString::to_string).collect();
    assert_eq!((targets, agent.agent.choose), (vec!["openai/small".into(), "local/llama/8b".into()], Choose::Order));
    let budgets: Vec<(&str, String)> = agent.budgets.iter().map(|of| (&*of.name, of.per_day.to_string())).collect();
    assert_eq!(budgets, [("playbook:routing", "20".to_owned()), ("agent:router", "2.5".to_owned())]);
    assert_eq!(agent.agent.cost_max, "0.01".parse().ok());
    assert_eq!((agent.agent.chance_min_milli, agent.agent.temperature_milli), (750, 200));
    let cache = agent.agent.cache.unwrap();
    assert_eq!((cache.fresh.as_secs(), cache.stale.as_secs(), agent.agent.is_shared), (600, 3_600, false));

    let read: Vec<&str> = agent.slots().map(|slot| &*playbook.scope.declared(slot).path).collect();
    assert!(read.contains(&"customer.plan") && read.contains(&"signal.tickets_24h"), "{read:?}");
    assert!(!read.contains(&"customer.taste") && !read.contains(&"event.secret"), "for marketing only: {read:?}");
    // Decisions look at what their agents read, and record it.
    let is_sight = |path: &str| {
        let slot = playbook.scope.slot(path).unwrap();
        matches!(playbook.sources[slot.index()], SlotSource::Sight(_))
    };
    assert!(is_sight("signal.tickets_24h") && is_sight("customer.since") && !is_sight("ledger.decisions"));
    let without = compiled(files("")).err();
    assert!(without.unwrap().contains("is spent by agents"), "a budget that nobody spends is a fault");
}

#[test]
fn choices_are_what_permit_guardrail_and_field_leave() {
    let shown = |sets: &str| {
        let bundle =
            with_agents(&format!("[[agents]]\nuse = \"router@2\"\nsets = {sets}\n").replace("router@2", "router@1"));
        choices(&bundle.playbooks()[0].agents[0], &bundle.playbooks()[0])
    };
    assert_eq!(shown("[\"queue\"]"), ["queue: \"billing\"", "queue: \"general\" \"cards\" \"billing\""]);
    let free = faults("[[agents]]\nuse = \"router@1\"\nsets = [\"priority\"]\n", |agent| agent);
    assert!(free.contains("`queue` is not asked for"), "examples answer what is asked: {free}");
    let bundle = |sets: &str| {
        let mut sources = files(&format!("[[agents]]\nuse = \"router@1\"\nsets = {sets}\n"));
        let (before, after) = (AGENT.find("[[examples]]").unwrap(), AGENT.find("[budget]").unwrap());
        sources.insert("agents/router.toml", format!("{}{}", &AGENT[..before], &AGENT[after..]));
        compiled(sources).unwrap()
    };
    let bundle = bundle("[\"priority\", \"note\", \"tags\", \"queue\"]");
    let playbook = &bundle.playbooks()[0];
    assert_eq!(
        choices(&playbook.agents[0], playbook),
        ["nothing", "priority: 2 3 4, note: any, tags: \"vip\" \"late\", queue: \"general\" \"cards\" \"billing\""]
    );
}

#[test]
fn an_escalation_only_hands_over_where_its_playbook_says() {
    let escalation = |to: &str| {
        let mut sources = files(&format!("{USE}{to}"));
        sources.insert(
            "agents/router.toml",
            AGENT
                .replace("\"executor\"", "\"escalation\"")
                .replace("answer = { queue = \"cards\" }", "answer = { queue = \"general\" }"),
        );
        compiled(sources)
    };
    let bundle = escalation("to = { queue = [\"incident\", \"general\"] }").unwrap();
    let playbook = &bundle.playbooks()[0];
    assert_eq!(choices(&playbook.agents[0], playbook), ["nothing", "queue: \"general\""], "no permit widens it");
    let found = [
        escalation("").unwrap_err(),
        escalation("to = { queue = [\"incident\"] }").unwrap_err(),
        escalation("to = { queue = [\"incidents\"] }").unwrap_err(),
        escalation("to = { priority = [1] }").unwrap_err(),
        escalation("to = {}").unwrap_err(),
        faults(&format!("{USE}to = {{ queue = [\"general\"] }}"), |agent| agent),
        faults(&format!("{USE}to = {{ queue = [\"general\"] }}"), |agent| {
            agent.replace("\"executor\"", "\"advisory\"")
        }),
    ];
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn every_fault_of_an_agents_file_is_named_at_once() {
    let file = r#"
agent          = "rou ter"
version        = 0
kind           = "excutor"
owner          = ""
consent_scope  = "service"
models         = ["small", { use = "openai/small", weight = 3 }, "openai/small"]
choose         = "wieght"
context_tokens = 5
answer_tokens  = 0
temperature    = 3
reason         = -1
instructions   = "You route {{subject}}."
prompt         = """
Subject: {{subjct}}
{{body}} and {{
"""
[inputs]
subject = { from = "event.subject", type = "text", max_chars = 0, lable = "x" }
body    = { untrusted = "yes" }
"one two" = { from = "event.body" }

[[examples]]
input = { subject = "a" }

[budget]
per_day    = -1
cost_max   = 0
chance_min = 2
daily      = 1

[cache]
stale = "90d"
share = "all"
"#;
    insta::assert_snapshot!(faults(USE, |_| file.to_owned()));
    let template = faults(USE, |agent| agent.replace("{{subject}}", "{{subjct}}").replace("{{body}}\n", ""));
    insta::assert_snapshot!(template);
    insta::assert_snapshot!(faults(USE, |agent| agent.replace("subject = \"Card gone\"", "subjet = \"Card gone\"")));
    insta::assert_snapshot!(faults(USE, |agent| agent.replace("temperature ", "reason = 100\ntemperature ")));
    insta::assert_snapshot!(
        faults(USE, |agent| agent.replace("\"local/llama/8b\"", "{ use = \"a/b\", weight = 2 }, \"openai/small\""))
    );
}

#[test]
fn every_fault_of_a_playbooks_agents_is_named_at_once() {
    let agents = r#"
[[agents]]
use  = "ruoter@1"
sets = ["queue"]

[[agents]]
use  = "router@1"
sets = ["que"]

[[agents]]
use  = "router@1"
sets = []
too  = { queue = ["general"] }

[[agents]]
sets = ["queue", "queue"]
"#;
    insta::assert_snapshot!(faults(agents, |agent| agent));
    insta::assert_snapshot!(faults(&USE.repeat(5), |agent| agent));
    let misread = |agent: String| {
        let agent = agent.replace("event.amount", "event.amuont").replace("type = \"one_of\"", "type = \"string\"");
        agent
            .replace("\"customer.plan\"", "\"customer.plan\", untrusted = true")
            .replace("[\"service\"]", "[\"marketing\"]")
    };
    insta::assert_snapshot!(faults(USE, misread));
    let answers =
        ["{ queue = \"incident\" }", "{ queue = \"card\" }", "{ priority = 2 }", "{ queue = \"cards\", note = \"x\" }"];
    let found = answers.map(|answer| faults(USE, |agent| agent.replace("{ queue = \"cards\" }", answer)));
    insta::assert_snapshot!(found.join("\n"));
    let given = faults(USE, |agent| agent.replace("channel = \"chat\", plan", "channel = \"fax\", plan"));
    insta::assert_snapshot!(given);
    insta::assert_snapshot!(faults(USE, |agent| agent.replace("context_tokens = 1500", "context_tokens = 300")));
    insta::assert_snapshot!(faults("", |agent| agent));
}

#[test]
fn an_agent_whose_fields_no_permit_opens_is_refused() {
    let mut sources = files(USE);
    let playbook = PLAYBOOK
        .replace("AGENTS", USE)
        .replace("queue = \"any\", ", "")
        .replace("permit = { queue = [\"billing\", \"incident\"] }", "permit = { queue = [\"incident\"] }");
    sources.insert("playbooks/routing.toml", playbook);
    insta::assert_snapshot!(compiled(sources).unwrap_err());
}

#[test]
fn answers_are_shared_with_everyone_only_where_nothing_is_anybodys_own() {
    let shared = |inputs: &str| {
        let from = AGENT.find("prompt  ").unwrap();
        let to = AGENT.find("[budget]").unwrap();
        let agent = format!("{}[inputs]\n{inputs}\n{}share = \"everyone\"\n", &AGENT[..from], &AGENT[to..]);
        faults(USE, |_| agent)
    };
    assert_eq!(shared("channel = { from = \"event.channel\", personal = false }"), "no fault");
    let found = [
        shared("channel = { from = \"event.channel\" }"),
        shared("plan = { from = \"customer.plan\", personal = false }"),
        shared("tickets = { from = \"signal.tickets_24h\", personal = false }"),
        shared("decided = { from = \"ledger.decisions\", personal = false }"),
        shared("secret = { from = \"event.secret\", personal = false }"),
    ];
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn several_versions_of_an_agent_stand_side_by_side() {
    let mut sources = files(&format!("{USE}\n{}", USE.replace("@1", "@2")));
    sources.insert(
        "agents/router-2.toml",
        AGENT.replace("version        = 1", "version = 2").replace("openai/small", "openai/large"),
    );
    let id = sources.id();
    let bundle = compiled(sources.clone()).unwrap();
    assert_eq!(bundle.id(), id);
    let targets: Vec<String> =
        bundle.playbooks()[0].agents.iter().map(|agent| agent.agent.targets[0].to_string()).collect();
    assert_eq!(targets, ["openai/small", "openai/large"]);
    sources.insert("agents/router-2.toml", AGENT.replace("openai/small", "openai/large"));
    assert_ne!(sources.id(), id, "the agents' files are part of the bundle's name");
    insta::assert_snapshot!(compiled(sources).unwrap_err());
}

#[test]
fn a_playbook_says_whether_later_events_may_overtake() {
    let with = |line: &str| {
        let mut sources = files("");
        sources.insert(
            "playbooks/routing.toml",
            format!("{line}\n{}", PLAYBOOK.replace("AGENTS", "").replace("daily_budget = 20", "")),
        );
        compiled(sources).map(|bundle| bundle.playbooks()[0].ordering)
    };
    assert_eq!(with(""), Ok(Ordering::Overtaking));
    assert_eq!(with("ordering = \"overtaking\""), Ok(Ordering::Overtaking));
    assert_eq!(with("ordering = \"strict\""), Ok(Ordering::Strict));
    assert!(
        with("ordering = \"strickt\"")
            .unwrap_err()
            .contains("expected `overtaking` or `strict`, found `strickt` (did you mean `strict`?)")
    );
}
