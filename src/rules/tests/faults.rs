//! What an author reads who got a condition wrong.

use super::*;

fn faults(source: &str) -> String {
    let mut texts = TextIndexBuilder::default();
    let Err(faults) = Condition::compile(source, &scope(), &mut texts) else {
        return format!("{source}\n  no fault\n");
    };
    let mut shown = format!("{source}\n");
    for fault in faults {
        shown.push_str(&format!("{}^ {}\n", " ".repeat(fault.offset), fault.message));
    }
    shown
}

#[test]
fn every_fault_is_named_at_its_place() {
    let sources = [
        "event.chanel == 'email'",
        "evnt.channel == 'email' && customer.vpi",
        "event.channel == 'emial' || event.channel in ['chat', 'fax']",
        "event.amount > 'ten'",
        "event.amount > 1.00001",
        "event.count + event.subject == 1",
        "event.count",
        "event.channel > 'chat'",
        "event.labels == 'x'",
        "'x' in event.subject",
        "event.count in []",
        "event.subject.mention('x')",
        "event.subject.mentions()",
        "event.subject.mentions('*')",
        "event.subject.mentions(event.body)",
        "event.subject.matches('(')",
        "event.subject.matches('(a{1000}){1000}')",
        "event.labels.exists(l, l == 5) && event.labels.all(l, m == l)",
        "event.labels.exists(event, event == 'a')",
        "event.labels.exists(l, event.labels.all(l, l == 'a'))",
        "event.labels.exists(l, l.name == 'a')",
        "event.labels.map(l, l == 'a')",
        "event.subject.exists(c, c == 'a')",
        "[].exists(c, c == 1) || [1, 'a'].exists(c, c == 1)",
        "list.words.exists(w, w == 'a')",
        "event.labels['a'] == 'b'",
        "[customer.?vip].exists(v, v)",
        "{'a': 1}.exists(k, k == 'a')",
        "event.subject == null",
        "customer.?vip",
        "customer.vip.orValue(false)",
        "now > timestamp('yesterday')",
        "now - customer.since > duration('5')",
        "now.getHours('Europe/Berlin') > 8",
        "event.a.b == 1",
        "event.subject[0] == 'a'",
        "event.count == 9223372036854775808u",
        "frobnicate(event.count)",
        "event.subject.size(1) == 1",
        "event.count ==",
        "event.count = 1",
        "",
        "now + now > now",
        "-event.subject == 'a'",
        "math.gretest(1, 2) == 1 && math.abs() == 1 && maths.abs(1) == 1",
        "math.ceil(event.count) == 1 && math.abs(event.subject) == 1 && math.greatest('a', 'b') == 'b'",
        "int(customer.vip) == 1 && string(event.labels) == '' && decimal(now) == 1",
        "event.subject.charAt('a') == 'b' && event.subject.replace('a') == 'b'",
        "[1, 2].join() == '' && signal.wait.getFullYear() == 1",
        "event.subject in list.wrods",
        "event.subject in list.counts",
        "event.amount in list.counts",
        "event.labels in list.words",
        "list.words == 'a'",
        "has(list.words)",
    ];
    insta::assert_snapshot!(sources.map(faults).join("\n"));
}

#[test]
fn an_expression_has_a_bound() {
    let long = format!("event.count in [{}]", "1, ".repeat(4_000));
    assert!(faults(&long).contains("has 12017 bytes, the limit is 8192"), "{}", faults(&long));
    for deep in [
        format!("{}customer.vip{}", "!(".repeat(2_000), ")".repeat(2_000)),
        format!("1{} == 1", " + 1".repeat(2_000)),
        format!("{}true", "true ? true : ".repeat(500)),
    ] {
        let shown = faults(&deep);
        assert!(shown.contains("nested more than") || shown.contains("recursion limit"), "{shown}");
    }
}
