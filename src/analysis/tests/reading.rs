//! Findings as people read them, of playbooks as people write them.

use crate::analysis::inspect;
use crate::analysis::{Finding, Kind, NoChange, nearest_change};
use crate::bundle::{Bundle, Sources};
use crate::domain::{Unavailable, Value};
use crate::rules::{Ref, Slot, Values};

const CONTEXT: &str = r#"
[events."ticket.created"]
subject = "string"
body    = "string"
channel = ["email", "chat", "phone"]
amount  = { type = "decimal", optional = true, min = 0 }
opened  = "timestamp"

[events."refund.issued"]
refunded = "decimal"
labels   = { list_of = "string" }

[facts]
plan  = { one_of = ["free", "pro"], fresh = "30d" }
vip   = { type = "bool", default = false, immutable = true }
limit = "decimal"
since = "timestamp"

[signals]
tickets_24h = { count = "ticket.created", over = "24h", immutable = true }
"#;

fn bundle(rules: &[(&str, &str)], extra: &str) -> Bundle {
    let rules: Vec<String> = rules
        .iter()
        .map(|(id, when)| format!("[[rules]]\nid = \"{id}\"\nwhen = '''{when}'''\nthen = {{ queue = \"a\" }}"))
        .collect();
    let playbook = format!(
        "playbook = \"p\"\non = [\"ticket.created\", \"refund.issued\"]\noutcome = {{ queue = [\"a\", \"b\"] }}\n\
         default = {{ then = {{ queue = \"b\" }} }}\n{}\n{extra}",
        rules.join("\n")
    );
    let mut sources = Sources::default();
    sources.insert("context.toml", CONTEXT);
    sources.insert("playbooks/p.toml", playbook);
    Bundle::compile(sources).unwrap_or_else(|faults| panic!("{faults}"))
}

fn found(bundle: &Bundle) -> Vec<Finding> {
    inspect(&bundle.playbooks()[0], bundle.layout(), &mut |_, _| {})
}

