//! Tests of the room, and the small bundle that the tests of other rooms decide with.

use super::*;

pub(crate) const CONTEXT: &str = r#"
[events."ticket.created"]
subject = "string"
body    = "string"
channel = ["email", "chat", "phone"]
amount  = { type = "decimal", optional = true, min = 0 }

[events."refund.issued"]
amount = "decimal"

[facts]
plan  = { one_of = ["free", "pro"], fresh = "30d" }
vip   = { type = "bool", default = false }
limit = "decimal"

[signals]
tickets_24h  = { count = "ticket.created", over = "24h", partial = true }
refunded_90d = { sum = "amount", of = "refund.issued", over = "90d", partial = true }
"#;

pub(crate) const PLAYBOOK: &str = r#"
playbook = "routing"
version  = 3
on       = ["ticket.created"]
budget   = "20ms"
ack      = "disk"

[outcome]
queue       = ["general", "cards", "incident"]
priority    = { type = "int", min = 1, max = 4 }
sla_minutes = { type = "int", min = 1, max = 10000 }

[guardrail]
permit = { sla_minutes = { max = 5000 } }

[[rules]]
id          = "vip-outage"
description = "An outage that a VIP sees is everybody's outage soon."
when        = 'customer.vip && event.body.mentions("outage", "down")'
then        = { queue = "incident", priority = 1 }
final       = true

[[rules]]
id   = "over-limit"
when = 'event.amount > customer.limit'
then = { priority = 1 }

[[rules]]
id   = "computed"
when = 'event.subject.startsWith("sla")'
then = { sla_minutes = { cel = "size(event.body) * 1000" } }

[[tables]]
file = "tables/routing.csv"

[default]
then = { queue = "general", priority = 3, sla_minutes = 480 }
"#;

pub(crate) const TABLE: &str = "\
id,in:event.channel,in:event.body,in:signal.tickets_24h,out:queue,out:priority,note
cards,,\"mentions(card*)\",,cards,2,
many,\"email, chat\",,>= 3,,2,several tickets within a day
";

pub(crate) fn sources() -> Sources {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, CONTEXT);
    sources.insert("playbooks/routing.toml", PLAYBOOK);
    sources.insert("tables/routing.csv", TABLE);
    sources
}

