//! Tests of the room: cases that pass, cases that fail and what is said of them, files with faults, coverage.

use super::*;
use crate::bundle::tests::{bundle, sources, tiny_bundle};
use crate::bundle::{Bundle, Sources};

const FILE: &str = "playbooks/routing.cases.toml";

fn report(text: &str) -> Report {
    run(&bundle(), FILE, text).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(text: &str) -> String {
    run(&bundle(), FILE, text).map_or_else(|faults| faults.to_string(), |report| panic!("no fault: {report}"))
}

fn bundle_with(change: impl FnOnce(&mut Sources)) -> Bundle {
    let mut sources = sources();
    change(&mut sources);
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

/// A case in one line, on the defaults of [`with_defaults`].
fn with_defaults(cases: &str) -> String {
    format!(
        "[defaults]\nat = 2026-11-22T10:00:00Z\nevent = {{ subject = \"Help\", body = \"?\", channel = \"chat\" }}\n{cases}"
    )
}

#[test]
fn cases_that_come_as_expected_pass() {
    let report = report(&with_defaults(
        r#"
[[cases]]
name   = "an outage that a VIP sees"
event  = { body = "everything is DOWN" }
facts  = { vip = true }
expect = { rule = "vip-outage", outcome = { queue = "incident", priority = 1, sla_minutes = 480 } }

[[cases]]
name   = "above the limit by a hair"
event  = { amount = 100.0001 }
facts  = { limit = 100 }
expect = { rule = "over-limit" }

[[cases]]
name   = "at the limit"
event  = { amount = 100 }
facts  = { limit = 100 }
expect = { rule = "default", outcome = { priority = 3 } }

[[cases]]
name   = "nobody knows the limit"
event  = { amount = 100 }
expect = { rule = "default", unavailable = ["customer.limit"] }

[[cases]]
name   = "nothing happens, and the type is named"
event  = { type = "ticket.created" }
expect = { rule = "default" }

[[cases]]
name   = "the third ticket of the day"
before = [
  { ago = "23h", subject = "a", body = "b", channel = "email" },
  { type = "ticket.created", at = "2026-11-22T09:59:59Z", subject = "a", body = "b", channel = "phone" },
]
expect = { rule = "many", outcome = { priority = 2 } }

[[cases]]
name   = "the guardrail refuses six thousand minutes"
event  = { subject = "sla please", body = "six___" }
expect = { rule = "computed", outcome = { sla_minutes = 480 }, refused = ["sla_minutes"] }
"#,
    ));
    assert!(report.is_passed(), "{report}");
    assert_eq!(report.to_string(), "playbooks/routing.cases.toml: 7 cases passed");
    let coverage = &report.coverage;
    assert_eq!((coverage.fired(), coverage.percent(), coverage.default_cases), (4, 80, 3));
    let never: Vec<(&str, &str)> = coverage.never_fired().map(|rule| (&*rule.rule, &*rule.origin)).collect();
    assert_eq!(never, [("cards", "tables/routing.csv:2")]);
    assert_eq!([0, 79, 80, 81, 100].map(|percent| coverage.rules_for(percent)), [0, 4, 4, 5, 5]);
}

#[test]
fn what_comes_otherwise_is_a_difference_with_its_reason() {
    let report = report(&with_defaults(
        r#"
[[cases]]
name   = "several fields differ, and the rule does not match"
event  = { body = "my card was declined, and this is a long story that does not end before it has been told" }
facts  = { vip = true }
expect = { rule = "vip-outage", outcome = { queue = "incident", priority = 1, sla_minutes = 480 } }

[[cases]]
name   = "the rule cannot be told"
event  = { amount = 100 }
expect = { rule = "over-limit" }

[[cases]]
name   = "another rule is asked before"
event  = { body = "my card, and an outage" }
facts  = { vip = true }
expect = { rule = "cards" }

[[cases]]
name   = "no rule should match, and one does"
event  = { body = "cards" }
expect = { rule = "default" }

[[cases]]
name   = "passes"
expect = { rule = "default" }

[[cases]]
name   = "the second ticket is not the third"
before = [{ ago = "1h", subject = "a", body = "b", channel = "email" }]
expect = { rule = "many" }

[[cases]]
name   = "a refusal that nobody expected"
event  = { subject = "sla please", body = "six___" }
expect = { rule = "computed" }

[[cases]]
name   = "a refusal that does not come, a value that is not missed"
facts  = { limit = 1 }
event  = { amount = 1 }
expect = { outcome = { queue = "general" }, refused = ["queue"], unavailable = ["customer.limit", "event.amount"] }
"#,
    ));
    assert_eq!((report.passed(), report.failed()), (1, 7));
    insta::assert_snapshot!(report);
}

#[test]
fn every_fault_of_a_file_of_cases_is_named() {
    let said = faults(
        r#"
playbok = "routing"

[defaults]
at = "2026-11-22"
evnt = {}
event = { channel = "email", ago = "5m" }

[[cases]]
name = ""
event = { subject = "a", body = 5, chanel = "fax" }
expect = {}

[[cases]]
name = "twice"
at = 2026-11-22T10:00:00
event = { type = "ticket.craeted" }
expect = { rule = "vip-outge", outcome = { queue = "incidents", prio = 1 }, refuse = [] }

[[cases]]
name = "twice"
event = { type = "refund.issued", amount = 5 }
facts = { vpi = true, plan = "gold", limit = { at = 2027-01-01T00:00:00Z, valu = 5 }, vip = { value = true, at = 2027-01-01T00:00:00Z } }
expect = { outcome = {}, refused = ["prio"], unavailable = ["customer.limt"] }

[[cases]]
name = "what came before"
event = { subject = "a", body = "b", times = 2 }
before = [
  { type = "refund.issued", amount = 5 },
  { type = "refund.issued", amount = 5, ago = "5" },
  { type = "refund.issued", amount = 5, ago = "5m", at = 2025-01-01T00:00:00Z },
  { type = "refund.issued", amount = 5, at = 2026-11-22T10:00:00Z },
  { type = "refund.issued", ago = "5m", times = 0, data = { amount = "five" }, amount = 5 },
]
expect = { outcome = { priority = 9 }, unavailable = [] }

[[cases]]
event = 5
facts = []
before = {}
expect = { rule = 5 }
nots = "x"

[[cases]]
name = "known too late"
event = { subject = "a", body = "b" }
known_since = 2025-12-31T00:00:00Z
before = [{ type = "refund.issued", amount = 5, ago = "40d" }]
expect = { rule = "default" }

[[cases]]
"#,
    );
    insta::assert_snapshot!(said);
}

#[test]
fn a_file_names_its_playbook_or_is_named_after_it() {
    let bundle = bundle();
    let case = "[[cases]]\nname = \"x\"\nevent = { subject = \"a\", body = \"b\", channel = \"chat\" }\nexpect = { rule = \"default\" }\n";
    let read = |file: &str, text: &str| match Cases::read(&bundle, file, text) {
        Ok(cases) => format!("{} of {}", cases.len(), cases.playbook().name),
        Err(faults) => faults.to_string(),
    };
    let said = [
        read("routing.cases.toml", case),
        read("playbooks/routing.vip.cases.toml", case),
        read("other.cases.toml", &format!("playbook = \"routing\"\n{case}")),
        read("other.cases.toml", &format!("playbook = \"ruoting\"\n{case}")),
        read("rooting.cases.toml", case),
        read("routing.cases.toml", ""),
        read("routing.cases.toml", "[[cases]\nname = \"x\"\n"),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_case_means_the_same_wherever_it_stands_in_the_file() {
    let case = |name: &str| {
        format!("[[cases]]\nname = \"{name}\"\nevent = {{ body = \"{name}\" }}\nexpect = {{ rule = \"default\" }}\n")
    };
    let many: String = ["one", "two", "three", "four", "five"].map(case).concat();
    let report = report(&with_defaults(&many));
    assert!(report.is_passed(), "each case has a customer of its own, so no case is the third ticket: {report}");
}

#[test]
fn what_happened_before_is_taken_in_the_order_of_its_time() {
    let bundle = bundle_with(|sources| {
        let playbook = r#"
playbook = "late"
on       = ["ticket.created"]
outcome  = { said = "string" }
rules    = [
  { id = "watched",  when = "signal.refunds >= 10.0",                                then = { said = "watched" } },
  { id = "hours",    when = 'now - ledger.last_decided == duration("2h")',           then = { said = "hours" } },
  { id = "repeated", when = "ledger.decisions == 2",                                 then = { said = "repeated" } },
  { id = "noon",     when = 'now == timestamp("2026-01-01T12:00:00Z")',              then = { said = "noon" } },
]
default = { then = { said = "nothing" } }
"#;
        sources.insert("playbooks/late.toml", playbook);
        let context = sources.get("context.toml").unwrap().to_owned();
        sources.insert(
            "context.toml",
            context + "refunds = { sum = \"amount\", of = \"refund.issued\", over = \"30d\", every = \"1h\" }\n",
        );
    });
    let ticket = "subject = \"a\", body = \"b\", channel = \"chat\"";
    let text = format!(
        r#"
[[cases]]
name   = "a signal that has not watched for its whole window is not there"
event  = {{ {ticket} }}
before = [{{ type = "refund.issued", amount = 10, ago = "1d" }}]
expect = {{ rule = "noon", unavailable = ["signal.refunds"] }}

[[cases]]
name   = "a customer whom we have known for long enough"
event  = {{ {ticket} }}
known_since = 2025-11-01T00:00:00Z
before = [{{ type = "refund.issued", amount = 5, ago = "1d", times = 2 }}]
expect = {{ rule = "watched" }}

[[cases]]
name   = "decided before, the later one two hours ago, whichever is written first"
event  = {{ {ticket} }}
before = [{{ {ticket}, ago = "2h" }}, {{ {ticket}, ago = "3h" }}]
expect = {{ rule = "hours" }}

[[cases]]
name   = "decided twice"
event  = {{ {ticket} }}
before = [{{ {ticket}, ago = "3h", times = 2 }}]
expect = {{ rule = "repeated" }}

[[cases]]
name   = "an event that comes late sees the signals as of its own time"
event  = {{ {ticket}, ago = "2h" }}
known_since = 2025-11-01T00:00:00Z
before = [{{ type = "refund.issued", amount = 50, ago = "1h" }}]
expect = {{ rule = "noon" }}
"#
    );
    let report = run(&bundle, "late.cases.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(report.is_passed(), "{report}");
}

#[test]
fn a_fact_is_as_old_as_the_case_says() {
    let bundle = bundle_with(|sources| {
        let playbook =
            sources.get("playbooks/routing.toml").unwrap().replace("customer.vip &&", "customer.plan == \"pro\" &&");
        sources.insert("playbooks/routing.toml", playbook);
    });
    let text = with_defaults(
        r#"
[[cases]]
name   = "fresh"
event  = { body = "outage" }
facts  = { plan = { value = "pro", ago = "30d" } }
expect = { rule = "vip-outage" }

[[cases]]
name   = "stale"
event  = { body = "outage" }
facts  = { plan = { value = "pro", at = 2026-10-23T09:59:59Z } }
expect = { rule = "default", unavailable = ["customer.plan"] }
"#,
    );
    let report = run(&bundle, FILE, &text).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(report.is_passed(), "{report}");
}

#[test]
fn attributes_that_have_our_names_stand_in_data() {
    let mut sources = Sources::default();
    sources.insert(
        "context.toml",
        "[events.\"trip.taken\"]\ntype = [\"train\", \"car\"]\ntimes = \"int\"\n[events.other]\n",
    );
    sources.insert(
        "playbooks/trips.toml",
        "playbook = \"trips\"\non = [\"trip.taken\"]\noutcome = { green = \"bool\" }\n\
         rules = [{ id = \"train\", when = \"event.type == 'train' && event.times > 3\", then = { green = true } }]\n\
         default = { then = { green = false } }\n",
    );
    let bundle = Bundle::compile(sources).unwrap();
    let case = |event: &str| {
        format!(
            "[[cases]]\nname = \"x\"\nevent = {event}\nexpect = {{ rule = \"train\", outcome = {{ green = true }} }}\n"
        )
    };
    let data = "data = { type = \"train\", times = 4 }";
    for event in [format!("{{ {data} }}"), format!("{{ type = \"trip.taken\", {data} }}")] {
        let report = run(&bundle, "trips.cases.toml", &case(&event)).unwrap();
        assert!(report.is_passed(), "{report}");
    }
    let faulty = ["{ type = \"train\", times = 4 }", "{ data = { type = \"train\" } }"];
    let said = faulty.map(|event| run(&bundle, "trips.cases.toml", &case(event)).unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_playbook_without_cases_is_given_one_that_passes() {
    for bundle in [bundle(), tiny_bundle()] {
        for playbook in bundle.playbooks() {
            let text = starter(&bundle, playbook).unwrap();
            let file = format!("{}{CASES_ENDING}", playbook.name);
            let report = run(&bundle, &file, &text).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
            assert!(report.is_passed() && report.cases.len() == 1, "{report}");
        }
    }
    let bundle = bundle_with(|sources| {
        let playbook = r#"
playbook = "every"
on       = ["thing.happened", "ticket.created"]
[outcome]
text = "string"
list = { list_of = "string" }
wait = "duration"
when = "timestamp"
rate = "decimal"
[default]
then = { text = "a \"b\"\n\u0007 über", list = ["x\\y"], wait = "90s", when = "2026-01-01T00:00:00Z", rate = 0.25 }
"#;
        let things = "[events.\"thing.happened\"]\nat = \"timestamp\"\nfor = \"duration\"\nlist = { list_of = \"int\" }\nrate = { type = \"decimal\", max = 0.5 }\ncode = { type = \"string\", max_length = 3 }\n";
        sources.insert("playbooks/every.toml", playbook);
        sources.insert("context.toml", format!("{things}{}", sources.get("context.toml").unwrap()));
    });
    let text = starter(&bundle, &bundle.playbooks()[bundle.playbook_number("every").unwrap()]).unwrap();
    insta::assert_snapshot!(text);
    assert!(run(&bundle, "every.cases.toml", &text).unwrap().is_passed());
}

#[test]
fn bounds_are_named() {
    let case = "[[cases]]\nname = \"x\"\nexpect = { rule = \"default\" }\n";
    let many = (0..10_001).map(|nth| case.replace('x', &nth.to_string())).collect::<String>();
    assert!(faults(&with_defaults(&many)).contains("has 10001 cases, the limit is 10000"));
    let before = "before = [{ type = \"refund.issued\", amount = 1, ago = \"1h\", times = 6000 }, { type = \"refund.issued\", amount = 1, ago = \"1h\", times = 4001 }]\n";
    assert!(faults(&with_defaults(&format!("{case}{before}"))).contains("has 10001 events, the limit is 10000"));
    assert!(faults(&with_defaults(&case.replace('x', &"x".repeat(201)))).contains("a line of 1 to 200 bytes"));
}

#[test]
fn a_report_is_json_for_machines() {
    let report = report(&with_defaults(
        "[[cases]]\nname = \"x\"\nevent = { amount = 7 }\nexpect = { rule = \"over-limit\", outcome = { priority = 1 }, unavailable = [\"customer.plan\"] }\n",
    ));
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}

// === several rules ===

const SEVERAL: &str = r#"
playbook = "routing"
on = ["ticket.created"]
hit_policy = "unique"
outcome = { tags = { list_of = "string" } }
default = { then = { tags = [] } }
[[rules]]
id = "chat"
when = "event.channel == 'chat'"
then = { tags = ["a"] }
[[rules]]
id = "help"
when = "event.subject == 'Help'"
then = { tags = ["b"] }
[[rules]]
id = "off"
enabled = false
when = "event.subject == 'Help'"
then = { tags = ["c"] }
"#;

fn several(policy: &str, cases: &str) -> Report {
    let playbook = SEVERAL.replace("unique", policy);
    let mut sources = Sources::default();
    let context =
        "[events.\"ticket.created\"]\nsubject = \"string\"\nbody = \"string\"\nchannel = [\"chat\", \"phone\"]\n";
    sources.insert("context.toml", context);
    sources.insert("playbooks/routing.toml", playbook.as_str());
    let bundle = Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"));
    run(&bundle, FILE, &with_defaults(cases)).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn a_violated_hit_policy_must_be_announced() {
    let report = several(
        "unique",
        r#"
[[cases]]
name = "announced"
event = { body = "x" }
expect = { rule = "default", violated = ["help", "chat"] }
[[cases]]
name = "not announced"
event = { body = "x" }
expect = { rule = "default" }
[[cases]]
name = "announced for nothing, and another rule expected"
event = { channel = "phone", body = "x" }
expect = { rule = "off", violated = ["chat", "help"] }
[[cases]]
name = "one of the two is expected"
event = { body = "x" }
expect = { rule = "help" }
"#,
    );
    assert_eq!((report.passed(), report.coverage.rules.len(), report.coverage.fired()), (1, 2, 1));
    insta::assert_snapshot!(report.to_string());
}

#[test]
fn all_rules_that_have_their_say_can_be_expected() {
    let report = several(
        "rule_order",
        r#"
[[cases]]
name = "both"
event = { body = "x" }
expect = { rules = ["help", "chat"] }
[[cases]]
name = "only one"
event = { channel = "phone", body = "x" }
expect = { rules = ["help", "chat"] }
[[cases]]
name = "not the first"
event = { body = "x" }
expect = { rule = "help" }
"#,
    );
    assert_eq!((report.passed(), report.coverage.fired(), report.coverage.percent()), (1, 2, 100));
    insta::assert_snapshot!(report.to_string());
}