fn read(bundle: &Bundle) -> String {
    let playbook = &bundle.playbooks()[0];
    let shown = found(bundle).into_iter().map(|finding| {
        let rule = finding.ranks.first().map_or("-", |rank| &*playbook.rules.rules()[*rank].id);
        let example = finding.example.map_or_else(String::new, |example| {
            let slots = finding.ranks.iter().flat_map(|rank| playbook.rules.rules()[*rank].condition.slots().to_vec());
            let values = slots.collect::<std::collections::BTreeSet<_>>().into_iter().map(|slot| {
                let value = example.witness.datum(&playbook.scope, slot);
                let value = value.map_or("none".to_owned(), |value| value.to_string());
                format!("{}={value}", playbook.scope.declared(slot).path)
            });
            format!("\n  {} {}", example.position, values.collect::<Vec<_>>().join(" "))
        });
        format!("{} {rule}: {}{example}", finding.kind.name(), finding.message)
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_can_be_found_of_rules() {
    let bundle = bundle(
        &[
            ("small", "event.amount < 100"),
            ("impossible", "event.amount < 0"),
            ("torn", "event.channel == 'email' && event.channel == 'chat'"),
            ("two-events", "event.channel == 'email' && event.refunded > 5"),
            ("large", "event.amount >= 100"),
            ("again", "!(event.amount < 100)"),
            ("some", "event.amount > 50 && customer.vip"),
            ("middle", "event.amount > 50"),
            ("never-fewer", "signal.tickets_24h < 0"),
            ("always-there", "!has(event.subject) && event.channel == 'chat'"),
        ],
        "",
    );
    insta::assert_snapshot!(read(&bundle));
}

#[test]
fn texts_are_made_to_order() {
    let bundle = bundle(
        &[
            ("refunds", r#"[event.subject, event.body].mentions("refund*", "money back")"#),
            ("cards", r#"event.body.mentions("card", "cards") && !event.body.mentions("gift card")"#),
            ("refund", r#"event.subject.mentions("refunds", "refunded")"#),
            ("start", "event.subject.startsWith('URGENT') && !event.subject.contains('!')"),
            ("label", "'late' in event.labels && !('paid' in event.labels)"),
            ("over", "event.amount > customer.limit"),
            ("young", r#"event.opened - customer.since < duration("72h")"#),
            ("regex", "event.subject.matches('^[0-9]{4}-[a-f]{3}$')"),
        ],
        "",
    );
    insta::assert_snapshot!(read(&bundle));
}

#[test]
fn a_comparison_and_its_opposite_leave_nothing_between_them() {
    let bundle = bundle(
        &[
            ("young", r#"event.opened - customer.since < duration("72h")"#),
            ("old", r#"event.opened - customer.since >= duration("72h")"#),
            ("young-vip", r#"customer.vip && !(event.opened - customer.since >= duration("72h"))"#),
            (
                "neither",
                r#"event.opened - customer.since < duration("72h") && event.opened - customer.since >= duration("72h")"#,
            ),
        ],
        "",
    );
    let found: Vec<(Kind, Vec<usize>)> = found(&bundle).into_iter().map(|f| (f.kind, f.ranks)).collect();
    assert_eq!(found[..2], [(Kind::Shadowed, vec![2, 0]), (Kind::Contradictory, vec![3])]);
    assert!(found[2..].iter().all(|(kind, _)| *kind == Kind::Gap), "{found:?}");
}

/// Every rule but those of a regular expression is reached, so nothing is said of it.
#[test]
fn what_cannot_be_decided_is_said() {
    let kinds: Vec<Kind> =
        found(&bundle(&[("regex", "event.subject.matches('^[0-9]{4}$')")], "")).iter().map(|f| f.kind).collect();
    assert!(kinds.contains(&Kind::Undecided), "{kinds:?}");
}

/// Values of a ticket.
struct Given(Vec<(Slot, Value)>);

impl Values for Given {
    fn value(&self, slot: Slot) -> Result<Ref<'_>, Unavailable> {
        self.0.iter().find(|(known, _)| *known == slot).map(|(_, value)| Ref::from(value)).ok_or(Unavailable::Absent)
    }
}

#[test]
fn the_nearest_change_leaves_alone_what_nobody_can_change() {
    let bundle = bundle(
        &[
            ("vip", "customer.vip && event.amount > 5"),
            ("chat", "event.channel == 'chat' || customer.vip"),
            ("card", r#"event.channel == 'email' && event.body.mentions("card*")"#),
            ("later", "event.amount >= 10 && ledger.decisions > 3"),
            ("below", "event.amount >= 10 && customer.plan == 'pro'"),
            ("busy", "signal.tickets_24h > 3"),
        ],
        "",
    );
    let playbook = &bundle.playbooks()[0];
    let slot = |path: &str| playbook.scope.slot(path).unwrap();
    let text = |text: &str| Value::Text(text.into());
    let values = Given(vec![
        (slot("event.subject"), text("Hello")),
        (slot("event.body"), text("It is broken")),
        (slot("event.channel"), Value::Symbol(0)),
        (slot("event.amount"), Value::Decimal("7.5".parse().unwrap())),
        (slot("customer.vip"), Value::Bool(false)),
        (slot("ledger.decisions"), Value::Int(0)),
    ]);
    let change = |rank: usize| match nearest_change(playbook, bundle.layout(), rank, &values, 0) {
        Ok(nearest) => {
            let change = |(slot, value): &(Slot, Option<Value>)| {
                let declared = playbook.scope.declared(*slot);
                let value = value.as_ref().map_or("none".to_owned(), |value| declared.ty.show(value).to_string());
                format!("{} -> {value}", declared.path)
            };
            nearest.changes.iter().map(change).collect::<Vec<_>>().join(", ")
        }
        Err(none) => format!("{none:?}"),
    };
    let shown: Vec<String> =
        playbook.rules.rules().iter().enumerate().map(|(n, rule)| format!("{}: {}", rule.id, change(n))).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    vip: Impossible
    chat: event.channel -> "chat"
    card: event.body -> "It is broken - card"
    later: Impossible
    below: event.amount -> 10, customer.plan -> "pro"
    busy: Impossible
    "#);
    assert_eq!(nearest_change(playbook, bundle.layout(), 0, &values, 0), Err(NoChange::Impossible));
}