pub(crate) fn bundle() -> Bundle {
    Bundle::compile(sources()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(change: impl FnOnce(&mut Sources)) -> String {
    let mut sources = sources();
    change(&mut sources);
    Bundle::compile(sources).map_or_else(|faults| faults.to_string(), |_| "no fault".to_owned())
}

#[test]
fn a_sound_bundle_compiles() {
    let bundle = bundle();
    let playbook = &bundle.playbooks()[bundle.playbook_number("routing").unwrap()];
    let ids: Vec<&str> = playbook.rules.rules().iter().map(|rule| &*rule.id).collect();
    assert_eq!(ids, ["vip-outage", "over-limit", "computed", "cards", "many"]);
    assert_eq!(playbook.sights.len(), 3, "vip, limit and tickets_24h are used, plan is not");
    assert_eq!(bundle.id(), sources().id());
}

#[test]
fn every_fault_of_a_context_is_named() {
    let context = r#"
undeclared_attributes = "kep"

[events."ticket.created"]
subject = "text"
"a b" = "string"
channel = []
amount = { type = "decimal", min = "x", optinal = true }
size = { type = "int", one_of = ["a"] }
labels = { list_of = "string", max_length = 3 }
odd = { type = "bool", max_length = 3 }

[facts]
plan = { one_of = ["free", "free"], fresh = "30" }
vip = { type = "bool", default = "no" }

[signals]
a = { count = "ticket.craeted", over = "24h" }
b = { sum = "subject", of = "ticket.created", over = "24h" }
c = { sum = "amount", over = "24h" }
d = { distinct = "chanel", of = "ticket.created", over = "24h" }
e = { count = "ticket.created" }
f = { count = "ticket.created", over = "3650d", every = "1s" }
g = { count = "ticket.created", last = "channel", over = "1h", ever = "1m" }

[signls]
"#;
    insta::assert_snapshot!(faults(|sources| sources.insert(CONTEXT_FILE, context)));
}

#[test]
fn every_fault_of_a_playbook_is_named() {
    let playbook = r#"
playbook = "routing"
on       = ["ticket.created", "refund.isued"]
budget   = "2h"
ack      = "dsik"
modells  = []

[outcome]
queue    = ["general", "cards"]
priority = { type = "int", min = 1, max = 4 }

[guardrail]
permit = { queue = ["general"], priorty = [1] }

[[rules]]
id   = "a"
when = 'customer.vpi && event.channel == "emial"'
then = { queue = "crads", priority = 9, urgency = 1 }

[[rules]]
id   = "a"
when = "event.subject ="
then = {}

[[rules]]
when = true
then = { priority = { cel = "event.subject" } }
if_unavailable = "match"

[[rules]]
id = "forbidden"
when = "customer.vip"
then = { queue = "cards" }

[[tables]]
file = "tables/rooting.csv"
hit_policy = "unique"

[default]
then = { queue = "general" }
"#;
    insta::assert_snapshot!(faults(|sources| sources.insert("playbooks/routing.toml", playbook)));
}

#[test]
fn every_fault_of_a_table_is_named() {
    let table = "\
id,in:event.chanel,in:event.channel,out:queue,out:prority,out:priority,color,id
a,,emial,cards,,=customer.vpi ? 1 : 2,,
a,,not(),card,,five,,
b,,email
c,,email,,,,,
";
    let found = faults(|sources| sources.insert("tables/routing.csv", table));
    let with_returns = table.replace('\n', "\r\n");
    assert_eq!(faults(|sources| sources.insert("tables/routing.csv", with_returns)), found, "however lines end");
    insta::assert_snapshot!(found);
    insta::assert_snapshot!(faults(|sources| sources.insert("tables/routing.csv", "note\nx\n")), @"
    3 faults in the configuration:
      tables/routing.csv:1: a table needs at least one input column such as `in:event.channel`
      tables/routing.csv:1: a table needs at least one output column such as `out:queue`
      tables/routing.csv:2: the row sets no field of the outcome
    ");
}

#[test]
fn a_bundle_without_a_context_a_playbook_or_a_default_is_refused() {
    let without = |path: &str| {
        let kept =
            sources().iter().filter(|(p, _)| *p != path).map(|(p, t)| (p.to_owned(), t.to_owned())).collect::<Vec<_>>();
        let mut sources = Sources::default();
        kept.into_iter().for_each(|(path, text)| sources.insert(path, text));
        Bundle::compile(sources).unwrap_err().to_string()
    };
    let no_default = PLAYBOOK.split("[default]").next().unwrap();
    let shown = [
        without(CONTEXT_FILE),
        without("playbooks/routing.toml"),
        without("tables/routing.csv"),
        faults(|sources| sources.insert("playbooks/routing.toml", no_default)),
        faults(|sources| sources.insert("playbooks/twin.toml", PLAYBOOK)),
    ];
    insta::assert_snapshot!(shown.join("\n"), @"
    1 fault in the configuration:
      context.toml: the file is missing: it declares events, facts and signals
    1 fault in the configuration:
      playbooks/: there is no playbook; add one as `playbooks/NAME.toml`
    1 fault in the configuration:
      playbooks/routing.toml:34:8: `tables[0].file`: there is no such file in the configuration folder; tables found: none
    1 fault in the configuration:
      playbooks/routing.toml:1:1: the key `default` is missing: what holds where no rule says otherwise: `[default]` with `then = { … }`
    1 fault in the configuration:
      playbooks/twin.toml: `playbook`: there are two playbooks `routing`
    ");
}

#[test]
fn the_playbooks_of_one_event_have_a_limit() {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, "[events.ping]\nx = \"int\"\n");
    for number in 0..=PLAYBOOKS_PER_EVENT_MAX {
        let playbook = format!(
            "playbook = \"p{number}\"\non = [\"ping\"]\n[outcome]\na = \"bool\"\n[default]\nthen = {{ a = true }}\n"
        );
        sources.insert(format!("playbooks/p{number}.toml"), playbook);
    }
    insta::assert_snapshot!(Bundle::compile(sources).unwrap_err(), @"
    1 fault in the configuration:
      context.toml: `events.ping`: 256 playbooks decide on it, the limit is 255
    ");
}

/// A bundle that has little in common with the other.
pub(crate) fn tiny_bundle() -> Bundle {
    let mut sources = Sources::default();
    sources.insert(CONTEXT_FILE, "[events.ping]\nx = \"int\"\n");
    let playbook = "playbook = \"p\"\non = [\"ping\"]\n[outcome]\na = \"bool\"\n[default]\nthen = { a = true }\n";
    sources.insert("playbooks/p.toml", playbook);
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn a_bundle_has_lists_that_conditions_and_cells_use() {
    let with_lists = |sources: &mut Sources| {
        let lists =
            "\n[lists]\nblocked = \"lists/blocked.txt\"\nvips = { file = \"lists/vips.txt\", ignore_case = true }\n";
        sources.insert(
            CONTEXT_FILE,
            format!("{CONTEXT}{lists}limits = {{ file = \"lists/limits.txt\", type = \"decimal\" }}\n"),
        );
        sources.insert("lists/blocked.txt", "# found out in May\nspam\n");
        sources.insert("lists/vips.txt", "Ann\nBob");
        sources.insert("lists/limits.txt", "10\n99.5\n");
        let rule = "\n[[rules]]\nid = \"l\"\nwhen = 'event.subject in list.vips || customer.limit in list.limits'\nthen = { priority = 2 }\n";
        sources.insert("playbooks/routing.toml", PLAYBOOK.replace("\n[[tables]]", &format!("{rule}\n[[tables]]")));
        sources.insert(
            "tables/routing.csv",
            "in:event.subject,out:queue\nin list.blocked,general\nnot(in list.vips),cards\n",
        );
    };
    assert_eq!(faults(with_lists), "no fault");
    let changed = |path: &str, text: &str| {
        let mut sources = sources();
        with_lists(&mut sources);
        sources.insert(path, text);
        Bundle::compile(sources)
    };
    let (one, other) = (changed("lists/vips.txt", "Ann").unwrap(), changed("lists/vips.txt", "Bob").unwrap());
    assert_ne!(one.id(), other.id(), "lists belong to what names the bundle");
    insta::assert_snapshot!(changed("lists/limits.txt", "10\nten\n\n5.00001").unwrap_err());
}

#[test]
fn every_fault_of_a_list_is_named() {
    let lists = r#"
[lists]
a = "lists/missng.txt"
b = { file = "lists/present.txt", type = "strng" }
c = { file = "lists/present.txt", type = "int", ignore_case = true }
d = { type = "int", ignorecase = true }
e = { file = "lists/present.txt", type = "bool" }
"f g" = "lists/present.txt"
h = "lists/present.txt"
"#;
    insta::assert_snapshot!(faults(|sources| {
        sources.insert(CONTEXT_FILE, format!("{CONTEXT}{lists}"));
        sources.insert("lists/present.txt", "x");
        sources.insert("lists/missing.txt", "x");
        sources.insert(
            "playbooks/routing.toml",
            PLAYBOOK.replace("event.amount > customer.limit", "event.body in list.a || event.body in list.hh"),
        );
    }));
}

fn with_conditions(conditions: &str, when: &str) -> String {
    faults(|sources| {
        let playbook = PLAYBOOK
            .replace("[[rules]]\nid          = \"vip", &format!("[conditions]\n{conditions}\n[[rules]]\nid = \"vip"));
        sources.insert("playbooks/routing.toml", playbook.replace("event.amount > customer.limit", when));
        sources
            .insert("tables/routing.csv", "in:is_large,in:vip_in_need,out:queue\nfalse,true,cards\ntrue,-,incident\n");
    })
}

const CONDITIONS: &str = "is_large = 'event.amount > 1000'\nvip_in_need = 'is_large && customer.vip && event.body.mentions(\"help\")'\nunused = 'true'";

#[test]
fn conditions_and_columns_use_named_conditions() {
    assert_eq!(with_conditions(CONDITIONS, "is_large && !vip_in_need"), "no fault");
}

#[test]
fn every_fault_of_a_named_condition_is_named() {
    let conditions = format!(
        "early = 'is_large || early || true'\n{CONDITIONS}\nevent = 'true'\n\"a b\" = 'true'\nnumber = 'size(event.body)'\nif = 'true'\nx = 5\n"
    );
    insta::assert_snapshot!(with_conditions(&conditions, "is_larg && early && number && is_large"));
}
